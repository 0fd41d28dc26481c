"""离岗转签 a doctor leaves: another doctor takes over whoever has signed with them.

The visits go at once, for somebody has to make them; the contracts are drafted, and each becomes the other doctor's when both sides have
signed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from healthsvc.contract.found import check_staff, in_force, predecessor_in_force, signed_with
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, Side, Signed
from healthsvc.contract.service import add_signature, draft_successor, hand_visits, policy_of
from healthsvc.errors import RuleViolation
from healthsvc.healthfile.service import today
from healthsvc.store import Store

AT_ONCE: Final = 100
"""People who are taken over in one transaction: others wait to write meanwhile."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What one call has done: the contracts that it drafted, the visits that went along, the people who are still to be taken over."""

    drafted: tuple[str, ...]
    visits: int
    left: int


@dataclass(frozen=True, slots=True)
class Handing:
    """A contract in force with one doctor, and the draft with another that is to follow it."""

    old: Agreement
    draft: Agreement

    @property
    def doctor_signed(self) -> bool:
        """Whether the doctor who takes over has signed the draft."""
        return any(one.side is Side.DOCTOR for one in self.draft.signatures)

    @property
    def person_signed(self) -> bool:
        """Whether the person, or whoever signs for them, has signed the draft."""
        return any(one.side is not Side.DOCTOR for one in self.draft.signatures)


def handings(store: Store, successor: str | None = None) -> list[Handing]:
    """The drafts that wait for signatures and would give a person another doctor; ``successor`` (``Practitioner/x``) narrows to theirs."""
    drafts = [one for one in _drafts(store) if successor is None or one.doctor == successor]
    pairs = [(predecessor_in_force(store, one), one) for one in drafts]
    found = [Handing(old, one) for old, one in pairs if old is not None and old.doctor != one.doctor]
    return sorted(found, key=lambda one: (one.draft.start, one.draft.id))


def sign_for_all(store: Store, drafts: Sequence[str], doctor: str, signed: Signed) -> int:
    """The doctor who takes over signs several drafts with one hand; each keeps the signature as its own. Gives how many were signed now.

    Raises:
        RuleViolation: a draft is not theirs, or waits for no signature any more (``contract-list-changed``): nothing is signed then.
    """
    theirs = {one.draft.id: one for one in handings(store, doctor)}
    if not drafts or any(id not in theirs for id in drafts):
        raise RuleViolation("the list has changed meanwhile; look at it again and sign anew", reason="contract-list-changed")
    waiting = [id for id in dict.fromkeys(drafts) if not theirs[id].doctor_signed]
    for id in waiting:
        add_signature(store, id, signed)
    return len(waiting)


def take_over(store: Store, doctor: str, successor: str, nurse: str | None = None, *, most: int = AT_ONCE) -> TakenOver:
    """Draft a contract with another doctor for everybody who has one with this doctor; who has such a draft already is left as is.

    Args:
        store: an open writing transaction.
        doctor: ``Practitioner/x`` who leaves.
        successor: ``Practitioner/x`` who takes over.
        nurse: ``Practitioner/x`` who goes with the successor; None: everybody keeps their nurse.
        most: people at most; call again until nobody is ``left``.

    Raises:
        Invalid: the successor is not in the staff directory.
        RuleViolation: both are the same (``contract-successor-same``), the successor is no doctor (``contract-staff-role``), or would
            have too many people (``contract-capacity``).
    """
    if doctor == successor:
        raise RuleViolation("choose another doctor than the one who leaves", reason="contract-successor-same", path="successor")
    check_staff(store, successor, "doctor")
    on = today(store)
    held = [one for one in map(to_agreement, in_force(store)) if one.doctor == doctor and one.end >= on]
    capacity = policy_of(store).doctor_capacity
    if signed_with(store, successor) + len(held) > capacity:
        raise RuleViolation(
            f"the successor would have more than {capacity} people under contract", reason="contract-capacity", path="successor"
        )
    drafted_already = _followed(store, doctor)
    waiting = sorted((one for one in held if f"Contract/{one.id}" not in drafted_already), key=lambda one: (one.end, one.id))
    drafts, visits = [], 0
    for one in waiting[:most]:
        made = draft_successor(store, one.id, successor, nurse or one.nurse, max(on, one.start))
        visits += hand_visits(store, one, successor)
        drafts.append(str(made["id"]))
    return TakenOver(tuple(drafts), visits, len(waiting) - len(drafts))


def _followed(store: Store, doctor: str) -> set[str]:
    """Contracts that a draft with somebody else than this doctor is to follow."""
    return {one.predecessor for one in _drafts(store) if one.predecessor and one.doctor != doctor}


def _drafts(store: Store) -> list[Agreement]:
    found = store.select("Contract", status=["negotiable", "offered", "executable"])
    return [to_agreement(one) for one in found if is_family_doctor(one)]
