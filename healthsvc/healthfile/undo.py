"""撤销: a step that was taken by mistake is taken back, with everything that it brought about in the same transaction.

The history is the record: all that one step wrote carries the same moment. What has been changed since by somebody else is left as it
is and named, so that a person can look at it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.stored import Stored
from healthsvc.store.writes import HISTORY, INDEXES, RESOURCE

_ORDER: Final = ("Contract", "EpisodeOfCare", "CareTeam", "Flag", "ServiceRequest", "Task", "Encounter")
"""What is put back first: that by whose leave the others are there."""

_MADE_BY_A_STEP: Final = frozenset({"CareTeam"})
"""What a step makes for its own sake: it goes with the step. All else that was written for the first time is a record, and stays."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """What a step that was taken back has given back, and what could not be; references ``Type/id``."""

    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Changed since by somebody else, or never taken up again by rule: to be looked at."""


def put_back(store: Store, patients: Sequence[str], moment: int, never: Iterable[str] = ()) -> PutBack:
    """Put back what was written about these people at a moment, version by version; people's own files are not touched.

    Args:
        store: an open writing transaction.
        patients: ids of the files.
        moment: microseconds since 1970, the moment of the step's transaction.
        never: references that a rule forbids to take up again (a stopped course of infusions).
    """
    kept_off = set(never)
    touched = sorted(_written_at(store, patients, moment), key=_rank)
    restored, left = [], []
    with store.undoing():
        for current in touched:
            reference = f"{current.type}/{current.id}"
            if current.updated != moment or current.deleted or reference in kept_off:
                left.append(reference)
                continue
            before = version_before(store, current.type, current.id, moment)
            if before is not None:
                store.put(before)
                restored.append(reference)
            elif current.type in _MADE_BY_A_STEP:
                store.delete(current.type, current.id)
            elif current.type == "DocumentReference" and current.resource.get("status") == "current":
                store.put(current.resource | {"status": "superseded"})  # a card that the step has issued is no longer good
    return PutBack(tuple(restored), tuple(left))


def version_before(store: Store, type: str, id: str, moment: int) -> Resource | None:
    """What stood there before a moment; None where there was nothing."""
    earlier = next((one for one in store.history(type, id) if one.updated < moment), None)
    return None if earlier is None or earlier.deleted else earlier.resource


def content(resource: Resource) -> Resource:
    """A resource without what the store says of it: two versions with the same content are equal."""
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in ("versionId", "lastUpdated")}
    return {**{key: value for key, value in resource.items() if key != "meta"}, **({"meta": meta} if meta else {})}


def _written_at(store: Store, patients: Sequence[str], moment: int) -> list[Stored]:
    """The current versions of whatever refers to these people and was rewritten at that moment (now, or before a later change)."""
    index = INDEXES["reference"]
    own = select(index.c.pk).where(index.c.target.in_(patients), index.c.target_type == store.terms.find("Patient"))
    rows = select(RESOURCE).where(RESOURCE.c.pk.in_(own))
    since = select(HISTORY.c.pk).where(HISTORY.c.pk.in_(own), HISTORY.c.updated == moment, HISTORY.c.version > 1)
    found = store.connection.execute(rows.where((RESOURCE.c.updated == moment) | RESOURCE.c.pk.in_(since))).all()
    names = {row.type: store.terms.text(row.type) for row in found}
    return [
        Stored(row.pk, type, row.id, row.version, row.updated, bool(row.deleted), store.opened(type, row.id, row.version, row.body))
        for row in found
        if (type := names[row.type]) != "Patient"
    ]


def _rank(one: Stored) -> tuple[int, str]:
    return (_ORDER.index(one.type) if one.type in _ORDER else len(_ORDER), one.id)
