"""撤销 The last change of a day's plan taken back, with what changed together with it on other days."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from healthsvc.dayplan.day import DayPlan, plan_id
from healthsvc.dayplan.resources import to_plan
from healthsvc.dayplan.service import accept_all, check_version
from healthsvc.errors import Conflict, NotFound
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.stored import Stored
from healthsvc.visit.resources import moment_of
from healthsvc.visit.rules import WAITING

REACH = 14
"""Days around a day on which a change may have changed the plan, too."""


def can_undo(store: Store, on: date) -> bool:
    """Whether the plan of a day has a change that could be taken back."""
    known = store.get("List", plan_id(on))
    return known is not None and not known.deleted


def undo(store: Store, on: date, if_match: int | None = None) -> list[date]:
    """Put the plan of a day back to what it was before its last change; gives the days that were put back.

    Days whose plans were changed in the same transaction (a visit moved from one to the other) go back together. What has been begun or
    finished since stays as it is. Undoing is a change, too: undone once more, it comes back.

    Raises:
        NotFound: nobody has planned that day.
        PreconditionFailed: the plan has changed since it was looked at.
        Conflict: a visit that would have to go back is under way, done, or planned on another day meanwhile.
    """
    known = store.get("List", plan_id(on))
    if known is None or known.deleted:
        raise NotFound("there is no change of that day's plan to take back", reason="dayplan-nothing-to-undo")
    if if_match is not None:
        check_version(store, on, if_match)
    days = {on: known} | {other: one for other, one in _around(store, on) if one.updated == known.updated}
    plans = [_put_back(store, one, day, frozenset(days)) for day, one in sorted(days.items())]
    accept_all(store, plans)
    return sorted(days)


def _before(store: Store, known: Stored, on: date) -> DayPlan:
    """What stood before the last change; where that was the first plan of the day, nothing."""
    earlier = store.version("List", known.id, known.version - 1) if known.version > 1 else None
    return DayPlan(on, store.at, (), ()) if earlier is None or earlier.deleted else to_plan(earlier.resource)


def _around(store: Store, on: date) -> Iterator[tuple[date, Stored]]:
    for number in range(-REACH, REACH + 1):
        other = on + timedelta(days=number)
        known = store.get("List", plan_id(other)) if number else None
        if known is not None and not known.deleted:
            yield other, known


def _put_back(store: Store, known: Stored, on: date, days: frozenset[date]) -> DayPlan:
    """The plan before the last change, without what has been begun since; refused where that is what the change was about."""
    was, stands = _before(store, known, on), to_plan(known.resource)
    now = {stop.task: (stop.staff, stop.start) for stop in stands.stops()}
    open_ones = set()
    for stop in was.stops():
        task = store.find("Task", stop.task)
        waits = task is not None and task.get("status") in {status.value for status in WAITING}
        moved = now.get(stop.task) != (stop.staff, stop.start)
        if moved and (not waits or not _free(store, task, days)):
            raise Conflict("a visit that would go back is under way, done or planned elsewhere meanwhile", reason="dayplan-undo-late")
        if waits:
            open_ones.add(stop.task)
    routes = tuple(replace(route, stops=tuple(stop for stop in route.stops if stop.task in open_ones)) for route in was.routes)
    left = tuple(one for one in was.left_over if (store.find("Task", one.visit) or {}).get("status") in {s.value for s in WAITING})
    return replace(was, routes=tuple(route for route in routes if route.stops), left_over=left, versions={}, base=known.version)


def _free(store: Store, task: Resource | None, days: frozenset[date]) -> bool:
    """Whether the visit is planned on none but the days that go back."""
    encounter = store.find("Encounter", reference_id((task or {}).get("encounter"), "Encounter") or "")
    if encounter is None or encounter.get("status") != "planned":
        return True
    return moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone).date() in days
