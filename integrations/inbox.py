"""The inbox: a message is on disk before it is acknowledged, once and only once, whatever the line repeats.

Many connections hand in messages at the same time; one thread writes all that wait in one transaction (group commit) and only then are
they answered. The same message again gets its stored answer; a control id used again for other content is taken and marked.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from healthsvc import clock
from healthsvc.errors import Refusal, Unavailable
from healthsvc.store import Actor, Database
from healthsvc.store.inbox_tables import InboxRow
from integrations import metrics
from integrations.arrival import Arrival, State, receive
from integrations.hl7v2.ack import AckCode, Problem, answer, encode_answer
from integrations.hl7v2.batch import split
from integrations.hospitals.shelf import Shelf
from integrations.window import ask

log = structlog.get_logger()

INBOX = InboxRow.__table__  # type: ignore[attr-defined]
INTAKE = Actor("system/inbox", "hospital line", frozenset({"system"}), "hl7")
GROUP = 500
"""Most messages in one commit."""
_UNSETTLED = frozenset({State.QUARANTINE.value, State.DEAD.value})
_KNOWN = select(
    INBOX.c.id, INBOX.c.link, INBOX.c.sender, INBOX.c.control_id, INBOX.c.hash, INBOX.c.answer, INBOX.c.code, INBOX.c.state
).where(INBOX.c.control_id.in_(bindparam("ids", expanding=True)), INBOX.c.link.in_(bindparam("links", expanding=True)))


@dataclass(slots=True)
class _Waiting:
    """Messages of one frame that wait for their commit."""

    arrivals: list[Arrival]
    raw: bytes
    answered: "asyncio.Future[bytes] | concurrent.futures.Future[bytes]"
    loop: asyncio.AbstractEventLoop | None = None

    def answer(self) -> bytes:
        """The answer of the frame: of its one message, or of all messages of its batch."""
        answers = [arrival.answer for arrival in self.arrivals]
        return _batch_answer(self.raw, answers) if len(answers) > 1 or self.arrivals[0].batch else answers[0]


class Inbox:
    """Takes messages in. Start it before use and stop it after the last connection is gone; it then commits what is left."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self.database = database
        self.shelf = shelf
        self.arrived = threading.Event()
        """Set whenever something new has been committed; a worker in the same process waits for it."""
        self._waiting: list[_Waiting] = []
        self._signal = threading.Condition()
        self._stopping = False
        self._numbers = itertools.count(1)
        self._run = f"{clock.utc_now():%y%m%d%H%M%S}"
        self._thread = threading.Thread(target=self._write_groups, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then end."""
        with self._signal:
            self._stopping = True
            self._signal.notify()
        self._thread.join()

    def take(self, raw: bytes, listen: str, peer: str) -> "asyncio.Future[bytes]":
        """Take one frame in; the future becomes its answer once it is on disk (empty where the link wants none)."""
        loop = asyncio.get_running_loop()
        arrivals = self._arrivals(raw, listen, peer)
        if arrivals[0].query is not None:
            return loop.run_in_executor(None, self._ask, arrivals[0])
        answered: asyncio.Future[bytes] = loop.create_future()
        self._hand_in(_Waiting(arrivals, raw, answered, loop))
        return answered

    def take_now(self, raw: bytes, listen: str, peer: str) -> bytes:
        """As :meth:`take`, for callers without an event loop (HTTP, folders): blocks until the message is on disk."""
        arrivals = self._arrivals(raw, listen, peer)
        if arrivals[0].query is not None:
            return self._ask(arrivals[0])
        answered: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        self._hand_in(_Waiting(arrivals, raw, answered))
        return answered.result()

    def _arrivals(self, raw: bytes, listen: str, peer: str) -> list[Arrival]:
        at = clock.now(clock.zone(self.database.zone))
        first = receive(raw, self.shelf, listen=listen, peer=peer, at=at, number=self._number())
        if not first.batch:
            return [first]
        messages = split(raw).messages
        if not messages:
            first.reason, first.remark = "batch-empty", "a batch without messages"
            return [first]
        return [receive(one, self.shelf, listen=listen, peer=peer, at=at, number=self._number()) for one in messages]

    def _number(self) -> str:
        return f"{self._run}{next(self._numbers)}"

    def _hand_in(self, waiting: _Waiting) -> None:
        with self._signal:
            self._waiting.append(waiting)
            self._signal.notify()

    def _ask(self, arrival: Arrival) -> bytes:
        assert arrival.query is not None
        told = ask(self.database, arrival.query)
        _count([arrival])
        return told

    def _write_groups(self) -> None:
        while True:
            with self._signal:
                while not self._waiting and not self._stopping:
                    self._signal.wait()
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not group:
                return
            self._write(group)

    def _write(self, group: list[_Waiting]) -> None:
        arrivals = [arrival for waiting in group for arrival in waiting.arrivals]
        failed: Refusal | None = None
        try:
            with self.database.writing(INTAKE, at=clock.utc_now()) as store:
                put(store.connection, arrivals)
        except Refusal as refusal:
            failed = refusal
        except Exception as error:  # noqa: BLE001 - whatever the database throws, the peers must hear that nothing was stored
            failed = Unavailable(f"the database threw {type(error).__name__}")
        if failed is not None:
            log.error("hl7 intake cannot write", reason=failed.text, messages=len(arrivals))
            for arrival in arrivals:
                _not_now(arrival, self._number())
        _count(arrivals)
        self.arrived.set()
        _tell(group)


def _tell(group: list[_Waiting]) -> None:
    """Give everybody their answer; each event loop is woken once."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[bytes], bytes]]] = {}
    for waiting in group:
        if isinstance(waiting.answered, asyncio.Future):
            assert waiting.loop is not None
            told.setdefault(waiting.loop, []).append((waiting.answered, waiting.answer()))
        else:
            waiting.answered.set_result(waiting.answer())
    for loop, answers in told.items():
        # lines that were cut off at a stop have no loop any more: the messages are on disk, only their answers have nowhere to go
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, answers)


