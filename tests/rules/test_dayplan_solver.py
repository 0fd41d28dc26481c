"""The solver against brute force, and one small problem for every constraint in which it decides."""

from dataclasses import replace
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.insertion import rank_insertions
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import After, Break, Caregiver, Departure, Gap, Pin, Problem, Service, Visit, Weights, Window, WindowMet
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.errors import Invalid, RuleViolation

A, B = frozenset({"a"}), frozenset({"b"})
LINE = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0))) * 10.0
"""Places along a street, ten minutes apart; the office is place 0."""


def person(id: str = "x", skills: frozenset[str] = A, ends: float = 480.0, rest: Break | None = None) -> Caregiver:
    return Caregiver(id, skills, 0, 0, Window(0.0, ends), rest)


def visit(id: str, place: int, opens: float = 0.0, closes: float = 400.0, skills: frozenset[str] = A, minutes: float = 20.0) -> Visit:
    return Visit(id, place, (Service("s", skills, minutes),), (Window(opens, closes),), must=False, skip_cost=500.0, hard=True)


def street(visits: list[Visit], staff: list[Caregiver], weights: Weights | None = None, **more: object) -> Problem:
    return Problem(tuple(visits), tuple(staff), {"": LINE}, weights or Weights(travel=1.0), overtime_hard=True, **more)  # type: ignore[arg-type]


def answer(problem: Problem, seed: int = 1, iterations: int = 12_000) -> Plan:
    plan = solve(problem, StopRule(iterations=iterations), seed)
    assert check(problem, plan).good
    return plan


def left(plan: Plan) -> set[str]:
    return {one.visit for one in plan.left_over}


