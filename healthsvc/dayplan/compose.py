"""From the solver's answer to a plan that people read: times of day, the basis of every way, reasons. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from healthsvc.circle.travel import Matrix
from healthsvc.dayplan import words
from healthsvc.dayplan.checker import Verdict, check
from healthsvc.dayplan.day import DayLeft, DayPlan, DayRoute, DayStop
from healthsvc.dayplan.explain import why_left
from healthsvc.dayplan.gather import Gathered, basis_of
from healthsvc.dayplan.leeway import leeways
from healthsvc.dayplan.plan import Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.rules import Call, Day, Duty

TIERS = {
    "skipped": "visits",
    "affinity": "continuity",
    "travel": "travel",
    "waiting": "travel",
    "late": "travel",
    "balance": "fairness",
    "missed": "breaks",
}
"""Which tier a part of the objective belongs to."""


def compose(
    gathered: Gathered,
    day: Day,
    out: dict[str, str],
    ways: dict[str, Matrix],
    problem: Problem,
    plan: Plan,
    at: datetime,
    explained: Mapping[str, tuple[str, ...]] | None = None,
) -> DayPlan:
    """Put the solver's plan into times of day; explain what was left over.

    ``out``: tasks that never reached the solver, with the code of the reason; ``at``: the moment, in the zone of the site;
    ``explained``: why the plan's left-over visits are left over, where that is known already (a week is explained as a whole).
    """
    calls = {call.task.id: call for call in day.calls}
    staff_of: dict[str, list[str]] = {}
    people = {duty.key: duty.practitioner for duty in day.duties}
    for caregiver, stop in plan.stops():
        staff_of.setdefault(stop.visit, []).append(people[caregiver])
    routes = []
    later = leeways(replace(problem, travel=day.travel), plan)
    for duty in day.duties:
        route = next((one for one in plan.routes if one.caregiver == duty.key), None)
        if route is not None and route.visits:
            routes.append(_route(day, duty, route, calls, staff_of, ways, problem, later, at))
    if explained is None:
        explained = {visit: why.constraints for visit, why in why_left(problem, plan, [one.visit for one in plan.left_over]).items()}
    left = {visit: codes or ("search",) for visit, codes in explained.items()}
    solved = {visit.id for visit in problem.visits}
    for call in day.calls:
        if call.task.id not in solved:
            left[call.task.id] = ("appointment",) if call.busy else ("no-time",)
    left |= {task: (code,) for task, code in out.items()}
    figures = tiers(check(problem, plan))
    figures["travel-minutes"] = sum(stop.travel_minutes for route in routes for stop in route.stops)
    asked = {one.call.task.id: one for one in gathered.asked}
    return DayPlan(
        on=day.on,
        made_at=at,
        routes=tuple(routes),
        left_over=tuple(_left(asked[task].call, codes, task in explained) for task, codes in sorted(left.items())),
        figures=figures,
        seed=plan.seed,
        evaluations=plan.evaluations,
        versions={task: one.version for task, one in asked.items()},
    )


def tiers(verdict: Verdict) -> dict[str, float]:
    """The price of each tier of the objective."""
    figures: dict[str, float] = {}
    for part, cost in verdict.parts.items():
        if part in TIERS:
            figures[TIERS[part]] = figures.get(TIERS[part], 0.0) + cost
    return figures


def moment(on: date, minutes: float, at: datetime) -> datetime:
    """A minute of the day as a moment, to the second, in the zone of ``at``."""
    return datetime.combine(on, time(), at.tzinfo) + timedelta(seconds=round(minutes * 60.0))


def _route(
    day: Day,
    duty: Duty,
    route: Route,
    calls: dict[str, Call],
    staff_of: dict[str, list[str]],
    ways: dict[str, Matrix],
    problem: Problem,
    later: Mapping[tuple[str, str], float],
    at: datetime,
) -> DayRoute:
    way = ways[duty.mode]
    here = duty.place if duty.begins_at is None else duty.begins_at
    stops, rest = [], None
    for stop in route.stops:
        if isinstance(stop, Rest):
            rest = (moment(day.on, stop.start, at), moment(day.on, stop.end, at))
            continue  # taken on the way: the next visit's travel still counts from the last one
        call = calls[stop.visit]
        minutes = float(day.travel[duty.mode][here, call.place])
        spare = float(problem.travel[duty.mode][here, call.place]) - minutes
        reached = replace(stop, arrival=stop.arrival - spare)
        one = _stop(day, duty, reached, call, tuple(staff_of[stop.visit]), minutes, basis_of(way, here, call.place), problem, at)
        stops.append(replace(one, slack=round(later[route.caregiver, stop.visit], 4)))
        here = call.place
    return DayRoute(
        practitioner=duty.practitioner,
        name=duty.name,
        station=duty.station,
        departure=moment(day.on, route.departure, at),
        back=moment(day.on, route.back, at),
        stops=tuple(stops),
        rest=rest,
        part=duty.part,
    )


def _stop(
    day: Day, duty: Duty, stop: Stop, call: Call, staff: tuple[str, ...], minutes: float, basis: str, problem: Problem, at: datetime
) -> DayStop:
    visit = next(one for one in problem.visits if one.id == stop.visit)
    return DayStop(
        task=call.task.id,
        person=call.task.person,
        kind=call.task.kind,
        title=call.task.title or call.task.kind,
        staff=staff,
        arrival=moment(day.on, stop.arrival, at),
        start=moment(day.on, stop.start, at),
        end=moment(day.on, stop.end, at),
        travel_minutes=round(minutes, 4),
        basis=basis,
        slack=0.0,
        pinned=visit.pinned is not None,
        why=_why(day, duty, call, visit.pinned is not None),
    )


def _why(day: Day, duty: Duty, call: Call, pinned: bool) -> tuple[str, ...]:
    """Why this person comes: codes of :data:`words.WHY`."""
    if pinned:
        return ("pinned",)
    found = []
    if duty.practitioner == call.task.owner:
        found.append("owner")
    elif duty.practitioner in call.team:
        found.append("team")
    able = [one for one in day.duties if call.task.skills <= one.skills and one.practitioner not in call.barred]
    if len(able) == 1:
        found.append("only-skill")
    if (
        able
        and duty in able
        and all(day.travel[one.mode][one.place, call.place] >= day.travel[duty.mode][duty.place, call.place] for one in able)
    ):
        found.append("near")
    return tuple(found)


def _left(call: Call, codes: tuple[str, ...], routed: bool) -> DayLeft:
    """``routed``: the routes were asked, as they are; whether others would have room for it is a matter of the proof."""
    reason, reason_en = words.as_routed(codes) if routed else words.left_over(codes)
    task = call.task
    return DayLeft(task.id, task.person, task.kind, task.title or task.kind, codes, reason, reason_en)
