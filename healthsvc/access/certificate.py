"""Certificates of clients: who holds the other end of a TLS connection, and what a token or a client may be bound to.

The connection tells it (ASGI TLS extension), never a header: whatever a proxy writes into a header anybody could write.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.util import urlsafe_b64encode

from healthsvc.errors import Invalid

_PRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAME: Final = "subject:"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that a client has proved to hold; the TLS library has checked its chain and its dates."""

    fingerprint: str
    """``sha256:`` and 64 hexadecimal digits, of the whole certificate (RFC 8705 3.1 takes the same hash)."""
    subject: str
    """Its name as RFC 4514 writes it, for example ``CN=his.h1.example,O=示例医院``."""

    def fits(self, bound: str) -> bool:
        """Whether it is the one that something is bound to: this very certificate, or any of this name."""
        return bound in (self.fingerprint, _NAME + self.subject)


def presented(scope: Any) -> Certificate | None:
    """The client's certificate of an ASGI connection; None without one."""
    chain = (scope.get("extensions") or {}).get("tls", {}).get("client_cert_chain") or ()
    return _read(chain[0]) if chain else None


def holds(bound: str | None, shown: Certificate | None) -> bool:
    """Whether what is bound (None: to nothing) may be used by whoever shows this certificate."""
    return bound is None or (shown is not None and shown.fits(bound))


def thumbprint(fingerprint: str) -> str:
    """``x5t#S256`` (RFC 8705 3.1) of a fingerprint."""
    return urlsafe_b64encode(bytes.fromhex(fingerprint.removeprefix("sha256:"))).decode()


def read(text: str) -> str:
    """What to bind to, from a PEM file's text, ``sha256:HEX`` (colons as openssl writes them are fine) or ``subject:NAME``.

    Raises:
        Invalid: it is none of these.
    """
    plain = text.strip()
    if plain.startswith(_NAME) and len(plain) > len(_NAME):
        return plain[:400]
    if plain.startswith("-----BEGIN CERTIFICATE-----"):
        try:
            return _read(plain).fingerprint
        except ValueError:
            raise Invalid("the certificate cannot be read; give it as PEM") from None
    print_ = "sha256:" + re.sub(r"^sha256[:=]|[:\s]", "", plain.lower()).removeprefix("sha256")
    if not _PRINT.fullmatch(print_):
        raise Invalid("a certificate is given as PEM, as sha256:FINGERPRINT or as subject:CN=NAME,O=HOSPITAL")
    return print_


@lru_cache(maxsize=256)
def _read(pem: str) -> Certificate:
    found = x509.load_pem_x509_certificate(pem.encode())
    return Certificate("sha256:" + found.fingerprint(SHA256()).hex(), found.subject.rfc4514_string())
