"""What a hospital erases (``""``), and what it only expects."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hospital import AT, Hospital, cadre, segment

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from healthsvc.store import SYSTEM, Database

HOUR = timedelta(hours=1)


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def stay_of(hospital: Hospital, patient: str) -> Resource:
    [stay] = hospital.select("Encounter", patient=patient)
    return stay


def parts(stay: Resource) -> dict[str, str]:
    return {one["type"][0]["coding"][0]["code"]: one["individual"]["display"] for one in stay.get("participant", ())}


def test_the_null_takes_out_what_stood_there_and_what_is_not_told_stays(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    told = {"_1": "1", "_2": "I", "_19": "V1"}
    full = segment("PV1", **told, _3="W1^^12", _7="D1^样甲", _9="D2^样乙", _14="2", _16="VIP", _36="01")
    pv2 = segment("PV2", _3="R1^胸闷", _8="20260302", _9="20260309")
    hospital.says("ADT^A01", "C1", full, pv2)
    stay = stay_of(hospital, patient)
    assert parts(stay) == {"ATND": "样甲", "CON": "样乙"}
    expected = {one["url"]: one["valueDateTime"] for one in stay["extension"]}
    assert expected == {extension("expected-admission"): "2026-03-02", extension("expected-discharge"): "2026-03-09"}
    hospital.says("ADT^A08", "C1", segment("PV1", **told, _7="D3^样丙"), segment("PV2", _9="20260311"), at=AT + HOUR)
    stay = stay_of(hospital, patient)
    assert parts(stay) == {"ATND": "样丙", "CON": "样乙"}, "of whom nothing is said, stays"
    assert {one["valueDateTime"] for one in stay["extension"]} == {"2026-03-02", "2026-03-11"}
    none = '""'
    erased = segment("PV1", **told, _3='W1^^""', _9=none, _14=none, _16=none, _36=none), segment("PV2", _3=none, _9=none)
    hospital.says("ADT^A08", "C1", *erased, at=AT + 2 * HOUR)
    stay = stay_of(hospital, patient)
    assert parts(stay) == {"ATND": "样丙"}
    assert [one["url"] for one in stay["extension"]] == [extension("expected-admission")]
    assert not {"reasonCode", "hospitalization"} & set(stay)
    assert [(one["location"]["display"], one["status"]) for one in stay["location"]] == [("W1 12床", "completed"), ("W1", "active")]
    hospital.says("ADT^A08", "C1", segment("PV1", **told), segment("PV2", _3="R2^头晕"), at=AT + 3 * HOUR)
    hospital.says("ADT^A08", "C1", full, pv2, at=AT + HOUR)
    stay = stay_of(hospital, patient)
    assert ([one["text"] for one in stay["reasonCode"]], parts(stay)["ATND"]) == (["头晕"], "样丙"), "an older word changes nothing back"
    hospital.says("ADT^A08", "C1", segment("PV1", **told, _3=none), at=AT + 4 * HOUR)
    assert {one["status"] for one in stay_of(hospital, patient)["location"]} == {"completed"}


def test_the_hospital_is_asked_for_in_one_way(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    with hospital.database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Organization", "id": "h1", "active": True, "name": "某医院"})
    hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _3="W1", _19="V1"))
    hospital.says("MFN^M05", "C1", "MFI|LOC", "MFE|MAD", "LOC|W1^^^H1|一病区")
    hospital.says("RAS^O17", "C1", "ORC|RE|P1", "RXA|0|1|20260302091112||X1^样药|5|ml")
    assert stay_of(hospital, patient)["serviceProvider"]["display"] == "某医院"
    made = [one for one in hospital.select("Organization") if one["id"].startswith("hospital-")]
    assert made == [], "the site's own Organization is the hospital's"
    [unit] = [one for one in hospital.select("Organization") if one["id"].startswith("unit-")]
    [given] = hospital.select("MedicationAdministration", patient=patient)
    assert unit["partOf"] == given["identifier"][-1]["assigner"] == {"reference": "Organization/h1"}
