"""Long work on both engines: left in a transaction, seen while it goes on, taken over from the dead, and its effect exactly once."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from healthsvc import clock
from healthsvc.errors import Invalid, RuleViolation, Unavailable
from healthsvc.store import SYSTEM, Database, Store, progress, work
from healthsvc.store.work import Report, State, Work, defer, find, run
from healthsvc.store.work_queue import prepare
from integrations.longwork import runner as running
from integrations.longwork.runner import runner

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys, time
from datetime import timedelta
from healthsvc.store import Database, work
from integrations.longwork import runner as running
work.LEASE_LENGTH = timedelta(seconds=1)
running.SILENT_SECONDS, running.SWEEP_SECONDS, running.LOST_AFTER = 2.0, 0.5, timedelta(seconds=1)
def slowly(database, work, report):
    report(1, 3)
    print("began", flush=True)
    time.sleep(60)
database = Database.open(sys.argv[1], validate=lambda _: [])
running.runner(database, {"x": slowly}).start()
time.sleep(60)
"""


@pytest.fixture
def database(engine_url: str) -> Iterator[Database]:
    opened = Database.open(engine_url, validate=lambda _: [])
    prepare(opened.engine)
    yield opened
    opened.close()


def leave(database: Database, kind: str = "x", **asked: Any) -> str:
    with database.writing(SYSTEM, at=clock.now()) as store:
        return defer(store, kind, asked)


def seen(database: Database, id: str) -> Work:
    with database.reading(SYSTEM, at=clock.now()) as store:
        found = find(store, id)
    assert found is not None
    return found


def effects(database: Database) -> int:
    with database.reading(SYSTEM, at=clock.now()) as store:
        return len(store.select("Basic"))


def wait(until: Callable[[], object], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.05)


def effect(database: Database, work: Work, report: Callable[[int, int], None]) -> Callable[[Store], Mapping[str, Any]]:
    report(0, 2)
    report(1, 2)

    def finish(store: Store) -> Mapping[str, Any]:
        made = store.create({"resourceType": "Basic", "code": {"text": str(work.asked.get("text"))}})
        return {"id": made["id"]}

    return finish


def test_it_is_done_once_and_told(database: Database) -> None:
    id = leave(database, text="甲")
    assert (seen(database, id).state, seen(database, id).asked) == (State.WAITING, {"text": "甲"})
    assert run(database, id, {"x": effect}) is State.DONE
    assert run(database, id, {"x": effect}) is None
    told = seen(database, id)
    said = told.as_json()
    assert {name: said[name] for name in ("id", "kind", "state", "done", "total", "by", "result")} == {
        "id": id, "kind": "x", "state": "done", "done": 2, "total": 2, "by": SYSTEM.name, "result": told.result,
    }  # fmt: skip
    assert said["created"] <= said["begun"] <= said["finished"]
    assert effects(database) == 1


def test_a_step_that_nobody_can_count_is_told_while_it_goes_on(database: Database) -> None:
    told = []

    def slowly(database: Database, work: Work, report: Report) -> Any:
        for step in ("", "compiling", ""):
            report(0, 2, step)
            told.append(seen(database, work.id).as_json().get("step"))
        report(1, 2, "compiling")
        return lambda _: {}

    id = leave(database)
    assert run(database, id, {"x": slowly}) is State.DONE
    assert told == [None, "compiling", None]
    assert "step" not in seen(database, id).as_json()


def test_what_is_refused_says_why_and_what_does_not_answer_is_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise Invalid("the day is over")

    def broken(*_: object) -> Any:
        raise KeyError("测试甲")

    def away(*_: object) -> Any:
        raise Unavailable("not now")

    for kind, words in ((refused, "the day is over"), (broken, "it broke: KeyError")):
        id = leave(database)
        assert run(database, id, {"x": kind}) is State.FAILED
        assert seen(database, id).error == words
    monkeypatch.setattr(work, "AGAIN_SECONDS", 0)
    id = leave(database)
    assert run(database, id, {"x": away}) is State.WAITING
    assert run(database, id, {"x": effect}) is State.DONE
    id = leave(database)
    for _ in range(work.MOST_ATTEMPTS):
        assert run(database, id, {"x": away}) is State.WAITING
    assert run(database, id, {"x": away}) is None
    assert seen(database, id).state is State.FAILED


def test_what_is_called_off_has_no_effect_and_whoever_is_at_it_stops(database: Database) -> None:
    waiting, running = leave(database), leave(database)
    off(database, waiting)
    assert run(database, waiting, {"x": effect}) is None

    def called_off(database: Database, task: Work, report: Callable[[int, int], None]) -> Any:
        report(1, 2)
        off(database, task.id)
        return effect(database, task, report)

    assert run(database, running, {"x": called_off}) is None
    assert (seen(database, running).state, effects(database)) == (State.CANCELLED, 0)
    with pytest.raises(RuleViolation):
        off(database, running)


