"""Hospital orders: a proposal waits for our doctor and every gate; what the hospital has given proves the first dose, or forbids it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from test_infusion_room import AT, DOCTOR, ON, brought, order_of, person

from healthsvc.errors import Conflict, Invalid, RuleViolation
from healthsvc.homebed import service as homebeds
from healthsvc.infusion import hospital, service
from healthsvc.infusion.hospital import HospitalDose, HospitalOrder
from healthsvc.store import Database, Store
from healthsvc.visit.service import open_visits


def asked(store: Store, patient: str, **change: Any) -> HospitalOrder:
    store.once({"resourceType": "Organization", "id": "h-1", "name": "示范医院"})
    return replace(
        HospitalOrder(patient, "h-1", "ORD-7", "头孢曲松钠", "", "2.0 g", "0.9%氯化钠", 100, 120, ON, 2, 1, "钱医生", "肺炎"), **change
    )


def test_a_proposal_waits_and_survives_the_crossing(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        wanted = asked(store, patient)
        kept = hospital.propose(store, wanted)
        assert (kept["intent"], kept["status"]) == ("proposal", "draft")
        assert hospital.to_wanted(kept) == replace(wanted, drug_code="ceftriaxone")
        assert hospital.propose(store, wanted)["meta"]["versionId"] == "1"
        assert [one["id"] for one in hospital.waiting(store, patient)] == [kept["id"]]
        assert open_visits(store, patient, "home-infusion") == []
        bare = asked(
            store, patient, number="ORD-8", volume_ml=None, rate_ml_h=None, start=None, times_a_day=None, solvent="", drug_name="某药"
        )
        assert hospital.to_wanted(hospital.propose(store, bare)) == bare
        with pytest.raises(Invalid, match="number"):
            hospital.propose(store, replace(wanted, number=""))


def test_our_doctor_takes_it_up_and_all_gates_are_asked(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        kept = hospital.propose(store, asked(store, patient))
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            hospital.take_up(store, kept["id"], order_of(patient), **brought(patient) | {"skin_test": None})
        assert refused.value.reason == "infusion-skin-test-invalid"
        assert hospital.waiting(store)[0]["status"] == "draft"
        course = hospital.take_up(store, kept["id"], order_of(patient), **brought(patient))
        assert course.request["basedOn"] == [{"reference": f"MedicationRequest/{kept['id']}"}]
        assert hospital.waiting(store) == []
        with pytest.raises(Conflict):
            hospital.take_up(store, kept["id"], order_of(patient), **brought(patient))


def test_a_changed_or_withdrawn_hospital_order_stops_the_course(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        kept = hospital.propose(store, asked(store, patient))
        course = hospital.take_up(store, kept["id"], order_of(patient), **brought(patient)).request["id"]
        assert hospital.propose(store, asked(store, patient))["status"] == "completed"
        changed = hospital.propose(store, asked(store, patient, dose="1.0 g"))
        assert changed["status"] == "draft"
        assert store.read("MedicationRequest", course)["status"] == "cancelled"
        assert open_visits(store, patient, "home-infusion") == []
        again = hospital.take_up(store, kept["id"], order_of(patient, dose="1.0 g"), **brought(patient)).request["id"]
        gone = hospital.withdraw(store, "h-1", "ORD-7")
        assert gone is not None
        assert gone["status"] == "cancelled"
        assert store.read("MedicationRequest", again)["status"] == "cancelled"
        assert hospital.withdraw(store, "h-1", "unknown") is None


def test_a_proposal_is_no_way_round(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        kept = hospital.propose(store, asked(store, patient))
        for written in (kept | {"intent": "order", "status": "active"}, kept | {"status": "active"}):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(written)
            assert refused.value.reason == "infusion-proposal"
        declined = hospital.decline(store, kept["id"], "本中心无此药")
        assert declined["statusReason"] == {"text": "本中心无此药"}
        with pytest.raises(Conflict):
            hospital.decline(store, kept["id"], "再次")


def test_a_dose_given_in_hospital_proves_the_first_dose(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        asked(store, patient)
        evidence = brought(patient) | {"first_dose": None}
        given = HospitalDose(patient, "h-1", "ORD-7/1", "头孢曲松钠", AT - timedelta(days=1), batch="B1")
        hospital.record_dose(store, replace(given, number="old", at=AT - timedelta(days=60)))
        hospital.record_dose(store, replace(given, number="other", drug_name="头孢呋辛"))
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.order_course(store, order_of(patient), **evidence)
        assert refused.value.reason == "infusion-first-dose-unproven"
        hospital.record_dose(store, given)
        assert hospital.record_dose(store, given)["meta"]["versionId"] == "1"
        course = service.order_course(store, order_of(patient), **evidence)
        assert "示范医院" in next(one for one in course.results if one.gate == "first-dose").evidence


def test_a_dose_told_by_the_day_counts_and_one_broken_off_does_not(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        asked(store, patient)
        evidence = brought(patient) | {"first_dose": None}
        told = {
            "resourceType": "MedicationAdministration",
            "id": "told",
            "identifier": [{"system": "urn:hospital", "value": "1", "assigner": {"reference": "Organization/h-1"}}],
            "status": "stopped",
            "medicationCodeableConcept": {"coding": [{"system": "urn:hospital:drug", "code": "7", "display": "头孢曲松钠"}]},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": "2026-11-22",
        }
        for changed in (told, told | {"status": "completed", "effectiveDateTime": "2026-11"}):
            store.put(changed)
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                service.order_course(store, order_of(patient), **evidence)
            assert refused.value.reason == "infusion-first-dose-unproven"
        store.put(told | {"status": "completed"})
        assert service.order_course(store, order_of(patient), **evidence).request["status"] == "active"


def test_a_reaction_in_hospital_outweighs_the_paper(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        asked(store, patient)
        hospital.record_dose(store, HospitalDose(patient, "h-1", "ORD-7/2", "头孢曲松钠", AT - timedelta(hours=3), reaction="皮疹"))
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.order_course(store, order_of(patient), **brought(patient))
        reasons = {issue.text.partition(":")[0] for issue in refused.value.issues}
        assert {"infusion-first-dose-unproven", "infusion-allergy"} <= reasons


def test_death_closes_what_waits_and_an_admission_does_not(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        kept = hospital.propose(store, asked(store, patient))
        service.stop_all(store, patient, "admitted")
        assert store.read("MedicationRequest", kept["id"])["status"] == "draft"
        assert homebeds.infusing(store, patient) is False
        store.put(store.read("Patient", patient) | {"deceasedBoolean": True})
        assert store.read("MedicationRequest", kept["id"])["status"] == "cancelled"
