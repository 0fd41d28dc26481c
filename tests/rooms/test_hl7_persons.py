"""One message of several persons: each one's results come into their own file, with that person's part of the message and no other's."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital import AT, Hospital, cadre

from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.healthfile.duplicates import duplicates, pairs, part
from healthsvc.healthfile.merging import merge
from healthsvc.store import SYSTEM, Database
from integrations.ahead import profile_of
from integrations.effects.event import apply
from integrations.effects.trace import trace
from integrations.hospitals.shelf import Shelf, load, read
from integrations.keep import INBOX
from integrations.operating import misfiled
from integrations.reading import read as read_message

HEAD = "MSH|^~\\&|HIS|H1|C|C|20260302090000||{event}|{id}|P|2.5\r"
PERSON = "PID|{n}||{number}^^^^IDCard||测试甲||19300101|M\r"
RESULT = "OBR|1|P{n}|F{n}|BIO^生化|||20260302080000|||||||||||||||20260302090000|||F\rOBX|1|NM|K^钾||{value}|mmol/L|||||F\r"


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def take(hospital: Hospital, text: str) -> str:
    answer = hospital.inbox.take_now(text.encode("gb18030"), "127.0.0.1:2575", "127.0.0.1").decode()
    hospital.worker.drain()
    return answer.split("\r")[1].split("|")[1]


def both(event: str, id: str, *parts: str) -> str:
    persons = "".join(PERSON.format(n=n, number=f"C{n}") + part for n, part in enumerate(parts, start=1))
    return HEAD.format(event=event, id=id) + persons


def test_each_ones_results_come_into_their_own_file_with_their_own_part_of_the_message(hospital: Hospital) -> None:
    one, other = cadre(hospital.database)[0], cadre(hospital.database, "C2", 902)[0]
    text = both("ORU^R01", "M1", RESULT.format(n=1, value="4.1"), RESULT.format(n=2, value="6.9"))
    for _ in range(2):
        assert take(hospital, text) == "AA"
    assert hospital.last().state == "done", hospital.last().remark
    for patient, value, mine, theirs in ((one, "4.1", "C1^", "C2^"), (other, "6.9", "C2^", "C1^")):
        [result] = hospital.select("Observation", patient=patient, category="laboratory")
        assert str(result["valueQuantity"]["value"]) == value
        [provenance] = hospital.select("Provenance", target=f"Observation/{result['id']}")
        with hospital.database.reading(SYSTEM, at=AT) as store:
            binary = store.read("Binary", provenance["entity"][0]["what"]["reference"].partition("/")[2])
        part = base64.b64decode(binary["data"]).decode("gb18030")
        assert binary["securityContext"]["reference"] == f"Patient/{patient}"
        assert part.startswith("MSH|")
        assert mine in part
        assert theirs not in part


def test_orders_likewise(hospital: Hospital) -> None:
    one, other = cadre(hospital.database)[0], cadre(hospital.database, "C2", 902)[0]
    assert take(hospital, both("OML^O21", "M1", "ORC|NW|Q1\rOBR|1|Q1||T^项目\r", "ORC|NW|Q2\rOBR|1|Q2||T^项目\r")) == "AA"
    for patient, number in ((one, "Q1"), (other, "Q2")):
        [order] = hospital.select("ServiceRequest", patient=patient)
        assert {"system": f"{hospital_number('h1')}/order", "value": number}.items() <= order["identifier"][0].items()


def test_where_one_of_them_cannot_be_taken_nothing_is_half_done(hospital: Hospital) -> None:
    one = cadre(hospital.database)[0]
    text = both("ORU^R01", "M1", RESULT.format(n=1, value="4.1"), "").replace("C2^^^^IDCard", "")
    take(hospital, text)
    assert hospital.last().state in ("dead", "review")
    assert hospital.select("Observation", patient=one, category="laboratory") == []


def test_a_message_that_is_about_one_person_and_names_two_is_not_guessed_at(hospital: Hospital) -> None:
    cadre(hospital.database), cadre(hospital.database, "C2", 902)
    take(hospital, both("ADT^A31", "M1", "", ""))
    assert (hospital.last().state, hospital.last().reason, hospital.last().place) == ("dead", "several-persons", "PID")


def test_the_same_person_named_again_before_each_report_is_one(hospital: Hospital) -> None:
    one = cadre(hospital.database)[0]
    text = both("ORU^R01", "M1", RESULT.format(n=1, value="4.1"), RESULT.format(n=2, value="6.9")).replace("C2^", "C1^")
    assert take(hospital, text) == "AA"
    assert len(hospital.select("Observation", patient=one, category="laboratory")) == 2


def test_the_part_about_a_stranger_is_left_aside_and_stands_nowhere(hospital: Hospital, tmp_path: Path) -> None:
    """On a link that forgets who is none of ours: one's own part has its effect, the stranger's becomes no file and no Binary."""
    one = cadre(hospital.database)[0]
    profile = tmp_path / "h1.toml"
    profile.write_text(
        'extends = "default"\nprofile = "h1"\nversion = 1\ntitle = "x"\nhospital = "h1"\nunknown_person = "forget"\n'
        '[match]\nsending_facility = "H1"\n'
    )
    hospital.inbox.shelf = hospital.worker.shelf = Shelf([read(profile)], load("default"))
    text = both("ORU^R01", "M1", RESULT.format(n=1, value="4.1"), RESULT.format(n=2, value="6.9"))
    assert take(hospital, text) == "AA"
    row = hospital.last()
    assert (row.state, row.remark) == ("done", "1 of the 2 persons are none of ours and were left aside")
    [result] = hospital.select("Observation", category="laboratory")
    assert result["subject"]["reference"] == f"Patient/{one}"
    assert len(hospital.select("Patient")) == 1
    kept = [base64.b64decode(one["data"]).decode("gb18030") for one in binaries(hospital)]
    assert kept
    assert not [part for part in kept if "C2^" in part]
    take(hospital, text.replace("C1^", "C3^").replace("M1", "M2"))
    assert hospital.last().state == "forgotten", "where all are strangers nothing of the message is kept"
    assert hospital.last().raw is None


def binaries(hospital: Hospital) -> list[Resource]:
    with hospital.database.reading(SYSTEM, at=AT) as store:
        found = [one["entity"][0]["what"]["reference"].partition("/")[2] for one in store.select("Provenance") if one.get("entity")]
        return [store.read("Binary", id) for id in found if id.startswith("hl7-message-")]


def test_what_an_earlier_version_put_into_one_file_is_found_and_put_right(hospital: Hospital) -> None:
    """Two persons' results in the first one's file, an abnormal one of the other with its follow-up: each comes where it belongs."""
    one, other = cadre(hospital.database)[0], cadre(hospital.database, "C2", 902)[0]
    high = RESULT.format(n=2, value="6.9").replace("mmol/L||", "mmol/L|3.5-5.3|H")
    text = both("ORU^R01", "M1", RESULT.format(n=1, value="4.1"), high)
    hospital.inbox.take_now(text.encode("gb18030"), "127.0.0.1:2575", "127.0.0.1")
    row = hospital.last()
    profile = profile_of(row, hospital.inbox.shelf)
    with hospital.database.writing(SYSTEM, at=AT) as store:  # as it was done then
        whole, header = read_message(text.encode("gb18030"), profile)
        outcome = apply(store, whole, header, profile)
        trace(
            store, inbox_id=str(row.id), raw=text.encode("gb18030"), link=row.link, control_id="M1", event="ORU^R01", happened=AT,
            patient=outcome.patient, made=outcome.made,
        )  # fmt: skip
        store.connection.execute(INBOX.update().where(INBOX.c.id == row.id).values(state="done"))
    assert len(hospital.select("Observation", patient=one, category="laboratory")) == 2
    assert len([task for task in hospital.select("Task", patient=one) if task["id"].startswith("follow-up")]) == 1
    with hospital.database.writing(SYSTEM, at=AT) as store:
        [found] = misfiled.find(store, hospital.inbox.shelf)
        assert (found.id, found.persons) == (row.id, 2)
        with pytest.raises(Invalid), store.savepoint():
            misfiled.mend(store, hospital.inbox.shelf, row.id, " ")
        assert misfiled.mend(store, hospital.inbox.shelf, row.id, "found by the yearly check") == 5
    hospital.worker.drain()
    assert hospital.last().state == "done", hospital.last().remark
    for patient, value, tasks in ((one, "4.1", 0), (other, "6.9", 1)):
        [result] = hospital.select("Observation", patient=patient, category="laboratory")
        assert (str(result["valueQuantity"]["value"]), result["status"]) == (value, "final")
        [report] = hospital.select("DiagnosticReport", patient=patient)
        assert report["status"] == "final"
        assert len([task for task in hospital.select("Task", patient=patient) if task["id"].startswith("follow-up")]) == tasks
    with hospital.database.writing(SYSTEM, at=AT) as store:
        assert list(misfiled.find(store, hospital.inbox.shelf)) == []
        assert store.find("Binary", f"hl7-message-{row.id}") is None
        with pytest.raises(NotFound), store.savepoint():
            misfiled.mend(store, hospital.inbox.shelf, row.id, "again")


GROUP = (
    "MSH|^~\\&|HIS|H1|C|C|{at}||SIU^{event}|{id}|P|2.5\r"
    "SCH||G1^HIS|||||CHECKUP^小组检查|||60|MIN|^^60^20260310090000^20260310100000|||||D1^医生|||||D1^医生|||||Booked\r"
    "{persons}RGS|1\rAIS|1||US^超声|20260310090000|||60|MIN\rAIL|1||R1^^^H1\r"
)


def siu(event: str, id: str, *numbers: str, at: str = "20260302090000") -> str:
    persons = "".join(f"PID|{n}||{number}^^^^IDCard||测试甲||19300101|M\rPV1|{n}|O\r" for n, number in enumerate(numbers, start=1))
    return GROUP.format(event=event, id=id, persons=persons, at=at)


def test_everybody_of_a_group_gets_their_own_appointment_and_sees_nobody_else(hospital: Hospital) -> None:
    one, other = cadre(hospital.database)[0], cadre(hospital.database, "C2", 902)[0]
    for _ in range(2):
        assert take(hospital, siu("S12", "G1", "C1", "C2")) == "AA"
    assert hospital.last().state == "done", hospital.last().remark
    for patient, theirs in ((one, "C2^"), (other, "C1^")):
        [appointment] = hospital.select("Appointment", patient=patient)
        assert appointment["status"] == "booked"
        assert appointment["start"].startswith("2026-03-10T09:00")
        persons = {one["actor"].get("reference") for one in appointment["participant"] if "Patient/" in one["actor"].get("reference", "")}
        assert persons == {f"Patient/{patient}"}
        [provenance] = hospital.select("Provenance", target=f"Appointment/{appointment['id']}")
        with hospital.database.reading(SYSTEM, at=AT) as store:
            binary = store.read("Binary", provenance["entity"][0]["what"]["reference"].partition("/")[2])
        part = base64.b64decode(binary["data"]).decode("gb18030")
        assert theirs not in part
        assert "AIL|1||R1" in part, "the room is booked for everybody"
    assert take(hospital, siu("S15", "G2", "C2", at="20260303090000")) == "AA"
    assert [hospital.select("Appointment", patient=each)[0]["status"] for each in (one, other)] == ["booked", "cancelled"]


def states(hospital: Hospital, *patients: str) -> list[list[str]]:
    return [[one["status"] for one in hospital.select("Appointment", patient=each)] for each in patients]


def test_whom_a_later_message_about_the_group_drops_is_no_longer_booked(hospital: Hospital) -> None:
    """And whoever is told of alone says nothing of the others; what comes late changes nothing; who is named again is booked again."""
    people = [cadre(hospital.database, f"C{n}", 900 + n)[0] for n in (1, 2, 3)]
    take(hospital, siu("S12", "G1", "C1", "C2", "C3"))
    take(hospital, siu("S14", "G2", "C1", at="20260303090000"))
    assert states(hospital, *people) == [["booked"]] * 3
    for _ in range(2):
        take(hospital, siu("S13", "G3", "C1", "C3", at="20260304090000"))
        assert states(hospital, *people) == [["booked"], ["cancelled"], ["booked"]]
    [dropped] = hospital.select("Appointment", patient=people[1])
    assert "no longer named" in dropped["cancelationReason"]["text"]
    told = [one for one in hospital.select("Provenance", target=f"Appointment/{dropped['id']}") if one["activity"]["text"] == "SIU^S13"]
    with hospital.database.reading(SYSTEM, at=AT) as store:
        binary = store.read("Binary", told[0]["entity"][0]["what"]["reference"].partition("/")[2])
    part = base64.b64decode(binary["data"]).decode("gb18030")
    assert "SCH||G1^HIS" in part
    assert "PID" not in part
    take(hospital, siu("S14", "G4", "C2", "C3", at="20260303100000"))
    assert states(hospital, *people) == [["booked"], ["cancelled"], ["booked"]], "older than what is on file"
    take(hospital, siu("S13", "G5", "C1", "C2", at="20260305090000"))
    assert states(hospital, *people) == [["booked"], ["booked"], ["cancelled"]]


def test_another_persons_appointment_under_a_number_used_again_is_not_called_off(hospital: Hospital) -> None:
    one, other, third = (cadre(hospital.database, f"C{n}", 900 + n)[0] for n in (1, 2, 3))
    take(hospital, siu("S12", "G1", "C3"))
    take(hospital, siu("S12", "G2", "C1", "C2", at="20260303090000"))
    assert states(hospital, one, other, third) == [["booked"]] * 3


def test_a_deletion_for_the_first_of_a_group_gives_nobody_two_appointments(hospital: Hospital) -> None:
    one, other = cadre(hospital.database)[0], cadre(hospital.database, "C2", 902)[0]
    take(hospital, siu("S12", "G1", "C1", "C2"))
    take(hospital, siu("S17", "G2", "C1", at="20260303090000"))
    assert states(hospital, one, other) == [["entered-in-error"], ["booked"]]
    take(hospital, siu("S13", "G3", "C2", at="20260304090000"))
    assert states(hospital, one, other) == [["entered-in-error"], ["booked"]]
    take(hospital, siu("S12", "G4", "C2", "C1", at="20260305090000"))
    assert states(hospital, one, other) == [["booked"], ["booked"]]


def test_somebody_of_a_group_who_is_none_of_ours_is_left_aside(hospital: Hospital, tmp_path: Path) -> None:
    file = tmp_path / "h1.toml"
    file.write_text('extends = "default"\nprofile = "h1"\nversion = 1\ntitle = "一院"\nhospital = "h1"\nunknown_person = "forget"\n')
    profile = read(file)
    cadre(hospital.database)
    hospital.inbox.shelf = hospital.worker.shelf = Shelf([], profile)
    assert take(hospital, siu("S12", "G1", "C1", "X9")) == "AA"
    assert hospital.last().remark == "1 of the 2 persons are none of ours and were left aside"
    assert len(hospital.select("Appointment")) == 1


def test_several_merges_in_one_message_are_told_apart(hospital: Hospital) -> None:
    for number in ("A1", "A2", "B1", "B2"):
        hospital.says("ADT^A28", number)
    pairs = "".join(PERSON.format(n=n, number=f"{n}1") + f"MRG|{n}2^^^^IDCard\r" for n in "AB")
    assert take(hospital, HEAD.format(event="ADT^A40", id="M9") + "EVN||20260302090000\r" + pairs) == "AA"
    assert hospital.last().state == "done", hospital.last().remark
    for kept, gone, theirs in (("A1", "A2", "B"), ("B1", "B2", "A")):
        retired = next(one for one in hospital.select("Patient", identifier=f"{hospital_number('h1')}|{gone}") if not one["active"])
        assert retired["link"][0]["type"] == "replaced-by"
        assert retired["link"][0]["other"]["reference"] == f"Patient/{hospital.file(kept)['id']}"
        [provenance] = [
            one for one in hospital.select("Provenance", target=f"Patient/{retired['id']}") if one["activity"].get("text") == "ADT^A40"
        ]
        with hospital.database.reading(SYSTEM, at=AT) as store:
            binary = store.read("Binary", provenance["entity"][0]["what"]["reference"].partition("/")[2])
        part = base64.b64decode(binary["data"]).decode("gb18030")
        assert f"{theirs}1^" not in part
        assert f"{theirs}2^" not in part


def linked(hospital: Hospital, event: str, id: str, *numbers: str) -> tuple[str, str]:
    """Says that these numbers are one person's, or are not; gives state and reason."""
    names = {"C1": "测试甲||19300101|M", "C2": "测试乙||19300101|M", "C3": "测试丙||19320303|M"}
    persons = "".join(f"PID|{n}||{one}^^^^IDCard||{names[one]}\r" for n, one in enumerate(numbers, start=1))
    assert take(hospital, HEAD.format(event=event, id=id) + "EVN||20260302090000\r" + persons) == "AA"
    return hospital.last().state, hospital.last().reason