def test_a_job_longer_than_its_lease_keeps_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LEASE_LENGTH", timedelta(seconds=0.6))
    monkeypatch.setattr(work, "TELL_SECONDS", 0.1)

    def silent(database: Database, task: Work, report: Callable[[int, int], None]) -> Any:
        time.sleep(1.5)
        assert run(database, task.id, {"x": effect}) is None, "nobody takes it over"
        with database.reading(SYSTEM, at=clock.now()) as store:
            assert task.id not in work.open_to_take(store.connection, clock.utc_now())
        return effect(database, task, report)

    assert run(database, leave(database), {"x": silent}) is State.DONE
    assert effects(database) == 1


def test_what_is_handed_over_is_there_until_the_end_and_old_work_goes(database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        id = defer(store, "x", {}, about="2031-03-04", paper="姓名\n测试甲".encode())
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert work.paper_of(store, id).decode() == "姓名\n测试甲"
        found = progress.underway(store, "x", "2031-03-04")
        assert found is not None
        assert found.id == id
    assert run(database, id, {"x": effect}) is State.DONE
    kept = leave(database)
    with database.writing(SYSTEM, at=clock.now() + timedelta(days=31)) as store:
        assert work.paper_of(store, id) == b""
        assert progress.underway(store, "x", "2031-03-04") is None
        assert progress.forget(store) == 1, "what waits is not forgotten"
        assert [one.id for one in progress.mine(store)] == [kept]


def off(database: Database, id: str) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        progress.cancel(store, id)


def test_who_was_given_up_and_comes_back_has_no_effect(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    id = leave(database)

    def overtaken(database: Database, task: Work, report: Callable[[int, int], None]) -> Any:
        with database.plainly() as connection:  # as if it had slept beyond its lease
            connection.execute(work.ROWS.update().values(until=0))
        assert run(database, id, {"x": effect}) is State.DONE
        return effect(database, task, lambda *_: None)

    assert run(database, id, {"x": overtaken}) is None
    assert effects(database) == 1


def test_a_runner_does_what_is_left_and_nothing_that_was_taken_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing(SYSTEM, at=clock.now()) as store:  # noqa: PT012
        defer(store, "x", {})
        raise RuntimeError
    working = [runner(database, {"x": effect}) for _ in range(2)]
    for one in working:
        one.start()
    ids = [leave(database) for _ in range(6)]
    wait(lambda: all(seen(database, id).state is State.DONE for id in ids))
    for one in working:
        one.stop()
    assert effects(database) == 6


def test_a_runner_that_stops_leaves_its_work_at_the_next_step_and_another_does_it(database: Database) -> None:
    begun, steps = threading.Event(), []

    def slowly(database: Database, work: Work, report: Callable[[int, int], None]) -> Callable[[Store], Mapping[str, Any]]:
        for step in range(2000):
            report(step, 2000)
            steps.append(step)
            begun.set()
            time.sleep(0.01)
        return effect(database, work, report)

    first, second = runner(database, {"x": slowly}), runner(database, {"x": effect})
    first.start()
    id = leave(database)
    assert begun.wait(20)
    first.stop()
    assert len(steps) < 2000
    assert seen(database, id).state is State.WAITING
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert store.connection.execute(text("SELECT attempts, holder FROM work")).one() == (0, "")
    second.start()
    wait(lambda: seen(database, id).state is State.DONE)
    second.stop()
    assert effects(database) == 1


def test_work_of_a_killed_worker_is_taken_over(engine_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, engine_url], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    id = leave(database)
    assert next(line for line in child.stdout if line.startswith("began"))
    assert (seen(database, id).state, seen(database, id).done, seen(database, id).total) == (State.RUNNING, 1, 3)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    monkeypatch.setattr(running, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(running, "SWEEP_SECONDS", 0.5)
    monkeypatch.setattr(running, "LOST_AFTER", timedelta(seconds=1))
    working = runner(database, {"x": effect})
    working.start()
    wait(lambda: seen(database, id).state is State.DONE)
    working.stop()
    assert effects(database) == 1


def test_work_that_an_older_process_does_not_know_waits_for_a_newer_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a rolling upgrade the first new process may leave what the others have never heard of."""
    id = leave(database, "new-kind", text="a")
    for _ in range(work.MOST_ATTEMPTS + 1):
        assert run(database, id, {}) is State.WAITING
        with database.plainly() as connection:
            connection.execute(text("UPDATE work SET until = 0"))
    assert run(database, id, {"new-kind": effect}) is State.DONE
    assert effects(database) == 1
    monkeypatch.setattr(work, "UNKNOWN_FOR", timedelta(0))
    id = leave(database, "nobodys", text="a")
    assert run(database, id, {}) is State.FAILED


def test_work_that_kills_whoever_begins_it_is_given_up(database: Database) -> None:
    id = leave(database, "x", text="a")
    for _ in range(work.MOST_ATTEMPTS):
        assert work._take(database, id, "somebody who dies") is not None
        with database.plainly() as connection:  # and whose lease ends
            connection.execute(text("UPDATE work SET until = 0"))
    assert run(database, id, {"x": effect}) is None
    assert seen(database, id).state is State.FAILED
    assert "never came to an end" in str(seen(database, id).error)
    assert effects(database) == 0
