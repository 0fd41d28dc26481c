"""未办结门急诊 Outpatient visits whose end is never told: after some days without a word they are taken as ended, and say so.

Nothing is made up: the visit gets no end, but a note that it was ended by rule. What the hospital says later counts: an end (A03) is
written, and a word that it goes on opens it again. Somebody in a ward is never discharged by a clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
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
from integrations.hospitals.shelf import Shelf

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


def job(shelf: Shelf) -> Job:
    """What the timers do of it."""
    return Job(JOB, CRON, partial(close_unended, shelf=shelf))


def close_unended(store: Store, shelf: Shelf) -> int:
    """One run; gives how many visits it has closed. One that cannot be written (by an old rule it could) keeps no other from it."""
    count = refused = 0
    for visit in list(islice(_unended(store, _own_hours(shelf)), MOST + WRONG)):
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


def hospital_of(visit: Resource) -> str:
    """The code of the hospital that has told of a visit."""
    return str(visit.get("serviceProvider", {}).get("identifier", {}).get("value", ""))


def _own_hours(shelf: Shelf) -> dict[str, dict[str, int]]:
    """What the lines of each hospital say of their own, by hospital and class; of several lines the longest counts, and never above all."""
    found: dict[str, dict[str, int]] = {}
    for profile in shelf.site:
        held = found.setdefault(profile.hospital, {})
        for code, hours in profile.unended_hours.items():
            held[code] = hours if code not in held else max(held[code], hours) if held[code] and hours else 0
    return found


def _unended(store: Store, own: Mapping[str, Mapping[str, int]]) -> Iterator[Resource]:
    """Visits that a hospital has told of, not in a ward, that began long enough ago and of which nothing was told since."""
    inpatient, usual = inpatient_classes(store), store.policy.fill(UnendedPolicy, "hospital", today(store)).unended_hours
    for code in sorted({*usual, *(code for hours in own.values() for code in hours)} - set(inpatient)):
        lengths = [hours for hours in (usual.get(code, 0), *(one.get(code, 0) for one in own.values())) if hours]
        if not lengths:
            continue
        least = store.at - timedelta(hours=min(lengths))
        wanted = {"status": _OPEN, "class": code, "_lastUpdated": f"lt{least.isoformat()}"}
        for stored in matches_all(store, "Encounter", wanted):
            if not stored.id.startswith(STAY):
                continue
            visit = stored.resource
            hours = own.get(hospital_of(visit), {}).get(code, usual.get(code, 0))
            since = store.at - timedelta(hours=hours)
            if hours and stored.at < since and _began(visit, since) <= since:
                yield visit


def _began(visit: Resource, unknown: datetime) -> datetime:
    start = str(visit.get("period", {}).get("start", ""))
    return datetime.fromisoformat(start) if len(start) > len("2026-01-01") else unknown
