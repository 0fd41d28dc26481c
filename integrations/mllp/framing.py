"""Where a message starts and ends on the line: MLLP frames cut out of a stream of bytes, with every fault named and survived.

A frame is VT, the message, FS, CR (HL7 v2.5 appendix C, "Minimal Lower Layer Protocol"). Real lines are rougher; the rules here:

- FS CR ends a frame. FS VT ends it too (the CR was forgotten), FS LF VT (a sender with line ends of its own), and FS or FS LF followed by
  a pause (``pause``). Any other FS is payload.
- FS CR followed in the same read by what looks like a further segment is payload as well.
- VT before a message header inside an open frame starts anew; what came before is reported as cut off and never handed over as a frame.
- Bytes outside frames are junk: skipped and reported. A message without its VT is reported with its header, to be refused by name.
- A frame over the limit is skipped to its end and reported with its head; the line lives on.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

VT = b"\x0b"
FS = b"\x1c"
CR = b"\r"
LF = b"\n"
END = FS + CR
LATE_ENDS = (FS, FS + LF)
"""What ends a frame once the line has paused after it."""
HEAD_KEPT = 4096
"""Bytes of a faulty block that are kept: enough for a message header."""

_HEADERS = (b"MSH", b"FHS", b"BHS")
_OPENING = re.compile(rb"\x0b(?=MSH|FHS|BHS)")
_ENDING = re.compile(rb"\x1c(?:(?=\x0b)|\n(?=\x0b)|\r(?!(?!MSH|FHS|BHS)[A-Z][A-Z0-9]{2}[^\w\s\x0b\x1c]))")
_AHEAD = 6
"""So many bytes from an edge on tell that it is one."""
_WINDOW = 1024
_SHORTEST, _BLANK = 6, ord(" ")
_BETWEEN_FRAMES = b"\r\n \t\x00"


class FaultKind(StrEnum):
    """What can be wrong with a block on the line."""

    JUNK = "junk"
    UNFRAMED = "unframed"
    EMPTY = "empty"
    TOO_LONG = "too-long"
    RESTARTED = "restarted"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole message as it came, without its envelope."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Something on the line that is no whole message: its kind, its first bytes (at most ``HEAD_KEPT``) and its size in bytes."""

    kind: FaultKind
    head: bytes
    size: int


def wrap(content: bytes) -> bytes:
    """Put a message into its envelope."""
    return b"".join((VT, content, END))


