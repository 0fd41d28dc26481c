"""Faults for real: killed while it works, a full disk, a locked database, a clock that jumps, slow lines and lines by the thousand."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hospital import Hospital, cadre
from peer import Peer

from healthsvc import clock
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store.journals import LineJournal
from healthsvc.store.journals_read import waiting as lying
from healthsvc.store.outbox import OUTBOX
from integrations.feeds import Feeds
from integrations.hl7v2.replies import belongs, read_reply
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.mllp.client import Client
from integrations.mllp.framing import wrap
from integrations.mllp.limits import Limits
from integrations.outbox import Courier, send_later

ROOT = Path(__file__).resolve().parents[2]
SITE = """
extends = "default"
profile = "h1"
version = 1
title = "x"
hospital = "h1"
[match]
sending_facility = "H1"
[send]
host = "127.0.0.1"
port = {port}
topics = ["person"]
people = "all"
"""


def adt(control_id: str, number: str = "C1", event: str = "A31", more: str = "") -> bytes:
    header = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^{event}|{control_id}|P|2.4\rEVN||20260105170124\r"
    return f"{header}PID|1||{number}^^^^IDCard||测试甲||19300101|M\r{more}".encode()


def child(script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)


WHOLE = """
import logging, sys, time, random
from pathlib import Path
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # nobody reads the pipe once the port is known
from healthsvc.rooms import ROOMS
from healthsvc.store import Database
from integrations.feeds import Feeds
from integrations.herald.herald import Herald, listeners
from integrations.hospitals.shelf import shelf
from integrations.outbox import Courier
from integrations.worker import Worker
import integrations.worker
from datetime import timedelta
integrations.worker.LEASE_LENGTH = timedelta(seconds=0.2)
import integrations.herald.herald as h, integrations.outbox as o
h.LEASE_LENGTH = o.LEASE_LENGTH = timedelta(seconds=0.2)
database = Database.open(sys.argv[1], rooms=ROOMS)
known = shelf(Path(sys.argv[2]))
feeds = Feeds(database, known, "127.0.0.1", 0)
port = feeds.start()
name = str(time.time())
parts = [Worker(database, known, name), Herald(database, known, name)]
parts += [Courier(database, one.destination, random.random, name) for one in listeners(known)]
for part in parts:
    part.start()
print("port", port, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_killed_again_and_again_nothing_is_lost_and_nothing_has_its_effect_twice(tmp_path: Path, rounds: int) -> None:
    """From the hospital's line through the files to the other hospital's line: every message acknowledged has its effect once, and leads
    to its message, which the peer may see again only under its old number."""
    peer = Peer(lambda control_id, times: "AA")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "h1.toml").write_text(SITE.format(port=peer.port).replace('"h1"', '"h2"').replace('"H1"', '"H2"'))
    url = f"sqlite:///{tmp_path}/whole.sqlite"
    Database.open(url, rooms=ROOMS).close()
    acknowledged: list[str] = []
    for turn in range(rounds + 1):
        running = child(WHOLE, url, str(tmp_path / "site"))
        assert running.stdout is not None
        port = next(int(line.split()[1]) for line in running.stdout if line.startswith("port "))
        stop = time.monotonic() + (0.3 + 0.13 * (turn % 7) if turn < rounds else 1.0)
        threads = [threading.Thread(target=_talk, args=(port, f"{turn}-{name}", stop, acknowledged)) for name in range(3)]
        for thread in threads:
            thread.start()
        if turn < rounds:
            time.sleep(max(0.0, stop - time.monotonic()))
            os.kill(running.pid, signal.SIGKILL)
        for thread in threads:
            thread.join(20)
        if turn == rounds:
            _settle(url, 60 + 20 * rounds)
            running.terminate()
        running.wait()
        running.stdout.close()
    peer.close()
    database = Database.open(url, rooms=ROOMS)
    with database.reading(SYSTEM, at=clock.now()) as store:
        rows = store.connection.execute(INBOX.select()).all()
        files = {number["value"]: one for one in store.select("Patient") for number in one["identifier"]}
        left = store.connection.execute(OUTBOX.select()).all()
    database.close()
    kept = Counter(row.control_id for row in rows)
    assert acknowledged
    assert set(acknowledged) <= set(kept)
    assert set(kept.values()) == {1}
    assert {row.state for row in rows} == {"done"}
    assert set(files) >= {f"N{control_id}" for control_id in acknowledged}
    assert {one["meta"]["versionId"] for one in files.values()} == {"1"}, "each message had its effect once"
    assert {row.state for row in left} <= {"done"}
    told = [raw.decode().split("PID|1||")[1].split("^")[0] for raw in peer.raw]
    assert len(set(peer.got)) == len(left), "every message has one number, however often it went out"
    assert len(set(told)) == len(left)


