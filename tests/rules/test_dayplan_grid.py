"""Times that people can read: whole steps of the clock in the plan, and what keeps its own minute."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dayplan_large import town

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.grid import grain_of, is_round, up
from healthsvc.dayplan.hand import Edit, edited, settled
from healthsvc.dayplan.insertion import rank_insertions
from healthsvc.dayplan.plan import Plan, Rest
from healthsvc.dayplan.polish import polish
from healthsvc.dayplan.problem import Break, Caregiver, Gap, Pin, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.solve import StopRule, solve

FIVE = 5.0


def day(seed: int, visits: int = 10, staff: int = 4) -> Problem:
    """A small town with breaks, waiting that has a price, and odd ways everywhere."""
    plain = town(seed, visits, staff)
    rest = Break(Window(121.0, 181.0), 30.0, 900.0, 0.2)
    people = tuple(replace(one, rest=rest if k % 2 else None) for k, one in enumerate(plain.caregivers))
    return replace(plain, caregivers=people, weights=replace(plain.weights, waiting=0.2, steady=0.5), grain=FIVE)


def starts(plan: Plan) -> dict[tuple[str, str], float]:
    return {(stop.visit, stop.service): stop.start for _, stop in plan.stops()}


def test_a_time_moves_up_to_the_next_step_unless_that_is_too_late() -> None:
    assert up(12.1, FIVE, 100.0) == 15.0
    assert up(15.0 + 1e-10, FIVE, 100.0) == 15.0
    assert up(12.1, FIVE, 14.0) == 12.1
    assert up(12.1, 0.0, 100.0) == 12.1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_plan_on_whole_steps_keeps_every_rule(seed: int) -> None:
    problem = day(seed)
    plan = solve(problem, StopRule(iterations=6_000), 1)
    assert check(problem, plan).violations == ()
    visits = {visit.id: visit for visit in problem.visits}
    for _, stop in plan.stops():
        window = visits[stop.visit].windows[0]
        assert is_round(stop.start, FIVE) or (visits[stop.visit].hard and up(stop.start, FIVE, 1e9) > window.end)
    rests = [stop.start for route in plan.routes for stop in route.stops if isinstance(stop, Rest)]
    assert all(is_round(begins, FIVE) or 180.0 < begins <= 181.0 for begins in rests)
    assert starts(settled(problem, plan)) == pytest.approx(starts(plan)), "nothing has to be pushed back"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_replanning_gives_what_is_confirmed_and_what_was_told_to_the_minute(seed: int) -> None:
    problem = day(seed)
    plan = solve(problem, StopRule(iterations=6_000), 1)
    told = {name: (tuple(who for who, stop in plan.stops() if stop.visit == name), time) for (name, _), time in starts(plan).items()}
    again = []
    for k, visit in enumerate(problem.visits):
        if visit.id not in told:
            again.append(visit)
            continue
        people, start = told[visit.id]
        if len({time for (name, _), time in starts(plan).items() if name == visit.id}) == 1 and k % 2:
            ordered = tuple(
                next(who for who, stop in plan.stops() if (stop.visit, stop.service) == (visit.id, s.id)) for s in visit.services
            )
            again.append(replace(visit, pinned=Pin(ordered, start), windows=(Window(start, start),)))
        else:
            again.append(replace(visit, told=start if len(people) == 1 else None))
    kept = replace(problem, visits=tuple(again))
    new = solve(kept, StopRule(iterations=1), 1, start=plan)
    assert check(kept, new).violations == ()
    for visit in kept.visits:
        if visit.pinned:
            assert {stop.start for _, stop in new.stops() if stop.visit == visit.id} == {visit.pinned.start}


def test_an_odd_time_that_was_told_stays_or_becomes_a_round_one() -> None:
    one = replace(town(3, 1, 1), grain=FIVE)
    calm = replace(
        one.visits[0], windows=(Window(0.0, 300.0),), hard=True, must=True, gap=None, after=None, services=one.visits[0].services[:1]
    )
    told = replace(calm, told=101.3)
    anybody = tuple(replace(who, skills=frozenset({"a", "b"})) for who in one.caregivers)
    problem = replace(one, visits=(told,), caregivers=anybody, weights=replace(one.weights, steady=0.5))
    plan = solve(problem, StopRule(iterations=200), 1)
    assert starts(plan) == {("v0", "0"): pytest.approx(101.3)}
    assert check(problem, plan).good
    shut = replace(problem, visits=(replace(told, windows=(Window(102.0, 300.0),)),))
    later = solve(shut, StopRule(iterations=200), 1)
    assert starts(later) == {("v0", "0"): 105.0}
    unheard = replace(problem, visits=(replace(told, told=None),))
    wrong = replace(later, routes=(polish(problem, plan).routes[0],))
    assert any("no whole step" in text for text in check(unheard, wrong).violations)


def test_a_pair_whose_gap_holds_no_step_and_a_pinned_visit_keep_their_minutes() -> None:
    problem = replace(town(3, 2, 2), grain=FIVE)
    pair = replace(problem.visits[0], gap=Gap(1.0, 4.0))
    assert grain_of(problem, pair) == 0.0
    assert grain_of(problem, replace(pair, gap=Gap(3.0, 7.0))) == FIVE
    assert grain_of(problem, replace(pair, gap=Gap(0.0, 0.0))) == FIVE
    assert grain_of(problem, replace(pair, gap=None, pinned=Pin(("p0",), 7.0))) == 0.0


def test_what_is_pushed_back_by_hand_begins_on_a_step() -> None:
    problem = day(5)
    plan = solve(problem, StopRule(iterations=6_000), 1)
    route = max(plan.routes, key=lambda one: len(one.visits))
    alone = {visit.id for visit in problem.visits if len(visit.services) == 1 and not visit.hard}
    moved = next(stop for stop in route.visits if stop.visit in alone)
    after = edited(problem, plan, (Edit(moved.visit, (route.caregiver,), moved.start + 3.0),))
    for key, time in starts(after).items():
        if key[0] == moved.visit:
            assert time == moved.start + 3.0, "a minute that somebody chose is kept"
        else:
            assert is_round(time, FIVE)


def tight(ends: float) -> Problem:
    """Four calls along a street and somebody who has until ``ends``; to the minute they take 128, on whole fives more than 135."""
    street = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))) * 11.0
    ten = (Service("s", frozenset(), 10.0),)
    calls = tuple(Visit(f"v{k}", k, ten, (Window(0.0, 400.0),), must=False, skip_cost=600.0, hard=True) for k in range(1, 5))
    staff = (Caregiver("x", frozenset(), 0, 0, Window(0.0, ends)),)
    return Problem(calls, staff, {"": street}, Weights(travel=1.0), overtime_hard=True, grain=FIVE, finest=1.0)


def test_whole_steps_leave_nobody_over() -> None:
    problem = tight(130.0)
    strict = solve(replace(problem, finest=0.0), StopRule(iterations=4_000), 1)
    assert len(strict.left_over) == 1, "on whole fives there is no time for the last of them"
    plan = solve(problem, StopRule(iterations=4_000), 1)
    assert (plan.left_over, check(problem, plan).violations) == ((), ())
    assert plan.fine == {name for (name, _), time in starts(plan).items() if not is_round(time, FIVE)} != set()
    assert all(is_round(time, 1.0) for time in starts(plan).values())
    assert check(problem, replace(plan, fine=frozenset())).violations, "only what has to begins between two steps"
    assert check(replace(problem, finest=0.0), plan).violations


def test_where_there_is_time_every_start_is_a_whole_step() -> None:
    plan = solve(tight(200.0), StopRule(iterations=4_000), 1)
    assert (plan.left_over, plan.fine) == ((), frozenset())
    assert all(is_round(time, FIVE) for time in starts(plan).values())
    beyond = solve(tight(120.0), StopRule(iterations=4_000), 1)
    assert len(beyond.left_over) == 1, "one is over in any case: nothing is gained by odd minutes"
    assert beyond.fine == frozenset()


def test_a_full_day_is_planned_again_and_asked_for_places_without_anybody_dropping_out() -> None:
    problem = tight(130.0)
    plan = solve(problem, StopRule(iterations=4_000), 1)
    again = solve(problem, StopRule(iterations=1), 1, start=plan)
    assert (again.left_over, check(problem, again).violations) == ((), ())
    last = plan.routes[0].visits[-1].visit
    (one,) = rank_insertions(problem, plan, last, most=1)
    assert one.later == (), "its own place is the best, and nobody waits for it"


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_on_finer_steps_every_rule_is_kept_and_no_less_is_made(seed: int) -> None:
    problem = replace(day(seed, visits=12, staff=2), finest=1.0)
    plan = solve(problem, StopRule(iterations=6_000), 1)
    assert check(problem, plan).violations == ()
    assert {name for (name, _), time in starts(plan).items() if not is_round(time, FIVE)} >= plan.fine
    again = solve(problem, StopRule(iterations=1), 1, start=plan)
    assert {one.visit for one in again.left_over} <= {one.visit for one in plan.left_over}