def who(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for caregiver, stop in plan.stops():
        found.setdefault(stop.visit, []).append(caregiver)
    return {name: sorted(people) for name, people in found.items()}


def start(plan: Plan, name: str) -> float:
    return next(stop.start for _, stop in plan.stops() if stop.visit == name)


def test_nobody_sits_through_a_morning_that_has_work_for_them() -> None:
    rest = Break(Window(240.0, 300.0), 30.0, 1000.0, first=0.2)
    plan = answer(street([visit("v", 1), visit("w", 2)], [person("x", rest=rest)]))
    assert sorted((start(plan, "v"), start(plan, "w"))) in ([10.0, 40.0], [20.0, 50.0])
    late = street([visit("v", 1, opens=330.0, closes=360.0)], [person("x", rest=rest)])
    waited = answer(late)
    assert isinstance(waited.routes[0].stops[0], Rest), "where there is nothing to do before, the break comes first"
    assert check(late, waited).parts["waiting"] == pytest.approx(0.2 * (330.0 - 10.0))


def test_a_skill_decides_who_comes() -> None:
    two = [person("x", A), person("y", B)]
    assert who(answer(street([visit("v", 1, skills=B)], two))) == {"v": ["y"]}
    assert left(answer(street([visit("v", 1, skills=frozenset({"c"}))], two))) == {"v"}


def test_a_hard_window_decides_what_is_left_over() -> None:
    assert left(answer(street([visit("v", 5, closes=49.0)], [person()]))) == {"v"}
    assert left(answer(street([visit("v", 5, closes=50.0)], [person()]))) == set()


def test_a_soft_window_may_be_overrun_for_its_price() -> None:
    late = replace(visit("v", 5, closes=40.0), hard=False)
    plan = answer(street([late], [person()], Weights(travel=1.0, late=2.0, latest=3.0)))
    assert check(street([late], [person()], Weights(travel=1.0, late=2.0, latest=3.0)), plan).parts["late"] == 20.0
    assert plan.cost == 100.0 + 2 * 10 + 3 * 10


def test_the_window_may_ask_for_the_end_of_the_service() -> None:
    one = visit("v", 1, closes=29.0)
    assert left(answer(street([one], [person()], met=WindowMet.AT_START))) == set()
    assert left(answer(street([one], [person()], met=WindowMet.AT_END))) == {"v"}


def test_the_second_window_is_used_where_the_first_cannot_be_kept() -> None:
    one = replace(visit("v", 4), windows=(Window(0.0, 30.0), Window(100.0, 120.0)))
    assert start(answer(street([one], [person()])), "v") == 100.0


def test_a_shift_ends() -> None:
    assert left(answer(street([visit("v", 5)], [person(ends=119.0)]))) == {"v"}
    assert left(answer(street([visit("v", 5)], [person(ends=120.0)]))) == set()


def test_a_pair_starts_together_and_needs_two_people() -> None:
    two = (Service("1", A, 20.0), Service("2", A, 20.0))
    pair = replace(visit("p", 2), services=two, gap=Gap(0.0, 0.0))
    assert left(answer(street([pair], [person("x")]))) == {"p"}
    plan = answer(street([pair, visit("early", 1, closes=10.0)], [person("x"), person("y")]))
    assert who(plan)["p"] == ["x", "y"]
    assert len({stop.start for _, stop in plan.stops() if stop.visit == "p"}) == 1


def test_a_sequence_keeps_its_least_and_most() -> None:
    two = (Service("1", A, 20.0), Service("2", B, 20.0))
    late = visit("late", 5, opens=300.0, skills=B)
    pair = replace(visit("p", 2), services=two, gap=Gap(60.0, 90.0))
    plan = answer(street([pair, late], [person("x", A), person("y", B)]))
    starts = {stop.service: stop.start for _, stop in plan.stops() if stop.visit == "p"}
    assert 60.0 <= starts["2"] - starts["1"] <= 90.0
    squeezed = replace(pair, windows=(Window(0.0, 50.0),))
    assert left(answer(street([squeezed], [person("x", A), person("y", B)]))) == {"p"}


def test_pairs_may_cross_between_two_people() -> None:
    # x does the first half of p and the second of q, y the other halves: an order of patients could not hold this plan
    p = replace(visit("p", 1), services=(Service("1", A, 10.0), Service("2", B, 10.0)), gap=Gap(30.0, 40.0), windows=(Window(0.0, 60.0),))
    q = replace(visit("q", 1), services=(Service("1", B, 10.0), Service("2", A, 10.0)), gap=Gap(30.0, 40.0), windows=(Window(0.0, 60.0),))
    assert left(answer(street([p, q], [person("x", A), person("y", B)]))) == set()


def test_a_visit_waits_for_the_one_before() -> None:
    second = replace(visit("second", 1), after=After("first", 200.0))
    plan = answer(street([visit("first", 1), second], [person()]))
    assert start(plan, "second") >= start(plan, "first") + 200.0
    tight = replace(second, windows=(Window(0.0, 150.0),))
    assert len(left(answer(street([visit("first", 1), tight], [person()])))) == 1


def test_nobody_comes_who_must_not() -> None:
    assert who(answer(street([replace(visit("v", 1), barred=frozenset({"x"}))], [person("x"), person("y")]))) == {"v": ["y"]}


def test_the_break_is_taken_or_its_price_paid() -> None:
    rest = Break(Window(100.0, 120.0), 30.0, 1000.0)
    fill = [visit(f"v{k}", 0, opens=60.0 + 20.0 * k, closes=60.0 + 20.0 * k) for k in range(6)]
    plan = answer(street(fill, [person(rest=rest)]))
    assert any(isinstance(stop, Rest) for route in plan.routes for stop in route.stops)
    assert left(plan)
    assert not left(answer(street(fill, [person(rest=replace(rest, weight=100.0))])))


def test_a_pinned_visit_stays() -> None:
    pinned = replace(visit("v", 5), pinned=Pin(("y",), 200.0))
    plan = answer(street([pinned, visit("w", 4)], [person("x"), person("y")]))
    assert (who(plan)["v"], start(plan, "v")) == (["y"], 200.0)


def test_a_visit_that_must_be_made_outweighs_any_number_that_may() -> None:
    full = [replace(visit(f"v{k}", 0, opens=0.0, closes=0.0, minutes=60.0), skip_cost=9_000.0) for k in range(3)]
    must = replace(visit("must", 0, closes=0.0, minutes=60.0), must=True)
    assert "must" not in left(answer(street([*full, must], [person()])))


def test_a_visit_that_must_be_made_and_cannot_is_refused() -> None:
    with pytest.raises(RuleViolation, match="no plan was found"):
        solve(street([replace(visit("v", 5, closes=10.0), must=True)], [person()]), StopRule(iterations=2_000))


def test_continuity_is_bought_with_travel_up_to_its_price() -> None:
    near, far = person("near"), replace(person("far"), start_place=3, end_place=3)
    known = replace(visit("v", 1), affinity={"near": 30.0})
    assert who(answer(street([known], [near, far]))) == {"v": ["far"]}
    assert who(answer(street([replace(known, affinity={"near": 10.0})], [near, far]))) == {"v": ["near"]}


def test_preferred_people_come_where_it_is_worth_it() -> None:
    liked = replace(visit("v", 1), preferred=frozenset({"y"}))
    assert who(answer(street([liked], [person("x"), person("y")], Weights(travel=1.0, preference=5.0)))) == {"v": ["y"]}


def test_idle_time_is_shared() -> None:
    pair = [visit("v", 1), visit("w", 1)]
    together = answer(street(pair, [person("x"), person("y")], Weights(travel=1.0)))
    assert sorted(len(route.visits) for route in together.routes) == [0, 2]
    apart = answer(street(pair, [person("x"), person("y")], Weights(travel=1.0, idle=5.0)))
    assert sorted(len(route.visits) for route in apart.routes) == [1, 1]


def test_waiting_before_the_first_visit_counts_only_where_the_shift_begins_it() -> None:
    one = visit("v", 1, opens=100.0)
    weights = Weights(travel=1.0, waiting=1.0)
    assert answer(street([one], [person()], weights)).cost == 20.0
    assert answer(street([one], [person()], weights, departure=Departure.SHIFT_START)).cost == 110.0


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = street([visit(f"v{k}", k % 6, opens=10.0 * k) for k in range(14)], [person("x"), person("y", ends=240.0)])
    first, again = (answer(problem, seed=7, iterations=30_000) for _ in range(2))
    assert first == again
    assert answer(problem, seed=8, iterations=30_000).seed == 8


def test_nobody_on_duty_leaves_everything_over() -> None:
    assert left(answer(street([visit("v", 1)], []))) == {"v"}
    assert answer(street([], [person()])).routes == ()


def test_a_problem_that_contradicts_itself_is_refused() -> None:
    for wrong in (
        visit("v", 1, minutes=-1.0),
        replace(visit("v", 1), services=(Service("1", A, 0.0), Service("2", A, 9.0)), gap=Gap(0.0, 0.0)),
        replace(visit("v", 1), windows=()),
        replace(visit("v", 1), after=After("nobody", 1.0)),
        replace(visit("v", 1), pinned=Pin(("nobody",), 1.0)),
    ):
        with pytest.raises(Invalid):
            solve(street([wrong], [person()]), StopRule(iterations=100))


minutes = st.integers(0, 12).map(lambda k: 10.0 * k)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    count = draw(st.integers(1, 4))
    visits = []
    for k in range(count):
        opens = draw(minutes)
        one = visit(
            f"v{k}",
            draw(st.integers(0, 5)),
            opens,
            opens + draw(minutes),
            draw(st.sampled_from((A, B))),
            draw(st.sampled_from((0.0, 10.0, 25.0))),
        )
        one = replace(one, hard=draw(st.booleans()), skip_cost=draw(st.sampled_from((40.0, 300.0))))
        if draw(st.integers(0, 3)) == 0:
            services = (
                replace(one.services[0], duration=one.services[0].duration or 10.0),
                Service("t", draw(st.sampled_from((A, B))), 15.0),
            )
            one = replace(one, services=services, gap=draw(st.sampled_from((Gap(0.0, 0.0), Gap(10.0, 30.0), None))))
        visits.append(one)
    staff = [
        person("x", draw(st.sampled_from((A, A | B))), draw(st.sampled_from((90.0, 240.0)))),
        person("y", draw(st.sampled_from((B, A | B))), 200.0),
    ]
    weights = Weights(
        travel=1.0, late=draw(st.sampled_from((0.5, 2.0))), latest=draw(st.sampled_from((0.0, 1.0))), idle=draw(st.sampled_from((0.0, 0.5)))
    )
    grain = draw(st.sampled_from((0.0, 0.0, 15.0)))
    met = draw(st.sampled_from(tuple(WindowMet))) if not grain else WindowMet.AT_START
    return Problem(tuple(visits), tuple(staff), {"": LINE}, weights, met, overtime_hard=True, grain=grain)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems())