class FrameReader:
    """Turns reads of any size into whole messages and named faults; holds at most ``limit`` bytes of an unfinished one."""

    __slots__ = ("_buffer", "_junk", "_junk_size", "_limit", "_open", "_scanned", "_skipped")

    def __init__(self, limit: int = 16 << 20) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._open = False
        self._scanned = 0
        self._skipped = 0
        self._junk = bytearray()
        """The head of what came outside of any frame, and its last byte."""
        self._junk_size = 0

    @property
    def half_open(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._open

    @property
    def held(self) -> int:
        """Bytes of the unfinished frame that are kept."""
        return len(self._buffer)

    def whole(self, received: bytes) -> bytes | None:
        """The message, where a read is exactly one plain frame and nothing is left of the reads before it, which is nearly always the case;
        None where it must be fed."""
        last = len(received) - 2
        if self._open or self._buffer or self._junk or not _SHORTEST < last < self._limit + 2 or received[1] <= _BLANK:
            return None
        plain = received.find(FS) == last and received.rfind(VT) == 0 and received.endswith(CR)
        return bytes(received[1:last]) if plain else None

    def feed(self, received: bytes) -> list[Frame | Fault]:
        """Take what one read gave; return the frames and faults that it completes, in the order of the line."""
        if (content := self.whole(received)) is not None:
            return [Frame(content)]
        self._buffer += received
        found: list[Frame | Fault] = []
        while self._step(found):
            pass
        return found

    def pause(self) -> list[Frame | Fault]:
        """The line has been quiet for a moment: a frame that ends in FS without its CR is whole now."""
        if self._open and self._buffer.endswith(LATE_ENDS):
            found: list[Frame | Fault] = []
            self._finish(self._buffer.rfind(FS), len(self._buffer), found)
            return found
        return []

    def close(self) -> list[Frame | Fault]:
        """The line has ended: report what was left unfinished."""
        found: list[Frame | Fault] = self.pause()
        if self._open:
            found.append(Fault(FaultKind.TRUNCATED, bytes(self._buffer[:HEAD_KEPT]), len(self._buffer) + self._skipped))
        else:
            self._put_down_junk(len(self._buffer))
            self._report_junk(found)
        self._reset(len(self._buffer))
        return found

    def _step(self, found: list[Frame | Fault]) -> bool:
        """Make one step; False when more bytes are needed."""
        return self._inside(found) if self._open else self._outside(found)

    def _outside(self, found: list[Frame | Fault]) -> bool:
        start = self._buffer.find(VT)
        if start < 0:
            if self._put_down_junk(len(self._buffer)) or self._junk_size > self._limit:
                self._report_junk(found)
            return False
        self._put_down_junk(start)
        self._report_junk(found)
        del self._buffer[:1]
        self._open, self._scanned, self._skipped = True, 0, 0
        return True

    def _inside(self, found: list[Frame | Fault]) -> bool:
        buffer, at, window = self._buffer, self._scanned, _WINDOW
        while at < len(buffer):  # by growing pieces: a search of all that is left, for every frame, lets many tiny ones hold up the others
            stop = at + window
            opening = _OPENING.search(buffer, at, stop + _AHEAD)
            ending = _ENDING.search(buffer, at, opening.end() if opening else stop + _AHEAD)
            if ending and (opening or ending.start() < stop):
                self._finish(ending.start(), ending.end(), found)
                return True
            if opening:
                self._restart(opening.start(), found)
                return True
            at, window = stop, 2 * window
        self._scanned = max(0, len(buffer) - _AHEAD)
        if len(buffer) > self._limit or self._skipped:
            self._shorten()
        return False

    def _restart(self, start: int, found: list[Frame | Fault]) -> None:
        if start or self._skipped:
            found.append(Fault(FaultKind.RESTARTED, bytes(self._buffer[: min(start, HEAD_KEPT)]), start + self._skipped))
        del self._buffer[: start + 1]
        self._scanned = self._skipped = 0

    def _shorten(self) -> None:
        """Over the limit: keep the head for the answer and the tail for the end mark, let the middle go."""
        excess = len(self._buffer) - HEAD_KEPT - _AHEAD
        if excess > 0:
            del self._buffer[HEAD_KEPT : HEAD_KEPT + excess]
            self._skipped += excess
            self._scanned = HEAD_KEPT
        elif not self._skipped:
            self._skipped = 1

    def _finish(self, stop: int, after: int, found: list[Frame | Fault]) -> None:
        content, skipped = bytes(self._buffer[:stop]), self._skipped
        self._reset(after)
        if skipped or len(content) > self._limit:
            found.append(Fault(FaultKind.TOO_LONG, content[:HEAD_KEPT], skipped + len(content)))
        elif not content.strip(_BETWEEN_FRAMES):
            found.append(Fault(FaultKind.EMPTY, b"", len(content)))
        else:
            found.append(Frame(content))

    def _put_down_junk(self, count: int) -> bool:
        """Take so many bytes away as junk, keeping its head only; whether the end of a frame stands in it."""
        before = len(self._junk)
        self._junk += self._buffer[:count]
        self._junk_size += count
        del self._buffer[:count]
        ends = self._junk.find(END, max(before - 1, 0)) >= 0
        del self._junk[HEAD_KEPT : max(len(self._junk) - 1, HEAD_KEPT)]
        return ends

    def _report_junk(self, found: list[Frame | Fault]) -> None:
        junk = bytes(self._junk).strip(_BETWEEN_FRAMES + FS)
        size = len(junk) + self._junk_size - len(self._junk)
        self._junk.clear()
        self._junk_size = 0
        if junk:
            kind = FaultKind.UNFRAMED if junk.startswith(_HEADERS) else FaultKind.JUNK
            found.append(Fault(kind, junk[:HEAD_KEPT], size))

    def _reset(self, after: int) -> None:
        """Outside of any frame, with what follows."""
        del self._buffer[:after]
        self._open = False
        self._scanned = self._skipped = 0
