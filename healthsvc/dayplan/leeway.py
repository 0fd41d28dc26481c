"""How much later each visit could begin with the rest of the day still kept: windows, confirmed times, breaks, pairs, shifts. Pure."""

from itertools import pairwise

from healthsvc.dayplan.hand import CLOSE
from healthsvc.dayplan.plan import Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Caregiver, Minutes, Problem, Visit

PASSES = 100
"""Most times that the day is gone through backwards; two passes settle a day in which nobody waits for anybody in a circle."""
_Key = tuple[str, str, str]


def leeways(problem: Problem, plan: Plan) -> dict[tuple[str, str], Minutes]:
    """Minutes by which a caregiver's stop at a visit could begin later, while everything after it is still made in time, by whoever makes
    it: (caregiver, visit) to minutes. 0 where a promise does not hold as it is."""
    visits = {visit.id: visit for visit in problem.visits}
    people = {person.id: person for person in problem.caregivers}
    where = {(stop.visit, stop.service): (who, stop.visit, stop.service) for who, stop in plan.stops()}
    starts = {_key(route.caregiver, stop): stop.start for route in plan.routes for stop in route.stops}
    latest = {_key(route.caregiver, stop): _own(visits, people[route.caregiver], stop) for route in plan.routes for stop in route.stops}
    for _ in range(PASSES):
        before = dict(latest)
        for route in plan.routes:
            _backward(problem, visits, people[route.caregiver], route, latest)
        for visit in problem.visits:
            _bind(visit, visits, where, latest)
        if latest == before:
            break
    return {(who, visit): max(0.0, at - starts[who, visit, service]) for (who, visit, service), at in latest.items() if visit}


def _key(caregiver: str, stop: Stop | Rest) -> _Key:
    return (caregiver, "", "") if isinstance(stop, Rest) else (caregiver, stop.visit, stop.service)


def _own(visits: dict[str, Visit], person: Caregiver, stop: Stop | Rest) -> Minutes:
    """The last start that its own promise allows."""
    if isinstance(stop, Rest):
        return person.rest.window.end if person.rest else stop.start
    visit = visits[stop.visit]
    if visit.pinned:
        return stop.start
    windows = (window.end for window in reversed(visit.windows) if window.start <= stop.start + CLOSE)
    return next(windows, visit.windows[0].end)


def _backward(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route, latest: dict[_Key, Minutes]) -> None:
    """What comes after on the same route: the last of it ends when the shift does."""
    way = problem.travel[person.mode]
    there, bound = person.end_place, person.shift.end
    for stop in reversed(route.stops):
        here = person.start_place if stop.visit is None else visits[stop.visit].place
        key = _key(route.caregiver, stop)
        latest[key] = min(latest[key], bound - float(way[here, there]) - (stop.end - stop.start))
        there, bound = here, latest[key]


def _bind(visit: Visit, visits: dict[str, Visit], where: dict[tuple[str, str], _Key], latest: dict[_Key, Minutes]) -> None:
    """Who comes along, and the visit that has to keep its gap to this one."""
    mine = [where[visit.id, service.id] for service in visit.services if (visit.id, service.id) in where]
    for first, second in pairwise(mine) if visit.gap else ():
        assert visit.gap is not None
        latest[first] = min(latest[first], latest[second] - visit.gap.least)
        latest[second] = min(latest[second], latest[first] + visit.gap.most)
    if visit.after and visit.after.visit in visits:
        for service in visits[visit.after.visit].services:
            earlier = where.get((visit.after.visit, service.id))
            for key in mine if earlier else ():
                assert earlier is not None
                latest[earlier] = min(latest[earlier], latest[key] - visit.after.least)
