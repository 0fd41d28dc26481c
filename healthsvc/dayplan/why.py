"""Why a visit is planned as it is: who else could come at what price, what settles the time, how far it could move. Pure."""

from dataclasses import dataclass, replace

from healthsvc.dayplan.insertion import Insertion, rank_insertions
from healthsvc.dayplan.plan import Plan, Route, Stop
from healthsvc.dayplan.problem import FOREVER, Caregiver, Minutes, Problem, Visit, Window, WindowMet

NEAR: Minutes = 0.1
"""Minutes within which two moments are the same."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why these people and this time.

    ``able``: who could make it at all; ``instead``: the cheapest places with other people, each with what it costs more than the present
    one; ``time``: codes of what keeps it from beginning earlier (``opens``, ``arrives``, ``partner``, ``gap``, ``pinned``; ``waits``:
    nothing does); ``earliest`` and ``latest`` say between when its last service could begin, whoever comes moving along and everything
    else staying where it is.
    """

    visit: str
    able: tuple[str, ...]
    instead: tuple[Insertion, ...]
    time: tuple[str, ...]
    earliest: Minutes
    latest: Minutes


def why_planned(problem: Problem, plan: Plan, visit: str, most: int = 3) -> Reasons:
    """The reasons for a visit that is in the plan."""
    asked = next(one for one in problem.visits if one.id == visit)
    mine = [(route, stop) for route in plan.routes for stop in route.visits if stop.visit == visit]
    who = {route.caregiver for route, _ in mine}
    able = tuple(
        person.id
        for person in problem.caregivers
        if person.id not in asked.barred and person.id not in asked.far and any(one.skills <= person.skills for one in asked.services)
    )
    places = rank_insertions(problem, plan, visit, len(problem.caregivers))
    own = min((one.cost for one in places if set(one.caregivers) == who), default=0.0)
    others: dict[frozenset[str], Insertion] = {}
    for one in places:
        if set(one.caregivers) != who:
            others.setdefault(frozenset(one.caregivers), replace(one, cost=one.cost - own))
    start = max(stop.start for _, stop in mine)
    if asked.pinned:
        return Reasons(visit, able, tuple(others.values())[:most], ("pinned",), start, start)
    first = _not_before(problem, plan, asked, mine)
    earliest, latest = _on_steps(problem, start, max(first.values())), _not_after(problem, plan, asked, mine)
    latest = max(start, -_on_steps(problem, -start, -latest))
    step = max(NEAR, earliest - max(first.values()) + NEAR)
    time = tuple(code for code, bound in first.items() if bound > start - step) if earliest > start - NEAR else ("waits",)
    return Reasons(visit, able, tuple(others.values())[:most], time, earliest, latest)


Made = list[tuple[Route, Stop]]
"""Who makes each service of one visit."""


def _not_before(problem: Problem, plan: Plan, visit: Visit, mine: Made) -> dict[str, Minutes]:
    """Before when its last service cannot begin, by what keeps it; whoever comes moves along, everything else stays where it is."""
    start = max(stop.start for _, stop in mine)
    last = next(stop for _, stop in mine if stop.start == start)
    first: dict[str, Minutes] = {"opens": -FOREVER}
    for route, stop in mine:
        later = start - stop.start
        code = "arrives" if stop is last else "partner"
        first[code] = max(first.get(code, -FOREVER), _arrival(problem, route, stop) + later)
        first["opens"] = max(first["opens"], _window(visit, stop).start + later)
    before = [stop.start for _, stop in plan.stops() if visit.after and stop.visit == visit.after.visit]
    if visit.after and before:
        first["gap"] = max(before) + visit.after.least + start - min(stop.start for _, stop in mine)
    return first


def _not_after(problem: Problem, plan: Plan, visit: Visit, mine: Made) -> Minutes:
    """After when its last service cannot begin with everything else where it is."""
    start = max(stop.start for _, stop in mine)
    latest = FOREVER
    for route, stop in mine:
        length, later = stop.end - stop.start, start - stop.start
        latest = min(latest, _leaves(problem, route, stop) - length + later)
        if visit.hard:
            latest = min(latest, _window(visit, stop).end - (length if problem.met is WindowMet.AT_END else 0.0) + later)
    gaps = {one.id: one.after.least for one in problem.visits if one.after and one.after.visit == visit.id}
    return min((latest, *(stop.start - gaps[stop.visit] for _, stop in plan.stops() if stop.visit in gaps)))


def _window(visit: Visit, stop: Stop) -> Window:
    return next((one for one in reversed(visit.windows) if one.start <= stop.start + NEAR), visit.windows[0])


def _on_steps(problem: Problem, start: Minutes, bound: Minutes) -> Minutes:
    """The first whole step from ``bound`` on where the visit begins on one itself; no later than it begins."""
    step = problem.grain
    if step and abs(start / step - round(start / step)) * step <= NEAR:
        bound = -(-(bound - NEAR) // step) * step
    return min(start, bound)


def _arrival(problem: Problem, route: Route, stop: Stop) -> Minutes:
    """When the caregiver can be there at the earliest after what comes before."""
    person, places = _person(problem, route), {visit.id: visit.place for visit in problem.visits}
    at, way = route.stops.index(stop), problem.travel[person.mode]
    if at == 0:
        return person.shift.start + float(way[person.start_place, places[stop.visit]])
    before = route.stops[at - 1]
    here = person.start_place if before.visit is None else places[before.visit]
    return before.end + float(way[here, places[stop.visit]])


def _leaves(problem: Problem, route: Route, stop: Stop) -> Minutes:
    """When the caregiver has to set out from there at the latest for what comes after."""
    person, places = _person(problem, route), {visit.id: visit.place for visit in problem.visits}
    at, way = route.stops.index(stop), problem.travel[person.mode]
    if at + 1 == len(route.stops):
        return person.shift.end - float(way[places[stop.visit], person.end_place])
    after = route.stops[at + 1]
    there = person.start_place if after.visit is None else places[after.visit]
    return after.start - float(way[places[stop.visit], there])


def _person(problem: Problem, route: Route) -> Caregiver:
    return next(one for one in problem.caregivers if one.id == route.caregiver)
