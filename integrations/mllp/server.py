"""The listening end of MLLP lines: sockets, limits and time-outs. What a message says is the handler's business.

Frames of one line are handed over in their order and answered in their order; lines do not wait for each other. A line that leaves half
a frame lying, or never reads its answers, is closed after a time; over the limit of lines a new one is closed at once.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from integrations.mllp.framing import LATE_ENDS, Fault, Frame, FrameReader, wrap
from integrations.mllp.limits import Limits
from integrations.mllp.peers import keep_alive, names_of
from integrations.mllp.room import Room

BACKLOG = 1024  # connections that may wait to be accepted
Tell = Callable[[bytes | None], None]
"""Takes the answer to a message, in the thread of the line: empty for none, None where there never will be one (the line is dropped)."""
Handler = Callable[[bytes, str, str, Tell], str]
"""``handler(message, listen, peer, tell)`` begins to deal with a message and calls ``tell`` once it has the answer; it gives whose line
this is, empty where the message does not say."""
FaultHandler = Callable[[Fault, str, str], bytes]
"""What to answer to a block that is no whole message; empty for nothing."""


@dataclass(slots=True)
class LineState:
    """One open line as an operator sees it."""

    peer: str
    since: float
    messages: int = 0
    faults: int = 0
    last: float = 0.0
    link: str = ""
    """Whose line it is by its last message."""


@dataclass(slots=True)
class Server:
    """One listening address. ``start`` it inside a running event loop; ``stop`` drains it."""

    handler: Handler
    fault_handler: FaultHandler
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None
    allowed: Callable[[str], bool] | None = None
    """Whether a peer address may connect; None: any."""
    names: frozenset[str] = frozenset()
    """Names that a client's certificate may carry; empty: any that was let in."""
    changed: Callable[[int], None] = lambda _: None  # told the number of open lines whenever it changes
    refused: Callable[[], None] = lambda: None
    room: Room | None = None  # where other processes accept from the same address: the limits of them all
    listen: str = ""
    lines: "set[Line]" = field(default_factory=set)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _drained: asyncio.Event | None = None

    async def start(self, host: str, port: int, doors: Sequence[socket.socket] = ()) -> int:
        """Listen, or accept from sockets that listen already; gives the port (port 0 lets the system choose)."""
        loop = asyncio.get_running_loop()
        waits: dict[str, Any] = {"ssl_handshake_timeout": self.limits.handshake_seconds} if self.tls is not None else {}
        wheres: list[dict[str, Any]] = [{"sock": door} for door in doors] or [{"host": host, "port": port}]
        for where in wheres:
            self._servers.append(await loop.create_server(lambda: Line(self), **where, ssl=self.tls, backlog=BACKLOG, **waits))
        port = self._servers[0].sockets[0].getsockname()[1]
        self.listen = f"{host}:{port}"
        return int(port)

    async def stop(self, seconds: float = 10.0) -> None:
        """Take no new line, let the frames that have arrived be answered, then close."""
        for server in self._servers:
            server.close()
        for line in list(self.lines):
            line.leave()
        self._drained = asyncio.Event()
        if self.lines:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), seconds)
        for line in list(self.lines):
            line.abort()

    def admits(self, peer: str, certificate: Any) -> bool:
        """Whether a new line may stay: its address, its certificate's name, and room for it."""
        if self.allowed is not None and not self.allowed(peer):
            return False
        if self.names and not self.names & names_of(certificate or {}):
            return False
        if self.room is not None:
            return self.room.enter(peer)
        if len(self.lines) >= self.limits.connections:
            return False
        return sum(line.state is not None and line.state.peer == peer for line in self.lines) < self.limits.per_peer

    def left(self, line: "Line") -> None:
        """A line is gone."""
        self.lines.discard(line)
        if self.room is not None and line.state is not None:
            self.room.leave(line.state.peer)
        self.changed(len(self.lines))
        if self._drained is not None and not self.lines:
            self._drained.set()

    def say(self, link: str, message: bytes) -> bool:
        """Write a message of ours to the line on which this link has spoken last; False where none is open that reads."""
        open_now = [line for line in self.lines if line.state is not None and line.state.link == link]
        return any(line.say(message) for line in sorted(open_now, key=lambda line: -line.state.last if line.state else 0.0))

    def states(self) -> list[LineState]:
        """The open lines."""
        return [line.state for line in self.lines if line.state]


class Pending:
    """The place of one answer in the order of its line."""

    __slots__ = ("_line", "answer")

    def __init__(self, line: "Line", answer: bytes | None = None) -> None:
        self._line = line
        self.answer = answer

    def tell(self, answer: bytes | None) -> None:
        """The answer is there; the line writes it as soon as all before it are written."""
        if answer is None:
            self._line.abort()
            return
        self.answer = answer
        self._line.write_answers()


