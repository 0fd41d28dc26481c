"""The journal of one process of hospital lines: a file of fixed size in which records stand one after the other, on disk before the answer.

An answer that waits for the journal waits for no other writer, and its room on the disk is taken beforehand. The file has two halves.
While one fills, what stands in the other has long been carried into the database; when it is full, the other begins anew under a header of
its own.

Each record carries a checksum over itself and all before it in its half, beginning with the header's random salt: what was torn by a power
cut, left by an earlier round, or written by a turn that failed does not continue the chain, and there reading ends. A record that was
flushed is never behind one that was not.

Numbers are little-endian. File: ``MAGIC``, id (16 bytes), CRC-32 of both; hints at ``HINTS``; halves from ``PAGE`` on. Half: number of its
first record (64 bits), salt (32), CRC-32 of id, number and salt. Record: length (32), chained CRC-32, body.
"""

import fcntl
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self
from zlib import crc32

from healthsvc.errors import Invalid, Unavailable

MAGIC: Final = b"HSLINES1"
PAGE: Final = 4096
HALF_BYTES: Final = 16 << 20
"""Some 13,000 messages of 0.6 kB, sealed and with their answers: half a minute of 500 a second, should the database take none."""
HINTS: Final = 64
"""Where it stands, without a flush, up to which number records are there, and up to which they were carried: for whoever only looks."""
_ZEROS: Final = 1 << 20
_HEAD: Final = struct.Struct("<8s16sI")
_HALF: Final = struct.Struct("<QII")
_RECORD: Final = struct.Struct("<II")
_HINTS: Final = struct.Struct("<QQ")


class Full(Unavailable):
    """The records do not fit: they are too large, or what was written before has not been carried yet."""


class Entry(NamedTuple):
    """One record."""

    number: int
    body: bytes


class Peeked(NamedTuple):
    """What a look at a journal tells that another process may be writing."""

    id: bytes
    last: int
    """Up to which number records seem to be there."""
    carried: int

    @property
    def waits(self) -> int:
        """How many seem to wait."""
        return max(self.last - self.carried, 0)


class _Read(NamedTuple):
    """What one half holds."""

    half: int
    first: int
    end: int
    """Where the next record begins, from the start of the half."""
    crc: int
    bodies: list[bytes]


class Journal:
    """Open and held by this process alone. One thread at a time appends."""

    def __init__(self, path: Path, file: int, size: int, id: bytes, entries: list[Entry], halves: list[_Read]) -> None:
        self.path, self.id = path, id
        self._name, self._head = str(path), _head(id)
        self.entries = entries
        """What stood in it when it was opened, also what has been carried since."""
        self.sound = True
        """False once a flush has failed, when nobody can tell what is on disk, or its file was taken away under it."""
        self._file, self._size = file, size
        now = halves[-1] if halves else None
        self._half, self._at, self._crc = (now.half, now.end, now.crc) if now else (1, size, 0)  # none yet: as if the second were full
        self.last = now.first + len(now.bodies) - 1 if now else 0
        """Number of the last record."""
        self._other_last = now.first - 1 if now else 0
        """Number of the last record in the half that is not being filled."""
        self._carried = 0

    @classmethod
    def make(cls, path: Path, id: bytes, *, half: int = HALF_BYTES) -> None:
        """Write an empty one.

        Raises:
            OSError: the disk has no room for it, or something of that name is there.
        """
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(_head(id).ljust(PAGE, b"\0"))
            # written, not only set aside: else the file system has to note at the first flush of each place that it is used now
            for at in range(0, 2 * half, _ZEROS):
                file.write(bytes(min(_ZEROS, 2 * half - at)))
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Hold it and read what stands in it.

        Raises:
            BlockingIOError: another process holds it.
            FileNotFoundError: there is none.
            Invalid: it is no journal.
        """
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_ino != path.stat().st_ino:
                raise FileNotFoundError  # taken away between the two
            id, size, halves = _halves(path, file)
            return cls(path, file, size, id, list(_entries(halves)), halves)
        except BaseException:
            os.close(file)
            raise

    def append(self, bodies: Sequence[bytes]) -> int:
        """Put records at the end; they are on disk when this returns. Gives the number of the last.

        Raises:
            Full: they do not fit now; nothing of them counts.
            OSError: the disk does not take them; nothing of them counts.
        """
        if not self.sound:
            raise OSError("a flush of this journal has failed before, or its file is gone")
        if not self.stands():
            self.sound = False
            raise OSError(
                f"{self.path.name} was removed, emptied or replaced under the process that writes it; start it again for a new one"
            )
        half, at, crc, head = self._half, self._at, self._crc, b""
        length = sum(map(len, bodies)) + _RECORD.size * len(bodies)
        if at + length > self._size:
            if self._other_last > self._carried or _HALF.size + length > self._size:
                raise Full("the journal of the hospital lines is full")
            salt = secrets.randbits(32)
            crc = _seal(self.id, self.last + 1, salt)
            half, at, head = 1 - half, 0, _HALF.pack(self.last + 1, salt, crc)
            self._at = self._size  # should this fail, its head may stand there: what then still fitted here would have that number, too
        pieces = [head]
        for body in bodies:
            crc = crc32(body, crc)
            pieces += (_RECORD.pack(len(body), crc), body)
        piece = b"".join(pieces)
        if os.pwrite(self._file, piece, PAGE + half * self._size + at) != len(piece):
            raise OSError("the disk has taken a part only")
        try:
            os.fdatasync(self._file)
        except OSError:
            self.sound = False
            raise
        if head:
            self._other_last = self.last
        self._half, self._at, self._crc = half, at + len(piece), crc
        self.last += len(bodies)
        self._hint()
        return self.last

    def carried(self, number: int) -> None:
        """All up to this number is in the database: its place may be used again."""
        self._carried = number
        self._hint()

    def stands(self) -> bool:
        """Whether the file that is written here is still the one of that name, and still this journal."""
        try:
            there = os.stat(self._name).st_ino == os.fstat(self._file).st_ino  # before every answer: a Path costs more than the call
        except OSError:
            return False
        return there and os.pread(self._file, _HEAD.size, 0) == self._head

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)

    def _hint(self) -> None:
        # written, not mapped: a page of a file that somebody has cut short ends the process that touches it (SIGBUS)
        with suppress(OSError):  # no record depends on it
            os.pwrite(self._file, _HINTS.pack(self.last, self._carried), HINTS)


@contextmanager
def free(path: Path) -> Iterator[int]:
    """A file that nobody holds, held.

    Raises:
        BlockingIOError: somebody does. FileNotFoundError: there is none.
    """
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    finally:
        os.close(file)


def peek(path: Path) -> Peeked:
    """Where a journal stands that another process may be writing.

    Raises:
        FileNotFoundError: there is none. Invalid: it is no journal.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        id = _id(path, os.pread(file, _HEAD.size, 0))
        return Peeked(id, *_HINTS.unpack(os.pread(file, _HINTS.size, HINTS)))
    finally:
        os.close(file)


