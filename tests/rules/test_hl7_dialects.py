"""Each shipped dialect reads what its feeds really write; a new profile is tried on old messages before it is used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.main import cli
from integrations.hl7v2.adt import AdtEvent, read_adt
from integrations.hl7v2.check import check_message
from integrations.hl7v2.compare import compare
from integrations.hl7v2.master import read_master
from integrations.hospitals.shelf import load, read
from integrations.reading import read as read_message

NUMBER = "330299193001019016"


def adt(profile: str, raw: bytes) -> AdtEvent:
    link = load(profile)
    message, header = read_message(raw, link)
    return read_adt(message, header, link, clock.zone())


def told(*segments: str, head: str = "MSH|^~\\&|HIS||EAI||20260105170124||ADT^A01|1|P|2.4|||AL|AL|CHN", end: str = "\r\n") -> str:
    return end.join((head, *segments, ""))


PID = "PID|1||C1^^^^IDCard~P1^^^^PatientNO~" + NUMBER + "^^^^IdentifyNO||{name}||19300101000000|{sex}|||某省某市||^^^^^^^^00000000000"


@pytest.mark.parametrize("label", ["CHN", "CHN|GBK", "CHN|GB 18030-2000", "CHN|UNICODE UTF-8"])
@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
@pytest.mark.parametrize("profile", ["his-eai", "his-gbk"])
def test_a_name_is_whole_whatever_the_label_says_and_the_bytes_are(profile: str, codec: str, label: str) -> None:
    if codec == "gb18030" and "UTF-8" in label:
        label = "CHN"
    text = told(PID.format(name="测试𠮷㐂", sex="M"), head=f"MSH|^~\\&|HIS||EAI||20260105||ADT^A28|1|P|2.4|||AL|AL|{label}")
    event = adt(profile, text.encode(codec))
    assert event.person.name is not None
    assert event.person.name.text == "测试𠮷㐂"


def test_the_english_word_is_not_trusted() -> None:
    event = adt("his-eai", told(PID.format(name="测试甲", sex="男")).encode())
    assert [(one.system, one.value) for one in event.person.numbers] == [
        (hospital_number("example-his-eai"), "C1"),
        (hospital_number("example-his-eai/inpatient"), "P1"),
        (CITIZEN_ID, NUMBER),
    ]
    assert (event.person.sex, [one.value for one in event.person.phones]) == ("male", ["00000000000"])


def test_numbers_are_known_by_the_assigning_authority() -> None:
    pid = "PID|1|400001^^^&PATID|400001^^^&PATID~1200001^^^&BLH~800001^^^&BRKH^BLH~0^^^&YEXH||CESHI||19400101000000|M"
    event = adt("his-lis", told(pid, "PV1|1|I|4011^急诊外科^29||||||||||||||||V1|2001~现金").encode())
    assert {one.system.rpartition("example-his-lis")[2]: one.value for one in event.person.numbers} == {
        "": "400001",
        "/inpatient": "1200001",
        "/outpatient": "800001",
    }


def test_figures_type_the_numbers_and_sex_is_one_or_two() -> None:
    event = adt("lis-esb", told(f"PID|1||C1^^^^21~^^^^51~{NUMBER}^^^^1~^^^^25||测试丙||19400101|2").encode())
    assert [one.value for one in event.person.numbers] == ["C1", NUMBER]
    assert event.person.sex == "female"


def test_pinyin_stands_before_the_name_and_the_citizen_id_in_pid_19() -> None:
    numbers = "00000001^^^000000&某市中心医院~00000001"
    pid = f"PID||00000001|{numbers}||CESHI^测试乙||19400101000000|F|||某路||^^^^^^00000000000||||||33|{NUMBER}"
    event = adt("platform", told(pid).encode())
    assert event.person.name is not None
    assert (event.person.name.text, event.person.name.latin) == ("测试乙", "CESHI")
    assert CITIZEN_ID in {one.system for one in event.person.numbers}


def test_a_patient_index_has_its_own_event_and_a_missing_id_is_a_links_choice(tmp_path: Path) -> None:
    link = load("empi")
    assert (link.events["ADT^ZP1"], link.answers["ADT^ZP1"]) == ("ADT^A28", "RSP^K23")
    assert load("booking").control_id == "optional"
    assert load("his-eai").control_id == "required"
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "zp1.hl7").write_text(told(PID.format(name="测试丁", sex="M"), head="MSH|^~\\&|01||PMI||2026||ADT^ZP1||P|2.4"))
    found = compare([folder], load("booking"), load("his-eai"))
    assert {str(change) for one in found.messages for change in one.changes} >= {"rejected: True -> False", "reason: no-id -> -"}


def test_the_staff_of_a_site_stand_where_its_profile_says(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        'extends = "default"\nprofile = "own"\nversion = 1\ntitle = "本院"\nhospital = "own"\n'
        '[master.staff]\nsegment = "ZSF"\nnumber = 2\nname = 3\ndepartment = 4\n'
        '[master.department]\nsegment = "ZKS"\nnumber = 1\nname = 2\n[events]\n"MFN^Z01" = "MFN^M01"\n',
        encoding="utf-8",
    )
    link = read(file)
    head = "MSH|^~\\&|HIS||EAI||2026||MFN^M01|1|P|2.4"
    message, header = read_message(told("MFE|MAD", "ZKS|K1|心内科", "MFE|MUP", "ZSF||S1|测试医生|K1^心内科", head=head).encode(), link)
    found = read_master(message, header, link)
    assert [(one.number, one.name) for one in found.departments] == [("K1", "心内科")]
    assert [(one.number, one.name, one.department.text) for one in found.staff] == [("S1", "测试医生", "心内科")]
    own = check_message(told("MFE|MAD", "ZKS|K1|心内科", head=head.replace("M01", "Z01")).encode(), "a.hl7", 1, link)
    assert (own.event, own.mapped, own.reason) == ("MFN^Z01", "master", ""), "an event of the site's own"


def test_a_new_profile_is_tried_on_old_messages_and_names_no_person(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(told(PID.format(name="测试甲", sex="7"), "PV1|1|T|W1||||||||||||||||V1"), encoding="utf-8")
    new = tmp_path / "new.toml"
    new.write_text(
        'extends = "his-eai"\nprofile = "new"\nversion = 2\ntitle = "新"\nhospital = "example-his-eai"\n'
        '[[number]]\nkind = "IDCard"\nmeans = "ignore"\n[sex]\n"7" = "female"\n[visit_class]\n"T" = "IMP"\n',
        encoding="utf-8",
    )
    answer = CliRunner().invoke(cli, ["hl7", "check", str(tmp_path / "a.hl7"), "--profile", str(new), "--against", "his-eai", "--json"])
    assert answer.exit_code == 0, answer.output
    counts = json.loads(answer.output)["counts"]
    assert (counts["messages"], counts["changed"]) == (1, 1)
    assert counts["changes"]["person.sex: - -> female"] == 1
    assert counts["changes"]["stay.code: AMB -> IMP"] == 1
    assert counts["changes"]["person.numbers.system: NamingSystem/hospital/example-his-eai -> -"] == 1
    assert "测试甲" not in answer.output
    assert "C1" not in answer.output
    same = CliRunner().invoke(cli, ["hl7", "check", str(tmp_path / "a.hl7"), "--profile", "his-eai", "--against", "his-eai"])
    assert "0 of 1 messages would be read otherwise, 0 handled otherwise" in same.output


def test_a_new_profile_that_reads_the_same_and_handles_otherwise_says_so(tmp_path: Path) -> None:
    """Who is opened a file, what is answered, which drip is proposed: no value is another one."""
    head = "MSH|^~\\&|HIS|H|C|C|2026||{}|{}|P|2.4"
    order = ("ORC|NW|P1", "RXO|D1^药", "RXR|泵入")
    for number, event in enumerate(("ADT^A01", "ADT^ZZ9", "OMP^O09"), start=1):
        more = order if event == "OMP^O09" else ("PV1|1|I|W1||||||||||||||||V1",)
        text = told(PID.format(name="测试甲", sex="M"), *more, head=head.format(event, number))
        (tmp_path / f"{number}.hl7").write_text(text, encoding="utf-8")
    (tmp_path / "data" / "hospitals").mkdir(parents=True)
    present = 'extends = "default"\nprofile = "rm"\nversion = {}\ntitle = "人民"\nhospital = "rm"\n{}[match]\nsending_facility = "H"\n'
    (tmp_path / "data" / "hospitals" / "rm.toml").write_text(present.format(1, 'unknown_person = "review"\n'), encoding="utf-8")
    changed = (
        'unknown_person = "register"\nunknown_event = "AR"\nack_unasked = "enhanced"\nsilence_minutes = 20\ninfusion_routes = ["泵入"]\n'
    )
    new = tmp_path / "new.toml"
    new.write_text(present.format(2, changed), encoding="utf-8")
    files = [str(tmp_path / f"{number}.hl7") for number in (1, 2, 3)]
    answer = CliRunner().invoke(cli, ["hl7", "check", *files, "--profile", str(new), "--data", str(tmp_path / "data"), "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    assert (found["counts"]["changed"], found["counts"]["handled"]) == (0, 3)
    assert found["counts"]["changes"] == {
        "a person who is not on file: review -> register": 2,
        "answer: ACK^ZZ9 AA -> ACK^ZZ9 AR": 1,
        "a drip for somebody at home: not proposed -> proposed": 1,
    }
    differ = {one["what"]: (one["before"], one["after"]) for one in found["settings"]}
    assert differ.items() >= {"silence_minutes": ("-", "20"), "infusion_routes": ("", ""), "ack_unasked": ("original", "enhanced")}.items()
    assert "测试甲" not in answer.output
    text = CliRunner().invoke(cli, ["hl7", "check", *files, "--profile", str(new), "--data", str(tmp_path / "data")]).output
    assert "settings that differ: version: 1 -> 2; " in " ".join(text.split())
