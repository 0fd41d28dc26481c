"""Why a visit is planned as it is, and what would let a left-over one in: worked out, and proved by solving again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from healthsvc.dayplan.explain import MORE_SHIFT, RELAXATIONS, TOGETHER, applies, more_staff
from healthsvc.dayplan.insertion import Insertion, rank_insertions
from healthsvc.dayplan.plan import Plan, Route, Stop
from healthsvc.dayplan.problem import FOREVER, Minutes, Problem, Visit, Window
from healthsvc.dayplan.solve import StopRule, solve

NEAR: Minutes = 0.1
"""Minutes within which two moments are the same."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why these people and this time.

    ``able``: who could make it at all; ``instead``: the cheapest places with other people, each with what it costs more than the present
    one; ``time``: codes of what settles the start (``opens``, ``arrives``, ``partner``, ``gap``, ``waits``); ``earliest`` and ``latest``
    say how far it could move with everything else staying where it is.
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
    route, stop = max(mine, key=lambda one: one[1].start)
    earliest, latest = _room(problem, asked, route, stop)
    return Reasons(visit, able, tuple(others.values())[:most], tuple(_time(problem, plan, asked, route, stop)), earliest, latest)


def _arrival(problem: Problem, route: Route, stop: Stop) -> Minutes:
    """When the caregiver can be there at the earliest after what comes before."""
    person = next(one for one in problem.caregivers if one.id == route.caregiver)
    places = {visit.id: visit.place for visit in problem.visits}
    at = route.stops.index(stop)
    way = problem.travel[person.mode]
    if at == 0:
        return person.shift.start + float(way[person.start_place, places[stop.visit]])
    before = route.stops[at - 1]
    here = person.start_place if before.visit is None else places[before.visit]
    return before.end + float(way[here, places[stop.visit]])


def _room(problem: Problem, visit: Visit, route: Route, stop: Stop) -> tuple[Minutes, Minutes]:
    person = next(one for one in problem.caregivers if one.id == route.caregiver)
    places = {one.id: one.place for one in problem.visits}
    way, at = problem.travel[person.mode], route.stops.index(stop)
    window = next((one for one in reversed(visit.windows) if one.start <= stop.start + NEAR), visit.windows[0])
    if at + 1 < len(route.stops):
        after = route.stops[at + 1]
        there = person.start_place if after.visit is None else places[after.visit]
        latest = after.start - float(way[visit.place, there]) - (stop.end - stop.start)
    else:
        latest = person.shift.end - float(way[visit.place, person.end_place]) - (stop.end - stop.start)
    return max(window.start, _arrival(problem, route, stop)), max(stop.start, min(latest, window.end if visit.hard else FOREVER))


def _time(problem: Problem, plan: Plan, visit: Visit, route: Route, stop: Stop) -> Iterator[str]:
    """What keeps it from starting earlier."""
    found = False
    if any(abs(stop.start - window.start) <= NEAR for window in visit.windows):
        yield "opens"
        found = True
    if abs(stop.start - _arrival(problem, route, stop)) <= NEAR:
        yield "arrives"
        found = True
    for other in plan.routes:
        for one in other.visits:
            if one.visit == visit.id and one is not stop and abs(one.start - _arrival(problem, other, one)) <= NEAR:
                yield "partner"
                found = True
            if visit.after and one.visit == visit.after.visit and abs(one.start + visit.after.least - stop.start) <= NEAR:
                yield "gap"
                found = True
    if not found:
        yield "waits"


@dataclass(frozen=True, slots=True)
class Proof:
    """The smallest set of constraints whose relaxation lets a visit in, found by solving again.

    ``caregivers`` and ``starts`` say who would then come and when; ``tried`` counts the problems that were solved: every smaller set was
    among them, and none of them let it in. ``constraints`` ("unfit",): no set of at most two does; empty: it fits as things are.
    """

    visit: str
    constraints: tuple[str, ...]
    caregivers: tuple[str, ...]
    starts: tuple[Minutes, ...]
    tried: int


def prove_left(problem: Problem, plan: Plan, visit: str, iterations: int = 60_000, seed: int = 1) -> Proof:
    """Solve the problem again with constraints relaxed, one and then two at a time, until the visit fits beside all that is planned.

    Each solve begins with the plan and spends ``iterations`` proposals; its answer passes the strict checker.
    """
    asked = next(one for one in problem.visits if one.id == visit)
    relevant = [*asked.relaxed, *(code for code in RELAXATIONS if applies(code, problem, asked))]
    kept = {stop.visit for _, stop in plan.stops()}
    tried = 0
    for size in range(TOGETHER + 1):
        found = []
        for codes in combinations(relevant, size):
            easier = relax(problem, asked, codes)
            answer = solve(easier, StopRule(iterations=iterations), seed, start=plan)
            tried += 1
            made = [(caregiver, stop.start) for caregiver, stop in answer.stops() if stop.visit == visit]
            if made and kept <= {stop.visit for _, stop in answer.stops()}:
                found.append((answer.cost, codes, made))
        if found:
            _, codes, made = min(found)
            return Proof(visit, codes, tuple(who for who, _ in made), tuple(start for _, start in made), tried)
    return Proof(visit, ("unfit",), (), (), tried)


def relax(problem: Problem, visit: Visit, codes: Sequence[str]) -> Problem:
    """The problem without some constraints (codes of the explanations) for one visit."""
    eased, staff, others = visit, problem.caregivers, problem.visits
    for code in codes:
        if code in visit.relaxed:
            eased = replace(eased, windows=visit.relaxed[code])
        elif code == "window":
            eased = replace(eased, windows=(Window(0.0, FOREVER),))
        elif code == "after":
            eased = replace(eased, after=None)
        elif code == "together":
            eased = replace(eased, gap=None)
        elif code == "barred":
            eased = replace(eased, barred=frozenset())
        elif code == "ring":
            eased = replace(eased, far=frozenset())
        elif code == "skill":
            eased = replace(eased, services=tuple(replace(service, skills=frozenset()) for service in eased.services))
        elif code == "shift":
            staff = tuple(replace(one, shift=Window(one.shift.start, one.shift.end + MORE_SHIFT)) for one in staff)
        elif code == "break":
            staff = tuple(replace(one, rest=None) for one in staff)
        elif code == "staff":
            more = more_staff(problem)
            staff = (*staff, *more)
            others = tuple(replace(one, barred=one.barred | {person.id for person in more}) for one in others)
    return replace(problem, visits=tuple(eased if one.id == visit.id else one for one in others), caregivers=staff)
