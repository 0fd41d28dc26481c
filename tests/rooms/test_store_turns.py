"""Who writes next, and how the write-ahead log is emptied: nobody waits longer than for those before them."""

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import embedded
import pytest
from hospital import AT
from structlog.testing import capture_logs

from healthsvc.store import SYSTEM, Database
from healthsvc.store.checkpoints import Checkpoints
from healthsvc.store.handed_on import HandedOn


def in_line(turns: HandedOn, name: str, done: list[str], *, first: bool = False) -> threading.Thread:
    def write() -> None:
        assert turns.acquire(10, first=first)
        done.append(name)
        turns.release()

    thread = threading.Thread(target=write)
    thread.start()
    while len(turns._waiting) + len(turns._first) == in_line.waiting:  # type: ignore[attr-defined]
        time.sleep(0.001)
    in_line.waiting += 1  # type: ignore[attr-defined]
    return thread


def test_the_one_who_waited_longest_is_next_and_the_line_goes_before_all() -> None:
    turns, done = HandedOn(), list[str]()
    in_line.waiting = 0  # type: ignore[attr-defined]
    assert turns.acquire()
    waiting = [in_line(turns, name, done, first=name.startswith("line")) for name in ("a", "b", "line 1", "c", "line 2")]
    turns.release()
    for thread in waiting:
        thread.join(10)
    assert done == ["line 1", "line 2", "a", "b", "c"]
    assert turns.acquire(0.01)


def test_who_gives_up_is_passed_over() -> None:
    turns, done = HandedOn(), list[str]()
    in_line.waiting = 0  # type: ignore[attr-defined]
    assert turns.acquire()
    assert not turns.acquire(0.01)
    assert not turns.acquire(0.01, first=True)
    patient = in_line(turns, "patient", done)
    turns.release()
    patient.join(10)
    assert done == ["patient"]
    with turns:
        assert not turns.acquire(0)


def test_many_threads_never_write_at_the_same_time() -> None:
    turns, inside, most = HandedOn(), [0], [0]

    def work(number: int) -> None:
        for _ in range(200):
            if turns.acquire(0.0005 if number % 2 else -1, first=number % 3 == 0):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                turns.release()

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1]
    assert turns.acquire(1)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(embedded.made(tmp_path))


def locks_on(path: Path) -> set[str]:
    """What this process holds locked of a file: kinds and ranges of bytes."""
    inode = path.stat().st_ino
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return {" ".join(one[-5:-3] + one[-2:]) for one in held if one[-3].endswith(f":{inode}") and one[-4] == str(os.getpid())}


def test_to_look_at_the_log_gives_up_no_lock_that_keeps_other_programs_off(database: Database) -> None:
    """Without its lock on the index the next program that opens the database cuts the index off, and this one dies of it."""
    index = Path(f"{database.engine.url.database}-shm")
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Basic", "id": "b", "code": {"text": "x"}})
        before = locks_on(index)
        assert Checkpoints(database).pages() >= 0
        assert locks_on(index) == before
    assert before
    assert Checkpoints(database).pages() > 0
    with database.engine.connect() as connection:
        here = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
        assert Checkpoints(database).pages() == here[1]
    assert locks_on(index)
    other = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM resource').fetchone()[0])"
    seen = subprocess.run([sys.executable, "-c", other, str(database.engine.url.database)], capture_output=True, text=True, check=True)
    assert seen.stdout == "1\n"
    database.close()


def test_a_full_log_goes_into_the_file_and_is_begun_anew(database: Database) -> None:
    checkpoints = Checkpoints(database, pages=60)

    def write(number: int) -> None:
        with database.writing(SYSTEM, at=AT) as store:
            store.put({"resourceType": "Basic", "id": f"b{number}", "code": {"text": "x" * 3000}})

    checkpoints.turn()
    for number in range(20):
        write(number)
    full = checkpoints.pages()
    assert full >= 60
    assert checkpoints.turn()
    write(20)
    assert 0 < checkpoints.pages() < full
    assert not checkpoints.turn()
    checkpoints.start()
    for number in range(21, 60):
        write(number)
    until = time.monotonic() + 10
    while checkpoints.pages() >= 60 and time.monotonic() < until:
        time.sleep(0.05)
        write(60 + int(time.monotonic() * 1000) % 1000)
    checkpoints.stop()
    assert checkpoints.pages() < 60
    database.close()


def test_what_finds_no_room_on_the_disk_goes_into_the_file_once_there_is_some(database: Database) -> None:
    checkpoints = Checkpoints(database, pages=60)
    checkpoints.turn()
    for number in range(20):
        with database.writing(SYSTEM, at=AT) as store:
            store.put({"resourceType": "Basic", "id": f"r{number}", "code": {"text": "x" * 9000}})
    file, before = Path(database.engine.url.database or ""), resource.getrlimit(resource.RLIMIT_FSIZE)
    size = file.stat().st_size
    with capture_logs() as said:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            checkpoints.start()
            until = time.monotonic() + 10
            while not said and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [one["event"] for one in said[:1]] == ["the write-ahead log cannot be emptied now"]
    while file.stat().st_size == size and time.monotonic() < until:
        time.sleep(0.05)
    assert file.stat().st_size > size
    checkpoints.stop()
    database.close()
