"""The journals beside an embedded database as others see them while the processes of the lines write: for pages, keys and backups, and for
the process that carries."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from healthsvc.errors import Invalid
from healthsvc.store.journal import Entry, Peeked, peek, read
from healthsvc.store.journal_rows import LINK, RAW, RECEIVED, Row, place, places, put, row_of, set_place, there, unfinished
from healthsvc.store.sealing.sealer import MARK

Waiting = tuple[bytes, list[tuple[int, Row]]]
"""The id of a journal, and messages that wait in it with their numbers."""
LOOK_SECONDS: Final = 0.01
"""How often it is looked whether something has been carried."""


def waiting(connection: Connection) -> dict[str, tuple[int, int]]:
    """What waits in all journals of this database: of each link how many messages, and when the oldest came.

    A look at each file tells whether anything waits at all; only then is it read, and only what has not been carried.
    """
    found: dict[str, tuple[int, int]] = {}
    if connection.dialect.name != "sqlite":
        return found
    for path in there(Path(connection.engine.url.database or "")):
        with suppress(FileNotFoundError, Invalid):
            if peek(path).waits:
                for row in _not_carried(connection, path):
                    count_, came = found.get(row[LINK], (0, row[RECEIVED]))
                    found[row[LINK]] = count_ + 1, min(came, row[RECEIVED])
    return found


def without_file(connection: Connection) -> dict[bytes, int]:
    """Journals of which this database knows and whose file does not lie beside it (somebody has taken it away, or the database is a copy):
    by id, up to which record each has been carried."""
    if connection.dialect.name != "sqlite":
        return {}
    file = Path(connection.engine.url.database or "")
    before = _ids(file)  # looked at twice: one may be made or ended at this moment
    known = places(connection)
    return {id: number for id, number in known.items() if id not in before | _ids(file)}


def _ids(database: Path) -> set[bytes]:
    found = set()
    for path in (*there(database), *unfinished(database)):
        with suppress(FileNotFoundError, Invalid):
            found.add(peek(path).id)
    return found


def sealed_with(connection: Connection, kid: bytes) -> int:
    """How many messages that wait in journals are sealed with this key."""
    if connection.dialect.name != "sqlite":
        return 0
    found = 0
    for path in there(Path(connection.engine.url.database or "")):
        with suppress(FileNotFoundError, Invalid):
            found += sum(row[RAW].startswith(MARK + kid) for row in _not_carried(connection, path))
    return found


def rows_beside(database: Path) -> list[tuple[bytes, list[Entry]]]:
    """What stands in the journals beside an embedded database, while others write them: for a backup, which then copies the database."""
    found = []
    for path in there(database):
        with suppress(FileNotFoundError, Invalid):
            found.append(read(path))
    return found


def put_beside(connection: Connection, journals: Sequence[tuple[bytes, Sequence[Entry]]]) -> int:
    """Carry what stood in journals into a copy of the database, inside of an open writing transaction; gives how many messages came in."""
    carried = 0
    for id, entries in journals:
        known = place(connection, id)
        left = [entry for entry in entries if known is not None and entry.number > known]
        if left:
            carried += put(connection, [row_of(entry) for entry in left])
            set_place(connection, id, left[-1].number)
    return carried


def _not_carried(connection: Connection, path: Path) -> Iterator[Row]:
    known = place(connection, peek(path).id)
    if known is None:
        return iter(())
    return (row_of(entry) for entry in read(path, known)[1])


def some_wait_beside(database: Path, own: Path) -> bool:
    """Whether something seems to wait in a journal of another process; costs a look at each."""
    return any(one.waits for path in there(database) if path != own and (one := _peeked(path)) is not None)


def beside_until(connection: Connection, own: Path, until: int) -> list[Waiting]:
    """What waits in the journals of other processes and came up to a moment (microseconds since 1970 UTC). What came later stays: of the
    own ones that were looked at before, something may be missing that came before it.

    Only what was flushed: a record that was not may be written anew with other content under its number.
    """
    found = []
    for path in there(Path(connection.engine.url.database or "")):
        with suppress(OSError, Invalid):  # what is wrong with it is said by the process that holds it, or by who looks after what is left
            peeked = peek(path)
            if path == own or not peeked.waits or (known := place(connection, peeked.id)) is None:
                continue
            id, entries = read(path, known)
            flushed = ((entry.number, row_of(entry)) for entry in entries if id == peeked.id and entry.number <= peeked.last)
            found.append((id, list(takewhile(lambda one: one[1][RECEIVED] <= until, flushed))))
    return found


def carried_before(database: Path, seconds: float) -> bool:
    """Wait until what stands in the journals now has been carried by the processes that hold them; False where so long was not enough."""
    ends = time.monotonic() + seconds
    left = {path: one for path in there(database) if (one := _peeked(path)) is not None and one.waits}
    while left and time.monotonic() < ends:
        time.sleep(LOOK_SECONDS)
        left = _not_yet(left)
    return not left


def _not_yet(asked: Mapping[Path, Peeked]) -> dict[Path, Peeked]:
    now = {path: _peeked(path) for path in asked}
    same = {path: one for path, one in now.items() if one is not None and one.id == asked[path].id}
    return {path: asked[path] for path, one in same.items() if one.carried < asked[path].last}


def _peeked(path: Path) -> Peeked | None:
    with suppress(OSError, Invalid):
        return peek(path)
    return None
