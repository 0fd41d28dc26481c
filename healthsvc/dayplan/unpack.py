"""From the arrays to a plan: routes with arrival, start, end and breaks, latest departure that does not wait."""

from collections.abc import Iterator
from dataclasses import replace

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import Space
from healthsvc.dayplan.grid import grain_of, is_round, up
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Departure


def unpack(space: Space, cost: float, seed: int, evaluations: int) -> Plan:
    """The plan as the world holds it now (after a rebuild)."""
    problem, w = space.problem, space.world
    routes = tuple(_route(space, c) for c in range(len(problem.caregivers)))
    left = tuple(LeftOver(visit.id) for j, visit in enumerate(problem.visits) if w.link[w.job[j, at.FIRST], at.RT] < 0)
    return Plan(routes, left, cost, seed, evaluations, frozenset(_fine(space)))


def _fine(space: Space) -> Iterator[str]:
    """Planned visits whose starts lie on the finest steps only."""
    problem, w = space.problem, space.world
    for v, node in enumerate(space.nodes):
        visit = problem.visits[node.visit]
        if w.link[v, at.RT] >= 0 and 0.0 < w.spec[v, at.GRAIN] < grain_of(problem, visit) and not is_round(w.time[v, at.S], problem.grain):
            yield visit.id


def _route(space: Space, c: int) -> Route:
    problem, w = space.problem, space.world
    person = problem.caregivers[c]
    travel = problem.travel[person.mode]
    n = len(space.nodes)
    u, here, free = n + c, person.start_place, person.shift.start
    stops: list[Stop | Rest] = []
    while True:
        v = int(w.link[u, at.NXT])
        visit = problem.visits[space.nodes[v].visit] if v < n else None
        there = visit.place if visit else person.end_place
        minutes = float(travel[here, there])
        arrival = free + minutes
        rest = _rest(space, c, u, v, free, minutes) if person.rest and w.person[c, at.ANCHOR] == u else None
        if person.rest and rest is not None:
            begin, ahead = rest
            stops.append(Rest(_rest_place(space, v if ahead else u), begin, begin + person.rest.duration))
            arrival = begin + person.rest.duration + (0.0 if ahead else minutes)
        if visit is None:
            break
        service = visit.services[space.nodes[v].service]
        start = float(w.time[v, at.S])
        stops.append(Stop(visit.id, service.id, arrival, start, start + service.duration))
        u, here, free = v, there, start + service.duration
    return _with_departure(space, c, stops, arrival)


def _rest(space: Space, c: int, u: int, v: int, free: float, minutes: float) -> tuple[float, bool] | None:
    """Start of the break between two stops, and whether it is taken at the second; None where it is missed."""
    figures, person = space.world.route[c], space.problem.caregivers[c]
    grain = float(space.world.price[at.STEP])
    begin = up(max(free + minutes, figures[at.REST_S]), grain, figures[at.REST_E])
    if begin <= figures[at.REST_E] and (v < len(space.nodes) or person.start_place == person.end_place):
        return float(begin), True
    begin = up(max(free, figures[at.REST_S]), grain, figures[at.REST_E])
    return (float(begin), False) if begin <= figures[at.REST_E] else None


def _rest_place(space: Space, node: int) -> str | None:
    """The visit at whose place a break is taken; None stands for the caregiver's starting place."""
    return space.problem.visits[space.nodes[node].visit].id if node < len(space.nodes) else None


def _with_departure(space: Space, c: int, stops: list[Stop | Rest], back: float) -> Route:
    """Leave so as not to wait at the first stop, unless everybody leaves when the shift begins."""
    person = space.problem.caregivers[c]
    if not stops:
        return Route(person.id, person.shift.start, (), person.shift.start)
    first, departure = stops[0], person.shift.start
    if space.problem.departure is Departure.JUST_IN_TIME:
        there = next((visit.place for visit in space.problem.visits if visit.id == first.visit), person.start_place)
        departure = first.start - float(space.problem.travel[person.mode][person.start_place, there])
        if isinstance(first, Stop):
            stops[0] = replace(first, arrival=first.start)
    return Route(person.id, departure, tuple(stops), back)
