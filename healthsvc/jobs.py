"""Timers: each opens a transaction and calls one service. Many processes may run this; the holder of a lease fires.

A firing is claimed under (job, due time) in the transaction of its work, so it runs once however many leaders there were; a firing
that was missed runs once, late, when the lease is taken. One that the database did not let run (it restarted, it was full) runs as soon as
the database is back, under the same leader.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from healthsvc import clock
from healthsvc.errors import Conflict, Refusal, Unavailable
from healthsvc.store import Actor, Database, Store, lease
from healthsvc.store.postgres import COLLISION
from healthsvc.store.stored import moment

log = structlog.get_logger()

LEASE = "timers"
LEASE_LENGTH = timedelta(seconds=15)
MISFIRE_GRACE_SECONDS = 300
JUMP_SECONDS = 30
"""A clock that moves by so much more or less than time has passed was set; less is what NTP does in peace."""
TIMERS = Actor("system/timers", "timers", frozenset({"system"}), "timer")


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done at times of day. ``work`` must be idempotent: asking twice changes nothing."""

    id: str
    cron: str
    """Five fields, in the site's zone."""
    work: Callable[[Store], object]


class Timers:
    """APScheduler with a memory job store: jobs are declared in code, what is due stands in our tables."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self._database = database
        self._jobs = jobs
        self._zone = clock.zone(database.zone)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._token: int | None = None
        """The fencing token under which this process leads; None: it does not."""
        self._owing = False
        """The database kept a firing from running; it is made up for with the next look at the lease."""
        self._scheduler = BackgroundScheduler(timezone=self._zone)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="timers-lease", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        for job in self._jobs:
            self._scheduler.add_job(
                self._run_due,
                CronTrigger.from_crontab(job.cron, timezone=self._zone),
                args=[job],
                id=job.id,
                coalesce=True,
                misfire_grace_time=MISFIRE_GRACE_SECONDS,
            )
        self._scheduler.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish what runs under the lease, then let go of it."""
        self._scheduler.shutdown(wait=True)
        self._stopping.set()
        self._thread.join()
        with self._database.writing(TIMERS, at=clock.utc_now()) as store:
            lease.give_back(store.connection, LEASE, self._holder)

    def _keep(self) -> None:
        """Keep the lease, by a clock that nobody sets; and see where somebody has set the other one."""
        wall, steady = clock.utc_now(), time.monotonic()
        while True:
            try:
                self._keep_lease()
            except Refusal as refusal:
                log.warning("timers could not keep their lease", reason=refusal.text)
            except Exception as error:  # noqa: BLE001 - the timers must go on; the next look is another chance
                log.error("timers could not keep their lease", reason=type(error).__name__)
            if self._stopping.wait(LEASE_LENGTH.total_seconds() / 3):
                return
            now, passed = clock.utc_now(), time.monotonic()
            if abs((now - wall).total_seconds() - (passed - steady)) > JUMP_SECONDS:
                log.warning("the clock was set", seconds=round((now - wall).total_seconds() - (passed - steady)))
                self._begin_anew()
            wall, steady = now, passed

    def _begin_anew(self) -> None:
        """After the clock was set: what waits for a time that is far off now waits anew, and what was jumped over runs."""
        for job in self._jobs:
            self._scheduler.reschedule_job(job.id, trigger=CronTrigger.from_crontab(job.cron, timezone=self._zone))
        self._token = None  # taking the lease runs what is due

    def _keep_lease(self) -> None:
        at = clock.utc_now()
        with self._database.writing(TIMERS, at=at) as store:
            token = lease.take(store.connection, LEASE, self._holder, lease.clock_of(store.connection, at), LEASE_LENGTH)
        new, self._token = token is not None and token != self._token, token
        if new:
            log.info("timers lead", holder=self._holder, token=token)
        if (new or (self._owing and token is not None)) and self._scheduler.running:
            self._owing = False
            # in a thread of the scheduler: the lease is kept meanwhile, however long it takes
            self._scheduler.add_job(self._catch_up, max_instances=len(self._jobs) + 1, misfire_grace_time=None)

    def _catch_up(self) -> None:
        """Whatever was due and has not run, one after the other; one that fails keeps none of the others back."""
        for job in self._jobs:
            try:
                self._run_due(job)
            except Exception as error:  # noqa: BLE001 - it is written down with the firing, and runs again with the next
                log.error("a job failed", job=job.id, error=type(error).__name__)

    def _run_due(self, job: Job) -> None:
        if self._token is None:
            return
        try:
            run_due(self._database, job, clock.now(self._zone), (self._holder, self._token))
        except Refusal as refusal:
            self._owing |= isinstance(refusal, Unavailable) or (isinstance(refusal, Conflict) and refusal.reason == COLLISION)
            raise


def run_due(database: Database, job: Job, at: datetime, leader: tuple[str, int] | None = None) -> bool:
    """Run the newest firing of a job that was due by ``at``, unless it has run; earlier missed ones are coalesced into it.

    ``leader``: holder and fencing token; one whose lease another has taken meanwhile (it was asleep, or cut off) does nothing.
    """
    trigger = CronTrigger.from_crontab(job.cron, timezone=at.tzinfo)
    with database.reading(TIMERS, at=at) as store:
        last = lease.last_fired(store.connection, job.id, at)
    due = newest_due(trigger, at - timedelta(days=1, hours=1) if last is None else moment(last).astimezone(at.tzinfo), at)
    if due is None or (last is not None and moment(last) >= due):
        return False
    try:
        return _run(database, job, due, at, leader)
    except Exception as error:
        with database.writing(TIMERS, at=at) as store:
            lease.fail(store.connection, job.id, due, at, type(error).__name__)
        raise


def newest_due(trigger: CronTrigger, since: datetime, at: datetime) -> datetime | None:
    """The newest firing from ``since`` to ``at``; looked for close to ``at`` first, since a dense timer has thousands in between."""
    for back in (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), at - since):
        due: datetime | None = None
        following = trigger.get_next_fire_time(None, max(since, at - back))
        while following is not None and following <= at:
            due = following
            following = trigger.get_next_fire_time(following, following)
        if due is not None:
            return due
    return None


def _run(database: Database, job: Job, due: datetime, at: datetime, leader: tuple[str, int] | None) -> bool:
    with database.writing(TIMERS, at=at) as store:
        if leader is not None and not lease.holds(store.connection, LEASE, *leader):
            log.warning("a firing was left to whoever leads now", job=job.id)
            return False
        if not lease.fire(store.connection, job.id, due, at):
            return False
        job.work(store)
        lease.finish(store.connection, job.id, due, "done")
    log.info("job done", job=job.id, due=due.isoformat())
    return True
