"""Infusions on a real database: from the order through the gates to the bedside; reactions, admissions, other doors."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from eligible import eligible

from healthsvc.errors import Conflict, Invalid, RuleViolation
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.infusion import bedside, service
from healthsvc.infusion.overrides import overridden
from healthsvc.infusion.records import OfTheDay, given_id
from healthsvc.infusion.rules.bedside import Act, Entry, Step, Vitals
from healthsvc.infusion.rules.checks import Outcome
from healthsvc.infusion.rules.gates import Gate
from healthsvc.infusion.rules.order import Approval, Companion, DoubleCheck, FirstDose, Order, Override, RescueKit, SkinTest
from healthsvc.infusion.visits import input_of
from healthsvc.store import Actor, Database, Store
from healthsvc.visit.service import open_visits

AT = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
DOCTOR = Actor("Practitioner/dr-1", "医生", frozenset({"doctor"}), "page")
KIT = [
    "adrenaline",
    "antihistamine",
    "dexamethasone",
    "oxygen-or-bag",
    "tourniquet",
    "bp-cuff",
    "spare-infusion-set",
    "disinfectant",
    "sharps-box",
]
WELL = Vitals(135, 75, 72, Decimal("36.6"), 97)
QUALIFIED = code_system("staff-qualification")


def staff(id: str, *codes: str, text: str = "") -> Resource:
    period = {"period": {"start": "2010-07-01"}}
    held = [{"code": {"coding": [{"system": QUALIFIED, "code": code}], **({"text": text} if text else {})}, **period} for code in codes]
    return {"resourceType": "Practitioner", "id": id, "active": True, "qualification": held}


def note_allergy(store: Store, patient: str, text: str) -> None:
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
    about = {"code": {"text": text}, "patient": {"reference": f"Patient/{patient}"}}
    store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, **about})


def person(store: Store, *, allergy: str | None = "无") -> str:
    for one in (
        staff("dr-1", "doctor"),
        staff("dr-2", "doctor"),
        staff("nu-1", "nurse", "infusion", text="主管护师"),
        staff("nu-2", "nurse"),
    ):
        store.once(one)
    patient = str(register(store, Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1)), "urn:test").patient["id"])
    found = eligible(patient, "dr-1", ON)
    agreed = SignedConsent(f"ag-{patient}"[:60], patient, "home-bed", AT - timedelta(hours=2), risks_told=True, fees_told=True, copies=3)
    homebeds.establish(store, patient, found, agreed, "dr-1", "nu-1", ON)
    if allergy is not None:
        note_allergy(store, patient, allergy)
    return patient


def order_of(patient: str, **change: Any) -> Order:
    usual = Order(patient, "dr-1", "ceftriaxone", "头孢曲松钠", "2.0 g", "0.9%氯化钠", 100, 120, ON, 2, indication="不能口服", batch="B1")
    return replace(usual, **change)


def brought(patient: str) -> dict[str, Any]:
    return {
        "consent": SignedConsent("c-1", patient, "infusion", AT - timedelta(hours=1), risks_told=True),
        "approval": Approval("dr-2", AT - timedelta(hours=1), "同意"),
        "first_dose": FirstDose(date(2026, 11, 22), "示范医院", "ceftriaxone"),
        "skin_test": SkinTest(AT - timedelta(hours=20), "ceftriaxone", "B1", True),
        "nurse": "nu-1",
    }


def of_the_day(at: datetime, **change: Any) -> OfTheDay:
    kit = frozenset(KIT)
    on = (at + timedelta(hours=8)).date()
    usual = OfTheDay(
        Companion(True, True, "nu-1", on),
        DoubleCheck("nu-1", "dr-1", at - timedelta(minutes=30)),
        RescueKit(on, "nu-1", kit, date(2027, 6, 30)),
    )
    return replace(usual, **change)


def go(store: Store, task: str, at: datetime, *acts: tuple[Act, int], day: OfTheDay | None = None, text: str = "记录") -> Resource:
    written: Resource = {}
    for act, minute in acts:
        vitals = WELL if act in (Act.MEASURE, Act.END) else None
        matched = ("name", "birth-date") if act is Act.IDENTIFY else ()
        words = text if act in (Act.REACT, Act.REFER, Act.REPORT, Act.REFUSE) else ""
        entry = Entry(act, at + timedelta(minutes=minute), "nu-1", words, vitals, matched)
        written = bedside.take(store, task, entry, (day or of_the_day(at)) if act is Act.CLEAR else None)
    return written


START = ((Act.ARRIVE, 0), (Act.IDENTIFY, 2), (Act.CLEAR, 5), (Act.MEASURE, 8), (Act.PUNCTURE, 10))
REST = ((Act.CHECK, 25), (Act.CHECK, 40), (Act.CHECK, 55), (Act.END, 60), (Act.OBSERVE, 90), (Act.LEAVE, 92))


def test_a_course_becomes_visits_and_is_given(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        assert [one.outcome for one in course.results] == [Outcome.PASSED] * 8
        doses = [task for task in course.visits if "dose" in task["id"]]
        assert len(doses) == 2
        visit = open_visits(store, patient, "home-infusion")[0]
        assert visit.minutes == 15 + 50 + 30
        assert visit.skills == {"nurse", "infusion"}
        assert visit.owner == "Practitioner/nu-1"
        assert (str(visit.earliest), str(visit.latest)) == ("07:30:00", "20:00:00")
        assert visit.window.end - visit.window.start == timedelta(hours=12, minutes=30 + visit.minutes)
        assert input_of(doses[1], "after") == {"reference": f"Task/{doses[0]['id']}"}
        assert input_of(doses[1], "gap")["value"] == 1320
        again = service.order_course(store, order_of(patient), **brought(patient))
        assert again.request["meta"]["versionId"] == "1"
    first, second = doses[0]["id"], doses[1]["id"]
    with database.writing(DOCTOR, at=AT + timedelta(hours=3)) as store:
        record = go(store, first, AT + timedelta(hours=1), *START, *REST)
        assert record["status"] == "completed"
        assert store.read("Task", first)["status"] == "completed"
        gates = [one for one in record["extension"] if one["url"].endswith("infusion-gate")]
        assert len(gates) == 12
        pressures = store.select("Observation", patient=patient, code="85354-9")
        assert len(pressures) == 2
        assert all(one["partOf"] == [{"reference": f"MedicationAdministration/{given_id(first)}"}] for one in pressures)
    with database.writing(DOCTOR, at=AT + timedelta(hours=26)) as store:
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, second, AT + timedelta(hours=22), *START)
        assert refused.value.reason == "infusion-gap-too-short"
        go(store, second, AT + timedelta(hours=24), *START, *REST)
        assert store.read("MedicationRequest", course.request["id"])["status"] == "completed"


@pytest.mark.parametrize(
    ("change", "without", "reason"),
    [
        ({"drug_code": "benzylpenicillin"}, (), "infusion-drug-forbidden"),
        ({}, ("approval",), "infusion-drug-not-approved"),
        ({}, ("first_dose",), "infusion-first-dose-unproven"),
        ({}, ("skin_test",), "infusion-skin-test-invalid"),
        ({}, ("consent",), "infusion-no-consent"),
        ({"prescriber": "nu-1"}, (), "infusion-order-not-authorised"),
        ({"days": 8}, (), "infusion-course-too-long"),
        ({"start": date(2026, 11, 22), "authored": date(2026, 11, 22)}, (), "infusion-start-past"),
    ],
)
def test_nothing_is_scheduled_behind_a_shut_gate(database: Database, change: dict[str, Any], without: tuple[str, ...], reason: str) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        evidence = {key: value for key, value in brought(patient).items() if key not in without}
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.order_course(store, order_of(patient, **change), **evidence)
        assert refused.value.reason == reason
        assert open_visits(store, patient, "home-infusion") == []


@pytest.mark.parametrize(("allergy", "shut"), [("无", False), (None, True), ("青霉素过敏", True), ("芒果", False)])
def test_allergies_come_from_the_file(database: Database, allergy: str | None, shut: bool) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store, allergy=allergy)
        if shut:
            with pytest.raises(RuleViolation) as refused:
                service.order_course(store, order_of(patient), **brought(patient))
            assert refused.value.reason == "infusion-allergy"
        else:
            assert service.order_course(store, order_of(patient), **brought(patient)).request["status"] == "active"


def test_without_bed_or_contract_there_is_no_infusion(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        homebeds.suspend(store, patient, "away")
        with pytest.raises(RuleViolation) as refused:
            service.order_course(store, order_of(patient), **brought(patient))
        assert refused.value.reason == "infusion-no-active-care"


def test_an_override_is_reported_and_only_a_doctor_may(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        evidence = brought(patient) | {"approval": None}
        for doctor, reason in (("nu-1", "x"), ("dr-2", ""), ("nobody", "x")):
            said = Override(Gate.RESTRICTED, doctor, reason, AT)
            with pytest.raises(RuleViolation), store.savepoint():
                service.order_course(store, order_of(patient), **evidence, overrides=[said])
        said = Override(Gate.RESTRICTED, "dr-2", "电话同意,书面后补", AT)
        course = service.order_course(store, order_of(patient), **evidence, overrides=[said])
        assert [one.gate for one in course.results if one.overridden_by] == [Gate.RESTRICTED]
        (report,) = overridden(store, patient)
        assert report["mitigation"][0]["author"] == {"reference": "Practitioner/dr-2"}
        assert report["code"]["coding"][0]["code"] == "infusion-drug-not-approved"


def test_gates_are_asked_again_at_the_bedside(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        service.order_course(store, order_of(patient), **brought(patient))
        task = open_visits(store, patient, "home-infusion")[0].id
    now = AT + timedelta(hours=1)
    with database.writing(DOCTOR, at=now + timedelta(minutes=15)) as store:
        go(store, task, now, *START[:2])
        for day, reason in (
            (of_the_day(now, companion=None), "infusion-no-companion"),
            (of_the_day(now, double_check=None), "infusion-not-double-checked"),
            (of_the_day(now, kit=None), "infusion-nurse-or-kit-not-ready"),
        ):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                go(store, task, now, START[2], day=day)
            assert refused.value.reason == reason
        note_allergy(store, patient, "头孢过敏")
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, task, now, START[2])
        assert refused.value.reason == "infusion-allergy"
        go(store, task, now, (Act.REFUSE, 10), (Act.LEAVE, 12), text="新发现头孢过敏")
        assert store.read("MedicationAdministration", given_id(task))["status"] == "not-done"
        assert store.read("Task", task)["status"] == "cancelled"


def test_another_order_under_the_same_id_is_refused_not_swallowed(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        assert service.order_course(store, order_of(patient), **brought(patient)).request == course.request
        with pytest.raises(Conflict) as refused:
            service.order_course(store, order_of(patient, dose="4.0 g"), **brought(patient))
        assert refused.value.reason == "infusion-course-differs"


def test_no_step_lies_in_the_future_and_who_was_checked_punctures(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        service.order_course(store, order_of(patient), **brought(patient))
        task = open_visits(store, patient, "home-infusion")[0].id
    now = AT + timedelta(hours=1)
    with database.writing(DOCTOR, at=now + timedelta(minutes=8)) as store:
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, task, now, *START[:4], (Act.PUNCTURE, 11))
        assert refused.value.reason == "infusion-time-future"
        go(store, task, now, *START[:4])
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            bedside.take(store, task, Entry(Act.PUNCTURE, now + timedelta(minutes=9), "nu-2"))
        assert refused.value.reason == "infusion-other-nurse"
        go(store, task, now, (Act.PUNCTURE, 10))


def test_a_reaction_stops_alarms_refers_and_reports(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        task, other = (visit.id for visit in open_visits(store, patient, "home-infusion"))
    now = AT + timedelta(hours=1)
    with database.writing(DOCTOR, at=now + timedelta(hours=1)) as store:
        go(store, task, now, *START, (Act.CHECK, 20), (Act.REACT, 24), text="皮疹,胸闷")
        assert store.read("MedicationRequest", course.request["id"])["status"] == "stopped"
        assert store.read("Task", other)["status"] == "cancelled"
        with pytest.raises(RuleViolation) as refused:
            go(store, task, now, (Act.CHECK, 25))
        assert refused.value.reason == "infusion-step-out-of-order"
        with pytest.raises(RuleViolation):
            go(store, task, now, (Act.LEAVE, 25))
        go(store, task, now, (Act.STOP, 24), (Act.ALARM, 25), (Act.REFER, 30), (Act.REPORT, 50), (Act.LEAVE, 60))
        event = store.first("AdverseEvent", subject=f"Patient/{patient}")
        assert event is not None
        assert event["suspectEntity"][0]["instance"]["reference"] == f"MedicationAdministration/{given_id(task)}"
        referral = store.first("ServiceRequest", patient=patient)
        assert referral is not None
        assert referral["priority"] == "stat"
        assert bedside.where(store, task).bedside.step is Step.LEFT
        assert store.read("MedicationAdministration", given_id(task))["status"] == "stopped"
        with pytest.raises(RuleViolation) as refused:
            service.order_course(store, order_of(patient, start=date(2026, 11, 24)), **brought(patient))
        assert refused.value.reason == "infusion-allergy"


def test_a_dose_is_never_made_up_for(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        first, second = (visit.id for visit in open_visits(store, patient, "home-infusion"))
    late = AT + timedelta(hours=24)
    with database.writing(DOCTOR, at=late) as store:
        assert service.miss_late(store) == [first]
        assert service.miss_late(store) == []
        assert store.read("Task", first)["statusReason"]["coding"][0]["code"] == "dose-missed"
    with database.writing(DOCTOR, at=AT + timedelta(hours=38)) as store:
        go(store, second, AT + timedelta(hours=37), *START[:1])
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, second, AT + timedelta(hours=37), *START[1:])
        assert refused.value.reason == "infusion-dose-too-late"
        assert store.read("MedicationRequest", course.request["id"])["status"] == "active"


def test_an_admission_stops_the_course_for_good(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        stay = {
            "resourceType": "Encounter",
            "id": "stay-1",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": f"Patient/{patient}"},
        }
        store.put(stay)
        request = store.read("MedicationRequest", course.request["id"])
        assert (request["status"], request["statusReason"]["coding"][0]["code"]) == ("cancelled", "admitted")
        assert open_visits(store, patient, "home-infusion") == []
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(request | {"status": "active"})
        assert refused.value.reason == "infusion-transition"
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.order_course(store, order_of(patient, start=date(2026, 11, 24)), **brought(patient))
        assert refused.value.reason in {"infusion-in-hospital", "infusion-no-active-care"}


def test_no_other_door_leads_past_the_gates(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient))
        task = store.read("Task", open_visits(store, patient, "home-infusion")[0].id)
        request = course.request
        forged = {key: value for key, value in request.items() if key != "extension"} | {"id": "forged"}
        forged["extension"] = [one for one in request["extension"] if "skin-test" not in one["url"]]
        alone = {key: value for key, value in task.items() if key != "basedOn"} | {"id": "alone"}
        cases: list[tuple[Resource, str]] = [
            (forged, "infusion-skin-test-invalid"),
            (alone, "infusion-no-course"),
            (request | {"authoredOn": "2026-11-20"}, "infusion-order-fixed"),
            ({key: value for key, value in request.items() if key not in ("category", "meta")}, "infusion-keep"),
            (task | {"status": "completed", "executionPeriod": {"start": AT.isoformat(), "end": AT.isoformat()}}, "infusion-no-record"),
        ]
        for written, reason in cases:
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(written)
            assert refused.value.reason == reason
    now = AT + timedelta(hours=1)
    with database.writing(DOCTOR, at=now + timedelta(minutes=5)) as store:
        record = go(store, task["id"], now, *START[:2])
        jumped = record | {
            "status": "in-progress",
            "extension": [
                *record["extension"],
                {
                    "url": record["extension"][0]["url"],
                    "extension": [
                        {"url": "act", "valueCode": "clear"},
                        {"url": "at", "valueDateTime": (now + timedelta(minutes=3)).isoformat()},
                        {"url": "by", "valueReference": {"reference": "Practitioner/nu-1"}},
                    ],
                },
            ],
        }
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(jumped | {"status": "on-hold"})
        assert refused.value.reason == "infusion-no-companion"
        with pytest.raises(Invalid), store.savepoint():
            store.put(record | {"extension": record["extension"][1:]})
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(record | {"extension": [record["extension"][0], record["extension"][-1]]})
        assert refused.value.reason == "infusion-log-changed"
