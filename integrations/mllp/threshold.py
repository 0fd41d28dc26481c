"""Where lines that are to be encrypted come in: who may not, and whoever is one too many, costs no handshake and no place.

A process may hold so many files open, and a connection that says nothing holds one until its handshake has taken too long. So addresses are
looked at before, and those who are about to agree upon TLS count among the lines.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from integrations.mllp.state import LineState

BACKLOG: Final = 1024
"""Connections that may wait to be accepted."""
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
"""What OpenSSL says of a peer that speaks without."""
NO_FILE_LEFT_SECONDS: Final = 0.2
"""So long nobody is accepted where the system gives no further file."""


class Entered(asyncio.Protocol):
    """What an admitted connection becomes."""

    state: LineState | None = None
    """Set once TLS is agreed upon and its certificate may come in: whoever goes after that is told by itself."""


class Threshold:
    """Accepts from listening sockets and encrypts, inside of the running event loop."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        seconds: float,
        admits: Callable[[str], bool],
        forget: Callable[[str], None],
        failed: Callable[[str, str], None],
        line: Callable[[str], Entered],
    ) -> None:
        """Not open yet.

        Args:
            tls: how lines are encrypted.
            seconds: how long the handshake may take.
            admits: whether one from an address may come in.
            forget: told of the address of each that was let in and has not become a line.
            failed: told of the address of each with whom TLS could not be agreed upon, and why.
            line: what an admitted connection becomes, by its address.
        """
        self._tls, self._seconds, self._admits, self._forget, self._line = tls, seconds, admits, forget, line
        self._failed = failed
        self.agreeing: list[str] = []
        """The addresses of those whose handshake is under way."""
        self._entering: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []

    def open(self, listening: Sequence[socket.socket]) -> None:
        """Accept from sockets that listen."""
        for one in listening:
            one.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(one)))

    async def close(self) -> None:
        """Let nobody in any more; who is not encrypted yet has sent nothing."""
        tasks = [*self._accepting, *self._entering]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    connection, address = await loop.sock_accept(listening)
                except OSError:  # those that are here end some day
                    await asyncio.sleep(NO_FILE_LEFT_SECONDS)
                    continue
                peer = str(address[0])
                line = self._line(peer)
                # each in a task of its own: whatever one meets with, the next one is let in
                entering = asyncio.create_task(self._enter(connection, peer, line))
                self._entering.add(entering)
                entering.add_done_callback(partial(self._entered, connection, line))

    async def _enter(self, connection: socket.socket, peer: str, line: Entered) -> None:
        if self._admits(peer):
            await self._agree(connection, peer, line)

    def _entered(self, connection: socket.socket, line: Entered, entering: "asyncio.Task[None]") -> None:
        self._entering.discard(entering)
        if line.state is None:  # looked at here, for of a task that is cancelled before it begins nothing runs
            connection.close()

    async def _agree(self, connection: socket.socket, peer: str, line: Entered) -> None:
        self.agreeing.append(peer)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: line, connection, ssl=self._tls, ssl_handshake_timeout=self._seconds
            )
        except OSError as error:  # the peer was told as far as TLS has words for it
            if why := _why(error):
                self._failed(peer, why)
        finally:
            self.agreeing.remove(peer)
            if line.state is None:
                self._forget(peer)


def _why(error: OSError) -> str:
    """Why TLS could not be agreed upon, for an operator; empty of who only connected and went, as whoever looks whether a port is open."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or type(error).__name__
        return "speaks no TLS" if reason in _NO_TLS else f"TLS: {reason.lower().replace('_', ' ')}"
    return "TLS: nothing in time" if isinstance(error, ConnectionAbortedError) else ""


def listen_at(host: str, port: int) -> list[socket.socket]:
    """Listen at each address of a name.

    Raises:
        OSError: the address is taken or not ours.
    """
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            one = socket.socket(family, kind, protocol)
            opened.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened
