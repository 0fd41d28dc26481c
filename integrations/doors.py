"""The listening sockets of the hospital lines, opened by one process and handed down to those that accept from them.

All accept from the same sockets, so whoever has time takes the next line; one that dies leaves nobody standing outside, and the address is
taken once, so that a second service is told so (with SO_REUSEPORT it would silently share the lines).
"""

import errno
import os
import socket
import time
from collections.abc import Sequence
from typing import Final

from healthsvc.errors import Unavailable
from integrations.address import Address
from integrations.mllp.server import BACKLOG

DOORS: Final = "HEALTHSVC_DOORS"
"""Numbers of the sockets that a started process was handed, with commas between."""
TRIES, FIRST_PAUSE = 4, 1.0
"""How often an address is tried that one who is just going may still hold; seconds between, doubling."""


def open_doors(where: Address) -> list[socket.socket]:
    """Listen.

    Raises:
        Unavailable: the address is taken or not ours.
    """
    pause = FIRST_PAUSE
    for left in reversed(range(TRIES)):
        try:
            return _listening(where)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not left:
                said = error.strerror or "no such address"
                raise Unavailable(f"cannot listen on {where}: {said}; choose another port or stop the other program") from None
        time.sleep(pause)
        pause *= 2
    raise AssertionError  # the last try has raised


def handed_down() -> list[socket.socket]:
    """The sockets that the process which started this one has handed down; none where nobody has."""
    return [socket.socket(fileno=int(number)) for number in os.environ.pop(DOORS, "").split(",") if number.isdigit()]


def told(doors: Sequence[socket.socket]) -> dict[str, str]:
    """How a started process is told of its doors."""
    return {DOORS: ",".join(str(door.fileno()) for door in doors)}


def _listening(where: Address) -> list[socket.socket]:
    doors: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            door = socket.socket(family, kind, protocol)
            doors.append(door)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            door.bind(address)
            door.listen(BACKLOG)
            door.setblocking(False)
    except OSError:
        for door in doors:
            door.close()
        raise
    return doors
