"""The calling end of an MLLP line: send a message, wait for its own answer, never mistake another one for it."""

import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

from healthsvc.errors import Unavailable
from integrations.mllp.framing import Frame, FrameReader, wrap

Belongs = Callable[[bytes, bytes], bool]
"""Whether an answer belongs to a message (for HL7: MSA-2 repeats MSH-10)."""
_READ = 1 << 16
_LIMIT = 32 << 20


class NoAnswer(Unavailable):
    """The peer did not answer, or answered something else. Whether it has the message is not known."""


class Client:
    """One line to a peer; connects when it is first needed, and is closed whenever an answer cannot be trusted."""

    def __init__(self, host: str, port: int, belongs: Belongs, *, seconds: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        self._address = (host, port)
        self._belongs = belongs
        self._seconds = seconds
        self._tls = tls
        self._socket: socket.socket | None = None
        self._reader = FrameReader(_LIMIT)

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

    def send(self, message: bytes) -> bytes:
        """Send one message and give its answer.

        Raises:
            NoAnswer: no connection, no answer in time, or one that belongs to another message. The line is dropped in each case, so that
                a late answer cannot be taken for that of the next message.
        """
        try:
            line = self._connected()
            line.sendall(wrap(message))
            answer = self._receive(line)
        except (OSError, TimeoutError) as error:
            self.close()
            raise NoAnswer(f"the peer did not answer: {type(error).__name__}") from None
        if not self._belongs(message, answer):
            self.close()
            raise NoAnswer("the answer belongs to another message; the line was dropped")
        return answer

    def _connected(self) -> socket.socket:
        if self._socket is None:
            plain = socket.create_connection(self._address, timeout=self._seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._tls.wrap_socket(plain, server_hostname=self._address[0]) if self._tls else plain
        return self._socket

    def _receive(self, line: socket.socket) -> bytes:
        while True:
            received = line.recv(_READ)
            found = self._reader.feed(received) if received else self._reader.close()
            for each in found:
                if isinstance(each, Frame):
                    return each.content
            if not received:
                raise ConnectionResetError