def seen_also(hospital: Hospital, *numbers: str) -> list[list[str]]:
    files = [hospital.file(one) for one in numbers]
    return [[one["other"]["reference"] for one in file.get("link", ()) if one["type"] == "seealso"] for file in files]


def test_two_records_that_a_hospital_links_stay_two_and_are_shown_to_whoever_decides(hospital: Hospital) -> None:
    assert linked(hospital, "ADT^A24", "L1", "C1", "C2") == ("done", None)
    assert linked(hospital, "ADT^A24", "L2", "C2", "C1") == ("done", None)
    one, other = (hospital.file(number)["id"] for number in ("C1", "C2"))
    assert seen_also(hospital, "C1", "C2") == [[f"Patient/{other}"], [f"Patient/{one}"]]
    with hospital.database.reading(SYSTEM, at=AT) as store:
        [pair] = pairs(store, 9)
        [like] = duplicates(store, one)
    assert {pair.one, pair.other} == {one, other}
    assert (pair.reasons[0], like.patient, like.reasons[0]) == ("linked", other, "linked"), "though the names differ"
    assert linked(hospital, "ADT^A37", "L3", "C1", "C2") == ("done", None)
    assert seen_also(hospital, "C1", "C2") == [[], []]
    with hospital.database.reading(SYSTEM, at=AT) as store:
        assert pairs(store, 9) == []
    assert linked(hospital, "ADT^A37", "L4", "C1", "C2") == ("done", None)
    assert "no common file" in hospital.last().remark


