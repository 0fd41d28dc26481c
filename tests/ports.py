"""Ports for servers that are told theirs before they start, or that come back on the one they had."""

import os
import socket
from itertools import count
from pathlib import Path

_FIRST = 15_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ENDS = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 49_152  # the first that anybody may be given: RFC 6335 6
_turns = count(os.getpid() * 7919)  # processes that have numbers beside each other begin far apart


def free_port() -> int:
    """A port of the loopback on which nobody listens, and which the system gives to nobody who asks for any.

    One of those would be somebody's by the time the server is there: of a second that ``initdb`` takes, or while a server is stopped,
    other tests open listeners and connections by the dozen.
    """
    for turn in _turns:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := _FIRST + turn % (_ENDS - _FIRST)))
            except OSError:
                continue
            return port
    raise AssertionError("the count has no end")
