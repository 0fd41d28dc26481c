"""How far a stream of events has been followed, so that what comes late does not undo what came after it.

A sender whose clock runs far ahead would make everything that follows look late, for as long as its clock was ahead. So a moment that lies
further in the future than clocks differ (``hospital.clock_ahead_hours``) says nothing of the order: its event has its effect and moves
no stream.
"""

from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.driver import for_driver, run
from integrations.effects.care import HospitalPolicy

_HOUR = 3_600_000_000
"""Microseconds."""
_LATEST = "SELECT happened FROM followed WHERE key = ?"
_SET = (
    "INSERT INTO followed (key, happened, event) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
    "happened = excluded.happened, event = excluded.event WHERE (excluded.happened >= followed.happened OR followed.happened > ?) "
    "AND (excluded.happened <> followed.happened OR excluded.event <> followed.event)"
)


def is_stale(store: Store, key: str, happened: int) -> bool:
    """Whether something later than ``happened`` (microseconds since 1970 UTC) has been applied to this stream already."""
    latest = run(store.connection, for_driver(store.connection, _LATEST), (key,)).fetchone()
    return latest is not None and happened < latest[0] <= _furthest(store)


def follow(store: Store, key: str, happened: int, event: str) -> None:
    """Note that the stream has been followed up to an event; an earlier event does not set it back."""
    furthest = _furthest(store)
    if happened <= furthest:
        run(store.connection, for_driver(store.connection, _SET), (key, happened, event, furthest))


def _furthest(store: Store) -> int:
    ahead = store.policy.fill(HospitalPolicy, "hospital", today(store)).clock_ahead_hours
    return store.at_micros + ahead * _HOUR
