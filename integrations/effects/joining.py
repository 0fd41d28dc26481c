"""Two visits, or two accounts, of one person turn out to be one (A35, A41, A42): the one under the new number goes on with all of it."""

from typing import Any, Final

from healthsvc.fhir.elements import concept, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.store import Store
from healthsvc.store.lookup import holding, pointing
from integrations.effects.care import Outcome, follows
from integrations.effects.diagnosis import VERIFICATION
from integrations.effects.person import SetAside, admit_person, find
from integrations.effects.stay import opaque
from integrations.effects.which import newest, theirs
from integrations.hl7v2.adt import Merge
from integrations.hospitals.profile import Profile

_IN_ERROR: Final = "entered-in-error"
_BOOKED: Final = {
    **dict.fromkeys(("Condition", "DiagnosticReport", "DocumentReference", "MedicationRequest", "Observation"), "encounter"),
    **dict.fromkeys(("Procedure", "ServiceRequest"), "encounter"),
    **dict.fromkeys(("ChargeItem", "MedicationAdministration", "MedicationDispense"), "context"),
}
"""What a hospital hangs on a visit, and the search parameter by which it points there."""
_VAGUE: Final = frozenset({"planned", "unknown"})
"""States of a visit that say less than any other."""
_OF_THE_VISIT: Final = ("class", "type", "serviceType", "priority", "participant", "reasonCode", "location", "hospitalization")


def join(store: Store, one: Merge, event: str, profile: Profile, hospital: str, outcome: Outcome) -> None:
    """Let the visit under MRG-5 go on as that of PV1-19 (A42), the account under MRG-3 as that of PID-18 (A35, A36, A41).

    A stay that is known by its account, for want of a visit number, goes with its account.

    Raises:
        SetAside: MRG-1 names another person; whose the visit is has to be said first (A44, A45, or a merge of the files).
    """
    party = admit_person(store, find(store, one.survivor.numbers), one.survivor, profile, overwrite=False)
    former = find(store, one.prior)
    if former is not None and former["id"] != party.id:
        raise SetAside(
            "MRG-1 names another person than PID-3; have the visit moved to the right person first (A44, A45), or merge the files",
            path="MRG-1",
            reason="join-other-person",
        )
    outcome.patient = party.id
    if party.changed:
        outcome.wrote(party.patient)
    mark, found = len(store.acts), False
    prior, now = (one.visit, one.new_visit) if event == "A42" else (one.account, one.new_account)
    if prior and now and prior != now:
        found = _visits(store, party.id, prior, now, hospital, outcome)
        found |= event != "A42" and _accounts(store, one, hospital, outcome)
    if not found:
        outcome.remarks.append("neither visit nor account is on file under these numbers; nothing was joined")
    follows(store, mark, outcome)


def account_of(store: Store, hospital: str, number: str) -> Resource | None:
    """The account that a hospital means by a number: one that was joined with another is that other one."""
    known = store.find("Account", f"account-{opaque(hospital, number)}")
    if known is not None and "partOf" in known:
        return store.find("Account", known["partOf"]["reference"].partition("/")[2])
    if known is None:
        return next(iter(holding(store, "Account", [(f"{hospital_number(hospital)}/account", number)])), None)
    return known


def _visits(store: Store, patient: str, prior: str, now: str, hospital: str, outcome: Outcome) -> bool:
    gone, kept = (newest(theirs(store, patient, number, hospital), store.zone) for number in (prior, now))
    if gone is None and kept is None:
        return False
    numbers = _distinct([*(kept or {}).get("identifier", ()), *(gone or {}).get("identifier", ())])
    system = next(one["system"] for one in numbers if one.get("value") in (prior, now))
    both = _distinct([*numbers, *({"system": system, "value": value} for value in (now, prior))])
    if gone is None or kept is None or gone["id"] == kept["id"]:
        told = kept or gone or {}
        if told.get("identifier") != both:
            outcome.wrote(store.put(told | {"identifier": both}))
        return True
    moved, renamed = _diagnoses(store, gone, kept)
    outcome.wrote(store.put(_both(kept, gone, renamed) | {"identifier": both}))
    withdrawn = {key: value for key, value in gone.items() if key != "identifier"}
    outcome.wrote(store.put(withdrawn | {"status": _IN_ERROR, "partOf": reference("Encounter", kept["id"])}), *moved)
    _rehang(store, _BOOKED, "Encounter", gone["id"], kept["id"], outcome)
    return True


