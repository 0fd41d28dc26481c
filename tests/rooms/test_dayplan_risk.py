"""How well a planned day holds, on a real database, by command and over a socket."""
# ruff: noqa: F811, F401 - fixtures of the day plan

from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from test_dayplan_room import AT, ON, ZONE, ask, client, people, plan, times

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.itinerary import timetable
from healthsvc.dayplan.risk import day_risk, risk_policy
from healthsvc.dayplan.standing import standing
from healthsvc.errors import NotFound
from healthsvc.store import SYSTEM, Database

INFUSION = {"skills": ("nurse", "infusion"), "kind": "home-infusion"}


@pytest.fixture
def planned(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k])
    ask(database, "both", people[6], skills=("doctor", "nurse"), staff=2)
    plan(database, times)


def test_without_spread_the_day_is_kept_as_planned(database: Database, planned: None, times: TravelTimes) -> None:
    now = standing(database, SYSTEM, ON, times, at=AT)
    still = replace(risk_policy(database.policy, ON), way_spread={}, estimate_spread={}, work_spread={"other": 0.0})
    table, legs = timetable(now, still)
    starts = {(leg.duty.key, leg.visit): start for leg, start in zip(legs, table.start, strict=True) if leg.visit}
    assert starts == {(who, stop.visit): stop.start for who, stop in now.plan.stops()}
    assert not table.way_spread.any()
    assert (table.reserve >= -0.05).all()
    assert len({leg.duty.key for leg in legs if leg.visit == "both"}) == 2
    assert (table.partner >= 0).sum() == 1


def test_who_may_be_late_and_why(database: Database, planned: None, times: TravelTimes) -> None:
    found = day_risk(database, SYSTEM, ON, times, at=AT, seed=3)
    assert {one.task for one in found.visits} == {"both", *(f"visit-{k}" for k in range(6))}
    assert found == day_risk(database, SYSTEM, ON, times, at=AT, seed=3)
    assert all(0 <= one.late <= 1 and one.usually >= one.start for one in found.visits)
    assert 0 < found.all_kept <= found.visits_kept <= 1
    assert [one.name for one in found.staff] == sorted(one.name for one in found.staff)
    assert {one.code == "" for one in found.visits if not one.risky} <= {True}
    loose = day_risk(database, SYSTEM, ON, times, at=AT, seed=3, slack=15)
    assert loose.moved
    assert sum(one.late for one in loose.visits) < sum(one.late for one in found.visits)


def test_a_visit_that_nobody_can_reach_in_time_is_marked(database: Database, planned: None, times: TravelTimes) -> None:
    """At noon everything of the morning that nobody has begun is late, and the reason is that it is too late."""
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=ZONE)
    found = day_risk(database, SYSTEM, ON, times, at=noon)
    overdue = [one for one in found.visits if one.start < noon - timedelta(minutes=30)]
    assert overdue
    assert all(one.risky and one.late == 1.0 for one in overdue)
    assert "plan" in {one.code for one in overdue}
    assert all(zh and en for zh, en in (one.words for one in overdue))


def test_a_day_that_nobody_has_planned(database: Database, people: list[str], times: TravelTimes) -> None:
    with pytest.raises(NotFound, match="plan it first"):
        day_risk(database, SYSTEM, ON, times, at=AT)


def test_over_http(client: httpx.Client, database: Database, planned: None) -> None:
    answer = client.get(f"/api/dayplan/{ON}/risk", params={"slack": 5, "runs": 50, "seed": 2})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["runs"], told["seed"], told["slack"]) == (50, 2, 5.0)
    assert len(told["visits"]) == 7
    assert {"late", "past", "usually", "reserve", "zh", "en", "moved"} <= told["visits"][0].keys()
    assert client.get(f"/api/dayplan/{ON}/risk", params={"runs": 100_000}).status_code == 422
    assert client.get("/api/dayplan/2026-11-25/risk").status_code == 404
