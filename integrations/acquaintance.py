"""Senders that are known already: what their next message comes to, but for its time, its number and its content.

A hospital's line says the same header thousands of times an hour. What follows from it (the link, the family, the form of the answer) is
worked out once by :func:`integrations.arrival.receive` and remembered here under everything in the header that it depends on; the answer is
kept as a form with three gaps. Whatever is out of the ordinary (other delimiters or line ends, another character set, a segment that is
missing, a refusal, a query) is not remembered, and goes the long way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from integrations.hl7v2.ack import AckCode

REMEMBERED: Final = 1024
"""Headers that are remembered; a sender that invents new ones only makes us forget."""
_FIELD: Final = rb"[^|\r\n]*+"
_HEADER: Final = re.compile(
    rb"(MSH\|\^~\\&\|(?:%(field)s\|){4})%(field)s"  # MSH-1 to MSH-6; MSH-7 is when it was sent
    rb"(\|%(field)s\|%(field)s\|)([^|\r\n\0]{1,50}+)"  # MSH-8 and MSH-9; MSH-10 is its number
    rb"(\|%(field)s(?:\|%(field)s)?)?(?:\|(%(field)s)([^\r\n]*+))?"  # MSH-11 and MSH-12; MSH-13 is its place in a sequence; the rest
    rb"\r(?=[^\n])" % {b"field": _FIELD}
)
"""A header as nearly all are: delimiters and line ends as the standard has them, and a further segment behind it."""
GAP_TIME: Final = datetime(9998, 12, 31, 23, 59, 58)  # noqa: DTZ001 - stands for a gap in the form of an answer
GAPS: Final = ("99981231235958", "\x01N\x01", "\x01C\x01")
"""What stands in a form for the time, the answer's own number, and the number of the message."""
Key = tuple[str | bytes | None, ...]
Needs = tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What a known header comes to."""

    link: str
    sender: str
    event: str
    code: AckCode
    needs: Needs
    """Segments that the message must have, one of each group, as they begin in its bytes."""
    form: tuple[str, str, str, str]
    """The answer around its three gaps."""

    def answer(self, at: str, number: str, control_id: str) -> bytes:
        """The answer to one message; ``at`` as HL7 writes it."""
        before, between, then, after = self.form
        return f"{before}{at}{between}{number}{then}{control_id}{after}".encode()


class Acquaintances:
    """Who is known on one set of link profiles."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Key, Acquaintance] = {}

    def meet(self, raw: bytes, listen: str, peer: str) -> tuple[Acquaintance | None, Key | None, str, str]:
        """Who sends this, the key to remember the sender by, MSH-10 and MSH-13; None and None where it goes the long way for good."""
        header = _HEADER.match(raw)
        if header is None:
            return _STRANGER
        sender, kind, number, version, sequence, rest = header.groups()
        try:
            if not raw.isascii():
                raw.decode()
        except UnicodeDecodeError:
            return _STRANGER
        control_id = number.decode()
        if not control_id.strip():
            return _STRANGER
        key = (listen, peer, sender, kind, version, rest)
        known = self._known.get(key)
        if known is not None:
            for either in known.needs:
                if either[0] not in raw and not any(segment in raw for segment in either):
                    return _STRANGER
        return known, key, control_id, sequence.decode() if sequence else ""

    def remember(self, key: Key, link: str, sender: str, event: str, code: AckCode, needs: Needs, write: Callable[[], str]) -> None:
        """Remember a sender whose message was taken; ``write`` writes its answer with ``GAPS`` in it."""
        text = write()
        pieces: list[str] = []
        for gap in GAPS:
            if text.count(gap) != 1:
                return
            before, _, text = text.partition(gap)
            pieces.append(before)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = Acquaintance(link, sender, event, code, needs, (pieces[0], pieces[1], pieces[2], text))


_STRANGER: Final = (None, None, "", "")
