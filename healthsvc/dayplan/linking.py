"""A plan into the arrays: routes linked as the plan has them."""

from healthsvc.dayplan import layout as at
from healthsvc.dayplan import pricing
from healthsvc.dayplan.arrays import Space
from healthsvc.dayplan.grid import is_round
from healthsvc.dayplan.plan import Plan, Rest
from healthsvc.dayplan.search import clear, list_out
from healthsvc.dayplan.timing import INFINITE


def link(space: Space, plan: Plan) -> float:
    """Link the routes of a plan as far as they can be kept; the price, or INFINITE where its pairs wait for each other in a circle.

    A visit that the plan begins between two whole steps may do so again, on the finest step. What stays out: visits and people that the
    problem does not hold, visits that only some services of are planned, or that somebody makes who may not any more; then, until every
    hard limit is kept, what is late for good and the last visit of whoever comes back too late.
    """
    problem, w = space.problem, space.world
    rows = {(problem.visits[node.visit].id, problem.visits[node.visit].services[node.service].id): v for v, node in enumerate(space.nodes)}
    people = {person.id: c for c, person in enumerate(problem.caregivers)}
    made = {
        rows[stop.visit, stop.service]
        for caregiver, stop in plan.stops()
        if (stop.visit, stop.service) in rows and caregiver in people and w.allow[rows[stop.visit, stop.service], people[caregiver]]
    }
    whole = {v for v in made if all(x in made for x in _services(space, v))}
    while True:
        price = _link(space, plan, rows, people, whole)
        late = _offender(space) if price < INFINITE else -1
        if late < 0:
            return price
        whole -= set(_services(space, late))


def _link(space: Space, plan: Plan, rows: dict[tuple[str, str], int], people: dict[str, int], whole: set[int]) -> float:
    w = space.world
    clear(w)
    for route in plan.routes:
        c = people.get(route.caregiver)
        if c is None:
            continue
        last = len(space.nodes) + c
        w.person[c, at.ANCHOR] = -1 if route.visits else last
        for stop in route.stops:
            if isinstance(stop, Rest):
                w.person[c, at.ANCHOR] = last
            elif rows.get((stop.visit, stop.service), -1) in whole:
                last = _append(space, c, last, rows[stop.visit, stop.service])
                if space.problem.finest and not is_round(stop.start, space.problem.grain):
                    w.spec[last, at.GRAIN] = min(w.spec[last, at.GRAIN], space.problem.finest)
    list_out(w)
    return float(pricing.rebuild(w))


def _services(space: Space, v: int) -> range:
    """All services of the visit that service ``v`` belongs to."""
    first, count = space.world.job[space.world.kind[v, at.JOB], : at.COUNT + 1]
    return range(int(first), int(first + count))


def _offender(space: Space) -> int:
    """A service that breaks a hard limit and may be moved; -1 for none."""
    w, n, c_all = space.world, len(space.nodes), len(space.problem.caregivers)
    for v in range(n):
        if w.link[v, at.RT] >= 0 and w.kind[v, at.HARD] and w.time[v, at.LATE] > 1e-6 and not w.kind[v, at.FIXED]:
            return v
    for c in range(c_all if w.flag[at.OVER_HARD] else 0):
        v = int(w.link[n + c_all + c, at.PRV])
        while w.route[c, at.OVER] > 1e-6 and v < n:
            if not w.kind[v, at.FIXED]:
                return v
            v = int(w.link[v, at.PRV])
    return -1


def _append(space: Space, c: int, last: int, v: int) -> int:
    """Link ``v`` behind ``last`` at the end of route ``c``."""
    w = space.world
    tail = len(space.nodes) + len(space.problem.caregivers) + c
    w.link[last, at.NXT], w.link[v, at.PRV], w.link[v, at.NXT], w.link[tail, at.PRV] = v, last, tail, v
    w.link[v, at.RT] = c
    return v
