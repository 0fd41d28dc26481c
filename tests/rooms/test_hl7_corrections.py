"""A laboratory corrects, completes and withdraws what it has reported; the file and the follow-up say what still stands."""

from datetime import datetime, timedelta

import pytest
from hospital import AT, Hospital, tasks

from healthsvc import clock
from healthsvc.fhir.json import Resource
from healthsvc.store import SYSTEM
from healthsvc.visit import service as visits

SODIUM, POTASSIUM, GLUCOSE = ("NA^钠", "135-145"), ("K^钾", "3.5-5.3"), ("GLU^葡萄糖", "3.9-6.1")


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


def obr(status: str, at: datetime = AT, filler: str = "F1") -> str:
    return f"OBR|1|P1|{filler}|LYT^电解质|||20260302070000|||||||||||||||{at:%Y%m%d%H%M%S}|||{status}"


def obx(
    turn: int, what: tuple[str, str], value: str, flag: str = "", status: str = "F", sub: str = "", kind: str = "NM", at: str = ""
) -> str:
    return f"OBX|{turn}|{kind}|{what[0]}|{sub}|{value}|mmol/L|{what[1]}|{flag}|||{status}|||{at}"


def reported(hospital: Hospital, patient: str) -> tuple[Resource, list[tuple[str, str, str]]]:
    """The report, and code, status and value of each of its results in order."""
    [report] = hospital.select("DiagnosticReport", patient=patient)
    shown = []
    for one in report["result"]:
        [found] = hospital.select("Observation", _id=one["reference"].removeprefix("Observation/"))
        value = str(found.get("valueQuantity", {}).get("value", found.get("valueString", "")))
        shown.append((found["code"].get("coding", [{}])[0].get("code", ""), found["status"], value))
    return report, shown


def test_a_correction_of_one_result_leaves_the_others_and_their_follow_up_standing(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ORU^R01", "C1", obr("F"), obx(1, SODIUM, "120", "L"), obx(2, POTASSIUM, "6.9", "HH"))
    [follow_up] = tasks(hospital, patient, "follow-up")
    assert (follow_up["status"], follow_up["priority"]) == ("requested", "urgent")
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=1)), obx(1, SODIUM, "140", "N", "C"))
    report, shown = reported(hospital, patient)
    assert report["status"] == "corrected"
    assert shown == [("NA", "corrected", "140"), ("K", "final", "6.9")]
    assert tasks(hospital, patient, "follow-up")[0]["status"] == "requested", "the critical potassium still stands"
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=2)), obx(2, POTASSIUM, "", status="W"))
    assert reported(hospital, patient)[1] == [("NA", "corrected", "140"), ("K", "entered-in-error", "6.9")], "marked, and still readable"
    assert tasks(hospital, patient, "follow-up")[0]["status"] == "cancelled"


def test_what_is_added_stands_where_the_message_has_it_and_a_withdrawn_report_has_no_result_left(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ORU^R01", "C1", obr("P"), obx(1, SODIUM, "140", status="P"), obx(3, GLUCOSE, "5.1", status="P"))
    later = obr("F", AT + timedelta(hours=1)), obx(1, SODIUM, "", status="U"), obx(2, POTASSIUM, "6.9", "HH")
    hospital.says("ORU^R01", "C1", *later)
    report, shown = reported(hospital, patient)
    assert shown == [("NA", "final", "140"), ("K", "final", "6.9"), ("GLU", "preliminary", "5.1")]
    assert report["status"] == "final"
    hospital.says("ORU^R01", "C1", obr("X", AT + timedelta(hours=2)))
    report, shown = reported(hospital, patient)
    assert report["status"] == "entered-in-error", "FHIR: withdrawn after it had been released"
    assert [status for _, status, _ in shown] == ["entered-in-error", "entered-in-error", "cancelled"]
    assert tasks(hospital, patient, "follow-up")[0]["status"] == "cancelled"


def test_a_first_report_that_comes_after_its_correction_only_adds_what_is_missing(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=1)), obx(1, SODIUM, "140", "N", "C"))
    hospital.says("ORU^R01", "C1", obr("F"), obx(1, SODIUM, "120", "LL"), obx(2, POTASSIUM, "6.9", "HH"))
    report, shown = reported(hospital, patient)
    assert (report["status"], shown) == ("corrected", [("NA", "corrected", "140"), ("K", "final", "6.9")])
    assert "only added" in hospital.last().remark
    assert tasks(hospital, patient, "follow-up")[0]["priority"] == "urgent"


