"""The day plan as the first page shows it: ways, what was left over and why, and the call that plans the day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from healthsvc.circle.providers import travel_times
from healthsvc.healthfile.rules import Person
from healthsvc.store import Actor, Database, Store
from healthsvc.web.lookup import Directory


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A visit that found no place in the day, and why, in both languages."""

    task: str
    person: Person
    title: str
    kind: str
    reason: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Way:
    """How one gets to a visit: minutes from the place before, and what they rest on (road, estimate, no_path)."""

    minutes: int
    basis: str


@dataclass(frozen=True, slots=True)
class Planning:
    """The kept plan of a day. ``ways`` by staff and Task id."""

    left: int
    left_over: tuple[LeftOver, ...]
    ways: Mapping[tuple[str, str], Way]
    travel_minutes: int


def planning_of(store: Store, on: date, names: Directory, most: int) -> Planning | None:
    """The plan of a day with at most ``most`` of what was left over, or None where nobody has planned it."""
    if store.find("List", f"dayplan-{on.isoformat()}") is None:
        return None
    from healthsvc.dayplan.service import read_plan

    plan = read_plan(store, on)
    shown = []
    for one in plan.left_over[:most]:
        concept = (store.find("Task", one.visit) or {}).get("code", {})
        kind = next((str(code["code"]) for code in concept.get("coding", []) if "code" in code), "")
        shown.append(LeftOver(one.visit, names.person(one.person), str(concept.get("text") or kind), kind, one.zh, one.en))
    ways = {
        (f"Practitioner/{route.staff}", stop.task): Way(round(stop.travel_minutes), stop.basis)
        for route in plan.routes
        for stop in route.stops
    }
    return Planning(len(plan.left_over), tuple(shown), ways, round(plan.figures.get("travel-minutes", 0)))


def planned(database: Database, actor: Actor, data: Path, on: date, at: datetime) -> None:
    """Plan a day with the site's travel times; the search runs outside any transaction."""
    from healthsvc.dayplan.service import plan_day  # brings the compiled search; the pages start without it

    plan_day(database, actor, on, travel_times(data, database.policy, on), at=at)
