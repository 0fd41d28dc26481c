"""The journals beside an embedded database: who holds which, what waits in them, and how it comes into the inbox, once and in its order.

A process of hospital lines holds one journal (``journal``) and answers once a message stands in it. Behind the answers the same process
carries what stands there into the inbox and notes in the same transaction up to which number (``reader_place``): whatever is killed when,
a message is carried once. A clean stop leaves no journal; one that nobody holds was left by a process that was killed, and who starts next
carries what is in it.
A hospital that opens a line for each message, or goes on by a second one, comes to one process now and to another then. Who carries
therefore takes along what the others have answered by then, all in the order in which it came: what a sender has seen answered stands
before what it sends next, also where the process that answered is held up.
The same message may stand in two journals for a moment, if it was sent again to another process; the inbox's unique key keeps one.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from heapq import merge
from itertools import count, islice
from pathlib import Path
from typing import Self
from uuid import uuid4

import structlog
from sqlalchemy import Connection

from healthsvc import clock
from healthsvc.errors import Invalid, Refusal, Unavailable
from healthsvc.store.anteroom import MOST
from healthsvc.store.bell import INBOX
from healthsvc.store.engine import Database
from healthsvc.store.inbox_rows import Key
from healthsvc.store.journal import HALF_BYTES, Journal, free, peek
from healthsvc.store.journal_rows import (
    ANSWER,
    CODE,
    FOREIGN,
    HASH,
    KEY,
    RECEIVED,
    Row,
    encode,
    forget_place,
    path_of,
    place,
    put,
    row_of,
    set_place,
    there,
    unfinished,
)
from healthsvc.store.journals_read import Waiting, beside_until, some_wait_beside
from healthsvc.store.stored import micros

log = structlog.get_logger()


class LineJournal:
    """The journal that this process holds, and what waits in it. ``under`` and ``append`` are for one thread at a time."""

    def __init__(self, database: Database, journal: Journal, carried: int) -> None:
        self._database, self._journal = database, journal
        self._waiting: list[tuple[int, Row]] = [(entry.number, row_of(entry)) for entry in journal.entries if entry.number > carried]
        journal.entries.clear()
        journal.carried(carried)
        self._known: dict[Key, list[Row]] = {}
        self._remember(row for _, row in self._waiting)
        self._lock = threading.Lock()
        self._carrying = threading.Lock()
        self.tell_reused: Callable[[str, int], object] = lambda _link, _messages: None
        """Told how many messages of a link had a number that was used before for other content, once they are carried."""

    @classmethod
    def take(cls, database: Database, *, half: int = HALF_BYTES) -> Self:
        """Hold the first journal that nobody holds; make one where all are held.

        Raises:
            Unavailable: the disk or the database does not take a new one.
        """
        for number in count():
            path = path_of(_file(database), number)
            try:
                if not path.exists():
                    _make(database, path, half)
                return cls.hold(database, path)
            except (BlockingIOError, FileExistsError, FileNotFoundError):  # somebody else's, or taken away in this moment
                continue
            except Invalid as refusal:
                log.error("a journal of hospital lines is left alone", journal=path.name, reason=refusal.text)
            except OSError as error:
                raise Unavailable(f"no journal of hospital lines can be made beside the database: {error.strerror}") from None
        raise AssertionError  # there is always a next number

    @classmethod
    def hold(cls, database: Database, path: Path) -> Self:
        """Hold this one.

        Raises:
            BlockingIOError: another process holds it. FileNotFoundError: there is none.
            Invalid: it is no journal, or that of another database. Unavailable: the database does not take it now.
        """
        journal = Journal.open(path)
        try:
            return cls(database, journal, _place_in(database, journal))
        except BaseException:
            journal.close()
            raise

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def sound(self) -> bool:
        """False once it takes nothing more, for good."""
        return self._journal.sound

    @property
    def path(self) -> Path:
        """Its file."""
        return self._journal.path

    def knows_none_of(self, keys: Mapping[Key, object]) -> bool:
        """Whether nothing waits under any of these keys. Ask here before the inbox: what is carried in between is there then."""
        with self._lock:
            return self._known.keys().isdisjoint(keys)

    def under(self, key: Key) -> dict[bytes, tuple[bytes, str]]:
        """What waits under this key, by its hash: the answer and its code."""
        with self._lock:
            return {row[HASH]: (row[ANSWER], row[CODE]) for row in self._known.get(key, ())}

    def append(self, rows: Sequence[Row]) -> None:
        """Put messages at the end, on disk when this returns.

        Raises:
            Unavailable: they do not fit now. OSError: the disk does not take them. Nothing of them counts then.
        """
        last = self._journal.append([encode(row) for row in rows])
        with self._lock:
            self._waiting += enumerate(rows, last - len(rows) + 1)
            self._remember(rows)

    def carry(self) -> int:
        """Carry all that waits now into the inbox, and with it what other processes have answered up to now; gives how many messages came
        into it.

        Raises:
            Unavailable: the database does not take it now.
        """
        carried, file = 0, _file(self._database)
        with self._carrying:
            with self._lock:
                until, left = micros(clock.utc_now()), len(self._waiting)
            more = left > 0 or some_wait_beside(file, self.path)
            while more:
                with self._lock:
                    own = self._waiting[: min(left, MOST + 1)]
                with self._database.engine.connect() as connection, connection.begin():  # it may be long: no writer waits for it
                    others = beside_until(connection, self.path, until)
                reused: Counter[str] = Counter()
                with self._database.plainly() as connection:
                    came, reached, more = self._carry(connection, [(self._journal.id, own), *others], reused)
                carried += came
                for link, messages in reused.items():
                    self.tell_reused(link, messages)
                gone = [row for number, row in own if number <= reached]
                left -= len(gone)
                more |= left > 0
                with self._lock:
                    del self._waiting[: len(gone)]
                    self._forget(gone)
                if gone:
                    self._journal.carried(reached)
        return carried

    def _carry(self, connection: Connection, waiting: Sequence[Waiting], reused: Counter[str]) -> tuple[int, int, bool]:
        """Carry a portion, inside of an open writing transaction: how many messages came in, up to which of ours, and whether more wait."""
        reached = {id: place(connection, id) for id, _ in waiting}  # others may have carried some meanwhile, also of ours
        mine = self._journal.id
        reached[mine] = reached[mine] or 0
        sources = [[(id, *one) for one in entries if one[0] > known] for id, entries in waiting if (known := reached[id]) is not None]
        portion = list(islice(merge(*sources, key=_received), MOST + 1))
        more, portion = len(portion) > MOST, portion[:MOST]
        came = put(connection, [row for _, _, row in portion], reused)
        taken = {id: number for id, number, _ in portion}
        for id, number in taken.items():
            set_place(connection, id, number)
        return came, taken.get(mine) or reached[mine] or 0, more

    def close(self) -> None:
        """Let go of it. One in which nothing waits goes: after a clean stop the database has everything by itself."""
        try:
            if not self._waiting:
                with self._database.plainly() as connection:
                    forget_place(connection, self._journal.id)
                    if self._journal.stands():  # else another's may be there under its name
                        self.path.unlink()
        except (OSError, Refusal) as error:
            log.warning("a journal of hospital lines stays though it is empty", journal=self.path.name, error=type(error).__name__)
        finally:
            self._journal.close()

    def _remember(self, rows: Iterable[Row]) -> None:
        known = self._known
        for row in rows:
            known.setdefault(row[KEY], []).append(row)

    def _forget(self, rows: Iterable[Row]) -> None:
        known = self._known
        for row in rows:
            under = known.pop(row[KEY])
            if len(under) > 1:
                known[row[KEY]] = [one for one in under if one is not row]


def carry_left(database: Database) -> int:
    """Carry what processes have left in their journals that are gone; gives how many messages they were.

    Raises:
        Unavailable: the database does not take it now.
    """
    if database.engine.dialect.name != "sqlite":
        return 0
    carried = 0
    for path in there(_file(database)):
        try:
            left = LineJournal.hold(database, path)
        except (BlockingIOError, FileNotFoundError):
            continue
        except Invalid as refusal:
            log.error("a journal of hospital lines is left alone", journal=path.name, reason=refusal.text)
            continue
        except OSError as error:  # the others are carried all the same
            log.error("a journal of hospital lines cannot be read", journal=path.name, reason=error.strerror or str(error))
            continue
        try:
            carried += left.carry()
        finally:
            left.close()
    for path in unfinished(_file(database)):
        _clear(database, path)
    if carried:
        database.bell.ring(INBOX)
        log.info("hospital messages carried over that a process had left in its journal", messages=carried)
    return carried


def _received(waiting: tuple[bytes, int, Row]) -> int:
    return int(waiting[2][RECEIVED])


def _place_in(database: Database, journal: Journal) -> int:
    with database.engine.connect() as connection, connection.begin():
        known = place(connection, journal.id)
    if known is None:
        raise Invalid(FOREIGN.format(journal=journal.path.name))
    if known > journal.last:  # a file older than its database, from a copy made while it ran: its next numbers would count as carried
        known = journal.last
        with database.plainly() as connection:
            set_place(connection, journal.id, known)
    return known


def _make(database: Database, path: Path, half: int) -> None:
    """Make a journal: written under another name, known to the database, then there under its own.

    Raises:
        FileExistsError: somebody else has made one meanwhile. OSError: the disk does not take it.
    """
    id, fresh = uuid4().bytes, path.with_name(f"{path.name}.{uuid4().hex[:8]}.new")
    try:
        Journal.make(fresh, id, half=half)
        with database.plainly() as connection:
            set_place(connection, id, 0)
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _clear(database: Database, path: Path) -> None:
    """Take away what was left of a journal by a process that was killed while it made it."""
    with suppress(FileNotFoundError, BlockingIOError), free(path) as file, database.plainly() as connection:
        if os.fstat(file).st_nlink == 1:  # otherwise it has come under its own name, too
            with suppress(Invalid):
                forget_place(connection, peek(path).id)
        path.unlink()


def _file(database: Database) -> Path:
    return Path(database.engine.url.database or "")
