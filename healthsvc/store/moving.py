"""Carry an embedded database over to PostgreSQL: table by table in the order of their keys, and compare every row afterwards.

How far it has come stands in the target itself (table ``moving``), in the transaction of the rows: a killed move goes on where it was. The
source is only read. Rows go as they are, sealed values with their seals; so the audit's hashes and the documents' signatures stay valid.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Integer, Table, create_engine, func, inspect, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import LargeBinary, String

from healthsvc.errors import Conflict, Invalid
from healthsvc.store import audit
from healthsvc.store.migrate import head, upgrade
from healthsvc.store.postgres import ServerUse, connect
from healthsvc.store.tables import metadata
from healthsvc.store.trouble import said_clearly

PORTION: Final = 2000
"""Rows in one transaction."""
_MARKER: Final = "moving"
_MAKE: Final = "CREATE TABLE moving (name VARCHAR PRIMARY KEY, rows BIGINT NOT NULL, mark VARCHAR NOT NULL)"
_NOTE: Final = "INSERT INTO moving VALUES (:name, :rows, :mark) ON CONFLICT (name) DO UPDATE SET rows = :rows, mark = :mark"
_SOURCE: Final = "(source)"
Progress = Callable[[str, int, int], None]
"""Called with a table's name, how many of its rows are over, and how many there are."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table on both sides."""

    table: str
    rows: int
    digest: str
    """BLAKE2b-128 over all rows in the order of their keys."""
    rows_there: int
    digest_there: str
    first: str | None = None
    """Key of the first row that differs (numbers and ids, hashed where they may name a person)."""

    @property
    def same(self) -> bool:
        """Whether every row is there as it was."""
        return (self.rows, self.digest) == (self.rows_there, self.digest_there)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move has come to."""

    tables: tuple[Compared, ...]
    audit: tuple[str, ...]
    """What is wrong with the audit's chains on the other side."""

    @property
    def sound(self) -> bool:
        """Whether all is there as it was."""
        return all(one.same for one in self.tables) and not self.audit


def tables() -> list[Table]:
    """Every table of the store, in the order in which they are carried."""
    for path in sorted(Path(__file__).parent.glob("*_tables.py")):
        import_module(f"healthsvc.store.{path.stem}")
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def move(source: Path, url: str, progress: Progress = lambda *_: None, *, server: ServerUse | None = None, again: bool = False) -> Moved:
    """Carry all rows of an embedded database to an empty PostgreSQL database and compare both.

    Args:
        source: the file; nobody else may write to it meanwhile.
        url: the target.
        again: empty the target first, where an earlier move has left something there.

    Raises:
        Invalid: the target is no PostgreSQL, or a value cannot be kept there.
        Conflict: the target holds something that no move has left there, or the source has changed since a move began.
        Unavailable: the target does not answer.
    """
    if not url.startswith("postgres"):
        raise Invalid("an embedded database is moved to PostgreSQL: --to postgresql://USER@HOST/NAME", path="--to", reason="move-target")
    here, there = create_engine(f"sqlite:///{source}", hide_parameters=True), connect(url, server or ServerUse(statement_seconds=3600))
    try:
        with said_clearly():
            return _move(here, there, progress, again=again)
    finally:
        here.dispose()
        there.dispose()


def _move(here: Engine, there: Engine, progress: Progress, *, again: bool) -> Moved:
    with here.connect() as reading, reading.begin():
        print_ = _fingerprint(reading)
        with there.begin() as target:
            _prepare(target, print_, again=again)
        upgrade(there)
        for table in tables():
            _carry(reading, there, table, progress)
        with there.connect() as target, target.begin():
            compared = tuple(_compare(reading, target, table) for table in tables())
            faults = tuple(audit.verify(target))
    moved = Moved(compared, faults)
    if moved.sound:
        with there.begin() as target:
            target.execute(text(f"DROP TABLE {_MARKER}"))
            target.execute(text("ANALYZE"))
    return moved


def _fingerprint(reading: Connection) -> str:
    """What the source is: its schema, its audit's head and how much it holds. Read inside the transaction that reads everything else."""
    counts = [reading.execute(select(func.count()).select_from(table)).scalar_one() for table in tables()]
    last = reading.execute(text("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")).scalar()
    return hashlib.blake2b(repr((head(), counts, last)).encode(), digest_size=16).hexdigest()


