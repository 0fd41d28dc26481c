"""Bring a database to the newest schema: Alembic migrations from the first table on, run by one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from healthsvc.errors import Unavailable

_LOCK_KEY = 0x6D696772
"""Key of PostgreSQL's advisory lock for migrations: racing processes queue here."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this program knows."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def revisions() -> frozenset[str]:
    """Every revision that this program knows."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return frozenset(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing; nothing happens where none is.

    Raises:
        Unavailable: the database is newer than this program.
    """
    newest = head()
    with engine.connect() as plain:
        if MigrationContext.configure(plain).get_current_revision() == newest:
            return
    with engine.connect() as plain:
        connection = plain.execution_options(writing=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))  # a migration takes as long as it takes
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            config = configuration(connection)
            current = MigrationContext.configure(connection).get_current_revision()
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if current is not None and current not in known:
                raise Unavailable(f"the database has schema {current}, which this version does not know: run the newer healthsvc")
            command.upgrade(config, "head")
