"""procrastinate, PostgreSQL's task engine: it brings the ids of long work to whoever does it. SQLite needs none.

Only ids go through it; what was asked, how far it has come and what came of it stands in our own table on both engines.

Its tables have migrations of their own, which come with the package: a file called "pre" leaves the code before it working, one called
"post" does not. So the first run with every start, and the others with ``healthsvc migrate --contract``, like our own steps.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

TASK: Final = "healthsvc.work"
QUEUE: Final = "work"
_LOCK_KEY: Final = 0x70726F63
_THERE: Final = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")


BASELINE: Final = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
"""The newest of procrastinate's migrations when we began to write down which have run."""
_STEPS: Final = "CREATE TABLE IF NOT EXISTS work_queue_step (name VARCHAR PRIMARY KEY)"
_NOTE: Final = text("INSERT INTO work_queue_step VALUES (:name) ON CONFLICT DO NOTHING")


def prepare(engine: Engine, *, contract: bool = False) -> None:
    """Make procrastinate's tables, or run what its newer version asks for; on SQLite nothing.

    ``contract``: also what no older process would survive.
    """
    while engine.dialect.name == "postgresql" and _step(engine, contract):
        pass


def _step(engine: Engine, contract: bool) -> bool:
    """Run the next one in a transaction of its own (a word that one adds to an enumeration can be used after its commit only)."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        driver: Any = connection.connection.driver_connection
        there = connection.execute(_THERE).scalar_one()
        if not there:
            driver.execute(_app().schema_manager.get_schema())
        following = waiting(_steps(connection, fresh=not there), _files(), contract=contract)
        for path in following[:1]:
            driver.execute(path.read_text(encoding="utf-8"))
            connection.execute(_NOTE, {"name": path.name})
    return bool(following)


def waiting(done: frozenset[str], files: list[Path], *, contract: bool) -> list[Path]:
    """The migrations that are to be run now: in their order, up to the first that has to wait for ``contract``."""
    missing = [path for path in files if path.name not in done]
    stop = next((number for number, path in enumerate(missing) if not contract and "_pre_" not in path.name), len(missing))
    return missing[:stop]


def _files() -> list[Path]:
    from procrastinate.schema import migrations_path

    return sorted(Path(migrations_path).glob("*.sql"))


def _steps(connection: Connection, *, fresh: bool) -> frozenset[str]:
    """The migrations that have run; tables just made have all of them, those that nobody wrote down have what stood in BASELINE's time."""
    connection.execute(text(_STEPS))
    known = frozenset(connection.execute(text("SELECT name FROM work_queue_step")).scalars())
    if known and not fresh:
        return known
    have = [path.name for path in _files() if fresh or path.name <= BASELINE]
    for name in have:
        connection.execute(_NOTE, {"name": name})
    return frozenset(have)


def put(connection: Connection, id: str) -> None:
    """Hand an id over, in the transaction that leaves the work. Where procrastinate is not there yet, a worker finds the row by itself."""
    if connection.dialect.name == "postgresql" and connection.execute(_THERE).scalar_one():
        _app().configure_task(TASK, queue=QUEUE, connection=connection.connection.driver_connection).defer(id=id)


@cache
def _app() -> Any:
    """Imported when somebody leaves work, not when a process starts."""
    import procrastinate

    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
