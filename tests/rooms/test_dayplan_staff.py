"""Who is on duty and what keeps a visit from a time: roster, leave, stations, vehicles, holidays, appointments, stays, wishes."""
# ruff: noqa: F811, F401 - fixtures of the day plan

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from test_dayplan_room import AT, ON, TOWN, ZONE, ask, people, plan, role, times
from typer.testing import CliRunner

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import service
from healthsvc.dayplan.gather import day_of, gather
from healthsvc.dayplan.model import problem_of
from healthsvc.dayplan.resources import INPUT
from healthsvc.dayplan.roster import enrol, give_duty, hours_of, note_car
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.dayplan.staffing import OnDuty, on_duty
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.elements import concept, extension, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE, code_system
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.store import SYSTEM, Database
from healthsvc.visit.rules import Priority

ONE, TWO = (place.id for place in TOWN.stations[:2])


def write(database: Database, *resources: Resource) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        for one in resources:
            store.put(one)


def duties(database: Database, on: date = ON, **absent: tuple[float, float]) -> list[OnDuty]:
    with database.reading(SYSTEM, at=AT) as store:
        away = {f"Practitioner/{who.replace('_', '-')}": span for who, span in absent.items()}
        return on_duty(store, on, service.policy_of(store.policy, on), away)


def hours(database: Database, who: str, on: date = ON, **absent: tuple[float, float]) -> list[tuple[float, float]]:
    return [(one.starts, one.ends) for one in duties(database, on, **absent) if one.practitioner == f"Practitioner/{who}"]


def moment(hour: int, minute: int = 0, day: date = ON) -> str:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).isoformat()


def test_a_roster_overrules_the_usual_week(database: Database, people: list[str]) -> None:
    horizon = {"start": "2026-11-16", "end": "2026-11-29"}
    actors = [reference("Practitioner", "dr-a"), reference("Location", ONE)]
    slot = {"resourceType": "Slot", "schedule": reference("Schedule", "duty-a")}
    write(
        database,
        {"resourceType": "Schedule", "id": "duty-a", "active": True, "actor": actors, "planningHorizon": horizon},
        slot | {"id": "a-1", "status": "free", "start": moment(9), "end": moment(12)},
        slot | {"id": "a-2", "status": "free", "start": moment(12), "end": moment(15)},
        slot | {"id": "a-3", "status": "busy", "start": moment(14), "end": moment(15)},
    )
    assert hours(database, "dr-a") == [(540.0, 840.0)]
    assert hours(database, "dr-a", date(2026, 11, 24)) == []  # the roster knows of no duty on Tuesday
    assert hours(database, "dr-a", date(2026, 11, 30)) == [(480.0, 1020.0)]  # beyond the roster the usual week holds


def test_a_night_lasts_into_the_next_morning(database: Database, people: list[str]) -> None:
    night = [{"daysOfWeek": ["fri", "mon"], "availableStartTime": "20:00:00", "availableEndTime": "08:00:00"}]
    write(database, role("dr-a", "doctor", ONE, "doctor", availableTime=night))
    assert hours(database, "dr-a") == [(1200.0, 1440.0)]
    assert hours(database, "dr-a", date(2026, 11, 24)) == [(0.0, 480.0)]
    assert hours(database, "dr-a", date(2026, 11, 28)) == [(0.0, 480.0)], "the night of Friday ends on Saturday"
    assert hours(database, "dr-a", date(2026, 10, 2)) == [], "no night on a holiday, and none before it"
    every = [{"availableStartTime": "20:00:00", "availableEndTime": "08:00:00"}]
    write(database, role("dr-a", "doctor", ONE, "doctor", availableTime=every))
    assert hours(database, "dr-a") == [(0.0, 480.0), (1200.0, 1440.0)], "two nights, not one duty with a break of twelve hours"


def test_a_rostered_night_takes_the_place_of_the_next_day(database: Database, people: list[str]) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        give_duty(store, "dr-a", ON, (hours_of("20:00-07:30"),))
    assert hours(database, "dr-a") == [(1200.0, 1440.0)]
    assert hours(database, "dr-a", date(2026, 11, 24)) == [(0.0, 450.0)]
    assert hours(database, "dr-a", date(2026, 11, 25)) == [(480.0, 1020.0)]
    with database.writing(SYSTEM, at=AT) as store:
        give_duty(store, "dr-a", date(2026, 11, 24), (hours_of("14:00-18:00"),))
    assert hours(database, "dr-a", date(2026, 11, 24)) == [(0.0, 450.0), (840.0, 1080.0)], "two duties"


