"""procrastinate, PostgreSQL's task engine: it brings the ids of long work to whoever does it. SQLite needs none.

Only ids go through it; what was asked, how far it has come and what came of it stands in our own table on both engines.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

TASK: Final = "healthsvc.work"
QUEUE: Final = "work"
_LOCK_KEY: Final = 0x70726F63
_THERE: Final = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")


def prepare(engine: Engine) -> None:
    """Make procrastinate's tables where they are not there yet; on SQLite nothing."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        if not connection.execute(_THERE).scalar_one():
            driver: Any = connection.connection.driver_connection
            driver.execute(_app().schema_manager.get_schema())


def put(connection: Connection, id: str) -> None:
    """Hand an id over, in the transaction that leaves the work. Where procrastinate is not there yet, a worker finds the row by itself."""
    if connection.dialect.name == "postgresql" and connection.execute(_THERE).scalar_one():
        _app().configure_task(TASK, queue=QUEUE, connection=connection.connection.driver_connection).defer(id=id)


@cache
def _app() -> Any:
    """Imported when somebody leaves work, not when a process starts."""
    import procrastinate

    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
