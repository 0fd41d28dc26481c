"""家庭医生签约: draft, sign, renew, transfer, end; what was promised and what has been delivered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from healthsvc.contract.found import predecessor_in_force, stored_contract
from healthsvc.contract.paper import SCAN
from healthsvc.contract.resources import is_family_doctor, to_agreement, to_contract
from healthsvc.contract.rules import (
    Act,
    Agreement,
    ContractPolicy,
    EndReason,
    Promise,
    Side,
    SignatureKind,
    Signed,
    State,
    check_signature,
    end_early,
    step,
    term_end,
)
from healthsvc.documents import freeze_scan
from healthsvc.errors import RuleViolation, TooLarge
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store
from healthsvc.visit import service as visits


def policy_of(store: Store, on: date | None = None) -> ContractPolicy:
    """The contract policy in force on a day."""
    return store.policy.fill(ContractPolicy, "contract", on or today(store))


def draft(
    store: Store,
    patient: str,
    doctor: str,
    nurse: str | None,
    start: date,
    *,
    months: int | None = None,
    package: str = "basic",
    number: str = "",
    predecessor: str | None = None,
) -> Agreement:
    """Put a contract together (nothing is written): the package's promises for the term, the centre that keeps the file.

    Args:
        store: an open transaction.
        patient: Patient id; a retired file leads to the surviving one.
        doctor: ``Practitioner/x``.
        nurse: ``Practitioner/x`` or None.
        start: first day of the term.
        months: length of the term; None: the shortest that the policy allows.
        package: one of policy ``contract.packages``.
        number: the number printed on the paper, if there is one.
        predecessor: ``Contract/x`` that it follows.
    """
    policy = policy_of(store, start)
    promised = policy.packages.get(package)
    if promised is None:
        raise RuleViolation(f"there is no package {package!r}; choose one of {', '.join(policy.packages)}", reason="contract-package")
    file = follow(store, patient)
    length = months or policy.least_months
    return Agreement(
        id=_free_id(store, file["id"], start),
        person=file["id"],
        doctor=doctor,
        nurse=nurse,
        start=start,
        end=term_end(start, length),
        centre=to_person(file).centre,
        number=number,
        package=package,
        promises=tuple(Promise(service, round(times * length / 12)) for service, times in promised.items()),
        predecessor=predecessor,
    )


def sign(
    store: Store,
    patient: str,
    doctor: str,
    nurse: str | None,
    start: date,
    *,
    months: int | None = None,
    package: str = "basic",
    number: str = "",
    kind: SignatureKind = SignatureKind.DRAWN,
    signatures: Sequence[Signed] | None = None,
) -> Resource:
    """Sign a contract: from now on it is the one in force, and the quarterly checkups of its term are asked for.

    Signing the same again (person, doctor, first day) gives back what is there. Without ``signatures`` the person and the doctor sign
    now, in the way ``kind`` says; the default is the weakest claim.

    Raises:
        Conflict: the person already has a contract in force (``contract-second-active``).
        RuleViolation: term, signature, capacity or person do not allow it.
    """
    same = signed_already(store, patient, doctor, start)
    if same is not None:
        return same
    current = active(store, patient)
    if current is not None and current.end < min(start, today(store)):
        expire(store, stored_contract(store, current.id))  # its term is over, the timer has not come by yet
    both = tuple(signatures or (Signed(Side.RESIDENT, kind, store.at), Signed(Side.DOCTOR, kind, store.at)))
    agreement = draft(store, patient, doctor, nurse, start, months=months, package=package, number=number)
    return store.put(to_contract(replace(agreement, state=State.ACTIVE, signatures=both)))


def offer(store: Store, agreement: Agreement) -> Resource:
    """Lay a drafted contract before both sides: it waits for their signatures."""
    return store.put(to_contract(replace(agreement, state=step(agreement.state, Act.OFFER))))


def add_signature(store: Store, contract: str, signed: Signed) -> Resource:
    """One side signs; with the second signature the contract is in force."""
    stored = stored_contract(store, contract)
    agreement = to_agreement(stored)
    check_signature(signed)
    if agreement.state not in (State.DRAFT, State.PENDING_SIGNATURE):
        raise RuleViolation(f"a contract that is {agreement.state} is not signed any more", reason="contract-transition")
    others = tuple(one for one in agreement.signatures if _side(one) != _side(signed))
    signatures = (*others, signed)
    complete = {_side(one) for one in signatures} == {"person", "doctor"}
    if not complete:
        return store.put(to_contract(replace(agreement, signatures=signatures, state=State.PENDING_SIGNATURE), stored))
    signed_now = replace(agreement, signatures=signatures, state=step(agreement.state, Act.SIGN))
    predecessor = predecessor_in_force(store, agreement)
    if predecessor is None:
        return store.put(to_contract(signed_now, stored))
    _close_for(store, predecessor, agreement)
    successor = store.put(to_contract(signed_now, stored))
    hand_visits(store, predecessor, agreement.doctor)
    return successor


def draft_successor(
    store: Store, contract: str, doctor: str | None = None, nurse: str | None = None, start: date | None = None
) -> Resource:
    """Lay the contract that is to follow before both sides: the next term with the same doctor, or another doctor from a day on.

    The present contract stays in force until both have signed; then it becomes renewed or transferred in the same transaction.

    Args:
        store: an open writing transaction.
        contract: the contract in force.
        doctor: ``Practitioner/x`` of another doctor; None: a renewal.
        nurse: ``Practitioner/x`` who goes with another doctor.
        start: first day with another doctor; today unless told. A renewal begins on the day after the present term.
    """
    old = must_be_active(store, contract)
    if doctor is None or doctor == old.doctor:
        _check_begun(store, old)
        wanted = (old.doctor, nurse or old.nurse, old.end + timedelta(days=1))
    else:
        wanted = (doctor, nurse, start or today(store))
    made = draft(store, old.person, *wanted, package=old.package or "basic", predecessor=f"Contract/{old.id}")
    return offer(store, made)


def active(store: Store, patient: str) -> Agreement | None:
    """The contract in force of a person."""
    for contract in store.select("Contract", patient=follow(store, patient)["id"], status="executed"):
        if is_family_doctor(contract):
            return to_agreement(contract)
    return None


def read(store: Store, contract: str) -> Agreement:
    """One contract by its id; refuses where the Contract is something else."""
    return to_agreement(stored_contract(store, contract))


def add_scan(store: Store, contract: str, content: bytes) -> Resource:
    """Freeze the scan of a contract that was signed on paper; gives its DocumentReference."""
    agreement = read(store, contract)
    if not any(one.kind is SignatureKind.WET_SCAN for one in agreement.signatures):
        raise RuleViolation("nobody has signed this contract on paper", reason="contract-no-paper")
    most = store.policy.value("contract.scan_megabytes", today(store))
    if len(content) > most << 20:
        raise TooLarge(f"the scan is larger than {most} MiB; scan it with fewer dots an inch")
    about = f"Contract/{agreement.id}"
    return freeze_scan(
        store, content, "纸质协议扫描件", kind=SCAN, patient=agreement.person, about=about, author=agreement.centre
    ).reference


def must_be_active(store: Store, contract: str) -> Agreement:
    """A contract that is in force; refuses any other."""
    agreement = read(store, contract)
    if agreement.state is not State.ACTIVE:
        raise RuleViolation(f"a contract that is {agreement.state} has no card", reason="contract-not-active")
    return agreement


def terminate(store: Store, contract: str, reason: EndReason, on: date) -> Resource:
    """End a contract before its term: open checkups that it asked for are called off."""
    stored = stored_contract(store, contract)
    return store.put(to_contract(end_early(to_agreement(stored), Act.TERMINATE, on, reason), stored))


def transfer(
    store: Store, contract: str, doctor: str, nurse: str | None, start: date, *, kind: SignatureKind = SignatureKind.DRAWN
) -> Resource:
    """Hand a person over to another doctor, in one transaction: the old contract ends, a new one is signed, open checkups go along."""
    stored = stored_contract(store, contract)
    old = to_agreement(stored)
    if old.doctor == doctor:
        raise RuleViolation("the person is already with this doctor", reason="contract-transfer-same")
    closing = end_early(old, Act.TRANSFER, start - timedelta(days=1), EndReason.CHANGED_TEAM)
    successor = _succeed(store, stored, closing, doctor, nurse, start, kind)
    hand_visits(store, old, doctor)
    return successor


def renew(store: Store, contract: str, *, months: int | None = None, kind: SignatureKind = SignatureKind.DRAWN) -> Resource:
    """Sign on for another term, from the day after the present one ends; the present contract becomes renewed."""
    stored = stored_contract(store, contract)
    old = to_agreement(stored)
    _check_begun(store, old)
    closing = replace(old, state=step(old.state, Act.RENEW))
    return _succeed(store, stored, closing, old.doctor, old.nurse, old.end + timedelta(days=1), kind, months)


def _succeed(
    store: Store,
    stored: Resource,
    closing: Agreement,
    doctor: str,
    nurse: str | None,
    start: date,
    kind: SignatureKind,
    months: int | None = None,
) -> Resource:
    """Close one contract and put its successor in force; the one claim on the person passes from the first to the second."""
    store.put(to_contract(closing, stored))
    package = closing.package or "basic"
    following = draft(store, closing.person, doctor, nurse, start, months=months, package=package, predecessor=f"Contract/{closing.id}")
    both = (Signed(Side.RESIDENT, kind, store.at), Signed(Side.DOCTOR, kind, store.at))
    return store.put(to_contract(replace(following, state=State.ACTIVE, signatures=both)))


def _check_begun(store: Store, old: Agreement) -> None:
    if today(store) < old.start:
        raise RuleViolation("a contract whose term has not begun is not renewed yet", reason="contract-renew-early")


def _close_for(store: Store, old: Agreement, following: Agreement) -> None:
    """The present contract gives way to the one that follows."""
    if old.doctor == following.doctor:
        closing = replace(old, state=step(old.state, Act.RENEW))
    else:
        closing = end_early(old, Act.TRANSFER, following.start - timedelta(days=1), EndReason.CHANGED_TEAM)
    store.put(to_contract(closing, stored_contract(store, old.id)))


def hand_visits(store: Store, old: Agreement, doctor: str) -> int:
    """Open visits of the former doctor go to the next one, also those that no contract asked for; gives how many."""
    theirs = [visit for visit in visits.open_visits(store, old.person) if visit.owner == old.doctor != doctor]
    for visit in theirs:
        visits.reassign(store, visit.id, doctor)
    return len(theirs)


def expire(store: Store, contract: Resource) -> Resource:
    """The term of a contract is over."""
    agreement = to_agreement(contract)
    return store.put(to_contract(replace(agreement, state=step(agreement.state, Act.EXPIRE)), contract))


def signed_already(store: Store, patient: str, doctor: str, start: date) -> Resource | None:
    """The contract in force that this person and this doctor signed for this first day; None where they did not."""
    for contract in store.select("Contract", patient=follow(store, patient)["id"], status="executed"):
        if is_family_doctor(contract) and (one := to_agreement(contract)).doctor == doctor and one.start == start:
            return contract
    return None


def _free_id(store: Store, patient: str, start: date) -> str:
    """``contract-{patient}-20261122``, with a number behind it where that day already has one (a transfer on the first day)."""
    base = f"contract-{patient}-{start:%Y%m%d}"
    number = 1
    while store.get("Contract", base if number == 1 else f"{base}-{number}") is not None:
        number += 1
    return base if number == 1 else f"{base}-{number}"


def _side(signed: Signed) -> str:
    return "doctor" if signed.side is Side.DOCTOR else "person"
