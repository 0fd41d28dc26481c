"""Statements handed to the database's driver as they are: composing them anew takes longer than running them.

What is written here is run inside the transaction that a ``Connection`` has open, beside whatever else runs through it. On a server
SQLAlchemy's own way to hand a statement on took as long as psycopg's to send it, so it is not gone; errors are those it would have raised.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection

from healthsvc.store.spoken import Spoken, refused


def for_driver(connection: Connection, sql: str) -> str:
    """A statement with ``?`` marks as the driver of this connection writes them."""
    return sql if connection.dialect.name == "sqlite" else _for_psycopg(sql)


@lru_cache(maxsize=1024)
def _for_psycopg(sql: str) -> str:
    return sql.replace("?", "%s")


def run(connection: Connection, sql: str, args: tuple[Any, ...] | dict[str, Any], *, anew: bool = False) -> Any:
    """Run a statement inside the open transaction; the result has ``fetchone``.

    ``anew``: a server plans it for these very values, however often it came: what a search finds for one may be a thousand times what it
    finds for another, and the plan that a server makes for all of them was a hundred times slower for some.
    """
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.dbapi_connection
        return raw.execute(sql, args)
    if isinstance(connection, Spoken):
        return connection.run(sql, args, anew=anew)
    if connection._has_events or connection.engine._has_events:
        return connection.exec_driver_sql(sql, args)  # as whoever listens to its statements wants it
    server: Any = connection.connection.driver_connection
    try:
        return server.execute(sql, args, prepare=False if anew else None)
    except psycopg.Error as error:
        if server.closed:
            connection.invalidate(error)
        raise refused(connection.dialect, error) from error


def run_many(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Run a statement for each of several rows."""
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.dbapi_connection
        raw.executemany(sql, rows)
    else:
        connection.exec_driver_sql(sql, rows)


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of the open transaction that can be undone by itself."""
    if connection.dialect.name != "sqlite":
        with connection.begin_nested():
            yield
        return
    raw: Any = connection.connection.dbapi_connection
    raw.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        raw.execute("ROLLBACK TO part")
        raise
    finally:
        raw.execute("RELEASE part")
