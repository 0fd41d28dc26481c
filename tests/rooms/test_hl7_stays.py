"""A hospital uses a visit number again, corrects, takes back and moves: the file says afterwards what really was."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hospital import AT, LISTEN, PEER, Hospital, segment, status, tasks
from sqlalchemy import event

from healthsvc.fhir.json import Resource
from healthsvc.store import SYSTEM

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


def pv1(place: str = "W1^^12", began: datetime | str = "", ended: datetime | str = "", number: str = "V1") -> str:
    admitted, discharged = (f"{one:%Y%m%d%H%M%S}" if isinstance(one, datetime) else one for one in (began, ended))
    return segment("PV1", _1="1", _2="I", _3=place, _19=number, _44=admitted, _45=discharged)


def stays(hospital: Hospital, patient: str) -> list[Resource]:
    found = [one for one in hospital.select("Encounter", patient=patient) if one["id"].startswith("stay-")]
    return sorted(found, key=lambda one: one.get("period", {}).get("start", ""))


def spans(hospital: Hospital, patient: str) -> list[tuple[str, str, str]]:
    """Status, start and end of each stay, to the hour."""
    return [(one["status"], *(one["period"].get(key, "")[:13] for key in ("start", "end"))) for one in stays(hospital, patient)]


@pytest.mark.parametrize("told", [True, False], ids=["with PV1-44", "without PV1-44"])
def test_a_later_admission_under_the_same_number_is_another_stay(hospital: Hospital, told: bool) -> None:
    patient, checkup = hospital.cadre()
    again = AT + 20 * DAY
    first, second = pv1(began=AT if told else ""), pv1(began=again if told else "")
    hospital.says("ADT^A01", "C1", first)
    hospital.says("ADT^A03", "C1", first, at=AT + 3 * DAY)
    hospital.says("ADT^A01", "C1", second, at=again)
    both = [("finished", "2026-03-02T09", "2026-03-05T09"), ("in-progress", "2026-03-22T09", "")]
    assert spans(hospital, patient) == both
    assert status(hospital, checkup) == "on-hold"
    assert len(tasks(hospital, patient, "admission-visit")) == 2
    hospital.says("ADT^A01", "C1", first, at=AT)  # told again under another id, long after
    hospital.says("ADT^A08", "C1", first, at=AT + DAY)
    assert spans(hospital, patient) == both
    hospital.says("ADT^A02", "C1", pv1("W2^^3", began=again if told else ""), at=again + HOUR)
    hospital.says("ADT^A03", "C1", second, at=again + 2 * DAY)
    assert spans(hospital, patient) == [both[0], ("finished", "2026-03-22T09", "2026-03-24T09")]
    assert [len(one["location"]) for one in stays(hospital, patient)] == [1, 2]
    hospital.says("ADT^A13", "C1", second, at=again + 3 * DAY)
    assert spans(hospital, patient) == both, "A13 reopens, and only the stay that it means"


def test_a_discharge_that_comes_before_its_own_admission_does_not_end_the_former_stay_again(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    again = AT + 20 * DAY
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    hospital.says("ADT^A03", "C1", pv1(began=AT), at=AT + 3 * DAY)
    hospital.says("ADT^A03", "C1", pv1(began=again), at=again + DAY)
    hospital.says("ADT^A01", "C1", pv1(began=again), at=again)
    assert spans(hospital, patient) == [("finished", "2026-03-02T09", "2026-03-05T09"), ("finished", "2026-03-22T09", "2026-03-23T09")]
    assert status(hospital, checkup) == "requested"


def test_an_admission_told_again_after_the_discharge_reopens_nothing(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    hospital.says("ADT^A03", "C1", pv1(began=AT), at=AT + 3 * DAY)
    hospital.says("ADT^A01", "C1", pv1(began=AT), at=AT + 4 * DAY)
    assert spans(hospital, patient) == [("finished", "2026-03-02T09", "2026-03-05T09")]
    assert "A13 reopens" in hospital.last().remark
    assert status(hospital, checkup) == "requested"


def test_the_times_of_a_stay_are_corrected_and_an_older_word_does_not_correct_them_back(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    hospital.says("ADT^A08", "C1", pv1(began=AT - 5 * HOUR), at=AT + 2 * HOUR)
    hospital.says("ADT^A08", "C1", pv1(began=AT), at=AT + HOUR)
    assert spans(hospital, patient) == [("in-progress", "2026-03-02T04", "")]
    hospital.says("ADT^A03", "C1", pv1(began=AT - 5 * HOUR, ended=AT + DAY), at=AT + DAY)
    hospital.says("ADT^A08", "C1", pv1(began=AT - 5 * HOUR, ended=AT + 22 * HOUR), at=AT + 2 * DAY)
    assert spans(hospital, patient) == [("finished", "2026-03-02T04", "2026-03-03T07")]


def test_a_second_stay_whose_beginning_is_corrected_stays_the_second(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    again = AT + 20 * DAY
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    hospital.says("ADT^A03", "C1", pv1(began=AT), at=AT + 3 * DAY)
    hospital.says("ADT^A01", "C1", pv1(began=again), at=again)
    hospital.says("ADT^A08", "C1", pv1(began=again - DAY), at=again + HOUR)
    assert spans(hospital, patient) == [("finished", "2026-03-02T09", "2026-03-05T09"), ("in-progress", "2026-03-21T09", "")]


def test_a_transfer_taken_back_never_was(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1("W1^^12"))
    hospital.says("ADT^A02", "C1", pv1("W2^^3"), at=AT + HOUR)
    hospital.says("ADT^A12", "C1", pv1("W1^^12"), at=AT + 2 * HOUR)
    [stay] = stays(hospital, patient)
    assert [(one["location"]["display"], one["status"]) for one in stay["location"]] == [("W1 12床", "active")]
    hospital.says("ADT^A02", "C1", pv1("W2^^3"), at=AT + 3 * HOUR)
    hospital.says("ADT^A12", "C1", pv1(""), at=AT + 4 * HOUR)
    [stay] = stays(hospital, patient)
    assert [(one["location"]["display"], one["status"]) for one in stay["location"]] == [("W1 12床", "active")]


def expected(hospital: Hospital, patient: str) -> list[str]:
    """When the discharge of each stay is expected."""
    of = {one["id"]: one.get("extension", ()) for one in stays(hospital, patient)}
    return [one["valueDateTime"] for told in of.values() for one in told if one["url"].endswith("/expected-discharge")]


@pytest.mark.parametrize(
    ("pv2_9", "evn_3", "day"),
    [("20260306", "", "2026-03-06"), ("", "20260307", "2026-03-07"), ("20260306", "20260307", "2026-03-06"), ("", "", "2026-03-08")],
    ids=["PV2-9", "EVN-3", "both", "PV1-45"],
)
def test_a_pending_discharge_says_when_somebody_comes_home_until_it_is_taken_back(
    hospital: Hospital, pv2_9: str, evn_3: str, day: str
) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    told = hospital.message("ADT^A16", "C1", pv1(began=AT, ended="20260308"), segment("PV2", _9=pv2_9), at=AT + HOUR)
    hospital.inbox.take_now(told.replace("\rPID", f"|{evn_3}\rPID", 1).encode(), LISTEN, PEER)
    hospital.worker.drain()
    assert hospital.last().state == "done"
    assert spans(hospital, patient) == [("in-progress", "2026-03-02T09", "")], "nobody has left"
    assert expected(hospital, patient) == [day]
    assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A25", "C1", pv1(began=AT, ended="20260308"), "PV2|||||||||20260308", at=AT + 2 * HOUR)
    assert expected(hospital, patient) == []
    assert spans(hospital, patient) == [("in-progress", "2026-03-02T09", "")]


def test_a_leave_and_a_return_that_are_taken_back_never_were(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    for hours, (trigger, stands, visit) in enumerate(
        (
            ("A01", "in-progress", "on-hold"),
            ("A21", "onleave", "requested"),
            ("A52", "in-progress", "on-hold"),
            ("A21", "onleave", "requested"),
            ("A22", "in-progress", "on-hold"),
            ("A53", "onleave", "requested"),
            ("A22", "in-progress", "on-hold"),
            ("A03", "finished", "requested"),
            ("A52", "finished", "requested"),
            ("A53", "finished", "requested"),
        )
    ):
        hospital.says(f"ADT^{trigger}", "C1", pv1(began=AT), at=AT + hours * HOUR)
        assert hospital.last().state == "done"
        assert ([one["status"] for one in stays(hospital, patient)], status(hospital, checkup)) == ([stands], visit), (hours, trigger)
    assert "A13 reopens" in hospital.last().remark


def test_a_change_of_doctors_that_is_taken_back_gives_the_former_one_again(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    first, second = segment("PV1", _2="I", _7="D1^甲医生", _19="V1"), segment("PV1", _2="I", _7="D2^乙医生", _9="D3^丙医生", _19="V1")
    attending = []
    for hours, (trigger, told) in enumerate((("A01", first), ("A54", second), ("A61", second), ("A55", first), ("A62", first))):
        hospital.says(f"ADT^{trigger}", "C1", told, at=AT + hours * HOUR)
        assert hospital.last().state == "done"
        [stay] = stays(hospital, patient)
        attending.append(stay["participant"][0]["individual"]["display"])
    assert attending == ["甲医生", "乙医生", "乙医生", "甲医生", "甲医生"]


def test_two_people_who_change_beds_do_so_in_one_message(hospital: Hospital) -> None:
    one, other = hospital.cadre()[0], hospital.cadre("C2")[0]
    hospital.says("ADT^A01", "C1", pv1("W1^^12", number="V1"))
    hospital.says("ADT^A01", "C2", pv1("W2^^3", number="V2"))
    second = "PID|1||C2^^^^IDCard||测试甲||19300101|M"
    hospital.says("ADT^A17", "C1", pv1("W2^^3", number="V1"), second, pv1("W1^^12", number="V2"), at=AT + HOUR)
    assert hospital.last().state == "done"
    found = [[place["location"]["display"] for place in stays(hospital, id)[0]["location"]] for id in (one, other)]
    assert found == [["W1 12床", "W2 3床"], ["W2 3床", "W1 12床"]]
    hospital.says("ADT^A15", "C1", segment("PV1", _2="I", _3="W2^^3", _19="V1", _42="W9^^1"), at=AT + 2 * HOUR)
    hospital.says("ADT^A26", "C1", pv1("W2^^3", number="V1"), at=AT + 3 * HOUR)
    assert [place["location"]["display"] for place in stays(hospital, one)[0]["location"]] == ["W1 12床", "W2 3床"], "only planned"
    hospital.says("ADT^A10", "C1", pv1("W7", number="V1"), at=AT + 4 * HOUR)
    hospital.says("ADT^A32", "C1", pv1("W2^^3", number="V1"), at=AT + 5 * HOUR)
    places = stays(hospital, one)[0]["location"]
    assert [(place["location"]["display"], place["status"]) for place in places] == [("W1 12床", "completed"), ("W2 3床", "active")]


def test_a_cancelled_admission_keeps_its_results_and_doubts_its_diagnoses_until_it_is_told_again(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    diagnosis = "DG1|1||I63.9^脑梗死^ICD10"
    hospital.says("ADT^A01", "C1", pv1(began=AT), diagnosis)
    report = "OBR|1||F1|K^钾|||20260302100000||||||||||||||||||F", "OBX|1|NM|K^钾||4.1|mmol/L|3.5-5.3||||F"
    hospital.says("ORU^R01", "C1", pv1(), *report, at=AT + HOUR)
    hospital.says("ADT^A03", "C1", pv1(began=AT), at=AT + 2 * HOUR)
    hospital.says("ADT^A11", "C1", pv1(began=AT), at=AT + 3 * HOUR)
    [stay] = stays(hospital, patient)
    [result] = hospital.select("Observation", patient=patient)
    assert (stay["status"], result["status"], result["encounter"]["reference"]) == ("cancelled", "final", f"Encounter/{stay['id']}")
    assert [one["status"] for one in tasks(hospital, patient, "follow-up")] == ["cancelled"]
    assert status(hospital, checkup) == "requested"
    assert verified(hospital, patient) == ["unconfirmed"]
    hospital.says("ADT^A01", "C1", pv1(), diagnosis, at=AT + DAY)
    assert spans(hospital, patient) == [("in-progress", "2026-03-03T09", "")], "that admission never was; this one is"
    assert verified(hospital, patient) == ["confirmed"]


def verified(hospital: Hospital, patient: str) -> list[str]:
    return [one["verificationStatus"]["coding"][0]["code"] for one in hospital.select("Condition", patient=patient)]


@pytest.mark.parametrize(("event", "prior"), [("ADT^A49", "_5"), ("ADT^A50", "_5"), ("ADT^A51", "_6")])
def test_a_visit_that_got_another_number_goes_on_under_it(hospital: Hospital, event: str, prior: str) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(began=AT))
    moved = segment("MRG", **{"_1": "C1^^^^IDCard", prior: "V1"})
    hospital.says(event, "C1", moved, pv1(number="V2"), at=AT + HOUR)
    hospital.says("ADT^A03", "C1", pv1(number="V2"), at=AT + DAY)
    assert [one["status"] for one in stays(hospital, patient)] == ["finished"]
    assert status(hospital, checkup) == "requested"


def test_the_diagnoses_of_a_stay_are_told_anew_by_its_bill(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(began=AT), segment("DG1", _1="1", _3="R55^晕厥^I10", _6="入院诊断"))
    hospital.says("ADT^A03", "C1", pv1(began=AT), at=AT + DAY)
    final = segment("DG1", _1="1", _3="I63.9^脑梗死^I10", _6="出院诊断", _15="1")
    hospital.says("BAR^P12", "C1", pv1(began=AT), final, at=AT + 2 * DAY)
    assert spans(hospital, patient) == [("finished", "2026-03-02T09", "2026-03-03T09")]
    [stay] = stays(hospital, patient)
    assert [one["use"]["text"] for one in stay["diagnosis"]] == ["入院诊断", "出院诊断"]


def test_what_was_done_during_a_stay_is_on_file_once_with_its_day_and_who_did_it(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hip = {"_3": "81.52^髋关节部分置换^ICD9CM", "_6": "P^治疗"}
    hospital.says("ADT^A01", "C1", pv1(began=AT), segment("PR1", _1="1", **hip))
    [planned] = hospital.select("Procedure", patient=patient)
    assert (planned["status"], planned["code"]["text"]) == ("unknown", "髋关节部分置换")
    told = segment("PR1", _1="1", **hip, _5="20260303090000", _7="90", _8="A1^麻醉甲", _11="S1^外科乙", _12="S2^外科丙")
    hospital.says("ADT^A08", "C1", pv1(began=AT), told, at=AT + HOUR)
    [record] = hospital.select("Procedure", patient=patient)
    assert (record["id"], record["status"]) == (planned["id"], "preparation"), "tomorrow"
    again = segment("PR1", _1="2", _3="99.04^输血", _5="20260304")
    other = segment("PR1", _1="3", _3="38.93^置管", _5="20260303", _19="N7")
    for trigger, after in (("ADT^A03", 2 * DAY), ("BAR^P12", 3 * DAY)):
        hospital.says(trigger, "C1", pv1(began=AT), told, again, other, at=AT + after)
        assert hospital.last().state == "done"
        found = {one["code"]["text"]: one for one in hospital.select("Procedure", patient=patient)}
        assert {words: one["status"] for words, one in found.items()} == dict.fromkeys(("髋关节部分置换", "输血", "置管"), "completed")
    record, [stay] = found["髋关节部分置换"], stays(hospital, patient)
    assert record["encounter"]["reference"] == f"Encounter/{stay['id']}"
    assert [value[:16] for value in record["performedPeriod"].values()] == ["2026-03-03T09:00", "2026-03-03T10:30"]
    by = [(one.get("function", {}).get("text", ""), one["actor"]["display"]) for one in record["performer"]]
    assert by == [("麻醉", "麻醉甲"), ("手术", "外科乙"), ("", "外科丙")]
    hospital.says("BAR^P12", "C1", pv1(began=AT), segment("PR1", _1="1", _3="38.93^置管", _19="N7", _20="D"), at=AT + 4 * DAY)
    left = {one["code"]["text"]: one["status"] for one in hospital.select("Procedure", patient=patient)}
    assert left == {"髋关节部分置换": "completed", "输血": "completed", "置管": "entered-in-error"}


def with_account(hospital: Hospital, event: str, number: str, *lines: str, at: datetime = AT) -> None:
    """Says something of C1 with an account number (PID-18)."""
    head, evn, pid, *rest = hospital.message(event, "C1", *lines, at=at).rstrip("\r").split("\r")
    fields = pid.split("|")
    told = "|".join([*fields, *[""] * (18 - len(fields)), number])
    hospital.inbox.take_now("\r".join((head, evn, told, *rest, "")).encode(), LISTEN, PEER)
    hospital.worker.drain()
    assert hospital.last().state == "done", (event, hospital.last().remark)


def booked_on(hospital: Hospital, patient: str, type: str, element: str) -> list[str]:
    found = hospital.select(type, patient=patient)
    return [str(one[element]["reference"]) for one in found if one.get("status") != "entered-in-error"]


def test_two_visits_that_are_one_go_on_as_one_with_all_that_hangs_on_them(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    stroke, pressure = (segment("DG1", _1="1", _3=code, _6="入院诊断") for code in ("I63.9^脑梗死^I10", "I10^高血压^I10"))
    hospital.says("ADT^A05", "C1", pv1(number="V2"))
    hospital.says("ADT^A08", "C1", pv1(number="V2"), stroke, at=AT + HOUR)
    hospital.says("ADT^A01", "C1", pv1(number="V1", began=AT + HOUR), stroke, pressure, at=AT + HOUR)
    report = ("OBR|1||F1|K^钾|||20260302113000||||||||||||||||||F", "OBX|1|NM|K^钾||4.1|mmol/L|3.5-5.3||||F")
    hospital.says("ORU^R01", "C1", pv1(number="V1"), *report, at=AT + 3 * HOUR)
    prior = segment("MRG", _1="C1^^^^IDCard", _5="V1")
    for hours in (4, 5):
        hospital.says("ADT^A42", "C1", prior, pv1(number="V2"), at=AT + hours * HOUR)
        assert hospital.last().state == "done"
        [kept] = [one for one in stays(hospital, patient) if one["status"] != "entered-in-error"]
        [gone] = [one for one in stays(hospital, patient) if one["status"] == "entered-in-error"]
        assert (kept["status"], kept["period"]["start"][:13]) == ("in-progress", "2026-03-02T10")
        assert sorted(one["value"] for one in kept["identifier"]) == ["V1", "V2"]
        assert gone["partOf"]["reference"] == f"Encounter/{kept['id']}"
        for type in ("Observation", "DiagnosticReport"):
            assert booked_on(hospital, patient, type, "encounter") == [f"Encounter/{kept['id']}"]
        valid = {one["id"]: one["code"]["text"] for one in hospital.select("Condition", patient=patient) if "clinicalStatus" in one}
        assert sorted(valid.values()) == ["脑梗死", "高血压"]
        assert {one["condition"]["reference"] for one in kept["diagnosis"]} == {f"Condition/{id}" for id in valid}
        assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A08", "C1", pv1(number="V2"), stroke, pressure, at=AT + 6 * HOUR)
    assert len([one for one in hospital.select("Condition", patient=patient) if "clinicalStatus" in one]) == 2, "told again, not anew"
    hospital.says("ADT^A03", "C1", pv1(number="V1", began=AT + HOUR), at=AT + DAY)
    assert sorted(one["status"] for one in stays(hospital, patient)) == ["entered-in-error", "finished"], "the former number leads there"
    assert status(hospital, checkup) == "requested"
    assert [one["status"] for one in tasks(hospital, patient, "admission-visit")].count("requested") <= 1


def test_of_two_visits_that_are_one_only_one_is_on_file(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1(number="V2", began=AT))
    hospital.says("ADT^A42", "C1", segment("MRG", _1="C1^^^^IDCard", _5="V1"), pv1(number="V2"), at=AT + HOUR)
    hospital.says("ADT^A03", "C1", pv1(number="V1"), at=AT + DAY)
    assert [one["status"] for one in stays(hospital, patient)] == ["finished"]
    hospital.says("ADT^A42", "C1", segment("MRG", _1="C1^^^^IDCard", _5="V8"), pv1(number="V9"), at=AT + DAY)
    assert "nothing was joined" in hospital.last().remark
    hospital.says("ADT^A01", "C4", pv1(number="V4"), name="测试丁")
    hospital.says("ADT^A42", "C1", segment("MRG", _1="C4^^^^IDCard", _5="V4"), pv1(number="V2"), at=AT + DAY)
    assert (hospital.last().state, hospital.last().reason) == ("review", "join-other-person")


@pytest.mark.parametrize("event", ["ADT^A35", "ADT^A41"])
def test_two_accounts_that_are_one_go_on_as_one_with_their_charges(hospital: Hospital, event: str) -> None:
    patient, _ = hospital.cadre()
    ward = segment("PV1", _1="1", _2="I", _3="W1^^12")
    with_account(hospital, "ADT^A01", "A1", ward)
    with_account(hospital, "BAR^P01", "A1")
    with_account(hospital, "BAR^P01", "A2", at=AT + HOUR)
    with_account(hospital, "DFT^P03", "A1", "FT1|1|F1||20260302110000||CG|GH^挂号费", at=AT + 2 * HOUR)
    with_account(hospital, event, "A2", segment("MRG", _1="C1^^^^IDCard", _3="A1"), at=AT + 3 * HOUR)
    with_account(hospital, "DFT^P03", "A1", "FT1|1|F2||20260302120000||CG|GH^检查费", at=AT + 4 * HOUR)
    with_account(hospital, "BAR^P06", "A1", at=AT + 5 * HOUR)
    gone, kept = sorted(hospital.select("Account", patient=patient), key=lambda one: one["status"])
    assert (gone["status"], kept["status"]) == ("entered-in-error", "inactive"), "what is told of the former is told of the other"
    assert sorted(one["value"] for one in kept["identifier"]) == ["A1", "A2"]
    assert (kept["servicePeriod"]["start"][:13], kept["servicePeriod"]["end"][:13]) == ("2026-03-02T09", "2026-03-02T14")
    charges = hospital.select("ChargeItem", patient=patient)
    assert [[one["reference"] for one in charge["account"]] for charge in charges] == [[f"Account/{kept['id']}"]] * 2
    with_account(hospital, "ADT^A03", "A2", ward, at=AT + DAY)
    assert [one["status"] for one in stays(hospital, patient)] == ["finished"], "a stay known by its account goes with it"


def test_the_accounts_of_two_files_that_are_joined_are_joined_with_them(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    with_account(hospital, "BAR^P01", "A2")
    hospital.says("ADT^A28", "C9", name="测试甲")
    other = hospital.message("BAR^P01", "C9", at=AT + HOUR).replace("|19300101|M|||||", "|19300101|M||||||||||A9", 1)
    hospital.inbox.take_now(other.encode(), LISTEN, PEER)
    hospital.worker.drain()
    with_account(hospital, "ADT^A36", "A2", segment("MRG", _1="C9^^^^IDCard", _3="A9"), at=AT + 2 * HOUR)
    assert hospital.file("C9")["link"][0]["type"] == "replaced-by"
    accounts = [one for file in (patient, hospital.file("C9")["id"]) for one in hospital.select("Account", patient=file)]
    assert sorted(one["status"] for one in accounts) == ["active", "entered-in-error"]


def test_an_account_that_got_another_number_goes_on_under_it(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    with_account(hospital, "BAR^P01", "A1")
    with_account(hospital, "ADT^A49", "A2", segment("MRG", _1="C1^^^^IDCard", _3="A1"), at=AT + HOUR)
    with_account(hospital, "BAR^P06", "A2", at=AT + 2 * HOUR)
    [account] = hospital.select("Account", patient=patient)
    assert account["status"] == "inactive"


def test_several_visits_of_one_person_are_moved_in_one_message(hospital: Hospital) -> None:
    right, _ = hospital.cadre()
    for number in ("V1", "V2"):
        hospital.says("ADT^A04", "C5", segment("PV1", _1="1", _2="O", _19=number), name="测试戊")
    lines = [line for number in ("V1", "V2") for line in (segment("MRG", _1="C5^^^^IDCard", _5=number), pv1(number=number))]
    hospital.says("ADT^A45", "C1", *lines, at=AT + HOUR)
    assert len(stays(hospital, right)) == 2


@pytest.mark.parametrize("event", ["ADT^A30", "ADT^A39", "ADT^A46"])
def test_older_words_for_two_numbers_of_one_person(hospital: Hospital, event: str) -> None:
    patient, _ = hospital.cadre()
    hospital.says(event, "C9", segment("MRG", _4="C1^^^^IDCard"), at=AT + HOUR)
    assert hospital.last().state == "done"
    assert hospital.file("C9")["id"] == hospital.file("C1")["id"] == patient


def test_a_stay_says_which_diagnosis_is_that_of_the_admission_and_which_the_main_one(hospital: Hospital) -> None:
    patient, _ = hospital.cadre()
    fracture, pressure = "S72.0^股骨颈骨折^I10", "I10^高血压^I10"
    hospital.says("ADT^A01", "C1", pv1(began=AT), segment("DG1", _1="1", _3=fracture, _6="入院诊断", _15="1"))
    hospital.says("ADT^A08", "C1", pv1(began=AT), segment("DG1", _1="1", _3=pressure), at=AT + HOUR)
    last = (segment("DG1", _1="1", _3=fracture, _6="F^最终诊断", _15="1"), segment("DG1", _1="2", _3=pressure, _6="出院诊断", _15="2"))
    hospital.says("ADT^A03", "C1", pv1(began=AT), *last, at=AT + DAY)

    def listed() -> list[tuple[str, str, list[str], int | None]]:
        words = {f"Condition/{one['id']}": one["code"]["text"] for one in hospital.select("Condition", patient=patient)}
        [stay] = stays(hospital, patient)
        return [
            (
                words[one["condition"]["reference"]],
                one.get("use", {}).get("text", ""),
                [coding["code"] for coding in one.get("use", {}).get("coding", ())],
                one.get("rank"),
            )
            for one in stay.get("diagnosis", ())
        ]

    assert listed() == [
        ("股骨颈骨折", "入院诊断", ["AD"], 1),
        ("股骨颈骨折", "最终诊断", ["F"], 1),
        ("高血压", "出院诊断", ["DD"], 2),
    ]
    gone = segment("DG1", _1="1", _3=pressure, _21="D")
    hospital.says("ADT^A08", "C1", pv1(began=AT), gone, at=AT + DAY + HOUR)
    assert [one[:2] for one in listed()] == [("股骨颈骨折", "入院诊断"), ("股骨颈骨折", "最终诊断")]


def test_a_visit_number_that_everybody_has_moves_the_stay_of_the_one_who_is_named(hospital: Hospital) -> None:
    """A hospital that counts each person's stays: the number alone says nothing."""
    people = {number: hospital.cadre(number)[0] for number in ("C1", "C2", "C3")}
    for day, number in enumerate(people):
        hospital.says("ADT^A01", number, pv1(began=AT + day * DAY, number="1"), at=AT + day * DAY)
    hospital.says("ADT^A45", "C4", segment("MRG", _1="X9^^^^IDCard", _5="1"), pv1(number="1"), at=AT + 4 * DAY)
    assert (hospital.last().state, hospital.last().reason) == ("review", "visit-number-of-several")
    assert [len(stays(hospital, one)) for one in people.values()] == [1, 1, 1], "nobody's was moved"
    hospital.says("ADT^A45", "C4", segment("MRG", _1="C1^^^^IDCard", _5="1"), pv1(number="1"), at=AT + 5 * DAY)
    assert hospital.last().state == "done"
    assert [len(stays(hospital, one)) for one in people.values()] == [0, 1, 1], "not the newest, but hers"


