"""How far a stream of events has been followed, so that what comes late does not undo what came after it."""

from healthsvc.store import Store
from healthsvc.store.driver import for_driver, run

_LATEST = "SELECT happened FROM followed WHERE key = ?"
_SET = (
    "INSERT INTO followed (key, happened, event) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET happened = excluded.happened, event = excluded.event WHERE excluded.happened >= followed.happened"
)


def is_stale(store: Store, key: str, happened: int) -> bool:
    """Whether something later than ``happened`` (microseconds since 1970 UTC) has been applied to this stream already."""
    latest = run(store.connection, for_driver(store.connection, _LATEST), (key,)).fetchone()
    return latest is not None and happened < latest[0]


def follow(store: Store, key: str, happened: int, event: str) -> None:
    """Note that the stream has been followed up to an event; an earlier event does not set it back."""
    run(store.connection, for_driver(store.connection, _SET), (key, happened, event))
