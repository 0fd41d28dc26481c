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
from functools import partial
from typing import cast

from integrations.mllp.framing import LATE_ENDS, Fault, Frame, FrameReader, wrap
from integrations.mllp.limits import Limits
from integrations.mllp.peers import keep_alive, names_of
from integrations.mllp.pending import Pending, Unanswered
from integrations.mllp.room import Room
from integrations.mllp.state import FaultHandler, Handler, LineState
from integrations.mllp.threshold import BACKLOG, Entered, Threshold, listen_at


@dataclass(slots=True)
class Server:
    """One listening address. ``start`` it inside a running event loop; ``stop`` drains it."""

    handler: Handler
    fault_handler: FaultHandler
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None
    allowed: Callable[[str], bool] | None = None  # whether a peer address may connect; None: any
    names: frozenset[str] = frozenset()  # that a client's certificate may carry; empty: any that was let in
    changed: Callable[[int], None] = lambda _: None  # told the number of open lines whenever it changes
    refused: Callable[[str, str], None] = lambda peer, why: None  # who was turned away, and why
    room: Room | None = None  # where other processes accept from the same address: the limits of them all
    listen: str = ""
    lines: "set[Line]" = field(default_factory=set)
    unanswered: Unanswered = field(default_factory=Unanswered)
    _threshold: Threshold | None = None
    _servers: list[asyncio.Server] = field(default_factory=list)
    _drained: asyncio.Event | None = None

    async def start(self, host: str, port: int, doors: Sequence[socket.socket] = ()) -> int:
        """Listen, or accept from sockets that listen already; gives the port (port 0 lets the system choose)."""
        listening = list(doors) or listen_at(host, port)
        port = int(listening[0].getsockname()[1])
        if self.tls is not None:
            seconds, line = self.limits.handshake_seconds, partial(Line, self)
            self._threshold = Threshold(self.tls, seconds, self.admits, self.forget, self.refused, line)
            self._threshold.open(listening)
        else:
            for one in listening:
                self._servers.append(await asyncio.get_running_loop().create_server(lambda: Line(self), sock=one, backlog=BACKLOG))
        self.listen = f"{host}:{port}"
        return port

    async def stop(self, seconds: float = 10.0) -> None:
        """Take no new line, let the frames that have arrived be answered, then close."""
        for server in self._servers:
            server.close()
        if self._threshold is not None:
            await self._threshold.close()
        for line in list(self.lines):
            line.leave()
        self._drained = asyncio.Event()
        if self.lines:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), seconds)
        for line in list(self.lines):
            line.abort()

    def admits(self, peer: str) -> bool:
        """Whether a new line may come in: its address, and room for it among those that are here or about to be."""
        why = "address" if self.allowed is not None and not self.allowed(peer) else "" if self._has_room(peer) else "limit"
        if why:
            self.refused(peer, why)
        return not why

    def _has_room(self, peer: str) -> bool:
        if self.room is not None:
            return self.room.enter(peer)
        here = [state.peer for state in self.states()] + (self._threshold.agreeing if self._threshold else [])
        return len(here) < self.limits.connections and here.count(peer) < self.limits.per_peer

    def forget(self, peer: str) -> None:
        """One that was admitted is gone."""
        if self.room is not None:
            self.room.leave(peer)

    def left(self, line: "Line") -> None:
        """A line is gone."""
        self.lines.discard(line)
        if line.state is not None:
            self.forget(line.state.peer)
        self.changed(len(self.lines))
        if self._drained is not None and not self.lines:
            self._drained.set()

    def say(self, link: str, message: bytes) -> bool:
        """Write a message of ours to the line on which this link has spoken last; False where none is open that reads."""
        open_now = [line for line in self.lines if line.state is not None and line.state.link == link]
        return any(line.say(message) for line in sorted(open_now, key=lambda line: -line.state.last if line.state else 0.0))

    def is_full(self, held: int) -> bool:
        """Whether the unfinished frames of all lines take more than they may together, of which one line holds so much."""
        limits = self.limits
        small = held <= limits.unfinished_bytes // limits.connections  # it is not to blame, and most are: nothing has to be added up
        return not small and sum(line.reader.held for line in self.lines) > max(limits.unfinished_bytes, 2 * limits.message_bytes)

    def states(self) -> list[LineState]:
        """The open lines."""
        return [line.state for line in self.lines if line.state]


class Line(Entered):
    """One connection. Answers wait in the order of their messages; each is written as soon as all before it have been."""

    def __init__(self, server: Server, admitted: str = "") -> None:
        self.server, self._admitted = server, admitted  # the address, where it has been let in already
        self.reader = FrameReader(server.limits.message_bytes)
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.state: LineState | None = None
        self.held = 0
        self._answers: deque[Pending] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._frame_began: float | None = None
        self._reading = True
        self._leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the line, or close it where there are too many, or its address or certificate is not allowed."""
        line, server = cast("asyncio.Transport", transport), self.server
        peer = self._admitted or str((transport.get_extra_info("peername") or ("",))[0])
        if not (self._admitted or server.admits(peer)):
            line.abort()
            return
        if server.names and not server.names & names_of(transport.get_extra_info("peercert") or {}):
            server.refused(peer, "certificate-name")
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
            if len(self._answers) >= self.server.limits.in_flight or self.server.unanswered.is_beyond(self.server.limits):
                self.pace()
            return
        self._begin(self.reader.feed(data))
        self.pace()
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
                self._pending(len(each.head)).tell(self.server.fault_handler(each, self.server.listen, self.state.peer))
            else:
                self._take(each.content)

    def _pending(self, size: int) -> Pending:
        self._answers.append(pending := Pending(self, self.server.unanswered, self.server.limits, size))
        return pending

    def _take(self, content: bytes) -> None:
        state, server = self.state, self.server
        assert state is not None
        state.last = self.loop.time()
        state.messages += 1
        tell = self._pending(len(content)).tell
        state.link = server.handler(content, server.listen, state.peer, tell, self) or state.link

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
            self.pace()

    def pace(self) -> None:
        """Read on, or stop reading, or close, as is due."""
        transport, server = self.transport, self.server
        if transport is None:
            return
        if self._leaving:
            if not self._answers:
                transport.close()
            return
        stops = len(self._answers) >= server.limits.in_flight or server.unanswered.stops(self, self.reader.held, server.limits)
        if self._reading == stops:
            self._reading = not stops
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
        elif self.server.is_full(self.reader.held):
            self._cut_off()
        elif data.endswith(LATE_ENDS):
            self._timer = self.loop.call_later(self.server.limits.missing_end_seconds, self._paused)
        else:
            self._timer = self.loop.call_later(self.server.limits.half_frame_seconds, self._idle)

    def _paused(self) -> None:
        self._begin(self.reader.pause())
        self._frame_began = None

    def _idle(self) -> None:
        """Half a frame and then nothing."""
        if self._reading:
            self._cut_off()
        else:  # it is we who do not take the rest
            self._timer = self.loop.call_later(self.server.limits.half_frame_seconds, self._idle)

    def _cut_off(self) -> None:
        """Report half a frame and hang up; it was never acknowledged."""
        self._begin(self.reader.close())
        self.leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
