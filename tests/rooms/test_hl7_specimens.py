"""A specimen's number used again is another specimen; where no time of collection is told, the nearest one is taken and named."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hospital import AT, Hospital

from healthsvc.fhir.json import Resource
from integrations.effects.relevant import time_from

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


def stamp(at: datetime | None) -> str:
    return f"{at:%Y%m%d%H%M%S}" if at else ""


def reports(
    hospital: Hospital, person: str, filler: str, taken: datetime | None, kind: str = "BLD", status: str = "F", **more: Any
) -> None:
    """OUL^R22: the specimen, numbered 7, before its order."""
    spm = f"SPM|1|^7||{kind}^标本|||||||||||||{stamp(taken)}"
    obr = f"OBR|1||{filler}|K^钾|||{stamp(taken)}||||||||||||||||||{status}"
    hospital.says("OUL^R22", person, spm, obr, f"OBX|1|NM|K^钾||4.1|mmol/L|||||{status}", **more)
    assert hospital.last().state == "done", hospital.last().remark


def specimens(hospital: Hospital, patient: str) -> list[tuple[str, str]]:
    """Type and day of each specimen of a person."""
    found = hospital.select("Specimen", patient=patient)
    return sorted((one["type"]["coding"][0]["code"], one["collection"]["collectedDateTime"][:10]) for one in found)


def of_report(hospital: Hospital, patient: str) -> list[Resource]:
    return sorted(hospital.select("DiagnosticReport", patient=patient), key=lambda one: str(one["effectiveDateTime"]))


def test_a_specimen_number_used_for_another_person_or_another_day_is_another_specimen(hospital: Hospital) -> None:
    one, _ = hospital.cadre("C1")
    other, _ = hospital.cadre("C2")
    reports(hospital, "C1", "F1", AT, at=AT + HOUR)
    reports(hospital, "C2", "F2", AT + HOUR, at=AT + 2 * HOUR)
    reports(hospital, "C1", "F3", AT + 5 * DAY, at=AT + 5 * DAY + HOUR)
    assert specimens(hospital, one) == [("BLD", "2026-03-02"), ("BLD", "2026-03-07")]
    assert specimens(hospital, other) == [("BLD", "2026-03-02")]
    named = [report["specimen"][0]["reference"] for report in (*of_report(hospital, one), *of_report(hospital, other))]
    assert len(set(named)) == 3, "each report keeps its own"
    reports(hospital, "C1", "F1", AT, at=AT + HOUR, id="again")  # told again, each is itself
    assert specimens(hospital, one) == [("BLD", "2026-03-02"), ("BLD", "2026-03-07")]


def test_another_sample_of_the_day_is_another_and_two_reports_share_one(hospital: Hospital) -> None:
    patient, _ = hospital.cadre("C1")
    reports(hospital, "C1", "F1", AT, at=AT + HOUR)
    reports(hospital, "C1", "F2", AT, at=AT + HOUR)
    reports(hospital, "C1", "F3", AT + HOUR, "UR", at=AT + 2 * HOUR)
    assert specimens(hospital, patient) == [("BLD", "2026-03-02"), ("UR", "2026-03-02")]


@pytest.mark.parametrize("event", ["OUL^R22", "OUL^R23"])
def test_two_orders_of_one_specimen_write_it_once_however_often_they_are_told(hospital: Hospital, event: str) -> None:
    """What they say of it differs: the first that says something counts."""
    patient, _ = hospital.cadre("C1")
    orders = (
        f"OBR|1||F1|K^钾|||{stamp(AT)}||||||||||||||||||F",
        "OBX|1|NM|K^钾||4.1|mmol/L|||||F",
        f"OBR|2||F2|NA^钠|||{stamp(AT + HOUR)}|||D2^样例乙|||||||||||||||F",
        "OBX|1|NM|NA^钠||140|mmol/L|||||F",
    )
    for id in ("once", "again"):
        hospital.says(event, "C1", "SPM|1|^7||BLD^标本", *orders, at=AT + 2 * HOUR, id=id)
        [one] = hospital.select("Specimen", patient=patient)
        assert (one["meta"]["versionId"], one["collection"]["collectedDateTime"]) == ("1", AT.isoformat())
        assert one["collection"]["collector"]["display"] == "样例乙"
    assert {report["specimen"][0]["reference"] for report in of_report(hospital, patient)} == {f"Specimen/{one['id']}"}


def test_a_correction_of_the_day_stays_with_its_specimen(hospital: Hospital) -> None:
    patient, _ = hospital.cadre("C1")
    reports(hospital, "C1", "F1", AT, at=AT + HOUR)
    reports(hospital, "C1", "F1", AT - 2 * DAY, status="C", at=AT + 2 * HOUR)
    assert specimens(hospital, patient) == [("BLD", "2026-02-28")]


def found(
    hospital: Hospital, person: str, filler: str, obr: dict[int, datetime], obx: datetime | None = None, spm: datetime | None = None
) -> None:
    fields = {1: "1", 3: filler, 4: "K^钾", 25: "F"} | {n: stamp(at) for n, at in obr.items()}
    lines = ["|".join(["OBR", *(fields.get(n, "") for n in range(1, 26))])]
    lines += [f"SPM|1|^S{filler}||BLD|||||||||||||{stamp(spm)}"] if spm else []
    hospital.says("ORU^R01", person, *lines, f"OBX|1|NM|K^钾||4.1|mmol/L|||||F|||{stamp(obx)}", at=AT + 9 * HOUR)
    assert hospital.last().state == "done", hospital.last().remark


@pytest.mark.parametrize(
    ("obr", "obx", "spm", "hour", "source"),
    [
        ({7: AT, 14: AT + HOUR, 22: AT + 3 * HOUR}, AT + 2 * HOUR, None, "09", ""),
        ({14: AT + HOUR, 22: AT + 3 * HOUR}, AT + 2 * HOUR, AT, "09", ""),
        ({14: AT + HOUR, 22: AT + 3 * HOUR}, AT + 2 * HOUR, None, "10", "OBR-14"),
        ({22: AT + 3 * HOUR}, AT + 2 * HOUR, None, "11", "OBX-14"),
        ({22: AT + 3 * HOUR}, None, None, "12", "OBR-22"),
        ({}, None, None, "18", "MSH-7"),
    ],
    ids=["OBR-7", "SPM-17", "OBR-14", "OBX-14", "OBR-22", "MSH-7"],
)
def test_the_time_nearest_to_the_collection_is_taken_and_named(
    hospital: Hospital, obr: dict[int, datetime], obx: datetime | None, spm: datetime | None, hour: str, source: str
) -> None:
    patient, _ = hospital.cadre("C1")
    found(hospital, "C1", "F1", obr, obx, spm)
    [report] = of_report(hospital, patient)
    [result] = hospital.select("Observation", patient=patient)
    assert (report["effectiveDateTime"][11:13], time_from(report)) == (hour, source)
    assert (result["effectiveDateTime"][11:13], time_from(result)) == (("11", "") if obx else (hour, source))
    assert (f"its time is that of {source}" in (hospital.last().remark or "")) == bool(source)


def test_a_nearer_time_replaces_one_that_stood_for_it_and_never_the_other_way(hospital: Hospital) -> None:
    patient, _ = hospital.cadre("C1")
    steps: list[tuple[dict[int, datetime], str, str]] = [
        ({22: AT + 3 * HOUR}, "12", "OBR-22"),
        ({14: AT + HOUR, 22: AT + 4 * HOUR}, "10", "OBR-14"),
        ({22: AT + 5 * HOUR}, "10", "OBR-14"),
        ({7: AT, 22: AT + 6 * HOUR}, "09", ""),
        ({14: AT + HOUR, 22: AT + 7 * HOUR}, "09", ""),
    ]
    for obr, hour, source in steps:
        found(hospital, "C1", "F1", obr)
        [report] = of_report(hospital, patient)
        [result] = hospital.select("Observation", patient=patient)
        for one in (report, result):
            assert (one["effectiveDateTime"][11:13], time_from(one)) == (hour, source)


def test_a_laboratory_that_counts_anew_and_tells_no_collection_keeps_its_days_apart(hospital: Hospital) -> None:
    patient, _ = hospital.cadre("C1")
    for turn in range(3):
        found(hospital, "C1", "15", {14: AT + turn * DAY, 22: AT + turn * DAY + HOUR})
    assert [one["effectiveDateTime"][:10] for one in of_report(hospital, patient)] == ["2026-03-02", "2026-03-03", "2026-03-04"]
