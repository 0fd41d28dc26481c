"""Visits on a real database: requested once, planned, made, suspended; and no door leads round the rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from healthsvc.errors import Conflict, Gone, Invalid, NotFound, RuleViolation
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service
from healthsvc.visit.encounters import encounters_on
from healthsvc.visit.findings import Findings, Pressure
from healthsvc.visit.pending import pending
from healthsvc.visit.resources import to_task, to_visit
from healthsvc.visit.rules import OPEN, Kind, Priority, Standing, Status, Visit, Window

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
DOCTOR = "Practitioner/d1"


def person(store: Store, name: str = "测试甲") -> str:
    return str(register(store, Person(name), "urn:test").patient["id"])


def checkup(patient: str, quarter: str = "2026Q4", suffix: str = "", at: datetime = AT) -> Visit:
    window = Window(at - timedelta(days=1), at + timedelta(days=20))
    return Visit(f"checkup-{patient}-{quarter}{suffix}", Kind.QUARTERLY_CHECKUP, patient, window, 30, frozenset({"doctor"}), owner=DOCTOR)


def test_a_visit_is_requested_once(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        first = service.request(store, checkup(patient))
        service.cancel(store, first["id"], "test")
        assert service.request(store, checkup(patient))["status"] == "cancelled"
        assert len(store.history("Task", first["id"])) == 2
        assert first["code"]["text"] == "每季上门体检"


def test_two_open_checkups_of_one_quarter_are_refused_through_any_door(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        first = service.request(store, checkup(patient))
        with pytest.raises(Conflict) as refused:
            store.create(to_task(checkup(patient, suffix="-b")))
        assert refused.value.reason == "visit-open-twice"
        service.request(store, checkup(patient, "2027Q1", at=AT + timedelta(days=90)))
        service.cancel(store, first["id"], "test")
        again = store.create(to_task(checkup(patient, suffix="-b")))
        with pytest.raises(Conflict):
            service.reopen(store, first["id"])
        store.delete("Task", again["id"])
        assert service.reopen(store, first["id"])["status"] == "requested"


def test_kinds_that_come_often_may_be_open_several_times(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        for number in range(3):
            service.request(store, Visit(f"round-{number}", Kind.HOME_BED_ROUND, patient, Window(AT, AT + timedelta(days=number)), 30))
        assert [visit.id for visit in service.open_visits(store, patient)] == ["round-0", "round-1", "round-2"]


def test_a_plain_update_obeys_the_life_cycle(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, other = person(store), person(store, "测试乙")
        task = service.request(store, checkup(patient))
        with pytest.raises(RuleViolation) as refused:
            store.put(to_task(checkup(patient, "2027Q2")) | {"status": "completed"})
        assert refused.value.reason == "visit-transition"
        with pytest.raises(RuleViolation) as refused:
            store.put(task | {"for": {"reference": f"Patient/{other}"}})
        assert refused.value.reason == "visit-person"
        with pytest.raises(RuleViolation) as refused:
            store.put(task | {"meta": {}, "code": {"text": "something else"}})
        assert refused.value.reason == "visit-kind"
        missed = store.put(task | {"status": "failed"})
        with pytest.raises(RuleViolation) as refused:
            store.put(missed | {"status": "requested"})
        assert refused.value.reason == "visit-transition"


def test_nobody_is_visited_who_has_no_file_or_has_died(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        with pytest.raises(Invalid):
            store.put(to_task(checkup("nobody")))
        dead = register(store, Person("测试甲", deceased=date(2026, 11, 1)), "urn:test").patient["id"]
        with pytest.raises(RuleViolation) as refused:
            service.request(store, checkup(dead))
        assert refused.value.reason == "visit-person-deceased"


def test_planned_moved_begun_and_made(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        visit = to_visit(service.request(store, checkup(patient)))
        planned = service.plan(store, visit, AT, AT + timedelta(minutes=30), [DOCTOR])
        moved = service.plan(store, visit.id, AT + timedelta(hours=1), AT + timedelta(minutes=90), [DOCTOR])
        assert (planned["id"], planned["status"], moved["meta"]["versionId"]) == (moved["id"], "planned", "2")
        assert store.read("Task", visit.id)["encounter"] == {"reference": f"Encounter/{planned['id']}"}
        service.unplan(store, visit.id)
        assert store.read("Encounter", planned["id"])["status"] == "cancelled"
        service.plan(store, visit.id, AT, AT + timedelta(minutes=30), [DOCTOR])
        begun = service.start(store, visit.id, AT, [DOCTOR])
        store.put(begun | {"identifier": [{"system": "http://example.org/round", "value": "7"}]})
        found = Findings(
            AT - timedelta(minutes=25),
            AT,
            bp_left=Pressure(132, 76),
            bp_right=Pressure(136, 78),
            pulse=72,
            temperature=Decimal("36.40"),
            weight=Decimal("58.0"),
            glucose=Decimal("5.6"),
            spo2=96,
            complaints="无不适",
            advice="低盐饮食",
        )
        with pytest.raises(Invalid) as refused:
            service.complete(store, visit.id, replace(found, end=AT + timedelta(hours=1)), DOCTOR)
        assert refused.value.reason == "findings-in-future"
        made = service.complete(store, visit.id, found, DOCTOR)
        assert made.task["status"] == "completed"
        assert made.encounter["status"] == "finished"
        assert made.encounter["class"]["code"] == "HH"
        assert made.encounter["identifier"][0]["value"] == "7"
        assert made.encounter["period"]["end"] == found.end.isoformat()
        assert len(made.observations) == 7
        assert made.task["note"][0]["text"] == "低盐饮食"
        panels = store.select("Observation", patient=patient, code="http://loinc.org|85354-9")
        assert {one["bodySite"]["coding"][0]["code"] for one in panels} == {"368208006", "368209003"}
        with pytest.raises(RuleViolation):
            service.complete(store, visit.id, found, DOCTOR)


def test_a_visit_past_midnight_stands_on_the_day_on_which_it_begins(database: Database) -> None:
    late = datetime(2026, 11, 22, 23, 40, tzinfo=timezone(timedelta(hours=8)))
    with database.writing(SYSTEM, at=AT) as store:
        visit = checkup(person(store))
        service.request(store, visit)
        service.plan(store, visit, late, late + timedelta(minutes=30), [DOCTOR])
        days = [[one["period"]["start"][:16] for one in encounters_on(store, late.date() + timedelta(days=n))] for n in (-1, 0, 1)]
        mine = encounters_on(store, late.date(), participant=DOCTOR)
    assert [len(one) for one in days] == [0, 1, 0]
    assert len(mine) == 1


def test_an_impossible_number_leaves_everything_as_it_was(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        task = service.request(store, checkup(patient))
        with pytest.raises(Invalid):
            service.complete(store, task["id"], Findings(AT, AT, pulse=700), DOCTOR)
        assert store.read("Task", task["id"])["status"] == "requested"
        assert store.select("Observation", patient=patient) == []


def test_late_needs_a_reason_through_any_door(database: Database) -> None:
    late = AT + timedelta(days=30)
    with database.writing(SYSTEM, at=late) as store:
        patient = person(store)
        task = service.request(store, checkup(patient))
        with pytest.raises(RuleViolation) as refused:
            service.complete(store, task["id"], Findings(late, late, pulse=70), DOCTOR)
        assert refused.value.reason == "visit-late-reason"
        with pytest.raises(RuleViolation) as refused:
            store.put(task | {"status": "completed"})
        assert refused.value.reason == "visit-late-reason"
        made = service.complete(store, task["id"], Findings(late, late, pulse=70, late_reason="not-at-home"), DOCTOR)
        assert to_visit(made.task).reason == "not-at-home"


def test_due_and_overdue_on_a_day_and_at_a_moment(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        day = AT.astimezone(store.zone).date()
        service.request(store, Visit("now", Kind.FOLLOW_UP, patient, Window(AT - timedelta(days=3), AT), 20))
        service.request(store, Visit("past", Kind.FOLLOW_UP, patient, Window(AT - timedelta(days=3), AT - timedelta(days=1)), 20))
        service.request(store, Visit("soon", Kind.FOLLOW_UP, patient, Window(AT + timedelta(days=1), AT + timedelta(days=2)), 20))
        assert [visit.id for visit in service.due(store, day)] == ["now"]
        assert [visit.id for visit in service.overdue(store, day)] == ["past"]
        assert [visit.id for visit in service.overdue(store, AT + timedelta(seconds=1))] == ["past", "now"]
        assert [visit.id for visit in service.due(store, day + timedelta(days=1))] == ["soon"]


def test_an_admission_suspends_and_a_discharge_resumes_with_days_of_grace(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        service.request(store, checkup(patient))
        service.request(store, Visit("kept", Kind.ADMISSION_VISIT, patient, Window(AT, AT + timedelta(days=3)), 20))
        encounter = service.plan(store, f"checkup-{patient}-2026Q4", AT, AT + timedelta(minutes=30), [DOCTOR])
        (held,) = service.suspend(store, patient, "admitted", "Encounter/stay", keep=[Kind.ADMISSION_VISIT])
        assert service.suspend(store, patient, "admitted", keep=[Kind.ADMISSION_VISIT]) == []
        assert store.read("Encounter", encounter["id"])["status"] == "cancelled"
        assert store.read("Task", held.id)["businessStatus"]["coding"][0]["code"] == "admitted"
        assert service.overdue(store, AT + timedelta(days=300)) != []  # the one that was kept
        assert held.id not in {visit.id for visit in service.overdue(store, AT + timedelta(days=300))}
        with pytest.raises(RuleViolation):
            service.complete(store, held.id, Findings(AT, AT), DOCTOR)
        assert service.resume(store, patient, AT, "away") == []
    back = AT + timedelta(days=40)
    with database.writing(SYSTEM, at=back) as store:
        (again,) = service.resume(store, patient, back, "admitted")
        assert again.status is Status.REQUESTED
        assert again.window.end == back + timedelta(days=7)
        assert "businessStatus" not in store.read("Task", again.id)


def test_a_visit_to_a_merged_file_goes_to_the_surviving_one(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        survivor, retired = person(store), person(store, "测试乙")
        merge(store, survivor, retired)
        assert to_visit(service.request(store, checkup(retired))).person == survivor


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking on a real database takes minutes
ACTS = ("request", "create", "cancel", "reopen", "plan", "start", "complete", "suspend", "resume", "miss", "unplan")


@settings(max_examples=60, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(["a", "b"])), min_size=4, max_size=14))
def test_no_sequence_leads_to_two_open_visits_of_person_kind_and_quarter(database: Database, acts: list[tuple[str, str]]) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        for act, which in acts:
            visit = checkup(patient, suffix=f"-{which}")
            try:
                with store.savepoint():
                    _do(store, act, visit)
            except (NotFound, Gone, Conflict, RuleViolation):
                pass  # what may not be done is refused and undone; what must hold is looked at below
            tasks = [to_visit(task) for task in store.select("Task", patient=patient)]
            assert sum(one.status in OPEN for one in tasks) <= 1
            for one in tasks:
                planned = store.find("Encounter", f"visit-{one.id}")
                if planned is not None and planned["status"] in ("planned", "in-progress"):
                    assert one.status in (Status.ACCEPTED, Status.IN_PROGRESS)


def _do(store: Store, act: str, visit: Visit) -> None:
    if act == "request":
        service.request(store, visit)
    elif act == "create":
        store.put(to_task(visit))
    elif act in ("cancel", "miss"):
        getattr(service, act)(store, visit.id, "test")
    elif act in ("reopen", "unplan"):
        getattr(service, act)(store, visit.id)
    elif act == "plan":
        service.plan(store, visit.id, AT, AT + timedelta(minutes=30), [DOCTOR])
    elif act == "start":
        service.start(store, visit.id, AT, [DOCTOR])
    elif act == "complete":
        service.complete(store, visit.id, Findings(AT, AT, pulse=70), DOCTOR)
    elif act == "suspend":
        service.suspend(store, visit.person, "away")
    else:
        service.resume(store, visit.person, AT)


def test_what_waits_is_counted_from_marks_as_it_stands_when_read_whole(database: Database) -> None:
    zone = timezone(timedelta(hours=8))
    dawn = datetime(2026, 11, 22, tzinfo=zone)
    edges = (
        timedelta(days=-9),
        timedelta(seconds=-1),
        timedelta(),
        timedelta(seconds=1),
        timedelta(hours=23),
        timedelta(days=1),
        timedelta(days=3),
    )
    spans = [(first, last) for first in edges for last in edges if first < last]
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        for number, (first, last) in enumerate(spans):
            urgent = Priority.URGENT if number % 3 == 0 else Priority.ROUTINE
            owner = DOCTOR if number % 2 else "Practitioner/d2"
            window = Window(dawn + first, dawn + last)
            service.request(store, Visit(f"round-{number:02}", Kind.HOME_BED_ROUND, patient, window, 30, owner=owner, priority=urgent))
        foreign = to_task(checkup(patient)) | {"id": "foreign", "code": {"text": "别家系统的任务"}}
        del foreign["meta"]
        store.put(foreign)
        for on in (dawn.date() - timedelta(days=1), dawn.date(), dawn.date() + timedelta(days=1)):
            whole = service.standings(store, on)
            for owner in (None, DOCTOR):
                late, due = pending(store, on, owner)
                theirs = [(visit, stands) for visit, stands in whole if owner in (None, visit.owner)]
                assert [one.visit() for one in late] == [visit for visit, stands in theirs if stands is Standing.OVERDUE]
                wanted = [visit for visit, stands in theirs if stands is Standing.DUE]
                assert [one.visit() for one in due] == sorted(
                    wanted, key=lambda one: (one.priority is Priority.ROUTINE, one.window.end, one.id)
                )
