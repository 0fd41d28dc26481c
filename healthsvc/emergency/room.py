"""What every write of an alarm must pass: its log is only added to, and its status is what the log gives."""

from typing import Final

from healthsvc.emergency.resources import is_alarm, to_alarm, to_task
from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit an alarm; other Tasks are not our business."""
    was = to_alarm(old) if old is not None and is_alarm(old) else None
    if new is None or not is_alarm(new):
        if was is not None:
            raise RuleViolation("an alarm is closed, not deleted or turned into something else", reason="emergency-keep", path="Task")
        return
    alarm = to_alarm(new)
    if was is not None and (alarm.patient != was.patient or alarm.log[: len(was.log)] != was.log):
        raise RuleViolation("the log of an alarm is only added to", reason="emergency-log-changed", path="Task.extension")
    if new.get("status") != to_task(alarm)["status"]:
        raise RuleViolation(f"the log says that the alarm is {alarm.status}", reason="emergency-status", path="Task.status")


ROOM: Final = Room("emergency", frozenset({"Task"}), admit)
