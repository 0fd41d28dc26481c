"""Many processes on one PostgreSQL while everything goes wrong: what was acknowledged, signed or completed is there exactly once.

Two listeners, two workers, two timers and an API are busy; any of them is killed with -9, the leader of the timers is put to sleep beyond
its lease and wakes up again, connections are cut, the server crashes and comes back.
"""

import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import postgres
import pytest
from chaos import Household
from sqlalchemy import create_engine, select, text

from healthsvc import clock
from healthsvc.access.audit import verify
from healthsvc.access.tokens import issue_token
from healthsvc.errors import Refusal
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from healthsvc.store.lease_tables import FiringRow
from integrations.hl7v2.replies import belongs, read_reply
from integrations.keep import INBOX
from integrations.mllp.client import Client

pytestmark = pytest.mark.postgres
FIRING = FiringRow.__table__  # type: ignore[attr-defined]
PEOPLE = 400
START_SECONDS = 180
"""Seven processes begin at once, on however many cores."""
D1 = "Practitioner/d1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Busy:
    """Those who use the installation: a hospital with two lines, a desk that signs and completes, a planner, somebody who reads."""

    def __init__(self, http: int, lines: list[int], token: str, people: list[str]) -> None:
        self.http, self.lines, self.token, self.people = http, lines, token, people
        self.acknowledged: list[str] = []
        self.signed: dict[str, str] = {}
        """Patient id to Contract id, as answered."""
        self.completed: list[str] = []
        self.read = 0
        self.plans = 0
        self.over = threading.Event()
        work: list[Callable[[], None]] = [lambda line=line: self.talk(line) for line in range(2)]  # type: ignore[misc]
        self.threads = [threading.Thread(target=one) for one in (*work, self.desk, self.look, self.plan)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.http}", headers={"authorization": f"Bearer {self.token}"}, timeout=10)

    def ask(self, client: httpx.Client, method: str, path: str, body: object = None) -> Any:
        """Ask until somebody answers; None where the end came first. An earlier try that nobody waited for may still be under way."""
        while not self.over.is_set():
            with suppress(httpx.HTTPError):
                answer = client.request(method, path, json=body)
                if answer.status_code < 500 and "reason:collision" not in answer.text:
                    return answer
            time.sleep(0.1)
        return None

    def talk(self, line: int) -> None:
        """One line of the hospital: each message again until it is acknowledged, first on its own listener, then on the other."""
        number, turn = 0, line
        while not self.over.is_set():
            control_id = f"L{line}-{number}"
            with suppress(Exception), Client("127.0.0.1", self.lines[turn % 2], belongs, seconds=3) as client:
                while not self.over.is_set():
                    control_id = f"L{line}-{number}"
                    code = read_reply(client.send(self.message(control_id))).code
                    if code == "AE":
                        time.sleep(0.1)
                        continue
                    assert code == "AA", code
                    self.acknowledged.append(control_id)
                    number += 1
                    time.sleep(0.02)
            turn += 1
            time.sleep(0.1)

    @staticmethod
    def message(control_id: str) -> bytes:
        head = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A28|{control_id}|P|2.4\rEVN||20260105170124\r"
        return f"{head}PID|1||N{control_id}^^^^IDCard||测试甲||19300101|M\r".encode()

    def desk(self) -> None:
        """Sign, then make a first visit of it."""
        with self.client() as client:
            for person in self.people:
                answer = self.ask(client, "POST", "/api/contract/sign", {"patient": person, "doctor": D1})
                if answer is None:
                    return
                assert answer.status_code in (200, 201), answer.text
                self.signed[person] = answer.json()["id"]
                found = self.ask(client, "GET", f"/fhir/Task?patient={person}&status=requested&_sort=_id&_count=1")
                if found is None or not found.json().get("entry"):
                    continue
                task = found.json()["entry"][0]["resource"]["id"]
                now = clock.now().isoformat()
                self.ask(client, "POST", f"/api/visit/{task}/plan", {"start": now, "end": now, "staff": [D1]})
                self.ask(client, "POST", f"/api/visit/{task}/start", {"at": now, "staff": [D1]})
                body = {"findings": {"start": now, "end": now, "pulse": 70}, "by": [D1]}
                done = self.ask(client, "POST", f"/api/visit/{task}/complete", body)
                if done is not None and done.status_code == 200:
                    self.completed.append(task)

    def look(self) -> None:
        with self.client() as client:
            while not self.over.is_set():
                for path in ("/fhir/Patient?name=测试&_count=5", "/sign-in", "/fhir/Contract?_count=5"):
                    if (answer := self.ask(client, "GET", path)) is not None:
                        self.read += answer.status_code == 200
                time.sleep(0.05)

    def plan(self) -> None:
        with self.client() as client:
            while not self.over.is_set():
                answer = self.ask(client, "POST", f"/api/dayplan/{clock.today()}/propose?seconds=0.1")
                self.plans += answer is not None and answer.status_code == 200
                self.over.wait(0.5)


