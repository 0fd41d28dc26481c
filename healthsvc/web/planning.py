"""The day plan as the first page shows it: ways, what was left over and why, and the call that plans the day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from healthsvc.dayplan import later
from healthsvc.dayplan.service import read_plan
from healthsvc.store import Store
from healthsvc.web.faces import NOBODY, Face, faces

SECONDS: Final = 5.0
"""How long a plan is searched for, in seconds of a small server."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A visit that found no place in the day, and why, in both languages."""

    task: str
    face: Face
    title: str
    kind: str
    reason: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Way:
    """How one gets to a visit: minutes from the place before, what they rest on (road, estimate, no_path); whether it is confirmed."""

    minutes: int
    basis: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Planning:
    """The kept plan of a day. ``ways`` by staff and Task id."""

    left: int
    left_over: tuple[LeftOver, ...]
    ways: Mapping[tuple[str, str], Way]
    travel_minutes: int
    later: int
    """Visits that are due, but that another day of their windows will do."""


def planning_of(store: Store, on: date, most: int) -> Planning | None:
    """The plan of a day with at most ``most`` of what was left over, or None where nobody has planned it."""
    plan = read_plan(store, on)
    if plan is None:
        return None
    people = faces(store, (one.person for one in plan.left_over[:most]), "list")
    shown = tuple(
        LeftOver(one.visit, people.get(one.person, NOBODY), one.title, one.kind, one.reason, one.reason_en) for one in plan.left_over[:most]
    )
    ways = {
        (f"Practitioner/{route.staff}", stop.task): Way(round(stop.travel_minutes), stop.basis, stop.pinned)
        for route in plan.routes
        for stop in route.stops
    }
    return Planning(len(plan.left_over), shown, ways, round(plan.figures.get("travel-minutes", 0)), plan.later)


def ask_for_plan(store: Store, on: date) -> None:
    """Leave the planning of a day to a worker, once: whoever presses again, or at the same time, waits for the same."""
    if later.day_underway(store, on) is None:
        later.ask_for_day(store, on, SECONDS, begin=True)