def _resolve(answers: list[tuple["asyncio.Future[bytes]", bytes]]) -> None:
    for answered, answer_bytes in answers:
        if not answered.done():
            answered.set_result(answer_bytes)


def _count(arrivals: Sequence[Arrival]) -> None:
    for (link, code), number in Counter((arrival.link, arrival.code.value) for arrival in arrivals).items():
        metrics.RECEIVED.labels(link, code).inc(number)
    for link, received in {arrival.link: arrival.received for arrival in arrivals}.items():
        metrics.LAST_MESSAGE.labels(link).set(received / 1e6)


def put(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Store arrivals inside an open writing transaction; those that are known already get their stored answer instead."""
    for start in range(0, len(arrivals), GROUP):
        _put(connection, arrivals[start : start + GROUP])


def _put(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    stated = {"ids": list({arrival.control_id for arrival in arrivals}), "links": list({arrival.link for arrival in arrivals})}
    known: dict[tuple[str, str, str], dict[bytes, Any]] = {}
    for row in connection.execute(_KNOWN, stated):
        known.setdefault((row.link, row.sender, row.control_id), {})[row.hash] = row
    fresh: list[dict[str, Any]] = []
    for arrival in arrivals:
        there = known.setdefault((arrival.link, arrival.sender, arrival.control_id), {})
        before = there.get(arrival.hash)
        if before is None:
            arrival.reused = bool(arrival.control_id) and any(AckCode(row.code).positive for row in there.values())
            there[arrival.hash] = arrival
            fresh.append(_row(arrival))
            if arrival.reused:
                metrics.REUSED.labels(arrival.link).inc()
        elif isinstance(before, Arrival):
            arrival.answer, arrival.code = before.answer, before.code
            metrics.DUPLICATES.labels(arrival.link).inc()
        else:
            _again(connection, arrival, before)
    if fresh:
        # another process may have taken the same message in this very moment; then it is there, which is all that matters
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(INBOX).on_conflict_do_nothing(), fresh)


def _again(connection: Connection, arrival: Arrival, before: Any) -> None:
    """The same message again: replay the answer, unless it was refused then and can be taken now (the link was mended meanwhile)."""
    metrics.DUPLICATES.labels(arrival.link).inc()
    if not AckCode(before.code).positive and arrival.code.positive:
        if before.state not in _UNSETTLED:  # an operator has put it right meanwhile: from now on it is accepted
            connection.execute(update(INBOX).where(INBOX.c.id == before.id).values(answer=arrival.answer, code=arrival.code.value))
            return
        changed = {"state": arrival.state.value, "answer": arrival.answer, "code": arrival.code.value, "event": arrival.event}
        settled = {"reason": arrival.reason, "place": arrival.place, "remark": arrival.remark, "finished": None, "raw": arrival.raw}
        connection.execute(update(INBOX).where(INBOX.c.id == before.id).values(**changed, **settled))
        return
    arrival.answer, arrival.code = before.answer, AckCode(before.code)


def _row(arrival: Arrival) -> dict[str, Any]:
    return {
        "link": arrival.link,
        "sender": arrival.sender,
        "control_id": arrival.control_id,
        "hash": arrival.hash,
        "event": arrival.event,
        "listen": arrival.listen,
        "peer": arrival.peer,
        "received": arrival.received,
        "raw": arrival.raw,
        "answer": arrival.answer,
        "code": arrival.code.value,
        "state": arrival.state.value,
        "reused": arrival.reused,
        "attempts": 0,
        "due": arrival.received,
        "finished": None if arrival.state is State.PENDING else arrival.received,
        "reason": arrival.reason,
        "place": arrival.place,
        "remark": arrival.remark,
        "made": None,
    }


def _not_now(arrival: Arrival, number: str) -> None:
    """Nothing was stored: the sender is told to send it again."""
    arrival.code = AckCode.AE
    arrival.answer = b""
    if arrival.read is not None:
        problem = Problem("not stored: the receiver cannot write now; send it again", "", "206")
        text = answer(arrival.read.header, AckCode.AE, at=clock.now(), number=number, problem=problem)
        arrival.answer = encode_answer(text, arrival.read.decoded.codec)


def _batch_answer(raw: bytes, answers: list[bytes]) -> bytes:
    """One answer per message, between a batch header in the sender's delimiters and its trailer."""
    body = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    separator = body[3:4] or b"|"
    encoding = body[4:14].split(separator)[0].split(b"\r")[0] or b"^~\\&"
    return b"".join((b"BHS", separator, encoding, b"\r", *answers, b"BTS", separator, str(len(answers)).encode(), b"\r"))
