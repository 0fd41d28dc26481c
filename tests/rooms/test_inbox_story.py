"""A hospital's messages become what the field needs: files, stays, visits held and asked for, results followed up, merges."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from healthsvc import clock
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window
from integrations.hospitals.shelf import shelf
from integrations.inbox import INBOX, Inbox
from integrations.worker import Worker

LISTEN, PEER = "127.0.0.1:2575", "127.0.0.1"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=clock.zone())


def citizen(sequence: int, birth: str = "19300101") -> str:
    first = f"330299{birth}{sequence:03}"
    return first + check_digit(first)


class Hospital:
    """A hospital with its line to us: says something, and the worker deals with it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.inbox = Inbox(database, shelf())
        self.worker = Worker(database, self.inbox.shelf, "test")
        self.count = 0
        self.inbox.start()

    def message(self, event: str, number: str, *segments: str, at: datetime = AT, name: str = "测试甲", **pid: str) -> str:
        self.count += 1
        stamp = at.strftime("%Y%m%d%H%M%S")
        ids = f"{number}^^^^IDCard" + (f"~{pid['citizen']}^^^^IdentifyNO" if "citizen" in pid else "")
        lines = [
            f"MSH|^~\\&|HIS|H1|C|C|{stamp}||{event}|{pid.get('id', f'M{self.count}')}|P|2.4",
            f"EVN||{stamp}",
            f"PID|1||{ids}||{name}||{pid.get('birth', '19300101')}|M|||{pid.get('address', '')}||{pid.get('phone', '')}",
            *segments,
        ]
        return "\r".join(lines) + "\r"

    def says(self, event: str, number: str, *segments: str, codec: str = "utf-8", **more: object) -> str:
        answer = self.inbox.take_now(self.message(event, number, *segments, **more).encode(codec), LISTEN, PEER)  # type: ignore[arg-type]
        self.worker.drain()
        return answer.decode(codec).split("\r")[1].split("|")[1]

    def rows(self) -> list[object]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return list(store.connection.execute(INBOX.select().order_by(INBOX.c.id)))

    def last(self) -> object:
        return self.rows()[-1]

    def select(self, type: str, **params: object) -> list[Resource]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return store.select(type, **params)

    def file(self, number: str, hospital: str = "h1") -> Resource:
        [one] = self.select("Patient", identifier=f"{hospital_number(hospital)}|{number}")
        return one


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def cadre(database: Database, number: str = "C1", sequence: int = 901) -> tuple[str, str]:
    """Somebody of ours with a checkup to come; gives Patient and Task id."""
    person = Person(
        name="测试甲",
        birth=datetime(1930, 1, 1).date(),  # noqa: DTZ001
        identifiers=(Identifier(CITIZEN_ID, citizen(sequence)), Identifier(hospital_number("h1"), number)),
        category=Category.LIXIU,
    )
    with database.writing(SYSTEM, at=AT) as store:
        patient = register(store, person, "urn:healthsvc:test").patient["id"]
        window = Window(clock.now(), clock.now() + timedelta(days=30))
        task = visits.request(store, Visit(f"checkup-{patient}", "quarterly-checkup", patient, window, 30))
    return patient, task["id"]


def status(hospital: Hospital, task: str) -> str:
    with hospital.database.reading(SYSTEM, at=AT) as store:
        return str(store.read("Task", task)["status"])


def tasks(hospital: Hospital, patient: str, kind: str) -> list[Resource]:
    return [one for one in hospital.select("Task", patient=patient) if one["code"]["coding"][0]["code"] == kind]


def segment(name: str, **fields: str) -> str:
    """A segment by its positions: segment("PV1", _2="I", _19="V1")."""
    values = {int(key[1:]): value for key, value in fields.items()}
    return "|".join([name, *(values.get(n, "") for n in range(1, max(values) + 1))])


PV1 = segment("PV1", _1="1", _2="I", _3="W1^^12^H1^^^^^心内科", _19="V1", _44="20260302083000")


def test_an_admission_holds_the_visits_and_a_discharge_takes_them_up(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    assert hospital.says("ADT^A01", "C1", PV1) == "AA"
    assert hospital.last().state == "done", hospital.last()  # type: ignore[attr-defined]
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


def test_the_message_hangs_on_the_provenance_of_what_it_made(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    hospital.says("ADT^A01", "C1", PV1, id="X1")
    [stay] = hospital.select("Encounter", patient=patient)
    [provenance] = hospital.select("Provenance", target=f"Encounter/{stay['id']}")
    kind, _, id = provenance["entity"][0]["what"]["reference"].partition("/")
    with hospital.database.reading(SYSTEM, at=AT) as store:
        import base64

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
    assert "later event" in hospital.last().remark  # type: ignore[attr-defined]
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
    assert hospital.last().state == "done", hospital.last()  # type: ignore[attr-defined]
    [gone] = hospital.select("Patient", _id=retired)
    assert gone["link"] == [{"other": {"reference": f"Patient/{patient}"}, "type": "replaced-by"}]
    hospital.says("ADT^A01", "C2", PV1, at=AT + timedelta(hours=2))
    assert status(hospital, checkup) == "on-hold", "an event under the retired number reaches the surviving file"
    versions = [one["meta"]["versionId"] for one in hospital.select("Patient")]
    assert hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard", at=AT + timedelta(hours=3)) == "AA"
    assert [one["meta"]["versionId"] for one in hospital.select("Patient")] == versions
    hospital.says("ADT^A40", "C2", "MRG|C1^^^^IDCard", at=AT + timedelta(hours=4))
    assert (hospital.last().state, hospital.last().reason) == ("review", "merge-reversed")  # type: ignore[attr-defined]


def test_a_number_of_one_and_the_particulars_of_another_wait_for_somebody(hospital: Hospital) -> None:
    cadre(hospital.database)
    assert hospital.says("ADT^A31", "C1", name="测试丙", birth="19410505") == "AA"
    assert (hospital.last().state, hospital.last().reason) == ("review", "another-person")  # type: ignore[attr-defined]
    hospital.says("ADT^A31", "C1", citizen=citizen(977))
    assert (hospital.last().state, hospital.last().reason) == ("review", "citizen-id-differs")  # type: ignore[attr-defined]


def test_a_poison_message_goes_to_the_dead_letters_and_the_others_go_on(hospital: Hospital) -> None:
    _, checkup = cadre(hospital.database)
    assert hospital.says("ADT^A01", "C9", name="") == "AA"
    row = hospital.last()
    assert (row.state, row.place) == ("dead", "PID-5")  # type: ignore[attr-defined]
    hospital.says("ADT^A01", "C1", PV1)
    assert status(hospital, checkup) == "on-hold"
