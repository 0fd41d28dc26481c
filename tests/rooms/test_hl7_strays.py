"""Results that stand before their order are never lost in silence."""

from collections.abc import Iterator

import pytest
from hospital import Hospital, cadre

from healthsvc.store import Database
from integrations.hl7v2.check import check_message
from integrations.hospitals.shelf import load


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


OBR, OBX = "OBR|{n}||F{n}|A{n}^甲|||20260302070000||||||||||||||||||F", "OBX|1|NM|K^钾||{value}|mmol/L|3.5-5.3||||F"


def test_a_result_before_its_order_is_filed_with_the_only_one_and_never_lost_beside_several(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", OBX.format(value="6.9"), OBR.format(n=1))
    [report] = hospital.select("DiagnosticReport", patient=patient)
    assert (hospital.last().state, len(report["result"])) == ("done", 1)
    assert "1 results stood before the order" in hospital.last().remark
    for rest in ((OBR.format(n=2), OBR.format(n=3)), (OBR.format(n=2), OBX.format(value="4.4"))):
        hospital.says("ORU^R01", "C1", OBX.format(value="6.9"), *rest)
        row = hospital.last()
        assert (row.state, row.reason, row.place) == ("dead", "result-without-order", "OBX[1]")
    raw = hospital.message("ORU^R01", "C1", OBX.format(value="6.9"), OBR.format(n=2), OBR.format(n=3)).encode()
    assert check_message(raw, "file", 1, load("default")).reason == "result-without-order"


@pytest.mark.parametrize("between", [("PV1|1|I|W1",), ("PV1|1|I|W1", "ORC|RE", OBX.format(value="1.1"), "TXA|1|DIS")])
def test_what_the_standard_puts_before_the_first_order_is_no_result_of_it(hospital: Hospital, between: tuple[str, ...]) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", OBX.format(value="6.9"), *between, OBR.format(n=1), OBX.format(value="4.4"))
    [report] = hospital.select("DiagnosticReport", patient=patient)
    assert (hospital.last().state, len(report["result"])) == ("done", 1)
    [observation] = hospital.select("Observation", patient=patient)
    assert str(observation["valueQuantity"]["value"]) == "4.4"
    assert f"{len(between) // 2 or 1} observations of the patient or of a document" in hospital.last().remark
