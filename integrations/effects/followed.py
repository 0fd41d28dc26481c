"""How far a stream of events has been followed, so that what comes late does not undo what came after it.

A sender whose clock runs far ahead would make everything that follows look late, for as long as its clock was ahead. So a moment that lies
further in the future than clocks differ (``hospital.clock_ahead_hours``) says nothing of the order: its event has its effect and moves
no stream.
"""

from collections.abc import Sequence
from functools import cache

from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.driver import for_driver, run
from integrations.effects.care import HospitalPolicy

_HOUR = 3_600_000_000
"""Microseconds."""
_LATEST = "SELECT key, happened FROM followed WHERE key IN ({keys})"
_SET = (
    "INSERT INTO followed (key, happened, event) VALUES {rows} ON CONFLICT (key) DO UPDATE SET "
    "happened = excluded.happened, event = excluded.event WHERE (excluded.happened >= followed.happened OR followed.happened > ?) "
    "AND (excluded.happened <> followed.happened OR excluded.event <> followed.event)"
)


def is_stale(store: Store, key: str, happened: int) -> bool:
    """Whether something later than ``happened`` (microseconds since 1970 UTC) has been applied to this stream already."""
    return are_stale(store, (key,), happened)[0]


def are_stale(store: Store, keys: Sequence[str], happened: int) -> list[bool]:
    """The same of several streams, asked at once: on a server each question is a way there and back."""
    latest = dict(map(tuple, run(store.connection, for_driver(store.connection, _latest(len(keys))), tuple(keys)).fetchall()))
    furthest = _furthest(store) if latest else 0
    return [key in latest and happened < latest[key] <= furthest for key in keys]


def follow(store: Store, key: str, happened: int, event: str, *also: str) -> None:
    """Note that the stream, and others of the same thing, have been followed up to an event; an earlier event does not set them back."""
    keys, furthest = (key, *also), _furthest(store)
    if happened <= furthest:
        values = (value for key in keys for value in (key, happened, event))
        run(store.connection, for_driver(store.connection, _set(len(keys))), (*values, furthest))


@cache
def _latest(keys: int) -> str:
    return _LATEST.format(keys=", ".join("?" * keys))


@cache
def _set(keys: int) -> str:
    return _SET.format(rows=", ".join(["(?, ?, ?)"] * keys))


def _furthest(store: Store) -> int:
    ahead = store.policy.fill(HospitalPolicy, "hospital", today(store)).clock_ahead_hours
    return store.at_micros + ahead * _HOUR
