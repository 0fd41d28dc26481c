"""What a PostgreSQL server must be before anything is kept there: each fault has one sentence that says how to mend it."""

from typing import Any, Final

import psycopg
from sqlalchemy import Engine, event

from healthsvc.errors import Invalid, Unavailable
from healthsvc.store.postgres import READ_ONLY, ServerUse, conninfo

OLDEST: Final = 15
"""PostgreSQL's number before the point."""
_POOLED: Final = (
    "between us and PostgreSQL stands a pooler that gives a connection to others between two transactions: nobody could be woken, and "
    "prepared statements would be other people's; set pool_mode = session there, or name the server itself in HEALTHSVC_DATABASE"
)


def refuse_unfit(engine: Engine, use: ServerUse) -> None:
    """Look a server over, once when a process opens the database; an embedded database has nothing to be looked at.

    Raises:
        Invalid: on this server, or in this database, something would be garbled or lost later on.
        Unavailable: it is a standby, which may be promoted yet.
    """
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if driver.info.server_version < OLDEST * 10_000:
            told = driver.info.parameter_status("server_version")
            raise Invalid(f"the server is PostgreSQL {told}; {OLDEST} or newer is needed", reason="server-unfit")
        asked = "SELECT current_setting('server_encoding'), pg_backend_pid(), pg_is_in_recovery(), to_regclass('moving') IS NOT NULL"
        encoding, pid, standby, half = connection.exec_driver_sql(asked).one()
        if standby:
            raise Unavailable(f"the database cannot be opened: {READ_ONLY}")
        if encoding != "UTF8":
            raise Invalid(
                f"the database is of encoding {encoding}, which does not hold every name; make one with createdb --encoding=UTF8 "
                "--template=template0 NAME",
                reason="server-unfit",
            )
        if half:
            raise Invalid(
                "the database holds part of an installation: `healthsvc move` was not ended, or has found a difference; call it again with "
                "the same words (the embedded database in force meanwhile), with --again to begin anew",
                reason="server-unfit",
            )
        direct = pid == driver.info.backend_pid
    if not direct:
        _behind_a_pooler(engine, use)


def _behind_a_pooler(engine: Engine, use: ServerUse) -> None:
    """Refuse one that works by transaction. One that works by session takes no ``options``: they are set on each new connection."""
    told = conninfo(engine.url)
    asked = "SELECT pg_backend_pid()"
    with psycopg.connect(told, autocommit=True) as one, psycopg.connect(told, autocommit=True) as other:
        if one.execute(asked).fetchone() == other.execute(asked).fetchone():
            raise Invalid(_POOLED, reason="server-unfit")
    event.listen(engine, "connect", lambda connection, _record: _set(connection, use))
    engine.dispose()


def _set(connection: Any, use: ServerUse) -> None:
    connection.autocommit = True
    for name, value in use.settings().items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.autocommit = False
