"""Outpatient visits are registered (A04) and often never ended: who is registered on another day has come again."""

from datetime import timedelta

import pytest
from hospital import AT, Hospital, segment

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def pv1(number: str, code: str = "O", place: str = "D1", began: str = "") -> str:
    return segment("PV1", _1="1", _2=code, _3=place, _19=number, _44=began)


def visits(hospital: Hospital, patient: str) -> list[tuple[str, str, list[str]]]:
    """Start to the hour, status and places of each visit, in order."""
    found = [one for one in hospital.select("Encounter", patient=patient) if one["id"].startswith("stay-")]
    return sorted(
        (one["period"]["start"][:13], one["status"], [place["location"]["display"] for place in one.get("location", ())]) for one in found
    )


@pytest.mark.parametrize("number", ["V1", ""], ids=["same number", "no number"])
def test_a_registration_on_another_day_is_another_visit_though_the_first_was_never_ended(own_hospital: Hospital, number: str) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A04", "C1", pv1(number))
    own_hospital.says("ADT^A04", "C1", pv1(number, place="D2"), at=AT + HOUR)
    assert visits(own_hospital, patient) == [("2026-03-02T09", "in-progress", ["D1", "D2"])], "on the same day it goes on"
    own_hospital.says("ADT^A04", "C1", pv1(number, place="D3"), at=AT + 5 * DAY)
    own_hospital.says("ADT^A08", "C1", pv1(number, place="D4"), at=AT + 5 * DAY + HOUR)
    first, second = ("2026-03-02T09", "in-progress", ["D1", "D2"]), ("2026-03-07T09", "in-progress", ["D3", "D4"])
    assert visits(own_hospital, patient) == [first, second]
    own_hospital.says("ADT^A04", "C1", pv1(number, place="D0"), at=AT - 3 * DAY)
    early = ("2026-02-27T09", "in-progress", ["D0"])
    assert visits(own_hospital, patient) == [early, first, second], "one that is told late is itself"
    own_hospital.says("ADT^A03", "C1", pv1(number, place="D4"), at=AT + 5 * DAY + 2 * HOUR)
    assert [status for _, status, _ in visits(own_hospital, patient)] == ["in-progress", "in-progress", "finished"]


def test_another_number_is_another_visit_on_the_same_day_too(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A04", "C1", pv1("V1"))
    own_hospital.says("ADT^A04", "C1", pv1("V2", place="D2"), at=AT + HOUR)
    assert [start for start, *_ in visits(own_hospital, patient)] == ["2026-03-02T09", "2026-03-02T10"]


def test_what_lasts_longer_goes_on(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A04", "C1", pv1("E1", "E"))
    own_hospital.says("ADT^A04", "C1", pv1("E1", "E"), at=AT + DAY)
    assert len(visits(own_hospital, patient)) == 1, "an emergency stay under observation"
    own_hospital.says("ADT^A04", "C1", pv1("E1", "E"), at=AT + 4 * DAY)
    own_hospital.says("ADT^A01", "C1", pv1("I1", "I"), at=AT + 6 * DAY)
    own_hospital.says("ADT^A01", "C1", pv1("I1", "I"), at=AT + 20 * DAY)
    assert [start for start, *_ in visits(own_hospital, patient)] == ["2026-03-02T09", "2026-03-06T09", "2026-03-08T09"]
    own_hospital.says("ADT^A05", "C1", pv1("P1", began="20260401090000"), at=AT + 21 * DAY)
    own_hospital.says("ADT^A04", "C1", pv1("P1"), at=AT + 31 * DAY)
    own_hospital.says("ADT^A04", "C1", pv1("X1"), at=AT + 40 * DAY)
    own_hospital.says("ADT^A06", "C1", pv1("X1", "I"), at=AT + 42 * DAY)
    assert len(visits(own_hospital, patient)) == 5, "one that was planned, and one that became an admission, are the same visit"