def test_the_solver_finds_what_brute_force_finds(problem: Problem) -> None:
    plan = solve(problem, StopRule(iterations=400_000), 1)
    assert check(problem, plan).good
    assert plan.cost <= brute_force(problem) + 1e-6


@st.composite
def crowds(draw: st.DrawFn) -> Problem:
    """A visit for three people, together or one after the other, and others beside it."""
    opens = draw(minutes)
    services = tuple(Service(str(k), draw(st.sampled_from((A, B, frozenset()))), draw(st.sampled_from((10.0, 25.0)))) for k in range(3))
    crowd = replace(visit("crowd", draw(st.integers(0, 5)), opens, opens + draw(minutes)), services=services, skip_cost=600.0)
    crowd = replace(crowd, gap=draw(st.sampled_from((Gap(0.0, 0.0), Gap(10.0, 30.0)))), hard=draw(st.booleans()))
    others = [
        visit(f"v{k}", draw(st.integers(0, 5)), begins := draw(minutes), begins + draw(minutes), draw(st.sampled_from((A, B))), 15.0)
        for k in range(draw(st.integers(0, 2)))
    ]
    staff = (
        person("x", A, 200.0),
        person("y", B, 200.0),
        person("z", draw(st.sampled_from((A | B, A))), draw(st.sampled_from((120.0, 200.0)))),
    )
    weights = Weights(travel=1.0, late=draw(st.sampled_from((0.5, 2.0))))
    grain = draw(st.sampled_from((0.0, 15.0)))
    return Problem((crowd, *others), staff, {"": LINE}, weights, overtime_hard=True, grain=grain)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(crowds())
