"""Home beds on a real database: establishment, rounds, hospital, discharge, death, other doors."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from staffed import staffed

from healthsvc.errors import Conflict, RuleViolation
from healthsvc.fhir.consent import SignedConsent
from healthsvc.healthfile import closing, merging
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service
from healthsvc.homebed.rules.bed import Diagnosis, Discharge, Status
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.visits import REVIEW
from healthsvc.store import Actor, Database, Store
from healthsvc.visit.rules import Visit
from healthsvc.visit.service import open_visits

ON = date(2026, 11, 22)
AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
DOCTOR = Actor("Practitioner/dr-1", "医生", frozenset({"doctor"}), "page")
STROKE = Diagnosis("I69.300", "脑梗死后遗症")
WELL = Discharge(date(2026, 12, 22), "better", "improved", STROKE)


def prepared(store: Store) -> tuple[str, Assessment, SignedConsent]:
    for one in (staffed("dr-1", "doctor"), staffed("nu-1", "nurse"), staffed("dr-young", "doctor", since="2025-07-01")):
        store.once(one)
    patient = str(register(store, Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1)), "urn:test").patient["id"])
    found = Assessment(patient, "dr-1", ON, STROKE, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "同意建床")
    signed = SignedConsent("agreement-1", patient, "home-bed", AT - timedelta(hours=1), risks_told=True, fees_told=True, copies=3)
    return patient, found, signed


def established(store: Store) -> tuple[str, str]:
    patient, found, signed = prepared(store)
    return patient, str(service.establish(store, patient, found, signed, "dr-1", "nu-1", ON)["id"])


def rounds_of(store: Store, patient: str) -> list[Visit]:
    return open_visits(store, patient, "home-bed-round")


def stay(store: Store, patient: str, status: str, id: str = "stay-1") -> None:
    store.put(
        {
            "resourceType": "Encounter",
            "id": id,
            "status": status,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": f"Patient/{patient}"},
        }
    )


def test_a_bed_is_established_with_its_rounds(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        visits = rounds_of(store, patient)
        assert len(visits) == 13
        assert visits[0].window.end == AT + timedelta(hours=24)
        assert visits[0].priority == "urgent"
        assert {visit.sources for visit in visits} == {(f"EpisodeOfCare/{bed_id}",)}
        assert {visit.owner for visit in visits} == {"Practitioner/dr-1"}
        bed = service.read(store, bed_id)
        assert bed.diagnosis == STROKE
        assert bed.last_day == date(2027, 2, 19)
        patient_again, found, signed = prepared(store)[0], *prepared(store)[1:]
        assert patient_again != patient
        again = service.establish(store, patient, replace(found, patient=patient), replace(signed, patient=patient), "dr-1", "nu-1", ON)
        assert again["meta"]["versionId"] == "1"
    with database.writing(DOCTOR, at=AT + timedelta(days=1)) as store, pytest.raises(Conflict, match="already has an open home bed"):
        service.establish(
            store, patient, replace(found, patient=patient), replace(signed, patient=patient), "dr-1", "nu-1", date(2026, 11, 23)
        )


def test_no_bed_without_assessment_or_agreement(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, found, signed = prepared(store)
        for assessment, consent, reason in (
            (replace(found, stable=False), signed, "homebed-unstable"),
            (found, replace(signed, copies=1), "homebed-copies"),
            (found, replace(signed, kind="infusion"), "homebed-no-consent"),
        ):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                service.establish(store, patient, assessment, consent, "dr-1", "nu-1", ON)
            assert refused.value.reason == reason
        assert service.open_bed(store, patient) is None
        assert rounds_of(store, patient) == []


def test_the_hospital_holds_the_bed_and_brings_a_review(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
    with database.writing(DOCTOR, at=AT + timedelta(days=3)) as store:
        stay(store, patient, "in-progress")
        assert service.read(store, bed_id).status is Status.ONHOLD
        assert service.read(store, bed_id).held_for == "admitted"
        assert rounds_of(store, patient) == []
    later = AT + timedelta(days=20)
    with database.writing(DOCTOR, at=later) as store:
        stay(store, patient, "in-progress", "stay-2")
        stay(store, patient, "finished")
        assert service.read(store, bed_id).status is Status.ONHOLD
        stay(store, patient, "finished", "stay-2")
        assert service.read(store, bed_id).status is Status.ACTIVE
        visits = rounds_of(store, patient)
        assert visits[0].subtype == REVIEW
        assert visits[0].window.end == later + timedelta(days=2)
        assert all(visit.window.start >= later for visit in visits)
        history = [one["status"] for one in store.read("EpisodeOfCare", bed_id)["statusHistory"]]
        assert history == ["active", "onhold", "active"]


def test_a_discharge_waits_for_what_is_open(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        order = store.put(
            {
                "resourceType": "MedicationRequest",
                "id": "course-1",
                "status": "draft",
                "intent": "order",
                "category": [{"coding": [{"system": "https://healthsvc.example/fhir/CodeSystem/home-care", "code": "home-infusion"}]}],
                "medicationCodeableConcept": {"text": "氨溴索"},
                "subject": {"reference": f"Patient/{patient}"},
            }
        )
        with pytest.raises(RuleViolation) as refused:
            service.discharge(store, bed_id, WELL)
        assert refused.value.reason == "homebed-open-infusion-course"
        store.put(order | {"status": "cancelled"})
        episode = store.read("EpisodeOfCare", bed_id)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(episode | {"status": "finished"})
        assert refused.value.reason == "homebed-no-discharge"
        done = service.discharge(store, bed_id, WELL)
        assert (done["status"], done["period"]["end"]) == ("finished", "2026-12-22")
        assert rounds_of(store, patient) == []
        assert service.home_bed_history(store, patient)[0].discharge == WELL


def test_the_hard_stop_after_ninety_days(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        assert [one.days_left for one in service.ending(store, date(2027, 2, 15))] == [5]
        assert service.stop_expired(store, date(2027, 2, 19)) == []
        too_long = store.read("EpisodeOfCare", bed_id)
        too_long["extension"] = [
            one | {"valueDate": "2027-02-20"} if one["url"].endswith("home-bed-last-day") else one for one in too_long["extension"]
        ]
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(too_long)
        assert refused.value.reason == "homebed-too-long"
    with database.writing(DOCTOR, at=AT + timedelta(days=90)) as store:
        assert service.stop_expired(store, date(2027, 2, 20)) == [bed_id]
        assert service.stop_expired(store, date(2027, 2, 20)) == []
        assert service.resume(store, patient) == service.read(store, bed_id)
        service.discharge(store, bed_id, replace(WELL, on=date(2027, 2, 20), reason="term-ended"))
        found = Assessment(patient, "dr-1", date(2027, 2, 20), STROKE, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "续床")
        signed = SignedConsent("agreement-2", patient, "home-bed", AT + timedelta(days=89), risks_told=True, fees_told=True, copies=3)
        again = service.establish(store, patient, found, signed, "dr-1", "nu-1", date(2027, 2, 20), previous=bed_id)
        assert service.with_diagnoses(store, again).previous == bed_id


def test_death_closes_the_bed(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        store.put(store.read("Patient", patient) | {"deceasedDateTime": "2026-11-22"})
        assert service.read(store, bed_id).discharge == Discharge(ON, "death", "death")
        assert rounds_of(store, patient) == []


def test_a_file_that_is_closed_holds_the_bed_until_somebody_says_how_it_ended(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        before = [(one.id, one.window) for one in rounds_of(store, patient)]
        stay(store, patient, "in-progress")
    with database.writing(DOCTOR, at=AT + timedelta(hours=1)) as store:
        closing.close(store, patient, "moved-away", ON)
        assert service.read(store, bed_id).held_for == "file-closed"
        stay(store, patient, "finished")
        assert service.read(store, bed_id).status is Status.ONHOLD, "the end of a stay does not bring anybody to a person who has left"
        assert rounds_of(store, patient) == []
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(store.read("EpisodeOfCare", bed_id) | {"status": "active"})
        assert refused.value.reason == "homebed-file-closed"
        with store.savepoint():
            service.discharge(store, bed_id, replace(WELL, on=ON))
            assert service.open_bed(store, patient) is None
    with database.writing(DOCTOR, at=AT + timedelta(hours=2)) as store:
        other, found, signed = prepared(store)
        closing.close(store, other, "lost", ON)
        with pytest.raises(RuleViolation, match="the file is closed"), store.savepoint():
            service.establish(store, other, found, signed, "dr-1", "nu-1", ON)
        third, second_bed = established(store)
        laid = [(one.id, one.window) for one in rounds_of(store, third)]
        assert len(laid) == len(before)
    with database.writing(DOCTOR, at=AT + timedelta(hours=3)) as store:
        closing.close(store, third, "moved-away", ON)
    with database.writing(DOCTOR, at=AT + timedelta(hours=4)) as store:
        closing.reopen(store, third)
        assert (service.read(store, second_bed).status, service.read(store, second_bed).held_for) == (Status.ACTIVE, None)
        assert [(one.id, one.window) for one in rounds_of(store, third)] == laid


def test_one_person_has_one_bed_also_when_two_files_become_one(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        (one, first), (other, second) = established(store), established(store)
    with database.writing(DOCTOR, at=AT + timedelta(hours=1)) as store:
        merging.merge(store, one, other)
        assert service.read(store, first).status is Status.ACTIVE
        assert (service.read(store, second).status, service.read(store, second).held_for) == (Status.ONHOLD, "merged")
        assert {source for visit in rounds_of(store, one) for source in visit.sources} == {f"EpisodeOfCare/{first}"}
    with database.writing(DOCTOR, at=AT + timedelta(hours=2)) as store:
        merging.unmerge(store, other)
        assert [service.read(store, bed).status for bed in (first, second)] == [Status.ACTIVE] * 2
        assert len(rounds_of(store, other)) == len(rounds_of(store, one))


def test_stability_changes_the_rhythm(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed_id = established(store)
        service.mark_stable(store, bed_id, True)
        due = [visit.window.end.date() for visit in rounds_of(store, patient)]
        assert due[:3] == [date(2026, 11, 23), date(2026, 12, 6), date(2026, 12, 20)]
        service.mark_stable(store, bed_id, False)
        assert len(rounds_of(store, patient)) == 13


def test_a_bed_is_neither_deleted_nor_handed_to_another(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        _, bed_id = established(store)
        other = prepared(store)[0]
        episode: dict[str, Any] = store.read("EpisodeOfCare", bed_id)
        for change in ({"patient": {"reference": f"Patient/{other}"}}, {"type": [{"text": "x"}], "meta": {}}):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(episode | change)
            assert refused.value.reason == "homebed-keep"
        with pytest.raises(RuleViolation), store.savepoint():
            store.delete("EpisodeOfCare", bed_id)


@pytest.mark.parametrize(
    ("doctor", "nurse", "reason"),
    [
        ("nu-1", "nu-1", "homebed-not-a-doctor"),
        ("dr-1", "dr-1", "homebed-not-a-nurse"),
        ("nobody", "nu-1", "homebed-doctor-unknown"),
        ("dr-young", "nu-1", "homebed-doctor-experience"),
    ],
)
def test_a_beds_doctor_is_a_doctor_and_its_nurse_a_nurse(database: Database, doctor: str, nurse: str, reason: str) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, found, signed = prepared(store)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.establish(store, patient, found, signed, doctor, nurse, ON)
        assert refused.value.reason == reason
        episode = service.establish(store, patient, found, signed, "dr-1", "nu-1", ON)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(episode | {"careManager": {"reference": f"Practitioner/{doctor}"}} if doctor != "dr-1" else handed(episode, nurse))
        assert refused.value.reason == reason


def handed(episode: dict[str, Any], nurse: str) -> dict[str, Any]:
    """The episode with another nurse."""
    terms = [
        one | {"valueReference": {"reference": f"Practitioner/{nurse}"}} if one["url"].endswith("home-bed-nurse") else one
        for one in episode["extension"]
    ]
    return episode | {"extension": terms}


def test_whoever_assesses_is_a_doctor(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, found, signed = prepared(store)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.establish(store, patient, replace(found, doctor="nu-1"), signed, "dr-1", "nu-1", ON)
        assert refused.value.reason == "homebed-not-a-doctor"
