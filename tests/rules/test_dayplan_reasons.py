"""What is said of a plan is true when it is tried: how far a visit could move, and the smallest set of constraints that keeps one out."""

from dataclasses import replace
from itertools import combinations, product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.explain import RELAXATIONS, applies, why_left
from healthsvc.dayplan.impossible import refuse_impossible
from healthsvc.dayplan.plan import Plan, Stop
from healthsvc.dayplan.problem import FOREVER, After, Break, Caregiver, Gap, Pin, Problem, Service, Weights, Window
from healthsvc.dayplan.proof import prove_left, relax
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.dayplan.why import why_planned
from healthsvc.errors import RuleViolation
from tests.rules.test_dayplan_leeway import days
from tests.rules.test_dayplan_solver import LINE, A, B, answer, orders, person, problems, schedule, street, visit


def moved(plan: Plan, name: str, by: float) -> Plan:
    """The plan with one visit later (or earlier), everything else where it is."""
    routes = []
    for route in plan.routes:
        mine = [isinstance(stop, Stop) and stop.visit == name for stop in route.stops]
        stops = (
            replace(stop, start=stop.start + by, end=stop.end + by) if own else stop for own, stop in zip(mine, route.stops, strict=True)
        )
        routes.append(replace(route, stops=tuple(stops)))
    return replace(plan, routes=tuple(routes))


def claims_hold(problem: Problem, plan: Plan) -> None:
    step = problem.grain or 1.0
    for name in {stop.visit for _, stop in plan.stops()}:
        found = why_planned(problem, plan, name)
        start = max(stop.start for _, stop in plan.stops() if stop.visit == name)
        assert found.earliest <= start <= found.latest
        if found.time == ("pinned",):
            continue
        for edge, beyond in ((found.earliest, -step), (found.latest, step)):
            if edge < FOREVER / 2:
                assert check(problem, moved(plan, name, edge - start)).good, (name, edge)
                assert not check(problem, moved(plan, name, edge - start + beyond)).good, (name, edge, found.time)
        assert (found.time == ("waits",)) == (found.earliest < start - 0.1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(days())
def test_so_far_it_could_move_and_not_a_minute_further(day: tuple[Problem, Plan]) -> None:
    claims_hold(*day)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems())
def test_so_far_a_solved_one_could_move_in_steps_of_the_clock(problem: Problem) -> None:
    problem = replace(problem, visits=tuple(one for one in problem.visits if one.gap is not None or len(one.services) == 1))
    claims_hold(problem, solve(problem, StopRule(iterations=5_000), 1))


def feasible(problem: Problem, names: frozenset[str]) -> bool:
    """Whether these visits can all be made: every choice of people and every order is tried."""
    chosen = tuple(one.id in names for one in problem.visits)
    services = [(one, service) for one, take in zip(problem.visits, chosen, strict=True) if take for service in one.services]
    able = [[c for c in problem.caregivers if s.skills <= c.skills and c.id not in one.barred | one.far] for one, s in services]
    plans = (schedule(problem, order, chosen) for people in product(*able) for order in orders(services, people, problem))
    return any(plan is not None and check(problem, plan).good for plan in plans)


@st.composite
def crowded(draw: st.DrawFn) -> Problem:
    """More work than two people can do, with every kind of reason for it."""
    visits = []
    for k in range(draw(st.integers(2, 3))):
        opens = draw(st.sampled_from((0.0, 30.0, 60.0, 100.0)))
        closes = opens + draw(st.sampled_from((10.0, 40.0, 80.0)))
        minutes = draw(st.sampled_from((10.0, 25.0, 40.0)))
        one = visit(f"v{k}", draw(st.integers(1, 5)), opens, closes, draw(st.sampled_from((A, B))), minutes)
        barred, far = (frozenset(draw(st.sets(st.sampled_from("xy"), max_size=2))) for _ in "bf")
        visits.append(replace(one, barred=barred if draw(st.booleans()) else frozenset(), far=far if draw(st.booleans()) else frozenset()))
    if draw(st.integers(0, 2)) == 0:
        pair = (Service("1", draw(st.sampled_from((A, B))), 15.0), Service("2", draw(st.sampled_from((A, B))), 15.0))
        gap = draw(st.sampled_from((Gap(0.0, 0.0), Gap(20.0, 40.0))))
        opens = draw(st.sampled_from((0.0, 50.0)))
        visits.append(replace(visit("p", 4, opens, opens + draw(st.sampled_from((10.0, 60.0)))), services=pair, gap=gap, skip_cost=700.0))
    if draw(st.integers(0, 2)) == 0:
        visits[1] = replace(visits[1], after=After("v0", draw(st.sampled_from((30.0, 80.0)))))
    ends = st.sampled_from((60.0, 120.0, 200.0))
    staff = [person("x", draw(st.sampled_from((A, A | B))), draw(ends)), person("y", draw(st.sampled_from((A, B))), draw(ends))]
    return street(visits, staff, Weights(travel=1.0))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(crowded())
