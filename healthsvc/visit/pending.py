"""待访与逾期 what waits to be made, by a few members of each Task: thousands are counted and put in order without being read whole."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import msgspec

from healthsvc.store import Store
from healthsvc.store.search import matches_all
from healthsvc.store.stored import Stored
from healthsvc.visit.resources import VISIT_KIND, is_visit, to_visit
from healthsvc.visit.rules import WAITING, Priority, Visit, Window, is_late
from healthsvc.visit.service import decisive_moment, dusk


class _Period(msgspec.Struct):
    start: datetime
    end: datetime


class _Restriction(msgspec.Struct):
    period: _Period


class _Coding(msgspec.Struct, frozen=True):
    system: str = ""


class _Concept(msgspec.Struct, frozen=True):
    coding: tuple[_Coding, ...] = ()


class _Marks(msgspec.Struct):
    """Of a Task what decides its place in a list."""

    id: str
    restriction: _Restriction
    code: _Concept = _Concept()
    priority: Priority = Priority.ROUTINE


_MARKS: Final = msgspec.json.Decoder(_Marks)
_RANK: Final = {priority: rank for rank, priority in enumerate(reversed(Priority))}


@dataclass(frozen=True, slots=True)
class Pending:
    """A visit that waits, by what decides its place in a list."""

    id: str
    window: Window
    priority: Priority
    task: Stored

    def visit(self) -> Visit:
        """The whole of it."""
        return to_visit(self.task.resource)


def pressing(one: Pending | Visit) -> tuple[int, datetime]:
    """In which order lists of work stand: the most pressing first, then what is due first."""
    return _RANK[one.priority], one.window.end


def pending(store: Store, on: date, owner: str | None = None) -> tuple[list[Pending], list[Pending]]:
    """What is overdue (longest first) and what is due (most pressing first) on a day, in the sense of ``service.standings``.

    Args:
        owner: only what this member of the staff (``Practitioner/x``) is responsible for.
    """
    late: list[Pending] = []
    due: list[Pending] = []
    asked = {"status": [one.value for one in WAITING], "window": f"lt{dusk(on, store).isoformat()}", "owner": owner}
    for task in matches_all(store, "Task", asked, store.restrict):
        one = _read(task)
        if one is None:
            continue
        at = decisive_moment(one.window, on, store)
        if is_late(one.window.end, at):
            late.append(one)
        elif at >= one.window.start:
            due.append(one)
    late.sort(key=lambda one: (one.window.end, one.id))
    due.sort(key=lambda one: (*pressing(one), one.id))
    return late, due


def _read(task: Stored) -> Pending | None:
    """The marks of a Task; None where it is no visit to a person (a Task that another system keeps here).

    Raises:
        Invalid: a visit that cannot be read.
    """
    try:
        marks = _MARKS.decode(task.body)
    except msgspec.DecodeError:
        whole = to_visit(task.resource) if is_visit(task.resource) else None
        return None if whole is None else Pending(whole.id, whole.window, whole.priority, task)
    if all(one.system != VISIT_KIND for one in marks.code.coding):
        return None
    return Pending(marks.id, Window(marks.restriction.period.start, marks.restriction.period.end), marks.priority, task)
