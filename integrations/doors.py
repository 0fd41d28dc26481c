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
from integrations.mllp.threshold import listen_at

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
            return listen_at(where.host, where.port)
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
