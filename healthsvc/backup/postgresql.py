"""PostgreSQL: dumped and restored by its own programs, under one snapshot with the counts that stand in the manifest."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from healthsvc.backup.contents import contents
from healthsvc.backup.manifest import Contents
from healthsvc.backup.parts import BLOCK
from healthsvc.errors import Conflict, Invalid, Unavailable
from healthsvc.store.postgres import conninfo, psycopg_url

PART = "database.pgdump"
_PLACES = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"
"""Where distributions put the programs of PostgreSQL beside the path."""

_CLEAR = """
DO $$ DECLARE one text; BEGIN
  FOREACH one IN ARRAY (SELECT coalesce(array_agg(words), '{}') FROM (
    SELECT 'TABLE IF EXISTS ' || oid::regclass AS words FROM pg_class
      WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    UNION ALL SELECT 'ROUTINE IF EXISTS ' || oid::regprocedure FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace
    UNION ALL SELECT 'TYPE IF EXISTS ' || t.oid::regtype FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typnamespace = quote_ident(current_schema())::regnamespace AND ((t.typtype = 'e') OR (c.relkind = 'c'))
  ) AS there)
  LOOP EXECUTE 'DROP ' || one || ' CASCADE'; END LOOP;
END $$
"""
"""Everything that a dump of ours brings into a schema; sequences and triggers go with their tables."""


def program(name: str) -> str:
    """Where a program of PostgreSQL is; the newest, since one that is older than the server refuses.

    Raises:
        Unavailable: not installed; the text says how to get it.
    """
    beside = [path / name for place in _PLACES for path in Path("/").glob(place[1:]) if (path / name).is_file()]
    if beside:
        return str(max(beside, key=lambda path: _number(path.parent.parent.name)))
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed; install PostgreSQL's client programs (apt-get install postgresql-client)")
    return found


def _number(name: str) -> int:
    return int("".join(letter for letter in name if letter.isdigit()) or 0)


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """One read-only snapshot of a database.

    Raises:
        Unavailable: it does not answer.
    """
    engine = create_engine(driver(url), hide_parameters=True, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SET TRANSACTION READ ONLY"))
            yield connection
    except DBAPIError as error:
        raise Unavailable(f"the database does not answer: {type(error.orig).__name__}") from None
    finally:
        engine.dispose()


def snapshot(connection: Connection) -> tuple[str, Contents, str]:
    """Name of the snapshot, for ``dump``; what it holds; version of the server."""
    name = str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())
    return name, contents(connection), str(connection.execute(text("SHOW server_version")).scalar_one())


def dump(url: str, snapshot: str) -> Iterator[bytes]:
    """The database in pg_dump's custom format, block by block.

    Raises:
        Unavailable: pg_dump failed; its own last line says why.
    """
    words = [
        program("pg_dump"),
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        *_where(url, "quote_ident(current_schema())"),
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, env=_environment(url))  # noqa: S603 - our own words
        assert process.stdout is not None
        with process.stdout as stream:
            while block := stream.read(BLOCK):
                yield block
        if process.wait() != 0:
            raise Unavailable(f"pg_dump failed: {_last_line(said)}")


def must_be_empty(url: str) -> None:
    """Refuse to restore into a database that holds anything.

    Raises:
        Conflict: it has tables. Unavailable: it does not answer.
    """
    with reading(url) as connection:
        if inspect(connection).get_table_names():
            raise Conflict("the target database is not empty; make a new one (createdb NAME) and name it with --database")


def restore(url: str, source: IO[bytes]) -> None:
    """Put a dump into an empty database, in one transaction.

    Raises:
        Invalid: pg_restore refused; its own last line says why.
    """
    words = [
        program("pg_restore"),
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        *_where(url, "current_schema()"),
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=_environment(url))  # noqa: S603 - as above
        assert process.stdin is not None
        try:
            with process.stdin as stream:
                shutil.copyfileobj(source, stream, BLOCK)
        except BrokenPipeError:
            process.wait()
        if process.wait() != 0:
            raise Invalid(f"pg_restore failed, nothing was written: {_last_line(said)}")


def clear(url: str) -> None:
    """Empty a database again that a rehearsal has filled.

    Raises:
        Unavailable: it does not answer.
    """
    engine = create_engine(driver(url), hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(_CLEAR)
    except DBAPIError as error:
        raise Unavailable(f"the rehearsed database cannot be emptied: {type(error.orig).__name__}; drop it (dropdb NAME)") from None
    finally:
        engine.dispose()


def contents_of(url: str) -> Contents:
    """What a database holds now."""
    with reading(url) as connection:
        return contents(connection)


def driver(url: str) -> URL:
    """The url by which psycopg is reached."""
    return make_url(psycopg_url(url)).set(drivername="postgresql+psycopg")


def _libpq(url: str) -> str:
    """The url for PostgreSQL's programs, without its password: what stands on a command line is seen by every user of the machine."""
    bare = driver(url)
    return conninfo(URL.create(bare.drivername, bare.username, None, bare.host, bare.port, bare.database, bare.query))


def _where(url: str, form: str) -> list[str]:
    """The database, and the schema where it is one of our own in it: others' beside it are none of ours, and may not even be read.

    Args:
        form: how it is written; pg_dump takes a pattern, pg_restore the plain name.
    """
    with reading(url) as connection:
        schema = connection.execute(text(f"SELECT {form}")).scalar()
    own = [f"--schema={schema}"] if schema not in (None, "public") else []
    return [f"--dbname={_libpq(url)}", *own]


def _environment(url: str) -> dict[str, str]:
    password = driver(url).password
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in lines if "error" in line.lower()), "it said nothing")
