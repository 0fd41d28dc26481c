"""From a value in the file to the message and the field that said so; what was written here has no message."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hospital import AT, Hospital, segment

from healthsvc import clock
from healthsvc.errors import Invalid, NotFound
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import update_demographics
from healthsvc.store import SYSTEM, Database
from healthsvc.store.audit import AUDIT
from integrations.operating.desk import Desk
from integrations.origin import Origin, origin


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def asked(hospital: Hospital, type: str, id: str, element: str = "") -> list[Origin]:
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        return origin(store, type, id, element, shelf=hospital.inbox.shelf)


def test_a_value_leads_to_the_message_that_first_said_it(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001", address="样例路一号", id="first")
    hospital.says("ADT^A31", "C1", phone="12000000002", address="样例路一号", id="second", at=AT + timedelta(hours=1))
    hospital.says("ADT^A31", "C1", phone="12000000002", address="样例路一号", id="third", at=AT + timedelta(hours=2))
    patient = hospital.file("C1")["id"]
    [telephone] = asked(hospital, "Patient", patient, "telecom")
    assert (telephone.control_id, telephone.version, telephone.event) == ("second", 2, "ADT^A31")
    assert [(one.place, one.sent, one.same) for one in telephone.places] == [("PID-13", "12000000002", True)]
    [home] = asked(hospital, "Patient", patient, "Patient.address.text")
    assert (home.control_id, home.version) == ("first", 1)
    assert [one.control_id for one in asked(hospital, "Patient", patient)] == ["first", "second"], "the third told nothing new"


def test_what_somebody_here_wrote_has_no_message(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001")
    patient = hospital.file("C1")["id"]
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        update_demographics(store, patient, Person("", address="本单位录入的住址"))
    assert asked(hospital, "Patient", patient, "address") == []
    assert len(asked(hospital, "Patient", patient, "telecom")) == 1
    with pytest.raises(Invalid):
        asked(hospital, "Patient", patient, "photo")
    with pytest.raises(NotFound):
        asked(hospital, "Patient", "nobody")


def test_a_message_that_is_replayed_keeps_what_it_made_before(hospital: Hospital) -> None:
    hospital.says("ADT^A08", "C1", segment("PV1", _1="1", _2="I", _19="V1"), phone="12000000001")
    patient = hospital.file("C1")["id"]
    desk = Desk(hospital.inbox.shelf)
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        update_demographics(store, patient, Person("", phones=("12000000002",)))
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        about = desk.to_replay(store, "", AT.replace(year=2020), AT.replace(year=2100))
    assert desk.replay(hospital.database, SYSTEM, about).queued == 1
    hospital.worker.drain()
    versions = {one.control_id: one.version for one in asked(hospital, "Patient", patient, "name")}
    assert versions == {"M1": 1}, "the name came with the first effect"
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        [letter] = desk.letters(store, 5, number="M1")
        assert desk.numbers(store, letter.id), "its stay can still be moved to the right person"
        withdrawn, _ = desk.move(store, letter.id, [("PID-3(1).1", "C9")], "wrong card")
    [stay] = hospital.select("Encounter")
    assert (withdrawn >= 1, stay["status"]) == (True, "entered-in-error")


def test_a_result_of_twenty_leads_to_its_own_segment(hospital: Hospital) -> None:
    lines = [segment("OBX", _1=str(n), _2="NM", _3=f"T{n}^项目{n}", _5=f"{n}.50", _6="mmol/L", _11="F") for n in range(1, 21)]
    hospital.says("ORU^R01", "C1", segment("OBR", _1="1", _3="F1", _4="BIO^生化"), *lines)
    [chosen] = [one for one in hospital.select("Observation") if one["code"]["text"] == "项目7"]
    [found] = asked(hospital, "Observation", chosen["id"], "valueQuantity.value")
    assert [one.place for one in found.places if one.same and one.sent == "7.50"] == ["OBX[7]-5"]
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        raw = store.read("Binary", found.message.partition("/")[2])
        assert raw["contentType"] == "x-application/hl7-v2+er7"


def test_every_look_is_in_the_audit(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1")
    patient = hospital.file("C1")["id"]
    asked(hospital, "Patient", patient, "birthDate")
    hospital.database.reads.flush()
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        looks = store.connection.execute(AUDIT.select().where(AUDIT.c.action == "origin")).all()
        assert [(one.subject, one.purpose) for one in looks] == [(f"Patient/{patient}", "origin")]
