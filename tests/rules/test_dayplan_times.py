"""The last step: with the order fixed, start times that cost least."""

from dataclasses import replace

import numpy as np
import pytest

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.plan import Plan, Stop
from healthsvc.dayplan.polish import polish
from healthsvc.dayplan.problem import Break, Caregiver, Departure, Gap, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.solve import StopRule, solve

A = frozenset({"a"})
LINE = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))) * 10.0
SHIFT = Window(0.0, 600.0)
EARLY = Visit("early", 1, (Service("s", A, 20.0),), (Window(0.0, 140.0),), must=False, skip_cost=500.0, hard=True)
LATE = replace(EARLY, id="late", place=2, windows=(Window(150.0, 400.0),))


def problem(*visits: Visit, staff: tuple[str, ...] = ("x",), rest: Break | None = None, **weights: float) -> Problem:
    people = tuple(Caregiver(name, A, 0, 0, SHIFT, rest) for name in staff)
    return Problem(visits, people, {"": LINE}, Weights(travel=1.0, **({"waiting": 1.0} | weights)), overtime_hard=True)


def starts(plan: Plan) -> dict[str, float]:
    return {stop.visit: stop.start for _, stop in plan.stops()}


def test_whoever_would_wait_sets_out_later() -> None:
    one = problem(EARLY, LATE)
    plan = solve(one, StopRule(iterations=2_000))
    assert check(one, plan).parts["waiting"] == 0.0
    assert starts(plan) == pytest.approx({"early": 120.0, "late": 150.0}, abs=0.001)
    assert plan.routes[0].departure == pytest.approx(110.0, abs=0.001)


def test_a_window_limits_how_late() -> None:
    closing = replace(EARLY, windows=(Window(0.0, 90.0),))
    one = problem(closing, LATE)
    plan = solve(one, StopRule(iterations=2_000))
    assert starts(plan)["early"] == pytest.approx(90.0, abs=0.001)
    assert check(one, plan).parts["waiting"] == pytest.approx(30.0, abs=0.01)


def test_a_partner_does_not_wait_for_a_later_start() -> None:
    both = Visit("both", 3, (Service("1", A, 20.0), Service("2", A, 20.0)), (Window(0.0, 400.0),), Gap(0.0, 0.0), must=True)
    pinned_by_window = replace(EARLY, windows=(Window(0.0, 0.0),), place=0)
    one = problem(both, LATE, pinned_by_window, staff=("x", "y"))
    plan = solve(one, StopRule(iterations=20_000))
    verdict = check(one, plan)
    assert verdict.good
    assert polish(one, plan).routes == plan.routes or check(one, polish(one, plan)).cost == pytest.approx(verdict.cost, abs=0.01)


def test_setting_out_with_the_shift_cannot_be_put_off() -> None:
    one = replace(problem(EARLY, LATE), departure=Departure.SHIFT_START)
    plan = solve(one, StopRule(iterations=2_000))
    assert check(one, plan).parts["waiting"] == 110.0  # 150 minutes until the second visit less travel and the first visit
    assert starts(plan)["early"] == 10.0


def test_the_break_stays_in_its_window() -> None:
    one = problem(EARLY, LATE, rest=Break(Window(30.0, 60.0), 30.0, 1000.0))
    plan = solve(one, StopRule(iterations=4_000))
    verdict = check(one, plan)
    assert verdict.good
    assert verdict.parts["missed"] == 0.0


def test_without_a_price_of_waiting_nothing_moves() -> None:
    one = problem(EARLY, LATE, waiting=0.0)
    plan = solve(one, StopRule(iterations=2_000))
    assert polish(one, plan) is plan
    assert all(isinstance(stop, Stop) for stop in plan.routes[0].stops)