def test_an_infusion_every_twelve_hours_is_made_by_day_and_by_night(database: Database, people: list[str], times: TravelTimes) -> None:
    from datetime import time

    write(
        database, role("dr-b", "doctor", TWO, "doctor", availableTime=[{"availableStartTime": "20:00:00", "availableEndTime": "08:00:00"}])
    )
    ask(database, "evening", people[0], kind="home-nursing", earliest=time(21, 0), latest=time(22, 0))
    ask(database, "morning", people[0], kind="home-nursing", earliest=time(9, 0), latest=time(10, 0))
    ask(database, "early", people[1], kind="home-nursing", earliest=time(5, 0), latest=time(6, 0))
    made = {stop.task: (stop.staff[0], stop.start.hour) for stop in plan(database, times).stops()}
    assert {task: who for task, (who, _) in made.items()} == {
        "evening": "Practitioner/dr-b",
        "morning": "Practitioner/dr-a",
        "early": "Practitioner/dr-b",
    }
    assert made["early"][1] in (5, 6)
    assert made["evening"][1] in (21, 22)


def test_leave_in_the_middle_of_the_day_makes_two_duties(database: Database, people: list[str]) -> None:
    away = [{"description": "培训", "during": {"start": moment(10), "end": moment(12)}}]
    write(database, role("dr-a", "doctor", ONE, "doctor", notAvailable=away))
    found = [one for one in duties(database) if one.practitioner == "Practitioner/dr-a"]
    assert [(one.starts, one.ends, one.part) for one in found] == [(480.0, 600.0, 0), (720.0, 1020.0, 1)]
    assert hours(database, "dr-b", dr_b=(0.0, 1440.0)) == []
    assert hours(database, "dr-b", dr_b=(0.0, 600.0)) == [(600.0, 1020.0)]


def test_the_morning_at_one_station_the_afternoon_at_another(database: Database, people: list[str], times: TravelTimes) -> None:
    def half(begins: str, ends: str) -> list[Resource]:
        return [{"daysOfWeek": ["mon"], "availableStartTime": begins, "availableEndTime": ends}]

    write(
        database,
        role("dr-a", "doctor", ONE, "doctor", availableTime=half("08:00:00", "12:00:00")),
        role("dr-a", "doctor", TWO, "doctor", availableTime=half("13:00:00", "17:00:00")) | {"id": "role-dr-a-2"},
        role("dr-b", "doctor", TWO, "doctor", availableTime=half("08:00:00", "08:10:00")),
    )
    found = [one for one in duties(database) if one.practitioner == "Practitioner/dr-a"]
    assert [(one.station, one.starts, one.ends, one.part) for one in found] == [(ONE, 480.0, 720.0, 0), (TWO, 780.0, 1020.0, 1)]
    for k in range(7):
        ask(database, f"visit-{k}", people[k], minutes=60)
    made = plan(database, times)
    assert [route.station for route in made.routes] == [f"Location/{ONE}", f"Location/{TWO}"]
    assert {route.practitioner for route in made.routes} == {"Practitioner/dr-a"}
    with database.reading(SYSTEM, at=AT) as store:
        assert service.read_plan(store, ON).routes == made.routes  # type: ignore[union-attr]


def test_each_goes_as_they_go(database: Database, people: list[str], times: TravelTimes) -> None:
    for id, mode in (("dr-a", "walk"), ("dr-b", "drive")):
        write(database, role(id, "doctor", ONE, "doctor", extension=[extension("travel-mode", valueCode=mode)]))
    car: Resource = {
        "resourceType": "Device",
        "id": "car-1",
        "status": "active",
        "type": concept(code_system("travel-mode"), "drive"),
        "location": reference("Location", ONE),
    }
    assert {one.practitioner: one.mode for one in duties(database)} == {
        "Practitioner/dr-a": "walk",
        "Practitioner/dr-b": "drive",
        "Practitioner/nurse-c": "ebike",
    }
    write(database, car | {"status": "inactive"})
    assert {one.mode for one in duties(database) if one.practitioner == "Practitioner/dr-b"} == {"ebike"}
    write(database, car)
    ask(database, "far", people[0], owner="Practitioner/dr-a", priority=Priority.URGENT)
    with database.reading(SYSTEM, at=AT) as store:
        policy = service.policy_of(store.policy, ON)
        day, _, _ = day_of(gather(store, ON, policy), times, policy)
    assert sorted(day.travel) == ["drive", "ebike", "walk"]
    home, station = day.calls[0].place, day.duties[0].place
    assert day.travel["walk"][station, home] > day.travel["ebike"][station, home]


