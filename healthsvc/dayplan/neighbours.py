"""Which routes of a large day lie together, and which of them an unplanned visit is best placed for. Pure."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Caregiver, Problem, Visit


def _between(problem: Problem) -> npt.NDArray[np.float64]:
    """Mean minutes between places over all ways of travelling."""
    ways: npt.NDArray[np.float64] = np.mean(list(problem.travel.values()), axis=0)
    return ways


def _price(problem: Problem, visit: Visit, staff: list[Caregiver]) -> float:
    """What the cheapest able people of a group cost for the visit, there and back; infinite where somebody is missing."""
    total = 0.0
    for service in visit.services:
        prices = [
            problem.weights.travel * float(problem.travel[person.mode][person.start_place, visit.place]) * 2
            + visit.affinity.get(person.id, 0.0)
            for person in staff
            if service.skills <= person.skills and person.id not in visit.barred and person.id not in visit.far
        ]
        total += min(prices, default=np.inf)
    return total


def neighbourhoods(problem: Problem, plan: Plan, services: int, rng: np.random.Generator) -> list[frozenset[str]]:
    """All caregivers in groups whose routes lie near each other, about ``services`` services in each; drawn anew at each call."""
    places = {visit.id: visit.place for visit in problem.visits}
    home = {person.id: person.start_place for person in problem.caregivers}
    routes = {route.caregiver: [places[stop.visit] for stop in route.visits] for route in plan.routes}
    names = [person.id for person in problem.caregivers]
    ways = _between(problem)
    member = np.zeros((len(names), len(ways)))
    for k, who in enumerate(names):
        at = routes.get(who) or [home[who]]
        np.add.at(member[k], at, 1.0 / len(at))
    apart = member @ ways @ member.T
    for one, other in _partners(plan):
        i, j = names.index(one), names.index(other)
        apart[i, j] = apart[j, i] = apart[i, j] / 2
    waiting = dict.fromkeys(rng.permutation(len(names)).tolist())
    groups = []
    while waiting:
        seed = next(iter(waiting))
        group, count = [], 0
        for k in sorted(waiting, key=lambda other: (apart[seed, other], other)):
            group.append(k)
            count += len(routes.get(names[k], ()))
            if count >= services:
                break
        for k in group:
            del waiting[k]
        groups.append(frozenset(names[k] for k in group))
    return groups


def _partners(plan: Plan) -> set[tuple[str, str]]:
    """Caregivers who meet at a visit."""
    met: dict[str, list[str]] = {}
    for who, stop in plan.stops():
        met.setdefault(stop.visit, []).append(who)
    return {pair for people in met.values() for pair in combinations(sorted(set(people)), 2)}


def within_reach(problem: Problem, plan: Plan, groups: list[frozenset[str]]) -> list[list[str]]:
    """Each visit that is left over, given to the group that it is best placed for."""
    people = {person.id: person for person in problem.caregivers}
    staff = [[people[who] for who in sorted(group)] for group in groups]
    left = {one.visit for one in plan.left_over}
    given: list[list[str]] = [[] for _ in groups]
    for visit in problem.visits:
        if visit.id in left:
            prices = [_price(problem, visit, group) for group in staff]
            if np.isfinite(min(prices)):
                given[int(np.argmin(prices))].append(visit.id)
    return given
