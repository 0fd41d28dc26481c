"""A stay of each class means the same in every room: what is a ward for the visits is one for bed, drip, referral, phone and forms."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import embedded
import pytest
from hospital import Hospital, segment
from test_infusion_with_others import AT, ON, everything

from healthsvc.dayplan.sources import in_hospital
from healthsvc.fhir.conformance.topics import STAY
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.forms import service as forms
from healthsvc.healthfile.inpatient import InpatientPolicy
from healthsvc.homebed import service as homebeds
from healthsvc.infusion.evidence import patient_in_hospital
from healthsvc.mustvisit import service as mustvisits
from healthsvc.mustvisit.rules import Occasion
from healthsvc.pocket.facts import admitted_since
from healthsvc.policy import Parameter, Policy, load
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Reason, Stage
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import ward
from healthsvc.visit.service import open_visits
from healthsvc.web.lookup import Directory
from healthsvc.web.story import story

WARD = ("IMP", "ACUTE", "NONAC", "SS")
NOT_A_WARD = ("AMB", "EMER", "OBSENC", "HH")


def stay(patient: str, code: str, status: str) -> Resource:
    ends = {"end": (AT + timedelta(hours=5)).isoformat()} if status == "finished" else {}
    return {
        "resourceType": "Encounter", "id": "e-1", "status": status, "class": {"system": V3_ACT_CODE, "code": code},
        "subject": {"reference": f"Patient/{patient}"}, "period": {"start": AT.isoformat(), **ends},
        "serviceProvider": {"reference": "Organization/h1", "display": "某医院"},
    }  # fmt: skip


def rooms(store: Store, patient: str, bed: str, course: str, referral: str) -> dict[str, bool]:
    """Whether each room takes the person for one who lies in a ward."""
    mustvisits.refresh(store, ON)
    return {
        "visits": {one.status for one in open_visits(store, patient) if one.kind not in ("admission-visit", "follow-up")} == {"on-hold"},
        "visit in the ward": bool(store.select("Task", patient=patient, code="admission-visit", status="requested")),
        "who lies in a ward": [one.stay for one in ward.lying(store, patient)] == ["e-1"],
        "anybody who lies in a ward": [one.stay for one in ward.lying(store)] == ["e-1"],
        "bed": homebeds.read(store, bed).held_for == "admitted",
        "no new bed": homebeds.in_ward(store, patient),
        "drip": store.read("MedicationRequest", course)["status"] == "cancelled",
        "no new drip": patient_in_hospital(store, (patient,)),
        "referral": referrals.read(store, referral).stage is Stage.ADMITTED,
        "phone": admitted_since(store, patient) == AT,
        "must-visit": any(one.occasion is Occasion.ADMISSION for one in mustvisits.listed(store, ON)),
        "day plan": in_hospital(store) == {patient},
    }


def referred(store: Store, patient: str) -> str:
    return referrals.refer(
        store, patient, Reason.NOT_CONTROLLED_TWICE, "Organization/h1", "Practitioner/dr-1", urgent=False, summary="-"
    ).id


def seen(database: Database, code: str) -> tuple[set[bool], bool]:
    """What the rooms say while a stay of a class is under way (one answer of all), and whether the form knows it once it has ended."""
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        referral = referred(store, patient)
        before = rooms(store, patient, bed, course, referral)
        assert not any(before.values()), before
        store.put(stay(patient, code, "in-progress"))
        told = rooms(store, patient, bed, course, referral)
        assert len(set(told.values())) == 1, told
    with database.writing(SYSTEM, at=AT + timedelta(hours=6)) as store:
        store.put(stay(patient, code, "finished"))
        after = rooms(store, patient, bed, course, referral)
        assert not any(after[room] for room in ("visits", "bed", "no new bed", "no new drip", "phone", "day plan")), after
        made = forms.populate(store, "health-check-full", patient)
        return set(told.values()), "某医院" in str(made)


@pytest.mark.parametrize("code", WARD)
def test_a_stay_in_a_ward_is_one_in_every_room(database: Database, code: str) -> None:
    assert seen(database, code) == ({True}, True)


@pytest.mark.parametrize("code", NOT_A_WARD)
def test_what_is_no_ward_is_none_in_any_room(database: Database, code: str) -> None:
    assert seen(database, code) == ({False}, False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Database]:
    """A site whose observation counts as a ward and whose short stay does not, by its own policy."""
    value = ["IMP", "OBSENC"]
    own = Parameter("hospital.inpatient_classes", value, "codes", "", "", "test", "site", date(2026, 1, 1), "CN", "test.toml")
    opened = Database.open(embedded.made(tmp_path), rooms=ROOMS, policy=Policy([*load(), own]))
    yield opened
    opened.close()


@pytest.mark.parametrize(("code", "told"), [("OBSENC", True), ("SS", False)])
def test_a_sites_own_classes_hold_in_every_room(site: Database, code: str, told: bool) -> None:
    assert seen(site, code) == ({told}, told)


def test_a_class_of_another_code_system_is_no_ward(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, bed, course = everything(store)
        referral = referred(store, patient)
        store.put(stay(patient, "SS", "in-progress") | {"class": {"system": "http://his.example/class", "code": "SS"}})
        told = rooms(store, patient, bed, course, referral)
        assert not any(told.values()), told


@pytest.mark.parametrize(("code", "titles"), [("SS", {"入院", "出院"}), ("NONAC", {"入院", "出院"}), ("AMB", {"就诊"})])
def test_the_line_of_a_file_tells_a_short_stay_as_a_stay(database: Database, code: str, titles: set[str]) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, _, _ = everything(store)
        store.put(stay(patient, code, "finished"))
        told = story(store, patient, Directory(store), "hospital" if code != "AMB" else "visit")
        assert {event.title for event in told.events if event.ref == "Encounter/e-1"} == titles


@pytest.mark.parametrize(("code", "setting"), [("NONAC", "inpatient"), ("SS", "inpatient"), ("OBSENC", "outpatient")])
def test_a_hospitals_order_is_an_inpatients_in_a_ward_of_any_class(own_hospital: Hospital, code: str, setting: str) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A01", "C1", segment("PV1", _1="1", _2="I", _19="V1"))
    [held] = own_hospital.select("Encounter", patient=patient)
    with own_hospital.database.writing(SYSTEM, at=AT) as store:
        store.put(held | {"class": {"system": V3_ACT_CODE, "code": code}})
    own_hospital.says("OMP^O09", "C1", segment("PV1", _1="1", _19="V1"), "ORC|NW|M1", "RXO|D1^示例片|1||片")
    [request] = own_hospital.select("MedicationRequest", patient=patient)
    assert request["category"][0]["coding"][0]["code"] == setting


def test_subscribers_are_told_of_what_is_a_stay_as_shipped() -> None:
    assert load().fill(InpatientPolicy, "hospital", ON).inpatient_classes == tuple(STAY.removeprefix("class=").split(","))
