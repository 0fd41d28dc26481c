"""A hospital with its line to us, for the tests of the hospital's story."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

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
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.worker import Worker

LISTEN, PEER = "127.0.0.1:2575", "127.0.0.1"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=clock.zone())


_SEQUENCES = count(1)
"""Of citizen ids, so that each person of a database that tests share is another."""


def citizen(sequence: int, birth: str = "19300101") -> str:
    first = f"330299{birth}{sequence:03}"
    return first + check_digit(first)


class Hospital:
    """A hospital with its line to us: says something, and the worker deals with it."""

    def __init__(self, database: Database, code: str = "H1") -> None:
        self.database = database
        self.code = code
        self.inbox = Inbox(database, shelf())
        self.worker = Worker(database, self.inbox.shelf, "test")
        self.count = 0
        self.inbox.start()

    def message(self, event: str, number: str, *segments: str, at: datetime = AT, name: str = "测试甲", **pid: str) -> str:
        self.count += 1
        stamp = at.strftime("%Y%m%d%H%M%S")
        ids = f"{number}^^^^IDCard" + (f"~{pid['citizen']}^^^^IdentifyNO" if "citizen" in pid else "")
        lines = [
            f"MSH|^~\\&|HIS|{self.code}|C|C|{stamp}||{event}|{pid.get('id', f'M{self.count}')}|P|2.4",
            f"EVN||{stamp}",
            f"PID|1||{ids}||{name}||{pid.get('birth', '19300101')}|M|||{pid.get('address', '')}||{pid.get('phone', '')}",
            *segments,
        ]
        return "\r".join(lines) + "\r"

    def says(self, event: str, number: str, *segments: str, codec: str = "utf-8", **more: object) -> str:
        answer = self.inbox.take_now(self.message(event, number, *segments, **more).encode(codec), LISTEN, PEER)  # type: ignore[arg-type]
        self.worker.drain()
        return answer.decode(codec).split("\r")[1].split("|")[1]

    def rows(self) -> list[Any]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return list(store.connection.execute(INBOX.select().order_by(INBOX.c.id)))

    def last(self) -> Any:
        return self.rows()[-1]

    def select(self, type: str, **params: object) -> list[Resource]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return store.select(type, **params)

    def file(self, number: str, hospital: str = "") -> Resource:
        [one] = self.select("Patient", identifier=f"{hospital_number(hospital or self.code.lower())}|{number}")
        return one

    def cadre(self, number: str = "C1") -> tuple[str, str]:
        """Somebody of ours whom the hospital knows, with a checkup to come; gives Patient and Task id."""
        return cadre(self.database, number, next(_SEQUENCES), self.code.lower())


def cadre(database: Database, number: str = "C1", sequence: int = 901, hospital: str = "h1") -> tuple[str, str]:
    """Somebody of ours with a checkup to come; gives Patient and Task id."""
    person = Person(
        name="测试甲",
        birth=datetime(1930, 1, 1).date(),  # noqa: DTZ001
        identifiers=(Identifier(CITIZEN_ID, citizen(sequence)), Identifier(hospital_number(hospital), number)),
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
