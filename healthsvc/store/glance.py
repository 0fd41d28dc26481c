"""Short reads for one thread: a connection that stays open, without the pool and the statement compiler in between.

Opening a reading transaction the usual way costs some eighty microseconds and each compiled statement fifty; a read by id is two index
probes of ten. So the thread that answers most reads keeps one plain SQLite connection; its transactions are snapshots all the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine

from healthsvc.store.room import Actor
from healthsvc.store.store import Store

if TYPE_CHECKING:
    from healthsvc.store.engine import Database


class Plain:
    """As much of a SQLAlchemy connection as reading needs; compiled statements go to a real one that is opened if ever wanted."""

    dialect = SimpleNamespace(name="sqlite")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held = engine.raw_connection()
        self.raw: Any = self._held.driver_connection
        self.connection = SimpleNamespace(driver_connection=self.raw, dbapi_connection=self.raw)
        self._whole: Connection | None = None

    def exec_driver_sql(self, sql: str, args: Sequence[Any] = ()) -> Any:
        """Run a statement with ``?`` marks; the result has ``fetchall``."""
        return self.raw.execute(sql, args)

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Run a compiled statement, outside of the snapshot (interned terms: they never change)."""
        if self._whole is None:
            self._whole = self._engine.connect()
        return self._whole.execute(statement, parameters)

    def end(self) -> None:
        """End the snapshot."""
        self.raw.execute("COMMIT")
        if self._whole is not None:
            self._whole.close()
            self._whole = None

    def close(self) -> None:
        """Give the connection back."""
        self._held.close()


class Glance:
    """Reading transactions of one thread, one at a time."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._plain: Plain | None = None

    @contextmanager
    def reading(self, actor: Actor, *, at: datetime) -> Iterator[Store]:
        """A snapshot that cannot write (as :meth:`Database.reading`)."""
        plain = self._plain = self._plain or Plain(self._database.engine)
        plain.raw.execute("BEGIN")
        store = Store(self._database, cast(Connection, plain), actor, at, writable=False)
        try:
            yield store
        finally:
            plain.end()
            self._database.reads.note(store.acts, wait=False)  # where a look must wait for its trace, it is not answered here

    def close(self) -> None:
        """Let go of the connection."""
        if self._plain is not None:
            self._plain.close()
            self._plain = None
