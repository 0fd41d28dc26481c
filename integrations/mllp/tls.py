"""TLS of hospital lines: our certificate, whose certificates we trust, and nothing older than TLS 1.2."""

import ssl
from pathlib import Path
from typing import Protocol

from healthsvc.errors import Invalid


class Trust(Protocol):
    """What a calling end needs to know of TLS."""

    @property
    def tls(self) -> bool:
        """Whether the line is encrypted."""

    @property
    def ca(self) -> str:
        """File of trusted certificates; empty: the system's."""

    @property
    def certificate(self) -> str:
        """Our own certificate for mutual TLS; empty: none."""

    @property
    def key(self) -> str:
        """Its key."""


def client_context(trust: Trust) -> ssl.SSLContext | None:
    """The context for calling a hospital; None for a line without TLS.

    Raises:
        Invalid: a file cannot be read; the text names the setting, never what is in it.
    """
    if not trust.tls:
        return None
    context = ssl.create_default_context(cafile=_file(trust.ca, "send.ca") if trust.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.certificate:
        _own(context, trust.certificate, trust.key, "send.certificate")
    return context


def server_context(certificate: Path, key: Path | None, client_ca: Path | None, *, setting: str = "mllp") -> ssl.SSLContext:
    """The context for listening; with ``client_ca`` only those who show a certificate that it signed are let in (mutual TLS).

    ``setting``: how the names of the settings begin, for refusals.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _own(context, str(certificate), str(key or ""), f"{setting}_certificate")
    if client_ca is not None:
        context.load_verify_locations(_file(str(client_ca), f"{setting}_client_ca"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _own(context: ssl.SSLContext, certificate: str, key: str, setting: str) -> None:
    try:
        context.load_cert_chain(_file(certificate, setting), _file(key, setting) if key else None)
    except ssl.SSLError as error:
        raise Invalid(f"{setting}: certificate and key do not fit together ({error.reason or 'unreadable'})", reason="setting") from None


def _file(path: str, setting: str) -> str:
    if not Path(path).is_file():
        raise Invalid(f"{setting}: there is no file {Path(path).name!r}", reason="setting")
    return path
