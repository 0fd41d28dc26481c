"""What every write of a referral's Task must pass; what a hospital stay and a completed follow-up visit do for a referral."""

from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import is_admitted
from healthsvc.referral.resources import is_referral, is_request, outcome_of, stage_of, task_id
from healthsvc.referral.rules import TRANSITIONS as STEPS
from healthsvc.referral.rules import Act, Stage, check_closing, check_step
from healthsvc.referral.service import admission_cancelled, admitted, begin, discharged, followed_up, read
from healthsvc.store import Room, Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Kind


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a step that the table has; a hospital stay and a follow-up visit that becomes completed move a referral on.

    A referral that is asked for by another room or by a client (ServiceRequest) is followed from then on, as if it had been written here.
    """
    if is_referral(old) and not is_referral(new):
        raise RuleViolation(
            "a referral is withdrawn or closed, not deleted or turned into something else", reason="referral-keep", path="Task"
        )
    if new is None:
        return
    if new["resourceType"] == "Encounter":
        _follow_stay(old, new, store)
    elif new["resourceType"] == "ServiceRequest":
        if is_request(new) and new.get("status") == "active" and store.find("Task", task_id(str(new["id"]))) is None:
            begin(store, new)
    elif is_referral(new):
        before = stage_of(old) if old is not None and is_referral(old) else None
        after = stage_of(new)
        if store.is_undoing:
            return
        check_step(before, after)
        if after is Stage.CLOSED and before is not None and before is not after:
            check_closing(before, outcome_of(new))
    elif is_visit(new) and new.get("status") == "completed" and (old is None or old.get("status") != "completed"):
        visit = to_visit(new)
        if visit.kind == Kind.FOLLOW_UP:
            for source in visit.sources:
                _move_on(source, store)


def _follow_stay(old: Resource | None, new: Resource, store: Store) -> None:
    """A stay that begins, ends or is taken back moves the referral that led to it, whoever writes the Encounter."""
    patient, stay = reference_id(new.get("subject"), "Patient"), f"Encounter/{new['id']}"
    before, after = is_admitted(old, store), is_admitted(new, store)
    if patient is None or before == after:
        return
    if after:
        admitted(store, patient, stay)
    elif new.get("status") == "finished":
        discharged(store, patient, stay)
    elif new.get("status") in ("cancelled", "entered-in-error"):
        admission_cancelled(store, patient, stay)


def _move_on(source: str, store: Store) -> None:
    kind, _, id = source.partition("/")
    if kind != "ServiceRequest" or store.find("Task", task_id(id)) is None:
        return
    if (read(store, id).stage, Act.FOLLOW_UP) in STEPS:
        followed_up(store, id)


ROOM: Final = Room("referral", frozenset({"Task", "Encounter", "ServiceRequest"}), admit)
