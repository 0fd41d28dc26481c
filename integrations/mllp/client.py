"""The calling end of an MLLP line: send a message, wait for its own answer, never mistake another one for it."""

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from healthsvc.errors import Refusal, Unavailable
from integrations.mllp.framing import LATE_ENDS, Fault, Frame, FrameReader, wrap

Belongs = Callable[[bytes, bytes], bool]
"""Whether an answer belongs to a message (for HL7: MSA-2 repeats MSH-10)."""
Aside = Callable[[bytes], bytes | None]
"""Takes what comes besides the answer that is waited for, such as a later word on an earlier message: gives what to reply (empty for
nothing), or None where it belongs to nothing that is known, so that the line cannot be trusted."""
_READ: Final = 1 << 16
_LIMIT: Final = 32 << 20
_MISSING_END_SECONDS: Final = 0.25
"""After so long a silence FS alone ends an answer."""


class NoAnswer(Unavailable):
    """The peer did not answer, or answered something else. Whether it has the message is not known."""


class _Gone(OSError):
    """The peer has hung up."""


class _Cut(_Gone):
    """It has hung up within an answer."""


class Client:
    """One line to a peer; connects when it is first needed, and is closed whenever an answer cannot be trusted."""

    def __init__(
        self,
        host: str,
        port: int,
        belongs: Belongs,
        *,
        seconds: float = 10.0,
        tls: Callable[[], ssl.SSLContext | None] | ssl.SSLContext | None = None,
        aside: Aside = lambda _: None,
    ) -> None:
        """Not connected yet.

        Args:
            host: where the peer listens.
            port: likewise.
            belongs: tells the answer to a message.
            seconds: how long connecting, and then sending with its answer, may take altogether, however slowly the peer reads or writes.
            tls: how the line is encrypted, or what gives that anew for each connection (certificates on disk may have changed).
            aside: takes what is not the answer.
        """
        self._address = (host, port)
        self._belongs = belongs
        self._seconds = seconds
        self._tls = tls
        self._aside = aside
        self._socket: socket.socket | None = None
        self._reader = FrameReader(_LIMIT)
        self._came: deque[bytes] = deque()
        self._late = False
        """Whether what has come may be whole, and only lacks the last byte of its end."""
        self._noise = ""
        """What came that was no frame, by its kind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._reader = FrameReader(_LIMIT)
        self._came.clear()
        self._late = False

    def send(self, message: bytes) -> bytes:
        """Send one message and give its answer.

        Raises:
            NoAnswer: no connection, no answer in time, or one that belongs to another message; the text says which. The line is dropped in
                each case, so that a late answer cannot be taken for that of the next message.
        """
        answer = self._exchange(message, None)
        assert answer is not None
        return answer

    def _exchange(self, message: bytes, quiet: float | None) -> bytes | None:
        """Send and wait; None where ``quiet`` seconds pass without a word."""
        written = False
        try:
            self.look()
            line = self._connected()
            until = time.monotonic() + self._seconds
            self._write(line, message, until)
            written = True
            until = until if quiet is None else time.monotonic() + quiet
            while not self._belongs(message, answer := self._next(line, until)):
                self._put_aside(line, answer)
        except NoAnswer:
            self.close()
            raise
        except TimeoutError as error:
            if written and quiet is not None and not self._reader.half_open:
                return None
            self._take(self._reader.close())
            told = self._why(error)
            self.close()
            raise NoAnswer(told) from None
        except (OSError, ValueError) as error:
            told = self._why(error)
            self.close()
            raise NoAnswer(told) from None
        return answer

    def tell(self, message: bytes, seconds: float) -> bytes:
        """Send one message that asks for no answer; gives one that comes within these seconds all the same, else nothing.

        Raises:
            NoAnswer: no connection, the peer hung up meanwhile, or what came belongs to nothing.
        """
        return self._exchange(message, seconds) or b""

    def look(self) -> None:
        """Take what has come on the open line meanwhile, without waiting; notices that the peer has hung up.

        Raises:
            NoAnswer: what has come belongs to nothing; the line was dropped.
        """
        line = self._socket
        if line is None:
            return
        try:
            while self._came or self._is_readable(line):
                if not self._came:
                    self._read(line, time.monotonic() + _MISSING_END_SECONDS)
                while self._came:
                    self._put_aside(line, self._came.popleft())
        except NoAnswer:
            self.close()
            raise
        except TimeoutError:
            return  # a word of TLS's own, or half of one: the rest comes later
        except (OSError, ValueError):
            self.close()

    def _put_aside(self, line: socket.socket, came: bytes) -> None:
        try:
            reply = self._aside(came)
        except Refusal:  # it cannot be noted now; the peer may not say it twice
            self._came.appendleft(came)
            raise
        if reply is None:
            raise NoAnswer("the answer belongs to another message; the line was dropped")
        if reply:
            self._write(line, reply, time.monotonic() + self._seconds)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._noise = ""
            plain = socket.create_connection(self._address, timeout=self._seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                context = self._tls() if callable(self._tls) else self._tls
                self._socket = context.wrap_socket(plain, server_hostname=self._address[0]) if context else plain
            finally:
                if self._socket is None:
                    plain.close()
        return self._socket

    @staticmethod
    def _is_readable(line: socket.socket) -> bool:
        ready = select.poll()
        ready.register(line, select.POLLIN)
        return (isinstance(line, ssl.SSLSocket) and line.pending() > 0) or bool(ready.poll(0))

    @staticmethod
    def _write(line: socket.socket, message: bytes, until: float) -> None:
        left = memoryview(wrap(message))
        while left:  # not sendall: a peer that reads a byte now and then must not hold the line for ever
            line.settimeout(max(0.001, until - time.monotonic()))
            left = left[line.send(left[: 1 << 20]) :]
            if left and time.monotonic() > until:
                raise TimeoutError

    def _next(self, line: socket.socket, until: float) -> bytes:
        while not self._came:
            self._read(line, until)
        return self._came.popleft()

    def _read(self, line: socket.socket, until: float) -> None:
        """One read; what it completes is put down, noise is noted."""
        late = self._late
        wait = until - time.monotonic()
        if wait <= 0:
            raise TimeoutError
        line.settimeout(min(wait, _MISSING_END_SECONDS) if late else wait)
        try:
            received = line.recv(_READ)
        except TimeoutError:
            if not late:
                raise
            self._late = False
            self._take(self._reader.pause())
            return
        if received:
            self._take(self._reader.feed(received))
            self._late = self._reader.half_open and received.endswith(LATE_ENDS)
            return
        cut = self._reader.half_open
        self._take(self._reader.close())
        if not self._came:
            raise _Cut("in the midst of its answer") if cut else _Gone("before it had answered")

    def _take(self, found: list[Frame | Fault]) -> None:
        for each in found:
            if isinstance(each, Frame):
                self._came.append(each.content)
            else:
                self._noise = each.kind.value

    def _why(self, error: Exception) -> str:
        """What an operator should know of a failure; says nothing of any message."""
        noise = f"what came is no framed answer ({self._noise}): " if self._noise and not isinstance(error, _Cut) else ""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the peer's certificate is not accepted: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"TLS could not be agreed upon: {error.reason or type(error).__name__}"
        if isinstance(error, _Gone):
            return f"{noise}the peer hung up {error}"
        if isinstance(error, socket.gaierror):
            return f"the peer's address {self._address[0]} is not known"
        if self._socket is None:
            reason = f"not within {self._seconds:g} s" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__  # type: ignore[attr-defined]
            return f"the peer cannot be reached: {reason}"
        if isinstance(error, TimeoutError):
            return f"{noise}the peer did not answer within {self._seconds:g} s"
        return f"{noise}the peer hung up before it had answered"
