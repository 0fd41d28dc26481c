"""What an operator sees of the timers, and one job run by hand: in a thread of its own, so that nobody waits for its end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.triggers.cron import CronTrigger

from healthsvc import clock
from healthsvc.errors import NotFound, RuleViolation
from healthsvc.jobs import TIMERS, Job
from healthsvc.store import Database, Store, lease
from healthsvc.store.lease import DONE, FAILED

log = structlog.get_logger()
LOOK_BACK = timedelta(days=40)
LONGEST_RUN = timedelta(hours=2)
"""A firing that has begun and not ended for so long has died with its process."""


@dataclass(frozen=True, slots=True)
class JobStanding:
    """How one job stands: when it was last done, will be, and whether its newest firing failed."""

    id: str
    cron: str
    last: datetime | None
    next: datetime | None
    is_running: bool
    failed: datetime | None
    """When its newest firing failed; None where it did not."""
    reason: str


class Timetable:
    """All jobs of an installation, for the pages."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self._database = database
        self._jobs = {job.id: job for job in jobs}

    def standings(self, store: Store) -> list[JobStanding]:
        """How each job stands, in the order of their ids."""
        found = lease.firings(store.connection, store.at - LOOK_BACK)
        done = {one.job: one for one in found if one.outcome == DONE}
        other = {one.job: one for one in found if one.outcome != DONE}
        return [self._standing(store, job, done.get(id), other.get(id)) for id, job in sorted(self._jobs.items())]

    def _standing(self, store: Store, job: Job, done: lease.Firing | None, other: lease.Firing | None) -> JobStanding:
        at = store.at.astimezone(store.zone)
        newest = other if other is not None and (done is None or other.started >= done.started) else None
        failed = newest is not None and newest.outcome.startswith(FAILED)
        running = newest is not None and not failed and store.at - newest.started < LONGEST_RUN
        lost = newest is not None and not failed and not running
        return JobStanding(
            job.id,
            job.cron,
            done.started.astimezone(store.zone) if done else None,
            CronTrigger.from_crontab(job.cron, timezone=store.zone).get_next_fire_time(None, at),
            running,
            newest.started.astimezone(store.zone) if newest and (failed or lost) else None,
            (newest.outcome.removeprefix(FAILED).strip() if failed else "did not end") if newest and (failed or lost) else "",
        )

    def run_now(self, store: Store, id: str) -> None:
        """Begin one job now.

        Raises:
            NotFound: there is no such job. RuleViolation: it runs already.
        """
        if id not in self._jobs:
            raise NotFound("there is no such job")
        if any(one.id == id and one.is_running for one in self.standings(store)):
            raise RuleViolation("this job runs already; wait for its end", reason="job-runs")
        store.audit("job-run", None, purpose=id)
        at = store.at
        lease.fire(store.connection, id, at, at)
        threading.Thread(target=self._run, args=[self._jobs[id], at], name=f"job {id}", daemon=True).start()

    def _run(self, job: Job, at: datetime) -> None:
        try:
            with self._database.writing(TIMERS, at=clock.now(clock.zone(self._database.zone))) as store:
                lease.fire(store.connection, job.id, at, at)  # waits for the transaction that began it
                job.work(store)
                lease.finish(store.connection, job.id, at, DONE)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is told on the page
            log.warning("job failed", job=job.id, reason=type(error).__name__)
            with self._database.writing(TIMERS, at=clock.utc_now()) as store:
                lease.fail(store.connection, job.id, at, clock.utc_now(), type(error).__name__)
            return
        log.info("job done", job=job.id, by="hand")
