"""Checkups on a real database: a bad result asks for what the rules say, whatever the door; the self-care score is kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from healthsvc.checkup import service
from healthsvc.checkup.followup import Result
from healthsvc.checkup.resources import PROVISIONAL, to_result, to_self_care
from healthsvc.checkup.selfcare import Level
from healthsvc.contract import service as contracts
from healthsvc.errors import Conflict, Invalid, RuleViolation
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.policy import load
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Mode, Pressure
from healthsvc.visit.resources import to_visit
from healthsvc.visit.rules import Kind, Priority, Visit, Window

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
D1 = "Practitioner/d1"


def signed(store: Store, *diseases: str) -> str:
    store.once({"resourceType": "Practitioner", "id": "d1"})
    patient = str(register(store, Person("测试甲", birth=date(1932, 1, 1)), "urn:test").patient["id"])
    for code in diseases:
        store.create(
            {
                "resourceType": "Condition",
                "subject": {"reference": f"Patient/{patient}"},
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
                "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            }
        )
    contracts.sign(store, patient, D1, None, date(2026, 11, 22))
    return patient


def complete(store: Store, task: str, **found: Any) -> None:
    service.complete(store, task, Findings(store.at, store.at, **found), D1)


def follow_ups(store: Store, patient: str) -> list[Visit]:
    return visits.open_visits(store, patient, Kind.FOLLOW_UP)


def test_a_first_bad_pressure_is_reviewed_in_two_weeks_and_a_second_one_referred(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store, "I10.x00")
        complete(store, f"checkup-{patient}-2026Q4", bp_left=Pressure(162, 80), bp_right=Pressure(140, 80))
        (review,) = follow_ups(store, patient)
        assert (review.subtype, review.owner, review.priority) == ("review", D1, Priority.URGENT)
        assert review.window.end.astimezone(store.zone).date() == date(2026, 12, 6)
    with database.writing(SYSTEM, at=AT + timedelta(days=10)) as store:
        complete(store, review.id, bp_left=Pressure(158, 80))
        (second,) = follow_ups(store, patient)
        assert second.subtype == "refer"
        classes = store.select("Observation", patient=patient, code="https://healthsvc.example/fhir/CodeSystem/follow-up-rule|hypertension")
        assert [to_result(one) for one in classes] == [Result.NOT_CONTROLLED] * 2
        assert all(one["derivedFrom"] for one in classes)


def test_no_second_follow_up_where_a_doctors_visit_is_planned(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store, "I10")
        window = Window(AT, AT + timedelta(days=5))
        visits.request(store, Visit("round", Kind.HOME_BED_ROUND, patient, window, 30, frozenset({"doctor"})))
        complete(store, f"checkup-{patient}-2026Q4", bp_left=Pressure(162, 80))
        assert follow_ups(store, patient) == []
        assert len(store.select("Observation", patient=patient)) == 2


def test_an_emergency_is_one_whether_the_disease_is_known_or_not(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store)
        complete(store, f"checkup-{patient}-2026Q4", bp_left=Pressure(192, 100))
        (urgent,) = follow_ups(store, patient)
        assert (urgent.subtype, urgent.priority) == ("refer-urgently", Priority.ASAP)


def test_a_high_pressure_of_somebody_without_the_disease_is_measured_again(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store, "J44")
        complete(store, f"checkup-{patient}-2026Q4", bp_left=Pressure(162, 80), glucose=Decimal("9.0"))
        (again,) = follow_ups(store, patient)
        assert (again.subtype, again.priority) == ("measure", Priority.URGENT)


def test_a_checkup_of_a_diabetic_without_glucose_asks_for_it(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store, "E11.9")
        complete(store, f"checkup-{patient}-2026Q4", bp_left=Pressure(120, 70))
        (extra,) = follow_ups(store, patient)
        assert extra.subtype == "measure"


def test_a_visit_that_a_client_completes_is_judged_too(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store, "I10")
        task = store.read("Task", f"checkup-{patient}-2026Q4")
        pressure = store.create(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
                "subject": {"reference": f"Patient/{patient}"},
                "effectiveDateTime": AT.isoformat(),
                "component": [
                    {
                        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                        "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
                    }
                    for code, value in (("8480-6", 170), ("8462-4", 80))
                ],
            }
        )
        output = [{"type": {"text": "BP"}, "valueReference": {"reference": f"Observation/{pressure['id']}"}}]
        store.put(task | {"status": "completed", "output": output})
        assert [one.subtype for one in follow_ups(store, patient)] == ["review"]


def test_the_self_care_answers_are_kept_and_the_total_computed(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store)
        task = f"checkup-{patient}-2026Q4"
        answers = {"eating": 3, "grooming": 1, "dressing": 3, "toilet": 5, "moving": 5}
        made = service.complete(store, task, Findings(AT, AT, pulse=70), D1, answers)
        assert made.self_care is not None
        assert (made.self_care.total, made.self_care.level) == (17, Level.MODERATE)
        (kept,) = store.select("Observation", patient=patient, code="https://healthsvc.example/fhir/CodeSystem/self-care|total")
        assert to_self_care(kept) == made.self_care


def test_a_checkup_of_which_nothing_is_on_file_has_not_been_kept(database: Database) -> None:
    """签而不约: one press on an empty form must not count as a checkup."""
    with database.writing(SYSTEM, at=AT) as store:
        task = f"checkup-{signed(store)}-2026Q4"
        bare = Findings(AT, AT, mode=Mode.PHONE, late_reason="away", next_on=AT.date(), glucose_fasting=False)
        with pytest.raises(RuleViolation, match="nothing of the checkup"):
            service.complete(store, task, bare, D1)
        assert store.read("Task", task)["status"] == "requested"
        assert service.complete(store, task, replace(bare, advice="多饮水"), D1).visit


def test_a_wrong_answer_leaves_the_checkup_open(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store)
        task = f"checkup-{patient}-2026Q4"
        with pytest.raises(Invalid):
            service.complete(store, task, Findings(AT, AT, pulse=70), D1, {"eating": 4})
        assert store.read("Task", task)["status"] == "requested"


def test_a_year_whose_holidays_are_not_published_is_marked(database: Database) -> None:
    with database.writing(SYSTEM, at=AT.replace(year=2049)) as store:
        store.once({"resourceType": "Practitioner", "id": "d1"})
        patient = str(register(store, Person("测试甲"), "urn:test").patient["id"])
        contracts.sign(store, patient, D1, None, date(2050, 1, 1))
        tasks = store.select("Task", patient=patient)
        assert len(tasks) == 4
        assert all({"url": PROVISIONAL, "valueBoolean": True} in task["extension"] for task in tasks)
        assert service.settle_calendar(store) == 0
        task = tasks[0]
        period = {"start": "2026-01-05T00:00:00+08:00", "end": "2026-03-05T00:00:00+08:00"}
        store.put(task | {"restriction": {"period": period}})
        assert service.settle_calendar(store) == 1
        assert "extension" not in store.read("Task", task["id"])


def test_windows_close_on_worked_days(database: Database) -> None:
    from healthsvc.checkup.calendar import is_workday

    with database.writing(SYSTEM, at=AT) as store:
        patient = signed(store)
        for visit in visits.open_visits(store, patient):
            assert is_workday(visit.window.end.astimezone(store.zone).date())


def test_of_many_who_ask_for_the_same_quarter_at_once_one_is_open(engine_url: str, tmp_path: Path) -> None:
    opened = Database.open(engine_url, rooms=ROOMS, signing_keys=tmp_path / "keys")
    with opened.writing(SYSTEM, at=AT) as store:
        patient = str(register(store, Person("测试甲"), "urn:test").patient["id"])
    everybody = Barrier(6)

    def ask(number: int) -> str:
        everybody.wait()
        try:
            with opened.writing(SYSTEM, at=AT) as store:
                window = Window(AT, AT + timedelta(days=number + 1))
                visits.request(store, Visit(f"c{number}", Kind.QUARTERLY_CHECKUP, patient, window, 30))
        except Conflict as refused:
            return str(refused.reason)
        return "asked"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(ask, range(6)))
    assert outcomes == ["asked"] + ["visit-open-twice"] * 5
    with opened.reading(SYSTEM, at=AT) as store:
        assert len(visits.open_visits(store, patient)) == 1
    opened.close()


def test_windows_move_when_the_years_holidays_are_entered(tmp_path: Path) -> None:
    """What was laid out before a year was published closes on a worked day afterwards, and is no longer provisional."""
    folder = tmp_path / "policy"
    url = f"sqlite:///{tmp_path}/healthsvc.sqlite"
    opened = Database.open(url, rooms=ROOMS)
    with opened.writing(SYSTEM, at=AT) as store:
        patient = signed(store)
        far = store.read("Task", f"checkup-{patient}-2027Q3")
        closes = to_visit(far).window.end.astimezone(store.zone).date()
        assert any(one["url"] == PROVISIONAL for one in far["extension"])
    opened.close()
    folder.mkdir()
    rows = ((1, "days_off", f"[{closes}]"), (2, "calendar_published", "[2027]"))
    (folder / "checkup.toml").write_text(
        "\n".join(
            f'[[parameter]]\nname = "checkup.{name}"\nvalue = {value}\nunit = "date"\ntitle = "x"\ntitle_en = "x"\nsource = "x"\n'
            'trust = "site"\neffective_from = 2020-01-01\njurisdiction = "CN"\n'
            for _, name, value in rows
        )
    )
    opened = Database.open(url, rooms=ROOMS, policy=load(folder))
    with opened.writing(SYSTEM, at=AT) as store:
        assert service.settle_calendar(store) > 0
        moved = store.read("Task", far["id"])
        assert to_visit(moved).window.end.astimezone(store.zone).date() < closes
        assert not any(one["url"] == PROVISIONAL for one in moved.get("extension", []))
        assert service.settle_calendar(store) == 0
    opened.close()
