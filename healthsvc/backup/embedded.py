"""The embedded database: copied in one pass beside its writers."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, create_engine

from healthsvc.backup.contents import contents_of_file
from healthsvc.backup.manifest import Contents
from healthsvc.backup.parts import BLOCK, blocks_of
from healthsvc.errors import Invalid, Unavailable
from healthsvc.store.journals_read import put_beside, rows_beside

PART = "database.sqlite.gz"
_GZIP = 31
"""zlib's wbits for the gzip format."""
_MOST_FAULTS = 5
_FAST = 1
"""Level of compression: bodies of JSON shrink to a quarter at this level already, and the pass keeps up with a disk."""


def copy(source: Path, into: Path) -> Contents:
    """Copy a database that others are writing to; gives what the copy holds.

    What lines have answered and what has not come into the database yet stands in their journals; these are read first, and what the copy
    then does not hold is carried into it. The copy is made in one step (pages=-1), because a copy in steps begins anew whenever somebody
    writes and then never ends. Readers and writers go on meanwhile; only the WAL cannot be cut back until it is done.

    Raises:
        Unavailable: there is none, or it or the disk does not answer.
    """
    if not source.is_file():
        raise Unavailable(f"there is no database {source.name} in the data directory; name the right one with --data")
    journals = rows_beside(source)
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as there, closing(sqlite3.connect(into)) as here:
            there.backup(here, pages=-1)
            here.execute("PRAGMA journal_mode=DELETE")  # one file, whole without a log beside it
    except sqlite3.Error as error:
        raise Unavailable(f"the database cannot be copied: {error}") from None
    engine = create_engine(f"sqlite:///{into}")
    try:
        with engine.begin() as connection:
            put_beside(connection, journals)
    finally:
        engine.dispose()
    return contents_of_file(into)


def faults(connection: Connection) -> list[str]:
    """Where the pages of an embedded database contradict each other, in its engine's words; PostgreSQL has no such question."""
    if connection.dialect.name != "sqlite":
        return []
    told = connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST_FAULTS})").scalars().all()
    return [] if told == ["ok"] else [f"database file: {one}" for one in told]


def version() -> str:
    """Version of the engine."""
    return sqlite3.sqlite_version


def compressed(path: Path) -> Iterator[bytes]:
    """A file, compressed block by block."""
    squeeze = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    for block in blocks_of(path):
        yield squeeze.compress(block)
    yield squeeze.flush()


def put_back(source: IO[bytes], into: Path) -> None:
    """Write the database of a backup to a file that is not there yet.

    Raises:
        Invalid: it does not decompress.
    """
    widen = zlib.decompressobj(_GZIP)
    try:
        with into.open("xb") as file:
            while block := source.read(BLOCK):
                file.write(widen.decompress(block))
            file.write(widen.flush())
        into.chmod(0o600)
    except zlib.error:
        raise Invalid("the database of the backup cannot be decompressed; take another backup") from None
    if not widen.eof:
        raise Invalid("the database of the backup ends in the middle; take another backup")
