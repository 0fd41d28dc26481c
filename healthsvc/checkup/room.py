"""What follows when a visit has been completed, through whatever door."""

from typing import Final

from healthsvc.checkup.service import decisions
from healthsvc.fhir.json import Resource
from healthsvc.store import Room, Store
from healthsvc.visit.resources import is_visit, to_visit


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Judge a visit's findings at the moment when it becomes completed."""
    if new is None or not is_visit(new) or new.get("status") != "completed":
        return
    if old is None or old.get("status") != "completed":
        decisions(store, to_visit(new), new)


ROOM: Final = Room("checkup", frozenset({"Task"}), admit)
