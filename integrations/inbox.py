"""The inbox: a message is on disk before it is acknowledged, once and only once, whatever the line repeats.

Many connections hand in messages at the same time; all that one turn of the lines has read are written in one transaction (group commit)
and only then are they answered. The thread of the lines does so itself where nobody else writes to an embedded database: to hand them over
would cost more than the commit. Otherwise a thread of its own waits for its turn. The same message again gets its stored answer; a control
id used again for other content is taken and marked.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
import queue
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from healthsvc import clock
from healthsvc.errors import Refusal, Unavailable
from healthsvc.store import Actor, Database
from healthsvc.store.anteroom import Anteroom
from healthsvc.store.appending import Appender
from healthsvc.store.bell import INBOX as INBOX_RINGS
from healthsvc.store.journals import LineJournal
from integrations.arrival import Arrival, State, receive, receive_empty_batch
from integrations.awaiting import Waiting, tell_all
from integrations.carrying import Carrier
from integrations.counting import count
from integrations.hl7v2.batch import batch_head, batch_tail, holds_several, is_batch, split
from integrations.hospitals.shelf import Shelf
from integrations.journaling import Journaling
from integrations.keep import put, put_in_anteroom
from integrations.mllp.state import Tell
from integrations.others import let_others_go_before
from integrations.unstored import not_now
from integrations.window import ask

log = structlog.get_logger()

INTAKE = Actor("system/inbox", "hospital line", frozenset({"system"}), "hl7")
GROUP = 500
"""Most messages in one commit."""
RUN_BYTES = 5
"""Drawn at random for each process, since two may start in one second: with its count a control id that no other answer has, of the 20
characters that MSH-10 had at first (HL7 v2.4 2.16.9.10) for the first ten thousand million."""
SLOW_SECONDS, AWAY_SECONDS = 0.02, 1.0
"""A commit that took so long is none for the thread of the lines; for so long it then leaves them to the other one."""


class Inbox:
    """Takes messages in. Start it before use and stop it after the last connection is gone; it then commits what is left."""

    def __init__(self, database: Database, shelf: Shelf, journal: LineJournal | None = None) -> None:
        """``journal``: of a process whose lines have one of their own; it is closed with the inbox."""
        self.database = database
        self.shelf = shelf
        self._appender = Appender(database, INTAKE)
        self._embedded = database.engine.dialect.name == "sqlite"
        self._anteroom = Anteroom()
        self._journaling = None if journal is None else Journaling(database, journal)
        self._carrier = Carrier(database, self._carry if journal is None else journal.carry)
        self._behind: Counter[Hashable] = Counter()
        """Messages of the lines that the other thread has and that are not answered yet, by line; for the thread of the lines alone."""
        self._held_up = 0
        """Those of them that have to wait for the database."""
        self._away_until = 0.0
        self._turn = self._now()
        """When the turn of the lines began that is being collected."""
        self._collected: list[Waiting] = []
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(RUN_BYTES)
        self._thread = threading.Thread(target=self._write_groups, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()
        self._carrier.start()

    def stop(self) -> None:
        """Commit what waits, then end."""
        self._queue.put(None)
        self._thread.join()
        self._carrier.stop()
        self._appender.close()
        if self._journaling is not None:
            self._journaling.close()

    def take(self, raw: bytes, listen: str, peer: str, tell: Tell, line: Hashable = None) -> str:
        """Take one frame in; ``tell`` gets the answer here once it is on disk (empty where the link wants none). Gives whose line it is."""
        loop, collected = asyncio.get_running_loop(), self._collected
        if not collected:
            self._turn = self._now()
        arrival = None if holds_several(raw) else self._receive(raw, listen, peer, self._turn)
        if arrival is not None and arrival.query is not None:
            asked = loop.run_in_executor(None, self._ask, arrival)
            asked.add_done_callback(lambda done: tell(None if done.exception() else done.result()))
            return arrival.link
        if not collected:
            loop.call_soon(self._hand_over)  # everything that this turn of the loop has read goes to the writer together
        collected.append(Waiting(raw, listen, peer, tell, loop, arrival, line=line))
        return "" if arrival is None else arrival.link

    def take_now(self, raw: bytes, listen: str, peer: str) -> bytes:
        """As :meth:`take`, for callers without an event loop (HTTP, operators): blocks until the message is on disk."""
        answered: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        arrival = None if holds_several(raw) else self._receive(raw, listen, peer)
        waiting = Waiting(raw, listen, peer, lambda answer: answered.set_result(answer or b""), None, arrival)
        if waiting.arrival is not None and waiting.arrival.query is not None:
            return self._ask(waiting.arrival)
        self._queue.put([waiting])
        return answered.result()

    def take_all(self, messages: Iterable[bytes], listen: str, peer: str) -> Iterator[Arrival]:
        """Take the messages of a file or batch in, some hundred in one commit, and give each as it was judged; memory stays bounded.

        Runs in the calling thread. Where the database cannot write, the messages concerned say so (AE) and the others go on.
        """
        left = iter(messages)
        while group := list(itertools.islice(left, GROUP)):
            arrivals = [self._receive(raw, listen, peer) for raw in group]
            for arrival in arrivals:
                if arrival.query is not None:
                    arrival.answer, arrival.state = self._ask(arrival), State.IGNORED
            self._write([arrival for arrival in arrivals if arrival.query is None])
            yield from arrivals

    def _receive(self, raw: bytes, listen: str, peer: str, at: datetime | None = None) -> Arrival:
        return receive(raw, self.shelf, listen=listen, peer=peer, at=at or self._now(), number=self._number())

    def _now(self) -> datetime:
        return clock.now(clock.zone(self.database.zone))

    def _number(self) -> str:
        return f"{self._run}{next(self._numbers)}"

    def _hand_over(self) -> None:
        collected, self._collected = self._collected, []
        here, there = self._parted(collected)
        if here and self._write_here(here):
            tell_all(here)
        else:
            there = collected
        if there:
            self._behind.update(waiting.line for waiting in there)
            self._held_up += sum(waiting.odd for waiting in there)
            self._queue.put(there)

    def _parted(self, collected: list[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
        """What the thread of the lines may try to write, and what waits for the other: all of a line of which something waits there, for
        its messages stay in their order. A journal waits for no database, so what must wait for it holds up its own line alone."""
        if self._journaling is None:
            return ([], collected) if self._behind or not self._embedded else (collected, [])
        waits = {waiting.line for waiting in collected if waiting.line in self._behind or waiting.odd}
        if not waits:
            return collected, []
        return [one for one in collected if one.line not in waits], [one for one in collected if one.line in waits]

    def _told(self, answers: list[Waiting]) -> None:
        """In the thread of the lines: the other thread has written these."""
        self._behind -= Counter(waiting.line for waiting in answers)  # those of which nothing is left go with it
        self._held_up -= sum(waiting.odd for waiting in answers)
        tell_all(answers)

    def _write_here(self, group: list[Waiting]) -> bool:
        """Commit in the thread of the lines; False where somebody else writes, or where the other thread must say what is wrong."""
        begun = time.monotonic()
        if begun < self._away_until and not self._held_up:
            return False
        arrivals = [waiting.arrival for waiting in group if waiting.arrival is not None]
        if len(arrivals) < len(group):  # a batch may take long
            return False
        try:
            self._store(arrivals, patience=0.0, plain=True)
        except (Refusal, OSError, RuntimeError, ValueError, LookupError, SQLAlchemyError, sqlite3.Error):
            return False
        finally:
            ended = time.monotonic()
            if ended - begun > SLOW_SECONDS:
                self._away_until = ended + AWAY_SECONDS
        count(arrivals)
        return True

    def _ask(self, arrival: Arrival) -> bytes:
        assert arrival.query is not None
        told = ask(self.database, arrival.query)
        count([arrival])
        return told

    def _write_groups(self) -> None:
        stopping = False
        while not stopping:
            group: list[Waiting] = []
            more = self._queue.get()
            while True:
                if more is None:
                    stopping = True
                    break
                group += more
                if len(group) >= GROUP:
                    break
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._write_group(group)

    def _write_group(self, group: list[Waiting]) -> None:
        late = {waiting.line for waiting in group if waiting.odd or waiting.loop is None}
        at_once = [waiting for waiting in group if waiting.line not in late] if self._journaling is not None and late else []
        if at_once:  # a journal may have these while the others wait for the database
            self._write_group(at_once)
            group = [waiting for waiting in group if waiting.line in late]
        plain = all(waiting.loop is not None for waiting in group)  # who is no line looks for the message in the inbox next
        self._write([waiting.arrival for waiting in group if waiting.arrival is not None], plain=plain)
        for waiting in group:
            if waiting.arrival is None:
                waiting.joint = self._batch(waiting)
        self._tell(group)

    def _tell(self, group: list[Waiting]) -> None:
        """Give everybody their answer; each event loop is woken once."""
        told: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        for waiting in group:
            if waiting.loop is None:
                waiting.tell(waiting.answer)
            else:
                told.setdefault(waiting.loop, []).append(waiting)
        for loop, answers in told.items():
            # lines that were cut off at a stop have no loop any more: the messages are on disk, only their answers have nowhere to go
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._told, answers)

    def _batch(self, waiting: Waiting) -> bytes:
        """Take the messages of a batch in; its answer has one result for each, and an envelope where the messages came in one."""
        batch = split(waiting.raw)
        messages = batch.messages
        if batch.announced not in (None, len(messages)):
            log.warning("hl7 batch is not what its trailer announced", listen=waiting.listen, announced=batch.announced, came=len(messages))
        if not messages:
            arrival = receive_empty_batch(waiting.raw, waiting.listen, waiting.peer, clock.utc_now())
            self._write([arrival])
            return arrival.answer
        answers = [arrival.answer for arrival in self.take_all(messages, waiting.listen, waiting.peer)]
        if not is_batch(waiting.raw):
            return b"".join(answers)
        return b"".join((batch_head(waiting.raw), *answers, batch_tail(waiting.raw, len(answers), batch.announced)))

    def _store(self, arrivals: list[Arrival], *, plain: bool, patience: float | None = None) -> None:
        sealer, journaling = self.database.sealer, self._journaling
        sealer.refresh()  # a process that has nothing but lines would not hear of a new key for long
        if journaling is not None:
            if plain and journaling.take(arrivals):
                self._carrier.come()
                return
            if patience == 0.0:
                raise Unavailable("this has to wait for the database, which the thread of the lines does not")
            journaling.journal.carry()  # what has come before stands before
        elif self._embedded and not plain:
            let_others_go_before(self.database)
        if journaling is not None or not (plain and self._embedded):
            with self._appender.transaction(clock.utc_now(), patience=patience) as connection:
                put(connection, sealer, arrivals)
            self.database.bell.ring(INBOX_RINGS)
            return
        with self._appender.transaction(clock.utc_now(), patience=patience) as connection:
            turn = put_in_anteroom(connection, sealer, self._anteroom, arrivals)
        self._anteroom.kept(turn)
        self._carrier.come()

    def _carry(self) -> int:
        with self.database.plainly() as connection:
            return self._anteroom.carry(connection)

    def _write(self, arrivals: list[Arrival], *, plain: bool = False) -> None:
        failed: Refusal | None = None
        if not arrivals:
            return
        try:
            self._store(arrivals, plain=plain)
        except Refusal as refusal:
            failed = refusal
        except Exception as error:  # noqa: BLE001 - whatever the database throws, the peers must hear that nothing was stored
            failed = Unavailable(f"the database threw {type(error).__name__}")
        if failed is not None:
            log.error("hl7 intake cannot write", reason=failed.text, messages=len(arrivals))
            for arrival in arrivals:
                not_now(arrival, self._number())
        count(arrivals)
