"""未办结门急诊 Outpatient visits whose end is never told: after some days without a word they are taken as ended, and say so.

Nothing is made up: the visit gets no end, but a note that it was ended by rule. What the hospital says later counts: an end (A03) is
written, and a word that it goes on opens it again. Somebody in a ward is never discharged by a clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog

from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import inpatient_classes
from healthsvc.healthfile.service import today
from healthsvc.jobs import Job
from healthsvc.store import Store
from healthsvc.store.search import matches_all
from integrations.effects.by_rule import closed_by_rule
from integrations.effects.stay import STAY

log = structlog.get_logger()
JOB: Final = "visits-unended"
CRON: Final = "*/10 * * * *"
MOST: Final = 200
"""Visits that one run closes: an embedded database has one writer at a time. The next run goes on."""
WRONG: Final = 50
"""Visits that one run tries beyond these, where some cannot be written."""
_OPEN: Final = ("arrived", "triaged", "in-progress", "onleave", "unknown")


@dataclass(frozen=True, slots=True)
class UnendedPolicy:
    """Filled from ``policy/hospital.toml``."""

    unended_hours: dict[str, int]
    """By class of visit; a class that is not named is never closed by rule."""


def job() -> Job:
    """What the timers do of it."""
    return Job(JOB, CRON, close_unended)


def close_unended(store: Store) -> int:
    """One run; gives how many visits it has closed. One that cannot be written (by an old rule it could) keeps no other from it."""
    count = refused = 0
    for visit in list(islice(_unended(store), MOST + WRONG)):
        if count == MOST:
            break
        try:
            with store.savepoint():
                store.put(closed_by_rule(visit, store.at))
            count += 1
        except Refusal as refusal:
            refused += 1
            log.warning("visit not closed by rule", encounter=visit["id"], reason=refusal.reason or refusal.issue_code)
    if count:
        log.info("visits closed by rule", count=count, refused=refused)
    return count


def _unended(store: Store) -> Iterator[Resource]:
    """Visits that a hospital has told of, not in a ward, that began long enough ago and of which nothing was told since."""
    inpatient = inpatient_classes(store)
    for code, hours in store.policy.fill(UnendedPolicy, "hospital", today(store)).unended_hours.items():
        if code in inpatient:
            continue
        since = store.at - timedelta(hours=hours)
        wanted = {"status": _OPEN, "class": code, "_lastUpdated": f"lt{since.isoformat()}"}
        for stored in matches_all(store, "Encounter", wanted):
            if stored.id.startswith(STAY) and _began(visit := stored.resource, since) <= since:
                yield visit


def _began(visit: Resource, unknown: datetime) -> datetime:
    start = str(visit.get("period", {}).get("start", ""))
    return datetime.fromisoformat(start) if len(start) > len("2026-01-01") else unknown