@pytest.mark.parametrize("number", ["V1", ""], ids=["with PV1-19", "without"])
def test_two_files_are_joined_while_the_second_is_in_hospital(hospital: Hospital, number: str) -> None:
    _, checkup = hospital.cadre()
    hospital.says("ADT^A28", "C2")
    retired = hospital.file("C2")["id"]
    hospital.says("ADT^A01", "C1", pv1(began=AT - 9 * DAY, number="V9"), at=AT - 9 * DAY)
    hospital.says("ADT^A03", "C1", pv1(began=AT - 9 * DAY, number="V9"), at=AT - 8 * DAY)
    hospital.says("ADT^A01", "C2", pv1(began=AT, number=number))
    assert status(hospital, checkup) == "requested", "nobody knows yet that they are one"
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard", at=AT + HOUR)
    assert status(hospital, checkup) == "on-hold", "the person lies in a ward"
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard", at=AT + 2 * HOUR)
    hospital.says("ADT^A01", "C1", pv1(began=AT + HOUR, number="V8"), at=AT + 3 * HOUR)
    hospital.says("ADT^A03", "C1", pv1(number="V8"), at=AT + 4 * HOUR)
    assert status(hospital, checkup) == "on-hold", "the other stay is still open"
    hospital.says("ADT^A03", "C1", pv1(began=AT, number=number), at=AT + DAY)
    assert [one["status"] for one in stays(hospital, retired)] == ["finished"]
    assert status(hospital, checkup) == "requested"


