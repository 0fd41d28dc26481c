"""What every write of a Contract, the end of a Patient's file and a hospital stay must pass or cause, through whatever door it comes."""

from typing import Final

from healthsvc.checkup import service as checkups
from healthsvc.consent.service import require_care
from healthsvc.contract import cards
from healthsvc.contract.closing import close_file, close_file_on_death, join_files, reopen_file
from healthsvc.contract.found import check_staff, others_with_pair, signed_with
from healthsvc.contract.paper import KIND, contract_paper
from healthsvc.contract.resources import is_family_doctor, to_agreement, to_care_team
from healthsvc.contract.rules import Agreement, EndReason, State, check_active, check_own_hand, check_start, check_step
from healthsvc.contract.service import policy_of
from healthsvc.contract.stays import follow_stay
from healthsvc.documents import freeze
from healthsvc.errors import Conflict, Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.closing import closed_of, is_shut
from healthsvc.healthfile.resources import is_deceased, links
from healthsvc.healthfile.service import is_same_person
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a contract, and see to what a death, a merge of files and a hospital stay leave open."""
    kind = (new or old or {}).get("resourceType")
    if kind == "Contract":
        _admit_contract(old, new, store)
    elif kind == "Encounter":
        if not store.is_undoing:  # what a step held or took up is put back by itself
            follow_stay(old, new, store)
    elif kind == "Patient" and new is not None:
        if is_deceased(new) and old is not None and not is_deceased(old):
            close_file_on_death(store, new["id"])
        elif closed_of(new) and old is not None and not closed_of(old):
            close_file(store, new["id"], closed_of(new) or "other")
        elif old is not None and is_shut(old) and not is_shut(new):
            reopen_file(store, new["id"])
        for survivor in set(links(new, "replaced-by")) - set(links(old, "replaced-by") if old else ()):
            if store.find("Patient", survivor) is not None:
                join_files(store, survivor, new["id"])


def _admit_contract(old: Resource | None, new: Resource | None, store: Store) -> None:
    before = to_agreement(old) if old is not None and is_family_doctor(old) else None
    if new is None:
        if before is not None and before.state not in (State.DRAFT, State.PENDING_SIGNATURE):
            raise RuleViolation("a signed contract is terminated, and kept after its end; it is not deleted", reason="contract-delete")
        return
    if not is_family_doctor(new):
        if before is not None:
            raise RuleViolation("a family-doctor contract keeps its type", reason="contract-type", path="Contract.type")
        return
    after = to_agreement(new)
    if store.is_undoing:
        _claim_again(before, after, store)
        return
    check_step(before.state if before else None, after.state)
    if before is not None:
        _check_change(before, after, store)
    for signed in after.signatures:
        if before is None or signed not in before.signatures:
            check_own_hand(signed, after.doctor, store.actor.id)
    if after.state is State.ACTIVE:
        check_active(after, policy_of(store, after.start))
        _claim(before, after, store)
        if before is None or before.state is not State.ACTIVE:
            today = store.today
            check_start(after.start, today, policy_of(store, today))
            _begin(after, store)
        elif (before.person, before.nurse) != (after.person, after.nurse):
            store.put(to_care_team(after, active=True))
            cards.withdraw(store, before.person)
            cards.issue(store, after)
    elif before is not None and before.state is State.ACTIVE:
        _end(before, after, store)


def _check_change(before: Agreement, after: Agreement, store: Store) -> None:
    if before.state in (State.DRAFT, State.PENDING_SIGNATURE):
        return
    if after.person != before.person and not is_same_person(store, before.person, after.person):
        raise RuleViolation("a signed contract keeps its person", reason="contract-person", path="Contract.subject")
    if after.doctor != before.doctor:
        raise RuleViolation("a signed contract keeps its doctor; transfer it", reason="contract-doctor", path="Contract.signer")
    if after.start != before.start:
        raise RuleViolation("a signed contract keeps its first day", reason="contract-start", path="Contract.applies.start")


def _begin(agreement: Agreement, store: Store) -> None:
    """A contract comes into force: check person and staff, name the pair, ask for the checkups of the term."""
    person = store.find("Patient", agreement.person)
    if person is None:
        raise Invalid("the contract is with a person who has no health file here; register the person first", path="Contract.subject")
    require_care(store, agreement.person)
    if is_shut(person) or links(person, "replaced-by"):
        raise RuleViolation("the person's file is closed or merged into another", reason="contract-person-closed", path="Contract.subject")
    for who, role in ((agreement.doctor, "doctor"), (agreement.nurse, "nurse")):
        if who is not None:
            check_staff(store, who, role)
    _check_capacity(agreement, store)
    store.put(person | {"generalPractitioner": [{"reference": agreement.doctor}]})
    store.put(to_care_team(agreement, active=True))
    checkups.lay_out(store, agreement.person, f"Contract/{agreement.id}", agreement.start, agreement.end, agreement.doctor)
    about = f"Contract/{agreement.id}"
    freeze(store, contract_paper(store, agreement, store.at), kind=KIND, patient=agreement.person, about=about, author=agreement.centre)
    cards.issue(store, agreement)


def _check_capacity(agreement: Agreement, store: Store) -> None:
    policy = policy_of(store, agreement.start)
    if signed_with(store, agreement.doctor) >= policy.doctor_capacity:
        raise RuleViolation(
            f"the doctor already has {policy.doctor_capacity} people under contract", reason="contract-capacity", path="Contract.signer"
        )
    if agreement.nurse and others_with_pair(store, agreement.doctor, agreement.nurse, agreement.person) >= policy.pair_capacity:
        raise RuleViolation(
            f"this doctor and nurse already look after {policy.pair_capacity} people together; choose another nurse",
            reason="contract-pair-capacity",
            path="Contract.extension",
        )


def _claim(before: Agreement | None, after: Agreement, store: Store) -> None:
    holder = f"Contract/{after.id}"
    if before is not None and before.person != after.person:
        store.release(f"contract:{before.person}", holder)
    try:
        store.claim(f"contract:{after.person}", holder)
    except Conflict:
        raise Conflict(
            "the person already has a family-doctor contract in force; transfer, renew or terminate that one",
            reason="contract-second-active",
        ) from None


def _claim_again(before: Agreement | None, after: Agreement, store: Store) -> None:
    """A contract that was ended or handed over by mistake stands as it stood: one in force for a person, also now."""
    if after.state is State.ACTIVE:
        _claim(before, after, store)
    elif before is not None and before.state is State.ACTIVE:
        store.release(f"contract:{before.person}", f"Contract/{after.id}")


def _end(before: Agreement, after: Agreement, store: Store) -> None:
    """A contract is no longer in force: the next may be signed; what it had asked for is called off unless a successor takes it on."""
    store.release(f"contract:{before.person}", f"Contract/{after.id}")
    if after.state in (State.RENEWED, State.TRANSFERRED):
        return
    reason = after.end_reason or (EndReason.OTHER if after.state is State.TERMINATED else None)
    checkups.call_off(store, before.person, reason.value if reason else "contract-expired")
    store.put(to_care_team(after, active=False))
    cards.withdraw(store, before.person)
    if reason in (EndReason.DECEASED, EndReason.MERGED):
        return  # the file itself is being written, with the last doctor in it
    person = store.find("Patient", before.person)
    if person is not None and person.get("generalPractitioner") == [{"reference": before.doctor}]:
        store.put({key: value for key, value in person.items() if key != "generalPractitioner"})


ROOM: Final = Room("contract", frozenset({"Contract", "Encounter", "Patient"}), admit)
