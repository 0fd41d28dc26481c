"""A laboratory counts anew each day: one number, one person, another day is another report; one that goes on stays one."""

from datetime import datetime, timedelta

import pytest
from hospital import AT, Hospital, tasks

DAY = timedelta(days=1)


def told(
    hospital: Hospital, taken: datetime | str, value: str, status: str = "F", *, at: datetime, flag: str = "N", result: str = "F"
) -> None:
    moment = taken if isinstance(taken, str) else f"{taken:%Y%m%d%H%M%S}"
    issued = f"{at:%Y%m%d%H%M%S}"
    obr = f"OBR|1||15|LYT^电解质|||{moment}|||||||||||||||{issued}|||{status}"
    hospital.says("ORU^R01", "C1", obr, f"OBX|1|NM|K^钾||{value}|mmol/L|3.5-5.3|{flag}|||{result}", at=at)
    assert hospital.last().state == "done", hospital.last().remark


def reports(hospital: Hospital, patient: str) -> list[tuple[str, str, list[str]]]:
    """Day, status and values of each report, by the day."""
    values = {one["id"]: str(one["valueQuantity"]["value"]) for one in hospital.select("Observation", patient=patient)}
    found = hospital.select("DiagnosticReport", patient=patient)
    shown = [
        (one["effectiveDateTime"][:10], one["status"], [values[result["reference"].partition("/")[2]] for result in one["result"]])
        for one in found
    ]
    return sorted(shown)


def test_the_same_number_on_another_day_is_another_report(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    told(own_hospital, AT, "6.9", at=AT + timedelta(hours=2), flag="HH")
    for turn, back in ((1, timedelta(hours=1)), (2, timedelta())):
        told(own_hospital, AT + turn * DAY - back, f"4.{turn}", at=AT + turn * DAY + timedelta(hours=2))
    three = [("2026-03-02", "final", ["6.9"]), ("2026-03-03", "final", ["4.1"]), ("2026-03-04", "final", ["4.2"])]
    assert reports(own_hospital, patient) == three
    assert [one["status"] for one in tasks(own_hospital, patient, "follow-up")] == ["requested"], "the critical one is not called off"
    told(own_hospital, AT, "6.9", at=AT + timedelta(hours=2), flag="HH")
    told(own_hospital, AT + DAY, "4.1", at=AT + DAY + timedelta(hours=2))
    assert reports(own_hospital, patient) == three, "told again, each is itself"
    told(own_hospital, AT - DAY, "3.9", at=AT - DAY + timedelta(hours=2))
    assert reports(own_hospital, patient) == [("2026-03-01", "final", ["3.9"]), *three], "one that comes late is itself, too"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("20260302000000", "20260302143000"),
        ("20260302", "20260302143000"),
        ("20260302235000", "20260303001000"),
        ("20260302", "20260302"),
        ("202603", "20260302143000"),
    ],
)
def test_a_collection_told_more_precisely_is_the_same_report(own_hospital: Hospital, first: str, second: str) -> None:
    patient, _ = own_hospital.cadre()
    told(own_hospital, first, "4.1", at=AT + timedelta(hours=20))
    told(own_hospital, second, "4.2", at=AT + timedelta(hours=21))
    assert [values for *_, values in reports(own_hospital, patient)] == [["4.2"]]


def test_a_report_that_is_not_released_goes_on_though_its_day_moves_but_not_for_ever(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    told(own_hospital, AT, "4.1", "P", at=AT, result="P")
    told(own_hospital, AT + 3 * DAY, "4.2", "P", at=AT + 3 * DAY, result="P")
    told(own_hospital, AT + 5 * DAY, "4.3", at=AT + 5 * DAY)
    assert reports(own_hospital, patient) == [("2026-03-07", "final", ["4.3"])]
    told(own_hospital, AT + 6 * DAY, "4.4", "P", at=AT + 6 * DAY, result="P")
    told(own_hospital, AT + 40 * DAY, "4.5", at=AT + 40 * DAY)
    assert [values for *_, values in reports(own_hospital, patient)] == [["4.3"], ["4.4"], ["4.5"]]


def test_a_correction_may_correct_the_day_and_finds_the_nearest(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    told(own_hospital, AT, "4.1", at=AT)
    told(own_hospital, AT + 10 * DAY, "4.2", at=AT + 10 * DAY)
    told(own_hospital, AT + 9 * DAY, "5.2", "C", at=AT + 11 * DAY, result="C")
    told(own_hospital, AT + DAY, "5.1", "", at=AT + 11 * DAY, result="C")
    assert reports(own_hospital, patient) == [("2026-03-03", "corrected", ["5.1"]), ("2026-03-11", "corrected", ["5.2"])]


@pytest.mark.parametrize("offset", ["+0800", "+0000", "-0500"])
def test_a_report_that_comes_again_from_a_sender_with_an_offset_is_the_same_by_our_days(own_hospital: Hospital, offset: str) -> None:
    patient, _ = own_hospital.cadre()
    for number, (value, hours) in enumerate((("6.9", 0), ("4.1", 1), ("4.4", 48))):
        taken = (AT + timedelta(hours=hours)).astimezone(datetime.strptime(offset, "%z").tzinfo)
        obx = f"OBX|1|NM|K^钾||{value}|mmol/L|3.5-5.3|N|||F"
        text = own_hospital.message(
            "ORU^R01", "C1", f"OBR|1||15|LYT^电解质|||{taken:%Y%m%d%H%M%S}{'|' * 18}F", obx, at=taken, id=f"Z{number}"
        )
        stamp = f"{taken:%Y%m%d%H%M%S}"
        own_hospital.inbox.take_now(text.replace(f"|{stamp}||ORU", f"|{stamp}{offset}||ORU").encode(), "127.0.0.1:2575", "127.0.0.1")
        own_hospital.worker.drain()
        assert own_hospital.last().state == "done", own_hospital.last().remark
    assert reports(own_hospital, patient) == [("2026-03-02", "final", ["4.1"]), ("2026-03-04", "final", ["4.4"])]
