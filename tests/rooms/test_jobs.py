"""Timers: one leader, every due time once, missed ones once and late."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from healthsvc import clock, jobs
from healthsvc.errors import NotFound, Unavailable
from healthsvc.jobs import LEASE, Job, Timers, newest_due, run_due
from healthsvc.jobs_desk import JobStanding, Timetable
from healthsvc.store import SYSTEM, Database, Store, lease

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 22, 9, 30, tzinfo=ZONE)
LENGTH = timedelta(seconds=15)


class Nothing:
    def is_type(self, name: str) -> bool:
        return False

    def extract(self, resource: object) -> None:
        raise AssertionError("timers write no resource here")


@pytest.fixture
def empty(engine_url: str) -> Iterator[Database]:
    opened = Database.open(engine_url, language=Nothing(), validate=lambda _: [])  # type: ignore[arg-type]
    yield opened
    opened.close()


def test_one_holds_the_lease_until_it_ends_and_the_token_grows(empty: Database) -> None:
    def take(holder: str, at: datetime) -> int | None:
        with empty.writing(SYSTEM, at=at) as store:
            return lease.take(store.connection, LEASE, holder, at, LENGTH)

    assert take("a", AT) == 1
    assert take("b", AT) is None
    assert take("a", AT + LENGTH / 2) == 1
    assert take("b", AT + LENGTH) is None
    assert take("b", AT + 2 * LENGTH) == 2
    with empty.writing(SYSTEM, at=AT) as store:
        lease.give_back(store.connection, LEASE, "b")
    assert take("a", AT + 2 * LENGTH) == 3


def test_a_due_time_runs_once_and_missed_ones_are_one(empty: Database) -> None:
    runs: list[datetime] = []
    job = Job("daily", "0 6 * * *", lambda store: runs.append(store.at))
    assert run_due(empty, job, AT)
    assert not run_due(empty, job, AT + timedelta(minutes=1))
    assert run_due(empty, job, AT + timedelta(days=5))
    assert not run_due(empty, job, AT + timedelta(days=5, hours=1))
    assert len(runs) == 2


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "0 6 * * *", "30 9 * * 1", "0 0 1 * *"]),
    st.integers(0, 3 * 86_400),
    st.integers(0, 86_400),
)
def test_the_newest_due_time_is_the_last_of_all_in_between(cron: str, back: int, on: int) -> None:
    trigger = CronTrigger.from_crontab(cron, timezone=ZONE)
    at = AT + timedelta(seconds=on)
    since = at - timedelta(seconds=back)
    all_between = []
    following = trigger.get_next_fire_time(None, since)
    while following is not None and following <= at:
        all_between.append(following)
        following = trigger.get_next_fire_time(following, following)
    assert newest_due(trigger, since, at) == (all_between[-1] if all_between else None)


def test_a_job_that_fails_leaves_no_firing_and_runs_again(empty: Database) -> None:
    calls: list[int] = []

    def work(_store: Store) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the first time it fails")

    job = Job("fragile", "0 6 * * *", work)
    with pytest.raises(RuntimeError):
        run_due(empty, job, AT)
    assert run_due(empty, job, AT)
    assert calls == [1, 1]


def test_what_an_operator_sees_of_a_job(empty: Database) -> None:
    """Last, next, failures with the name of the error only; one run by hand in a thread of its own."""
    broken = [True]
    ran = threading.Event()

    def work(_store: Store) -> None:
        if broken[0]:
            raise ZeroDivisionError("单国强")
        ran.set()

    job = Job("daily", "0 6 * * *", work)
    table = Timetable(empty, [job])

    def standing() -> JobStanding:
        with empty.reading(SYSTEM, at=clock.now(ZONE)) as store:
            [one] = table.standings(store)
        return one

    assert (standing().last, standing().failed, standing().is_running) == (None, None, False)
    assert standing().next is not None
    now = clock.now(ZONE)
    with pytest.raises(ZeroDivisionError):
        run_due(empty, job, now)
    assert standing().failed is not None
    assert standing().reason == "ZeroDivisionError"
    broken[0] = False
    assert run_due(empty, job, clock.now(ZONE)), "what failed is tried again"
    assert standing().failed is None
    assert standing().last is not None
    ran.clear()
    with empty.writing(SYSTEM, at=clock.now(ZONE)) as store:
        table.run_now(store, "daily")
        with pytest.raises(NotFound):
            table.run_now(store, "gossip")
    assert ran.wait(20)
    for _ in range(100):
        if not standing().is_running:
            break
        ran.wait(0.05)
        time.sleep(0.05)
    assert not standing().is_running
    assert standing().failed is None


def test_a_leader_that_slept_beyond_its_lease_does_nothing(empty: Database) -> None:
    runs: list[datetime] = []
    job = Job("daily", "0 6 * * *", lambda store: runs.append(store.at))
    with empty.writing(SYSTEM, at=AT) as store:
        old = lease.take(store.connection, LEASE, "a", AT - 2 * LENGTH, LENGTH)
        new = lease.take(store.connection, LEASE, "b", AT, LENGTH)
    assert old is not None
    assert new is not None
    assert not run_due(empty, job, AT, ("a", old))
    assert run_due(empty, job, AT, ("b", new))
    assert len(runs) == 1


def test_after_a_clock_that_ran_ahead_was_set_back_the_lease_is_free_and_no_due_time_is_lost(empty: Database) -> None:
    runs: list[datetime] = []
    job = Job("daily", "0 6 * * *", lambda store: runs.append(store.at))
    ahead = AT + timedelta(days=2)
    assert run_due(empty, job, AT)
    with empty.writing(SYSTEM, at=ahead) as store:
        assert lease.take(store.connection, LEASE, "killed", ahead, LENGTH) == 1
    assert run_due(empty, job, ahead)
    with empty.writing(SYSTEM, at=AT) as store:
        assert lease.take(store.connection, LEASE, "next", AT, LENGTH) == 2
    following = AT + timedelta(days=1)
    assert run_due(empty, job, following), "the day between has not been fired by the clock that ran ahead"
    assert not run_due(empty, job, ahead), "this one has"
    assert len(runs) == 3


def test_what_the_database_kept_from_running_runs_when_it_is_back_and_what_broke_by_itself_waits(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE_LENGTH", timedelta(seconds=0.3))
    tried: list[str] = []

    def away(_: Store) -> None:
        tried.append("away")
        if tried.count("away") < 3:
            raise Unavailable("the database does not answer")

    def broken(_: Store) -> None:
        tried.append("broken")
        raise NotFound("nothing of the database's")

    timers = Timers(empty, [Job("away", "0 6 * * *", away), Job("broken", "0 6 * * *", broken)])
    timers.start()
    ends = time.monotonic() + 60
    while tried.count("away") < 3:
        assert time.monotonic() < ends, tried
        time.sleep(0.02)
    time.sleep(0.5)
    timers.stop()
    assert tried.count("away") == 3, "and not once more when it has run"
    assert _outcomes(empty)["away"] == "done"
    assert _outcomes(empty)["broken"] == "failed NotFound"


def _outcomes(database: Database) -> dict[str, str]:
    with database.reading(SYSTEM, at=clock.now()) as store:
        return {one.job: one.outcome for one in lease.firings(store.connection, clock.now() - timedelta(days=1))}
