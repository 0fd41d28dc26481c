"""The day plan on a real database and over a real socket: planned, stored as FHIR, changed, confirmed, refused when stale."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import time_machine
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from serving import NO_TLS, serving

from healthsvc.access import tokens
from healthsvc.circle import service as circle
from healthsvc.circle import town
from healthsvc.circle.providers import travel_times
from healthsvc.circle.travel import Estimate, TravelTimes
from healthsvc.config import Settings
from healthsvc.dayplan import later, service, words
from healthsvc.dayplan.board import trial as board
from healthsvc.dayplan.board.endpoints import router as board_router
from healthsvc.dayplan.board.leave import take_leave
from healthsvc.dayplan.endpoints import router
from healthsvc.dayplan.gather import gather
from healthsvc.errors import Conflict, Invalid, NotFound, Refusal
from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.policy import load as load_policy
from healthsvc.rest.progress.endpoints import router as work_router
from healthsvc.store import SYSTEM, Database
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Priority, Visit, Window

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 22, 20, 0, tzinfo=ZONE)
"""The Sunday evening before."""
ON = date(2026, 11, 23)
TOWN = town.town()
WEEK = ["mon", "tue", "wed", "thu", "fri"]


def role(id: str, code: str, station: str, *skills: str, **more: Any) -> Resource:
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{id}",
        "active": True,
        "practitioner": {**reference("Practitioner", id), "display": id},
        "code": [{"coding": [{"system": code_system("care-role"), "code": code}]}],
        "specialty": [{"coding": [{"system": code_system("care-skill"), "code": skill}]} for skill in skills],
        "location": [reference("Location", station)],
        "availableTime": [{"daysOfWeek": WEEK, "availableStartTime": "08:00:00", "availableEndTime": "17:00:00"}],
        **more,
    }


def ask(database: Database, id: str, person: str, minutes: int = 30, skills: tuple[str, ...] = ("doctor",), **more: Any) -> None:
    opens = datetime(2026, 11, 16, 0, 0, tzinfo=ZONE)
    window = more.pop("window", Window(opens, datetime(2026, 11, 23, 23, 59, tzinfo=ZONE)))
    with database.writing(SYSTEM, at=AT) as store:
        visits.request(store, Visit(id, more.pop("kind", "follow-up"), person, window, minutes, frozenset(skills), **more))


@pytest.fixture
def people(database: Database) -> list[str]:
    """Two stations, two doctors, a nurse who may give infusions, eight people at home and one without a position."""
    found = []
    with database.writing(SYSTEM, at=AT) as store:
        for place in TOWN.stations[:2]:
            kind = {"coding": [{"system": code_system("location-type"), "code": "station"}]}
            store.put({"resourceType": "Location", "id": place.id, "status": "active", "name": place.name, "type": [kind]})
            circle.locate_station(store, place.id, place.lon, place.lat, "WGS-84", "test")
        for id in ("dr-a", "dr-b", "nurse-c"):
            store.put({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": id}]})
        one, two = (place.id for place in TOWN.stations[:2])
        store.put(role("dr-a", "doctor", one, "doctor"))
        store.put(role("dr-b", "doctor", two, "doctor"))
        store.put(role("nurse-c", "nurse", one, "nurse", "infusion"))
        for place in TOWN.homes[:8]:
            id = str(
                register(store, Person(name="测试", category=Category.TUIXIU, residence_area=place.community), "urn:test").patient["id"]
            )
            circle.locate_home(store, id, place.lon, place.lat, "WGS-84", "test")
            found.append(id)
        found.append(str(register(store, Person(name="无址", category=Category.LIXIU), "urn:test").patient["id"]))
    return found


@pytest.fixture
def times() -> TravelTimes:
    return travel_times(None)


def plan(database: Database, times: TravelTimes, **more: Any) -> service.DayPlan:
    return service.plan_day(database, SYSTEM, ON, times, at=AT, seconds=0.3, **more)


def test_the_day_is_planned_stored_and_read_back(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(8):
        ask(database, f"visit-{k}", people[k], owner="Practitioner/dr-a" if k % 2 else "Practitioner/dr-b")
    ask(database, "nowhere", people[8])
    made = plan(database, times)
    assert len(made.stops()) == 8
    assert [(left.visit, left.code) for left in made.left_over] == [("nowhere", "no-position")]
    assert "坐标" in made.left_over[0].zh
    assert not made.estimated
    with database.reading(SYSTEM, at=AT) as store:
        back = service.read_plan(store, ON)
        assert back is not None
        assert (back.routes, back.left_over, back.seed) == (made.routes, made.left_over, made.seed)
        for stop in made.stops():
            task = store.read("Task", stop.task)
            encounter = store.read("Encounter", task["encounter"]["reference"].rpartition("/")[2])
            assert (task["status"], encounter["status"], encounter["class"]["code"]) == ("accepted", "planned", "HH")
            assert datetime.fromisoformat(encounter["period"]["start"]) == stop.start
            assert [one["individual"]["reference"] for one in encounter["participant"]] == list(stop.staff)
    assert all(stop.start.astimezone(ZONE).hour >= 8 and stop.end.astimezone(ZONE).hour <= 17 for stop in made.stops())


def test_an_estimate_stays_marked(database: Database, people: list[str]) -> None:
    ask(database, "visit-0", people[0])
    made = plan(database, Estimate(circle_policy(database)))
    assert made.estimated
    assert made.routes[0].rows()[0][0].startswith("~")


def circle_policy(database: Database) -> Any:
    with database.reading(SYSTEM, at=AT) as store:
        return circle.policy_of(store)


def test_the_same_day_planned_again_changes_nothing(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k])
    plan(database, times)
    with database.reading(SYSTEM, at=AT) as store:
        before = {f"visit-{k}": store.read("Task", f"visit-{k}")["meta"]["versionId"] for k in range(6)}
        starts = {stop.task: stop.staff for stop in service.read_plan(store, ON).stops()}  # type: ignore[union-attr]
    again = plan(database, times)
    assert {stop.task: stop.staff for stop in again.stops()} == starts
    with database.reading(SYSTEM, at=AT) as store:
        changed = [task for task, version in before.items() if store.read("Task", task)["meta"]["versionId"] != version]
    assert len(changed) <= 6


def test_infusions_go_to_the_licensed_and_visits_for_several_get_as_many(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "drip", people[0], 90, ("nurse", "infusion"), kind="home-nursing", priority=Priority.URGENT)
    ask(database, "both", people[1], 30, ("doctor", "nurse"), staff=2)
    ask(database, "three", people[2], 30, ("doctor", "nurse"), staff=3)
    made = plan(database, times)
    stops = {stop.task: stop for stop in made.stops()}
    assert stops["drip"].staff == ("Practitioner/nurse-c",)
    assert set(stops["both"].staff) & {"Practitioner/nurse-c"}
    assert len(stops["both"].staff) == 2
    assert set(stops["three"].staff) == {"Practitioner/dr-a", "Practitioner/dr-b", "Practitioner/nurse-c"}, "a helper may be anybody"
    assert len({stop.start for route in made.routes for stop in route.stops if stop.task == "three"}) == 1


def test_leave_and_expired_qualifications_count(database: Database, people: list[str], times: TravelTimes) -> None:
    station = TOWN.stations[0].id
    with database.writing(SYSTEM, at=AT) as store:
        away = {"description": "年假", "during": {"start": "2026-11-20", "end": "2026-11-25"}}
        store.put(role("dr-a", "doctor", station, "doctor", notAvailable=[away]))
        expired = {"coding": [{"system": code_system("staff-qualification"), "code": "infusion"}]}
        entry = {"code": expired, "period": {"end": "2026-11-01"}}
        store.put({"resourceType": "Practitioner", "id": "nurse-c", "active": True, "name": [{"text": "c"}], "qualification": [entry]})
    ask(database, "visit-0", people[0], owner="Practitioner/dr-a")
    ask(database, "drip", people[1], 90, ("nurse", "infusion"), kind="home-nursing")
    made = plan(database, times)
    assert [stop.staff for stop in made.stops()] == [("Practitioner/dr-b",)]
    assert [(left.visit, left.codes) for left in made.left_over] == [("drip", ("skill",))]


def test_nobody_works_on_sunday(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0])
    made = service.propose(database, SYSTEM, date(2026, 11, 22), times, at=AT - timedelta(hours=14), seconds=0.01)
    assert [left.code for left in made.left_over] == ["no-staff"]


def test_who_must_not_come_does_not(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0], owner="Practitioner/dr-a")
    with database.writing(SYSTEM, at=AT) as store:
        task = store.read("Task", "visit-0")
        kind = {"coding": [{"system": code_system("dayplan-input"), "code": "not-by"}]}
        store.put(task | {"input": [*task["input"], {"type": kind, "valueReference": reference("Practitioner", "dr-a")}]})
    assert plan(database, times).stops()[0].staff == ("Practitioner/dr-b",)


def test_a_pinned_visit_is_not_moved_by_a_new_plan(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(4):
        ask(database, f"visit-{k}", people[k])
    first = {stop.task: stop for stop in plan(database, times).stops()}
    with database.writing(SYSTEM, at=AT) as store:
        service.set_pin(store, ON, "visit-2")
        with pytest.raises(NotFound):
            service.set_pin(store, ON, "nobody")
    ask(database, "urgent", people[5], 60, priority=Priority.STAT)
    second = {stop.task: stop for stop in plan(database, times, seed=9).stops()}
    assert second["visit-2"].pinned
    assert (second["visit-2"].start, second["visit-2"].staff) == (first["visit-2"].start, first["visit-2"].staff)
    assert "urgent" in second


def test_every_visit_confirmed_stays_to_the_second_whoever_else_comes(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k], owner="Practitioner/dr-a")
    first = {stop.task: (stop.start, stop.staff) for stop in plan(database, times).stops()}
    for task in first:
        with database.writing(SYSTEM, at=AT) as store:
            service.set_pin(store, ON, task)
        again = {stop.task: (stop.start, stop.staff) for stop in plan(database, times).stops()}
        assert again[task] == first[task]
    ask(database, "urgent", people[6], 30, priority=Priority.STAT)
    last = {stop.task: (stop.start, stop.staff) for stop in plan(database, times).stops()}
    assert "urgent" in last
    assert {task: last[task] for task in first} == first
    # on the day itself: the traveller is under way to the first one, and too far from the station to start there now
    soon = min(start for start, _ in first.values()) - timedelta(seconds=20)
    during = {stop.task: (stop.start, stop.staff) for stop in service.plan_day(database, SYSTEM, ON, times, at=soon, seconds=0.3).stops()}
    assert {task: during[task] for task in first} == first


def test_what_has_to_keep_its_window_is_not_made_up_for_once_that_has_closed(database: Database, people: list[str]) -> None:
    yesterday = Window(datetime(2026, 11, 22, 8, 0, tzinfo=ZONE), datetime(2026, 11, 22, 19, 0, tzinfo=ZONE))
    ask(database, "nursing", people[0], kind="home-nursing", window=yesterday)
    ask(database, "dose", people[1], kind="follow-up", window=yesterday)
    with database.reading(SYSTEM, at=AT) as store:
        policy = replace(service.policy_of(store.policy, ON), hard_kinds=("follow-up",))
        assert {one.call.task.id: one.out for one in gather(store, ON, policy).asked} == {"nursing": "", "dose": "closed"}
    assert "医生决定" in words.left_over(("closed",))[0]


def test_a_site_may_ask_for_time_to_spare_on_every_way(database: Database, people: list[str], times: TravelTimes, tmp_path: Path) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k], latest=time(16, 0))
    changed = tmp_path / "policy"
    changed.mkdir()
    (changed / "dayplan.toml").write_text(
        '[[parameter]]\nname = "dayplan.way_slack"\nvalue = 8\nunit = "min"\ntitle = "余量"\ntitle_en = "Slack"\n'
        'source = "this site"\ntrust = "I"\neffective_from = 2026-01-01\njurisdiction = "CN"\n'
    )
    database.policy = load_policy(changed)
    made = plan(database, times)
    assert len(made.stops()) == 6
    for route in made.routes:
        ends = [route.departure, *(stop.end for stop in route.stops)]
        for free, stop in zip(ends, route.stops, strict=False):
            way = timedelta(minutes=stop.travel_minutes)
            assert stop.arrival <= stop.start, "reached before it is told to begin"
            assert not way or stop.start - free - way >= timedelta(minutes=8) - timedelta(seconds=1)


def test_whoever_is_at_a_bedside_goes_nowhere_else_meanwhile(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(4):
        ask(database, f"visit-{k}", people[k], owner="Practitioner/dr-a", latest=time(12, 0))
    first = min(plan(database, times).stops(), key=lambda stop: stop.start)
    with database.writing(SYSTEM, at=first.start) as store:
        visits.start(store, first.task, first.start, list(first.staff))
    soon = first.start + timedelta(minutes=5)
    ask(database, "urgent", people[5], 20, priority=Priority.STAT)
    during = service.propose(database, SYSTEM, ON, times, at=soon, seconds=0.1)
    mine = next(route for route in during.routes if route.practitioner == first.staff[0])
    assert mine.departure >= first.end, "she is there until the visit is over"
    assert mine.stops[0].start >= first.end + timedelta(minutes=mine.stops[0].travel_minutes)
    place = board.find_places(database, SYSTEM, ON, "urgent", times, at=soon)[0]
    assert place.starts[0] >= (first.end.hour * 60 + first.end.minute if place.caregivers == first.staff else 0)


def test_a_plan_made_from_what_has_changed_is_refused(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0])
    ask(database, "visit-1", people[1])
    proposed = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.02)
    with database.writing(SYSTEM, at=AT) as store:
        visits.cancel(store, "visit-0", "own-wish")
    with database.writing(SYSTEM, at=AT) as store, pytest.raises(Conflict, match="plan again"):
        service.accept(store, proposed)


@pytest.mark.parametrize("gone", ["left", "on leave"])
def test_a_plan_is_refused_when_somebody_whom_it_gives_work_is_no_longer_there(
    database: Database, people: list[str], times: TravelTimes, gone: str
) -> None:
    for k in range(2):
        ask(database, f"visit-{k}", people[k])
    proposed = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.02)
    busy = next(route.practitioner for route in proposed.routes if route.stops).rpartition("/")[2]
    with database.writing(SYSTEM, at=AT) as store:
        service.keep_proposal(store, proposed)
        if gone == "left":
            store.put(store.read("Practitioner", busy) | {"active": False})
        else:
            away = tuple(datetime.combine(ON, time(hour), store.zone) for hour in (0, 23))
            take_leave(store, busy, *away, "")
    with database.writing(SYSTEM, at=AT) as store, pytest.raises(Conflict, match="no longer on duty; plan again"):
        service.accept_proposal(store, ON)
    with database.reading(SYSTEM, at=AT) as store:
        assert store.read("Task", "visit-0")["status"] == "requested", "nobody is sent"
    again = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.02)
    with database.writing(SYSTEM, at=AT) as store:
        service.keep_proposal(store, again)
        service.accept_proposal(store, ON)


def test_what_fell_out_of_the_plan_waits_again(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0])
    ask(database, "visit-1", people[1])
    made = plan(database, times)
    kept = replace(made.routes[0], stops=made.routes[0].stops[:1])
    with database.reading(SYSTEM, at=AT) as store:
        versions = {f"visit-{k}": str(store.read("Task", f"visit-{k}")["meta"]["versionId"]) for k in range(2)}
    with database.writing(SYSTEM, at=AT) as store:
        service.accept(store, replace(made, routes=(kept,), versions=versions))
        dropped = ({"visit-0", "visit-1"} - {stop.task for stop in kept.stops}).pop()
        assert store.read("Task", dropped)["status"] == "requested"


def test_an_emergency_finds_its_places_beside_the_plan(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(6):
        ask(database, f"visit-{k}", people[k])
    plan(database, times)
    ask(database, "urgent", people[6], priority=Priority.STAT)
    places = board.find_places(database, SYSTEM, ON, "urgent", times, at=AT)
    assert places
    assert {one.caregivers[0] for one in places} <= {"Practitioner/dr-a", "Practitioner/dr-b"}
    with pytest.raises(NotFound):
        board.find_places(database, SYSTEM, ON, "nobody", times, at=AT)


@pytest.fixture
def client(database: Database, people: list[str], tmp_path: Path) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.database, app.state.settings, app.state.policy = database, Settings(data=tmp_path), database.policy
    app.include_router(router)
    app.include_router(board_router)
    app.include_router(work_router)

    @app.exception_handler(Refusal)
    def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"text": refusal.text, "reason": refusal.reason}, status_code=refusal.status)

    with database.writing(SYSTEM, at=AT) as store:
        secret = tokens.issue_token(store, "coordinator", "test", 2)
    with (
        time_machine.travel(AT, tick=True),
        serving(app) as base,
        httpx.Client(base_url=base, headers={"authorization": f"Bearer {secret}"}, timeout=60, verify=NO_TLS) as opened,
    ):
        yield opened


def test_a_day_that_is_over_is_not_planned(client: httpx.Client, database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0])
    with database.writing(SYSTEM, at=AT) as store:
        service.keep_proposal(store, service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.01))
    last, over = AT + timedelta(days=1, hours=3), AT + timedelta(days=1, hours=5)
    assert service.propose(database, SYSTEM, ON, times, at=last, seconds=0.01).on == ON, "until midnight at the site"
    said = "2026-11-23 is over, today is 2026-11-24; choose today or a coming day to plan"
    with pytest.raises(Invalid, match=said):
        service.plan_day(database, SYSTEM, ON, times, at=over)
    with pytest.raises(Invalid, match=said):
        service.propose_week(database, SYSTEM, ON, times, at=over)
    with database.writing(SYSTEM, at=over) as store:
        for refused in (
            lambda: later.ask_for_day(store, ON, 1.0),
            lambda: later.ask_for_week(store, ON, 2, 1.0),
            lambda: service.accept_proposal(store, ON),
        ):
            with pytest.raises(Invalid, match=said):
                refused()
    for path in ("/api/dayplan/2026-11-21/propose", "/api/dayplan/week/2026-11-21/propose"):
        for prefer in ("", "respond-async"):
            answer = client.post(path, headers={"Prefer": prefer})
            assert (answer.status_code, answer.json()["reason"]) == (422, "dayplan-over")
    with database.reading(SYSTEM, at=over) as store:
        assert service.read_plan(store, ON) is None


def ok(response: httpx.Response) -> Any:
    """What it answers; where it does not, the test says what came instead."""
    assert response.status_code == 200, (response.status_code, response.text)
    return response.json()


def test_propose_look_and_accept_over_http(client: httpx.Client, database: Database, people: list[str]) -> None:
    for k in range(5):
        ask(database, f"visit-{k}", people[k])
    path = f"/api/dayplan/{ON}"
    assert client.get(path).status_code == 404
    proposed = ok(client.post(f"{path}/propose", params={"seconds": 0.05}))
    assert proposed["planned"] == 5
    assert client.get(path).status_code == 404
    seen = ok(client.get(f"{path}/proposal"))
    assert [change["kind"] for change in seen["changes"]] == ["added"] * 5
    assert client.post(f"{path}/accept", headers={"if-match": 'W/"99"'}).status_code == 412
    assert client.post(f"{path}/accept", headers={"if-match": "soon"}).status_code == 400
    accepted = client.post(f"{path}/accept", headers={"if-match": f'W/"{proposed["version"]}"'})
    assert accepted.status_code == 200
    assert accepted.json()["routes"] == proposed["routes"]
    assert client.get(f"{path}/proposal").status_code == 404
    pinned = ok(client.post(f"{path}/pin", json={"task": "visit-3"}))
    assert [stop["pinned"] for route in pinned["routes"] for stop in route["stops"] if stop["task"] == "visit-3"] == [True]
    ask(database, "urgent", people[6], priority=Priority.STAT)
    assert ok(client.get(f"{path}/places", params={"task": "urgent"}))[0]["staff"]


def test_a_proposal_names_who_is_ill_though_they_are_in_it_no_more(client: httpx.Client, database: Database, people: list[str]) -> None:
    for k in range(3):
        ask(database, f"visit-{k}", people[k])
    path = f"/api/dayplan/{ON}"
    proposed = ok(client.post(f"{path}/propose", params={"seconds": 0.05}))
    stands = ok(client.post(f"{path}/accept", headers={"if-match": f'W/"{proposed["version"]}"'}))
    ill = next(route["practitioner"] for route in stands["routes"] if route["stops"])
    theirs = {stop["task"] for route in stands["routes"] if route["practitioner"] == ill for stop in route["stops"]}
    with database.writing(SYSTEM, at=AT) as store:
        store.put(store.read("Practitioner", ill.rpartition("/")[2]) | {"name": [{"text": "周护"}]})
    again = ok(client.post(f"{path}/propose", params={"seconds": 0.05}))
    client.post(f"{path}/accept", headers={"if-match": f'W/"{again["version"]}"'})
    away = {"practitioner": ill.rpartition("/")[2], "start": f"{ON}T00:00:00+08:00", "end": f"{ON}T23:00:00+08:00"}
    assert client.post("/api/dayplan/staff/leave", json=away).status_code == 200
    without = ok(client.post(f"{path}/propose", params={"seconds": 0.05}))
    assert ill not in {route["practitioner"] for route in without["routes"]}
    seen = ok(client.get(f"{path}/proposal"))["changes"]
    assert {change["task"] for change in seen if change["kind"] == "handed-over"} == theirs
    assert all("周护" in change["zh"] and "周护" in change["en"] for change in seen if change["task"] in theirs)
    assert not any("Practitioner/" in change["zh"] + change["en"] for change in seen)
