"""What follows when a visit has been completed or a form has been finished, through whatever door."""

from typing import Final

from healthsvc.checkup.answered import judge_form
from healthsvc.checkup.deciding import of_visit
from healthsvc.fhir.json import Resource
from healthsvc.forms.rules import DONE
from healthsvc.store import Room, Store
from healthsvc.visit.resources import is_visit, to_visit


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Judge a visit's findings at the moment when it becomes completed, and those of a form that belongs to no visit."""
    if new is None or store.is_undoing:
        return
    if new["resourceType"] == "QuestionnaireResponse":
        if new.get("status") in DONE:
            judge_form(store, new)
    elif is_visit(new) and new.get("status") == "completed" and (old is None or old.get("status") != "completed"):
        of_visit(store, to_visit(new), new)


ROOM: Final = Room("checkup", frozenset({"Task", "QuestionnaireResponse"}), admit)