def _talk(port: int, name: str, stop: float, acknowledged: list[str]) -> None:
    try:
        with Client("127.0.0.1", port, belongs, seconds=5) as client:
            number = 0
            while time.monotonic() < stop:
                control_id = f"{name}-{number}"
                if read_reply(client.send(adt(control_id, f"N{control_id}", "A28"))).code == "AA":
                    acknowledged.append(control_id)
                number += 1
    except Exception:  # noqa: BLE001 - the server was killed under it, which is the point
        return


def _settle(url: str, seconds: float) -> None:
    database = Database.open(url, rooms=ROOMS)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with database.reading(SYSTEM, at=clock.now()) as store:
            pending = store.connection.execute(INBOX.select().where(INBOX.c.state == "pending").limit(1)).first()
            waiting = store.connection.execute(OUTBOX.select().where(OUTBOX.c.state == "due").limit(1)).first()
        if pending is None and waiting is None:
            time.sleep(1.2)  # the herald looks every half second
            with database.reading(SYSTEM, at=clock.now()) as store:
                undone = INBOX.select().where(INBOX.c.state == "pending"), OUTBOX.select().where(OUTBOX.c.state == "due")
                if not any(store.connection.execute(one.limit(1)).first() for one in undone) and not lying(store.connection):
                    break
        time.sleep(0.2)
    database.close()


FULL = """
import json, resource, signal, sys
from healthsvc.store import Database
from integrations.feeds import Feeds
from integrations.hospitals.shelf import shelf
from integrations.hl7v2.replies import belongs, read_reply
from integrations.mllp.client import Client
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = Database.open(sys.argv[1])
feeds = Feeds(database, shelf(), "127.0.0.1", 0)
line = Client("127.0.0.1", feeds.start(), belongs, seconds=60)
def say(n, size):
    raw = f"MSH|^~\\&|HIS|H1|C|C|2026||ADT^A31|F{n}|P|2.4\\rEVN||2026\\rPID|1||C1^^^^IDCard||x\\rNTE|1||{'x' * size}\\r".encode()
    here = sys.argv[2] == "line"
    reply = read_reply(line.send(raw) if here else feeds.inbox.take_now(raw, "127.0.0.1:1", "127.0.0.1"))
    return reply.code, reply.text
told = {}
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
for n in range(40):
    told[n] = say(n, 200_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
again = {n: say(n, 200_000)[0] for n in told}
line.close()
feeds.stop()
from healthsvc import clock
from healthsvc.store import SYSTEM
from integrations.keep import INBOX
with database.reading(SYSTEM, at=clock.now()) as store:
    kept = [row.control_id for row in store.connection.execute(INBOX.select())]
print(json.dumps([told, again, kept]))
"""


@pytest.mark.parametrize("door", ["line", "now"])
def test_a_full_disk_is_answered_ae_and_nothing_half_is_kept(tmp_path: Path, door: str) -> None:
    running = child(FULL, f"sqlite:///{tmp_path}/full.sqlite", door)
    out, _ = running.communicate(timeout=120)
    told, again, kept = json.loads(out.splitlines()[-1])
    codes = Counter(code for code, _ in told.values())
    assert set(codes) == {"AA", "AE"}, codes
    assert all("send it again" in text for code, text in told.values() if code == "AE")
    assert set(again.values()) == {"AA"}, "with room again everything is taken"
    assert Counter(kept) == Counter(f"F{n}" for n in told)


