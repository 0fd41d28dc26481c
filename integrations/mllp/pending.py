"""Frames that wait for their answers: each has its place in the order of its line, and all of a process together are bounded in bytes.

Many frames of one line may be under way; of the longest ones, on many lines, that is more memory than a machine has. Beyond the bound a
line that holds more than its share is not read any further until answers are there; the others, which most are, go on.
"""

from typing import Protocol

from integrations.mllp.limits import Limits


class Held(Protocol):
    """A line as those see it that wait on it."""

    held: int
    """Bytes of its frames that wait for their answers."""

    def abort(self) -> None:
        """Close now."""

    def write_answers(self) -> None:
        """Write what is there."""

    def pace(self) -> None:
        """Read on, or stop reading, as is due."""


class Unanswered:
    """The frames of all lines of a process that wait for their answers, in the thread of the lines."""

    def __init__(self) -> None:
        self.total = 0
        """In bytes."""
        self._stopped: dict[Held, None] = {}

    def is_beyond(self, limits: Limits) -> bool:
        """Whether they take more than they may together; the longest one is always let in."""
        return self.total > max(limits.unanswered_bytes, limits.message_bytes)

    def stops(self, line: Held, unfinished: int, limits: Limits) -> bool:
        """Whether a line is to read no further; it is told when it may."""
        if not self.is_beyond(limits) or line.held + unfinished <= limits.unanswered_bytes // limits.connections:
            return False
        self._stopped[line] = None
        return True

    def come(self, line: Held, size: int) -> None:
        """A frame waits from now on."""
        line.held += size
        self.total += size

    def gone(self, line: Held, size: int, limits: Limits) -> None:
        """It waits no more."""
        line.held -= size
        self.total -= size
        if self._stopped and not self.is_beyond(limits):
            stopped, self._stopped = self._stopped, {}
            for one in stopped:
                one.pace()


class Pending:
    """The place of one answer in the order of its line."""

    __slots__ = ("_all", "_limits", "_line", "_size", "answer")

    def __init__(self, line: Held, unanswered: Unanswered, limits: Limits, size: int) -> None:
        """``size``: of the frame that is to be answered, in bytes."""
        self._line, self._all, self._limits, self._size = line, unanswered, limits, size
        self.answer: bytes | None = None
        unanswered.come(line, size)

    def tell(self, answer: bytes | None) -> None:
        """The answer is there; the line writes it as soon as all before it are written."""
        self._all.gone(self._line, self._size, self._limits)
        if answer is None:
            self._line.abort()
            return
        self.answer = answer
        self._line.write_answers()
