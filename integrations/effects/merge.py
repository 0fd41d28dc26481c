"""Merges (A40, A18, A30, A34, A36, A39): a hospital has found that two of its numbers are one person."""

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.merging import is_parted, merge
from healthsvc.healthfile.resources import links
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow as surviving
from healthsvc.healthfile.service import update_demographics
from healthsvc.store import Store
from integrations.effects.care import Outcome
from integrations.effects.handover import move_visit
from integrations.effects.joining import join
from integrations.effects.person import Party, SetAside, admit_person, citizen_ids, find, identifiers
from integrations.hl7v2.adt import JOIN_EVENTS, MOVE_EVENTS, RENAME_EVENTS, AdtEvent, Merge
from integrations.hospitals.profile import Profile, Unknown


def merges(store: Store, event: AdtEvent, profile: Profile, hospital: str) -> Outcome:
    """A40 and its like, A46, A47: two numbers are one person; A44, A45, A49 to A51: a visit changes hands or number; A35, A41, A42: two
    visits or accounts are one; A36: two persons and their accounts. All pairs or none."""
    outcome = Outcome(happened=event.happened.at if event.happened else store.at)
    for one in event.merges:
        if event.event in JOIN_EVENTS:
            join(store, one, event.event, profile, hospital, outcome)
        elif event.event in MOVE_EVENTS:
            move_visit(store, one, event, profile, hospital, outcome)
        else:
            _merge(store, one, profile, outcome, renames=event.event in RENAME_EVENTS)
            if event.event == "A36" and one.account:  # HL7 v2.5 3.3.36: the numbers of the person and of the account
                join(store, one, event.event, profile, hospital, outcome)
    return outcome


def _merge(store: Store, one: Merge, profile: Profile, outcome: Outcome, *, renames: bool) -> None:
    kept, gone = find(store, one.survivor.numbers), find(store, one.prior)
    if renames and kept is not None and gone is not None and kept["id"] != gone["id"]:
        raise SetAside("the new number is another person's already; a change of number joins no files", path="PID-3", reason="number-taken")
    if gone is None and kept is None and profile.unknown_person is not Unknown.REGISTER:
        admit_person(store, kept, one.survivor, profile, overwrite=False)  # says forget or review, as the link wants
    if gone is not None and kept is not None and gone["id"] != kept["id"]:
        _check_mergeable(kept, gone)
        if is_parted(store, kept["id"], gone["id"]):
            raise SetAside(
                "somebody has taken a merge of these two files back; if they are one person after all, join them by hand, then try again",
                path="MRG-1",
                reason="merge-parted",
            )
        try:
            kept = merge(store, kept["id"], gone["id"])
        except RuleViolation as refused:
            raise SetAside(refused.text, path="MRG-1", reason=refused.reason) from None
        outcome.wrote(kept, store.read("Patient", gone["id"]))
        party = admit_person(store, kept, one.survivor, profile, overwrite=False)
    elif gone is not None and kept is not None:
        _check_not_reversed(store, one)
        party = admit_person(store, kept, one.survivor, profile, overwrite=False)
        outcome.remarks.append("the two numbers were one file already")
    elif gone is not None:
        # the hospital gave a person of ours a new number
        filed = update_demographics(store, gone["id"], Person(name="", identifiers=tuple(identifiers(store, one.survivor.numbers))))
        party = Party(filed.patient["id"], filed.patient, False, filed.changed, filed.warnings)
    else:
        party = admit_person(store, kept, one.survivor, profile, overwrite=False)
        filed = update_demographics(store, party.id, Person(name="", identifiers=tuple(identifiers(store, one.prior))))
        party = Party(party.id, filed.patient, party.new, party.changed or filed.changed, filed.warnings)
    outcome.patient = party.id
    if party.changed:
        outcome.wrote(party.patient)


def _check_mergeable(kept: Resource, gone: Resource) -> None:
    """Two files with two valid citizen ids are two people until somebody has looked."""
    if citizen_ids(kept) and citizen_ids(gone) and not citizen_ids(kept) & citizen_ids(gone):
        raise SetAside(
            "the two files carry different citizen ids; look at both before joining them", path="MRG-1", reason="merge-citizen-ids"
        )


def _check_not_reversed(store: Store, one: Merge) -> None:
    """The survivor of this merge was retired by an earlier one: the hospital has turned it round, somebody must decide."""
    prior = {number.value for number in identifiers(store, one.prior)}
    for number in identifiers(store, one.survivor.numbers):
        for file in store.select("Patient", identifier=f"{number.system}|{number.value}"):
            if links(file, "replaced-by"):
                survivor = surviving(store, file["id"])
                held = {i.get("value") for i in survivor.get("identifier", [])} - {i.get("value") for i in file.get("identifier", [])}
                if prior & held:
                    raise SetAside("an earlier merge joined these two the other way round", path="MRG-1", reason="merge-reversed")
