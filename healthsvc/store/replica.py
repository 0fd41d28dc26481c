"""A standby that answers reads instead of the primary, in two ways.

*Long* reads (figures, ledgers, bulk export) never know less than the primary did: before each the primary is asked how far its log has
come, and the standby whether it has replayed as much. So whoever reads sees what they have written, an ended right has ended, and every
term is known; the price is one short question to the primary. A standby that lags, or does not answer, is waited for a little, then the
primary answers itself.

*Near* reads (searches and lists, where a bound is set) may know less than the primary, by no more than that bound. The primary is asked
for its position once in a while, and a standby that has replayed a position which is not older than the bound is near enough: most reads
ask nobody anything. Whoever has just written is never shown less than that: until their write is older than the bound, their reads are
answered as long ones are, without waiting.
"""

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from healthsvc.store.postgres import ServerUse, connect

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

log = structlog.get_logger()
LOOK_SECONDS: Final = 0.02
REST_SECONDS: Final = 5.0
"""So long a standby is left alone that did not answer."""
MOST_WRITERS: Final = 10_000
"""Actors whose last write is kept; the others are taken for somebody who has just written."""
_WRITTEN: Final = text("SELECT CAST(pg_current_wal_lsn() - '0/0' AS bigint)")
_REPLAYED: Final = text("SELECT CAST(coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0' AS bigint)")


class Read(NamedTuple):
    """What a reading transaction may be answered with."""

    kind: Literal["usual", "near", "long"]
    just_wrote: bool = False
    """Of a near one: whoever asks may have written something a moment ago, perhaps through another process."""


USUAL: Final = Read("usual")
LONG: Final = Read("long")


class Replica:
    """One standby of a primary."""

    def __init__(self, url: str, use: ServerUse, patience: float, bound: float = 0.0) -> None:
        """``patience``: seconds for which one that lags is waited for; ``bound``: by how many near reads may be behind (0: none are)."""
        # every connection says that it only reads: a standby refuses a transaction that might write
        self.engine = connect(url, use).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.bound = bound
        self._patience = patience
        self._left_alone = 0.0
        self._lock = threading.Lock()
        self._written: deque[tuple[float, int]] = deque()
        """When the primary was asked, and how far its log had come then: oldest first."""
        self._replayed = (0.0, 0)
        """When the standby was asked last, and how far it had come: after a change of servers no answer of before counts for long."""
        self._wrote: dict[str, float] = {}
        self._forgot = 0.0
        """Up to when writes may have been forgotten."""

    def has_all(self, primary: Engine) -> bool:
        """Whether it knows everything that was committed before this moment."""
        return self._has(self._ask(primary), self._patience)

    def is_near(self, primary: Engine, actor: str, *, just_wrote: bool = False) -> bool:
        """Whether it knows all that the actor has written, and all that is older than the bound.

        ``just_wrote``: perhaps through another process; who says so is asked for like one who wrote through this.
        """
        now = time.monotonic()
        if self.bound <= 0 or now < self._left_alone:
            return False
        if just_wrote or now - max(self._wrote.get(actor, self._forgot), self._forgot) < self.bound:
            return self._has(self._ask(primary), 0.0)
        while self._written and self._written[0][0] < now - self.bound:
            with self._lock:
                if self._written and self._written[0][0] < now - self.bound:
                    self._written.popleft()
        if not self._written or self._written[-1][0] < now - self.bound / 2:
            self._ask(primary)
        with self._lock:
            wanted = self._written[0][1] if self._written else None
            known = self._replayed[1] if self._replayed[0] >= now - self.bound else 0
        return wanted is not None and (known >= wanted or self._has(wanted, 0.0))

    def wrote(self, actor: str) -> None:
        """Note that somebody has written now."""
        now = time.monotonic()
        with self._lock:
            if len(self._wrote) >= MOST_WRITERS:
                self._wrote.clear()
                self._forgot = now
            self._wrote[actor] = now

    def leave_alone(self, error: Exception) -> None:
        """It did not answer."""
        log.warning("the standby does not answer; the primary does", error=type(error).__name__)
        self._left_alone = time.monotonic() + REST_SECONDS

    def _ask(self, primary: Engine) -> int:
        """How far the log of the primary has come."""
        asked = time.monotonic()
        with primary.connect() as connection:
            written = int(connection.execute(_WRITTEN).scalar_one())
        if self.bound > 0:
            with self._lock:
                self._written.append((asked, written))
        return written

    def _has(self, written: int, patience: float) -> bool:
        """Whether the standby has replayed so much, now or within the patience."""
        if time.monotonic() < self._left_alone:
            return False
        until = time.monotonic() + patience
        try:
            while True:
                asked = time.monotonic()
                with self.engine.connect() as connection:  # a transaction of its own: the snapshot of the read comes after the answer
                    replayed = int(connection.execute(_REPLAYED).scalar_one())
                with self._lock:
                    self._replayed = (asked, replayed)
                if replayed >= written:
                    return True
                if time.monotonic() >= until:
                    log.log(logging.WARNING if patience else logging.DEBUG, "the standby lags; the primary answers", seconds=patience)
                    return False
                time.sleep(LOOK_SECONDS)
        except DBAPIError as error:
            self.leave_alone(error)
            return False


def connected(database: "Database", actor: str, read: Read) -> Connection:
    """A connection to whoever answers a read."""
    replica = database.replica
    if replica is None or read.kind == "usual":
        return database.engine.connect()
    if read.kind == "long":
        answers = replica.has_all(database.engine)
    else:
        answers = not database.laid.just_now(replica.bound) and replica.is_near(database.engine, actor, just_wrote=read.just_wrote)
    try:
        return replica.engine.connect() if answers else database.engine.connect()
    except DBAPIError as error:
        if not answers:
            raise
        replica.leave_alone(error)
        return database.engine.connect()
