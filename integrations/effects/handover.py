"""A visit or account that was booked on the wrong person goes over to the right one (A44, A45), or gets another number (A49 to A51)."""

from healthsvc.fhir.elements import reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number, visit_number
from healthsvc.healthfile.service import follow
from healthsvc.store import Store
from integrations.effects.care import Outcome, follows
from integrations.effects.joining import account_of
from integrations.effects.person import SetAside, admit_person, find
from integrations.effects.which import newest, theirs, under
from integrations.hl7v2.adt import AdtEvent, Merge
from integrations.hospitals.profile import Profile


def move_visit(store: Store, one: Merge, event: AdtEvent, profile: Profile, hospital: str, outcome: Outcome) -> None:
    """Give a stay and an account to the person of the PID; the visits at home of both people follow."""
    party = admit_person(store, find(store, one.survivor.numbers), one.survivor, profile, overwrite=False)
    outcome.patient = party.id
    if party.changed:
        outcome.wrote(party.patient)
    named = {one.account: one.new_visit or one.new_account} | {one.visit: one.new_visit}
    former = find(store, one.prior)
    stays = [(found, now) for number, now in named.items() if number and (found := _booked(store, number, hospital, former, party.id))]
    account = account_of(store, hospital, one.account) if one.account else None
    if not stays and account is None:
        outcome.remarks.append("neither visit nor account is on file; nothing was moved")
    for stay, now in stays:
        _give(store, stay, party.id, now, hospital, outcome)
    if account is not None:
        renamed = (one.new_account or one.new_visit) if event.event == "A49" else ""
        number = {"system": f"{hospital_number(hospital)}/account", "value": renamed} if renamed else None
        known = account.get("identifier", [])
        more = [number] if number and number not in known else []
        outcome.wrote(store.put(account | {"subject": [reference("Patient", party.id)], "identifier": [*known, *more]}))


def _booked(store: Store, number: str, hospital: str, former: Resource | None, right: str) -> Resource | None:
    """The newest stay under a number: of the person whom MRG names, else of the one to whom it goes, else of the only one who has any.

    Raises:
        SetAside: several people have stays under the number, and MRG names none of them.
    """
    for patient in (*([former["id"]] if former else ()), right):
        if (stay := newest(theirs(store, patient, number, hospital), store.zone)) is not None:
            return stay
    known = under(store, number, hospital)
    persons = {str(follow(store, id)["id"]) for one in known if (id := reference_id(one.get("subject"), "Patient"))}
    if len(persons) > 1:
        raise SetAside(
            "several people have stays under this visit number, and MRG-1 names none of them; have the hospital name whose it was",
            path="MRG-1",
            reason="visit-number-of-several",
        )
    return newest(known, store.zone)


def _give(store: Store, stay: Resource, patient: str, renamed: str, hospital: str, outcome: Outcome) -> None:
    told = stay | {"subject": reference("Patient", patient)}
    number = {"system": visit_number(hospital), "value": renamed}
    if renamed and number not in told.get("identifier", []):
        told["identifier"] = [*told.get("identifier", []), number]
    if told == stay:
        outcome.remarks.append("the visit is with that person already")
        return
    mark = len(store.acts)
    outcome.wrote(store.put(told))
    follows(store, mark, outcome)
