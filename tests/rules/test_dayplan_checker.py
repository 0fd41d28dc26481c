"""The checker is strict: every mutation of a good plan is rejected, every published best solution verifies."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.formats import mankowska, reading, uhhc, uhhc_solution
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.solve import StopRule, solve

INSTANCES = Path(__file__).resolve().parents[2] / "fixtures/instances"


@pytest.fixture(scope="module")
def double() -> tuple[Problem, Plan]:
    """A solved instance with pairs and sequences."""
    problem = mankowska.read(reading.load(INSTANCES / "mankowska-12.json"), "mankowska-12")
    return problem, solve(problem, StopRule(iterations=60_000))


@pytest.fixture(scope="module")
def unified() -> tuple[Problem, Plan]:
    """A solved instance with breaks, shifts and optional people."""
    problem = uhhc.read(reading.load(INSTANCES / "unified-15.json"), "unified-15")
    return problem, solve(problem, StopRule(iterations=60_000))


def change(plan: Plan, wanted: Callable[[Stop | Rest], bool], to: Callable[[Stop | Rest], tuple[Stop | Rest, ...]]) -> Plan:
    """Replace the first stop that is wanted."""
    routes, done = [], False
    for route in plan.routes:
        stops: list[Stop | Rest] = []
        for stop in route.stops:
            hit = not done and wanted(stop)
            stops += to(stop) if hit else (stop,)
            done = done or hit
        routes.append(replace(route, stops=tuple(stops)))
    assert done
    return replace(plan, routes=tuple(routes))


def later(stop: Stop | Rest, minutes: float) -> Stop | Rest:
    return replace(stop, start=stop.start + minutes, end=stop.end + minutes)


def is_stop(stop: Stop | Rest) -> bool:
    return isinstance(stop, Stop)


def words(problem: Problem, plan: Plan) -> str:
    verdict = check(problem, plan)
    assert not verdict.good
    return " | ".join(verdict.violations)


def test_good_plans_pass(double: tuple[Problem, Plan], unified: tuple[Problem, Plan]) -> None:
    for problem, plan in (double, unified):
        verdict = check(problem, plan)
        assert verdict.violations == ()
        assert verdict.cost == pytest.approx(plan.cost)


def test_a_service_that_is_missing_doubled_or_unknown(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    assert "must be visited" in words(problem, change(plan, lambda s: is_stop(s) and alone(problem, s), lambda s: ()))
    assert "2 times" in words(problem, change(plan, is_stop, lambda s: (s, later(s, 300.0))))
    assert "not in the problem" in words(problem, change(plan, is_stop, lambda s: (replace(s, visit="nobody"),)))
    assert "asks for no service" in words(problem, change(plan, is_stop, lambda s: (replace(s, service="s99"),)))


def alone(problem: Problem, stop: Stop | Rest) -> bool:
    return next(len(one.services) == 1 for one in problem.visits if one.id == stop.visit)


def test_half_a_double_visit_is_no_visit(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    assert "done 0 times" in words(problem, change(plan, lambda s: not alone(problem, s), lambda s: ()))


def test_times_that_cannot_be(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    assert "lasts" in words(problem, change(plan, is_stop, lambda s: (replace(s, end=s.end - 1.0),)))
    pressed = next(route for route in plan.routes if len(route.stops) > 1)
    second = pressed.stops[1]
    assert "arrives at" in words(problem, change(plan, lambda s: s == second, lambda s: (later(s, pressed.stops[0].end - s.start),)))
    opens = {one.id: one.windows[0].start for one in problem.visits}
    waited = next(s for r in plan.routes for s in r.visits if s.start == opens[s.visit] and opens[s.visit] > 0)
    assert "before" in words(problem, change(plan, lambda s: s == waited, lambda s: (later(s, -1.0),)))


def test_pairs_have_to_start_together_and_sequences_apart(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    gaps = {one.id: one.gap for one in problem.visits}
    together = next(name for name, gap in gaps.items() if gap and gap.together)
    after = next(name for name, gap in gaps.items() if gap and not gap.together)
    for name in (together, after):
        assert "minutes apart" in words(problem, change(plan, lambda s, name=name: s.visit == name, lambda s: (later(s, 500.0),)))


def test_people_who_may_not(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    names = [route.caregiver for route in plan.routes]
    shifted = tuple(replace(route, caregiver=names[k - 1]) for k, route in enumerate(plan.routes))
    assert "lacks the skill" in words(problem, replace(plan, routes=shifted))
    assert "two routes" in words(problem, replace(plan, routes=(*plan.routes, plan.routes[0])))
    assert "not in the problem" in words(problem, replace(plan, routes=(replace(plan.routes[0], caregiver="nobody"), *plan.routes[1:])))
    barred = replace(problem, visits=tuple(replace(one, barred=frozenset(names)) for one in problem.visits))
    assert "must not come" in words(barred, plan)


def test_both_halves_by_one_person_are_refused(double: tuple[Problem, Plan]) -> None:
    problem, plan = double
    one = next(visit for visit in problem.visits if visit.gap and not visit.gap.together)
    halves = [stop for _, stop in plan.stops() if stop.visit == one.id]
    everybody = tuple(replace(person, skills=frozenset(f"s{k}" for k in range(1, 7))) for person in problem.caregivers)
    routes = [replace(route, stops=tuple(stop for stop in route.stops if stop.visit != one.id)) for route in plan.routes]
    alone_again = (Route("new", 0.0, tuple(sorted(halves, key=lambda stop: stop.start)), 0.0),)
    staff = (*everybody, replace(everybody[0], id="new"))
    assert "needs 2 different people" in words(replace(problem, caregivers=staff), replace(plan, routes=(*routes, *alone_again)))


def test_breaks(unified: tuple[Problem, Plan]) -> None:
    problem, plan = unified

    def is_rest(stop: Stop | Rest) -> bool:
        return isinstance(stop, Rest)

    assert "outside its window" in words(problem, change(plan, is_rest, lambda s: (later(s, 400.0),)))
    assert "lasts" in words(problem, change(plan, is_rest, lambda s: (replace(s, end=s.end + 5.0),)))
    assert "two breaks" in words(problem, change(plan, is_rest, lambda s: (s, s)))
    missed = check(problem, change(plan, is_rest, lambda s: ()))
    assert missed.parts["missed"] == check(problem, plan).parts["missed"] + 70
    undue = tuple(replace(person, rest=None) for person in problem.caregivers)
    assert "due none" in words(replace(problem, caregivers=undue), plan)


def test_shifts(unified: tuple[Problem, Plan]) -> None:
    problem, plan = unified
    early = tuple(replace(person, shift=replace(person.shift, end=60.0)) for person in problem.caregivers)
    assert "after the shift" in words(replace(problem, caregivers=early, overtime_hard=True), plan)
    late = tuple(replace(person, shift=replace(person.shift, start=400.0)) for person in problem.caregivers)
    assert "before the shift begins" in words(replace(problem, caregivers=late), plan)


def test_leaving_out_costs_what_it_says(unified: tuple[Problem, Plan]) -> None:
    problem, plan = unified
    optional = next(one for one in problem.visits if not one.must and any(stop.visit == one.id for _, stop in plan.stops()))
    routes = tuple(
        replace(route, stops=tuple(stop for stop in route.stops if stop.visit != optional.id or isinstance(stop, Rest)))
        for route in plan.routes
    )
    without = replace(plan, routes=routes, left_over=(*plan.left_over, LeftOver(optional.id)))
    assert check(problem, without).parts["skipped"] == check(problem, plan).parts["skipped"] + 90


def published(shared: Path) -> Iterator[tuple[str, Problem, Plan, float]]:
    """Every published best solution with its reported cost."""
    folder = shared / "hhcrsp/mankowska"
    for line in (folder / "mankowska_best.md").read_text().splitlines()[2:]:
        cells = [cell.strip() for cell in line.split("|")]
        problem = mankowska.read(reading.load(folder / "instances" / cells[1]), cells[1])
        yield cells[1], problem, mankowska.read_plan(problem, reading.load(folder / "best_solutions" / cells[6]), cells[6]), float(cells[5])
    best = {row["instance"]: row for row in json.loads((shared / "hhcrsp/uhhc/uhhc_best.json").read_text())["rows"]}
    for found in sorted((shared / "hhcrsp/uhhc").glob("*/*_solutions/*.json")):
        kind = found.parents[1].name
        name = found.name.removeprefix("sol-").rsplit("-", 1)[0] if found.name.startswith("sol-") else found.name.split(".")[0]
        problem = uhhc.read(reading.load(found.parents[1] / "instances" / f"{name}.json"), name)
        solution = reading.load(found)
        cost = solution["cost"]["objective"] if "cost" in solution else best.get(f"{kind}/{name}", {}).get("cpsat")
        if cost is not None:
            yield found.name, problem, uhhc_solution.read_plan(problem, solution, found.name), float(cost)


@pytest.mark.shared
def test_every_published_best_solution_verifies(shared: Path) -> None:
    seen = 0
    for name, problem, plan, cost in published(shared):
        verdict = check(problem, plan)
        assert verdict.violations == (), name
        assert verdict.cost == pytest.approx(cost, abs=0.005), name
        seen += 1
    assert seen > 80
