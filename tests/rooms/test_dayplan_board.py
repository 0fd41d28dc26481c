"""The coordinator's board: changes by hand with what they break and cost, hand-over, leave, what-if, why; stale ones are refused."""
# ruff: noqa: F811, F401 - fixtures of the day plan

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from test_dayplan_room import AT, ON, TOWN, ZONE, ask, client, people, plan, role, times

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import service
from healthsvc.dayplan.board import days, leave, undo
from healthsvc.dayplan.board import trial as board
from healthsvc.dayplan.board.reasons import reasons
from healthsvc.dayplan.board.trial import Move
from healthsvc.dayplan.checker import check
from healthsvc.dayplan.hand import conflicts, settled
from healthsvc.dayplan.standing import standing
from healthsvc.errors import Conflict, NotFound, PreconditionFailed, RuleViolation
from healthsvc.fhir.elements import reference
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.store import SYSTEM, Database
from healthsvc.store.work import State, defer, run
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from integrations.longwork.kinds import kinds

A, B, NURSE = "Practitioner/dr-a", "Practitioner/dr-b", "Practitioner/nurse-c"


def trial(database: Database, times: TravelTimes, *moves: Move) -> board.Trial:
    return board.try_moves(database, SYSTEM, ON, times, moves, at=AT)


def keep(database: Database, tried: board.Trial, **more: bool) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        board.keep(store, tried, **more)


def stored(database: Database) -> service.DayPlan:
    with database.reading(SYSTEM, at=AT) as store:
        found = service.read_plan(store, ON)
    assert found is not None
    return found


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, tzinfo=ZONE)


@pytest.fixture
def planned(database: Database, people: list[str], times: TravelTimes) -> service.DayPlan:
    """Six visits of the two doctors, one infusion that only the nurse may give."""
    for k in range(6):
        ask(database, f"visit-{k}", people[k], owner=A if k % 2 else B)
    ask(database, "drip", people[6], skills=("nurse", "infusion"), kind="home-nursing")
    return plan(database, times)


def test_what_stands_has_no_conflict_and_costs_what_the_checker_says(
    database: Database, planned: service.DayPlan, times: TravelTimes
) -> None:
    now = standing(database, SYSTEM, ON, times, at=AT)
    as_it_is = settled(now.problem, now.plan)
    assert conflicts(now.problem, as_it_is) == ()
    assert check(now.problem, as_it_is).good
    stands = {stop.visit: datetime(2026, 11, 23, tzinfo=ZONE) + timedelta(minutes=stop.start) for _, stop in as_it_is.stops()}
    stored_times = {stop.task: stop.start for stop in planned.stops()}
    assert stands.keys() == stored_times.keys()
    assert all(abs(stands[task] - start) <= timedelta(seconds=1) for task, start in stored_times.items()), "a plan is kept to the second"


def test_a_change_by_hand_reads_what_the_plan_names_and_what_it_is_about(
    database: Database, planned: service.DayPlan, people: list[str], times: TravelTimes
) -> None:
    for k, person in enumerate((people[6], people[7], people[8])):
        ask(database, f"waits-{k}", person)
    named = {stop.task for stop in planned.stops()} | {left.visit for left in planned.left_over}
    read = {one.call.task.id for one in standing(database, SYSTEM, ON, times, at=AT).gathered.asked}
    assert read == named
    beside = standing(database, SYSTEM, ON, times, at=AT, extra=["waits-1"])
    assert {one.call.task.id for one in beside.gathered.asked} == named | {"waits-1"}
    assert [left.visit for left in beside.plan.left_over] == ["waits-1"]
    assert standing(database, SYSTEM, ON, times, at=AT, extra=["waits-2"]).out == {"waits-2": "no-position"}
    tried = trial(database, times, Move("waits-1", (A,)))
    assert {stop.task for stop in tried.plan.stops()} == {stop.task for stop in planned.stops()} | {"waits-1"}
    assert "waits-0" not in tried.plan.versions


