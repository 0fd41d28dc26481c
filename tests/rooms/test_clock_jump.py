"""The machine's clock is set while the program runs, forward and back: timers, leases and sessions."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from healthsvc import clock, jobs
from healthsvc.access import accounts
from healthsvc.access.rules import SessionLife
from healthsvc.access.sessions import find_session, forget_sessions, open_session
from healthsvc.jobs import Job, Timers
from healthsvc.store import SYSTEM, Database, work
from healthsvc.store.work import defer, open_to_take, run
from integrations.leading import Lead

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
"""09:30 at the site."""
DAY = timedelta(days=1)
LIFE = SessionLife(timedelta(minutes=30), timedelta(hours=12))


@pytest.fixture
def database(engine_url: str) -> Iterator[Database]:
    opened = Database.open(engine_url, validate=lambda _: [])
    yield opened
    opened.close()


def until(found: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.02)


def test_a_running_timer_makes_up_for_what_was_jumped_over_and_runs_nothing_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE_LENGTH", timedelta(seconds=0.9))
    ran: list[datetime] = []
    with time_machine.travel(AT, tick=True) as now:
        timers = Timers(database, [Job("daily", "0 6 * * *", lambda store: ran.append(store.at))])
        timers.start()
        until(lambda: len(ran) == 1)
        now.shift(DAY)
        until(lambda: len(ran) == 2)
        now.shift(-2 * DAY)
        until(lambda: len(ran) == 3)  # the day before the first had not been run: its newest due time is made up for, once
        now.shift(DAY + timedelta(minutes=1))
        time.sleep(1.0)
        assert len(ran) == 3, "this day has been"
        now.shift(2 * DAY)
        until(lambda: len(ran) == 4)
        timers.stop()
    assert [one.date() - AT.date() for one in ran] == [0 * DAY, DAY, -DAY, 2 * DAY]


def test_a_job_that_takes_longer_than_the_lease_keeps_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE_LENGTH", timedelta(seconds=0.6))
    begun, go_on = threading.Event(), threading.Event()
    with time_machine.travel(AT, tick=True):
        first = Timers(database, [Job("long", "0 6 * * *", lambda _: (begun.set(), go_on.wait(10)))])
        first.start()
        assert begun.wait(10)
        if database.engine.dialect.name == "postgresql":  # on SQLite nobody could even try: the long job is the writer
            second = Lead(database, jobs.LEASE, "another", SYSTEM, jobs.LEASE_LENGTH)
            time.sleep(1.5)
            assert not second.held(), "the lease is renewed while the job runs"
        go_on.set()
        first.stop()


def test_a_lease_is_one_s_alone_after_the_clock_was_set(database: Database) -> None:
    length = timedelta(seconds=10)
    one, other = (Lead(database, "round", name, SYSTEM, length) for name in ("one", "other"))
    with time_machine.travel(AT, tick=False) as now:
        assert one.held()
        assert not other.held()
        now.shift(-DAY)
        assert one.held(), "whoever leads goes on"
        assert not other.held()
        now.shift(2 * DAY)
        leaders = [lead.held() for lead in (other, one)]
        # PostgreSQL's own clock judges there, and it was not set
        assert leaders == ([True, False] if database.engine.dialect.name == "sqlite" else [False, True])


def test_work_under_way_is_not_taken_over_when_the_clock_goes_back_and_not_lost_when_it_goes_on(database: Database) -> None:
    with time_machine.travel(AT, tick=True) as now:
        with database.writing(SYSTEM, at=clock.now()) as store:
            id = defer(store, "x", {})

        def jumps(database: Database, task: work.Work, report: Callable[[int, int], None]) -> Any:
            now.shift(-DAY)
            report(1, 2)
            assert run(database, id, {}) is None
            now.shift(DAY)
            report(2, 2)
            return lambda store: {"id": store.create({"resourceType": "Basic", "code": {"text": "x"}})["id"]}

        assert run(database, id, {"x": jumps}) is work.State.DONE
        with database.reading(SYSTEM, at=clock.now()) as store:
            assert len(store.select("Basic")) == 1
            assert open_to_take(store.connection, clock.utc_now()) == []


def test_sessions_end_by_a_clock_that_ran_ahead_and_none_outlives_it(database: Database) -> None:
    def alive(token: str) -> bool:
        return find_session(database, token, LIFE, at=clock.utc_now()) is not None

    def enter() -> str:
        with database.writing(SYSTEM, at=clock.utc_now()) as store:
            return open_session(store, "doctor1")[0]

    with time_machine.travel(AT, tick=False) as now:
        with database.writing(SYSTEM, at=clock.now()) as store:
            accounts.create_user(store, "doctor1", "doctor", name="陈医生", password="quiet-river-12x")
        token = enter()
        now.shift(timedelta(minutes=-10))
        assert alive(token), "a clock set back a little signs nobody out"
        now.shift(DAY)
        assert not alive(token)
        ahead = enter()
        assert alive(ahead)
        now.shift(-DAY)
        assert not alive(ahead), "it would live a day too long"
        with database.writing(SYSTEM, at=clock.utc_now()) as store:
            assert forget_sessions(store, LIFE) == 1
