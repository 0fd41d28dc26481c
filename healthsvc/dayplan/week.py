"""A week's plan: which day for which visit and every day's routes, settled by one search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.compose import compose
from healthsvc.dayplan.day import DayLeft, DayPlan
from healthsvc.dayplan.explain import why_left
from healthsvc.dayplan.gather import Gathered, days_of
from healthsvc.dayplan.model import name_of, problem_of, problem_of_days
from healthsvc.dayplan.pacing import share_days
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.rules import DAY, Call, Day, DayPolicy
from healthsvc.dayplan.solve import StopRule, solve

DAYS = 7
"""Most days that are planned at once."""


@dataclass(frozen=True, slots=True)
class WeekPlan:
    """Consecutive days planned at once; what no day had room for stands in the plan of the last day on which it could be made."""

    days: tuple[DayPlan, ...]

    @property
    def left_over(self) -> tuple[DayLeft, ...]:
        """What was left over in the whole week."""
        return tuple(left for day in self.days for left in day.left_over)


def plan_week(gathered: Sequence[Gathered], travel: TravelTimes, policy: DayPolicy, at: datetime, seconds: float, seed: int) -> WeekPlan:
    """Plan the gathered days (consecutive) at once; ``at`` is the moment, in the zone of the site."""
    days, outs, ways = days_of(gathered, travel, policy)
    divided = share_days(days, policy)
    chosen = {call.task.id for call in divided.today}
    beyond = {call.task.id for call in divided.beyond}
    days = tuple(replace(day, calls=tuple(call for call in day.calls if call.task.id in chosen)) for day in days)
    problem = problem_of_days(days, policy)
    found = solve(problem, StopRule(iterations=max(1, round(seconds * policy.proposals_a_second))), seed)
    codes = {visit: why.constraints for visit, why in why_left(problem, found, [one.visit for one in found.left_over]).items()}
    when = _days_of_stops(found)
    last = {call.task.id: k for k, day in enumerate(days) for call in day.calls}
    asked = {one.call.task.id: k for k, of_day in enumerate(gathered) for one in of_day.asked}
    plans = []
    for k, day in enumerate(days):
        mine = tuple(call for call in day.calls if when.get(call.task.id, last[call.task.id]) == k)
        out = {task: code for task, code in outs[k].items() if asked[task] == k and task not in when and task not in last}
        out |= {task: "capacity" for task in beyond if asked[task] == k}
        own = replace(day, calls=tuple(_on_its_day(call, days, k) for call in mine))
        plan = _of_day(found, own, k, [call.task.id for call in mine if call.task.id in codes])
        explained = {call.task.id: codes[call.task.id] for call in mine if call.task.id in codes}
        one = compose(gathered[k], own, out, ways, problem_of(own, policy), plan, at, explained)
        later = {call.task.id for call in divided.later} & {asked_one.call.task.id for asked_one in gathered[k].asked}
        plans.append(replace(one, base=gathered[k].version, later=len(later) if k == len(days) - 1 else 0))
    return WeekPlan(tuple(plans))


def _days_of_stops(plan: Plan) -> dict[str, int]:
    """On which day (from 0) each visit is made."""
    return {stop.visit: int(stop.start // DAY) for _, stop in plan.stops()}


def _on_its_day(call: Call, days: Sequence[Day], k: int) -> Call:
    """The call without the visit before it where that is made on another day: the week's plan has minded the gap."""
    here = {other.task.id for other in days[k].calls}
    return call if call.after is None or call.after[0] in here else replace(call, after=None)


def _of_day(plan: Plan, day: Day, k: int, left: Sequence[str]) -> Plan:
    """What the week's plan holds for one day, in minutes of that day."""
    names = {name_of(duty, k): duty.key for duty in day.duties}
    routes = tuple(_moved(route, names[route.caregiver], -k * DAY) for route in plan.routes if route.caregiver in names)
    return replace(plan, routes=routes, left_over=tuple(LeftOver(visit) for visit in left))


def _moved(route: Route, caregiver: str, by: float) -> Route:
    def shift(stop: Stop | Rest) -> Stop | Rest:
        if isinstance(stop, Rest):
            return replace(stop, start=stop.start + by, end=stop.end + by)
        return replace(stop, arrival=stop.arrival + by, start=stop.start + by, end=stop.end + by)

    return Route(caregiver, route.departure + by, tuple(shift(stop) for stop in route.stops), route.back + by)


def dates(first: date, days: int) -> tuple[date, ...]:
    """The days of a week's plan."""
    return tuple(first + timedelta(days=k) for k in range(days))
