"""Referrals on a real database: up, admitted, discharged, followed up, closed; and the hospital's news twice changes nothing."""

from datetime import UTC, date, datetime, timedelta

import pytest

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.referral import service
from healthsvc.referral.resources import task_id
from healthsvc.referral.rules import Late, Outcome, Reason, Referral, Stage
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
D1, H1 = "Practitioner/d1", "Organization/h1"


def referred(store: Store, *, urgent: bool = False) -> Referral:
    patient = str(register(store, Person("测试甲"), "urn:test").patient["id"])
    return service.refer(store, patient, Reason.NOT_CONTROLLED_TWICE, H1, D1, urgent=urgent, summary="血压两次不达标", department="心内科")


def test_the_whole_way(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        service.accept(store, referral.id)
        assert service.admitted(store, referral.person, "Encounter/stay") is not None
        assert visits.open_visits(store, referral.person) == []
        discharged = service.discharged(store, referral.person, "Encounter/stay")
        assert discharged is not None
        (visit,) = visits.open_visits(store, referral.person)
        assert visit.window.end.astimezone(store.zone).date() == date(2026, 12, 6)
        assert visit.sources == (f"ServiceRequest/{referral.id}",)
        assert service.take_back(store, referral.id, "继续服药").remark == "继续服药"
        with pytest.raises(RuleViolation) as refused:
            service.close(store, referral.id, Outcome.IMPROVED)
        assert refused.value.reason == "referral-not-followed-up"
        visits.complete(store, visit.id, Findings(AT, AT, pulse=70), D1)
        assert service.read(store, referral.id).stage is Stage.FOLLOWED_UP
        closed = service.close(store, referral.id, Outcome.IMPROVED)
        assert (closed.stage, closed.outcome) == (Stage.CLOSED, Outcome.IMPROVED)
        assert store.read("ServiceRequest", referral.id)["status"] == "completed"
        assert service.open_referrals(store, referral.person) == []


def test_the_same_referral_and_the_same_news_twice_change_nothing(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store, urgent=True)
        again = service.refer(store, referral.person, referral.reason, H1, D1, urgent=True)
        assert again == referral
        for _ in range(2):
            service.admitted(store, referral.person, "Encounter/stay")
        versions = len(store.history("Task", task_id(referral.id)))
        for _ in range(2):
            service.discharged(store, referral.person, "Encounter/stay")
        assert len(store.history("Task", task_id(referral.id))) == versions + 1
        assert len(visits.open_visits(store, referral.person)) == 2  # the urgent one and the one after the stay


def test_an_urgent_referral_is_followed_up_whether_the_person_went_or_not(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store, urgent=True)
        (visit,) = visits.open_visits(store, referral.person)
        assert visit.priority == "urgent"
        visits.complete(store, visit.id, Findings(AT, AT, pulse=70), D1)
        assert service.read(store, referral.id).stage is Stage.FOLLOWED_UP


def test_other_stays_are_not_taken_for_the_referral(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        assert service.discharged(store, referral.person, "Encounter/other") is None
        service.admitted(store, referral.person, "Encounter/stay")
        assert service.discharged(store, referral.person, "Encounter/other") is None
        assert service.admitted(store, referral.person, "Encounter/other") is None
        nobody = str(register(store, Person("测试乙"), "urn:test").patient["id"])
        assert service.admitted(store, nobody, "Encounter/stay2") is None


def test_refused_and_withdrawn(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        assert service.refuse(store, referral.id, "床位已满").stage is Stage.REFUSED
        assert service.close(store, referral.id, Outcome.NOT_GONE).stage is Stage.CLOSED
        with pytest.raises(RuleViolation):
            service.accept(store, referral.id)
    with database.writing(SYSTEM, at=AT + timedelta(days=1)) as store:
        other = service.refer(store, referral.person, referral.reason, H1, D1)
        assert other.id != referral.id
        assert service.withdraw(store, other.id, "本人不愿").stage is Stage.WITHDRAWN
        with pytest.raises(NotFound):
            service.read(store, "nothing")


def test_a_plain_write_obeys_the_way(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        task = store.read("Task", task_id(referral.id))
        stage = task["businessStatus"]["coding"][0]
        with pytest.raises(RuleViolation) as refused:
            store.put(task | {"status": "in-progress", "businessStatus": {"coding": [stage | {"code": "discharged"}]}})
        assert refused.value.reason == "referral-transition"
        with pytest.raises(RuleViolation) as refused:
            store.put(task | {"status": "completed", "businessStatus": {"coding": [stage | {"code": "closed"}]}})
        assert refused.value.reason == "referral-outcome"


def stay(store: Store, person: str, status: str) -> None:
    store.put(
        {
            "resourceType": "Encounter",
            "id": "stay",
            "status": status,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": f"Patient/{person}"},
            "period": {"start": AT.isoformat()},
        }
    )


def test_a_stay_moves_the_referral_whoever_writes_it(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        way = []
        for status in ("in-progress", "finished", "in-progress", "finished"):
            stay(store, referral.person, status)
            open_now = [one.id for one in visits.open_visits(store, referral.person, "follow-up")]
            way.append((service.read(store, referral.id).stage, len(open_now)))
        assert way == [(Stage.ADMITTED, 0), (Stage.DISCHARGED, 1)] * 2


def test_an_admission_that_is_taken_back_leaves_the_referral_waiting(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        referral = referred(store)
        stay(store, referral.person, "in-progress")
        stay(store, referral.person, "cancelled")
        back = service.read(store, referral.id)
        assert (back.stage, back.stay) == (Stage.ACCEPTED, None)
        assert service.admission_cancelled(store, referral.person, "Encounter/stay") is None
        assert service.admitted(store, referral.person, "Encounter/other") is not None


def test_a_summary_goes_with_it_and_stays_as_it_was(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "程致和"}]})
        patient = str(register(store, Person("测试甲"), "urn:test").patient["id"])
        subject = {"reference": f"Patient/{patient}"}
        active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
        over = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]}
        store.put({"resourceType": "Condition", "id": "c1", "subject": subject, "clinicalStatus": active, "code": {"text": "高血压"}})
        store.put({"resourceType": "Condition", "id": "c2", "subject": subject, "clinicalStatus": over, "code": {"text": "肺炎"}})
        category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
        for id, day, value in (("o1", "2026-11-01", 160), ("o2", "2026-11-20", 172), ("o3", "2024-01-01", 120)):
            store.put(
                {
                    "resourceType": "Observation", "id": id, "status": "final", "subject": subject, "effectiveDateTime": day,
                    "category": [{"coding": [category]}],
                    "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "收缩压"},
                    "valueQuantity": {"value": value, "unit": "mmHg"},
                }
            )  # fmt: skip
        sent = service.refer(store, patient, Reason.CRITICAL, H1, D1, urgent=True, summary="胸痛 <两小时>")
        bundle = service.summary(store, sent.id)
        assert [one.text for one in validate(bundle, Registry.load()) if one.severity == "error"] == []
        kinds = [one["resource"]["resourceType"] for one in bundle["entry"]]
        assert kinds == ["Composition", "Patient", "Practitioner", "Condition", "Observation"]
        text = "".join(section["text"]["div"] for section in bundle["entry"][0]["resource"]["section"])
        assert "胸痛 &lt;两小时&gt;" in text
        assert "172 mmHg" in text
        assert "肺炎" not in text
        assert store.read("ServiceRequest", sent.id)["supportingInfo"][0]["reference"].startswith("DocumentReference/")
    with database.writing(SYSTEM, at=AT + timedelta(days=4)) as store:
        store.put(store.read("Condition", "c1") | {"code": {"text": "高血压3级"}})
        service.refer(store, patient, Reason.OTHER, H1, D1)
        assert service.summary(store, sent.id) == bundle
        (first, second) = service.standings(store)
        assert (first[0].id, first[1]) == (sent.id, Late.NO_ANSWER)
        assert second[1] is None
        service.accept(store, sent.id)
        assert service.standings(store)[0][1] is None