def test_the_set_is_the_smallest_that_brute_force_finds(problem: Problem) -> None:
    plan = answer(problem)
    kept = frozenset(stop.visit for _, stop in plan.stops())
    for left in plan.left_over:
        asked = next(one for one in problem.visits if one.id == left.visit)
        listed = why_left(problem, plan, [asked.id])[asked.id].constraints
        proof = prove_left(problem, plan, asked.id, iterations=20_000, listed=listed)
        relevant = [code for code in RELAXATIONS if applies(code, problem, asked)]
        smallest: list[tuple[str, ...]] = []
        for size in range(4):
            smallest = [codes for codes in combinations(relevant, size) if feasible(relax(problem, asked, codes), kept | {asked.id})]
            if smallest:
                break
        assert proof.constraints in (smallest or [("unfit",)]) or len(proof.constraints) > 3
        if listed not in {("priority",), ("unfit",)}:
            assert feasible(relax(problem, asked, listed), kept | {asked.id}), "the list claims nothing that is not so"
            assert proof.constraints == listed or len(proof.constraints) < len(listed)
        assert len(proof.starts) == len(asked.services) or proof.constraints == ("unfit",)


@settings(max_examples=60)
@given(crowded())
def test_what_is_refused_without_a_search_is_impossible_and_what_is_not_could_be_made_alone(problem: Problem) -> None:
    visits = tuple(replace(one, must=True, after=None) for one in problem.visits)
    refused = impossible(replace(problem, visits=visits))
    if refused:
        assert not feasible(problem, frozenset({refused})), refused
    for one in visits:
        alone = replace(problem, visits=(one,))
        assert bool(impossible(alone)) != feasible(alone, frozenset({one.id})) or one.gap is not None


def impossible(problem: Problem) -> str:
    """The visit that is refused without a search; nothing where none is."""
    try:
        refuse_impossible(problem)
    except RuleViolation as refusal:
        return refusal.text.split()[1].removesuffix(":")
    return ""


def test_what_else_waits_does_not_compete_for_the_room_that_is_made() -> None:
    early, late = visit("early", 1, 50.0, 50.0, minutes=60.0), visit("late", 1, 95.0, 100.0)
    rival = replace(visit("rival", 1, 100.0, 100.0, minutes=60.0), skip_cost=5_000.0)
    problem = street([replace(early, skip_cost=9_000.0), late, rival], [person(ends=125.0)])
    plan = answer(problem)
    assert {left.visit for left in plan.left_over} == {"late", "rival"}
    assert prove_left(problem, plan, "late", iterations=5_000).constraints == ("window",), (
        "at 10 before the others, whatever the rival wants"
    )
    assert prove_left(problem, plan, "rival", iterations=5_000).constraints == ("window", "shift")


def test_one_more_person_from_the_same_station_is_as_far_away() -> None:
    problem = street([replace(visit("v", 1, 20.0, 40.0), far=frozenset("x"))], [person()])
    plan = answer(problem)
    assert prove_left(problem, plan, "v", iterations=2_000).constraints == ("ring",)
    assert why_left(problem, plan, ["v"])["v"].constraints == ("ring",)
    assert prove_left(street([replace(problem.visits[0], barred=frozenset("x"))], [person()]), plan, "v", 2_000).constraints in {
        ("barred", "ring"),
        ("staff", "ring"),
    }


def test_a_place_that_does_not_pay_is_named_so_and_a_break_is_not_given_up_for_it() -> None:
    dear = street([replace(visit("v", 5), skip_cost=60.0)], [person()])
    proof = prove_left(dear, answer(dear), "v", iterations=2_000)
    assert (proof.constraints, proof.caregivers, proof.starts) == (("priority",), ("x",), (50.0,))
    rest = Break(Window(40.0, 60.0), 60.0, 9_000.0)
    tight = street([visit("v", 1, 50.0, 60.0)], [Caregiver("x", A, 0, 0, Window(0.0, 120.0), rest)])
    assert prove_left(tight, Plan((), ()), "v", iterations=2_000).constraints in {("window",), ("shift",), ("break",), ("staff",)}


def test_neither_the_list_nor_the_proof_takes_a_break_for_it_that_costs_little() -> None:
    rest = Break(Window(30.0, 60.0), 20.0, 3.0)
    problem = street([visit("v", 1, 0.0, 10.0, minutes=40.0)], [Caregiver("x", A, 0, 0, Window(0.0, 60.0), rest)])
    empty = Plan((), ())
    listed = why_left(problem, empty, ["v"])["v"].constraints
    assert listed == prove_left(problem, empty, "v", iterations=2_000, listed=listed).constraints != ()


def test_a_confirmed_visit_stands_where_it_was_confirmed() -> None:
    problem = street([replace(visit("v", 1, 30.0, 30.0), pinned=Pin(("x",), 30.0))], [person()])
    found = why_planned(problem, answer(problem), "v")
    assert (found.time, found.earliest, found.latest) == (("pinned",), 30.0, 30.0)


def test_a_plan_that_somebody_made_in_spite_of_a_rule_can_still_be_asked_about() -> None:
    problem = street([visit("over", 5), visit("v", 1, 0.0, 5.0)], [person(ends=115.0)])
    forced = answer(street([visit("over", 5), visit("v", 1, 0.0, 5.0)], [person(ends=300.0)]))
    assert {stop.visit for _, stop in forced.stops()} == {"over"}, "five minutes of overtime that a coordinator took on"
    assert prove_left(problem, forced, "v", iterations=2_000).constraints in {("window",), ("staff",)}
    assert LINE[0, 5] == 50.0