def test_a_visit_given_to_the_other_doctor(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    mine = next(stop for stop in planned.stops() if stop.staff == (A,))
    tried = trial(database, times, Move(mine.task, (B,), at(15)))
    assert not tried.conflicts
    assert [(change.task, change.kind) for change in tried.changes] == [(mine.task, "handed-over")]
    assert tried.after["continuity"] > tried.before["continuity"]
    assert stored(database).routes == planned.routes  # trying stores nothing
    keep(database, tried)
    moved = next(stop for stop in stored(database).stops() if stop.task == mine.task)
    assert (moved.staff, moved.start) == ((B,), at(15))
    others = {stop.task: stop.start for stop in planned.stops() if stop.task != mine.task}
    assert {stop.task: stop.start for stop in stored(database).stops() if stop.task != mine.task} == others
    with database.reading(SYSTEM, at=AT) as store:
        task = store.read("Task", mine.task)
        encounter = store.read("Encounter", task["encounter"]["reference"].rpartition("/")[2])
    assert datetime.fromisoformat(encounter["period"]["start"]) == at(15)


def test_what_is_in_the_way_is_pushed_back(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    first, second = next(route.stops for route in planned.routes if len(route.stops) >= 2)[:2]
    staff = first.staff
    outsider = next(stop for stop in planned.stops() if stop.staff not in (staff, (NURSE,)))
    tried = trial(database, times, Move(outsider.task, staff, first.start + timedelta(minutes=1)))
    later = next(stop for stop in tried.plan.stops() if stop.task == second.task)
    assert later.start >= second.start
    assert {change.task for change in tried.changes} >= {outsider.task}
    assert not tried.serious


@pytest.mark.parametrize(
    ("task", "staff", "hour", "code", "serious"),
    [
        ("drip", (A,), 10, "skill", True),
        ("visit-0", (A,), 16, "overtime", False),
        ("visit-0", ("Practitioner/nobody",), 10, "off-duty", True),
        ("visit-0", (A, B), 10, "two-people", True),
    ],
)
def test_what_a_move_breaks_is_said_and_refused(
    database: Database,
    planned: service.DayPlan,
    times: TravelTimes,
    task: str,
    staff: tuple[str, ...],
    hour: int,
    code: str,
    serious: bool,
) -> None:
    tried = trial(database, times, Move(task, staff, at(hour, 45)))
    assert code in {one.code for one in tried.conflicts}
    with pytest.raises(RuleViolation):
        keep(database, tried)
    if serious:
        with pytest.raises(RuleViolation):
            keep(database, tried, force=True)
        assert stored(database).routes == planned.routes
    else:
        keep(database, tried, force=True)
        assert stored(database).routes != planned.routes


def test_a_visit_is_taken_out_and_put_in_where_it_fits_best(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    tried = trial(database, times, Move("visit-0", ()))
    assert [change.kind for change in tried.changes] == ["removed"]
    assert [(left.visit, left.code) for left in tried.plan.left_over] == [("visit-0", "by-hand")]
    keep(database, tried)
    with database.reading(SYSTEM, at=AT) as store:
        assert store.read("Task", "visit-0")["status"] == "requested"
    back = trial(database, times, Move("visit-0", (B,)))
    assert not back.conflicts
    assert [change.kind for change in back.changes if change.task == "visit-0"] == ["added"]


def test_a_confirmed_visit_does_not_move(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        service.set_pin(store, ON, "visit-0")
    tried = trial(database, times, Move("visit-0", (A,), at(16)))
    assert "pinned" in {one.code for one in tried.serious}
    assert {one.code for one in tried.conflicts if one.visit == "visit-0"} == {"pinned"}  # said once, in words that say what to do


def test_somebody_elses_change_in_between_is_not_overwritten(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    first, second = (trial(database, times, Move(f"visit-{k}", (A,), at(15))) for k in (0, 2))
    keep(database, first)
    with pytest.raises(PreconditionFailed):
        keep(database, second)
    again = trial(database, times, Move("visit-2", (A,), at(14)))
    with database.writing(SYSTEM, at=AT) as store:
        visits.cancel(store, "visit-2", "refused")
    with pytest.raises(Conflict):
        keep(database, again)


def test_a_proposal_made_before_a_change_by_hand_is_stale(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    proposed = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.05)
    with database.writing(SYSTEM, at=AT) as store:
        service.keep_proposal(store, proposed)
    keep(database, trial(database, times, Move("visit-0", (A,), at(15))))
    with database.writing(SYSTEM, at=AT) as store, pytest.raises(PreconditionFailed):
        service.accept_proposal(store, ON)


def test_everything_of_one_doctor_goes_to_the_other(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    mine = {stop.task for stop in planned.stops() if stop.staff == (A,)}
    tried = board.reassign(database, SYSTEM, ON, times, A, B, at=AT)
    assert {change.task for change in tried.changes} >= mine
    assert {stop.staff for stop in tried.plan.stops() if stop.task in mine} == {(B,)}
    with pytest.raises(NotFound):
        board.reassign(database, SYSTEM, ON, times, "Practitioner/nobody", B, at=AT)
    to_nurse = board.reassign(database, SYSTEM, ON, times, A, NURSE, at=AT)
    assert {one.code for one in to_nurse.serious} == {"skill"}


def test_leave_is_noted_counts_and_is_taken_back(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    mine = {stop.task for stop in planned.stops() if stop.staff == (A,)}
    what_if = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.2, absent={A: (0.0, 1440.0)})
    assert all(A not in stop.staff for stop in what_if.stops())
    assert stored(database).routes == planned.routes
    with database.writing(SYSTEM, at=AT) as store:
        assert leave.take_leave(store, "dr-a", at(0), at(23, 59), "发热") == ["role-dr-a"]
        leave.take_leave(store, "dr-a", at(0), at(23, 59), "发热")
        assert len(store.read("PractitionerRole", "role-dr-a")["notAvailable"]) == 1
        assert {one["task"] for one in leave.touched(store, "dr-a", at(0), at(23, 59))} == mine
    replanned = service.propose(database, SYSTEM, ON, times, at=AT, seconds=0.2)
    assert {stop.staff for stop in replanned.stops() if stop.task in mine} == {(B,)}
    kept = {stop.task: stop.start for stop in planned.stops() if stop.staff == (NURSE,)}
    assert {stop.task: stop.start for stop in replanned.stops() if stop.staff == (NURSE,)} == kept
    with database.writing(SYSTEM, at=AT) as store:
        leave.end_leave(store, "dr-a", at(0), at(23, 59))
        assert "notAvailable" not in store.read("PractitionerRole", "role-dr-a")
        with pytest.raises(NotFound):
            leave.end_leave(store, "dr-a", at(0), at(23, 59))


def test_why_this_person_and_this_time(database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    stop = next(stop for stop in planned.stops() if stop.staff == (A,))
    found = reasons(database, SYSTEM, ON, stop.task, times, at=AT)
    assert {one["practitioner"] for one in found["able"]} == {A, B}
    assert [one["staff"][0]["practitioner"] for one in found["instead"]] == [B]
    assert found["time"]
    assert datetime.fromisoformat(found["earliest"]) <= stop.start <= datetime.fromisoformat(found["latest"])
    drip = reasons(database, SYSTEM, ON, "drip", times, at=AT)
    assert [one["practitioner"] for one in drip["able"]] == [NURSE]
    assert drip["instead"] == []


def test_what_would_let_a_left_over_visit_in_is_proved(database: Database, people: list[str], times: TravelTimes) -> None:
    for k in range(4):
        ask(database, f"visit-{k}", people[k], minutes=110, skills=("nurse", "infusion"))
    ask(database, "one-more", people[4], minutes=110, skills=("nurse", "infusion"))
    made = plan(database, times)
    assert len(made.left_over) == 1
    found = reasons(database, SYSTEM, ON, made.left_over[0].visit, times, at=AT)
    assert found["proved"]
    assert len(found["constraints"]) == 1
    assert set(found["constraints"]) <= {"staff", "shift", "skill", "break"}
    assert found["would"]["staff"]
    assert found["listed"]["constraints"] == list(made.left_over[0].codes)
    assert found["listed"]["zh"] == made.left_over[0].reason
    assert bool(found["both"]["zh"]) == (found["listed"]["constraints"] != found["constraints"])
    assert reasons(database, SYSTEM, ON, "visit-0", times, at=AT)["planned"] in (True, False)


def test_the_board_over_http(client: httpx.Client, database: Database, people: list[str]) -> None:
    for k in range(4):
        ask(database, f"visit-{k}", people[k], owner=A)
    day = f"/api/dayplan/{ON}"
    proposed = client.post(f"{day}/propose?seconds=0.1").json()
    assert client.post(f"{day}/accept", headers={"If-Match": f'W/"{proposed["version"]}"'}).status_code == 200
    moves = {"moves": [{"task": "visit-0", "staff": ["dr-b"], "start": at(15).isoformat()}]}
    tried = client.post(f"{day}/try", json=moves).json()
    assert (tried["conflicts"], [one["kind"] for one in tried["changes"]]) == ([], ["handed-over"])
    assert "dr-b" in tried["changes"][0]["zh"]
    assert client.post(f"{day}/apply", json=moves, headers={"If-Match": 'W/"99"'}).status_code == 412
    kept = client.post(f"{day}/apply", json=moves, headers={"If-Match": f'W/"{tried["version"]}"'})
    assert kept.status_code == 200
    assert kept.json()["version"] == tried["version"] + 1
    assert {one["practitioner"] for one in client.get(f"{day}/staff").json()} == {A, B, NURSE}
    what_if = client.post(
        f"{day}/what-if?seconds=0.1", json={"absent": [{"practitioner": "dr-a", "start": at(0).isoformat(), "end": at(23).isoformat()}]}
    )
    assert all(route["practitioner"] != A for route in what_if.json()["routes"])
    assert client.get(f"{day}/why?task=visit-0").json()["planned"] is True
    over = client.post(f"{day}/hand-over", json={"practitioner": "dr-b", "to": "dr-a"}).json()
    assert [one["task"] for one in over["changes"] if one["kind"] == "handed-over"] == ["visit-0"]
    away = {"practitioner": "dr-a", "start": at(8).isoformat(), "end": at(12).isoformat(), "reason": "培训"}
    assert client.post("/api/dayplan/staff/leave", json=away).json()["roles"] == ["role-dr-a"]
    assert client.post("/api/dayplan/staff/leave", json=away | {"cancel": True}).json()["roles"] == ["role-dr-a"]
    assert client.post("/api/dayplan/staff/leave", json=away | {"end": at(7).isoformat()}).status_code == 400
    week = client.post(f"/api/dayplan/week/{ON}/propose?days=2&seconds=0.1").json()
    versions = {one["on"]: one["version"] for one in week["days"]}
    assert client.post(f"/api/dayplan/week/{ON}/accept", json={"versions": versions}).status_code == 200
    assert client.post(f"/api/dayplan/week/{ON}/accept", json={"versions": versions}).status_code == 404


TUESDAY = ON + timedelta(days=1)


def passage(database: Database, times: TravelTimes, move: Move) -> days.Passage:
    return days.try_passage(database, SYSTEM, ON, TUESDAY, times, move, at=AT, travel_there=times)


def on_day(database: Database, on: date) -> dict[str, tuple[str, ...]]:
    with database.reading(SYSTEM, at=AT) as store:
        found = service.read_plan(store, on)
    return {stop.task: stop.staff for stop in found.stops()} if found else {}


def test_a_visit_goes_to_another_day_and_comes_back_with_it(
    database: Database, people: list[str], planned: service.DayPlan, times: TravelTimes
) -> None:
    mine = next(stop for stop in planned.stops() if stop.staff == (A,))
    before = on_day(database, ON)
    tried = passage(database, times, Move(mine.task, (A,), at(10) + timedelta(days=1)))
    assert [[one.code for one in trial.conflicts] for trial in tried.trials] == [[], ["after-window"]]
    assert on_day(database, ON) == before  # trying stores nothing
    with database.writing(SYSTEM, at=AT) as store:
        days.keep_passage(store, tried, force=True)
    assert on_day(database, ON) == {task: staff for task, staff in before.items() if task != mine.task}
    assert on_day(database, TUESDAY) == {mine.task: (A,)}
    with database.writing(SYSTEM, at=AT) as store:
        assert undo.undo(store, ON) == [ON, TUESDAY]
    assert on_day(database, ON) == before
    assert on_day(database, TUESDAY) == {}


def test_a_confirmed_visit_stays_on_its_day_and_a_stale_passage_is_refused(
    database: Database, planned: service.DayPlan, times: TravelTimes
) -> None:
    mine = next(stop for stop in planned.stops() if stop.staff == (A,))
    tried = passage(database, times, Move(mine.task, (A,), at(10) + timedelta(days=1)))
    with database.writing(SYSTEM, at=AT) as store:
        service.set_pin(store, ON, mine.task)
    with pytest.raises(PreconditionFailed), database.writing(SYSTEM, at=AT) as store:
        days.keep_passage(store, tried, force=True)
    again = passage(database, times, Move(mine.task, (A,), at(10) + timedelta(days=1)))
    assert [one.code for one in again.leaves.serious] == ["pinned"]
    with pytest.raises(RuleViolation), database.writing(SYSTEM, at=AT) as store:
        days.keep_passage(store, again, force=True)


def test_a_day_after_the_window_has_to_be_taken_on_and_one_before_it_is_refused(
    database: Database, planned: service.DayPlan, times: TravelTimes
) -> None:
    mine = planned.stops()[0]
    with database.reading(SYSTEM, at=AT) as store:
        window = visits.read(store, mine.task).window
    after = window.end.astimezone(ZONE).date() + timedelta(days=1)
    while after.weekday() > 4:
        after += timedelta(days=1)
    tried = days.try_passage(database, SYSTEM, ON, after, times, Move(mine.task, mine.staff), at=AT, travel_there=times)
    assert "after-window" in [one.code for one in tried.comes.conflicts]
    with pytest.raises(RuleViolation), database.writing(SYSTEM, at=AT) as store:
        days.keep_passage(store, tried)
    before = window.start.astimezone(ZONE).date() - timedelta(days=1)
    with pytest.raises(NotFound) as refused:
        days.try_passage(database, SYSTEM, ON, before, times, Move(mine.task, mine.staff), at=AT, travel_there=times)
    assert refused.value.reason == "dayplan-not-that-day"


def test_undo_twice_brings_the_change_back_and_what_has_begun_stands_in_the_way(
    database: Database, planned: service.DayPlan, times: TravelTimes
) -> None:
    mine = next(stop for stop in planned.stops() if stop.staff == (A,))
    before = on_day(database, ON)
    keep(database, trial(database, times, Move(mine.task, (B,), at(15))))
    after = on_day(database, ON)
    assert after != before
    for expected in (before, after):
        with database.writing(SYSTEM, at=AT) as store:
            undo.undo(store, ON)
        assert on_day(database, ON) == expected
    with database.writing(SYSTEM, at=AT) as store:
        visits.start(store, mine.task, AT, [B])
    with pytest.raises(Conflict) as refused, database.writing(SYSTEM, at=AT) as store:
        undo.undo(store, ON)
    assert refused.value.reason == "dayplan-undo-late"


def test_another_day_and_undo_over_http(client: httpx.Client, database: Database, planned: service.DayPlan, times: TravelTimes) -> None:
    mine = next(stop for stop in planned.stops() if stop.staff == (A,))
    body = {"task": mine.task, "staff": [A], "to": TUESDAY.isoformat(), "start": (at(10) + timedelta(days=1)).isoformat()}
    tried = client.post(f"/api/dayplan/{ON}/to-day", json=body)
    assert tried.status_code == 200, tried.text
    assert [one["kind"] for side in ("leaves", "comes") for one in tried.json()[side]["changes"]] == ["removed", "added"]
    kept = client.post(f"/api/dayplan/{ON}/to-day", json=body | {"keep": True, "force": True})
    assert kept.status_code == 200, kept.text
    assert mine.task in on_day(database, TUESDAY)
    undone = client.post(f"/api/dayplan/{ON}/undo")
    assert undone.json() == {"days": [ON.isoformat(), TUESDAY.isoformat()]}
    assert mine.task in on_day(database, ON)


def test_a_worker_plans_where_the_caller_does_not_wait(client: httpx.Client, database: Database, people: list[str], tmp_path: Path) -> None:
    ask(database, "visit-0", people[0], owner=A)
    left = client.post(f"/api/dayplan/{ON}/propose?seconds=0.1", headers={"Prefer": "respond-async"})
    assert (left.status_code, left.json()["state"]) == (202, "waiting")
    where = left.headers["content-location"]
    assert client.get(f"/api/dayplan/{ON}/proposal").status_code == 404, "nothing is proposed yet"
    assert run(database, left.json()["id"], kinds(tmp_path)) is State.DONE
    told = client.get(where).json()
    assert (told["state"], told["done"], told["total"]) == ("done", 100, 100)
    proposal = client.get(f"/api/dayplan/{ON}/proposal")
    assert proposal.status_code == 200
    accepted = client.post(f"/api/dayplan/{ON}/accept", headers={"If-Match": f'W/"{told["result"]["version"]}"'})
    assert accepted.status_code == 200, accepted.text
    week = client.post(f"/api/dayplan/week/{ON}/propose?days=2&seconds=0.1", headers={"Prefer": "respond-async"})
    assert run(database, week.json()["id"], kinds(tmp_path)) is State.DONE
    assert set(client.get(week.headers["content-location"]).json()["result"]["versions"]) == {ON.isoformat(), TUESDAY.isoformat()}
    with database.writing(SYSTEM, at=AT) as store:
        other = defer(store, "dayplan-day", {})
    assert client.get(f"/api/progress/{other}").json()["state"] == "waiting", "somebody else's plan"


@pytest.fixture
def crowd(database: Database, people: list[str]) -> tuple[str, ...]:
    """Three more nurses."""
    with database.writing(SYSTEM, at=AT) as store:
        for id in ("nurse-d", "nurse-e", "nurse-f"):
            store.put({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": id}]})
            store.put(role(id, "nurse", TOWN.stations[0].id, "nurse"))
    return A, B, NURSE, "Practitioner/nurse-d", "Practitioner/nurse-e", "Practitioner/nurse-f"


def test_as_many_people_as_a_visit_asks_for(
    database: Database, people: list[str], crowd: tuple[str, ...], times: TravelTimes, client: httpx.Client
) -> None:
    """Six come together, a doctor and a nurse among them: planned by the search, moved by hand, over HTTP, confirmed, planned again."""
    ask(database, "six", people[0], skills=("doctor", "nurse"), staff=6)
    ask(database, "seven", people[1], staff=7)
    made = plan(database, times)
    (stop,) = made.stops()
    assert sorted(stop.staff) == sorted(crowd)
    assert [(left.visit, left.code) for left in made.left_over] == [("seven", "too-many-staff")]
    backwards = tuple(reversed(crowd))
    tried = trial(database, times, Move("six", backwards, at(14)))
    assert not tried.conflicts
    for wrong in (crowd[:5], (*crowd[:5], A)):
        assert {one.code for one in trial(database, times, Move("six", wrong, at(14))).serious} == {"two-people"}
    asked = {"moves": [{"task": "six", "staff": list(backwards), "start": at(14).isoformat()}]}
    assert client.post(f"/api/dayplan/{ON}/apply", json=asked).status_code == 200
    with database.writing(SYSTEM, at=AT) as store:
        service.set_pin(store, ON, "six")
    again = next(stop for stop in plan(database, times).stops() if stop.task == "six")
    assert (sorted(again.staff), again.start, again.pinned) == (sorted(crowd), at(14), True)


def test_nobody_able_among_those_who_come(database: Database, people: list[str], crowd: tuple[str, ...], times: TravelTimes) -> None:
    ask(database, "three", people[0], skills=("doctor", "nurse"), staff=3)
    plan(database, times)
    assert {one.code for one in trial(database, times, Move("three", crowd[2:5], at(14))).serious} == {"skill"}
    assert not trial(database, times, Move("three", (crowd[3], crowd[2], A), at(14))).conflicts


def test_during_the_day_an_admission_and_a_late_visit_move_only_what_is_still_free(
    database: Database, planned: service.DayPlan, people: list[str], times: TravelTimes
) -> None:
    mine = next(route for route in planned.routes if route.practitioner == A)
    done, running = mine.stops[0], mine.stops[1]
    confirmed, gone = (stop for stop in sorted(planned.stops(), key=lambda one: one.start)[-2:])
    assert len({done.task, running.task, confirmed.task, gone.task}) == 4
    late = running.start + timedelta(minutes=31)  # longer than planned, and still there
    with database.writing(SYSTEM, at=AT) as store:
        service.set_pin(store, ON, confirmed.task)
    for stop in (done, running):
        with database.writing(SYSTEM, at=stop.start) as store:
            visits.start(store, stop.task, stop.start, list(stop.staff))
        if stop is done:
            with database.writing(SYSTEM, at=stop.end) as store:
                visits.complete(store, stop.task, Findings(stop.start, stop.end, pulse=70), list(stop.staff))
    with database.writing(SYSTEM, at=late) as store:
        inpatient = {"system": V3_ACT_CODE, "code": "IMP"}
        stay = {
            "status": "in-progress",
            "class": inpatient,
            "subject": reference("Patient", gone.person),
            "period": {"start": late.isoformat()},
        }
        store.put({"resourceType": "Encounter", "id": "stay", **stay})
        before = {stop.task: store.read("Task", stop.task)["encounter"] for stop in (done, running, confirmed)}
        kept = {task: store.read("Encounter", one["reference"].rpartition("/")[2]) for task, one in before.items()}
    proposed = service.propose(database, SYSTEM, ON, times, at=late, seconds=0.1)
    assert {left.code for left in proposed.left_over} <= {"in-hospital"}, "what the stay asks for waits for the discharge"
    stops = {stop.task: stop for stop in proposed.stops()}
    assert not stops.keys() & {done.task, running.task, gone.task}
    assert (stops[confirmed.task].start, stops[confirmed.task].staff) == (confirmed.start, confirmed.staff)
    assert all(stop.start >= late for stop in stops.values())
    with database.writing(SYSTEM, at=late) as store:
        service.accept(store, proposed)
        for task, encounter in kept.items():
            now = store.read("Encounter", str(encounter["id"]))
            assert [now.get(key) for key in ("status", "period", "participant")] == [
                encounter.get(key) for key in ("status", "period", "participant")
            ], task
        assert store.read("Task", gone.task)["status"] == "on-hold", "until the discharge"
    with pytest.raises(NotFound):
        trial(database, times, Move(running.task, (B,), at(16)))
