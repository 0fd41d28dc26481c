"""What every write of a must-visit must pass: it can be read, and goes from asked for to done or called off, never back."""

from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.mustvisit.resources import STATUSES, is_must_visit, to_must_visit
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a must-visit; other Tasks are not our business."""
    was = old if is_must_visit(old) else None
    if new is None or not is_must_visit(new):
        if was is not None:
            raise RuleViolation("a must-visit is called off, not deleted or changed into another", reason="mustvisit-keep", path="Task")
        return
    told = to_must_visit(new, store.zone)
    if told.status not in STATUSES:
        raise RuleViolation(f"a must-visit is one of {', '.join(sorted(STATUSES))}", reason="mustvisit-status", path="Task.status")
    if was is not None and was["status"] != "requested" and told.status not in (was["status"], "entered-in-error"):
        raise RuleViolation("a must-visit that is over stays over", reason="mustvisit-over", path="Task.status")
    if told.status == "completed" and (told.done_at is None or not told.done_by):
        raise RuleViolation("say who came and when (executionPeriod.end, note.authorString)", reason="mustvisit-who", path="Task.note")


ROOM: Final = Room("mustvisit", frozenset({"Task"}), admit)
