"""The inbox: a message is on disk before it is acknowledged, once and only once, whatever the line repeats.

Many connections hand in messages at the same time; one thread writes all that wait in one transaction (group commit) and only then are
they answered. The same message again gets its stored answer; a control id used again for other content is taken and marked.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from healthsvc import clock
from healthsvc.errors import Refusal, Unavailable
from healthsvc.store import Actor, Database
from healthsvc.store.appending import Appender
from healthsvc.store.bell import INBOX as INBOX_RINGS
from integrations import metrics
from integrations.arrival import Arrival, State, header_line, receive, receive_empty_batch
from integrations.hl7v2.ack import AckCode, Problem, answer, encode_answer
from integrations.hl7v2.batch import batch_head, batch_tail, is_batch, split
from integrations.hl7v2.charset import ASCII
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hospitals.shelf import Shelf
from integrations.keep import put
from integrations.mllp.server import Tell
from integrations.window import ask

log = structlog.get_logger()

INTAKE = Actor("system/inbox", "hospital line", frozenset({"system"}), "hl7")
GROUP = 500
"""Most messages in one commit."""


@dataclass(slots=True)
class _Waiting:
    """One frame that waits for its commit. A batch is taken apart by the thread that writes, so that nobody's line waits for it."""

    raw: bytes
    listen: str
    peer: str
    tell: Tell
    loop: asyncio.AbstractEventLoop | None
    """Where to tell it; None: in the thread that writes."""
    arrival: Arrival | None = None
    """None for a batch."""
    answer: bytes = b""


class Inbox:
    """Takes messages in. Start it before use and stop it after the last connection is gone; it then commits what is left."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self.database = database
        self.shelf = shelf
        self._appender = Appender(database, INTAKE)
        self._collected: list[_Waiting] = []
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._run = f"{clock.utc_now():%y%m%d%H%M%S}"
        self._thread = threading.Thread(target=self._write_groups, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then end."""
        self._queue.put(None)
        self._thread.join()
        self._appender.close()

    def take(self, raw: bytes, listen: str, peer: str, tell: Tell) -> None:
        """Take one frame in; ``tell`` gets the answer in this thread once it is on disk (empty where the link wants none)."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting(raw, listen, peer, tell, loop)
        if waiting.arrival is not None and waiting.arrival.query is not None:
            asked = loop.run_in_executor(None, self._ask, waiting.arrival)
            asked.add_done_callback(lambda done: tell(None if done.exception() else done.result()))
            return
        if not self._collected:
            loop.call_soon(self._hand_over)  # everything that this turn of the loop has read goes to the writer together
        self._collected.append(waiting)

    def take_now(self, raw: bytes, listen: str, peer: str) -> bytes:
        """As :meth:`take`, for callers without an event loop (HTTP, operators): blocks until the message is on disk."""
        answered: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        waiting = self._waiting(raw, listen, peer, lambda answer: answered.set_result(answer or b""), None)
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

    def _waiting(self, raw: bytes, listen: str, peer: str, tell: Tell, loop: asyncio.AbstractEventLoop | None) -> _Waiting:
        return _Waiting(raw, listen, peer, tell, loop, None if is_batch(raw) else self._receive(raw, listen, peer))

    def _receive(self, raw: bytes, listen: str, peer: str) -> Arrival:
        at = clock.now(clock.zone(self.database.zone))
        return receive(raw, self.shelf, listen=listen, peer=peer, at=at, number=self._number())

    def _number(self) -> str:
        return f"{self._run}{next(self._numbers)}"

    def _hand_over(self) -> None:
        collected, self._collected = self._collected, []
        self._queue.put(collected)

    def _ask(self, arrival: Arrival) -> bytes:
        assert arrival.query is not None
        told = ask(self.database, arrival.query)
        _count([arrival])
        return told

    def _write_groups(self) -> None:
        stopping = False
        while not stopping:
            group: list[_Waiting] = []
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

    def _write_group(self, group: list[_Waiting]) -> None:
        self._write([waiting.arrival for waiting in group if waiting.arrival is not None])
        for waiting in group:
            waiting.answer = waiting.arrival.answer if waiting.arrival is not None else self._batch(waiting)
        _tell(group)

    def _batch(self, waiting: _Waiting) -> bytes:
        """Take the messages of a batch in; its answer has one result for each."""
        batch = split(waiting.raw)
        messages = batch.messages
        if batch.announced not in (None, len(messages)):
            log.warning("hl7 batch is not what its trailer announced", listen=waiting.listen, announced=batch.announced, came=len(messages))
        if not messages:
            arrival = receive_empty_batch(waiting.raw, waiting.listen, waiting.peer, clock.utc_now())
            self._write([arrival])
            return arrival.answer
        answers = [arrival.answer for arrival in self.take_all(messages, waiting.listen, waiting.peer)]
        return b"".join((batch_head(waiting.raw), *answers, batch_tail(waiting.raw, len(answers), batch.announced)))

    def _write(self, arrivals: list[Arrival]) -> None:
        failed: Refusal | None = None
        if not arrivals:
            return
        try:
            with self._appender.transaction(clock.utc_now()) as connection:
                put(connection, self.database.sealer, arrivals)
        except Refusal as refusal:
            failed = refusal
        except Exception as error:  # noqa: BLE001 - whatever the database throws, the peers must hear that nothing was stored
            failed = Unavailable(f"the database threw {type(error).__name__}")
        if failed is not None:
            log.error("hl7 intake cannot write", reason=failed.text, messages=len(arrivals))
            for arrival in arrivals:
                _not_now(arrival, self._number())
        _count(arrivals)
        self.database.bell.ring(INBOX_RINGS)


def _tell(group: list[_Waiting]) -> None:
    """Give everybody their answer; each event loop is woken once."""
    told: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        if waiting.loop is None:
            waiting.tell(waiting.answer)
        else:
            told.setdefault(waiting.loop, []).append(waiting)
    for loop, answers in told.items():
        # lines that were cut off at a stop have no loop any more: the messages are on disk, only their answers have nowhere to go
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell_here, answers)


def _tell_here(answers: list[_Waiting]) -> None:
    for waiting in answers:
        waiting.tell(waiting.answer)


def _count(arrivals: Sequence[Arrival]) -> None:
    for (link, code), number in Counter((arrival.link, arrival.code.value) for arrival in arrivals).items():
        metrics.RECEIVED.labels(link, code).inc(number)
    for link, received in {arrival.link: arrival.received for arrival in arrivals}.items():
        metrics.LAST_MESSAGE.labels(link).set(received / 1e6)


def _not_now(arrival: Arrival, number: str) -> None:
    """Nothing was stored: the sender is told to send it again."""
    arrival.code = AckCode.AE
    arrival.answer = b""
    try:
        header = arrival.read.header if arrival.read is not None else read_header(Message(header_line(arrival.raw)))
    except Refusal:
        return
    problem = Problem("not stored: the receiver cannot write now; send it again", "", "206")
    text = answer(header, AckCode.AE, at=clock.now(), number=number, problem=problem)
    arrival.answer = encode_answer(text, arrival.read.decoded.codec if arrival.read is not None else ASCII)