def _prepare(target: Connection, print_: str, *, again: bool) -> None:
    """See that the target is empty, or holds what an earlier run of this very move has left."""
    target.execute(
        text("SELECT pg_advisory_xact_lock(1836020325)")
    )  # of two moves to one target one waits here, and then finds the other's
    names = set(inspect(target).get_table_names())
    if _MARKER in names:
        before = target.execute(text("SELECT mark FROM moving WHERE name = :name"), {"name": _SOURCE}).scalar()
        if before == print_ and not again:
            return
        if not again:
            raise Conflict(
                "the target holds part of a move whose source was another one, or has changed since; begin anew with --again",
                reason="move-changed",
            )
        for name in sorted(names & {*metadata.tables, _MARKER, "alembic_version"}):
            target.execute(text(f'DROP TABLE "{name}" CASCADE'))
    elif names:
        raise Conflict("the target is not empty; name an empty database: nothing is ever overwritten", reason="move-not-empty")
    target.execute(text(_MAKE))
    target.execute(text(_NOTE), {"name": _SOURCE, "rows": 0, "mark": print_})


def _carry(reading: Connection, there: Engine, table: Table, progress: Progress) -> None:
    """Carry what is not over yet of one table."""
    total = int(reading.execute(select(func.count()).select_from(table)).scalar_one())
    with there.connect() as target:
        done = int(target.execute(text("SELECT rows FROM moving WHERE name = :name"), {"name": table.name}).scalar() or 0)
        last = _last(target, table) if done else None
    progress(table.name, done, total)
    keys = list(table.primary_key.columns)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    if not done:
        with there.begin() as target:  # what making the tables has put there, the source has too
            target.execute(table.delete())
    while done < total:
        wanted = select(table).order_by(*keys).limit(PORTION)
        rows = reading.execute(wanted if last is None else wanted.where(tuple_(*keys) > tuple_(*last))).all()
        with there.begin() as target:
            driver: Any = target.connection.driver_connection
            try:
                with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
                    for row in rows:
                        copy.write_row(tuple(row))
            except psycopg.DataError as error:
                raise Invalid(f"table {table.name} holds a text with a character that PostgreSQL does not keep (NUL)") from error
            except psycopg.Error as error:  # of the driver itself, which `said_clearly` does not know, and whose text repeats the row
                raise DBAPIError.instance("COPY", None, error, psycopg.Error, hide_parameters=True) from None
            done += len(rows)
            target.execute(text(_NOTE), {"name": table.name, "rows": done, "mark": ""})
            if done >= total:
                _set_sequence(target, table)
        last = tuple(getattr(rows[-1], key.name) for key in keys)
        progress(table.name, done, total)


def _last(target: Connection, table: Table) -> tuple[Any, ...] | None:
    keys = [_ordered(key) for key in table.primary_key.columns]
    found = target.execute(select(*table.primary_key.columns).order_by(*(key.desc() for key in keys)).limit(1)).first()
    return None if found is None else tuple(found)


def _ordered(column: Any) -> Any:
    """Both engines in the same order: of texts by their bytes."""
    return column.collate("C") if isinstance(column.type, String) and not isinstance(column.type, LargeBinary) else column


def _set_sequence(target: Connection, table: Table) -> None:
    """New rows get numbers after those that came over."""
    keys = list(table.primary_key.columns)
    if len(keys) == 1 and isinstance(keys[0].type, Integer):
        name = target.execute(text("SELECT pg_get_serial_sequence(:table, :key)"), {"table": table.name, "key": keys[0].name}).scalar()
        highest = target.execute(select(func.max(keys[0]))).scalar()
        if name is not None and highest is not None:
            target.execute(text("SELECT setval(CAST(:name AS regclass), :highest)"), {"name": name, "highest": highest})


def _compare(reading: Connection, target: Connection, table: Table) -> Compared:
    """Every row of a table on both sides, in the order of its keys."""
    ours, theirs = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
    counts, first = [0, 0], None
    here = _rows(reading, select(table).order_by(*table.primary_key.columns))
    there = _rows(target, select(table).order_by(*(_ordered(key) for key in table.primary_key.columns)))
    while True:
        one, other = next(here, None), next(there, None)
        if one is None and other is None:
            break
        for row, number, digest in ((one, 0, ours), (other, 1, theirs)):
            if row is not None:
                counts[number] += 1
                digest.update(row)
        if one != other and first is None:
            first = f"row {max(counts)}"
    return Compared(table.name, counts[0], ours.hexdigest(), counts[1], theirs.hexdigest(), first)


def _rows(connection: Connection, query: Any) -> Iterator[bytes]:
    """Each row as one text of bytes, the same on either engine."""
    for row in connection.execute(query, execution_options={"yield_per": PORTION}):
        yield _bytes(row)


def _bytes(row: Sequence[Any]) -> bytes:
    parts: list[bytes] = []
    for value in row:
        if value is None:
            raw = b"n"
        elif isinstance(value, (bytes, memoryview)):
            raw = b"b" + bytes(value)
        elif isinstance(value, bool):
            raw = b"t" if value else b"f"
        else:
            raw = b"v" + repr(value).encode()
        parts += (len(raw).to_bytes(8, "big"), raw)
    return b"".join(parts)
