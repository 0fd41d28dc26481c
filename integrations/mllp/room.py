"""Room for lines among several processes that accept from one address: their limits hold for all of them together.

A file in memory has a part for each process: how many lines it has, and of each the hash of its peer's address. Who lets a line in looks at
all parts under a lock of the system, which ends with the process that holds it.
"""

import fcntl
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

from integrations.mllp.limits import Limits

ROOM: Final = "HEALTHSVC_ROOM"
"""Number of the file, of this process's part, and how many parts there are: what a started process is told."""
_NUMBER: Final = "Q"
_BYTES: Final = 8


class Room:
    """One process's part of it, and the eyes on the others'."""

    def __init__(self, file: int, part: int, parts: int, limits: Limits) -> None:
        self._file, self._part, self._parts, self._limits = file, part, parts, limits
        self._mine: array[int] = array(_NUMBER)
        self._length = _length(limits)

    def enter(self, peer: str) -> bool:
        """Let a line in, where there is room for it."""
        with self._alone():
            among = [number for part in range(self._parts) for number in self._read(part)]
            mark = _mark(peer)
            if len(among) >= self._limits.connections or among.count(mark) >= self._limits.per_peer:
                return False
            self._mine.append(mark)
            self._write()
            return True

    def leave(self, peer: str) -> None:
        """A line is gone."""
        with self._alone():
            self._mine.remove(_mark(peer))
            self._write()

    def _read(self, part: int) -> "array[int]":
        found: array[int] = array(_NUMBER)
        at = part * self._length
        (count,) = array(_NUMBER, os.pread(self._file, _BYTES, at)) or (0,)
        found.frombytes(os.pread(self._file, count * _BYTES, at + _BYTES))
        return found

    def _write(self) -> None:
        os.pwrite(self._file, array(_NUMBER, (len(self._mine), *self._mine)).tobytes(), self._part * self._length)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def make(parts: int, limits: Limits) -> int:
    """A room for so many processes; gives its file."""
    file = os.memfd_create("lines")
    os.ftruncate(file, parts * _length(limits))
    return file


def clear(file: int, part: int, limits: Limits) -> None:
    """A process is gone, and its lines with it."""
    os.pwrite(file, bytes(_BYTES), part * _length(limits))


def told(file: int, part: int, parts: int) -> dict[str, str]:
    """How a started process is told of its part."""
    return {ROOM: f"{file},{part},{parts}"}


def handed_down(limits: Limits) -> Room | None:
    """The part that the process which started this one has handed down; None where nobody has."""
    numbers = [int(one) for one in os.environ.pop(ROOM, "").split(",") if one]
    return Room(numbers[0], numbers[1], numbers[2], limits) if numbers else None


def _length(limits: Limits) -> int:
    return _BYTES * (limits.connections + 1)


def _mark(peer: str) -> int:
    return int.from_bytes(blake2b(peer.encode(), digest_size=_BYTES).digest())