def _both(kept: Resource, gone: Resource, renamed: dict[str, str]) -> Resource:
    """The visit that goes on: what it does not know yet it has from the other one."""
    told = kept | {key: gone[key] for key in _OF_THE_VISIT if key in gone and (key not in kept or kept["status"] in _VAGUE)}
    if kept["status"] in _VAGUE:
        told |= {"status": gone["status"], "period": {**kept.get("period", {}), **gone.get("period", {})}}
    elif "start" not in kept.get("period", {}) and "start" in gone.get("period", {}):
        told["period"] = {"start": gone["period"]["start"], **kept.get("period", {})}
    more = [_pointing(one, renamed) for one in gone.get("diagnosis", ())]
    listed = [*kept.get("diagnosis", ()), *(one for one in more if one not in kept.get("diagnosis", ()))]
    return told | ({"diagnosis": listed} if listed else {})


def _diagnoses(store: Store, gone: Resource, kept: Resource) -> tuple[list[Resource], dict[str, str]]:
    """The diagnoses of the former visit under the ids that those of the other one have; what was written, and old to new reference."""
    written, renamed = list[Resource](), dict[str, str]()
    for id in pointing(store, "Condition", "encounter", gone["id"]):
        known = store.find("Condition", id)
        if known is None or not id.startswith("dx-"):
            continue
        code = next((str(one["code"]) for one in known["code"].get("coding", ()) if "code" in one), "")
        words = str(known["code"].get("text", ""))
        own = f"dx-{opaque(kept['id'], code, words if words != code else '')}"
        renamed[f"Condition/{id}"] = f"Condition/{own}"
        if store.find("Condition", own) is None:
            bare = {key: value for key, value in known.items() if key not in ("meta", "text")}
            written.append(store.put(bare | {"id": own, "encounter": reference("Encounter", kept["id"])}))
        left = {key: value for key, value in known.items() if key != "clinicalStatus"}  # R4 con-5
        written.append(store.put(left | {"verificationStatus": concept(VERIFICATION, _IN_ERROR)}))
    return written, renamed


def _accounts(store: Store, one: Merge, hospital: str, outcome: Outcome) -> bool:
    gone, kept = (account_of(store, hospital, number) for number in (one.account, one.new_account))
    if gone is None and kept is None:
        return False
    system = f"{hospital_number(hospital)}/account"
    own = [{"system": system, "value": number} for number in (one.new_account, one.account)]
    told = dict(kept or gone or {})
    told["identifier"] = _distinct([*told.get("identifier", ()), *(gone or {}).get("identifier", ()), *own])
    apart = gone is not None and kept is not None and gone["id"] != kept["id"]
    if apart and gone is not None:
        starts = [span["start"] for span in (told.get("servicePeriod", {}), gone.get("servicePeriod", {})) if "start" in span]
        if starts:
            told["servicePeriod"] = told.get("servicePeriod", {}) | {"start": min(starts)}
    if told != (kept or gone):
        outcome.wrote(store.put(told))
    if apart and gone is not None:
        withdrawn = {key: value for key, value in gone.items() if key != "identifier"}
        outcome.wrote(store.put(withdrawn | {"status": _IN_ERROR, "partOf": reference("Account", told["id"])}))
        _rehang(store, {"ChargeItem": "account"}, "Account", gone["id"], told["id"], outcome)
    return True


def _rehang(store: Store, hanging: dict[str, str], type: str, gone: str, kept: str, outcome: Outcome) -> None:
    """What hangs on the one is hung on the other; what stands there in error already stays as it was."""
    for holder, name in hanging.items():
        for id in pointing(store, holder, name, gone):
            known = store.find(holder, id)
            if known is not None and not (holder == "Condition" and id.startswith("dx-")):
                outcome.wrote(store.put(_pointing(known, {f"{type}/{gone}": f"{type}/{kept}"})))


def _pointing(element: Any, to: dict[str, str]) -> Any:
    """The element with its references turned."""
    if isinstance(element, dict):
        return {key: to.get(value, value) if key == "reference" else _pointing(value, to) for key, value in element.items()}
    return [_pointing(one, to) for one in element] if isinstance(element, list) else element


def _distinct(entries: list[Resource]) -> list[Resource]:
    return [one for index, one in enumerate(entries) if one not in entries[:index]]
