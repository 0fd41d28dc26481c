"""The sequence number of a sender (MSH-13, HL7 v2.5 2.10.1): each message one more than the last. A gap says that something got lost.

0 and -1 begin anew, and so does a 1 after higher numbers (many systems count anew each night). What is missing is kept as ranges with
the time at which it was noticed; a number that comes late closes its gap, one that comes again changes nothing.
"""

from dataclasses import dataclass, replace
from typing import Final

MOST_RANGES: Final = 20
"""Ranges that are kept of one sender; the oldest go first."""
ANEW: Final = frozenset({-1, 0, 1})
LONGEST: Final = 15
"""NM of MSH-13 (HL7 v2.5 2.15.9.13)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that did not come, both ends included."""

    first: int
    last: int
    noticed: int
    """Microseconds since 1970 UTC."""

    @property
    def text(self) -> str:
        """As an operator reads it."""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


@dataclass(frozen=True, slots=True)
class Sequence:
    """How far a sender has come."""

    last: int
    missing: tuple[Gap, ...] = ()


def number_of(sent: str) -> int | None:
    """MSH-13 as a number; None where the sender does not number its messages."""
    text = sent.strip()
    return int(text) if text and len(text) <= LONGEST and text.isascii() and text.lstrip("-").isdigit() and text.rfind("-") <= 0 else None


def follow(known: Sequence | None, number: int, at: int) -> Sequence:
    """The next message has come, at ``at`` (microseconds since 1970 UTC)."""
    if known is None or (number in ANEW and number <= known.last):
        return Sequence(max(number, 0), known.missing if known else ())
    if number > known.last:
        gap = (Gap(known.last + 1, number - 1, at),) if number > known.last + 1 else ()
        return Sequence(number, (*known.missing, *gap)[-MOST_RANGES:])
    left: list[Gap] = []
    for one in known.missing:
        if one.first <= number <= one.last:
            left += [replace(one, last=number - 1)] if one.first < number else []
            left += [replace(one, first=number + 1)] if number < one.last else []
        else:
            left.append(one)
    return Sequence(known.last, tuple(left[-MOST_RANGES:]))
