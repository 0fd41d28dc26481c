"""离岗转签 a doctor leaves: another doctor takes over whoever has signed with them.

The visits go at once, for somebody has to make them; the contracts are drafted, and each becomes the other doctor's when both sides have
signed it.
"""

from dataclasses import dataclass
from typing import Final

from healthsvc.contract.found import check_staff, in_force, signed_with
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement
from healthsvc.contract.service import draft_successor, hand_visits, policy_of
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
    found = store.select("Contract", status=["negotiable", "offered", "executable"])
    drafts: list[Agreement] = [to_agreement(one) for one in found if is_family_doctor(one)]
    return {one.predecessor for one in drafts if one.predecessor and one.doctor != doctor}