class Line(asyncio.Protocol):
    """One connection. Answers wait in the order of their messages; each is written as soon as all before it have been."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.reader = FrameReader(server.limits.message_bytes)
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.state: LineState | None = None
        self._answers: deque[Pending] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._frame_began: float | None = None
        self._reading = True
        self._leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the line, or close it where there are too many or its address is not allowed."""
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        line = cast("asyncio.Transport", transport)
        if not self.server.admits(peer, transport.get_extra_info("peercert")):
            self.server.refused()
            line.abort()
            return
        keep_alive(transport.get_extra_info("socket"))
        self.transport = line
        self.state = LineState(peer, self.loop.time())
        self.server.lines.add(self)
        self.server.changed(len(self.server.lines))

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames and begin to deal with them."""
        if self.transport is None:
            return
        if (content := self.reader.whole(data)) is not None:
            self._take(content)
            if self.transport is not None and len(self._answers) >= self.server.limits.in_flight:
                self._pace(self.transport)
            return
        self._begin(self.reader.feed(data))
        self._watch(data)

    def eof_received(self) -> bool:
        """The peer sends no more: answer what has arrived whole, then close."""
        if self.transport is not None:
            self._begin(self.reader.close())
            self.leave()
        return self.server.tls is None  # over TLS the line cannot stay half open

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the line; what had arrived whole has been handed over, only its answer has nowhere to go."""
        self._stop_timer()
        if self._unread is not None:
            self._unread.cancel()
        if self.transport is not None:
            self.transport = None
            self.server.left(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers: wait, but not for ever."""
        self._unread = self.loop.call_later(self.server.limits.unread_seconds, self.abort)

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        self.write_answers()

    def say(self, message: bytes) -> bool:
        """Write something that is no answer to the message at hand; False where the peer does not read or the line is closing."""
        if self.transport is None or self._unread is not None or self._leaving or self.transport.is_closing():
            return False
        self.transport.write(wrap(message))
        return True

    def leave(self) -> None:
        """Close once everything that has arrived is answered."""
        self._leaving = True
        self.write_answers()

    def abort(self) -> None:
        """Close now."""
        if self.transport is not None:
            self.transport.abort()

    def _begin(self, found: list[Frame | Fault]) -> None:
        if not found or self.state is None:
            return
        for each in found:
            if isinstance(each, Fault):
                self.state.faults += 1
                self.state.last = self.loop.time()
                self._answers.append(Pending(self, self.server.fault_handler(each, self.server.listen, self.state.peer)))
                self.write_answers()
            else:
                self._take(each.content)
        if self.transport is not None:
            self._pace(self.transport)

    def _take(self, content: bytes) -> None:
        state, server = self.state, self.server
        assert state is not None
        state.last = self.loop.time()
        state.messages += 1
        pending = Pending(self)
        self._answers.append(pending)
        state.link = server.handler(content, server.listen, state.peer, pending.tell) or state.link

    def write_answers(self) -> None:
        """Write the answers that are there, in order; let the line read on, or close it, as is due."""
        transport, answers = self.transport, self._answers
        if transport is None:
            return
        while answers and self._unread is None:
            first = answers[0].answer
            if first is None:
                break
            answers.popleft()
            if first:
                transport.write(wrap(first))
        if self._leaving or not self._reading:
            self._pace(transport)

    def _pace(self, transport: asyncio.Transport) -> None:
        if self._leaving:
            if not self._answers:
                transport.close()
            return
        if self._reading != (len(self._answers) < self.server.limits.in_flight):
            self._reading = not self._reading
            if self._reading:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _watch(self, data: bytes) -> None:
        """Look after an unfinished frame."""
        self._stop_timer()
        if not self.reader.half_open:
            self._frame_began = None
            return
        now = self.loop.time()
        self._frame_began = self._frame_began or now
        if now - self._frame_began > self.server.limits.frame_seconds:
            self.abort()
        elif data.endswith(LATE_ENDS):
            self._timer = self.loop.call_later(self.server.limits.missing_end_seconds, self._paused)
        else:
            self._timer = self.loop.call_later(self.server.limits.half_frame_seconds, self._idle)

    def _paused(self) -> None:
        self._begin(self.reader.pause())
        self._frame_began = None

    def _idle(self) -> None:
        """Half a frame and then nothing: report it and hang up; it was never acknowledged."""
        self._begin(self.reader.close())
        self.leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
