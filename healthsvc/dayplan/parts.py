"""Large days in parts: a problem cut down to some of its people, and the plan of a part put back into the whole. Pure.

A part holds some caregivers, the visits that only they make, and visits that nobody makes yet. What ties a visit to somebody outside the
part (the partner of a double visit, the dose before) holds it where it is, so that a part can be searched as if it were the whole day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from healthsvc.dayplan.plan import LeftOver, Plan
from healthsvc.dayplan.problem import Pin, Problem, Visit, Window


@dataclass(frozen=True, slots=True)
class Part:
    """A problem of its own and the plan it begins with."""

    problem: Problem
    start: Plan


def part_of_plan(problem: Problem, plan: Plan, people: frozenset[str], more: Iterable[str] = ()) -> Part:
    """What these caregivers do in ``plan``, as a problem with its plan; ``more``: visits that nobody makes yet and they may.

    Of ``more``, a visit that comes before or after another one stays left over: only the whole sees both.
    """
    routes = tuple(route for route in plan.routes if route.caregiver in people)
    inside = {(stop.visit, stop.service): (route.caregiver, stop.start) for route in routes for stop in route.visits}
    tied = {visit.id for visit in problem.visits if visit.after} | {visit.after.visit for visit in problem.visits if visit.after}
    planned = {name for name, _ in inside}
    wanted = planned | (set(more) - tied)
    followed = {visit.after.visit for visit in problem.visits if visit.after and visit.id not in wanted}
    torn = {visit.id for visit in problem.visits if 0 < sum((visit.id, one.id) in inside for one in visit.services) < len(visit.services)}
    chosen = {visit.id: _held(visit, inside, wanted - torn, followed) for visit in problem.visits if visit.id in wanted}
    left = tuple(LeftOver(name) for name in chosen if name not in planned)
    return Part(_cut(problem, people, chosen), Plan(routes, left, plan.cost, plan.seed))


def _held(visit: Visit, inside: Mapping[tuple[str, str], tuple[str, float]], whole: set[str], followed: set[str]) -> Visit:
    """The visit as the part sees it: free, or held where it is by what is outside. ``whole``: visits that lie wholly inside."""
    mine = [(service, *inside[visit.id, service.id]) for service in visit.services if (visit.id, service.id) in inside]
    bound = len(mine) < len(visit.services) or visit.id in followed or (visit.after is not None and visit.after.visit not in whole)
    if not mine or not bound:
        return visit
    start = mine[0][2]
    return replace(
        visit,
        services=tuple(service for service, _, _ in mine),
        gap=visit.gap if len(mine) == len(visit.services) else None,
        windows=(Window(start, start),),
        pinned=Pin(tuple(who for _, who, _ in mine), start),
        after=visit.after if visit.after and visit.after.visit in whole else None,
    )


def put_back(problem: Problem, whole: Plan, found: Plan) -> Plan:
    """``whole`` with the routes of ``found`` in place of its own; what stands in none of them is left over."""
    routes = {route.caregiver: route for route in (*whole.routes, *found.routes)}
    ordered = tuple(routes[person.id] for person in problem.caregivers if person.id in routes)
    made = {stop.visit for route in ordered for stop in route.visits}
    left = tuple(LeftOver(visit.id) for visit in problem.visits if visit.id not in made)
    fine = (whole.fine | found.fine) & made
    return Plan(ordered, left, 0.0, whole.seed, whole.evaluations + found.evaluations, fine)


def _cut(problem: Problem, people: frozenset[str], visits: Mapping[str, Visit]) -> Problem:
    staff = tuple(person for person in problem.caregivers if person.id in people)
    places = sorted({person.start_place for person in staff} | {person.end_place for person in staff} | {v.place for v in visits.values()})
    row = {place: k for k, place in enumerate(places)}
    return replace(
        problem,
        visits=tuple(_moved(visits[visit.id], row, people) for visit in problem.visits if visit.id in visits),
        caregivers=tuple(replace(person, start_place=row[person.start_place], end_place=row[person.end_place]) for person in staff),
        travel={mode: np.ascontiguousarray(matrix[np.ix_(places, places)]) for mode, matrix in problem.travel.items()},
    )


def _moved(visit: Visit, row: Mapping[int, int], people: frozenset[str]) -> Visit:
    return replace(visit, place=row[visit.place], affinity={who: price for who, price in visit.affinity.items() if who in people})
