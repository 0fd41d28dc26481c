"""Many workers on one PostgreSQL: side by side, and yet one person's messages one after the other, in their order, whoever merges."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital import Hospital, cadre, segment
from sqlalchemy import event, text

from healthsvc import clock
from healthsvc.fhir.systems import hospital_number
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store import bell as bell_module
from integrations import worker as worker_module
from integrations.ahead import lane_keys, profile_of
from integrations.keep import INBOX
from integrations.worker import Worker

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).resolve().parents[2]
LISTEN, PEER = "127.0.0.1:2575", "127.0.0.1"
CHILD = """
import sys
from healthsvc.rooms import ROOMS
from healthsvc.store import Database
from integrations.hospitals.shelf import shelf
from integrations.worker import Worker
database = Database.open(sys.argv[1], rooms=ROOMS)
worker = Worker(database, shelf(), "child")
print("ready", flush=True)
sys.stdin.readline()
worker.start()
sys.stdin.readline()
worker.stop()
database.close()
"""


@pytest.fixture
def hospital(migrated_url: str) -> Iterator[Hospital]:
    database = Database.open(migrated_url, rooms=ROOMS)
    there = Hospital(database)
    yield there
    there.inbox.stop()
    database.close()


def take(hospital: Hospital, event: str, number: str, *segments: str, **more: str) -> None:
    hospital.inbox.take_now(hospital.message(event, number, *segments, **more).encode(), LISTEN, PEER)


def settled(hospital: Hospital, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while any(row.state == "pending" for row in hospital.rows()):
        assert time.monotonic() < ends, [row.state for row in hospital.rows()]
        time.sleep(0.05)


def test_four_workers_keep_everybodys_order_also_when_numbers_are_joined(hospital: Hospital) -> None:
    """Two numbers of each person, a merge in the middle, then messages by either number: the last word stands, nothing comes twice."""
    people = range(12)
    for person in people:
        take(hospital, "ADT^A28", f"A{person}", name=f"测试{person}", phone="13800000000", id=f"{person}-a")
        take(hospital, "ADT^A28", f"B{person}", name=f"测试{person}", phone="13800000001", id=f"{person}-b")
    for person in people:
        take(hospital, "ADT^A40", f"A{person}", segment("MRG", _1=f"B{person}^^^^IDCard"), name=f"测试{person}", id=f"{person}-m")
    for step in range(4):
        for person in people:
            number = ("B", "A")[step % 2]
            take(hospital, "ADT^A31", f"{number}{person}", name=f"测试{person}", phone=f"1380000001{step}", id=f"{person}-{step}")
    workers = [Worker(hospital.database, hospital.inbox.shelf, name) for name in "abcd"]
    for one in workers:
        one.start()
    settled(hospital)
    for one in workers:
        one.stop()
    assert [(row.event, row.state, row.reason) for row in hospital.rows() if row.state != "done"] == []
    for person in people:
        file = hospital.file(f"A{person}")
        assert [one["value"] for one in file["telecom"]] == ["13800000013"], "the last message has the last word"
    joined = hospital.select("Patient", active="false")
    assert len(joined) == len(people)


def test_a_message_by_another_number_of_the_same_person_waits_for_the_earlier_one(hospital: Hospital) -> None:
    numbers = tuple(Identifier(hospital_number("h1"), value) for value in ("C1", "D1"))
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        register(store, Person(name="测试甲", identifiers=numbers), "urn:healthsvc:test")
    take(hospital, "ADT^A31", "C1", phone="13800000001")
    take(hospital, "ADT^A31", "D1", phone="13800000002")
    first = hospital.rows()[0]
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:  # the first is in somebody's hands who does not come to an end
        store.connection.execute(text("SELECT 1 FROM inbox WHERE id = :id FOR UPDATE"), {"id": first.id})
        assert hospital.worker.round() == 0
        assert [row.state for row in hospital.rows()] == ["pending", "pending"]
    assert hospital.worker.drain() == 2
    assert [one["value"] for one in hospital.file("D1")["telecom"]] == ["13800000002"]


def test_a_person_at_whom_another_worker_is_costs_one_question_a_round_and_a_pause(hospital: Hospital) -> None:
    for number in range(40):
        take(hospital, "ADT^A31", "C1", phone=f"138000000{number:02}")
    take(hospital, "ADT^A28", "Z9", name="测试丙")
    (key,) = lane_keys(hospital.message("ADT^A31", "C1").encode(), profile_of(hospital.rows()[0], hospital.inbox.shelf))
    asked = [0]

    def counted(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked[0] += "pg_try_advisory_xact_lock" in statement

    event.listen(hospital.database.engine, "before_cursor_execute", counted)
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        lock = int.from_bytes(bytes.fromhex(key)[:8], "big", signed=True)
        store.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
        assert hospital.worker.round() == 1, "the other person's"
        assert asked[0] <= 4, "one for her, and two or three for the other person"
        asked[0] = 0
        began = time.monotonic()
        hospital.worker.start()
        while time.monotonic() < began + 0.5 or not asked[0]:
            time.sleep(0.05)
        assert asked[0] <= (time.monotonic() - began) / worker_module.PASSED_SECONDS + 1, "it does not ask without a pause"
    settled(hospital)
    hospital.worker.stop()
    event.remove(hospital.database.engine, "before_cursor_execute", counted)
    assert [one["value"] for one in hospital.file("C1")["telecom"]] == ["13800000039"]


def test_a_message_that_waits_for_its_time_holds_back_its_person_alone(hospital: Hospital) -> None:
    cadre(hospital.database)
    take(hospital, "ADT^A31", "C1", phone="13800000001")
    take(hospital, "ADT^A31", "C1", phone="13800000002")
    take(hospital, "ADT^A28", "Z9", name="测试丙")
    first = hospital.rows()[0]
    later = int((clock.now().timestamp() + 60) * 1e6)
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        store.connection.execute(INBOX.update().where(INBOX.c.id == first.id).values(due=later))
    hospital.worker.drain()
    assert [row.state for row in hospital.rows()] == ["pending", "pending", "done"]


def test_a_dead_workers_claims_come_back_at_once(hospital: Hospital, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(60):
        take(hospital, "ADT^A28", f"N{n}", name=f"测试{n}")
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, migrated_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
    for child in children:
        child.stdin.write("go\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
    while sum(row.state == "done" for row in hospital.rows()) < 3:
        time.sleep(0.005)
    children[0].kill()
    settled(hospital)
    children[1].stdin.write("stop\n")  # type: ignore[union-attr]
    children[1].stdin.flush()  # type: ignore[union-attr]
    assert children[1].wait(20) == 0
    children[0].wait()
    for child in children:
        child.stdin.close()  # type: ignore[union-attr]
        child.stdout.close()  # type: ignore[union-attr]
    people = hospital.select("Patient")
    assert len(people) == 60
    assert {one["meta"]["versionId"] for one in people} == {"1"}
    assert len(hospital.select("Provenance")) == 60


def test_two_who_get_into_each_others_way_both_get_through(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadlock is nobody's fault: no message loses an attempt, and none goes to the dead letters."""
    seen: dict[str, int] = {}
    both = threading.Barrier(2, timeout=10)
    real = worker_module.process

    def crossing(store, row, profile):  # type: ignore[no-untyped-def]
        mine, other = ("x", "y") if row.control_id == "first" else ("y", "x")
        store.connection.execute(text("INSERT INTO claim VALUES (:k, :k) ON CONFLICT (key) DO UPDATE SET holder = :k"), {"k": mine})
        seen[row.control_id] = seen.get(row.control_id, 0) + 1
        if sum(seen.values()) <= 2:
            both.wait()
        store.connection.execute(text("INSERT INTO claim VALUES (:k, :k) ON CONFLICT (key) DO UPDATE SET holder = :k"), {"k": other})
        return real(store, row, profile)

    monkeypatch.setattr(worker_module, "process", crossing)
    monkeypatch.setattr(worker_module.claims, "AT_ONCE", 1)
    take(hospital, "ADT^A28", "P1", id="first", name="测试甲")
    take(hospital, "ADT^A28", "P2", id="second", name="测试乙")
    workers = [Worker(hospital.database, hospital.inbox.shelf, name) for name in "ab"]
    for one in workers:
        one.start()
    settled(hospital)
    for one in workers:
        one.stop()
    assert [row.state for row in hospital.rows()] == ["done", "done"]
    assert sum(seen.values()) == 3, "one of the two was undone and came again"


def test_the_bell_wakes_a_worker_of_another_process_at_once(hospital: Hospital, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell_module, "SELDOM_SECONDS", 60.0)
    other = Database.open(migrated_url, rooms=ROOMS)
    working = Worker(other, hospital.inbox.shelf, "other")
    working.start()
    time.sleep(0.6)  # it has looked, found nothing and listens
    began = time.monotonic()
    take(hospital, "ADT^A28", "R1", name="测试丁")
    settled(hospital)
    assert time.monotonic() - began < 30, "it did not wait for its next look, a minute after the last one"
    assert other.bell.patience(0.5) == 60.0
    working.stop()
    other.close()
