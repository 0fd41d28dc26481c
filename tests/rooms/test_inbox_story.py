"""A hospital's messages become what the field needs: files, stays, visits held and asked for, results followed up, merges."""

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hospital import AT, Hospital, cadre, citizen, segment, status, tasks

from healthsvc.store import SYSTEM, Database


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


PV1 = segment("PV1", _1="1", _2="I", _3="W1^^12^H1^^^^^心内科", _19="V1", _44="20260302083000")


def test_an_admission_holds_the_visits_and_a_discharge_takes_them_up(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    assert hospital.says("ADT^A01", "C1", PV1) == "AA"
    assert hospital.last().state == "done", hospital.last()
    assert status(hospital, checkup) == "on-hold"
    [visit] = tasks(hospital, patient, "admission-visit")
    assert visit["status"] == "requested"
    [stay] = hospital.select("Encounter", patient=patient)
    assert (stay["status"], stay["class"]["code"], stay["period"]["start"]) == ("in-progress", "IMP", "2026-03-02T08:30:00+08:00")
    assert hospital.says("ADT^A03", "C1", PV1 + "|20260305100000", at=AT + timedelta(days=3)) == "AA"
    assert status(hospital, checkup) == "requested"
    [stay] = hospital.select("Encounter", patient=patient)
    assert (stay["status"], stay["period"]["end"]) == ("finished", "2026-03-05T10:00:00+08:00")
    [followup] = tasks(hospital, patient, "follow-up")
    assert followup["status"] == "requested"
    [visit] = tasks(hospital, patient, "admission-visit")
    assert visit["status"] == "cancelled", "nobody is in the ward any more"


def test_a_stay_names_the_hospital_by_its_name_where_that_is_known(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    admitted = segment("PV1", _1="1", _2="I", _3="W1^^12^H1", _19="V1", _39="H1", _44="20260302083000")
    assert hospital.says("ADT^A01", "C1", admitted) == "AA"
    [stay] = hospital.select("Encounter", patient=patient)
    assert stay["serviceProvider"]["display"] == "H1"
    with hospital.database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Organization", "id": "h1", "active": True, "name": "某医院"})
    assert hospital.says("ADT^A01", "C1", admitted.replace("|V1|", "|V2|"), at=AT + timedelta(hours=1)) == "AA"
    named = {one["identifier"][0]["value"]: one["serviceProvider"] for one in hospital.select("Encounter", patient=patient)}
    assert named["V2"] == {"identifier": stay["serviceProvider"]["identifier"], "display": "某医院"}
    assert named["V1"]["display"] == "H1"


def test_the_message_hangs_on_the_provenance_of_what_it_made(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", PV1, id="X1")
    [stay] = hospital.select("Encounter", patient=patient)
    [provenance] = hospital.select("Provenance", target=f"Encounter/{stay['id']}")
    kind, _, id = provenance["entity"][0]["what"]["reference"].partition("/")
    with hospital.database.reading(SYSTEM, at=AT) as store:
        raw = base64.b64decode(store.read(kind, id)["data"])
    assert raw.startswith(b"MSH|^~\\&|HIS|H1")
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "X1"


def test_a_cancelled_admission_leaves_everything_as_it_was(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", PV1)
    hospital.says("ADT^A11", "C1", PV1, at=AT + timedelta(hours=1))
    assert status(hospital, checkup) == "requested"
    assert tasks(hospital, patient, "admission-visit")[0]["status"] == "cancelled"
    assert hospital.select("Encounter", patient=patient)[0]["status"] == "cancelled"


def test_a_cancelled_discharge_holds_the_visits_again(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", PV1)
    hospital.says("ADT^A03", "C1", PV1, at=AT + timedelta(days=1))
    hospital.says("ADT^A13", "C1", PV1, at=AT + timedelta(days=1, hours=1))
    assert status(hospital, checkup) == "on-hold"
    assert tasks(hospital, patient, "follow-up")[0]["status"] == "cancelled"
    assert tasks(hospital, patient, "admission-visit")[0]["status"] == "requested"
    [stay] = hospital.select("Encounter", patient=patient)
    assert stay["status"] == "in-progress"
    assert "end" not in stay["period"]


def test_a_late_admission_does_not_undo_the_discharge(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A03", "C1", PV1, at=AT + timedelta(days=1))
    assert hospital.says("ADT^A01", "C1", PV1, at=AT) == "AA"
    [stay] = hospital.select("Encounter", patient=patient)
    assert stay["status"] == "finished"
    assert stay["period"]["start"].startswith("2026-03-02T08:30")
    assert status(hospital, checkup) == "requested"
    assert "later event" in hospital.last().remark
    assert tasks(hospital, patient, "admission-visit") == []


def test_an_update_before_its_admission(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A08", "C1", PV1, at=AT + timedelta(minutes=5))
    assert hospital.select("Encounter", patient=patient)[0]["status"] == "unknown"
    assert status(hospital, checkup) == "requested"
    hospital.says("ADT^A01", "C1", PV1, at=AT)
    assert hospital.select("Encounter", patient=patient)[0]["status"] == "in-progress"
    assert status(hospital, checkup) == "on-hold"


def test_particulars_are_updated_by_a31_and_only_filled_in_by_an_admission(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ADT^A31", "C1", phone="^^^^^^12000000001", address="某市某区一路1号^^^^^^H", at=AT)
    hospital.says("ADT^A01", "C1", PV1, phone="^^^^^^12000000002", address="别处^^^^^^H", at=AT + timedelta(hours=1))
    [file] = hospital.select("Patient", _id=patient)
    assert file["telecom"][0]["value"] == "12000000001"
    assert file["address"][0]["text"] == "某市某区一路1号"
    hospital.says("ADT^A31", "C1", phone="^^^^^^12000000001", address="^^某市^某省^315000^CHN^H", at=AT + timedelta(hours=1))
    [file] = hospital.select("Patient", _id=patient)
    assert file["address"][0]["text"] == "某市某区一路1号", "a town is no news where the door is known"
    hospital.says("ADT^A31", "C1", phone="^^^^^^12000000003", at=AT - timedelta(hours=1))
    [file] = hospital.select("Patient", _id=patient)
    assert file["telecom"][0]["value"] == "12000000001", "an older word does not overwrite a newer one"
    hospital.says("ADT^A31", "C1", phone='""', at=AT + timedelta(hours=2))
    [file] = hospital.select("Patient", _id=patient)
    assert "telecom" not in file


def test_unknown_people_are_registered_by_the_default_link(hospital: Hospital) -> None:
    assert hospital.says("ADT^A04", "N7", segment("PV1", _2="O", _19="V9"), name="测试乙", citizen=citizen(905), codec="gb18030") == "AA"
    file = hospital.file("N7")
    assert file["name"][0]["text"] == "测试乙"
    [stay] = hospital.select("Encounter", patient=file["id"])
    assert (stay["class"]["code"], stay["status"]) == ("AMB", "in-progress")


OBR = "OBR|1|P1|F1|GLU^葡萄糖|||20260302070000|||||||||||||||20260302090000|||{status}"
OBX = "OBX|1|NM|GLU^葡萄糖||{value}|mmol/L|3.90-6.10|{flag}|||F"


def test_an_abnormal_result_is_followed_up_and_a_correction_calls_it_off(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ORU^R01", "C1", OBR.format(status="F"), OBX.format(value="11.20", flag="H"))
    [observation] = hospital.select("Observation", patient=patient)
    assert str(observation["valueQuantity"]["value"]) == "11.20"
    assert observation["interpretation"][0]["coding"][0]["code"] == "H"
    [report] = hospital.select("DiagnosticReport", patient=patient)
    assert report["status"] == "final"
    [followup] = tasks(hospital, patient, "follow-up")
    assert followup["status"] == "requested"
    later = OBR.format(status="C").replace("20260302090000", "20260302110000")
    hospital.says("ORU^R01", "C1", later, OBX.format(value="5.20", flag=""), at=AT + timedelta(hours=2))
    [report] = hospital.select("DiagnosticReport", patient=patient)
    assert (report["status"], report["meta"]["versionId"]) == ("corrected", "2")
    assert tasks(hospital, patient, "follow-up")[0]["status"] == "cancelled"


def test_a_merge_joins_two_files_and_later_events_follow_the_link(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    hospital.says("ADT^A28", "C2")
    retired = hospital.file("C2")["id"]
    assert hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard", at=AT + timedelta(hours=1)) == "AA"
    assert hospital.last().state == "done", hospital.last()
    [gone] = hospital.select("Patient", _id=retired)
    assert gone["link"] == [{"other": {"reference": f"Patient/{patient}"}, "type": "replaced-by"}]
    hospital.says("ADT^A01", "C2", PV1, at=AT + timedelta(hours=2))
    assert status(hospital, checkup) == "on-hold", "an event under the retired number reaches the surviving file"
    versions = [one["meta"]["versionId"] for one in hospital.select("Patient")]
    assert hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard", at=AT + timedelta(hours=3)) == "AA"
    assert [one["meta"]["versionId"] for one in hospital.select("Patient")] == versions
    hospital.says("ADT^A40", "C2", "MRG|C1^^^^IDCard", at=AT + timedelta(hours=4))
    assert (hospital.last().state, hospital.last().reason) == ("review", "merge-reversed")


def test_a_number_of_one_and_the_particulars_of_another_wait_for_somebody(hospital: Hospital) -> None:
    cadre(hospital.database)
    assert hospital.says("ADT^A31", "C1", name="测试丙", birth="19410505") == "AA"
    assert (hospital.last().state, hospital.last().reason) == ("review", "another-person")
    hospital.says("ADT^A31", "C1", citizen=citizen(977))
    assert (hospital.last().state, hospital.last().reason) == ("review", "citizen-id-differs")


def test_a_poison_message_goes_to_the_dead_letters_and_the_others_go_on(hospital: Hospital) -> None:
    _, checkup = cadre(hospital.database)
    assert hospital.says("ADT^A01", "C9", name="") == "AA"
    row = hospital.last()
    assert (row.state, row.place) == ("dead", "PID-5")
    hospital.says("ADT^A01", "C1", PV1)
    assert status(hospital, checkup) == "on-hold"
