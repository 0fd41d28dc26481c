"""One more visit, why one is left over, which the day takes on, what changed: all computed, none phrased."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.dayplan import words
from healthsvc.dayplan.day import DayPlan, DayRoute, DayStop
from healthsvc.dayplan.difference import difference
from healthsvc.dayplan.explain import RELAXATIONS, why_left
from healthsvc.dayplan.insertion import NO_LIMIT, best_place, rank_insertions
from healthsvc.dayplan.insertion import load as loaded
from healthsvc.dayplan.model import problem_of, services_of, skip_price
from healthsvc.dayplan.pacing import days_left, share
from healthsvc.dayplan.plan import LeftOver, Plan
from healthsvc.dayplan.problem import Caregiver, Gap, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.rules import Call, Day, DayPolicy, Duty, Held, windows_of
from healthsvc.dayplan.service import policy_of
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.errors import NotFound
from healthsvc.policy import load
from healthsvc.visit.rules import Priority
from healthsvc.visit.rules import Visit as Task
from healthsvc.visit.rules import Window as Period

NURSE, DOCTOR = frozenset({"nurse"}), frozenset({"doctor"})
ON = date(2026, 3, 2)
"""A Monday."""


@pytest.fixture(scope="module")
def policy() -> DayPolicy:
    return policy_of(load(), ON)


@pytest.fixture(scope="module")
def city() -> tuple[Problem, Plan]:
    """Three hundred planned visits and one more."""
    chance = np.random.default_rng(5)
    spots = chance.uniform(0, 60, (302, 2))
    ways = np.sqrt(((spots[:, None] - spots[None]) ** 2).sum(axis=2)) * 0.4
    visits = [
        Visit(f"v{k}", k, (Service("s", NURSE, 20.0),), (Window(float(o), float(o) + 180.0),), must=False, skip_cost=1000.0, hard=True)
        for k, o in enumerate(chance.uniform(0, 300, 301), 1)
    ]
    staff = tuple(Caregiver(f"c{k}", NURSE, 0, 0, Window(0.0, 540.0)) for k in range(22))
    problem = Problem(tuple(visits), staff, {"": ways}, Weights(travel=1.0), overtime_hard=True)
    rest = replace(problem, visits=problem.visits[:-1])
    plan = solve(rest, StopRule(iterations=400_000), 1)
    assert not plan.left_over
    return problem, plan


def test_an_urgent_visit_is_ranked_into_three_hundred_in_well_under_a_second(city: tuple[Problem, Plan]) -> None:
    problem, plan = city
    rank_insertions(problem, plan, "v301")
    begun = time.process_time()
    found = rank_insertions(problem, plan, "v301", most=5)
    assert time.process_time() - begun < 1.0
    assert len(found) == 5
    assert all(a.cost <= b.cost for a, b in pairwise(found))
    assert all(one.starts[0] >= problem.visits[-1].windows[0].start for one in found)


def test_a_double_visit_is_ranked_with_two_people(city: tuple[Problem, Plan]) -> None:
    problem, plan = city
    double = replace(problem.visits[-1], services=(Service("1", NURSE, 20.0), Service("2", NURSE, 20.0)), gap=Gap(0.0, 0.0))
    best = rank_insertions(replace(problem, visits=(*problem.visits[:-1], double)), plan, "v301")[0]
    assert len(set(best.caregivers)) == 2
    assert best.starts[0] == best.starts[1]


def test_a_place_that_is_given_up_early_is_none_of_the_cheapest(city: tuple[Problem, Plan]) -> None:
    from healthsvc.dayplan.spots import price_spots

    problem, plan = city
    space = loaded(problem, plan)
    v = len(space.nodes) - 1
    every, some, below = (np.zeros(2 * len(space.world.link)) for _ in range(3))
    price_spots(space.world, v, every, NO_LIMIT, np.empty(0))
    price_spots(space.world, v, some, NO_LIMIT, np.empty(3))
    third = np.sort(every)[2]
    price_spots(space.world, v, below, third, np.empty(0))
    assert np.isfinite(third)
    assert list(np.argsort(some, kind="stable")[:3]) == list(np.argsort(every, kind="stable")[:3])
    assert list(np.flatnonzero(below < NO_LIMIT)) == list(np.flatnonzero(every <= third))
    best = best_place(space, len(problem.visits) - 1)
    assert best is not None
    assert best_place(space, len(problem.visits) - 1, best.cost + 1e-6) == best
    assert best_place(space, len(problem.visits) - 1, best.cost - 1e-3) is None


def test_only_a_visit_of_the_problem_can_be_ranked(city: tuple[Problem, Plan]) -> None:
    with pytest.raises(NotFound):
        rank_insertions(*city, "nobody")


LINE = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0))) * 10.0


def kept_out(visit: Visit, others: list[Visit] | None = None, staff: list[Caregiver] | None = None) -> tuple[str, ...]:
    """The constraints that keep ``visit`` out of the plan of the others."""
    people = tuple(staff or [Caregiver("x", NURSE, 0, 0, Window(0.0, 200.0))])
    whole = Problem((*(others or []), visit), people, {"": LINE}, Weights(travel=1.0), overtime_hard=True)
    plan = solve(replace(whole, visits=whole.visits[:-1]), StopRule(iterations=5_000), 1)
    return why_left(whole, replace(plan, left_over=(LeftOver(visit.id),)), [visit.id])[visit.id].constraints


def ask(place: int = 1, opens: float = 0.0, closes: float = 150.0, minutes: float = 20.0, skills: frozenset[str] = NURSE) -> Visit:
    return Visit("v", place, (Service("s", skills, minutes),), (Window(opens, closes),), must=False, skip_cost=500.0, hard=True)


def test_the_binding_constraint_is_found() -> None:
    assert kept_out(ask(place=5, closes=10.0)) == ("window",)
    assert kept_out(ask(skills=DOCTOR)) == ("skill",)
    assert kept_out(ask(opens=190.0, closes=195.0)) in {("shift",), ("window",)}
    assert kept_out(ask(minutes=200.0)) == ("shift",)
    assert kept_out(replace(ask(), barred=frozenset({"x"}))) in {("barred",), ("staff",)}
    pair = replace(ask(), services=(Service("1", NURSE, 20.0), Service("2", NURSE, 20.0)), gap=Gap(0.0, 0.0))
    assert kept_out(pair) in {("staff",), ("together",)}


def test_another_nurse_is_what_lacks_when_everybody_is_busy() -> None:
    busy = [replace(ask(place=0, opens=0.0, closes=0.0, minutes=195.0), id="busy", skip_cost=9000.0)]
    assert kept_out(replace(ask(), windows=(Window(0.0, 60.0),)), busy) == ("staff",)


def test_two_constraints_together_are_found() -> None:
    assert len(kept_out(ask(skills=DOCTOR, place=5, closes=10.0))) == 2


def test_a_place_that_is_not_worth_its_price_is_a_matter_of_priority() -> None:
    assert kept_out(replace(ask(place=5), skip_cost=50.0)) == ("priority",)


def test_every_constraint_has_words() -> None:
    assert set(RELAXATIONS) <= set(words.LEFT_OVER)
    assert set(RELAXATIONS) <= set(words.GIVEN_UP)
    assert words.left_over(("window", "staff")) == (
        "须同时：放宽时段；增加一名同类人员",
        "fits only with all of these: a wider window; one more person with the same skills",
    )
    assert words.as_routed(("staff",))[0] == "按现有路线，人手不足；增加一名同类人员即可安排"
    assert "三" not in words.as_routed(("unfit",))[0], "the list asks for two at most, the proof for three"


def test_where_the_list_and_the_proof_differ_both_are_explained() -> None:
    assert words.why_both(("window",), ("window",)) == ("", "")
    assert "重排当天即可" in words.why_both(("window", "staff"), ("search",))[0]
    assert "都成立" in words.why_both(("window", "staff"), ("shift",))[0]
    assert "工时已满" in words.why_both(("capacity",), ("staff",))[0]
    for codes in ((), ("by-hand",), ("in-hospital",)):
        assert words.why_both(codes, ("staff",)) == ("", ""), "no search of the routes said so"


def period(first: int, last: int) -> Period:
    midnight = datetime(ON.year, ON.month, ON.day, tzinfo=UTC)
    return Period(midnight + timedelta(days=first), midnight + timedelta(days=last, hours=23, minutes=59))


def task(id: str, first: int = -10, last: int = 20, **more: object) -> Task:
    return Task(id, "quarterly-checkup", f"p-{id}", period(first, last), 30, DOCTOR, **more)  # type: ignore[arg-type]


def day_with(calls: list[Call], staff: int = 2) -> Day:
    duties = tuple(Duty(f"Practitioner/d{k}", f"d{k}", DOCTOR, "Location/s", 0, 480.0, 1020.0) for k in range(staff))
    places = 1 + max((call.place for call in calls), default=0)
    return Day(ON, tuple(calls), duties, {"": np.abs(np.subtract.outer(np.arange(places), np.arange(places))) * 1.0})


def test_a_day_takes_its_share_and_what_is_pressing(policy: DayPolicy) -> None:
    calls = [Call(task(f"t{k:02}", last=18), 1 + k) for k in range(30)]
    calls += [Call(task("late", -60, -5), 40, overdue_days=5), Call(task("closing", last=0), 41, last_day=True)]
    divided = share(day_with(calls), policy)
    chosen = {call.task.id for call in divided.today}
    assert {"late", "closing"} <= chosen
    assert len(chosen) == 2 + 2  # thirty visits over fifteen working days
    assert len(divided.later) == 28


def test_a_day_that_has_its_share_takes_on_no_more(policy: DayPolicy) -> None:
    """Thirty visits over fifteen working days are two a day: with two planned nothing is added, with one one is, named ones stay."""
    calls = [Call(task(f"t{k:02}", last=18), 1 + k) for k in range(30)]
    held = Held(("Practitioner/d0",), 600.0)
    for count in range(5):
        planned = [replace(call, held=held) if k < count else call for k, call in enumerate(calls)]
        chosen = {call.task.id for call in share(day_with(planned), policy).today}
        assert chosen >= {f"t{k:02}" for k in range(count)}
        assert len(chosen) == max(2, count)
    assert {call.task.id for call in share(day_with(calls), policy, {"t25", "t26", "t27"}).today} == {"t25", "t26", "t27"}
    ill = [replace(call, held=held) if k < 2 else call for k, call in enumerate(calls)]
    assert {call.task.id for call in share(day_with(ill, staff=1), policy).today} == {"t00", "t01"}


def test_a_street_is_taken_together(policy: DayPolicy) -> None:
    calls = [Call(task(f"t{k:02}", last=4), k + 1 if k % 2 else 200 + k) for k in range(20)]
    taken = share(day_with(calls), policy).today
    assert {call.place < 100 for call in taken} in ({True}, {False})


def test_more_than_can_be_made_is_named_beyond(policy: DayPolicy) -> None:
    calls = [Call(task(f"t{k:02}", -90, -1), 1, overdue_days=k + 1) for k in range(60)]
    divided = share(day_with(calls), policy)
    assert len(divided.today) == 36  # two doctors, nine hours each, half an hour a visit
    assert min(call.overdue_days for call in divided.today) > 20


def test_working_days_are_counted() -> None:
    assert days_left(Call(task("t", last=0), 1), ON) == 1
    assert days_left(Call(task("t", last=6), 1), ON) == 5
    assert days_left(Call(task("t", last=7), 1), ON) == 6
    before_the_holidays = date(2026, 9, 30)
    assert days_left(Call(task("t", last=(date(2026, 10, 9) - ON).days), 1), before_the_holidays) == 3  # 30 September, 8 and 9 October


def test_windows_of_the_day(policy: DayPolicy) -> None:
    assert windows_of(Call(task("t"), 1), ON, policy) == (Window(480.0, 1440.0),)
    timed = replace(task("t"), earliest=datetime(2026, 1, 1, 9, 30).time(), latest=datetime(2026, 1, 1, 11).time())  # noqa: DTZ001
    assert windows_of(Call(timed, 1), ON, policy) == (Window(570.0, 660.0),)
    assert windows_of(Call(timed, 1, not_before=700.0), ON, policy) == ()
    held = Call(task("t"), 1, held=Held(("Practitioner/d0",), 600.0))
    assert windows_of(held, ON, policy) == (Window(580.0, 620.0),)
    assert windows_of(Call(task("t", -40, -20), 1, overdue_days=20), ON, policy) == (Window(480.0, 1440.0),)


def test_prices_rank_what_is_pressing(policy: DayPolicy) -> None:
    routine = Call(task("r"), 1)
    closing, overdue = replace(routine, last_day=True), replace(routine, overdue_days=3)
    urgent = replace(routine, task=replace(routine.task, priority=Priority.URGENT))
    pinned = replace(routine, held=Held(("Practitioner/d0",), 600.0, pinned=True))
    prices = [skip_price(call, policy) for call in (routine, closing, overdue, urgent, pinned)]
    assert prices == sorted(prices)


def test_who_has_to_come() -> None:
    assert services_of(replace(task("t"), skills=frozenset({"doctor", "nurse"}), staff=2))[1].skills == NURSE
    assert [one.skills for one in services_of(replace(task("t"), staff=2))] == [DOCTOR, frozenset()]
    assert len(services_of(task("t"))) == 1


def test_the_own_doctor_comes_unless_it_is_far(policy: DayPolicy) -> None:
    call = Call(replace(task("t"), owner="Practitioner/d1"), 1)
    day = day_with([call])
    plan = solve(problem_of(day, policy), StopRule(iterations=3_000), 1)
    assert [who for who, _ in plan.stops()] == ["Practitioner/d1"]
    away = replace(
        day, duties=(day.duties[0], replace(day.duties[1], place=2)), travel={"": np.array([[0, 1, 50], [1, 0, 50], [50, 50, 0.0]])}
    )
    plan = solve(problem_of(away, policy), StopRule(iterations=3_000), 1)
    assert [who for who, _ in plan.stops()] == ["Practitioner/d0"]


def test_a_confirmed_visit_is_held_only_by_people_who_can_make_it(policy: DayPolicy) -> None:
    both = replace(task("t"), skills=frozenset({"doctor", "nurse"}), staff=2)
    nurse = Duty("Practitioner/n", "n", NURSE, "Location/s", 0, 480.0, 1020.0)
    day = day_with([Call(both, 1, held=Held(("Practitioner/n", "Practitioner/d0"), 600.0, pinned=True))])
    pinned = problem_of(replace(day, duties=(*day.duties, nurse)), policy).visits[0].pinned
    assert pinned is not None
    assert pinned.caregivers == ("Practitioner/d0", "Practitioner/n")
    assert problem_of(day, policy).visits[0].pinned is None


def stop(task: str, who: str, hour: int, minute: int = 0) -> DayStop:
    at = datetime(2026, 3, 2, hour, minute, tzinfo=UTC)
    return DayStop(task, "p", "quarterly-checkup", "体检", (who,), at, at, at + timedelta(minutes=30), 5.0, "road", 10.0)


def of(stops: list[DayStop]) -> DayPlan:
    at = datetime(2026, 3, 2, 7, tzinfo=UTC)
    return DayPlan(ON, at, (DayRoute("Practitioner/z", "Z", "Location/s", at, at, tuple(stops)),), ())


@given(st.data())
def test_what_is_listed_as_changed_makes_the_new_plan_of_the_old_one(data: st.DataObject) -> None:
    def drawn() -> list[DayStop]:
        tasks = data.draw(st.sets(st.sampled_from("abcdef")))
        who, hour, minute = st.sampled_from(("Practitioner/x", "Practitioner/y")), st.integers(9, 11), st.sampled_from((0, 5))
        return [stop(name, data.draw(who), data.draw(hour), data.draw(minute)) for name in sorted(tasks)]

    before, after = drawn(), drawn()
    stands = {one.task: one for one in before}
    for change in difference(of(before), of(after)):
        assert change.before == stands.get(change.task)
        assert change.before != change.after
        if change.after is None:
            del stands[change.task]
        else:
            stands[change.task] = change.after
    assert stands == {one.task: one for one in after}


def test_a_difference_that_a_person_can_read() -> None:
    before = of([stop("a", "Practitioner/z", 9, 40), stop("b", "Practitioner/z", 11), stop("c", "Practitioner/z", 12)])
    after = of([stop("a", "Practitioner/z", 10, 20), stop("b", "Practitioner/y", 11), stop("d", "Practitioner/z", 13)])
    changes = {change.task: change for change in difference(before, after)}
    assert {name: change.kind for name, change in changes.items()} == {"a": "moved", "b": "handed-over", "c": "removed", "d": "added"}
    names = {"Practitioner/z": "Zhou", "Practitioner/y": "Yang"}
    assert changes["a"].words(names.__getitem__)[1] == "Zhou takes 体检 at 10:20 instead of Zhou at 09:40"
    assert all(all(change.words(names.__getitem__)) for change in changes.values())
    assert difference(before, before) == ()
    assert len(difference(None, after)) == 3
