"""Time to spare on every way is a limit of the search, but never moves what is confirmed; none asked for, nothing changes."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.easing import eased
from healthsvc.dayplan.plan import Plan, Stop
from healthsvc.dayplan.problem import NO_WAY, Pin, Problem, Window
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.dayplan.spare import with_spare
from tests.rules.test_dayplan_leeway import days
from tests.rules.test_dayplan_solver import LINE, person, problems, street, visit


def spared(problem: Problem, plan: Plan) -> list[float]:
    """Minutes between the end of a stop and the start of the next visit somewhere else, beside the way."""
    people, homes = {one.id: one for one in problem.caregivers}, {one.id: one.place for one in problem.visits}
    found = []
    for route in plan.routes:
        who = people[route.caregiver]
        here, free = who.start_place, who.shift.start
        for stop in route.stops:
            there = who.start_place if stop.visit is None else homes[stop.visit]
            if isinstance(stop, Stop) and there != here:
                found.append(stop.start - free - float(problem.travel[who.mode][here, there]))
            here, free = there, stop.end
    return found


def test_none_asked_for_is_the_same_problem() -> None:
    problem = street([visit("v", 1)], [person()])
    assert with_spare(problem, 0.0) is problem


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(), st.sampled_from((3.0, 7.0)))
def test_every_way_of_a_plan_has_so_much_to_spare(problem: Problem, minutes: float) -> None:
    plan = solve(with_spare(problem, minutes), StopRule(iterations=4_000), 1)
    assert check(problem, plan).good, "whoever plans with reserve keeps every rule without it"
    assert all(one >= minutes - 1e-6 for one in spared(problem, plan))


@settings(max_examples=60, deadline=None)
@given(days(), st.sampled_from((1.0, 5.0, 30.0)))
def test_what_is_confirmed_stays_to_the_minute_with_shift_and_break(day: tuple[Problem, Plan], minutes: float) -> None:
    problem, plan = day
    made: dict[str, list[tuple[str, Stop]]] = {}
    for who, stop in plan.stops():
        made.setdefault(stop.visit, []).append((who, stop))
    visits = []
    for one in problem.visits:
        mine = sorted(made[one.id], key=lambda found: found[1].service)
        start = mine[0][1].start
        visits.append(replace(one, pinned=Pin(tuple(who for who, _ in mine), start), windows=(Window(start, start),)))
    confirmed = replace(problem, visits=tuple(visits))
    before, after = eased(confirmed), eased(with_spare(confirmed, minutes))
    assert after.visits == before.visits
    assert after.caregivers == before.caregivers


def test_a_place_that_nobody_reaches_stays_so_and_a_house_needs_no_reserve() -> None:
    ways = LINE.copy()
    ways[0, 3] = ways[3, 0] = NO_WAY
    problem = replace(street([visit("v", 1), visit("w", 1), visit("x", 3)], [person()]), travel={"": ways})
    longer = with_spare(problem, 5.0).travel[""]
    assert longer[0, 3] == NO_WAY
    assert longer[1, 1] == 0.0
    assert longer[0, 1] == 15.0
    assert longer[1, 0] == 10.0, "the way home is not longer"
