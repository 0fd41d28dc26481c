"""How far a stream of events has been followed, so that what comes late does not undo what came after it."""

from sqlalchemy import select, text

from healthsvc.store import Store
from healthsvc.store.inbox_tables import FollowedRow

_FOLLOWED = FollowedRow.__table__  # type: ignore[attr-defined]
_SET = text(
    "INSERT INTO followed (key, happened, event) VALUES (:key, :happened, :event) "
    "ON CONFLICT (key) DO UPDATE SET happened = excluded.happened, event = excluded.event WHERE excluded.happened >= followed.happened"
)


def is_stale(store: Store, key: str, happened: int) -> bool:
    """Whether something later than ``happened`` (microseconds since 1970 UTC) has been applied to this stream already."""
    latest = store.connection.execute(select(_FOLLOWED.c.happened).where(_FOLLOWED.c.key == key)).scalar()
    return latest is not None and happened < latest


def follow(store: Store, key: str, happened: int, event: str) -> None:
    """Note that the stream has been followed up to an event; an earlier event does not set it back."""
    store.connection.execute(_SET, {"key": key, "happened": happened, "event": event})