def test_a_hospital_without_visit_numbers_takes_somebody_in_twice_on_one_day(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    hospital.says("ADT^A01", "C1", pv1("W1", number=""))
    hospital.says("ADT^A03", "C1", pv1("W1", number=""), at=AT + 2 * HOUR)
    hospital.says("ADT^A01", "C1", pv1("W2", number=""), at=AT + 5 * HOUR)
    both = [("finished", "2026-03-02T09", "2026-03-02T11"), ("in-progress", "2026-03-02T14", "")]
    assert spans(hospital, patient) == both
    assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A03", "C1", pv1("", number=""), at=AT + 9 * HOUR)
    assert spans(hospital, patient) == [both[0], ("finished", "2026-03-02T14", "2026-03-02T18")]
    hospital.says("ADT^A13", "C1", pv1("", number=""), at=AT + 30 * HOUR)
    assert spans(hospital, patient) == both, "the last discharge is taken back, on the next day too"
    assert [one["status"] for one in stays(hospital, patient)[1]["location"]] == ["active"]
    assert status(hospital, checkup) == "on-hold"


def test_a_hospital_that_numbers_each_persons_stays_from_one_is_as_quick_with_the_twentieth_person(hospital: Hospital) -> None:
    said: list[int] = []
    statements = [0]

    def counted(*_: object) -> None:
        statements[0] += 1

    def watched(connection: Any, *_: object) -> None:  # what goes to SQLite does not pass through SQLAlchemy
        connection.set_trace_callback(counted)

    engine = hospital.database.engine
    watching = (engine, "checkout", watched) if engine.dialect.name == "sqlite" else (engine, "before_cursor_execute", counted)
    event.listen(*watching)
    for number in range(20):
        name = f"测试{number}"
        hospital.says("ADT^A01", f"N{number}", pv1(number="1", began=AT), name=name)
        before = statements[0]
        hospital.says("ADT^A02", f"N{number}", pv1("W2^^3", number="1", began=AT), at=AT + HOUR, name=name)
        said.append(statements[0] - before)
    event.remove(*watching)
    patients = [hospital.file(f"N{number}")["id"] for number in range(20)]
    assert [len(stays(hospital, one)) for one in patients] == [1] * 20
    assert [stays(hospital, one)[0]["subject"]["reference"] for one in patients] == [f"Patient/{one}" for one in patients]
    assert 0 < said[-1] <= said[1] + 3, "what one person's stay costs does not grow with the others'"


def test_a_stay_under_a_file_that_a_client_alone_has_linked_goes_on_as_that_stay(hospital: Hospital) -> None:
    """A FHIR client may say of the former file that it is replaced, and nothing of the one in force."""
    now, _ = hospital.cadre()
    hospital.says("ADT^A01", "Z9", pv1(began=AT, number="V7"), name="测试丙")
    former = hospital.file("Z9")
    with hospital.database.writing(SYSTEM, at=AT) as store:
        link = {"other": {"reference": f"Patient/{now}"}, "type": "replaced-by"}
        store.put(store.read("Patient", former["id"]) | {"active": False, "link": [link]})
    hospital.says("ADT^A02", "C1", pv1("W2^^3", began=AT, number="V7"), at=AT + HOUR)
    (only,) = stays(hospital, former["id"]) + stays(hospital, now)
    assert len(only["location"]) == 2
