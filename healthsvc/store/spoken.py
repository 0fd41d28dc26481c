"""One connection to PostgreSQL, spoken to as libpq speaks it: several statements on their way at once, and nobody's thread waits.

It has as much of a SQLAlchemy connection as reading needs. A statement is prepared when it comes again, under names of ours; results come
as the server keeps them (binary), so that a record is not written out as hexadecimal digits and read back.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

import psycopg
from greenlet import getcurrent
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Dialect, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

AGAIN: Final = 3
"""So often a statement comes before it is prepared: many a search comes once."""
PREPARED: Final = 256
"""Statements that a connection keeps prepared; a server takes some 20 to 100 KiB for each."""
_BEGIN: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_MARK: Final = re.compile(r"%(?:s|\((\w+)\)s|%)")
_NAMES: Final = "healthsvc-prepared"


def refused(dialect: Any, error: psycopg.Error) -> BaseException:
    """What SQLAlchemy makes of an error of the driver, without statement and values."""
    told: BaseException = DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, dialect=dialect)
    return told


class Elsewhere(Exception):
    """This cannot be read here, or not now: it is read the usual way, in a thread."""


class Found:
    """The rows of a statement."""

    __slots__ = ("_rows",)

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All of them."""
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first."""
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """The first value of the first."""
        return self._rows[0][0] if self._rows else None


class Spoken:
    """A connection of the pool while it is kept for short reads; one reading transaction at a time."""

    dialect = SimpleNamespace(name="postgresql")

    def __init__(
        self, held: PoolProxiedConnection, dialect: Dialect, loop: asyncio.AbstractEventLoop, lost: Callable[["Spoken"], None]
    ) -> None:
        self.since = time.monotonic()
        """Since when nobody uses it."""
        self._held, self._dialect, self._loop, self._lost = held, dialect, loop, lost
        driver: Any = held.driver_connection
        self._pg: PGconn = driver.pgconn
        self._socket = driver.pgconn.socket
        self._adapter = Transformer(driver)
        self._known: _Known = held.info.setdefault(_NAMES, _Known())
        self._waits: Any = None
        self._owed = 0
        """Answers to a whole round of statements that have not come yet."""
        self._begun = False
        self._rows: PGresult | None = None
        self._failed: PGresult | None = None
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        loop.add_reader(self._socket, self._readable)

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be read through it any more."""
        return bool(self._pg.status != ConnStatus.OK)

    def exec_driver_sql(self, sql: str, args: Any = ()) -> Found:
        """As :meth:`run`."""
        return self.run(sql, args)

    def run(self, sql: str, args: Any = (), *, anew: bool = False) -> Found:
        """Run a statement with ``%s`` or ``%(name)s`` marks; ``anew``: planned for these very values.

        Raises:
            Elsewhere: the connection is gone, or what was prepared on it; what only reads can be asked again.
            DBAPIError: the server refuses it.
        """
        text, names = _numbered(sql)
        values: Sequence[Any] = [args[name] for name in names] if isinstance(args, Mapping) else args
        types: tuple[int, ...] = ()
        try:
            params = self._adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
            types = self._adapter.types or ()
            self._send(text, params, types, self._adapter.formats, anew)
            return self._answered()
        except InvalidSqlStatementName as error:  # psycopg gives up all that is prepared when it rolls back, ours, too
            self._known.forget_all()
            raise Elsewhere from error
        except psycopg.Error as error:
            self._known.forget(text, types)
            if self.is_lost or isinstance(error, FeatureNotSupported):  # its columns are no more what they were when it was prepared
                raise Elsewhere from error
            raise refused(self._dialect, error) from error

    def execute(self, _statement: Any, _parameters: Any = None) -> Any:
        """Nothing that SQLAlchemy must write first.

        Raises:
            Elsewhere: always.
        """
        raise Elsewhere

    def end(self) -> None:
        """End the snapshot; nobody waits for the answer to that."""
        if self._begun and not self.is_lost:
            self._begun = False
            self._pg.send_query_params(b"COMMIT", None)
            self._round()

    def give_back(self) -> None:
        """To the pool, as it was; one that is lost, or owes an answer, is closed."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        if self.is_lost or self._owed or self._begun:
            self._held.invalidate()
        else:
            self._pg.exit_pipeline_mode()
            self._pg.nonblocking = 0
        self._held.close()

    # -- inside ---------------------------------------------------------------------------------------------------------------

    def _send(self, text: bytes, params: Sequence[Any], types: tuple[int, ...], formats: Any, anew: bool) -> None:
        if not self._begun:
            self._pg.send_query_params(_BEGIN, None)
            self._begun = True
        name, is_new, old = (None, False, None) if anew else self._known.name(text, types)
        if old is not None:
            self._pg.send_query_params(b"DEALLOCATE " + old, None)
        if name is None:
            self._pg.send_query_params(text, params, types, formats, Format.BINARY)
        else:
            if is_new:
                self._pg.send_prepare(name, text, types)
            self._pg.send_query_prepared(name, params, formats, Format.BINARY)
        self._round()

    def _round(self) -> None:
        self._pg.pipeline_sync()
        self._owed += 1
        self._pg.flush()

    def _answered(self) -> Found:
        """The rows of the last statement, once the server has answered all that was sent."""
        while self._owed:
            self._pause()
            self._collect()
        rows, failed = self._rows, self._failed
        self._rows = self._failed = None
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)
        if rows is None:
            return Found([])
        self._adapter.set_pgresult(rows)
        return Found(self._adapter.load_rows(0, rows.ntuples, tuple))

    def _collect(self) -> None:
        """Take what has come: the rows of the last statement, and the first refusal, of the last round."""
        pg = self._pg
        while self._owed and not pg.is_busy():
            result = pg.get_result()
            if result is None:
                if self.is_lost:
                    raise psycopg.OperationalError("the connection was lost")
                continue
            status = result.status
            if status == ExecStatus.PIPELINE_SYNC:
                self._owed -= 1
                if self._owed:
                    self._rows = self._failed = None
            elif status == ExecStatus.TUPLES_OK:
                self._rows = result
            elif status == ExecStatus.FATAL_ERROR:
                self._failed = self._failed or result

    def _pause(self) -> None:
        """Let others go on until there is something to be read, or room to write."""
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._go_on)
        self._waits = getcurrent()
        self._waits.parent.switch()
        self._loop.remove_writer(self._socket)
        self._pg.consume_input()

    def _go_on(self) -> None:
        waits, self._waits = self._waits, None
        if waits is not None:
            waits.switch()

    def _readable(self) -> None:
        if self._waits is not None:
            self._go_on()
            return
        try:  # nobody asks: the answer to a COMMIT, or the server closes
            self._pg.consume_input()
            self._collect()
        except psycopg.Error:
            self._lost(self)


class _Known:
    """Which statements are prepared on a connection, and how often others have come."""

    def __init__(self) -> None:
        self._came: OrderedDict[tuple[bytes, tuple[int, ...]], int] = OrderedDict()
        self._names: OrderedDict[tuple[bytes, tuple[int, ...]], bytes] = OrderedDict()
        self._count = 0

    def name(self, text: bytes, types: tuple[int, ...]) -> tuple[bytes | None, bool, bytes | None]:
        """Under which name it is prepared (None: it is not), whether it must be prepared first, and which one is to be given up."""
        key = text, types
        name = self._names.get(key)
        if name is not None:
            self._names.move_to_end(key)
            return name, False, None
        came = self._came.pop(key, 0) + 1
        if came < AGAIN:
            self._came[key] = came
            if len(self._came) > PREPARED:
                self._came.popitem(last=False)
            return None, False, None
        self._count += 1
        name = self._names[key] = b"healthsvc_%d" % self._count
        old = self._names.popitem(last=False)[1] if len(self._names) > PREPARED else None
        return name, True, old

    def forget(self, text: bytes, types: tuple[int, ...]) -> None:
        """Something went wrong with it, so perhaps it was not prepared."""
        self._names.pop((text, types), None)

    def forget_all(self) -> None:
        """Nothing is prepared any more; the names go on counting, so that none comes twice."""
        self._names.clear()


@lru_cache(maxsize=4096)
def _numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with the server's own marks, and the names of its parameters, where they have names."""
    names: list[str] = []
    count = 0

    def mark(found: "re.Match[str]") -> str:
        nonlocal count
        if found[0] == "%%":
            return "%"
        if found[1] is None:
            count += 1
            return f"${count}"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _MARK.sub(mark, sql).encode(), tuple(names)
