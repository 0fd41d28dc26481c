"""Short reads on a server, many under way in one thread: while one waits for the server's answer, the event loop goes on.

The usual way (a thread, the pool, SQLAlchemy, and BEGIN, statement and COMMIT each with a way there and back) costs two milliseconds of
processor time; the server takes a tenth of one. So some connections of the pool are kept here. What a read runs through them are the same
functions as everywhere: they run in a greenlet, which is left where a statement waits and come back to when its answer has arrived (the
same that SQLAlchemy's own asyncio does, with less around it). BEGIN travels with the first statement, and nobody waits for the COMMIT.

No lock may be held across a statement by what is read here: another read of the same thread would wait for it for ever.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

import psycopg
import structlog
from greenlet import greenlet
from sqlalchemy import Connection, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from healthsvc.store import postgres
from healthsvc.store.measure import measured
from healthsvc.store.room import Actor
from healthsvc.store.spoken import Elsewhere, Spoken
from healthsvc.store.store import Store
from healthsvc.store.trouble import said_clearly

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

log = structlog.get_logger()
T = TypeVar("T")
PATIENCE_SECONDS: Final = 0.005
"""How long a read waits for a connection that others have, before it goes the usual way; most are back within a tenth of that."""
SHARE: Final = 2
"""One of so many connections of the pool may be kept here: threads that read and write need theirs."""


class Abreast:
    """Reading transactions of the thread of one event loop."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        pool = database.engine.pool
        self._most = pool.size() // SHARE if isinstance(pool, QueuePool) else 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: list[Spoken] = []
        self._held: set[Spoken] = set()
        self._opening = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        database.guests.append(self.close)

    async def read(self, actor: Actor, work: Callable[[Store], T], *, at: datetime) -> T:
        """What the work gives that reads one snapshot (as :meth:`Database.reading`, to which it cannot hand a statement of SQLAlchemy's).

        Raises:
            Elsewhere: it cannot be read here, or not now; nothing was noted.
        """
        self._loop = asyncio.get_running_loop()
        spoken = await self._taken()
        told: asyncio.Future[T] = self._loop.create_future()

        def act() -> None:
            try:
                answer = self._read(spoken, actor, work, at)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
                if not told.done():
                    told.set_exception(error)
            else:
                if not told.done():  # who asked may have gone
                    told.set_result(answer)
            finally:
                self._give_back(spoken)

        aside = greenlet(act)
        aside.gr_context = copy_context()
        aside.switch()
        return await told

    def close(self) -> None:
        """Let go of the connections, from whatever thread."""
        self._most = 0
        loop = self._loop
        if loop is None or loop.is_closed() or not loop.is_running():
            self._let_go()
            return
        gone = threading.Event()

        def now() -> None:
            self._let_go()
            gone.set()

        loop.call_soon_threadsafe(now)
        gone.wait(PATIENCE_SECONDS * 200)

    # -- inside ---------------------------------------------------------------------------------------------------------------

    def _read(self, spoken: Spoken, actor: Actor, work: Callable[[Store], T], at: datetime) -> T:
        with said_clearly(), measured(writing=False):
            store = Store(self._database, cast(Connection, spoken), actor, at, writable=False)
            try:
                answer = work(store)
            except Elsewhere:
                store.acts.clear()
                raise
            finally:
                spoken.end()
                self._database.reads.note(store.acts, wait=False)  # where a look must wait for its trace, it is not answered here
            return answer

    async def _taken(self) -> Spoken:
        """A connection that nobody else has."""
        if not self._free and len(self._held) < self._most and not self._opening:
            self._open()
        if not self._free and self._held:
            await self._turn()
        if not self._free:
            raise Elsewhere
        spoken = self._free.pop()
        if time.monotonic() - spoken.since > postgres.IDLE_SECONDS:  # the pool asks it before somebody has it again
            self._held.discard(spoken)
            spoken.give_back()
            return await self._taken()
        return spoken

    async def _turn(self) -> None:
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        late = loop.call_later(PATIENCE_SECONDS, _over, turn)
        try:
            await turn
        finally:
            late.cancel()

    def _give_back(self, spoken: Spoken) -> None:
        if spoken.is_lost or self._most == 0:
            self._held.discard(spoken)
            spoken.give_back()
            return
        spoken.since = time.monotonic()
        self._free.append(spoken)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _open(self) -> None:
        """Take one more connection from the pool, in a thread: a new one takes the server some milliseconds."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        self._opening = True

        def connect() -> None:
            held = None
            try:
                held = self._database.engine.raw_connection()
            except (SQLAlchemyError, psycopg.Error) as error:  # whoever goes the usual way is told it
                log.debug("no connection for short reads", error=type(error).__name__)
            try:
                loop.call_soon_threadsafe(opened, held)
            except RuntimeError:  # the loop has ended meanwhile
                if held is not None:
                    held.close()

        def opened(held: PoolProxiedConnection | None) -> None:
            self._opening = False
            if held is not None:
                spoken = Spoken(held, self._database.engine.dialect, loop, self._lost)
                self._held.add(spoken)
                self._give_back(spoken)

        threading.Thread(target=connect, name="short-reads", daemon=True).start()

    def _lost(self, spoken: Spoken) -> None:
        """The server has closed a connection that nobody was using."""
        self._held.discard(spoken)
        if spoken in self._free:
            self._free.remove(spoken)
            spoken.give_back()

    def _let_go(self) -> None:
        for spoken in self._free:
            self._held.discard(spoken)
            spoken.give_back()
        self._free.clear()


def _over(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
