"""The worker: exactly once whatever happens to it, in order, and nobody waits for somebody else's trouble."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthsvc import clock
from healthsvc.errors import Unavailable
from healthsvc.fhir.systems import hospital_number
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, lease
from healthsvc.store.inbox_tables import InboxRow
from integrations import worker as worker_module
from integrations.hospitals.shelf import Shelf, load, read, shelf
from integrations.inbox import Inbox
from integrations.worker import LEASE, LEASE_LENGTH, Worker

INBOX = InboxRow.__table__  # type: ignore[attr-defined]
LISTEN = "127.0.0.1:2575"


def adt(
    control_id: str, number: str = "C1", event: str = "A31", phone: str = "", name: str = "测试甲", at: str = "20260105170124"
) -> bytes:
    header = f"MSH|^~\\&|HIS|H1|C|C|{at}||ADT^{event}|{control_id}|P|2.4\rEVN||{at}\r"
    return f"{header}PID|1||{number}^^^^IDCard||{name}||19300101|M|||||^^^^^^{phone}\r".encode()


@pytest.fixture
def inbox(database: Database) -> Iterator[Inbox]:
    opened = Inbox(database, shelf())
    opened.start()
    yield opened
    opened.stop()


def rows(database: Database) -> list[object]:
    with database.reading(SYSTEM, at=clock.now()) as store:
        return list(store.connection.execute(INBOX.select().order_by(INBOX.c.id)))


def test_one_persons_messages_have_their_effect_in_order(inbox: Inbox, database: Database) -> None:
    for n in range(40):
        inbox.take_now(adt(f"M{n}", phone=f"1200000{n:04}", at=f"202601051701{n:02}"), LISTEN, "")
    assert Worker(database, inbox.shelf, "t").drain() == 40
    with database.reading(SYSTEM, at=clock.now()) as store:
        [person] = store.select("Patient")
        assert person["telecom"][0]["value"] == "12000000039"
        phones = [stored.resource["telecom"][0]["value"] for stored in store.history("Patient", person["id"])]
    assert phones == sorted(phones, reverse=True)


def test_a_database_that_does_not_answer_postpones_and_then_gives_up(
    inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.take_now(adt("M1"), LISTEN, "")
    real = worker_module.process

    def busy(*_: object) -> None:
        raise Unavailable("the database does not answer: database is locked; try again")

    monkeypatch.setattr(worker_module, "process", busy)
    working = Worker(database, inbox.shelf, "t")
    working.round()
    [row] = rows(database)
    assert (row.state, row.attempts) == ("pending", 1)  # type: ignore[attr-defined]
    assert row.due > row.received  # type: ignore[attr-defined]
    assert working.round() == 0, "not before it is due"
    monkeypatch.setattr(worker_module, "process", real)
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.connection.execute(INBOX.update().values(due=0))
    working.round()
    assert rows(database)[0].state == "done"  # type: ignore[attr-defined]


def test_what_breaks_the_program_is_set_aside_and_the_next_goes_on(
    inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.take_now(adt("BAD", "C1"), LISTEN, "")
    inbox.take_now(adt("GOOD", "C2", name="测试乙"), LISTEN, "")
    real = worker_module.process

    def broken(store: object, row: object, profile: object) -> object:
        if row.control_id == "BAD":  # type: ignore[attr-defined]
            raise KeyError("somebody's name")
        return real(store, row, profile)  # type: ignore[arg-type]

    monkeypatch.setattr(worker_module, "process", broken)
    Worker(database, inbox.shelf, "t").drain()
    bad, good = rows(database)
    assert (bad.state, bad.reason) == ("dead", "internal")  # type: ignore[attr-defined]
    assert "somebody" not in bad.remark  # type: ignore[attr-defined]
    assert good.state == "done"  # type: ignore[attr-defined]


def test_two_workers_do_nothing_twice(inbox: Inbox, database: Database) -> None:
    for n in range(30):
        inbox.take_now(adt(f"M{n}", number=f"C{n}", name=f"测试{n}"), LISTEN, "")
    import threading

    both = [threading.Thread(target=Worker(database, inbox.shelf, name).drain) for name in ("a", "b")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert len(store.select("Patient")) == 30
        assert all(person["meta"]["versionId"] == "1" for person in store.select("Patient"))
        assert len(store.select("Provenance")) == 30


def test_on_sqlite_only_the_holder_of_the_lease_works_and_gives_it_back(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/one.sqlite", rooms=ROOMS)
    inbox = Inbox(database, shelf())
    inbox.start()
    with database.writing(SYSTEM, at=clock.utc_now()) as store:
        lease.take(store.connection, LEASE, "another", clock.utc_now(), LEASE_LENGTH)
    working = Worker(database, inbox.shelf, "me")
    working.start()
    inbox.take_now(adt("M1"), LISTEN, "")
    time.sleep(0.3)
    assert rows(database)[0].state == "pending"  # type: ignore[attr-defined]
    with database.writing(SYSTEM, at=clock.utc_now()) as store:
        lease.give_back(store.connection, LEASE, "another")
    for _ in range(600):
        if rows(database)[0].state == "done":  # type: ignore[attr-defined]
            break
        time.sleep(0.05)
    working.stop()
    assert rows(database)[0].state == "done"  # type: ignore[attr-defined]
    inbox.stop()
    database.close()


@pytest.mark.parametrize(("policy", "state"), [("review", "review"), ("forget", "forgotten")])
def test_people_who_are_none_of_ours_by_policy_of_the_link(
    inbox: Inbox, database: Database, tmp_path: Path, policy: str, state: str
) -> None:
    site = tmp_path / "line.toml"
    site.write_text(f'extends = "default"\nprofile = "line"\nversion = 1\ntitle = "x"\nhospital = "h"\nunknown_person = "{policy}"\n')
    inbox.shelf = Shelf([read(site)], load("default"))
    assert b"MSA|AA|" in inbox.take_now(adt("M1"), LISTEN, "")
    Worker(database, inbox.shelf, "t").drain()
    [row] = rows(database)
    assert row.state == state  # type: ignore[attr-defined]
    assert (row.raw is None) == (policy == "forget"), "what is forgotten leaves no body"  # type: ignore[attr-defined]
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert store.select("Patient") == []


CHILD = """
import sys
from healthsvc.rooms import ROOMS
from healthsvc.store import Database
from integrations.hospitals.shelf import shelf
from integrations.worker import Worker
database = Database.open(sys.argv[1], rooms=ROOMS)
print("begun", flush=True)
Worker(database, shelf(), "child").drain()
"""


def test_killed_while_working_every_message_still_has_its_effect_exactly_once(inbox: Inbox, database: Database, tmp_path: Path) -> None:
    for n in range(60):
        inbox.take_now(
            adt(f"M{n}", number=f"C{n % 20}", name=f"测试{n % 20}", phone=f"1200000{n:04}", at=f"202601051701{n:02}"), LISTEN, ""
        )
    url = str(database.engine.url)
    child = subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
    assert child.stdout is not None
    next(line for line in child.stdout if line.startswith("begun"))
    time.sleep(0.2)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    Worker(database, inbox.shelf, "t").drain()
    assert {row.state for row in rows(database)} == {"done"}  # type: ignore[attr-defined]
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert len(store.select("Patient")) == 20
        assert len(store.select("Provenance")) == 60
        [person] = store.select("Patient", identifier=f"{hospital_number('h1')}|C19")
        assert person["telecom"][0]["value"] == "12000000059"
        assert person["meta"]["versionId"] == "3"