def test_a_link_that_somebody_has_found_wrong_waits_for_somebody(hospital: Hospital) -> None:
    linked(hospital, "ADT^A24", "L1", "C1", "C2")
    one, other = (hospital.file(number)["id"] for number in ("C1", "C2"))
    with hospital.database.writing(SYSTEM, at=AT) as store:
        part(store, one, other, "样例", "已核实为两人")
    linked(hospital, "ADT^A37", "L2", "C1", "C2")
    assert linked(hospital, "ADT^A24", "L3", "C1", "C2") == ("review", "link-parted")
    with hospital.database.writing(SYSTEM, at=AT) as store:
        merge(store, one, other)
    assert linked(hospital, "ADT^A24", "L4", "C1", "C2") == ("done", None)
    assert "one file already" in hospital.last().remark
    assert linked(hospital, "ADT^A37", "L5", "C1", "C2") == ("review", "unlink-asked")
    assert linked(hospital, "ADT^A24", "L6", "C1") == ("dead", "link-two")


def test_two_records_with_two_citizen_ids_are_not_linked_unseen(hospital: Hospital) -> None:
    hospital.cadre("C1")
    hospital.cadre("C3")
    with hospital.database.writing(SYSTEM, at=AT) as store:
        store.put(hospital.file("C3") | {"name": [{"text": "测试丙"}], "birthDate": "1932-03-03"})
    assert linked(hospital, "ADT^A24", "L1", "C1", "C3") == ("review", "merge-citizen-ids")
    assert seen_also(hospital, "C1", "C3") == [[], []]


def test_a_file_that_a_message_opens_has_one_version_with_all_that_it_tells(hospital: Hospital, tmp_path: Path) -> None:
    """The marital status is no part of a Person, and stands in the first version all the same."""
    text = HEAD.format(event="ADT^A28", id="N1") + "EVN||20260302090000\rPID|1||C7^^^^IDCard||测试乙||19310203|F||||||||M\r"
    assert take(hospital, text) == "AA"
    [patient] = hospital.select("Patient")
    assert patient["meta"]["versionId"] == "1"
    assert patient["maritalStatus"]["coding"][0]["code"] == "M"
    assert patient["meta"]["source"].startswith("urn:healthsvc:link:")
    take(hospital, text.replace("|N1|", "|N2|"))
    assert hospital.select("Patient")[0]["meta"]["versionId"] == "1", "told again it is the same"
