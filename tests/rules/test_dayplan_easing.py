"""Pinned visits stay, whatever else has to give way: a confirmed time is no reason to refuse a plan."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_dayplan_solver import LINE, A, person, problems, street, visit

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.easing import eased
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Break, Gap, Pin, Problem, Service, Window
from healthsvc.dayplan.solve import StopRule, solve

STOP = StopRule(iterations=4_000)


def starts(plan: Plan) -> dict[tuple[str, str], tuple[str, float]]:
    return {(stop.visit, stop.service): (who, stop.start) for who, stop in plan.stops()}


def able_for(problem: Problem, service: Service) -> list[str]:
    return [one.id for one in problem.caregivers if service.skills <= one.skills]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(), st.data())
def test_any_visits_pinned_anywhere_stay_and_the_rest_is_planned(problem: Problem, data: st.DataObject) -> None:
    pinned = []
    for one in problem.visits:
        pin = None
        able = [who for who in product(*(able_for(problem, service) for service in one.services)) if len({*who}) == len(who)]
        if able and data.draw(st.booleans()):
            who = data.draw(st.sampled_from(able))
            pin = Pin(who, data.draw(st.integers(0, 300)) + data.draw(st.sampled_from((0.0, 0.0032, 0.5))))
        pinned.append(replace(one, pinned=pin, must=False, skip_cost=10_000.0 if pin else one.skip_cost))
    free = eased(replace(problem, visits=tuple(pinned)))
    plan = solve(free, STOP, 1)
    assert check(free, plan).good
    found = starts(plan)
    for one in free.visits:
        if one.pinned:
            for number, service in enumerate(one.services):
                who, start = found[one.id, service.id]
                least, most = (one.gap.least, one.gap.most) if one.gap and number else (0.0, 0.0)
                assert who == one.pinned.caregivers[number]
                assert one.pinned.start + least - 1e-6 <= start <= one.pinned.start + most + one.pinned.late + 1e-6


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(), st.data())
def test_what_a_plan_can_keep_is_kept_to_the_minute(problem: Problem, data: st.DataObject) -> None:
    before = replace(problem, visits=tuple(replace(one, must=False) for one in problem.visits))
    found = starts(solve(before, STOP, 1))
    held = []
    for one in before.visits:
        mine = [found[one.id, service.id] for service in one.services if (one.id, service.id) in found]
        whole = len(mine) == len(one.services) and (one.gap is not None or len(mine) == 1)
        pin = Pin(tuple(who for who, _ in mine), mine[0][1]) if whole and data.draw(st.booleans()) else None
        held.append(replace(one, pinned=pin))
    easy = eased(replace(before, visits=tuple(held)))
    assert [one.pinned.late for one in easy.visits if one.pinned] == pytest.approx(
        [0.0] * sum(one.pinned is not None for one in held), abs=1e-6
    )
    assert check(easy, solve(easy, STOP, 1)).good


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(), st.data())
def test_when_somebody_falls_ill_what_others_have_confirmed_or_begun_stays(problem: Problem, data: st.DataObject) -> None:
    more = person("z", data.draw(st.sampled_from((A, frozenset[str]()))), 200.0)
    whole = replace(problem, visits=tuple(replace(one, must=False) for one in problem.visits), caregivers=(*problem.caregivers, more))
    plan = solve(whole, STOP, 1)
    found = starts(plan)
    ill = data.draw(st.sampled_from([one.id for one in whole.caregivers]))
    held = []
    for one in whole.visits:
        mine = [found[one.id, service.id] for service in one.services if (one.id, service.id) in found]
        stays = len(mine) == len(one.services) and (one.gap is not None or len(mine) == 1) and ill not in {who for who, _ in mine}
        held.append(replace(one, pinned=Pin(tuple(who for who, _ in mine), mine[0][1]) if stays and data.draw(st.booleans()) else None))
    left = eased(replace(whole, visits=tuple(held), caregivers=tuple(one for one in whole.caregivers if one.id != ill)))
    again = solve(left, STOP, 1, start=plan)
    assert check(left, again).good
    after = starts(again)
    assert ill not in {who for who, _ in after.values()}
    for one in held:
        if one.pinned:
            assert [after[one.id, service.id][0] for service in one.services] == list(one.pinned.caregivers)
            assert after[one.id, one.services[0].id][1] == pytest.approx(one.pinned.start, abs=1e-6)
    gone = {one.id for one in whole.visits} - {name for name, _ in after}
    assert gone == {one.visit for one in again.left_over}, "whoever is not made is named"


def test_each_limit_gives_way_by_what_the_pin_needs_and_no_more() -> None:
    worker = replace(person("x"), shift=Window(60.0, 120.0), rest=Break(Window(70.0, 100.0), 20.0, 500.0))
    early = replace(visit("early", 2, minutes=50.0), pinned=Pin(("x",), 65.0))
    close = replace(visit("close", 3, minutes=20.0), pinned=Pin(("x",), 115.0))
    free = eased(street([early, close], [worker]))
    way = float(LINE[worker.start_place, 2])
    after = float(LINE[2, 3])
    assert free.caregivers[0].shift == Window(min(60.0, 65.0 - way), 115.0 + max(0.0, after) + 20.0 + float(LINE[3, worker.end_place]))
    assert free.caregivers[0].rest is None
    assert [one.pinned.late for one in free.visits if one.pinned] == [0.0, after]
    assert free.visits[1].windows == (Window(115.0, 115.0 + after),)


def test_a_pair_waits_for_the_one_who_is_held_up() -> None:
    pair = replace(
        visit("pair", 4), services=(Service("1", A, 20.0), Service("2", A, 20.0)), gap=Gap(5.0, 5.0), pinned=Pin(("x", "y"), 100.0)
    )
    before = replace(visit("before", 1, minutes=30.0), pinned=Pin(("y",), 90.0))
    free = eased(street([pair, before], [person("x"), person("y")]))
    late = 90.0 + 30.0 + float(LINE[1, 4]) - 105.0
    assert free.visits[0].pinned == Pin(("x", "y"), 100.0, late)
    plan = solve(free, STOP, 1)
    assert check(free, plan).good
    assert starts(plan)["pair", "1"] == ("x", 100.0 + late)


def test_without_pins_nothing_is_eased() -> None:
    problem = street([visit("v", 1)], [person()])
    assert eased(problem) is problem
