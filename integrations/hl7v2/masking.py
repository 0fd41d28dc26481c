"""A message as an operator may see it: its build, its codes and kinds; every value of a person by its shape only (某, x, 9)."""

import re

from healthsvc.masking import shape as plain_shape
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.values import has_han

_CLEAR = {
    "MSH": frozenset(range(1, 22)) - {8},
    "BHS": frozenset(range(1, 13)) - {8, 9, 10},
    "EVN": frozenset({1, 2, 3, 4, 6}),
    "MSA": frozenset({1, 2, 5}),
    "ERR": frozenset({1, 2, 3, 4, 5}),
    "QAK": frozenset({1, 2, 4, 5, 6}),
    "PV1": frozenset({1, 2, 4}),
    "OBX": frozenset({1, 2, 4, 11}),
    "OBR": frozenset({1, 25}),
    "SCH": frozenset({25}),
    "RF1": frozenset({1}),
    "PRD": frozenset({1}),
    "NTE": frozenset({1, 2}),
}
"""Fields that say what kind of message this is, and nothing of the person."""
_KINDS = {("PID", 2), ("PID", 3), ("PID", 4), ("PID", 18), ("MRG", 1), ("MRG", 4), ("PV1", 19)}
"""Numbers: components 4 and 5 (who gave it, of what kind) stay readable, since the profile's map goes by them."""
_IN_WORDS = frozenset({"MSH", "BHS", "PV1", "SCH"})
"""Where a site writes its own words for what is clear (人民医院, 住院, 已取消); elsewhere Chinese in a clear field is somebody's text."""
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_STRAY = "?"
"""Stands for the name of a line that is no segment: a text that its sender has broken into lines may begin with anybody's name."""
_CUT = re.compile(r"(\\[A-Z0-9.]*\\)")
_ENCODING = re.compile(r"[^\w\s]{1,5}")
"""MSH-2, BHS-2: the characters that cut."""
LONGEST = 200


def masked(message: Message) -> list[tuple[str, list[tuple[int, str]]]]:
    """Segments in order: name, and the fields that carry something as (position, what may be shown)."""
    return [
        (one.name, _fields(one, message)) if _is_segment(one) else (_STRAY, [(0, shape(one.raw))])
        for one in message.segments
        if one.raw.strip()
    ]


def shape(value: str) -> str:
    """A value by its shape (``healthsvc.masking``); escapes as they are, long ones cut."""
    if len(value) > LONGEST:
        return f"{shape(value[:LONGEST])}…（{len(value)}）"
    return "".join(piece if _CUT.fullmatch(piece) else plain_shape(piece) for piece in _CUT.split(value))


def _is_segment(one: Segment) -> bool:
    """Whether a line begins as a segment does: a name, and then a separator or nothing."""
    return _NAME.fullmatch(one.name) is not None and one.fields[0].strip() == one.name


def _is_sound(message: Message) -> bool:
    """Whether the head is one: where it is not, no position means what it should, and a name may stand anywhere."""
    head = message.segments[0] if message.segments else None
    encoding = head.fields[2] if head is not None and len(head.fields) > 2 else ""
    return _ENCODING.fullmatch(encoding) is not None


def _fields(segment: Segment, message: Message) -> list[tuple[int, str]]:
    clear = _CLEAR.get(segment.name, frozenset()) if _is_sound(message) else frozenset()
    shown = []
    for position, raw in enumerate(segment.fields):
        if position == 0 or not raw:
            continue
        if position in clear and (segment.name in _IN_WORDS or not has_han(raw)):
            shown.append((position, raw if len(raw) <= LONGEST else raw[:LONGEST] + "…"))
        elif (segment.name, position) in _KINDS and message.cut.component:
            shown.append((position, _numbers(raw, message.cut.repetition, message.cut.component)))
        else:
            shown.append((position, raw if raw == '""' else shape(raw)))
    return shown


def _numbers(raw: str, repetition: str, component: str) -> str:
    repeated = raw.split(repetition) if repetition else [raw]
    return (repetition or "").join(
        component.join(part if place in (3, 4) and len(part) <= 20 else shape(part) for place, part in enumerate(one.split(component)))
        for one in repeated
    )
