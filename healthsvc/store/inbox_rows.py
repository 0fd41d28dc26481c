"""Rows of the inbox, many at a time: one statement looks up what is known, one writes what is new.

A statement per row would cost more than the row: the driver gives up and takes back the interpreter's lock each time, while the thread
that serves the lines waits for it. So a group goes in as few statements with many rows.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from healthsvc.store.sealing.sealer import Sealer
from healthsvc.store.writes import run

COLUMNS: Final = (
    "link", "sender", "control_id", "hash", "event", "listen", "peer", "received", "raw", "answer", "code", "state", "due", "reused",
    "finished", "reason", "place", "remark",
)  # fmt: skip
_ALWAYS: Final = COLUMNS.index("reused")
"""From here on a column is empty in nearly every row; binding an empty value costs the driver more than writing it."""
CAME: Final = COLUMNS.index("state")
"""So many columns, from the first, say what came and what was answered; the others what becomes of it."""
_WAITS: Final = "'pending', 0, "
_NOTHING_MORE: Final = "false, " + "NULL, " * (len(COLUMNS) - _ALWAYS - 1)
CHUNKS: Final = (256, 64, 16, 4, 1)
"""Rows in one statement: few sizes, so that the driver keeps every statement prepared."""
Row = TypeVar("Row")
Key = tuple[str, str, str]
"""Link, sender, control id."""


class Known(NamedTuple):
    """A message that is in the inbox already."""

    id: int
    link: str
    sender: str
    control_id: str
    hash: bytes
    answer: bytes
    code: str
    state: str


def inbox_place(hash: bytes) -> str:
    """What is bound to a sealed message: the hash of its bytes, by which the inbox knows it."""
    return f"inbox/{hash.hex()}"


def opened(sealer: Sealer, raw: bytes, hash: bytes) -> bytes:
    """The bytes of a message as they arrived.

    Raises:
        Unavailable: they are sealed, and the key is lost.
    """
    return sealer.open(bytes(raw), inbox_place(bytes(hash)))


def raw_of(connection: Connection, sealer: Sealer, id: int) -> bytes:
    """The bytes of one message that has not been forgotten."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    raw, hash = run(connection, f"SELECT raw, hash FROM inbox WHERE id = {mark}", (id,)).fetchone()  # noqa: S608 - a mark
    return opened(sealer, raw, hash)


def raws_of(connection: Connection, sealer: Sealer, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The bytes of messages that have not been forgotten, with their ids."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    for portion in in_portions(ids):
        sql = f"SELECT id, raw, hash FROM inbox WHERE raw IS NOT NULL AND id IN ({', '.join([mark] * len(portion))})"  # noqa: S608 - marks
        for id, raw, hash in run(connection, sql, tuple(portion)).fetchall():
            yield id, opened(sealer, raw, hash)


def known(connection: Connection, keys: Sequence[Key]) -> Iterator[Known]:
    """What the inbox holds under these keys, whatever its content."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    row = f"({mark}, {mark}, {mark})"
    for start, size in _cut(len(keys)):
        # CROSS JOIN keeps SQLite to this order: one step down the unique index for each key, however long the inbox has grown
        sql = (
            f"WITH asked (link, sender, control_id) AS (VALUES {', '.join([row] * size)}) "  # noqa: S608 - our own names only
            "SELECT i.id, i.link, i.sender, i.control_id, i.hash, i.answer, i.code, i.state FROM asked CROSS JOIN inbox i "
            "WHERE i.link = asked.link AND i.sender = asked.sender AND i.control_id = asked.control_id"
        )
        for found in run(connection, sql, tuple(chain.from_iterable(keys[start : start + size]))).fetchall():
            yield Known(found[0], found[1], found[2], found[3], bytes(found[4]), bytes(found[5]), found[6], found[7])


def append(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows (values in the order of ``COLUMNS``) one after the other; one that is there already stays as it is."""
    if any(any(row[_ALWAYS:]) for row in rows):
        _append(connection, rows, len(COLUMNS), "")
    else:
        _append(connection, [row[:_ALWAYS] for row in rows], _ALWAYS, _NOTHING_MORE)


def append_waiting(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """As :func:`append`, what simply waits to be processed: of each row the first ``CAME`` values."""
    _append(connection, rows, CAME, _WAITS + _NOTHING_MORE)


def _append(connection: Connection, rows: Sequence[tuple[Any, ...]], width: int, rest: str) -> None:
    for portion in in_portions(rows):
        run(connection, _insert(connection.dialect.name, len(portion), width, rest), tuple(chain.from_iterable(portion)))


@lru_cache(maxsize=64)
def _insert(dialect: str, rows: int, width: int, rest: str) -> str:
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * width)
    values = f"({marks}, {rest}0)"
    return f"INSERT INTO inbox ({', '.join(COLUMNS)}, attempts) VALUES {', '.join([values] * rows)} ON CONFLICT DO NOTHING"  # noqa: S608 - our own names only


def change(connection: Connection, id: int, values: dict[str, Any]) -> None:
    """Change columns of one row."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    sql = f"UPDATE inbox SET {', '.join(f'{column} = {mark}' for column in values)} WHERE id = {mark}"  # noqa: S608 - our own names only
    run(connection, sql, (*values.values(), id))


def in_portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut rows into as few portions as there are statements that the driver keeps prepared."""
    for start, size in _cut(len(rows)):
        yield rows[start : start + size]


def _cut(count: int) -> Iterator[tuple[int, int]]:
    start = 0
    for size in CHUNKS:
        while count - start >= size:
            yield start, size
            start += size
