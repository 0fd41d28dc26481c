"""One writer for a process, several writes to a commit.

A commit waits for the disk (some milliseconds with synchronous=FULL), and SQLite has one writer. So writes that arrive while the disk is
busy share the next commit: each in a savepoint of its own, so that one that is refused undoes only itself, and each answered only after
the commit that carries it.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from healthsvc import clock
from healthsvc.access.door import narrowed, writing_as
from healthsvc.errors import Refusal, Unavailable
from healthsvc.rest.answer import Answer, refused
from healthsvc.store import Actor, Database, Store

MOST = 32
"""Writes in one commit."""
GATHER_SECONDS = 0.0008
"""How long a commit waits for the writers that shared the last one: a fraction of what the disk takes."""
IDLE_SECONDS = 10.0
"""A writer that has had nothing to do for so long ends; the next write starts another."""

Work = Callable[[Store], Answer]


@dataclass(slots=True)
class Pending:
    """A write that waits for its commit."""

    actor: Actor
    work: Work
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Answer]"
    answer: Answer | None = None
    error: Exception | None = None


class Writers:
    """Takes writes from the event loop and carries them out in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Pending] = deque()
        self._changed = threading.Condition()
        self._running = False
        self._last = 0

    async def write(self, actor: Actor, work: Work) -> Answer:
        """Carry out a write; the answer comes after its commit."""
        loop = asyncio.get_running_loop()
        pending = Pending(actor, work, loop, loop.create_future())
        with self._changed:
            self._waiting.append(pending)
            if self._running:
                self._changed.notify()
            else:
                self._running = True
                threading.Thread(target=self._run, name="fhir-writer", daemon=True).start()
        return await pending.future

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if not self._changed.wait(IDLE_SECONDS) and not self._waiting:
                        self._running = False
                        return
                until = time.monotonic() + GATHER_SECONDS
                while len(self._waiting) < self._last and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                self._last = len(batch) + len(self._waiting)
            self._commit(batch)
            with self._changed:
                self._last = max(self._last, len(batch) + len(self._waiting))

    def _commit(self, batch: list[Pending]) -> None:
        try:
            with writing_as(self._database, batch[0].actor) as store:
                for pending in batch:
                    store.actor, store.at, store.restrict = pending.actor, clock.now(), None
                    if len(batch) == 1:
                        pending.answer = pending.work(narrowed(store))
                    else:
                        _beside_others(narrowed(store), pending)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it; the edge tells it without detail
            for pending in batch:
                pending.error = error
        _tell(batch)


def _beside_others(store: Store, pending: Pending) -> None:
    """Carry out one write of several: what goes wrong with it undoes only itself, unless it is the database that fails."""
    try:
        with store.savepoint():
            pending.answer = pending.work(store)
    except (Unavailable, OperationalError, sqlite3.OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - handed to the one who asked
        pending.error = error


def _tell(batch: list[Pending]) -> None:
    """Hand the answers to the event loops, one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Pending]] = {}
    for pending in batch:
        by_loop.setdefault(pending.loop, []).append(pending)
    for loop, listed in by_loop.items():
        loop.call_soon_threadsafe(_settle, listed)


def _settle(batch: list[Pending]) -> None:
    for pending in batch:
        if pending.future.done():
            continue  # the client has gone
        if isinstance(pending.error, Refusal):
            pending.future.set_result(refused(pending.error))
        elif pending.error is not None:
            pending.future.set_exception(pending.error)
        elif pending.answer is not None:
            pending.future.set_result(pending.answer)
