"""Times of a message that cannot be read: where they stand, so that a wrong form is told and not taken for an empty field."""

from collections.abc import Collection, Iterator
from datetime import UTC
from typing import Final

from integrations.hl7v2.er7 import Message, Part
from integrations.hl7v2.values import clean, moment

_FIELDS: Final[dict[str, tuple[int, ...]]] = {
    "MSH": (7,), "EVN": (2, 6), "PID": (29,), "PV1": (44, 45), "DG1": (5, 19), "ORC": (9, 15), "OBR": (6, 7, 8, 14, 22), "OBX": (14,),
    "SPM": (17, 18), "TQ1": (7, 8), "RXA": (3, 4), "RXD": (3,), "TXA": (4, 6), "PRB": (2, 7, 16), "RF1": (7, 8), "FT1": (4,),
}  # fmt: skip
"""Segment and fields whose first component is a moment (TS, DTM, DR) by which something is ordered or put on the line of time."""
_SLOTS: Final = (4, 5)
"""Components of SCH-11 (TQ) with the begin and the end of an appointment."""
_EMPTY: Final = ("0000", "0001")
"""Years that programs write where they have no date."""


def unread_times(message: Message, nothing: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Each place (``PV1-44``) where something stands that is no time, and what stands there."""
    for segment in message.segments:
        for number in _FIELDS.get(segment.name, ()):
            yield from _wrong(f"{segment.name}-{number}", segment[number].component(1), nothing)
        if segment.name == "SCH":
            for slot in _SLOTS:
                yield from _wrong(f"SCH-11.{slot}", segment[11].component(slot), nothing)


def _wrong(place: str, part: Part, nothing: Collection[str]) -> Iterator[tuple[str, str]]:
    if not part.raw or part.is_null:
        return
    said = clean(part.text, nothing)
    if said and moment(said, UTC) is None and not said.startswith(_EMPTY) and said.strip("0"):
        yield place, said
