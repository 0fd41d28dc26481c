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


def test_a_null_deletes_the_element_of_its_field_in_everything_else_too(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    none, later = '""', AT + HOUR
    hospital.says(
        "ADT^A31",
        "C1",
        "AL1|1|DA|P1^青霉素|SV|皮疹|20200101",
        segment("IN1", _1="1", _2="PL1", _4="样公司", _12="20260101", _15="职工", _36="YB1"),
    )
    hospital.says("ADT^A31", "C1", f"AL1|1|DA|P1^青霉素|{none}|{none}|", segment("IN1", _1="1", _2="PL1", _15=none), at=later)
    [allergy] = hospital.select("AllergyIntolerance", patient=patient)
    assert (allergy["code"]["text"], allergy["onsetDateTime"]) == ("青霉素", "2020-01-01")
    assert not {"criticality", "reaction"} & set(allergy)
    [cover] = hospital.select("Coverage", beneficiary=f"Patient/{patient}")
    assert ("type" in cover, cover["subscriberId"], cover["payor"][0]["display"]) == (False, "YB1", "样公司")
    hospital.says("OML^O21", "C1", "ORC|NW|P1||G1", "OBR|1|P1||A^甲|S|20260303080000", "DG1|1||I10^高血压")
    hospital.says("OML^O21", "C1", f"ORC|XO|P1||{none}", f"OBR|1|P1||A^甲|{none}|{none}", f"DG1|1||{none}", at=later)
    [order] = hospital.select("ServiceRequest", patient=patient)
    assert (order["code"]["text"], order["identifier"][0]["value"]) == ("甲", "P1")
    assert not {"requisition", "priority", "occurrenceDateTime", "reasonCode"} & set(order)
    hospital.says("SIU^S12", "C1", "SCH||A1|||||CHK^复查|N^普通||||20260401", "AIS|1|A|NK^内科|20260401080000")
    hospital.says("SIU^S14", "C1", f"SCH||A1|||||{none}|", at=later)
    [booked] = hospital.select("Appointment", patient=patient)
    assert ("reasonCode" in booked, booked["appointmentType"]["text"]) == (False, "普通")
    hospital.says("PPR^PC1", "C1", "PRB|AD||I10^高血压|P1|||20260301|||||||||201001")
    hospital.says("PPR^PC2", "C1", f"PRB|UP||I10^高血压|P1|||{none}", at=later)
    [problem] = hospital.select("Condition", patient=patient)
    assert ("recordedDate" in problem, problem["onsetDateTime"]) == (False, "2010-01")


def test_a_span_of_giving_may_become_a_moment(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    for turn, end in enumerate(("20260302093000", "")):
        given = f"RXA|0|1|20260302083000|{end}|D1^样药|5|ml"
        assert hospital.says("RAS^O17", "C1", "ORC|OK|M1", given, at=AT + turn * HOUR) == "AA"
        assert hospital.last().state == "done", hospital.last().remark
    [one] = hospital.select("MedicationAdministration", patient=patient)
    assert (one["effectiveDateTime"], "effectivePeriod" in one) == ("2026-03-02T08:30:00+08:00", False)
