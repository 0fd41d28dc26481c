"""The hospital lines of one process: listen, take in, answer; and stop without losing what has arrived."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
import uvloop

from healthsvc import clock
from healthsvc.errors import Refusal, Unavailable
from healthsvc.store import Database
from healthsvc.store.journals import LineJournal
from integrations import metrics
from integrations.hl7v2.ack import AckCode, Problem, answer, encode_answer
from integrations.hl7v2.charset import ASCII, header_line
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hospitals.shelf import Shelf
from integrations.inbox import Inbox
from integrations.mllp.framing import Fault, FaultKind
from integrations.mllp.limits import Limits
from integrations.mllp.room import Room
from integrations.mllp.server import Server
from integrations.mllp.state import LineState
from integrations.returning import Returning

log = structlog.get_logger()
SAID_AGAIN_SECONDS: Final = 60.0
"""After so long the log says again that a peer is turned away for the same reason."""
TLS_HANDSHAKE: Final = b"\x16\x03"
"""How a record of the handshake begins (RFC 8446, 5.1)."""
PEERS_KEPT: Final = 1000
"""Peers and reasons that are remembered for it at most."""

_ANSWERED = {
    FaultKind.UNFRAMED: Problem("the message came without its start byte VT (0x0B); nothing was stored", "MSH", "207"),
    FaultKind.TOO_LONG: Problem("the message is longer than this line takes; nothing was stored", "MSH", "207"),
}
READY_SECONDS = 10.0
STOP_SECONDS = 10.0


class Feeds:
    """One listening address with its inbox, in a thread with an event loop of its own."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        host: str,
        port: int,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        allowed: Callable[[str], bool] | None = None,
        names: frozenset[str] = frozenset(),
        journal: LineJournal | None = None,
        doors: Sequence[socket.socket] = (),
        room: Room | None = None,
    ) -> None:
        """Not open yet.

        Args:
            database: where the messages go.
            shelf: the profiles of the links.
            host: where to listen; also where ``doors`` do.
            port: likewise; 0: whichever is free.
            limits: what a line may do, and how many.
            tls: where lines are to be encrypted.
            allowed: whether a peer address may connect.
            names: names that a client's certificate may carry; empty: any.
            journal: what these lines are answered from, where the process has one of its own.
            doors: listening sockets that were handed down, shared with other processes; none: open one.
            room: the limits of all processes that share them.

        Raises:
            Invalid: no profile may listen there.
        """
        shelf.check_listening(f"{host}:{port}")
        self.inbox = Inbox(database, shelf, journal)
        self._doors = doors
        self.host, self.port = host, port
        self.server = Server(
            self.inbox.take,
            on_fault,
            limits or Limits(),
            tls,
            allowed,
            names,
            changed=metrics.CONNECTIONS.set,
            refused=Refusals().note,
            room=room,
        )
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._returning = Returning(database, self.server, self._loop)
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._stop = asyncio.Event()
        self._stop_seconds = STOP_SECONDS
        self._thread = threading.Thread(target=self._run, name="hospital-lines", daemon=True)

    def start(self) -> int:
        """Listen; gives the port.

        Raises:
            Unavailable: the address is taken or not ours.
        """
        self.inbox.start()
        self._thread.start()
        self._ready.wait(READY_SECONDS)
        if self._failed is not None:
            self.inbox.stop()
            raise Unavailable(
                f"cannot listen on {self.host}:{self.port}: {self._failed.strerror}; choose another port or stop the other program"
            )
        self._returning.start()
        log.info("hospital line open", listen=f"{self.host}:{self.port}")
        return self.port

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Close the door, answer what has arrived (lines get so many seconds to take their answers), commit what waits."""
        self._stop_seconds = seconds
        self._returning.stop()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self.inbox.stop()

    def lines(self) -> list[LineState]:
        """The lines that are open now."""
        return self.server.states()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(ThreadPoolExecutor(4, "hospital-window"))
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        try:
            self.port = await self.server.start(self.host, self.port, self._doors)
        except OSError as error:
            self._failed = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        await self.server.stop(self._stop_seconds)


class Refusals:
    """Counts lines that are turned away, and says in the log who and why: each peer and reason once a minute, however often it knocks."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: dict[tuple[str, str], float] = {}

    def note(self, peer: str, why: str) -> None:
        """A line was turned away."""
        metrics.REFUSED.inc()
        at = self._now()
        if at - self._said.get((peer, why), -SAID_AGAIN_SECONDS) < SAID_AGAIN_SECONDS:
            return
        if len(self._said) >= PEERS_KEPT:
            self._said.clear()
        self._said[peer, why] = at
        log.warning("hospital line refused", peer=peer, why=why)


def on_fault(fault: Fault, listen: str, peer: str) -> bytes:
    """Count and log a fault of the line; refuse by its own number what carries one. What was cut short is never acknowledged."""
    metrics.FAULTS.labels(fault.kind.value).inc()
    more = {"why": "the peer speaks TLS, this line does not"} if fault.head.startswith(TLS_HANDSHAKE) else {}
    log.warning("hl7 line fault", kind=fault.kind.value, listen=listen, peer=peer, size=fault.size, **more)
    problem = _ANSWERED.get(fault.kind)
    if problem is None:
        return b""
    try:
        header = read_header(Message(header_line(fault.head)))
    except Refusal:
        return b""
    text = answer(header, AckCode.AR, at=clock.now(), number=f"F{clock.utc_now():%y%m%d%H%M%S%f}", problem=problem)
    return encode_answer(text, ASCII)
