"""What every write of a referral's Task must pass, and what a completed follow-up visit does for its referral."""

from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.referral.resources import is_referral, outcome_of, stage_of, task_id
from healthsvc.referral.rules import TRANSITIONS as STEPS
from healthsvc.referral.rules import Act, Stage, check_closing, check_step
from healthsvc.referral.service import followed_up, read
from healthsvc.store import Room, Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Kind


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a step that the table has; a follow-up visit that becomes completed moves its referral on."""
    if new is None:
        return
    if is_referral(new):
        before = stage_of(old) if old is not None and is_referral(old) else None
        after = stage_of(new)
        check_step(before, after)
        if after is Stage.CLOSED and before is not None and before is not after:
            check_closing(before, outcome_of(new))
    elif is_visit(new) and new.get("status") == "completed" and (old is None or old.get("status") != "completed"):
        visit = to_visit(new)
        if visit.kind == Kind.FOLLOW_UP:
            for source in visit.sources:
                _move_on(source, store)


def _move_on(source: str, store: Store) -> None:
    kind, _, id = source.partition("/")
    if kind != "ServiceRequest" or store.find("Task", task_id(id)) is None:
        return
    if (read(store, id).stage, Act.FOLLOW_UP) in STEPS:
        followed_up(store, id)


ROOM: Final = Room("referral", frozenset({"Task"}), admit)
