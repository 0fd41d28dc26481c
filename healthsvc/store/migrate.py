"""Bring a database to the newest schema: Alembic migrations from the first table on, run by one process at a time.

Steps either *expand* (new tables, columns that may be empty, indexes: the code before them goes on working) or *contract* (what no code
uses any more goes; such a file says ``contract = True``). So processes can be replaced one by one: whoever starts first expands, those
of the release before go on beside it, and the contracting waits until they are gone and somebody says so.
"""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import OperationalError

from healthsvc.errors import Invalid
from healthsvc.store.schema_tables import SchemaPromise

_LOCK_KEY = 0x6D696772
"""Key of PostgreSQL's advisory lock for migrations: racing processes queue here."""
LOCK_MILLISECONDS: Final = 400
"""Less than PostgreSQL's deadlock_timeout (a second), so that the step is the one that gives way."""
PAUSE_SECONDS: Final = 0.3
TRIES: Final = 100
_HELD: Final = ("55P03", "40P01")
"""SQLSTATE lock_not_available and deadlock_detected."""
VERSIONS: Final = Path(__file__).parent / "migrations"
_PROMISE = SchemaPromise.__table__  # type: ignore[attr-defined]


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for a connection where it is to run."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def scripts() -> Sequence[Script]:
    """The steps that this program knows, oldest first."""
    return _scripts(VERSIONS)


@cache  # a release is what it is: each step is a module that Alembic would load anew whenever it is asked
def _scripts(folder: Path) -> tuple[Script, ...]:
    return tuple(reversed(list(ScriptDirectory(folder).walk_revisions())))


def head() -> str:
    """The newest revision that this program knows."""
    return str(scripts()[-1].revision)


def revisions() -> frozenset[str]:
    """Every revision that this program knows."""
    return frozenset(script.revision for script in scripts())


def contracts(script: Script) -> bool:
    """Whether a step takes away what the release before still uses."""
    return bool(getattr(script.module, "contract", False))


def pending(engine: Engine) -> tuple[list[str], list[str]]:
    """The steps that are still to run: those that the next start runs, and those that wait for ``healthsvc migrate --contract``."""
    with engine.connect() as plain:
        current = MigrationContext.configure(plain).get_current_revision()
    following = _after(current)
    ready = _until_contract(following, current, engine.dialect.name)
    return [script.revision for script in ready], [script.revision for script in following[len(ready) :]]


def upgrade(engine: Engine, *, contract: bool = False) -> None:
    """Run the migrations that are missing; nothing happens where none is.

    Contracting steps run on a new database and on an embedded one (whose processes start anew together); on PostgreSQL only with
    ``contract``.

    Raises:
        Invalid: the database is so much newer than this program that it would not work on it; starting again changes nothing.
    """
    with engine.connect() as plain:
        if MigrationContext.configure(plain).get_current_revision() == head():
            return
    tries = 0
    while True:
        try:
            if not _run_some(engine, contract=contract):
                return
        except OperationalError as error:
            tries += 1
            if getattr(error.orig, "sqlstate", "") not in _HELD or tries >= TRIES:
                raise
            time.sleep(PAUSE_SECONDS)


def _run_some(engine: Engine, *, contract: bool) -> bool:
    """Run what may run in one transaction: everything on a new or embedded database, one step on a PostgreSQL that others work on.

    There a step that does not get its tables at once lets go and comes again: whoever waits for a table that somebody writes to, makes
    everybody wait behind it, and two tables in the wrong order would be a deadlock.
    """
    with engine.connect() as plain:
        connection = plain.execution_options(writing=True)
        with connection.begin():
            shared = engine.dialect.name == "postgresql"
            if shared:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in revisions():
                _must_be_promised(connection, current)
                return False
            following = _after(current)
            chosen = following if contract else _until_contract(following, current, engine.dialect.name)
            if shared and current is not None:
                chosen = chosen[:1]
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
            if not chosen:
                return False
            command.upgrade(configuration(connection), chosen[-1].revision)
            _promise(connection, chosen[-1].revision)
            return True


def _after(current: str | None) -> Sequence[Script]:
    known = scripts()
    places = [number for number, script in enumerate(known) if script.revision == current]
    return known[places[0] + 1 :] if places else (() if current is not None else known)


def _until_contract(following: Sequence[Script], current: str | None, dialect: str) -> Sequence[Script]:
    if current is None or dialect == "sqlite":
        return following
    stop = next((number for number, script in enumerate(following) if contracts(script)), len(following))
    return following[:stop]


def _promise(connection: Connection, revision: str) -> None:
    """Write down the last step that took something away: who knows that step, works on this schema."""
    known = scripts()
    done = known[: [script.revision for script in known].index(revision) + 1]
    demand(connection, next((script.revision for script in reversed(done) if contracts(script)), done[0].revision))


def demand(connection: Connection, revision: str) -> None:
    """From now on a program that does not know this step refuses to run on this database; what was demanded before still is."""
    if not inspect(connection).has_table(_PROMISE.name):
        return
    known = [script.revision for script in scripts()]
    before = connection.execute(select(_PROMISE.c.oldest)).scalar()
    later = max(known.index(revision), known.index(before) if before in known else 0)
    connection.execute(_PROMISE.delete())
    connection.execute(_PROMISE.insert().values(id=1, oldest=known[later]))


def _must_be_promised(connection: Connection, current: str) -> None:
    """A later release has expanded the schema: that is no hindrance, unless it has also taken something away since."""
    there = inspect(connection).has_table(_PROMISE.name)
    oldest = connection.execute(select(_PROMISE.c.oldest)).scalar() if there else None
    if oldest not in revisions():
        wanted = "" if oldest is None else f"; it is only for versions that know step {oldest}"
        raise Invalid(
            f"the database has schema {current}, which this version does not know{wanted}: run the newer healthsvc", reason="schema-newer"
        )
