"""The anteroom of the inbox: messages that are on disk and answered, but not yet in their place.

On SQLite a message in the inbox costs a page in each of its indexes, and that of the keys by which a repeated message is known is
another page for every line. A hospital waits for all of it. So a message first goes to the end of one plain table, under the number that
it will have in the inbox, and its line is answered once that is committed; some milliseconds later all that have come are carried into
the inbox by one statement. Both tables are in one database: a message is in exactly one of them at any moment, whatever is killed when,
and a backup has both.

What is in the anteroom a process knows from memory. It looks at the ends of the table in the transaction in which it writes: what another
process has put in or carried over since is then taken into account.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection

from healthsvc.store import inbox_rows
from healthsvc.store.driver import run
from healthsvc.store.engine import Database
from healthsvc.store.inbox_rows import Key, Known, in_portions
from healthsvc.store.trouble import said_clearly

COLUMNS: Final = inbox_rows.COLUMNS[: inbox_rows.CAME]
"""What a message has in the anteroom besides its number; it is new, plain, and waits to be processed."""
MOST: Final = 2000
"""So many are carried over at once, at the latest."""
_NAMES: Final = ", ".join(COLUMNS)
_ENDS: Final = "SELECT (SELECT min(id) FROM arrived), (SELECT max(id) FROM arrived)"
_FIRST: Final = "SELECT min(id), EXISTS (SELECT 1 FROM inbox WHERE id >= (SELECT min(id) FROM arrived)) FROM arrived"
"""The first number, and whether the inbox has come as far without the anteroom."""
_SINCE: Final = "SELECT id, link, sender, control_id, hash, answer, code FROM arrived WHERE id > ?"
_PLACES: Final = "(" + ", ".join("?" * (len(COLUMNS) + 1)) + ")"
_CARRY: Final = (
    "INSERT INTO inbox ({id}{names}, state, due, reused, attempts) "
    "SELECT {id}{names}, 'pending', 0, false, 0 FROM arrived WHERE true ORDER BY arrived.id "
    "ON CONFLICT (link, sender, control_id, hash) DO NOTHING"
)


class Anteroom:
    """What one process knows of it. All but ``kept`` happens inside of a writing transaction."""

    def __init__(self) -> None:
        self._known: dict[Key, dict[bytes, _Short]] = {}
        self._ends: tuple[int | None, int | None] = (None, None)
        self._turn = self._kept = 0

    def __len__(self) -> int:
        low, high = self._ends
        return 0 if low is None or high is None else high - low + 1

    def look(self, connection: Connection) -> int:
        """Take account of what other processes have done since; gives the number of this turn, for ``kept``."""
        if self._turn != self._kept:  # the last turn may not have come to its commit: what is remembered of it may not be so
            self._forget()
        self._turn += 1
        low, high = run(connection, _ENDS, ()).fetchone()
        if (low, high) == self._ends:
            return self._turn
        since = self._ends[1] if self._ends[0] == low else 0
        if not since:
            self._known = {}
        for id, link, sender, control_id, hash, answer, code in run(connection, _SINCE, (since or 0,)).fetchall():
            self._known.setdefault((link, sender, control_id), {})[bytes(hash)] = id, bytes(answer), code
        self._ends = low, high
        return self._turn

    def kept(self, turn: int) -> None:
        """The transaction of this turn was committed."""
        self._kept = turn

    def under(self, key: Key) -> dict[bytes, Known]:
        """What waits under this key, by its hash."""
        waiting = self._known.get(key, _NOTHING)
        return {hash: Known(id, *key, hash, answer, code, "pending") for hash, (id, answer, code) in waiting.items()}

    def knows_none_of(self, keys: Mapping[Key, object]) -> bool:
        """Whether nothing waits under any of these keys."""
        return self._known.keys().isdisjoint(keys)

    def append(self, connection: Connection, messages: Sequence[tuple[Any, ...]]) -> None:
        """Put messages at the end, their values in the order of ``COLUMNS``."""
        low, high = self._ends
        first = (high if high is not None else int(run(connection, "SELECT max(id) FROM inbox", ()).fetchone()[0] or 0)) + 1
        number = first
        for portion in in_portions(messages):
            values: list[Any] = []
            for row in portion:
                values.append(number)
                values += row
                link, sender, control_id, hash, *_, answer, code = row
                self._known.setdefault((link, sender, control_id), {})[hash] = number, answer, code
                number += 1
            run(connection, _put(len(portion)), tuple(values))
        if messages:
            self._ends = (first if low is None else low), number - 1

    def carry(self, connection: Connection) -> int:
        """Carry all into the inbox."""
        self._forget()
        return carry(connection)

    def _forget(self) -> None:
        self._known, self._ends = {}, (None, None)


def carry(connection: Connection) -> int:
    """Carry all that is in the anteroom into the inbox, inside of an open writing transaction; gives how many they were.

    They keep their numbers unless somebody has used them: a process of an older release beside this one, which knows no anteroom. On
    PostgreSQL nothing is ever put there, but a database that was carried over from SQLite may have brought some: they get new numbers.
    """
    low, taken = run(connection, _FIRST, ()).fetchone()
    if low is None:
        return 0
    numbers = "id, " if connection.dialect.name == "sqlite" and not taken else ""
    run(connection, _CARRY.format(id=numbers, names=_NAMES), ())
    return int(run(connection, "DELETE FROM arrived", ()).rowcount)


def carry_over(database: Database) -> int:
    """Carry what a process may have left there that is gone; gives how many messages they were. Costs one look where there is nothing.

    Raises:
        Unavailable: the database does not take it now.
    """
    with said_clearly(), database.engine.connect() as connection, connection.begin():
        if run(connection, "SELECT min(id) FROM arrived", ()).fetchone()[0] is None:
            return 0
    with database.plainly() as connection:
        return carry(connection)


@lru_cache(maxsize=16)
def _put(rows: int) -> str:
    return f"INSERT INTO arrived (id, {_NAMES}) VALUES {', '.join([_PLACES] * rows)}"  # noqa: S608 - our own names only


_Short = tuple[int, bytes, str]
"""Of a message that waits: its number, its answer, and the code of that."""
_NOTHING: Final[dict[bytes, _Short]] = {}
