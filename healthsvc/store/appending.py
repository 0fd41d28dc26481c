"""Short transactions of a queue: they write no resource and leave no act, and a hospital waits for each of them.

What a transaction costs besides its commit (a connection from the pool, events, bookkeeping) is two thirds of the whole when one message
is one transaction. So a queue keeps one connection of its own and begins and ends its transactions by hand.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from healthsvc.store.engine import Database
from healthsvc.store.room import Actor
from healthsvc.store.trouble import said_clearly


class Appender:
    """Opens the transactions of one queue. Inside, only ``writes.run`` may be used: the connection does not know that it has begun."""

    def __init__(self, database: Database, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._kept: Connection | None = None

    @contextmanager
    def transaction(self, at: Any, *, patience: float | None = None) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any exception.

        Args:
            at: when.
            patience: seconds to wait for other writers; None: as long as everybody does.

        Raises:
            Unavailable: the database does not take it now.
        """
        if self._database.engine.dialect.name != "sqlite":
            with self._database.writing(self._actor, at=at) as store:
                yield store.connection
            return
        with said_clearly(), self._database.one_writer(first=True, patience=patience):
            connection = self._kept = self._kept or self._database.engine.connect()
            driver: Any = connection.connection.driver_connection
            try:
                driver.execute("BEGIN IMMEDIATE").close()
                yield connection
                driver.execute("COMMIT").close()
            except BaseException:
                self._drop(driver)
                raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _drop(self, driver: Any) -> None:
        """After a fault nothing is taken for granted: undo what is open, and begin the next transaction on a new connection."""
        with contextlib.suppress(Exception):
            if driver.in_transaction:
                driver.execute("ROLLBACK").close()
        if self._kept is not None:
            self._kept.invalidate()
            self._kept.close()
            self._kept = None