def read(path: Path, after: int = 0) -> tuple[bytes, list[Entry]]:
    """The id of a journal and its records behind a number, while another process may be writing it.

    What is overwritten meanwhile was carried before.

    Raises:
        FileNotFoundError: there is none. Invalid: it is no journal.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        id, _, halves = _halves(path, file, after)
        return id, list(_entries(halves))
    finally:
        os.close(file)


def _halves(path: Path, file: int, after: int = 0) -> tuple[bytes, int, list[_Read]]:
    """Its id, the length of a half, and what its halves hold behind a number, the older one first."""
    id, size = _id(path, os.pread(file, _HEAD.size, 0)), (os.fstat(file).st_size - PAGE) // 2
    begun = []
    for half in (0, 1):
        first, salt, crc = _HALF.unpack(os.pread(file, _HALF.size, PAGE + half * size))
        if first and crc == _seal(id, first, salt):
            begun.append((first, half, crc))
    begun.sort()
    if len(begun) > 1 and begun[1][0] <= after + 1:
        del begun[0]
    return id, size, [_records(os.pread(file, size, PAGE + half * size), half, first, crc, after) for first, half, crc in begun]


def _records(content: bytes, half: int, first: int, crc: int, after: int) -> _Read:
    """The records of a half; those up to a number are stepped over by their lengths, which is a tenth of the work."""
    bodies, at = [], _HALF.size
    while first <= after and at + _RECORD.size <= len(content):
        length, crc = _RECORD.unpack_from(content, at)
        if not length:
            break
        first, at = first + 1, at + _RECORD.size + length
    while at + _RECORD.size <= len(content):
        length, told = _RECORD.unpack_from(content, at)
        body = content[at + _RECORD.size : at + _RECORD.size + length]
        if not length or len(body) < length or told != crc32(body, crc):
            break
        bodies.append(body)
        crc, at = told, at + _RECORD.size + length
    return _Read(half, first, at, crc, bodies)


def _entries(halves: Sequence[_Read]) -> Iterator[Entry]:
    for half in halves:
        for number, body in enumerate(half.bodies, half.first):
            yield Entry(number, body)


def _id(path: Path, head: bytes) -> bytes:
    with suppress(struct.error):
        magic, id, crc = _HEAD.unpack(head)
        if magic == MAGIC and crc == crc32(magic + id):
            return bytes(id)
    raise Invalid(f"{path.name} beside the database is no journal of hospital lines; move it away and start again")


def _head(id: bytes) -> bytes:
    return _HEAD.pack(MAGIC, id, crc32(MAGIC + id))


def _seal(id: bytes, first: int, salt: int) -> int:
    return crc32(id + struct.pack("<QI", first, salt))
