"""The hospital lines of one process: listen, take in, answer; and stop without losing what has arrived."""

import asyncio
import socket
import ssl
import threading
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
from integrations.refusals import Refusals, Refused
from integrations.returning import Returning

log = structlog.get_logger()
TLS_HANDSHAKE: Final = b"\x16\x03"
"""How a record of the handshake begins (RFC 8446, 5.1)."""

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
        self._refusals = Refusals()
        self.server = Server(
            self.inbox.take,
            on_fault,
            limits or Limits(),
            tls,
            allowed,
            names,
            changed=metrics.CONNECTIONS.set,
            refused=self._refusals.note,
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

    def refused(self) -> list[Refused]:
        """Who was turned away of late, and why."""
        return self._refusals.of_late()

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