def test_three_people_come_as_brute_force_lets_them(problem: Problem) -> None:
    plan = solve(problem, StopRule(iterations=100_000), 1)
    assert check(problem, plan).violations == ()
    assert plan.cost <= brute_force(problem) + 1e-6


def test_any_of_three_takes_the_place_of_another_visit() -> None:
    # y is the only one for the second of three and for w: the three come only if theirs takes the place of w
    three = (Service("1", A, 25.0), Service("2", B, 25.0), Service("3", A, 25.0))
    crowd = replace(visit("c", 0, 90.0, 170.0), services=three, gap=Gap(10.0, 30.0), skip_cost=600.0, hard=False)
    w = visit("w", 3, 120.0, 190.0, B, 15.0)
    staff = [person("x", A, 200.0), person("y", B, 200.0), person("z", A, 120.0)]
    plan = answer(street([crowd, w], staff, Weights(travel=1.0, late=0.5), grain=15.0), iterations=100_000)
    assert (left(plan), plan.cost) == ({"w"}, 500.0)


def test_three_people_start_together_two_skills_and_a_helper() -> None:
    three = (Service("1", A, 20.0), Service("2", B, 20.0), Service("3", frozenset(), 20.0))
    crowd = replace(visit("c", 2), services=three, gap=Gap(0.0, 0.0))
    early = visit("early", 5, opens=60.0, skills=frozenset({"c"}))
    helper = person("z", frozenset({"c"}))
    plan = answer(street([crowd, early], [person("x", A), person("y", B), helper]))
    assert who(plan)["c"] == ["x", "y", "z"]
    assert len({stop.start for _, stop in plan.stops() if stop.visit == "c"}) == 1
    assert left(answer(street([crowd, early], [person("x", A), person("y", B)]))) == {"c", "early"}
    alone = rank_insertions(street([crowd, early], [person("x", A), person("y", B), helper]), without(plan, "c"), "c")
    assert set(alone[0].caregivers) == {"x", "y", "z"}
    assert len(set(alone[0].starts)) == 1
    kept = replace(crowd, pinned=Pin(("x", "y", "z"), 105.0), windows=(Window(105.0, 105.0),))
    again = answer(street([kept, early], [person("x", A), person("y", B), helper]))
    assert {stop.start for _, stop in again.stops() if stop.visit == "c"} == {105.0}


