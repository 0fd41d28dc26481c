"""Statements handed to the database's driver as they are: composing them anew takes longer than running them.

What is written here is run inside the transaction that a ``Connection`` has open, beside whatever else runs through it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection


def for_driver(connection: Connection, sql: str) -> str:
    """A statement with ``?`` marks as the driver of this connection writes them."""
    return sql if connection.dialect.name == "sqlite" else _for_psycopg(sql)


@lru_cache(maxsize=1024)
def _for_psycopg(sql: str) -> str:
    return sql.replace("?", "%s")


def run(connection: Connection, sql: str, args: tuple[Any, ...] | dict[str, Any]) -> Any:
    """Run a statement inside the open transaction; the result has ``fetchone``."""
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.driver_connection
        return raw.execute(sql, args)
    return connection.exec_driver_sql(sql, args)


def run_many(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Run a statement for each of several rows."""
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.driver_connection
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
    raw: Any = connection.connection.driver_connection
    raw.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        raw.execute("ROLLBACK TO part")
        raise
    finally:
        raw.execute("RELEASE part")