def test_a_public_holiday_is_free_and_its_saturday_is_worked(database: Database, people: list[str]) -> None:
    assert hours(database, "dr-a", date(2026, 10, 1)) == []
    assert hours(database, "dr-a", date(2026, 10, 10)) == [(480.0, 1020.0)]  # a Saturday that makes up for the holidays
    assert hours(database, "dr-a", date(2026, 10, 17)) == []


def appointment(patient: str, start: str, end: str, status: str = "booked") -> Resource:
    return {
        "resourceType": "Appointment",
        "id": "clinic",
        "status": status,
        "start": start,
        "end": end,
        "participant": [{"actor": reference("Patient", patient), "status": "accepted"}],
    }


def test_nobody_comes_while_the_person_is_at_the_hospital(database: Database, people: list[str], times: TravelTimes) -> None:
    from datetime import time

    for k in range(3):
        ask(database, f"visit-{k}", people[k], minutes=30, latest=time(10, 0))
    write(database, appointment(people[0], moment(9), moment(9, 30)))
    made = plan(database, times)
    early = next(stop for stop in made.stops() if stop.task == "visit-0") if any(s.task == "visit-0" for s in made.stops()) else None
    assert early is None  # an hour before and after: from eight to half past ten nobody is at home
    assert [(left.visit, left.code) for left in made.left_over] == [("visit-0", "appointment")]
    write(database, appointment(people[0], moment(9), moment(9, 30), "cancelled"))
    assert len(plan(database, times).stops()) == 3


def test_a_visit_moves_around_the_appointment(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0], minutes=30)
    write(database, appointment(people[0], moment(9), moment(15)))
    stop = plan(database, times).stops()[0]
    assert stop.start >= datetime(2026, 11, 23, 16, 0, tzinfo=ZONE)


def test_an_appointment_is_named_where_it_keeps_a_visit_out(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0], minutes=60)
    write(database, appointment(people[0], moment(9), moment(15, 30)))
    assert [(left.visit, left.codes) for left in plan(database, times).left_over] == [("visit-0", ("appointment",))]


def test_nobody_is_sent_to_somebody_in_hospital(database: Database, people: list[str], times: TravelTimes) -> None:
    stay: Resource = {
        "resourceType": "Encounter",
        "id": "stay",
        "status": "in-progress",
        "class": {"system": V3_ACT_CODE, "code": "IMP"},
        "subject": reference("Patient", people[0]),
        "period": {"start": moment(8, day=date(2026, 11, 22))},
    }
    ask(database, "visit-0", people[0])
    ask(database, "visit-1", people[1])
    write(database, stay)
    made = plan(database, times)
    assert {left.code for left in made.left_over} == {"in-hospital"}, "what the stay asks for waits for the discharge"
    assert [stop.task for stop in made.stops()] == ["visit-1"]


def wish(database: Database, task: str, code: str, **value: Any) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        found = store.read("Task", task)
        found["input"] = [*found.get("input", []), {"type": concept(INPUT, code), **value}]
        store.put(found)


def test_a_wish_for_a_time_of_day_is_soft(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0])
    wish(database, "visit-0", "from", valueTime="14:00:00")
    wish(database, "visit-0", "until", valueTime="15:00:00")
    start = plan(database, times).stops()[0].start
    assert 14 <= start.hour < 15
    for k in range(1, 8):
        ask(database, f"visit-{k}", people[k], minutes=110, skills=("nurse",))
        wish(database, f"visit-{k}", "until", valueTime="09:00:00")
    late = [stop for stop in plan(database, times).stops() if stop.kind == "follow-up" and stop.task != "visit-0" and stop.start.hour >= 10]
    assert late  # one nurse cannot be everywhere before nine; the visits are made all the same


def test_two_people_one_after_the_other(database: Database, people: list[str], times: TravelTimes) -> None:
    ask(database, "visit-0", people[0], skills=("doctor", "nurse"), staff=2)
    low, high = ({"value": minutes, "unit": "min"} for minutes in (30, 45))
    wish(database, "visit-0", "apart", valueRange={"low": low, "high": high})
    made = plan(database, times)
    starts = sorted(stop.start for route in made.routes for stop in route.stops)
    assert len(starts) == 2
    assert 30 <= (starts[1] - starts[0]).total_seconds() / 60 <= 45
    with database.reading(SYSTEM, at=AT) as store:
        period = store.read("Encounter", store.read("Task", "visit-0")["encounter"]["reference"].rpartition("/")[2])["period"]
    assert datetime.fromisoformat(period["start"]) == starts[0]
    assert datetime.fromisoformat(period["end"]) > starts[1]


