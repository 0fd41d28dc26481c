"""A hospital gives one number to two people: each has what is theirs, and nobody's changes hands."""

from datetime import timedelta

import pytest
from hospital import AT, Hospital


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


SAID = {
    "ServiceRequest": ("OML^O21", "ORC|NW|P1", "OBR|1|P1||T1^样检"),
    "MedicationRequest": ("OMP^O09", "ORC|NW|P1", "RXO|X1^样药|5||ml"),
    "MedicationAdministration": ("RAS^O17", "ORC|RE|P1", "RXA|0|1|20260302091112||X1^样药|5|ml"),
    "Appointment": ("SIU^S12", "SCH||A1|||||||30|min|^^^20260310090000"),
    "DocumentReference": ("MDM^T02", "TXA|1|DS|TX|||||||||DOC1", "OBX|1|TX|T1||原文"),
    "ChargeItem": ("DFT^P03", "FT1|1|T77||20260302091112||CG|C1^样费"),
}


@pytest.mark.parametrize("type", SAID)
def test_a_number_that_somebody_else_has_already_is_another_thing(hospital: Hospital, type: str) -> None:
    event, *segments = SAID[type]
    one, other = hospital.cadre()[0], hospital.cadre("C2")[0]
    for turn, number in enumerate(("C1", "C2", "C1", "C2")):
        hospital.says(event, number, *segments, at=AT + turn * timedelta(hours=1))
        assert hospital.last().state == "done", hospital.last().remark
    [first], [second] = (hospital.select(type, patient=patient) for patient in (one, other))
    assert first["id"] != second["id"]


def test_a_report_names_the_order_of_its_own_person(hospital: Hospital) -> None:
    one, other = hospital.cadre()[0], hospital.cadre("C2")[0]
    hospital.says("OML^O21", "C1", *SAID["ServiceRequest"][1:])
    hospital.says("ORU^R01", "C2", "OBR|1|P1|F1|T1^样检||||||||||||||||||||||F", "OBX|1|NM|K^钾||4.1")
    [report] = hospital.select("DiagnosticReport", patient=other)
    assert "basedOn" not in report, "the order under that number is somebody else's"
    assert hospital.select("DiagnosticReport", patient=one) == []
