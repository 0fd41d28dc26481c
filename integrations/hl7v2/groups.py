"""Which segments belong together: the orders of a message, each with its ORC, details and specimens."""

from collections.abc import Iterable
from dataclasses import dataclass

from integrations.hl7v2.er7 import Message, Segment

SERVICE, DRUG, DISPENSED, GIVEN = "OBR", ("RXO", "RXE"), "RXD", "RXA"
_DETAILS = frozenset({SERVICE, *DRUG, DISPENSED})
_HEAD = frozenset({"MSH", "SFT", "EVN", "PID", "PD1", "PV1", "PV2", "NK1", "IN1", "IN2", "IN3", "GT1", "AL1", "IAM", "MSA", "ERR", "UAC"})
"""Segments that speak of the person or the message, never of an order, wherever they stand."""


@dataclass(frozen=True, slots=True)
class Group:
    """The segments of one order, in order."""

    segments: tuple[Segment, ...]

    def get(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next((one for one in self.segments if one.name == name), None)

    def all(self, *names: str) -> list[Segment]:
        """Every segment of these names."""
        return [one for one in self.segments if one.name in names]


def orders(message: Message) -> list[Group]:
    """One group for each order: it begins at its ORC, or at a second detail of a kind that the group has already."""
    found: list[list[Segment]] = []
    for segment in message.segments:
        name = segment.name
        if (name == "ORC" and not _waits_for_orc(found)) or _is_another(name, found):
            found.append([segment])
        elif found and name not in _HEAD:
            found[-1].append(segment)
    return [Group(tuple(group)) for group in found]


def _is_another(name: str, found: list[list[Segment]]) -> bool:
    """A detail without an ORC of its own begins an order where there is none, or where the last one has such a detail already."""
    if not found:
        return name in _DETAILS or name == GIVEN
    return name in _DETAILS and any(one.name == name for one in found[-1])


def _waits_for_orc(found: list[list[Segment]]) -> bool:
    """Some laboratories write OBR before its ORC."""
    return bool(found) and [one.name for one in found[-1]] == [SERVICE]


def runs(message: Message, first: str, within: Iterable[str]) -> list[Group]:
    """A group for each segment called ``first``, with those of ``within`` that follow it."""
    belongs, found = frozenset(within), []
    current: list[Segment] | None = None
    for segment in message.segments:
        if segment.name == first:
            current = [segment]
            found.append(current)
        elif current is not None and segment.name in belongs:
            current.append(segment)
        elif segment.name in _HEAD:
            current = None
    return [Group(tuple(group)) for group in found]
