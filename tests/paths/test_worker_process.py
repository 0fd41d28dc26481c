"""The worker of an embedded database in a process of its own: it moves there when many messages wait, and whoever of the two is killed,
every message has its effect once and in its person's order. Real processes, a real database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from healthsvc import clock
from healthsvc.config import Settings
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.stored import micros
from integrations import pulse
from integrations.beside import Beside
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox

PEOPLE = 20
PATIENCE_SECONDS = 60


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    opened = open_installation(settings=Settings(data=tmp_path / "data"))
    yield opened
    opened.close()


def telling(number: int) -> bytes:
    """The address of one of the people as it is now; the last word of each is the highest number."""
    text = f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120{number // 3600:02}{number // 60 % 60:02}{number % 60:02}||ADT^A08|W{number}|P|2.4"
    who = f"PID|1||MR{number % PEOPLE}^^^LWYY^PI||测试者||19300101|M|||住址{number}号"
    return f"{text}|||AL|AL|CHN|UNICODE UTF-8\rEVN|A08|20261120{number // 3600:02}{number // 60 % 60:02}{number % 60:02}\r{who}\r".encode()


def take(here: Installation, numbers: range) -> None:
    inbox = Inbox(here.database, shelf())
    answers = [arrival.code.value for arrival in inbox.take_all(map(telling, numbers), "127.0.0.1:1", "127.0.0.1")]
    assert set(answers) == {"AA"}


def states(here: Installation) -> dict[str, int]:
    with here.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT state, count(*) FROM inbox GROUP BY state").all()
    return {row[0]: row[1] for row in rows}


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def settled(here: Installation, count: int) -> None:
    until(lambda: not states(here).get("pending"))
    assert states(here) == {"done": count}
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        people = store.select("Patient")
        provenances = store.search("Provenance", "_summary=count").total
    last = {one["identifier"][0]["value"]: one["address"][0]["text"] for one in people}
    assert last == {f"MR{number % PEOPLE}": f"住址{number}号" for number in range(count - PEOPLE, count)}, "in the order of each person"
    assert provenances == count, "each message once"


def test_many_waiting_messages_are_worked_off_beside_and_a_killed_process_loses_none(here: Installation) -> None:
    take(here, range(200))
    beside = Beside(here, shelf(), "test", many=150)
    counted = REGISTRY.get_sample_value("healthsvc_hl7_processed_total", {"link": "default", "state": "done"}) or 0
    beside.start()
    try:
        until(lambda: beside.pid is not None)
        take(here, range(200, 400))
        until(lambda: states(here).get("done", 0) > 200)
        killed = beside.pid
        assert killed not in (None, os.getpid())
        os.kill(killed or 0, signal.SIGKILL)
        until(lambda: beside.pid is None)  # the thread here goes on
        settled(here, 400)
    finally:
        beside.stop()
    assert (REGISTRY.get_sample_value("healthsvc_hl7_processed_total", {"link": "default", "state": "done"}) or 0) > counted


def test_a_process_that_has_come_to_stand_still_is_ended_and_its_work_goes_on(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "SILENT_WORDS", 8)
    take(here, range(200))
    beside = Beside(here, shelf(), "test", many=150)
    beside.start()
    try:
        until(lambda: beside.pid is not None)
        take(here, range(200, 400))
        until(lambda: states(here).get("done", 0) > 200)
        frozen = beside.pid
        assert frozen not in (None, os.getpid())
        assert frozen
        os.kill(frozen, signal.SIGSTOP)  # with the lease, and where it so happens in the midst of a transaction
        until(lambda: beside.pid is None)
        with pytest.raises(ProcessLookupError):
            os.kill(frozen, signal.SIGCONT)
        settled(here, 400)
    finally:
        beside.stop()


def test_the_process_ends_with_its_parent_and_finishes_what_it_has_begun(here: Installation) -> None:
    take(here, range(40))
    words = [sys.executable, "-m", "integrations.beside", str(here.settings.data)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    assert '"ready"' in child.stdout.readline()
    child.send_signal(signal.SIGTERM)  # a service manager tells all processes: this one goes by its parent
    settled(here, 40)
    child.stdin.close()
    assert child.wait(timeout=PATIENCE_SECONDS) == 0
    child.stdout.close()
    with here.database.engine.connect() as connection:
        held_until = connection.exec_driver_sql("SELECT until FROM lease WHERE name = 'hospital-worker'").scalar_one()
    assert held_until <= micros(clock.utc_now()), "the lease is given back"


def test_few_messages_need_no_second_process(here: Installation) -> None:
    take(here, range(40))
    beside = Beside(here, shelf(), "test", many=300)
    beside.start()
    settled(here, 40)
    assert beside.pid is None
    beside.stop()