@pytest.fixture
def server() -> Iterator[postgres.Cluster]:
    with postgres.cluster("-c fsync=on") as one:
        yield one


@pytest.mark.parametrize("seconds", [8, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_whatever_is_killed_cut_or_restarted_each_thing_is_there_exactly_once(
    tmp_path: Path, server: postgres.Cluster, seconds: int
) -> None:
    chance = random.Random(7)
    data = tmp_path / "data"
    data.mkdir()
    (data / "healthsvc.toml").write_text(f'database = "{server.url}"\nlog_level = "WARNING"\ndatabase_pool = 5\ndatabase_overflow = 5\n')
    here = open_installation(data)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Practitioner", "id": "d1", "active": True})
        people = [str(register(store, Person(f"测试{n}", birth=date(1930, 1, 1)), "urn:test").patient["id"]) for n in range(PEOPLE)]
        token = issue_token(store, "system", "test", 1)
    home = Household(data)
    lines, http = [free_port(), free_port()], free_port()
    busy = Busy(http, lines, token, people)
    try:
        home.start("api", "api", http=http)
        for n in range(2):
            home.start(f"feeds{n}", "feeds", mllp=lines[n])
            home.start(f"worker{n}", "worker")
            home.start(f"timers{n}", "timers")
        busy.start()
        wait(lambda: len(busy.acknowledged) > 5 and busy.signed and ticks(here.database), START_SECONDS, "everything is under way")
        began = time.monotonic()
        crash_at = began + seconds * 0.5
        asleep: str | None = None
        while time.monotonic() < began + seconds:
            if asleep is not None:
                home.send(asleep, signal.SIGCONT)
                asleep = None
            if time.monotonic() > crash_at:
                server.stop()
                time.sleep(0.3)
                server.start()
                crash_at += max(seconds * 0.4, 30)
            match chance.randrange(6):
                case 0:
                    cut(server.url)
                case 1:
                    asleep = leader(here.database, home)
                    home.send(asleep or "timers0", signal.SIGSTOP)
                    time.sleep(1.8)
                case _:
                    home.kill(chance.choice(list(home.pids)))
            time.sleep(chance.uniform(0.2, 0.9))
            home.tend()
        if asleep is not None:
            home.send(asleep, signal.SIGCONT)
        home.tend()
        reached = len(busy.signed), len(busy.acknowledged)
        wait(lambda: len(busy.signed) > reached[0] and len(busy.acknowledged) > reached[1], 60, "everything goes on afterwards", home.tend)
        busy.stop()
        while left := pending(here.database):  # minutes of messages may wait: what counts is that it goes on
            wait(lambda left=left: pending(here.database) < left, 60, f"the inbox of {left} becomes shorter", home.tend)  # type: ignore[misc]
        last = clock.utc_now()
        wait(lambda: ticks(here.database)[-1] > last, 20, "the timers go on", home.tend)
    finally:
        busy.over.set()
        home.stop()
    check(here.database, busy)
    here.close()


def check(database: Database, busy: Busy) -> None:
    """What must be true afterwards."""
    assert busy.read
    assert busy.plans
    assert busy.completed
    with database.reading(SYSTEM, at=clock.now()) as store:
        rows = store.connection.execute(select(INBOX.c.control_id, INBOX.c.state)).all()
        kept = Counter(row.control_id for row in rows)
        assert set(busy.acknowledged) <= set(kept)
        assert len(busy.acknowledged) == len(set(busy.acknowledged))
        assert set(kept.values()) == {1}
        assert {row.state for row in rows} == {"done"}, Counter(row.state for row in rows)
        numbers = Counter(
            one["value"] for file in store.select("Patient") for one in file.get("identifier", []) if one["value"].startswith("NL")
        )
        assert set(numbers) == {f"N{control_id}" for control_id in kept}, "a file for each message"
        assert set(numbers.values()) == {1}, "and but one"
        traces = Counter(one["entity"][0]["what"]["identifier"]["value"] for one in store.select("Provenance") if _of_a_message(one))
        assert all(count == 1 for count in traces.values())
        contracts = Counter(one["subject"][0]["reference"] for one in store.select("Contract", status="executed"))
        assert {f"Patient/{person}" for person in busy.signed} <= set(contracts)
        assert set(contracts.values()) == {1}, "one contract in force for each person"
        assert all(store.find("Contract", id) is not None for id in busy.signed.values())
        done = [store.read("Task", task) for task in busy.completed]
        assert {task["status"] for task in done} == {"completed"}
        encounters = Counter(one["encounter"]["reference"] for one in done)
        assert set(encounters.values()) == {1}
        fired = store.connection.execute(select(FIRING.c.scheduled_for, FIRING.c.outcome).where(FIRING.c.job == "tick")).all()
        ran = sum(one["code"].get("text") == "tick" for one in store.select("Basic"))
        assert {row.outcome for row in fired} == {"done"}
        assert ran == len(fired), "each firing ran once, and none ran without being one"
    found = verify(database)
    assert found.sound, found.faults[:3]


def _of_a_message(provenance: dict[str, Any]) -> bool:
    return bool(provenance.get("entity", [{}])[0].get("what", {}).get("identifier"))


def wait(until: Callable[[], Any], seconds: float, what: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    ends = time.monotonic() + seconds
    while True:
        with suppress(Refusal):
            if until():
                return
        assert time.monotonic() < ends, f"not within {seconds} s: {what}"
        time.sleep(0.1)
        meanwhile()


def ticks(database: Database) -> list[datetime]:
    with database.reading(SYSTEM, at=clock.now()) as store:
        found = store.connection.execute(select(FIRING.c.started).where(FIRING.c.job == "tick").order_by(FIRING.c.started)).scalars()
        return [datetime.fromtimestamp(0, tz=clock.utc_now().tzinfo) + timedelta(microseconds=one) for one in found]


def pending(database: Database) -> int:
    with database.reading(SYSTEM, at=clock.now()) as store:
        return int(store.connection.execute(text("SELECT count(*) FROM inbox WHERE state = 'pending'")).scalar_one())


def leader(database: Database, home: Household) -> str | None:
    """Which process leads the timers."""
    with suppress(Refusal), database.reading(SYSTEM, at=clock.now()) as store:
        holder = store.connection.execute(text("SELECT holder FROM lease WHERE name = 'timers'")).scalar()
        return next((name for name, pid in home.pids.items() if str(holder).endswith(f":{pid}")), None)
    return None


def cut(url: str) -> None:
    """Cut every connection to the database."""

    engine = create_engine(url)
    with suppress(Exception), engine.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'healthsvc'")
        )
    engine.dispose()
