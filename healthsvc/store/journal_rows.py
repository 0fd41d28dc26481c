"""Messages as a journal's records and as rows of the inbox; where the journals of a database lie, and how far each has been carried."""

from collections import Counter
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from healthsvc.store import inbox_rows
from healthsvc.store.anteroom import COLUMNS
from healthsvc.store.driver import run
from healthsvc.store.inbox_rows import Key, Known
from healthsvc.store.journal import Entry

Row = tuple[Any, ...]
"""A message in the order of the anteroom's ``COLUMNS``."""
_READER: Final = "journal:"
"""What stands before a journal's id in ``reader_place``."""
FOREIGN: Final = "{journal} is the journal of another database; move it away, or bring that database back"
_PLACE: Final = "SELECT seq FROM reader_place WHERE reader = ?"
_SET_PLACE: Final = "INSERT INTO reader_place (reader, seq) VALUES (?, ?) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq"
_PLACES: Final = f"SELECT reader, seq FROM reader_place WHERE reader LIKE '{_READER}%'"  # noqa: S608 - our own name
_FORGET_PLACE: Final = "DELETE FROM reader_place WHERE reader = ?"
_POSITIVE: Final = frozenset({"AA", "CA"})
KEY: Final = slice(3)
"""Of a row: link, sender, control id."""
HASH, LINK, RECEIVED, RAW, ANSWER, CODE = (COLUMNS.index(name) for name in ("hash", "link", "received", "raw", "answer", "code"))
_TO_WORK_ON: Final = ("pending", 0)
_NOTHING_MORE: Final = (None, None, None, None)

encode: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(type=tuple).decode


def row_of(entry: Entry) -> Row:
    """The message of a record."""
    return tuple(_DECODE(entry.body))


def place(connection: Connection, id: bytes) -> int | None:
    """Up to which record a journal has been carried into this database; None: it is that of another."""
    known = run(connection, _PLACE, (_reader(id),)).fetchone()
    return None if known is None else int(known[0])


def places(connection: Connection) -> dict[bytes, int]:
    """How far each journal of this database that has not been ended cleanly has been carried, by its id."""
    return {bytes.fromhex(row[0].removeprefix(_READER)): int(row[1]) for row in run(connection, _PLACES, ()).fetchall()}


def set_place(connection: Connection, id: bytes, number: int) -> None:
    """Note how far it has been carried."""
    run(connection, _SET_PLACE, (_reader(id), number))


def forget_place(connection: Connection, id: bytes) -> None:
    """The journal is gone."""
    run(connection, _FORGET_PLACE, (_reader(id),))


def put(connection: Connection, rows: Sequence[Row], reused: Counter[str] | None = None) -> int:
    """Those that are not there yet, in their order; a number that was used before for other content is marked, and counted by link."""
    keys = {row[KEY] for row in rows}
    before = list(inbox_rows.known(connection, list(keys)))
    if not before and len(keys) == len(rows):  # as it nearly always is
        inbox_rows.append_waiting(connection, rows)
        return len(rows)
    there: dict[Key, dict[bytes, Known | None]] = {}
    positive: set[Key] = set()
    for known in before:
        there.setdefault(known[1:4], {})[known.hash] = known
        if known.code in _POSITIVE:
            positive.add(known[1:4])
    fresh = []
    for row in rows:
        key, hash = row[KEY], row[HASH]
        others = there.setdefault(key, {})
        if hash in others:
            continue
        others[hash] = None
        marked = bool(row[2]) and key in positive
        if marked and reused is not None:
            reused[row[LINK]] += 1
        fresh.append((*row, *_TO_WORK_ON, marked, *_NOTHING_MORE))
        positive.add(key)
    inbox_rows.append(connection, fresh)
    return len(fresh)


def path_of(database: Path, number: int) -> Path:
    """Where a journal of this embedded database lies."""
    return database.with_name(f".{database.name}.line-{number}")


def there(database: Path) -> list[Path]:
    """The journals that lie beside it."""
    head = f".{database.name}.line-"
    numbers = (path.name.removeprefix(head) for path in database.parent.glob(f"{escape(head)}*"))
    return [path_of(database, number) for number in sorted(int(one) for one in numbers if one.isdigit())]


def unfinished(database: Path) -> list[Path]:
    """What lies there of journals that are being made, or whose maker was killed."""
    return sorted(database.parent.glob(f"{escape(f'.{database.name}.line-')}*.new"))


def _reader(id: bytes) -> str:
    return f"{_READER}{id.hex()}"
