"""Many processes on one PostgreSQL while everything goes wrong: what was acknowledged, signed or completed is there exactly once.

Two listeners, two workers, two timers and an API are busy; any of them is killed with -9, the leader of the timers is put to sleep beyond
its lease and wakes up again, connections are cut, the server crashes and comes back, its disk is full for a while. For minutes, and on
tables laid out by county: ``pytest -m long tests/paths/test_chaos_postgres.py``; ``--engine partitions`` lays them out for the short form.
"""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import postgres
import pytest
from chaos import TIMER_EVERY_SECONDS, Household
from ports import free_port
from sqlalchemy import create_engine, select, text

from healthsvc import clock
from healthsvc.access.audit import verify
from healthsvc.access.tokens import issue_token
from healthsvc.errors import Refusal
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from healthsvc.store.lease_tables import FiringRow
from healthsvc.store.tenancy import lay, tend
from integrations.hl7v2.replies import belongs, read_reply
from integrations.keep import INBOX
from integrations.mllp.client import Client

pytestmark = pytest.mark.postgres
FIRING = FiringRow.__table__  # type: ignore[attr-defined]
PEOPLE = 400
DISK_MIB = 320
BACKLOG = 150
"""The hospital rests while so many of its messages wait: what waits at the end is done in bounded time, however long this went on."""
DRAINED_SECONDS = 120
OUTAGE_SECONDS = 60
"""A timer is due so often; nothing here keeps all of them away for longer."""
START_SECONDS = 180
"""Seven processes begin at once, on however many cores."""
D1 = "Practitioner/d1"
COUNTIES = ("county-1", "county-2", "county-3")
COUNTY = {"coding": [{"system": code_system("organization-type"), "code": "county"}]}


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
        self.rests = threading.Event()
        """Set while enough messages wait."""
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
                    if self.rests.is_set():
                        time.sleep(0.1)
                        continue
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
    small = "-c fsync=on -c min_wal_size=32MB -c max_wal_size=64MB"
    with postgres.cluster(small, disk_mib=DISK_MIB) as one:
        yield one


_LONG = (pytest.mark.long, pytest.mark.timeout(1200))


@pytest.mark.parametrize(
    ("seconds", "engine"),
    [(8, None), pytest.param(300, "postgresql", marks=_LONG), pytest.param(300, "partitions", marks=_LONG)],
)
def test_whatever_is_killed_cut_or_restarted_each_thing_is_there_exactly_once(
    tmp_path: Path, server: postgres.Cluster, seconds: int, engine: str | None, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(7)
    laid_out = (engine or pytestconfig.getoption("--engine")) == "partitions"
    data = tmp_path / "data"
    data.mkdir()
    (data / "healthsvc.toml").write_text(f'database = "{server.url}"\nlog_level = "WARNING"\ndatabase_pool = 5\ndatabase_overflow = 5\n')
    here = open_installation(data)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Practitioner", "id": "d1", "active": True})
        for county in COUNTIES:
            store.put({"resourceType": "Organization", "id": county, "name": county, "type": [COUNTY]})
        persons = (Person(f"测试{n}", birth=date(1930, 1, 1), centre=f"Organization/{COUNTIES[n % 3]}") for n in range(PEOPLE))
        people = [str(register(store, person, "urn:test").patient["id"]) for person in persons]
        token = issue_token(store, "system", "test", 1)
    if laid_out:
        with lay.alone(server.url) as engine_of_its_own:
            lay.lay_out(engine_of_its_own, "county")
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
        began, since = time.monotonic(), clock.utc_now()
        crash_at, full_at = began + seconds * 0.5, began + seconds * 0.25
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
            if time.monotonic() > full_at:
                with server.full():
                    time.sleep(1.2)
                full_at += max(seconds * 0.3, 30)
            if (waits := pending(here.database)) is not None:
                (busy.rests.set if waits > BACKLOG else busy.rests.clear)()
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
        busy.rests.clear()
        reached = len(busy.signed), len(busy.acknowledged)
        wait(lambda: len(busy.signed) > reached[0] and len(busy.acknowledged) > reached[1], 60, "everything goes on afterwards", home.tend)
        busy.stop()
        wait(lambda: pending(here.database) == 0, DRAINED_SECONDS, "the inbox is empty", home.tend)
        until = clock.utc_now()
        wait(lambda: not missing(here.database, since, until), OUTAGE_SECONDS, "the timers have made up for what was due", home.tend)
    finally:
        busy.over.set()
        home.stop()
    check(here.database, busy)
    if laid_out:
        with here.database.engine.connect() as connection:
            assert tend.faults(connection) == {}
            assert {one.part for one in tend.places(connection)} == {0, 1, 2, 3}
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
        fired = store.connection.execute(select(FIRING.c.job, FIRING.c.outcome).where(FIRING.c.job.startswith("at-"))).all()
        assert {row.outcome for row in fired} == {"done"}
        ran = Counter(name for one in store.select("Basic") if (name := one["code"].get("text", "")).startswith("at-"))
        assert ran == Counter(row.job for row in fired), "each firing ran once, and none ran without being one"
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


def ticks(database: Database) -> bool:
    """Whether a timer has run."""
    with database.reading(SYSTEM, at=clock.now()) as store:
        return store.connection.execute(select(FIRING.c.job).limit(1)).first() is not None


def missing(database: Database, since: datetime, until: datetime) -> list[tuple[str, int]]:
    """Which firings, of all that were due from one moment to another, have not run: job, and due time in seconds since 1970."""
    first, last = int(since.timestamp()) + 1, int(until.timestamp())
    expected = [(f"at-{due % 60:02}", due) for due in range(first, last + 1) if due % 60 % TIMER_EVERY_SECONDS == 0]
    assert expected
    with database.reading(SYSTEM, at=clock.now()) as store:
        found = store.connection.execute(select(FIRING.c.job, FIRING.c.scheduled_for).where(FIRING.c.outcome == "done")).all()
    ran = {(row.job, row.scheduled_for // 1_000_000) for row in found}
    return [one for one in expected if one not in ran]


def pending(database: Database) -> int | None:
    """How many messages wait; None where the database does not say so now."""
    with suppress(Refusal), database.reading(SYSTEM, at=clock.now()) as store:
        return int(store.connection.execute(text("SELECT count(*) FROM inbox WHERE state = 'pending'")).scalar_one())
    return None


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
