"""到期清理 The timer that takes away what is over in inbox and outbox, and what it tells monitoring."""

from typing import Final

import structlog

from healthsvc.jobs import Job
from healthsvc.store import Store
from healthsvc.store.retiring import Retired
from healthsvc.store.retiring import retire as take_away
from integrations import metrics

log = structlog.get_logger()
JOB: Final = "messages-retire"
CRON: Final = "* 1-4 * * *"
"""240 runs a night, each of few rows: an embedded database has one writer at a time."""


def job() -> Job:
    """What the timers do of it."""
    return Job(JOB, CRON, retire)


def retire(store: Store) -> Retired:
    """One run."""
    done = take_away(store)
    for what, count in done._asdict().items():
        metrics.RETIRED.labels(what).inc(count)
    if any(done):
        log.info("messages retired", **done._asdict())
    return done