def without(plan: Plan, name: str) -> Plan:
    routes = tuple(replace(one, stops=tuple(stop for stop in one.stops if stop.visit != name)) for one in plan.routes)
    return replace(plan, routes=routes, left_over=(*plan.left_over, LeftOver(name)))


def brute_force(problem: Problem) -> float:
    """The best plan over all choices of visits, people and orders, each started as early as it can."""
    best = sum(one.skip_cost for one in problem.visits) + 1e9
    for chosen in product((True, False), repeat=len(problem.visits)):
        skipped = sum(one.skip_cost for one, take in zip(problem.visits, chosen, strict=True) if not take)
        services = [(one, service) for one, take in zip(problem.visits, chosen, strict=True) if take for service in one.services]
        able = [[c for c in problem.caregivers if service.skills <= c.skills] for _, service in services]
        for people in product(*able):
            for order in orders(services, people, problem):
                if skipped + problem.weights.travel * way(problem, order) >= best:
                    continue  # whatever the times, it cannot be better
                plan = schedule(problem, order, chosen)
                if plan is not None:
                    verdict = check(problem, plan)
                    if verdict.good:
                        best = min(best, verdict.cost)
    return best


Item = tuple[Visit, Service]


def orders(services: list[Item], people: tuple[Caregiver, ...], problem: Problem) -> list[dict[str, tuple[Item, ...]]]:
    per = [list(permutations([item for item, by in zip(services, people, strict=True) if by is c])) for c in problem.caregivers]
    return [dict(zip((c.id for c in problem.caregivers), found, strict=True)) for found in product(*per)]


def way(problem: Problem, routes: dict[str, tuple[Item, ...]]) -> float:
    """Minutes on the way to the last of everybody's visits."""
    return sum(LINE[a, b] for c in problem.caregivers for a, b in pairwise((c.start_place, *(one.place for one, _ in routes[c.id]))))


def readable(problem: Problem, one: Visit, time: float) -> float:
    """The next whole step of the clock, where the window does not close before it."""
    step = problem.grain
    if not step:
        return time
    rounded = -(-time // step) * step
    return time if one.hard and time <= one.windows[0].end < rounded else rounded


def schedule(problem: Problem, routes: dict[str, tuple[Item, ...]], chosen: tuple[bool, ...]) -> Plan | None:
    """Earliest starts by repeating all conditions until nothing moves; None where they never settle, or not within the shifts."""
    starts = {(one.id, service.id): one.windows[0].start for route in routes.values() for one, service in route}
    for _ in range(60):
        before = dict(starts)
        for c in problem.caregivers:
            here, free = c.start_place, c.shift.start
            for one, service in routes[c.id]:
                key = one.id, service.id
                starts[key] = readable(problem, one, max(starts[key], free + LINE[here, one.place]))
                here, free = one.place, starts[key] + service.duration
            if free > c.shift.end:
                return None  # starts only grow, and overtime is forbidden here
        for one in problem.visits:
            if one.gap and (one.id, one.services[0].id) in starts:
                for i, j in pairwise((one.id, service.id) for service in one.services):
                    starts[j] = readable(problem, one, max(starts[j], starts[i] + one.gap.least))
                    starts[i] = readable(problem, one, max(starts[i], starts[j] - one.gap.most))
            earlier = [start for (name, _), start in starts.items() if one.after and name == one.after.visit]
            for key in [key for key in starts if earlier and key[0] == one.id]:
                assert one.after is not None
                starts[key] = max(starts[key], max(earlier) + one.after.least)
        if starts == before:
            break
    else:
        return None
    made = []
    for c in problem.caregivers:
        stops = []
        for one, service in routes[c.id]:
            begin = starts[one.id, service.id]
            stops.append(Stop(one.id, service.id, begin, begin, begin + service.duration))
        made.append(Route(c.id, 0.0, tuple(stops), 0.0))
    missing = tuple(LeftOver(one.id) for one, take in zip(problem.visits, chosen, strict=True) if not take)
    return Plan(tuple(made), missing)
