"""Outpatient visits whose end no hospital tells are taken as ended after a while; nobody in a ward is, and what comes late counts."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hospital import AT, Hospital, segment, status

from healthsvc import clock
from healthsvc.fhir.json import Resource
from healthsvc.store import SYSTEM, Database
from healthsvc.visit.ward import lying
from integrations import unended
from integrations.effects.by_rule import is_closed_by_rule

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def pv1(code: str = "O", number: str = "V1", place: str = "D1", began: datetime | None = None) -> str:
    return segment("PV1", _1="1", _2=code, _3=place, _19=number, _44=f"{began:%Y%m%d%H%M%S}" if began else "")


def run(hospital: Hospital, later: timedelta) -> int:
    """The timer, so much later than now: the messages have just come, whatever they tell of."""
    with hospital.database.writing(SYSTEM, at=clock.now() + later) as store:
        return unended.close_unended(store)


def visits(hospital: Hospital, patient: str) -> list[Resource]:
    return [one for one in hospital.select("Encounter", patient=patient) if one["id"].startswith("stay-")]


def test_an_outpatient_visit_is_closed_with_a_note_and_without_an_end(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A04", "C1", pv1())
    hospital.says("ADT^A04", "C1", pv1("E", "E1"))
    assert run(hospital, 47 * HOUR) == 0
    assert run(hospital, 49 * HOUR) == 1
    assert run(hospital, 49 * HOUR) == 0, "once"
    [visit] = [one for one in visits(hospital, patient) if one["class"]["code"] == "AMB"]
    assert (visit["status"], visit["period"].keys(), is_closed_by_rule(visit)) == ("finished", {"start"}, True)
    assert [place["status"] for place in visit["location"]] == ["completed"]
    assert run(hospital, 8 * DAY) == 1, "an emergency under observation may last a week"


def test_nobody_in_a_ward_is_discharged_by_a_clock_nor_what_is_only_planned(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1("I"))
    hospital.says("ADT^A05", "C1", pv1("O", "P1", began=AT + 3 * DAY))
    assert run(hospital, 400 * DAY) == 0
    assert status(hospital, checkup) == "on-hold"
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        ours = {"resourceType": "Encounter", "id": "ours", "status": "in-progress", "class": {"code": "AMB"}}
        store.put(ours | {"subject": {"reference": f"Patient/{patient}"}})
    assert run(hospital, 400 * DAY) == 0, "a visit that no hospital has told of is not theirs to end"


@pytest.mark.parametrize("number", ["V1", ""], ids=["numbered", "no number"])
def test_what_the_hospital_says_later_counts(hospital: Hospital, number: str) -> None:
    patient, _ = hospital.cadre()

    def state() -> tuple[str, str, bool]:
        [visit] = visits(hospital, patient)
        return visit["status"], visit["period"].get("end", "")[:13], is_closed_by_rule(visit)

    hospital.says("ADT^A04", "C1", pv1(number=number))
    run(hospital, 3 * DAY)
    hospital.says("ADT^A08", "C1", pv1(number=number, place="D2"), at=AT + HOUR)
    assert state() == ("finished", "", True), "a late detail completes it"
    hospital.says("ADT^A03", "C1", pv1(number=number), at=AT + 2 * HOUR)
    assert state() == ("finished", "2026-03-02T11", False), "a late end is its end"


def test_a_word_that_it_goes_on_opens_it_again(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A04", "C1", pv1("E"))
    run(hospital, 8 * DAY)
    hospital.says("ADT^A02", "C1", pv1("E", place="D2"), at=AT + 8 * DAY)
    [visit] = visits(hospital, patient)
    assert (visit["status"], is_closed_by_rule(visit), visit["location"][-1]["status"]) == ("in-progress", False, "active")
    assert run(hospital, DAY) == 0, "it was just told of"
    run(hospital, 8 * DAY)
    hospital.says("ADT^A06", "C1", pv1("I"), at=AT + 9 * DAY)
    [visit] = visits(hospital, patient)
    assert (visit["status"], visit["class"]["code"], is_closed_by_rule(visit)) == ("in-progress", "IMP", False)
    assert status(hospital, checkup) == "on-hold", "and it was an admission after all"


def test_many_are_closed_in_portions(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    hospital.cadre()
    monkeypatch.setattr(unended, "MOST", 2)
    for number in ("V1", "V2", "V3"):
        hospital.says("ADT^A04", "C1", pv1(number=number))
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
        for number in range(5):  # somebody else's, never ended either: they keep nobody from being closed
            store.put({"resourceType": "Encounter", "id": f"other-{number}", "status": "in-progress", "class": ward})
    assert [run(hospital, 3 * DAY) for _ in range(3)] == [2, 1, 0]


def test_who_lies_in_a_ward_since_when_and_whether_the_expected_discharge_has_passed(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A01", "C1", segment("PV1", _1="1", _2="I", _3="内科^^12", _19="V1"), segment("PV2", _9="20260306"))

    def seen(later: timedelta) -> list[tuple[str, str, int, bool]]:
        with hospital.database.reading(SYSTEM, at=AT + later) as store:
            found = lying(store, patient)
            assert found == lying(store), "of all, too"
            return [(one.since[:10], one.where.split()[-2], one.overdue, one.onleave) for one in found]

    assert seen(DAY) == [("2026-03-02", "内科", 0, False)]
    assert seen(4 * DAY)[0][2] == 0, "on the very day"
    assert seen(6 * DAY)[0][2] == 2
    hospital.says("ADT^A21", "C1", segment("PV1", _1="1", _2="I", _3="内科^^12", _19="V1"), at=AT + 6 * DAY)
    assert seen(6 * DAY)[0][3]
    hospital.says("ADT^A03", "C1", segment("PV1", _1="1", _2="I", _3="内科^^12", _19="V1"), at=AT + 7 * DAY)
    assert seen(7 * DAY) == []
