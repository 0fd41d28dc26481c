"""What is planned for a day as the solver's routes: the ground on which a plan is changed by hand, replanned or asked about."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from healthsvc.access import looks
from healthsvc.circle.travel import Matrix, TravelTimes
from healthsvc.dayplan.day import DayPlan
from healthsvc.dayplan.gather import Gathered, day_of, gather, people_of
from healthsvc.dayplan.hand import with_rest
from healthsvc.dayplan.model import by_service, problem_of, services_of
from healthsvc.dayplan.plan import LeftOver, Plan, Route, Stop
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.rules import Day, DayPolicy, minutes_of
from healthsvc.store import Actor, Database


@dataclass(frozen=True, slots=True)
class Standing:
    """The plan in force with everything that it is judged by.

    ``at`` is the moment in the site's zone.
    """

    gathered: Gathered
    policy: DayPolicy
    told: Day
    """The day with what people were told: its problem holds them near their times."""
    day: Day
    """The day in which everything that is not confirmed may move within its own window."""
    out: dict[str, str]
    ways: dict[str, Matrix]
    problem: Problem
    plan: Plan
    at: datetime


def standing(
    database: Database,
    actor: Actor,
    on: date,
    travel: TravelTimes,
    *,
    at: datetime,
    extra: Iterable[str] = (),
    absent: Mapping[str, tuple[float, float]] | None = None,
    moving: Collection[str] = (),
) -> Standing:
    """The plan of a day with its problem: the visits that it holds, those that it left over, and ``extra`` ones (Task ids).
    ``moving``: those of them that may come from another day on which they are planned.

    Visits are free to move in their own windows: what was announced is a matter for whoever moves them.
    """
    with database.reading(actor, at=at) as store:
        policy = store.policy.fill(DayPolicy, "dayplan", on)
        gathered = gather(store, on, policy, absent, moving, tuple(extra))
        looks.listed(store, people_of(gathered), f"plan {on.isoformat()}", most=0)
        zone = store.zone
    day, out, ways = day_of(gathered, travel, policy)
    free = replace(day, calls=tuple(call if call.held and call.held.pinned else replace(call, held=None) for call in day.calls))
    problem = problem_of(free, policy)
    return Standing(
        gathered=gathered,
        policy=policy,
        told=day,
        day=free,
        out=out,
        ways=ways,
        problem=problem,
        plan=as_planned(day, problem, gathered.stored),
        at=at.astimezone(zone),
    )


def as_planned(day: Day, problem: Problem, stored: DayPlan | None) -> Plan:
    """What is planned for the day, as the solver's routes: everybody's visits in order of time, breaks as the kept plan has them."""
    routes: dict[str, list[Stop]] = {duty.key: [] for duty in day.duties}
    routes_kept = stored.routes if stored else ()
    exact = {(route.practitioner, stop.task): minutes_of(stop.start, day.on) for route in routes_kept for stop in route.stops}
    homes: dict[str, int] = {}
    left = []
    solvable = {visit.id for visit in problem.visits}
    for call in day.calls:
        if call.task.id not in solvable:
            continue  # nothing is left of its window on this day
        homes[call.task.id] = call.place
        people = by_service(call, services_of(call.task), day.duties)
        if call.held is None or not people:
            left.append(LeftOver(call.task.id))
            continue
        for who, service in zip(people, services_of(call.task), strict=True):
            start = exact.get((who.partition("#")[0], call.task.id), call.held.start)
            start = start if abs(start - call.held.start) <= max(1.0, call.apart[1]) else call.held.start
            routes[who].append(Stop(call.task.id, service.id, start, start, start + service.duration))
    kept = {(route.practitioner, route.part): route for route in routes_kept}
    staff = {person.id: person for person in problem.caregivers}
    made = []
    for duty in day.duties:
        route = kept.get((duty.practitioner, duty.part))
        begins = minutes_of(route.rest[0], day.on) if route and route.rest else None
        stops = with_rest(problem, staff[duty.key], routes[duty.key], homes, begins)
        made.append(Route(duty.key, duty.starts, stops, duty.starts))
    return Plan(tuple(made), tuple(left))
