"""Writers of several processes on one embedded database: each comes when it is its turn, none starves, none waits for a dead one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthsvc.errors import Unavailable
from healthsvc.store import Database, engine
from healthsvc.store.turns import Turns

ROOT = Path(__file__).resolve().parents[2]
GREEDY = """
import sys, time
from pathlib import Path
from healthsvc.store.turns import Turns
turns = Turns(Path(sys.argv[1]))
print("writes", flush=True)
while True:
    with turns.one(10):
        time.sleep(0.03)
"""


@pytest.fixture
def greedy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes thirty milliseconds and asks for the next turn at once."""
    child = subprocess.Popen([sys.executable, "-c", GREEDY, str(tmp_path / "x.sqlite")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == "writes\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_who_asks_has_the_next_turn_beside_a_process_that_writes_all_the_time(tmp_path: Path, greedy: subprocess.Popen[str]) -> None:
    turns = Turns(tmp_path / "x.sqlite")
    ours = 0
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        with turns.one(5) as taken:
            assert taken
        ours += 1
    turns.close()
    # each of our turns waits for one of the other's at most: some 45 in that time; without a queue one in a hundred milliseconds at best
    assert ours >= 15


def test_whoever_writes_sees_that_another_process_waits(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "x.sqlite"), Turns(tmp_path / "x.sqlite")
    with one.one(1) as taken:
        assert taken
        assert not one.wanted
        with other.one(0.05) as late:
            assert not late, "the turn is another's"
        waits = subprocess.Popen([sys.executable, "-c", GREEDY, str(tmp_path / "x.sqlite")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert waits.stdout is not None
        assert waits.stdout.readline() == "writes\n"
        ends = time.monotonic() + 10
        while not one.wanted:
            assert time.monotonic() < ends
            time.sleep(0.005)
        waits.kill()
        waits.wait()
        waits.stdout.close()
        assert not one.wanted, "a dead process waits no more"
    with other.one(1) as free:
        assert free
    one.close()
    other.close()


def test_where_no_queue_can_be_kept_a_writer_knows_that_it_must_pause(tmp_path: Path) -> None:
    orderly, gone = Turns(tmp_path / "x.sqlite"), Turns(tmp_path / "gone" / "x.sqlite")
    for turns in (orderly, gone):
        with turns.one(1) as taken:
            assert taken
    assert orderly.hands_on
    assert not gone.hands_on
    assert Turns(None).hands_on, "a server minds its writers itself"
    orderly.close()
    gone.close()


def test_a_database_says_so_when_its_turn_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 50)
    database = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", validate=lambda _: [])
    elsewhere = Turns(tmp_path / "healthsvc.sqlite")
    with elsewhere.one(1), pytest.raises(Unavailable, match="too long"), database.plainly():
        pass
    with database.plainly() as connection:
        connection.exec_driver_sql("UPDATE lease SET until = 0")
    elsewhere.close()
    database.close()
