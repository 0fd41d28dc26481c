"""Laying tables out by county while all goes wrong: its process is killed, another is called, the disk is full, a standby reads."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import postgres
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from test_tenancy import lay_out, note, parts, person, put, tree

from healthsvc import clock
from healthsvc.access.door import narrowed
from healthsvc.errors import Conflict, Unavailable
from healthsvc.store import SYSTEM, Actor, Database
from healthsvc.store.replica import LONG
from healthsvc.store.tenancy import lay

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 90
DISK_MIB = 320
OPERATOR = """
import sys
from healthsvc.store.tenancy import lay
lay.PORTION, lay.COMPARED = 20, 50
with lay.alone(sys.argv[1]) as engine:
    lay.lay_out(engine, "county", lambda *step: print(*step, flush=True))
"""


@pytest.fixture
def server() -> Iterator[postgres.Cluster]:
    with postgres.cluster("-c fsync=off -c min_wal_size=32MB -c max_wal_size=64MB", disk_mib=DISK_MIB) as one:
        yield one


@pytest.fixture
def database(server: postgres.Cluster) -> Iterator[Database]:
    with closing(Database.open(server.url, validate=lambda _: [])) as opened:
        with opened.writing(SYSTEM, at=clock.now()) as store:
            tree(store)
            for number in range(PEOPLE):
                store.put(person(f"p{number}", ("east-1", "west-1", "city")[number % 3]))
                store.put(note(f"n{number}", f"p{number}"))
        yield opened


def operator(url: str, until: str = "") -> str:
    """Call the operator's command in a process of its own, and kill -9 it when it has come to a step; gives what it said at its end."""
    words = [sys.executable, "-c", OPERATOR, url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as one:
        try:
            assert one.stdout is not None
            assert one.stderr is not None
            for line in one.stdout:
                if until and line.startswith(until):
                    return ""
            return one.stderr.read()
        finally:
            one.kill()


def test_killed_called_twice_and_without_room_it_goes_on_and_loses_nothing(server: postgres.Cluster, database: Database) -> None:
    stop, written = threading.Event(), set[str]()

    def write() -> None:
        number = 0
        while not stop.is_set():
            id = f"w{number}"
            try:
                put(database, person(id, ("east-1", "west-1")[number % 2]), note(f"n-{id}", id), person("p0", ("east", "west")[number % 2]))
            except (Unavailable, Conflict):  # the server is full, or comes back
                time.sleep(0.05)
                continue
            written.add(id)
            number += 1
            time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert operator(server.url, "copy resource") == ""
        with server.full():
            full_disk(server)
        ends = time.monotonic() + 60
        while (told := operator(server.url, "index")).rstrip().endswith("try again"):  # the server is just coming back
            assert time.monotonic() < ends, told
        assert told == ""
        with lay.alone(server.url):
            assert "another `healthsvc partition` is under way" in operator(server.url)
        assert operator(server.url, "compare resource") == ""
        before = len(written)
        lay_out(database)
        ends = time.monotonic() + 60
        while len(written) < before + 5:
            assert time.monotonic() < ends, "writers do not go on"
            time.sleep(0.05)
    finally:
        stop.set()
        writer.join()
    found = parts(database)
    assert {f"Patient/{id}" for id in written} <= found.keys()
    assert all(found[f"Patient/p{number}"] == found[f"Basic/n{number}"] == (1, 2, 0)[number % 3] for number in range(1, PEOPLE))
    assert all(found[f"Patient/{id}"] == found[f"Basic/n-{id}"] == int(id[1:]) % 2 + 1 for id in written)


def full_disk(server: postgres.Cluster) -> None:
    """The operator calls while the disk is full: he is told, and nothing is switched."""
    try:
        with lay.alone(server.url) as engine:
            lay.lay_out(engine, "county")
    except (Unavailable, OperationalError):
        return
    raise AssertionError("nothing can be copied to a disk that is full")


def test_a_standby_reads_beside_the_switch_and_afterwards_each_county_its_own(server: postgres.Cluster, database: Database) -> None:
    standby = server.standby()
    standby.start()
    try:
        with closing(
            Database.open(server.url, validate=lambda _: [], replica=standby.url, replica_patience=10.0, replica_bound=30.0)
        ) as pair:
            doctor = Actor("user/d", "d", frozenset({"doctor"}), "page", areas=frozenset({"Organization/east"}))
            stop, seen, far = threading.Event(), list[int](), list[bool]()

            def read() -> None:
                while not stop.is_set():
                    with pair.reading(SYSTEM, at=clock.now(), read=LONG) as store:
                        seen.append(len(store.select("Patient")))
                        far.append(bool(store.connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()))

            reader = threading.Thread(target=read)
            reader.start()
            try:
                lay_out(pair)
                put(pair, person("p-after", "east-1"), note("n-after", "p-after"))
            finally:
                stop.set()
                reader.join()
            assert set(seen) <= {PEOPLE + 5, PEOPLE + 6}, "nobody was ever missing"
            assert any(far)
            pair.laid = type(pair.laid)()
            with pair.reading(doctor, at=clock.now(), read=LONG) as store:
                narrowed(store)
                assert store.connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one() is True
                found = {one["id"] for one in store.select("Patient")}
            assert found == {"p-east", "p-east2", "p-after", *(f"p{number}" for number in range(0, PEOPLE, 3))}
    finally:
        standby.stop()
        standby.remove()