def test_an_empty_value_is_not_told_and_the_null_takes_it_out(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ORU^R01", "C1", obr("P"), obx(1, SODIUM, "120", "L", "P"), obx(2, POTASSIUM, "6.9", "HH", "P"))
    hospital.says("ORU^R01", "C1", obr("F", AT + timedelta(hours=1)), obx(1, SODIUM, ""), obx(2, POTASSIUM, "", "H", "C"))
    report, shown = reported(hospital, patient)
    assert shown == [("NA", "final", "120"), ("K", "corrected", "6.9")], "known values stand"
    sodium, potassium = (hospital.select("Observation", _id=one["reference"].partition("/")[2])[0] for one in report["result"])
    assert [one["interpretation"][0]["coding"][0]["code"] for one in (sodium, potassium)] == ["L", "H"]
    assert not {"dataAbsentReason"} & {*sodium, *potassium}
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=2)), obx(1, SODIUM, '""', status="C"), obx(2, POTASSIUM, "", status="W"))
    assert reported(hospital, patient)[1] == [("NA", "corrected", ""), ("K", "entered-in-error", "6.9")]
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=3)), obx(1, POTASSIUM, ""))
    assert reported(hospital, patient)[1][1] == ("K", "final", ""), "what was withdrawn does not come back untold"
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=4)), obx(1, SODIUM, "140", "N", "C"))
    assert reported(hospital, patient)[1][0] == ("NA", "corrected", "140")


def test_of_several_results_of_one_code_only_the_one_meant_is_corrected(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    first, second = "20260302070000", "20260302080000"
    hospital.says("ORU^R01", "C1", obr("F"), obx(1, GLUCOSE, "5.1", at=first), obx(2, GLUCOSE, "9.4", "H", at=second))
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=1)), obx(1, GLUCOSE, "8.4", "H", "C", at=second))
    assert [value for *_, value in reported(hospital, patient)[1]] == ["5.1", "8.4"]
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=2)), obx(1, GLUCOSE, "7.0", "H", "C"))
    row = hospital.last()
    assert (row.state, row.reason, row.place) == ("review", "which-result", "OBX[1]-4")
    assert [value for *_, value in reported(hospital, patient)[1]] == ["5.1", "8.4"]


def test_a_text_told_anew_in_fewer_lines_keeps_no_old_line(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    text = ("TXT^所见", "")
    hospital.says("ORU^R01", "C1", obr("F"), *(obx(n, text, f"第{n}行", kind="TX") for n in (1, 2, 3)))
    hospital.says("ORU^R01", "C1", obr("C", AT + timedelta(hours=1)), *(obx(n, text, f"新{n}", kind="TX", status="C") for n in (1, 2)))
    assert [shown[1:] for shown in reported(hospital, patient)[1]] == [
        ("corrected", "新1"),
        ("corrected", "新2"),
        ("entered-in-error", "第3行"),
    ]


def test_a_result_that_becomes_critical_hastens_the_follow_up_and_asks_again_where_somebody_has_been(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    now = clock.now()
    hospital.says("ORU^R01", "C1", obr("F", now), obx(1, POTASSIUM, "5.6", "H"))
    [before] = tasks(hospital, patient, "follow-up")
    hospital.says("ORU^R01", "C1", obr("C", now + timedelta(hours=1)), obx(1, POTASSIUM, "6.9", "HH", "C"))
    [hastened] = tasks(hospital, patient, "follow-up")
    assert (before["priority"], hastened["priority"]) == ("routine", "urgent")
    assert hastened["restriction"]["period"]["end"] < before["restriction"]["period"]["end"]
    with hospital.database.writing(SYSTEM, at=now + timedelta(hours=2)) as store:
        visits.miss(store, hastened["id"], "not-at-home")
    hospital.says("ORU^R01", "C1", obr("C", now + timedelta(hours=3)), obx(1, POTASSIUM, "6.9", "HH", "C"))
    assert [one["status"] for one in tasks(hospital, patient, "follow-up")] == ["failed"], "nothing new"
    hospital.says("ORU^R01", "C1", obr("F", now + timedelta(hours=4)), obx(2, SODIUM, "112", "LL"))
    assert sorted(one["status"] for one in tasks(hospital, patient, "follow-up")) == ["failed", "requested"]


def test_a_number_that_the_laboratory_gives_to_somebody_else_leaves_the_first_persons_report_alone(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    other, _ = hospital.cadre("C2")
    hospital.says("ORU^R01", "C1", obr("F"), obx(1, POTASSIUM, "4.1"))
    hospital.says("ORU^R01", "C2", obr("F", AT + timedelta(days=1)), obx(1, POTASSIUM, "6.9", "HH"))
    assert reported(hospital, patient)[1] == [("K", "final", "4.1")]
    assert reported(hospital, other)[1] == [("K", "final", "6.9")]
    assert tasks(hospital, patient, "follow-up") == []
