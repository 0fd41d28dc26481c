"""Who is meant and what kind of visit, in the words of feeds: numbers that are none, classes in words, a word that nobody knows."""

from datetime import timedelta

import pytest
from hospital import AT, Hospital, segment, status

HOUR = timedelta(hours=1)


def stay(hospital: Hospital, patient: str) -> tuple[str, str]:
    [one] = [one for one in hospital.select("Encounter", patient=patient) if one["id"].startswith("stay-")]
    return one["class"]["code"], one["status"]


@pytest.mark.parametrize("none", ["0", "0000000000", "null", "NULL", "无"])
def test_a_number_that_is_none_makes_nobody_of_two(own_hospital: Hospital, none: str) -> None:
    for number, name in (("C8", "测试乙"), ("C9", "测试丙")):
        own_hospital.says("ADT^A28", f"{number}^^^^IDCard~{none}^^^^PatientNO~{none}", name=name)
    assert [own_hospital.file(number)["name"][0]["text"] for number in ("C8", "C9")] == ["测试乙", "测试丙"]
    assert {one["value"] for one in own_hospital.file("C9")["identifier"]} == {"C9"}


def test_a_visit_number_of_zeros_is_none(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="0", _50="000"))
    [one] = own_hospital.select("Encounter", patient=patient)
    assert "identifier" not in one


@pytest.mark.parametrize(("told", "code"), [("1^门诊病人", "AMB"), ("3^住院病人", "IMP"), ("2^急诊", "EMER"), ("^住院", "IMP")])
def test_the_class_of_a_visit_may_stand_in_words(own_hospital: Hospital, told: str, code: str) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A08", "C1", segment("PV1", _2=told, _19="V1"))
    assert stay(own_hospital, patient)[0] == code
    [one] = own_hospital.select("Encounter", patient=patient)
    assert one["type"] == [{"text": told.partition("^")[2]}]


@pytest.mark.parametrize(("first", "known", "inside"), [("ADT^A04", "O", False), ("ADT^A01", "I", True)])
@pytest.mark.parametrize("number", ["V1", ""])
def test_a_class_that_nobody_knows_moves_nobody_into_a_ward_nor_out_of_it(
    own_hospital: Hospital, first: str, known: str, inside: bool, number: str
) -> None:
    patient, checkup = own_hospital.cadre()
    own_hospital.says(first, "C1", segment("PV1", _2=known, _3="D1", _19=number))
    before, held = stay(own_hospital, patient), status(own_hospital, checkup)
    assert (held == "on-hold") is inside
    own_hospital.says("ADT^A08", "C1", segment("PV1", _2="U", _3="D2", _19=number), at=AT + HOUR)
    assert (stay(own_hospital, patient), status(own_hospital, checkup)) == (before, held)
    [one] = own_hospital.select("Encounter", patient=patient)
    assert one["location"][-1]["location"]["display"] == "D2", "the rest of the message counts"


def test_where_a_message_gives_no_class_its_event_does(own_hospital: Hospital) -> None:
    patient, checkup = own_hospital.cadre()
    number = segment("PV1", _19="V1")
    own_hospital.says("ADT^A05", "C1", segment("PV1", _2="P", _19="V1"))
    own_hospital.says("ADT^A01", "C1", number, at=AT + HOUR)
    assert (stay(own_hospital, patient), status(own_hospital, checkup)) == (("IMP", "in-progress"), "on-hold")
    own_hospital.says("ADT^A07", "C1", number, at=AT + 2 * HOUR)
    assert (stay(own_hospital, patient), status(own_hospital, checkup)) == (("AMB", "in-progress"), "requested")
    own_hospital.says("ADT^A06", "C1", number, at=AT + 3 * HOUR)
    assert (stay(own_hospital, patient), status(own_hospital, checkup)) == (("IMP", "in-progress"), "on-hold")


def test_how_somebody_left_keeps_its_words(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1"))
    own_hospital.says("ADT^A03", "C1", segment("PV1", _2="I", _19="V1", _36="1^医嘱离院^HL70112"), at=AT + HOUR)
    [one] = own_hospital.select("Encounter", patient=patient)
    told = one["hospitalization"]["dischargeDisposition"]
    assert (told["text"], told["coding"][0]["code"]) == ("医嘱离院", "1")


def test_an_order_without_a_class_is_of_the_kind_of_the_stay_on_file(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1"))
    for n, number in enumerate(("V1", "V2")):
        order = ("ORC|NW|M" + str(n), "RXO|D1^示例片|1||片")
        own_hospital.says("OMP^O09", "C1", segment("PV1", _2="", _19=number), *order, at=AT + HOUR)
    found = {
        one["identifier"][0]["value"]: one["category"][0]["coding"][0]["code"]
        for one in own_hospital.select("MedicationRequest", patient=patient)
    }
    assert found == {"M0": "inpatient", "M1": "outpatient"}


@pytest.mark.parametrize(
    ("died", "dead", "told"),
    [("20260301103000", "Y", "2026-03-01T10:30:00+08:00"), ("20260301", "", "2026-03-01"), ("", "Y", True)],
)
def test_a_death_is_told_as_exactly_as_it_was_also_of_somebody_new(own_hospital: Hospital, died: str, dead: str, told: str | bool) -> None:
    own_hospital.cadre()
    for number in ("C1", "C8"):
        text = own_hospital.message("ADT^A31", number)
        pid = next(line for line in text.split("\r") if line.startswith("PID"))
        more = "|".join([*pid.split("|"), *[""] * 30][:29]) + f"|{died}|{dead}"
        own_hospital.inbox.take_now(text.replace(pid, more).encode(), "127.0.0.1:2575", "127.0.0.1")
        own_hospital.worker.drain()
        file = own_hospital.file(number)
        assert file.get("deceasedDateTime", file.get("deceasedBoolean")) == told
