"""HTTP of the API and the pages: one piece for each answer; HTTPS: our certificate, whose client certificates are taken, what they tell."""

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from healthsvc.config import Settings
from integrations.mllp.tls import server_context

_JOINED, _PIECES = 65_536, 16
"""Larger pieces (bytes) are not copied to be joined, nor are more pieces than these held back."""


class Joined:
    """A transport that sends what is written in one turn of the event loop as one piece.

    uvicorn writes the head and the body of an answer apart: two system calls, and a client that is woken twice.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._parts: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it with what else is written in this turn; a large piece at once, so that a slow client slows down whoever writes."""
        if len(data) > _JOINED:
            self._send()
            self._transport.write(data)
            return
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)
        if len(self._parts) > _PIECES:
            self._send()

    def close(self) -> None:
        """Close once everything is sent."""
        self._send()
        self._transport.close()

    def set_protocol(self, protocol: Any) -> None:
        """Hand the connection on (an upgrade); what was written goes first."""
        self._send()
        self._transport.set_protocol(protocol)

    def _send(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the ASGI TLS extension: which certificate the client has proved to hold."""

    _tls: dict[str, Any] | None = None

    def connection_made(self, transport: Any) -> None:
        """Look once a connection."""
        super().connection_made(Joined(transport))  # type: ignore[arg-type]
        connection = transport.get_extra_info("ssl_object")
        if connection is None:
            return
        shown = connection.getpeercert(binary_form=True)
        chain = [ssl.DER_cert_to_PEM_cert(shown)] if shown else []
        self._tls = {"server_cert": None, "client_cert_chain": chain, "tls_version": None, "cipher_suite": None}

    def on_message_begin(self) -> None:
        """Tell it with each request."""
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}  # type: ignore[dict-item]


def context_of(settings: Settings) -> ssl.SSLContext | None:
    """The TLS of the API; None where none is set (then it stands on this machine alone, or a proxy speaks TLS).

    Raises:
        Invalid: a file cannot be read, or a client CA is set without a certificate; the text names the setting.
    """
    if settings.https_certificate is None:
        return None
    made = server_context(settings.https_certificate, settings.https_key, settings.https_client_ca, setting="https")
    if settings.https_client_ca is not None and not settings.https_client_required:
        # browsers come without; whoever brings one must hold a good one
        made.verify_mode = ssl.CERT_OPTIONAL
    return made