@pytest.mark.parametrize(("kinds", "left"), [((), []), (("follow-up",), ["visit-0"])])
def test_the_ten_minute_rule_is_a_price_or_a_ban(
    database: Database, people: list[str], times: TravelTimes, kinds: tuple[str, ...], left: list[str]
) -> None:
    ask(database, "visit-0", people[0])
    with database.reading(SYSTEM, at=AT) as store:
        policy = replace(service.policy_of(store.policy, ON), ring_minutes=0.01, ring_kinds=kinds)
        day, _, _ = day_of(gather(store, ON, policy), times, policy)
    problem = problem_of(day, policy)
    found = solve(problem, StopRule(iterations=2_000))
    assert [one.visit for one in found.left_over] == left
    if left:
        from healthsvc.dayplan.explain import why_left

        assert why_left(problem, found, left)["visit-0"].constraints == ("ring",)


def test_staff_are_enrolled_given_duty_and_cars(database: Database, people: list[str]) -> None:
    from datetime import time

    eight, noon = (time(8), time(12)), (time(13), time(17))
    with database.writing(SYSTEM, at=AT) as store:
        for _ in range(2):
            skills = {"nurse": None, "infusion": date(2026, 11, 23)}
            enrol(store, "nurse-d", "丁护士", TWO, skills, (eight, noon), ("mon", "tue"), "drive")
        assert store.read("PractitionerRole", f"role-nurse-d-{TWO}")["meta"]["versionId"] == "1"
        note_car(store, "car-1", TWO)
    new = next(one for one in duties(database) if one.practitioner == "Practitioner/nurse-d")
    assert (new.skills, new.station, new.starts, new.ends, new.rest, new.mode) == (
        {"nurse", "infusion"},
        TWO,
        480.0,
        1020.0,
        (720.0, 720.0, 60.0),
        "drive",
    )
    tuesday = date(2026, 11, 24)
    assert next(one for one in duties(database, tuesday) if one.practitioner == "Practitioner/nurse-d").skills == {"nurse"}
    with database.writing(SYSTEM, at=AT) as store:
        give_duty(store, "nurse-d", tuesday, ((time(14), time(18)),), TWO)
        note_car(store, "car-1", TWO, usable=False)
    assert [(one.starts, one.mode) for one in duties(database, tuesday) if one.practitioner == "Practitioner/nurse-d"] == [(840.0, "ebike")]
    with database.writing(SYSTEM, at=AT) as store:
        give_duty(store, "nurse-d", tuesday, ())
    assert hours(database, "nurse-d", tuesday) == []
    with database.writing(SYSTEM, at=AT) as store:
        for wrong in (
            lambda: enrol(store, "x", "x", TWO, {"infusion": None}, (eight,)),
            lambda: enrol(store, "x", "x", TWO, {"nurse": None}, (eight,), ("someday",)),
            lambda: enrol(store, "x", "x", TWO, {"nurse": None}, (eight,), mode="rocket"),
            lambda: enrol(store, "x", "x", "nowhere", {"nurse": None}, (eight,)),
            lambda: give_duty(store, "nobody", tuesday, (eight,)),
            lambda: hours_of("8 to 5"),
            lambda: hours_of("08:00-08:00"),
        ):
            with pytest.raises((Invalid, NotFound)):
                wrong()


def test_staff_by_command(tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, ["staff", *words, "--data", str(tmp_path)])
        assert done.exit_code == code, done.output
        return done.output

    here = open_installation(tmp_path)
    with here.database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Location", "id": "s1", "status": "active", "name": "站"})
    here.close()
    run("add", "nurse-d", "丁护士", "--station", "s1", "--skill", "nurse", "--skill", "infusion:2026-12-31")
    assert "infusion nurse" in run("list", "2026-11-23")
    assert "infusion" not in run("list", "2027-01-04")
    run("leave", "nurse-d", "2026-11-23T08:00", "2026-11-23T18:00", "--reason", "培训")
    assert "nurse-d" not in run("list", "2026-11-23")
    run("leave", "nurse-d", "2026-11-23T08:00", "2026-11-23T18:00", "--cancel")
    run("duty", "nurse-d", "2026-11-23", "--hours", "09:00-11:00")
    assert "09:00-11:00" in run("list", "2026-11-23")
    assert "active" in run("car", "car-1", "--station", "s1")
