"""What a report holds already, and what a further message changes: a result that is not told again stays, one taken back stays marked.

HL7 v2.5.1 7.3.1 lets a laboratory send a correction with the changed OBX alone; table 0085 says what has become of each (OBX-11).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from integrations.effects.person import SetAside
from integrations.effects.stay import opaque
from integrations.hl7v2.oru import Result

GONE = frozenset({"entered-in-error", "cancelled"})
"""Statuses of a result that no longer stands."""
SETTLED = frozenset({"final", "corrected", "amended", "appended"})
"""Statuses of what has been released."""
_WITHOUT_ITS_VALUE = frozenset({"U", "V", "B", "D", "W", "X"})
"""Words of OBX-11 that speak of a result told before and need not tell it again."""
_LINES = frozenset({"TX", "FT"})
"""Kinds of OBX that are the lines of one text."""


def held_results(store: Store, report: Resource | None) -> list[Resource]:
    """The results that a report holds, in its order."""
    ids = [id for one in (report or {}).get("result", ()) if (id := reference_id(one, "Observation"))]
    return [found for id in ids if (found := store.find("Observation", id))]


def matched(report: str, results: Sequence[Result], held: Sequence[Resource], moments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The Observation id of each result, and those on file whose text is told anew in fewer lines.

    A result is known by its code and OBX-4. Where a report holds several of one code that OBX-4 does not tell apart, OBX-21 or the moment
    (``moments``, one FHIR dateTime for each result) does, else all of them are told again, in order.

    Raises:
        SetAside: nothing says which of several is meant; nobody may guess which result is corrected.
    """
    on_file = {one["id"]: one for one in held}
    groups: dict[str, list[int]] = defaultdict(list)
    for at, result in enumerate(results):
        groups[f"{result.code.code or result.code.text}|{result.sub_id}"].append(at)
    ids: dict[int, str] = {}
    over: list[str] = []
    for key, places in groups.items():
        known = [id for n in range(1, len(held) + 1) if (id := _id(report, key, n)) in on_file]
        if len(known) < 2:
            ids |= {at: _id(report, key, n) for n, at in enumerate(places, start=1)}
            continue
        left = [*known]
        for at in places:
            same = [id for id in left if _is_same(on_file[id], results[at], moments[at])]
            if len(same) == 1:
                ids[at] = same[0]
                left.remove(same[0])
        open_ones = [at for at in places if at not in ids]
        if len(open_ones) < len(left) and open_ones and not all(results[at].kind in _LINES for at in places):
            raise SetAside(
                f"the report holds {len(known)} results of one code and this message tells {len(places)} of them: which is meant cannot be "
                "told without OBX-4, OBX-21 or OBX-14; have the laboratory send them all",
                path=f"OBX[{results[open_ones[0]].index}]-4",
                reason="which-result",
            )
        further = (_id(report, key, n) for n in range(len(known) + 1, len(known) + len(places) + 1))
        ids |= {at: left.pop(0) if left else next(further) for at in open_ones}
        over += left if all(results[at].kind in _LINES for at in places) else []
    return [ids[at] for at in range(len(results))], over


def _id(report: str, key: str, turn: int) -> str:
    return f"result-{opaque(report, key, str(turn))}"


def _is_same(known: Resource, result: Result, at: str) -> bool:
    numbers = [one["value"] for one in result.more.get("identifier", ())]
    if numbers:
        return any(one.get("value") in numbers for one in known.get("identifier", ()))
    return bool(at) and known.get("effectiveDateTime") == at


def amended(known: Resource | None, told: Resource, result: Result) -> Resource:
    """A result as it stands after being told again: one that is confirmed or taken back without its value keeps the value on file.

    So does any other whose OBX-5 is empty, as long as it stands: empty is not told, the null deletes (v2.5.1 2.5.3), and OBX-5 may be left
    out where OBX-8 says it all (7.4.2.5).
    """
    if known is None:
        return told
    status = withdrawn(known) if told["status"] == "cancelled" else told["status"]
    if not result.texts and result.status not in _WITHOUT_ITS_VALUE:
        if result.erased or known["status"] in GONE:
            return told | {"status": status}
        return known | {key: value for key, value in told.items() if key != "dataAbsentReason"} | {"status": status}
    if result.texts:
        return told | {"status": status}
    return known | {"status": status} | ({"note": told["note"]} if "note" in told else {})


def withdrawn(known: Resource | None) -> str:
    """The status of a finding that is taken back: ``cancelled`` where it was never released, else ``entered-in-error`` (R4)."""
    return "entered-in-error" if known is not None and known["status"] in SETTLED | {"entered-in-error"} else "cancelled"


def in_order(held: Iterable[str], told: Iterable[str]) -> list[str]:
    """The results of both, each once: in the order on file, a new one behind the one that it follows in the message."""
    order = list(held)
    told = list(told)
    at = 0
    for place, id in enumerate(told):
        if id in order:
            at = order.index(id) + 1
            continue
        if not place:  # the first of the message goes before the next one of it that is on file, else to the end
            at = next((order.index(one) for one in told if one in order), len(order))
        order.insert(at, id)
        at += 1
    return order
