"""An infusion among the other things of a person: the bed's rounds come closer, death and merges settle everything in one step."""

from datetime import UTC, date, datetime, timedelta

import pytest

from healthsvc.contract import service as contracts
from healthsvc.errors import RuleViolation
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.systems import code_system
from healthsvc.greenchannel import service as channels
from healthsvc.greenchannel.resources import flag_id
from healthsvc.healthfile.merging import merge, unmerge
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis, Discharge
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion import service
from healthsvc.infusion.returns import confirm_return, open_returns
from healthsvc.infusion.rules.order import FirstDose, Order
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit.service import open_visits

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
NEXT = date(2026, 11, 24)
QUALIFIED = code_system("staff-qualification")


def everything(store: Store) -> tuple[str, str, str]:
    """One person with contract, bed, course and green channel: ids of person, bed and course."""
    for id, role in (("dr-1", "doctor"), ("nu-1", "nurse")):
        held = {"code": {"coding": [{"system": QUALIFIED, "code": role}]}, "period": {"start": "2010-01-01"}}
        store.once({"resourceType": "Practitioner", "id": id, "qualification": [held]})
    patient = str(register(store, Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1)), "urn:test").patient["id"])
    contracts.sign(store, patient, "Practitioner/dr-1", "Practitioner/nu-1", ON)
    channels.grant(store, patient, ON)
    found = Assessment(
        patient, "dr-1", ON, Diagnosis("J15.900", "肺炎恢复期"), frozenset({"other"}), frozenset(), True, 20, True, True, "同意建床"
    )
    agreed = SignedConsent("ag-1", patient, "home-bed", AT - timedelta(hours=1), risks_told=True, fees_told=True, copies=3)
    bed = homebeds.establish(store, patient, found, agreed, "dr-1", "nu-1", ON)["id"]
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
    whose = {"reference": f"Patient/{patient}"}
    store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, "code": {"text": "否认药物过敏"}, "patient": whose})
    return patient, str(bed), str(ordered(store, patient).request["id"])


def ordered(store: Store, patient: str, days: int = 5, batch: str | None = None) -> service.Course:
    order = Order(patient, "dr-1", "ambroxol", "氨溴索", "30 mg", "0.9%氯化钠", 100, 120, NEXT, days, batch=batch)
    signed = SignedConsent("c-1", patient, "infusion", AT - timedelta(hours=1), risks_told=True)
    return service.order_course(store, order, consent=signed, first_dose=FirstDose(ON, "示范医院", "ambroxol"))


def due_days(store: Store, patient: str) -> list[date]:
    return [visit.window.end.astimezone(store.zone).date() for visit in open_visits(store, patient, "home-bed-round")]


def test_the_doctor_comes_more_often_while_infusions_run(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, _, course = everything(store)
        assert due_days(store, patient)[:3] == [date(2026, 11, 24), date(2026, 11, 26), date(2026, 11, 29)]
        assert not [visit for visit in open_visits(store, patient) if visit.subtype == "infusion-round"]
        service.stop(store, course, "order-changed")
        assert due_days(store, patient)[:3] == [date(2026, 11, 24), date(2026, 11, 30), date(2026, 12, 7)]


def test_without_a_bed_a_doctors_round_is_asked_for_before_the_first_dose(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, _, course = everything(store)
        service.stop(store, course, "order-changed")
        homebeds.suspend(store, patient, "away")
        for visit in open_visits(store, patient):
            assert visit.kind == "quarterly-checkup"
        again = ordered(store, patient, days=4)
        extra = [visit for visit in open_visits(store, patient) if visit.subtype == "infusion-round"]
        assert [visit.sources for visit in extra] == [(f"MedicationRequest/{again.request['id']}",)]


def test_death_settles_everything_in_one_step(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        store.put(store.read("Patient", patient) | {"deceasedDateTime": "2026-11-23"})
        assert open_visits(store, patient) == []
        assert store.read("EpisodeOfCare", bed)["status"] == "finished"
        assert store.read("MedicationRequest", course)["status"] == "cancelled"
        assert store.read("Flag", flag_id(patient))["status"] == "inactive"
        assert contracts.active(store, patient) is None
        with pytest.raises(RuleViolation):
            ordered(store, patient, days=3)


def test_a_merge_keeps_bed_and_channel_within_reach(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        survivor = str(register(store, Person("测试甲", category=Category.LIXIU), "urn:test").patient["id"])
        merge(store, survivor, patient)
        found = homebeds.open_bed(store, survivor)
        assert found is not None
        assert found.id == bed
        assert channels.answer_for(store, survivor, ON).entitled
        assert service.stop_all(store, survivor, "order-changed") == [course]


@pytest.mark.parametrize("inpatient", [0, 1], ids=["stay on the survivor", "stay on the retired file"])
def test_a_merge_of_somebody_in_a_ward_holds_the_bed_and_stops_the_drip(database: Database, inpatient: int) -> None:
    ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        other = str(register(store, Person("测试甲", category=Category.LIXIU), "urn:test").patient["id"])
        survivor, retired = (other, patient) if inpatient == 0 else (patient, other)
        stay = {"resourceType": "Encounter", "id": "stay-1", "status": "in-progress", "class": ward}
        store.put(stay | {"subject": {"reference": f"Patient/{other}"}})
    with database.writing(SYSTEM, at=AT + timedelta(minutes=1)) as store:
        merge(store, survivor, retired)
        assert (store.read("EpisodeOfCare", bed)["status"], homebeds.read(store, bed).held_for) == ("onhold", "admitted")
        assert store.read("MedicationRequest", course)["status"] == "cancelled"
        assert {one.status for one in open_visits(store, survivor) if one.kind != "admission-visit"} == {"on-hold"}
    with database.writing(SYSTEM, at=AT + timedelta(minutes=2)) as store:
        undone = unmerge(store, retired)
        assert f"MedicationRequest/{course}" in undone.back.left
        assert (store.read("EpisodeOfCare", bed)["status"], store.read("MedicationRequest", course)["status"]) == ("active", "cancelled")


def test_what_was_set_aside_comes_back_before_the_bed_is_closed(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        service.stop(store, course, "order-changed")
        assert open_returns(store, patient) == []
        again = ordered(store, patient, days=4, batch="B1").request["id"]
        service.stop(store, again, "order-changed")
        (back,) = open_returns(store, patient)
        assert back["suppliedItem"]["quantity"]["value"] == 4
        how = Discharge(ON, "better", "improved", Diagnosis("J15.900", "肺炎恢复期"))
        with pytest.raises(RuleViolation) as refused:
            homebeds.discharge(store, bed, how)
        assert refused.value.reason == "homebed-unconfirmed-returns"
        assert confirm_return(store, back["id"], "nu-1")["status"] == "completed"
        assert confirm_return(store, back["id"], "nu-1")["meta"]["versionId"] == "2"
        assert homebeds.discharge(store, bed, how)["status"] == "finished"