def test_a_locked_database_is_answered_ae_and_then_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("healthsvc.store.engine.BUSY_MILLISECONDS", 300)
    database = Database.open(f"sqlite:///{tmp_path}/locked.sqlite")
    inbox = Inbox(database, shelf())
    inbox.start()
    with closing(sqlite3.connect(tmp_path / "locked.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reply = read_reply(inbox.take_now(adt("L1"), "127.0.0.1:1", "127.0.0.1"))
        assert (reply.code, reply.control_id) == ("AE", "L1")
        other.execute("COMMIT")
    assert read_reply(inbox.take_now(adt("L1"), "127.0.0.1:1", "127.0.0.1")).code == "AA"
    inbox.stop()
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert [row.control_id for row in store.connection.execute(INBOX.select())] == ["L1"]
    database.close()


def test_what_must_wait_for_a_locked_database_holds_up_its_own_line_alone(database: Database) -> None:
    feeds = Feeds(database, shelf(), "127.0.0.1", 0, journal=LineJournal.take(database))
    feeds.start()
    said: list[str] = []

    def odd(line: Client) -> None:
        said.append(read_reply(line.send(adt("ODD", event="A40"))).code)

    try:
        with Client("127.0.0.1", feeds.port, belongs) as first, Client("127.0.0.1", feeds.port, belongs) as second:
            with closing(sqlite3.connect(database.engine.url.database or "", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                waits = threading.Thread(target=odd, args=[first])
                waits.start()
                while not any(one.messages for one in feeds.lines()):
                    time.sleep(0.001)
                assert [read_reply(second.send(adt(f"P{n}"))).code for n in range(50)] == ["AA"] * 50
                assert said == [], "it is refused once that is on disk"
                other.execute("ROLLBACK")
            waits.join()
            assert said == ["AE"]
            assert read_reply(first.send(adt("AFTER"))).code == "AA"
    finally:
        feeds.stop()


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_holds_nothing_up(database: Database, jump: timedelta) -> None:
    hospital = Hospital(database)
    patient, _ = cadre(database)
    with database.writing(SYSTEM, at=clock.now()) as store:
        send_later(store, "h1", patient, "MSH|^~\\&|A|B|C|D|2026||ADT^A31|1|P|2.4\r")
    first = hospital.inbox.take_now(adt("J1"), "127.0.0.1:1", "127.0.0.1")
    peer = Peer(lambda control_id, times: "AA")
    courier = Courier(database, _to(peer), lambda: 0.5)
    with time_machine.travel(clock.now() + jump, tick=True):
        assert hospital.inbox.take_now(adt("J1"), "127.0.0.1:1", "127.0.0.1") == first
        hospital.inbox.take_now(adt("J2"), "127.0.0.1:1", "127.0.0.1")
        hospital.worker.drain()
        assert [row.state for row in hospital.rows()] == ["done", "done"]
        assert courier.round(clock.utc_now()) == 1
    courier.stop()
    peer.close()
    hospital.inbox.stop()


def _to(peer: Peer) -> Any:
    from integrations.hospitals.destination import Destination

    return Destination("h1", "127.0.0.1", peer.port, 5.0)


@pytest.fixture
def line(database: Database) -> Iterator[Callable[[Limits], Feeds]]:
    opened: list[Feeds] = []

    def start(limits: Limits) -> Feeds:
        opened.append(Feeds(database, shelf(), "127.0.0.1", 0, limits=limits))
        opened[-1].start()
        return opened[-1]

    yield start
    for one in opened:
        one.stop()


def test_a_line_that_sends_a_byte_now_and_then_is_closed(line: Callable[[Limits], Feeds], database: Database) -> None:
    feeds = line(Limits(half_frame_seconds=0.4, frame_seconds=1.0))
    with closing(socket.create_connection(("127.0.0.1", feeds.port), timeout=5)) as slow:
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011, PT012 - reset or broken pipe, as the system has it
            for byte in b"\x0b" + adt("SLOW") * 50:
                slow.sendall(bytes([byte]))
                time.sleep(0.02)
        assert 0.9 < time.monotonic() - began < 5
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert store.connection.execute(INBOX.select()).all() == []


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_connections_by_the_thousand_are_refused_cleanly_and_the_held_ones_live(line: Callable[[Limits], Feeds], count: int) -> None:
    feeds = line(Limits(connections=4, per_peer=4))
    with Client("127.0.0.1", feeds.port, belongs) as held:
        assert read_reply(held.send(adt("H0"))).code == "AA"
        files = len(os.listdir("/proc/self/fd"))
        begun = 0
        while begun < count:
            crowd = [socket.create_connection(("127.0.0.1", feeds.port), timeout=5) for _ in range(100)]
            begun += len(crowd)
            for one in crowd:
                one.close()
            if begun % 1000 == 0:
                assert read_reply(held.send(adt(f"H{begun}"))).code == "AA"
        ends = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) > files + 5 and time.monotonic() < ends:
            time.sleep(0.05)
        assert len(os.listdir("/proc/self/fd")) <= files + 5, "no file is left open"
        assert read_reply(held.send(adt("LAST"))).code == "AA"
        assert 1 <= len(feeds.lines()) <= 4


def test_one_address_cannot_take_all_lines(line: Callable[[Limits], Feeds]) -> None:
    feeds = line(Limits(connections=10, per_peer=2))
    held = [socket.create_connection(("127.0.0.1", feeds.port), timeout=2) for _ in range(2)]
    for one in held:
        one.sendall(wrap(adt("A")))
        assert one.recv(10)
    with closing(socket.create_connection(("127.0.0.1", feeds.port), timeout=2)) as third, pytest.raises(OSError):  # noqa: PT011, PT012
        if third.recv(10) == b"":
            raise ConnectionResetError
    for one in held:
        one.close()
