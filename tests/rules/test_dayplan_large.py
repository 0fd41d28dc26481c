"""Large days: what a part may change, and that a plan searched in parts keeps every rule and never gets dearer."""

from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.large import Division, is_large, solve_in_parts
from healthsvc.dayplan.neighbours import neighbourhoods, within_reach
from healthsvc.dayplan.parts import part_of_plan, put_back
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import After, Caregiver, Gap, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.searched import searched
from healthsvc.dayplan.solve import Schedule, StopRule, solve

A, B = frozenset({"a"}), frozenset({"b"})
SMALL = Division(size=4, first=0.5, rounds=3)


def town(seed: int, visits: int, staff: int) -> Problem:
    """Homes and two offices in a square; some visits need two people, some follow another one."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.0, 30.0, (visits + 2, 2))
    ways = np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1))
    asked = []
    for k in range(visits):
        skills = (A, B) if rng.random() < 0.25 else ((A,) if rng.random() < 0.6 else (B,))
        opens = float(rng.uniform(0.0, 240.0))
        after = After(f"v{k - 1}", 60.0) if k and rng.random() < 0.15 and asked[-1].after is None else None
        asked.append(
            Visit(
                f"v{k}",
                k + 2,
                tuple(Service(str(j), one, 20.0) for j, one in enumerate(skills)),
                (Window(opens, opens + 120.0),),
                gap=Gap(0.0, float(rng.choice([0.0, 30.0]))) if len(skills) > 1 else None,
                must=False,
                skip_cost=float(rng.choice([100.0, 400.0])),
                hard=bool(rng.random() < 0.5),
                after=after,
            )
        )
    people = tuple(Caregiver(f"p{k}", A if k % 2 else B, k % 4 // 2, k % 4 // 2, Window(0.0, 420.0)) for k in range(staff))
    return Problem(tuple(asked), people, {"": ways}, Weights(travel=1.0, late=3.0, balance=0.1), overtime_hard=True)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 16), st.integers(3, 8))
def test_a_plan_searched_in_parts_keeps_every_rule_and_is_never_dearer_than_its_beginning(seed: int, visits: int, staff: int) -> None:
    problem = town(seed, visits, staff)
    begun = searched(problem, StopRule(iterations=4_000), 1, Schedule())
    plan = solve_in_parts(problem, StopRule(iterations=8_000), 1, division=SMALL)
    verdict = check(problem, plan)
    assert verdict.violations == ()
    assert verdict.cost <= check(problem, begun).cost + 1e-6
    assert {one.visit for one in plan.left_over} == {visit.id for visit in problem.visits} - {stop.visit for _, stop in plan.stops()}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 100))
@example(2, 2)  # of the visit before, one half lies inside and the other, which starts later, outside
def test_what_is_tied_to_somebody_outside_stays_where_it_is(seed: int, draw: int) -> None:
    problem = town(seed, 14, 6)
    plan = searched(problem, StopRule(iterations=4_000), 1, Schedule())
    groups = neighbourhoods(problem, plan, 5, np.random.default_rng(draw))
    assert sorted(who for group in groups for who in group) == sorted(person.id for person in problem.caregivers)
    before = {(stop.visit, stop.service): (who, stop.start) for who, stop in plan.stops()}
    for people, more in zip(groups, within_reach(problem, plan, groups), strict=True):
        mine = part_of_plan(problem, plan, people, more)
        found = searched(mine.problem, StopRule(iterations=2_000), 1, Schedule(), mine.start)
        changed = put_back(problem, plan, found)
        assert check(problem, changed).violations == ()
        after = {(stop.visit, stop.service): (who, stop.start) for who, stop in changed.stops()}
        for key, (who, start) in before.items():
            if who not in people:
                assert after[key] == (who, start)


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = town(5, 16, 8)
    stop = StopRule(iterations=8_000)
    one = solve_in_parts(problem, stop, 3, division=SMALL)
    assert solve_in_parts(problem, stop, 3, division=SMALL) == one


def test_a_visit_that_nobody_makes_goes_to_the_group_that_is_placed_best() -> None:
    problem = town(1, 8, 8)
    nothing = Plan((), (), 0.0)
    groups = [frozenset({"p0", "p1", "p4", "p5"}), frozenset({"p2", "p3", "p6", "p7"})]
    planned = replace(nothing, left_over=searched(replace(problem, caregivers=()), StopRule(iterations=10), 1, Schedule()).left_over)
    given_to = within_reach(problem, planned, groups)
    ways = problem.travel[""]
    for visit in problem.visits:
        nearer = int(ways[1, visit.place] < ways[0, visit.place])
        assert visit.id in given_to[nearer]


def test_only_large_days_without_a_price_on_the_worst_case_are_divided() -> None:
    large = town(1, 700, 60)
    assert is_large(large)
    assert not is_large(town(1, 100, 20))
    assert not is_large(replace(large, weights=replace(large.weights, latest=1.0)))
    assert check(large, solve(large, StopRule(iterations=30_000), 1)).good
