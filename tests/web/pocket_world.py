"""A street of invented people, one nurse, and the visits that she carries along."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import embedded
import httpx
from conftest import NO_FACTOR
from serving import serving
from world import PASSWORD

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Living, Person, Position
from healthsvc.healthfile.service import register
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window

NAMES = ("甘棠", "蒲月华", "景行之", "谷雨声", "云长青", "柏寿松", "水木清", "石敬安", "江晚晴", "方正平", "丁香圃", "贺远舟")
NURSE, OTHER = "Practitioner/nu-1", "Practitioner/nu-2"
ACCOUNTS = (
    ("nurse1", "苏念安", "nurse", NURSE), ("nurse2", "叶知秋", "nurse", OTHER), ("doctor1", "程致和", "doctor", "Practitioner/dr-1"),
    ("desk1", "徐协调", "coordinator", None),
)  # fmt: skip


@dataclass(slots=True)
class Street:
    """The served street."""

    url: str
    database: Database
    people: list[str]
    tasks: list[str] = field(default_factory=list)

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """A transaction of the system's own."""
        with self.database.writing(SYSTEM, at=clock.now()) as store:
            yield store

    def read(self, type: str, id: str) -> Any:
        """A resource, or None."""
        with self.database.reading(SYSTEM, at=clock.now()) as store:
            return store.find(type, id)

    def visit(
        self, person: int, kind: str = "home-nursing", *, day: int = 0, staff: str = NURSE, hour: int = 9, subtype: str | None = None
    ) -> str:
        """A visit, asked for and planned."""
        with self.writing() as store:
            on = store.at.astimezone(store.zone).date() + timedelta(days=day)
            start = datetime.combine(on, time(hour, 0), store.zone)
            opens = datetime.combine(on - timedelta(days=2), time.min, store.zone)
            id = f"{kind}-{uuid4().hex[:8]}"
            window = Window(opens, opens + timedelta(days=12))
            visits.request(store, Visit(id, kind, self.people[person], window, 30, owner="Practitioner/dr-1", subtype=subtype))
            visits.plan(store, id, start, start + timedelta(minutes=30), [staff])
        self.tasks.append(id)
        return id


@contextmanager
def street(data: Path) -> Iterator[Street]:
    """Found it and serve it."""
    (data / "policy").mkdir(parents=True)
    (data / "policy" / "access.toml").write_text(NO_FACTOR, encoding="utf-8")
    embedded.made(data)
    installation = open_installation(settings=Settings(data=data))
    with installation.database.writing(SYSTEM, at=clock.now()) as store:
        for id, name, code in (("dr-1", "程致和", "doctor"), ("nu-1", "苏念安", "nurse"), ("nu-2", "叶知秋", "nurse")):
            held = [{"code": {"coding": [{"system": code_system("staff-qualification"), "code": code}]}, "period": {"start": "2010-07-01"}}]
            store.once({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": name}], "qualification": held})
        people = [_person(store, number, name) for number, name in enumerate(NAMES)]
        for login, name, role, practitioner in ACCOUNTS:
            accounts.create_user(store, login, role, name=name, practitioner=practitioner, password=PASSWORD)
    with serving(create_app(installation)) as url:
        yield Street(url, installation.database, people)
    installation.close()


def _person(store: Store, number: int, name: str) -> str:
    person = Person(
        name, sex="female" if number % 2 else "male", birth=date(1930 + number, 3, 5), phones=(f"0574-5555{number:04d}",),
        address=f"拾光里 {number // 2 + 1} 弄 {number // 2 + 1} 号", position=Position(29.87 + number / 500, 121.55),
        contacts=(Contact(ContactRole.FAMILY, "家属" + name[0], f"0574-6666{number:04d}", "女儿"),), category=Category.LIXIU,
        residence_area="拾光社区", living=Living.ALONE, doctor="Practitioner/dr-1",
    )  # fmt: skip
    return str(register(store, person, "urn:test").patient["id"])


@dataclass(slots=True)
class Phone:
    """What the application does, without a browser."""

    client: httpx.Client
    csrf: str = ""
    grant: str = ""
    token: str = ""
    key: str = ""

    def sign_in(self, login: str) -> "Phone":
        """Sign in and be let carry visits."""
        self.client.post("/sign-in", data={"login": login, "password": PASSWORD})
        self.csrf = self.client.get("/api/pocket/hello").json()["csrf"]
        told = self.post("/api/pocket/open", {"known": [{"grant": self.grant, "token": self.token}]}).json()
        self.grant, self.token, self.key = told["grant"], told["token"], told["key"]
        return self

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Post JSON as the application does."""
        return self.client.post(path, json=body, headers={"x-csrf-token": self.csrf})

    def carried(self, task: str) -> dict[str, Any]:
        """One visit as it is taken along."""
        days = self.client.get("/api/pocket/days").json()["days"]
        return next(one for day in days for one in day["visits"] if one["task"] == task)

    def send(self, *records: dict[str, Any]) -> list[dict[str, Any]]:
        """Send records; gives the answers."""
        answer = self.post("/api/pocket/records", {"grant": self.grant, "records": list(records)})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["answers"])

    def standing(self) -> bool:
        """Whether it may still carry anything."""
        return bool(self.client.post("/api/pocket/standing", json={"grant": self.grant, "token": self.token}).json()["holds"])


def record(visit: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record as the phone makes it: findings of this quarter of an hour."""
    now = clock.now()
    here = now.astimezone(clock.zone("Asia/Shanghai"))
    start = max(here - timedelta(minutes=10), here.replace(hour=0, minute=0))
    fields = [["day", f"{here:%Y-%m-%d}"], ["start", f"{start:%H:%M}"], ["end", f"{here:%H:%M}"], ["mode", "home"], ["by", NURSE],
              ["systolic_left", "142"], ["diastolic_left", "81"], ["pulse", "70"], ["advice", "低盐饮食"]]  # fmt: skip
    base = {"key": str(uuid4()), "task": visit["task"], "kind": "visit", "then": visit["then"], "fields": fields, "device": now.isoformat(),
            "sent": now.isoformat(), "offset_then": 0}  # fmt: skip
    return base | more
