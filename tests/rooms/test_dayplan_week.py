"""A week planned at once: which day for which visit, then the routes."""
# ruff: noqa: F811, F401 - fixtures of the day plan

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from test_dayplan_room import AT, ON, ZONE, ask, people, role, times

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import service
from healthsvc.dayplan.day import DayPlan
from healthsvc.dayplan.week import WeekPlan
from healthsvc.errors import Conflict, Invalid
from healthsvc.store import SYSTEM, Database
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Priority, Window

FRIDAY = ON + timedelta(days=4)


def until(day: date, hour: int = 20) -> Window:
    return Window(datetime(2026, 11, 16, 0, 0, tzinfo=ZONE), datetime(day.year, day.month, day.day, hour, 0, tzinfo=ZONE))


def week(database: Database, times: TravelTimes, seconds: float = 0.2, **more: int) -> WeekPlan:
    return service.propose_week(database, SYSTEM, ON, times, at=AT, seconds=seconds, **more)


def day_of(plan: WeekPlan) -> dict[str, date]:
    return {stop.task: day.on for day in plan.days for stop in day.stops()}


def accept(database: Database, *plans: DayPlan) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        service.accept_all(store, plans)


def test_visits_to_one_street_fall_on_one_day(database: Database, people: list[str], times: TravelTimes) -> None:
    """Every pair of visits may be made on any day: each home is travelled to once, by one person."""
    for k in range(4):
        for number in ("a", "b"):
            ask(database, f"visit-{k}-{number}", people[k], minutes=60, window=until(FRIDAY), owner="Practitioner/dr-a")
    found = day_of(week(database, times, seconds=0.5))
    assert len(found) == 8
    assert [found[f"visit-{k}-a"] for k in range(4)] == [found[f"visit-{k}-b"] for k in range(4)]


def test_what_is_due_first_and_what_presses_comes_first(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "tuesday", people[0], window=until(ON + timedelta(days=1)))
    ask(database, "friday", people[1], window=until(FRIDAY))
    ask(database, "urgent", people[2], window=until(FRIDAY), priority=Priority.STAT)
    found = day_of(week(database, times))
    assert found["tuesday"] <= ON + timedelta(days=1)
    assert found["urgent"] == ON
    assert ON <= found["friday"] <= FRIDAY


def test_a_week_spreads_what_one_day_cannot_hold(database: Database, people: list[str], times: TravelTimes) -> None:
    """Sixteen visits of four hours: three people would need far more than a day."""
    for k in range(16):
        ask(database, f"long-{k}", people[k % 8], minutes=200, window=until(FRIDAY))
    plan = week(database, times, seconds=0.5)
    found = day_of(plan)
    assert len(found) == 16
    assert not plan.left_over
    assert len(set(found.values())) >= 4


def test_what_no_day_has_room_for_is_named_once(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "nowhere", people[8], window=until(FRIDAY))
    ask(database, "too-long", people[0], minutes=600, window=until(FRIDAY))
    ask(database, "fits", people[1], window=until(FRIDAY))
    plan = week(database, times)
    assert sorted((left.visit, left.code) for left in plan.left_over) == [("nowhere", "no-position"), ("too-long", "shift")]
    assert "fits" in day_of(plan)


def test_nobody_comes_on_the_days_off(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit", people[0], window=until(ON + timedelta(days=6)))
    plan = service.propose_week(database, SYSTEM, ON, times, at=AT, days=7, seconds=0.1)
    assert [bool(day.routes) for day in plan.days][5:] == [False, False]
    assert not plan.left_over


def test_a_week_is_accepted_whole_and_held_when_planned_again(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k], minutes=90, window=until(FRIDAY))
    plan = week(database, times)
    accept(database, *plan.days)
    with database.reading(SYSTEM, at=AT) as store:
        kept = {stop.task: day for day in (ON + timedelta(days=k) for k in range(5)) for stop in stops(service.read_plan(store, day))}
        assert all(store.read("Task", f"visit-{k}")["status"] == "accepted" for k in range(6))
    assert kept == day_of(plan)
    assert day_of(week(database, times)) == kept
    assert week(database, times).days == week(database, times).days


def stops(plan: DayPlan | None) -> list[service.DayPlan]:
    return plan.stops() if plan else []  # type: ignore[return-value]


@pytest.mark.parametrize("change", [lambda store: visits.cancel(store, "visit-3", "refused")])
def test_a_change_in_between_refuses_all_days(
    database: Database,
    people: list[str],
    times: TravelTimes,
    change: Callable[..., object],
) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k], window=until(FRIDAY))
    plan = week(database, times)
    with database.writing(SYSTEM, at=AT) as store:
        change(store)
    with pytest.raises(Conflict):
        accept(database, *plan.days)
    with database.reading(SYSTEM, at=AT) as store:
        assert service.read_plan(store, ON) is None


def test_a_week_has_seven_days(database: Database, times: TravelTimes) -> None:
    with pytest.raises(Invalid):
        week(database, times, days=8)
