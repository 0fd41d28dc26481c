"""Outpatient visits whose end no hospital tells are taken as ended after a while; nobody in a ward is, and what comes late counts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hospital import AT, Hospital, segment, status

from healthsvc import clock
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.store import SYSTEM, Actor, Database
from healthsvc.visit.ward import lying
from integrations import unended
from integrations.effects.by_rule import is_closed_by_rule
from integrations.hospitals.shelf import Shelf, load, read
from integrations.operating.ends import visit_ends

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
        return unended.close_unended(store, hospital.inbox.shelf)


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


def test_a_line_has_hours_of_its_own(hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "h1.toml").write_text(
        'extends = "default"\nprofile = "h1"\nversion = 1\ntitle = "x"\nhospital = "h1"\n'
        "unended_hours = { AMB = 20, EMER = 0, OBSENC = 20 }\n"
        '[match]\nsending_facility = "H1"\n'
    )
    hospital.inbox.shelf = hospital.worker.shelf = Shelf([read(tmp_path / "h1.toml")], load("default"))
    other = Hospital(hospital.database, "H2")
    other.inbox.shelf = other.worker.shelf = hospital.inbox.shelf
    patient, _ = hospital.cadre()
    theirs, _ = other.cadre("D1")
    for there, number in ((hospital, "C1"), (other, "D1")):
        for code in "OE":
            there.says("ADT^A04", number, pv1(code, f"V{code}"))
    assert run(hospital, 21 * HOUR) == 1
    assert {one["class"]["code"] for one in visits(hospital, patient) if is_closed_by_rule(one)} == {"AMB"}
    assert run(hospital, 8 * DAY) == 2, "both of the hospital that has none of its own"
    assert run(hospital, 400 * DAY) == 0, "an emergency of the first is never taken as ended"
    assert all(is_closed_by_rule(one) for one in visits(hospital, theirs))
    other.inbox.stop()


@pytest.mark.parametrize(
    ("hospital_is", "hours", "told"),
    [
        ("h1", "24", "a table of classes"), ("h1", "{ XX = 3 }", "XX is no class"), ("h1", "{ AMB = -1 }", "whole hours"),
        ("MSH-4", "{ AMB = 3 }", "names its hospital"),
    ],
)  # fmt: skip
def test_wrong_hours_of_a_line_are_refused(tmp_path: Path, hospital_is: str, hours: str, told: str) -> None:
    text = f'extends = "default"\nprofile = "x"\nversion = 1\ntitle = "x"\nhospital = "{hospital_is}"\nunended_hours = {hours}\n'
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(Invalid, match=told):
        read(tmp_path / "x.toml")


def test_the_operator_sees_which_hospital_never_tells_an_end(hospital: Hospital) -> None:
    other = Hospital(hospital.database, "H2")
    hospital.cadre()
    other.cadre("D1")
    now = clock.now()
    for number in ("V1", "V2", "V3"):
        hospital.says("ADT^A04", "C1", pv1(number=number, began=now), at=now)
        other.says("ADT^A04", "D1", pv1(number=number, began=now), at=now)
    other.says("ADT^A03", "D1", pv1(number="V1") + f"{'|' * 26}{now + HOUR:%Y%m%d%H%M%S}", at=now + HOUR)
    hospital.says("ADT^A01", "C1", pv1("I", "W1", began=now), at=now)
    assert run(hospital, 3 * DAY) == 5
    for later, expected in ((4 * DAY, [("h1", 0, 3, True), ("h2", 1, 2, False)]), (9 * DAY, [("h1", 0, 3, True), ("h2", 0, 2, True)])):
        with hospital.database.reading(Actor("op", "op", frozenset({"operator"}), "test"), at=now + later) as store:
            told = visit_ends(store)
        assert [(one.hospital, one.by_word, one.by_rule, one.never_told) for one in told.hospitals] == expected
        assert (told.days, told.is_part) == (7, False)
    with hospital.database.reading(SYSTEM, at=now + 11 * DAY) as store:
        assert visit_ends(store).hospitals == ()
    other.inbox.stop()
