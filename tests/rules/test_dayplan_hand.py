"""Plans changed by hand: what is said to be broken is what the strict checker finds broken."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from test_dayplan_solver import LINE, A, B, answer, person, problems, start, street, visit, who

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.hand import Edit, conflicts, edited
from healthsvc.dayplan.plan import LeftOver, Plan, Route
from healthsvc.dayplan.problem import Break, Gap, Problem, Service, Weights, Window, WindowMet
from healthsvc.dayplan.proof import prove_left, relax
from healthsvc.dayplan.why import why_planned

NOBODY = Plan((), ())


def empty(problem: Problem) -> Plan:
    return Plan(tuple(Route(one.id, 0.0, (), 0.0) for one in problem.caregivers), tuple(LeftOver(one.id) for one in problem.visits))


@settings(max_examples=120)
@given(problems(), st.data())
def test_conflicts_are_what_the_checker_finds(problem: Problem, data: st.DataObject) -> None:
    problem = replace(problem, met=WindowMet.AT_START, grain=0.0)
    edits = []
    for one in problem.visits:
        if data.draw(st.booleans()):
            people = tuple(data.draw(st.sampled_from(("x", "y"))) for _ in one.services)
            edits.append(Edit(one.id, people, data.draw(st.integers(0, 20)) * 10.0))
    plan = edited(problem, empty(problem), edits)
    found, verdict = conflicts(problem, plan), check(problem, plan)
    assert (not found) == verdict.good, (found, verdict.violations)
    assert {stop.visit for _, stop in plan.stops()} == {edit.visit for edit in edits}


def test_whoever_was_told_a_time_keeps_it_unless_the_way_needs_it() -> None:
    two = street([visit("v", 1), visit("w", 2), visit("u", 5)], [person()])
    plan = edited(two, empty(two), [Edit("v", ("x",), 100.0), Edit("u", ("x",), 300.0)])
    assert {stop.visit: stop.start for _, stop in plan.stops()} == {"v": 100.0, "u": 300.0}
    between = edited(two, plan, [Edit("w", ("x",), 110.0)])
    assert {stop.visit: stop.start for _, stop in between.stops()} == {"v": 100.0, "w": 130.0, "u": 300.0}
    crowded = edited(two, plan, [Edit("w", ("x",), 290.0)])
    assert {stop.visit: stop.start for _, stop in crowded.stops()} == {"v": 100.0, "w": 290.0, "u": 340.0}


def test_a_break_that_is_due_is_put_in() -> None:
    rest = Break(Window(100.0, 200.0), 30.0, 1000.0)
    one = street([visit("v", 1), visit("w", 2)], [person(rest=rest)])
    plan = edited(one, empty(one), [Edit("v", ("x",), 90.0), Edit("w", ("x",), 130.0)])
    assert not conflicts(one, plan)
    assert check(one, plan).good
    late = edited(one, empty(one), [Edit("v", ("x",), 215.0)])
    assert {conflict.code for conflict in conflicts(one, late)} == set()  # it rests at the station before it sets out


def test_why_names_who_else_could_come_and_at_what_price() -> None:
    near = replace(visit("v", 1), affinity={"y": 7.0})
    problem = street([near], [person("x"), person("y")])
    found = why_planned(problem, answer(problem), "v")
    assert found.able == ("x", "y")
    assert [(one.caregivers, one.cost) for one in found.instead] == [(("y",), 7.0)]
    assert found.time == ("arrives",)
    opens = street([visit("v", 1, opens=50.0)], [person("x")])
    assert why_planned(opens, answer(opens), "v").time == ("opens",)


def test_a_proof_finds_the_smallest_set_and_its_plan_verifies() -> None:
    one = replace(visit("v", 1, 0.0, 5.0), barred=frozenset({"x"}))
    problem = street([one], [person("x")])
    plan = answer(problem)
    proof = prove_left(problem, plan, "v", iterations=3_000)
    assert proof.constraints == ("window", "barred") or proof.constraints == ("window", "staff")
    assert proof.tried > 7
    eased = relax(problem, one, proof.constraints)
    assert not {left.visit for left in answer(eased).left_over}
    alone = street([visit("v", 1)], [person("x", B)])
    assert prove_left(alone, answer(alone), "v", iterations=3_000).constraints == ("skill",)


def test_fairness_and_priority_decide() -> None:
    pair = [visit("v", 1), visit("w", 1)]
    uneven = answer(street(pair, [person("x"), person("y")], Weights(travel=1.0)))
    even = answer(street(pair, [person("x"), person("y")], Weights(travel=1.0, balance=5.0)))
    assert sorted(len(route.visits) for route in uneven.routes) == [0, 2]
    assert sorted(len(route.visits) for route in even.routes) == [1, 1]
    rivals = [replace(visit("routine", 1, 50.0, 50.0), skip_cost=600.0), replace(visit("urgent", 5, 50.0, 50.0), skip_cost=4000.0)]
    assert {left.visit for left in answer(street(rivals, [person()])).left_over} == {"routine"}


def test_modes_differ() -> None:
    slow, fast = person("walker"), replace(person("rider"), mode="ride")
    ways = {"": LINE * 10, "ride": LINE}
    problem = Problem((visit("v", 4, 0.0, 60.0),), (slow, fast), ways, Weights(travel=1.0), overtime_hard=True)
    assert who(answer(problem)) == {"v": ["rider"]}


def test_two_people_one_after_the_other_keep_their_distance() -> None:
    both = replace(visit("v", 1), services=(Service("1", A, 20.0), Service("2", B, 20.0)), gap=Gap(30.0, 40.0))
    problem = street([both], [person("x", A), person("y", B)])
    plan = edited(problem, empty(problem), [Edit("v", ("x", "y"), 60.0)])
    assert not conflicts(problem, plan)
    assert sorted(stop.start for _, stop in plan.stops()) == [60.0, 90.0]
    assert start(plan, "v") == 60.0
