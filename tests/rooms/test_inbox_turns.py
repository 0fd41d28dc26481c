"""The less usual turns of a hospital's story: death, moves, two stays at once, referrals, late and repeated reports."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hospital import AT, Hospital, cadre, citizen, segment, status, tasks

from healthsvc import clock
from healthsvc.greenchannel.service import grant
from healthsvc.healthfile.merging import unmerge
from healthsvc.referral.rules import Reason, Stage
from healthsvc.referral.service import read, refer
from healthsvc.store import SYSTEM, Database


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def pv1(visit: str = "V1", kind: str = "I", **more: str) -> str:
    return segment("PV1", _2=kind, _3="W1^^12^H1^心内科", _19=visit, **more)


def stay(hospital: Hospital, visit: str = "V1") -> dict[str, object]:
    [one] = [e for e in hospital.select("Encounter") if any(i["value"] == visit for i in e.get("identifier", []))]
    return one


def test_a_death_in_hospital_closes_what_is_open_and_asks_for_nothing(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", pv1())
    dead = hospital.message("ADT^A03", "C1", pv1(), at=AT + timedelta(days=1)).replace(
        "|19300101|M", "|19300101|M" + "|" * 21 + "20260303090000|Y"
    )
    hospital.inbox.take_now(dead.encode(), "127.0.0.1:2575", "")
    hospital.worker.drain()
    assert hospital.last().state == "done", hospital.last()
    [file] = hospital.select("Patient", _id=patient)
    assert file["deceasedDateTime"].startswith("2026-03-03")
    assert status(hospital, checkup) == "cancelled"
    assert tasks(hospital, patient, "follow-up") == []
    assert stay(hospital)["status"] == "finished"


def test_a_move_and_its_cancellation_change_the_place_only(hospital: Hospital) -> None:
    cadre(hospital.database)
    hospital.says("ADT^A01", "C1", pv1())
    hospital.says("ADT^A02", "C1", segment("PV1", _2="I", _3="W2^^3^H1^呼吸科", _19="V1"), at=AT + timedelta(hours=1))
    moved = stay(hospital)
    assert moved["status"] == "in-progress"
    assert [(one["location"]["display"], one["status"]) for one in moved["location"]] == [
        ("心内科 12床", "completed"),
        ("呼吸科 3床", "active"),
    ]
    hospital.says("ADT^A12", "C1", pv1(), at=AT + timedelta(hours=2))
    assert [one["location"]["display"] for one in stay(hospital)["location"] if one["status"] == "active"] == ["心内科 12床"]


def test_an_announced_stay_and_an_outpatient_who_is_kept(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A05", "C1", pv1("V5", "P"))
    assert stay(hospital, "V5")["status"] == "planned"
    assert status(hospital, checkup) == "requested"
    hospital.says("ADT^A04", "C1", pv1("V6", "O"), at=AT + timedelta(hours=1))
    hospital.says("ADT^A06", "C1", pv1("V6", "I"), at=AT + timedelta(hours=2))
    assert stay(hospital, "V6")["class"]["code"] == "IMP"
    assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A07", "C1", pv1("V6", "O"), at=AT + timedelta(hours=3))
    assert status(hospital, checkup) == "requested"
    assert tasks(hospital, patient, "follow-up") == []


def test_of_two_stays_the_last_to_end_takes_the_visits_up(hospital: Hospital) -> None:
    _, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", pv1("V1"))
    hospital.says("ADT^A01", "C1", pv1("V2"), at=AT + timedelta(hours=1))
    hospital.says("ADT^A03", "C1", pv1("V1"), at=AT + timedelta(hours=2))
    assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A03", "C1", pv1("V2"), at=AT + timedelta(hours=3))
    assert status(hospital, checkup) == "requested"


def test_a_second_admission_message_changes_nothing(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", pv1(), id="A")
    version = stay(hospital)["meta"]
    hospital.says("ADT^A01", "C1", pv1(), id="B")
    assert stay(hospital)["meta"] == version
    assert [task["status"] for task in tasks(hospital, patient, "admission-visit")] == ["requested"]


def test_a_cancellation_that_names_no_visit_waits_for_somebody(hospital: Hospital) -> None:
    cadre(hospital.database)
    assert hospital.says("ADT^A11", "C1", segment("PV1", _2="I")) == "AA"
    assert (hospital.last().state, hospital.last().reason, hospital.last().place) == ("review", "unknown-visit", "PV1-19")
    assert hospital.select("Encounter") == []


def test_an_admission_that_was_cancelled_before_it_arrived_opens_nothing(hospital: Hospital) -> None:
    _, checkup = cadre(hospital.database)
    assert hospital.says("ADT^A11", "C1", pv1("V99"), at=AT + timedelta(hours=1)) == "AA"
    assert "came before" in hospital.last().remark
    for _ in range(2):
        hospital.says("ADT^A01", "C1", pv1("V99"), at=AT)
        assert stay(hospital, "V99")["status"] == "cancelled"
        assert status(hospital, checkup) == "requested", "nobody is in hospital"
    hospital.says("ADT^A01", "C1", pv1("V99"), at=AT + timedelta(hours=3))
    assert stay(hospital, "V99")["status"] == "in-progress", "admitted again, later"
    assert status(hospital, checkup) == "on-hold"


def test_a_discharge_taken_back_before_it_arrived_keeps_the_person_in(hospital: Hospital) -> None:
    _, checkup = cadre(hospital.database)
    hospital.says("ADT^A13", "C1", pv1("V98"), at=AT + timedelta(hours=2))
    assert (stay(hospital, "V98")["status"], status(hospital, checkup)) == ("in-progress", "on-hold")
    hospital.says("ADT^A03", "C1", pv1("V98"), at=AT + timedelta(hours=1))
    assert (stay(hospital, "V98")["status"], status(hospital, checkup)) == ("in-progress", "on-hold")


def test_a_leave_from_the_ward_is_time_at_home(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", pv1())
    hospital.says("ADT^A21", "C1", pv1(), at=AT + timedelta(days=1))
    assert (stay(hospital)["status"], status(hospital, checkup)) == ("onleave", "requested")
    assert tasks(hospital, patient, "follow-up") == []
    for day, event, there, checkups in (
        (2, "ADT^A22", "in-progress", "on-hold"),
        (3, "ADT^A53", "onleave", "requested"),
        (4, "ADT^A22", "in-progress", "on-hold"),
        (5, "ADT^A21", "onleave", "requested"),
        (6, "ADT^A52", "in-progress", "on-hold"),
    ):
        hospital.says(event, "C1", pv1(), at=AT + timedelta(days=day))
        assert (stay(hospital)["status"], status(hospital, checkup)) == (there, checkups), event


def test_a_visit_booked_on_the_wrong_person_goes_over_to_the_right_one(hospital: Hospital) -> None:
    wrong, checkup = cadre(hospital.database)
    right, other = cadre(hospital.database, "C2", 902)
    hospital.says("ADT^A01", "C1", pv1("V7"))
    assert (status(hospital, checkup), status(hospital, other)) == ("on-hold", "requested")
    hospital.says("ADT^A45", "C2", segment("MRG", _1="C1^^^^IDCard", _5="V7"), pv1("V7"), at=AT + timedelta(hours=1))
    assert hospital.last().state == "done", hospital.last()
    assert stay(hospital, "V7")["subject"] == {"reference": f"Patient/{right}"}
    assert (status(hospital, checkup), status(hospital, other)) == ("requested", "on-hold")
    assert [one["status"] for one in tasks(hospital, wrong, "admission-visit")] == ["cancelled"]
    assert [one["status"] for one in tasks(hospital, right, "admission-visit")] == ["requested"]
    hospital.says("ADT^A45", "C2", segment("MRG", _1="C1^^^^IDCard", _5="V7"), pv1("V7"), at=AT + timedelta(hours=1), id="again")
    assert "already" in hospital.last().remark
    assert status(hospital, other) == "on-hold"


def test_a_visit_number_that_two_people_share_is_two_stays(hospital: Hospital) -> None:
    first, checkup = cadre(hospital.database)
    second, other = cadre(hospital.database, "C2", 902)
    hospital.says("ADT^A01", "C1", pv1("1"))
    hospital.says("ADT^A01", "C2", pv1("1"), at=AT + timedelta(hours=1))
    stays = {one["subject"]["reference"]: one["status"] for one in hospital.select("Encounter")}
    assert stays == {f"Patient/{first}": "in-progress", f"Patient/{second}": "in-progress"}
    hospital.says("ADT^A03", "C2", pv1("1"), at=AT + timedelta(hours=2))
    assert (status(hospital, checkup), status(hospital, other)) == ("on-hold", "requested"), "one discharge sends one person home"


def test_a_changed_number_leads_to_the_same_file(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    assert hospital.says("ADT^A47", "C9", "MRG|C1^^^^IDCard") == "AA"
    assert hospital.file("C9")["id"] == hospital.file("C1")["id"] == patient
    cadre(hospital.database, "C2", 902)
    hospital.says("ADT^A47", "C2", "MRG|C1^^^^IDCard", at=AT + timedelta(hours=1))
    assert (hospital.last().state, hospital.last().reason) == ("review", "number-taken")


def test_allergies_and_payment_of_an_admission_are_on_file(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    told = (pv1(_20="职工医保", _16="VIP1"), "AL1|1|DA|P01^青霉素|SV|皮疹", "AL1|2|FA|^花生|MO")
    hospital.says("ADT^A01", "C1", *told)
    allergies = {one["code"]["text"]: one for one in hospital.select("AllergyIntolerance", patient=patient)}
    assert allergies["青霉素"]["criticality"] == "high"
    assert allergies["青霉素"]["category"] == ["medication"]
    assert allergies["青霉素"]["reaction"][0]["manifestation"][0]["text"] == "皮疹"
    [cover] = hospital.select("Coverage", beneficiary=f"Patient/{patient}")
    assert cover["type"]["text"] == "职工医保"
    assert {"text": "VIP1"} in stay(hospital)["hospitalization"]["specialCourtesy"]  # type: ignore[index]
    hospital.says("ADT^A08", "C1", *told, at=AT + timedelta(hours=1))
    assert {one["meta"]["versionId"] for one in hospital.select("AllergyIntolerance", patient=patient)} == {"1"}
    hospital.says("ADT^A60", "C1", "IAM|1|DA|P01^青霉素|SV||D", at=AT + timedelta(hours=2))
    withdrawn = [
        one["code"]["text"]
        for one in hospital.select("AllergyIntolerance", patient=patient)
        if one["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    ]
    assert withdrawn == ["青霉素"]


def test_a_stay_without_a_number_is_found_again(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", segment("PV1", _2="I"))
    hospital.says("ADT^A03", "C1", segment("PV1", _2="I"), at=AT + timedelta(days=2))
    [one] = hospital.select("Encounter", patient=patient)
    assert one["status"] == "finished"
    assert status(hospital, checkup) == "requested"


def report(value: str, *, at: str, state: str = "F", flag: str = "") -> tuple[str, str]:
    obr = segment("OBR", _1="1", _3="F1", _4="BIO^生化", _7="20260302070000", _22=at, _25=state)
    return obr, segment("OBX", _1="1", _2="NM", _3="K^钾", _5=value, _6="mmol/L", _7="3.50-5.30", _8=flag, _11=state)


def test_an_older_version_of_a_report_does_not_replace_the_newer(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", *report("4.10", at="20260302110000", state="C"))
    hospital.says("ORU^R01", "C1", *report("6.90", at="20260302090000", flag="H"))
    [observation] = hospital.select("Observation", patient=patient)
    assert str(observation["valueQuantity"]["value"]) == "4.10"
    assert "left aside" in hospital.last().remark


def test_a_critical_result_is_urgent_and_due_within_a_day_even_before_it_is_final(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", *report("2.10", at="20260302090000", state="P", flag="LL"))
    [task] = tasks(hospital, patient, "follow-up")
    assert task["priority"] == "urgent"
    assert task["basedOn"][0]["reference"].startswith("DiagnosticReport/")


def test_a_preliminary_abnormal_result_waits_until_it_is_final(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", *report("5.90", at="20260302090000", state="P", flag="H"))
    assert tasks(hospital, patient, "follow-up") == []
    hospital.says("ORU^R01", "C1", *report("5.90", at="20260302100000", state="F", flag="H"))
    assert len(tasks(hospital, patient, "follow-up")) == 1


def test_two_valid_citizen_ids_are_not_merged_unseen(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", citizen=citizen(911))
    hospital.says("ADT^A28", "C2", citizen=citizen(913))
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard")
    assert (hospital.last().state, hospital.last().reason) == ("review", "merge-citizen-ids")


def test_a_new_number_for_a_person_we_know_only_by_the_old_one(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "OLD")
    hospital.says("ADT^A40", "NEW", "MRG|OLD^^^^IDCard")
    assert hospital.file("NEW")["id"] == hospital.file("OLD")["id"]
    assert len(hospital.select("Patient")) == 1


def test_a_merge_of_a_number_that_nobody_knew_keeps_it_for_later(hospital: Hospital) -> None:
    cadre(hospital.database)
    hospital.says("ADT^A40", "C1", "MRG|GHOST^^^^IDCard")
    assert hospital.file("GHOST")["id"] == hospital.file("C1")["id"]


def test_a_merge_can_be_undone_by_an_operator(hospital: Hospital) -> None:
    cadre(hospital.database)
    hospital.says("ADT^A28", "C2")
    retired = hospital.file("C2")["id"]
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard")
    with hospital.database.writing(SYSTEM, at=AT + timedelta(days=1)) as store:
        unmerge(store, retired)
    hospital.says("ADT^A01", "C2", pv1("V7"), at=AT + timedelta(days=1))
    assert stay(hospital, "V7")["subject"] == {"reference": f"Patient/{retired}"}


def test_the_numbers_of_two_people_in_one_message_wait_for_somebody(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1")
    hospital.says("ADT^A28", "C2", name="测试乙")
    text = hospital.message("ADT^A31", "C1").replace("C1^^^^IDCard", "C1^^^^IDCard~C2^^^^IDCard")
    hospital.inbox.take_now(text.encode(), "127.0.0.1:2575", "")
    hospital.worker.drain()
    assert (hospital.last().state, hospital.last().reason) == ("review", "numbers-disagree")


def test_a_pinyin_name_does_not_replace_the_chinese_one(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ADT^A31", "C1", name="CESHI JIA")
    [file] = hospital.select("Patient", _id=patient)
    assert file["name"][0]["text"] == "测试甲"


def test_an_outpatient_with_the_green_channel_is_marked_from_the_first_minute(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        grant(store, patient, clock.today())
    hospital.says("ADT^A04", "C1", pv1("V8", "O"))
    courtesy = stay(hospital, "V8")["hospitalization"]["specialCourtesy"][0]["coding"]  # type: ignore[index]
    assert {one["code"] for one in courtesy} == {"consultation", "settlement", "dispensing"}
    assert stay(hospital, "V8")["period"]["start"].startswith("2026-03-02T09:00")  # type: ignore[index]


def test_the_referral_that_led_to_a_stay_moves_on_with_it_and_asks_for_the_only_follow_up(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    with hospital.database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "测试医生"}]})
        store.put({"resourceType": "Organization", "id": "h1", "name": "测试医院"})
        referral = refer(store, patient, Reason.BEYOND_ABILITY, "Organization/h1", "Practitioner/d1")

    def stage() -> Stage:
        with hospital.database.reading(SYSTEM, at=AT) as store:
            return read(store, referral.id).stage

    hospital.says("ADT^A01", "C1", pv1())
    assert stage() is Stage.ADMITTED
    hospital.says("ADT^A03", "C1", pv1(), at=AT + timedelta(days=2))
    assert stage() is Stage.DISCHARGED
    [followup] = tasks(hospital, patient, "follow-up")
    assert followup["basedOn"][0]["reference"] == f"ServiceRequest/{referral.id}"
