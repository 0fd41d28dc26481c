"""Changing single values of a message by their HL7 position, everything else byte for byte as it was sent.

``PID-8`` the whole field, ``PID-3(2).5`` component 5 of its second repetition, ``OBX[3]-5`` the field of the third OBX.
"""

import re
from collections.abc import Callable, Iterable

from healthsvc.errors import Invalid
from integrations.hl7v2.delimiters import HEADERS, Delimiters, flaw_of
from integrations.hl7v2.er7 import NULL, Message
from integrations.hl7v2.escapes import escape

_POSITION = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d{1,4})\])?-(\d{1,3})(?:\((\d{1,3})\))?(?:\.(\d{1,3}))?")


def edit(message: Message, changes: Iterable[tuple[str, str]]) -> str:
    """The text of a message with some values changed; values are plain, ``""`` is the null value, empty takes the value out.

    Raises:
        Invalid: a position that is none, or that the message has no segment for. The text names the position, never a value.
    """
    changes = list(changes)
    for _, value in (one for one in changes if one[0].strip().upper() == "MSH-2" and flaw_of(message.cut)):
        message = _recut(message, value)
        changes = [one for one in changes if one[0].strip().upper() != "MSH-2"]
    raws = [segment.raw for segment in message.segments]
    for position, value in changes:
        read = _POSITION.fullmatch(position.strip().upper())
        if read is None:
            raise Invalid(
                f"{position[:20]!r} is no HL7 position; write PID-8, PID-3(2).5 or OBX[3]-5", path=position[:20], reason="position"
            )
        name, nth, field = read[1], int(read[2] or 1), int(read[3])
        places = [at for at, segment in enumerate(message.segments) if segment.name == name]
        if not 1 <= nth <= len(places):
            raise Invalid(f"the message has no {name} number {nth}", path=position, reason="position")
        if name in HEADERS and field <= 2:
            raise Invalid(
                "the delimiters of a message (MSH-1, MSH-2) cannot be changed, unless they are none", path=position, reason="position"
            )
        at = places[nth - 1]
        raws[at] = _with(raws[at], name, field, int(read[4] or 0), int(read[5] or 0), value, message.cut)
    return "".join(part for raw, segment in zip(raws, message.segments, strict=True) for part in (raw, segment.end))


def _recut(message: Message, encoding: str) -> Message:
    """A message whose encoding characters cannot be used, with those that its sender meant; nothing else of it changes."""
    start = message.text.index(message.segments[0].raw.lstrip()[:4]) + 4
    text = message.text[:start] + encoding + message.text[start + len(message.cut.encoding) :]
    read = Message(text, message.cut.codec)
    if read.cut.encoding != encoding or (flaw := flaw_of(read.cut)):
        raise Invalid(f"these cannot be the encoding characters: {flaw or 'they contain the separator'}", path="MSH-2", reason="delimiters")
    return read


def _with(raw: str, name: str, field: int, repetition: int, component: int, value: str, cut: Delimiters) -> str:
    written = value if value == NULL else escape(value, cut)
    place = field - 1 if name in HEADERS else field
    return _set(raw, cut.field, place, lambda old: _inside(old, repetition, component, written, cut))


def _inside(old: str, repetition: int, component: int, written: str, cut: Delimiters) -> str:
    if not repetition and not component:
        return written
    if not component:
        return _set(old, cut.repetition, repetition - 1, lambda _: written)
    return _set(old, cut.repetition, max(repetition, 1) - 1, lambda one: _set(one, cut.component, component - 1, lambda _: written))


def _set(raw: str, delimiter: str, place: int, change: Callable[[str], str]) -> str:
    pieces = raw.split(delimiter) if delimiter else [raw]
    pieces += [""] * (place + 1 - len(pieces))
    pieces[place] = change(pieces[place])
    return delimiter.join(pieces)
