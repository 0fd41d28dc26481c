"""A bound on how long a statement may take, for callers that others wait behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from healthsvc.store.store import Store


class Exceeded(Exception):
    """A statement took more steps than it was allowed; nothing was read."""


@contextmanager
def bounded(store: "Store", steps: int) -> Iterator[None]:
    """Interrupt any statement of this SQLite transaction that takes more than so many steps of its machine.

    Raises:
        Exceeded: one did; whatever the block noted for the audit is forgotten.
    """
    raw: Any = store.connection.connection.driver_connection
    interrupted = False

    def interrupt() -> int:
        nonlocal interrupted
        interrupted = True
        return 1

    raw.set_progress_handler(interrupt, steps)
    try:
        yield
    except (OperationalError, sqlite3.OperationalError):
        if not interrupted:
            raise
        store.acts.clear()
        raise Exceeded from None
    finally:
        raw.set_progress_handler(None, 0)
