"""Who is at the other end of a line: the names in its certificate, and whether it is still there."""

import socket
from collections.abc import Mapping
from typing import Any


def names_of(certificate: Mapping[str, Any]) -> set[str]:
    """The names in a certificate as ``ssl`` gives it: common names and DNS names."""
    subject = {value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"}
    return subject | {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}


def keep_alive(line: socket.socket | None) -> None:
    """Let the system ask after a peer that has been quiet, so that a line whose other end is gone does not stay for ever."""
    if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
