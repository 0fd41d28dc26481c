"""HTTPS of the API and the pages: our certificate, whose client certificates are taken, and what the connection tells of them."""

import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from healthsvc.config import Settings
from integrations.mllp.tls import server_context


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the ASGI TLS extension: which certificate the client has proved to hold."""

    _tls: dict[str, Any] | None = None

    def connection_made(self, transport: Any) -> None:
        """Look once a connection."""
        super().connection_made(transport)
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
