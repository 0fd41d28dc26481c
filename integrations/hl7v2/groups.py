"""Which segments belong together: the orders of a message, each with its ORC, details and specimens."""

from collections.abc import Iterable
from dataclasses import dataclass

from integrations.hl7v2.er7 import Message, Segment

SERVICE, DRUG, DISPENSED, GIVEN = "OBR", ("RXO", "RXE"), "RXD", "RXA"
_DETAILS = frozenset({SERVICE, *DRUG, DISPENSED})
_DRUG_DETAILS = frozenset({*DRUG, DISPENSED, GIVEN})
_HEAD = frozenset({"MSH", "SFT", "EVN", "PID", "PD1", "PV1", "PV2", "NK1", "IN1", "IN2", "IN3", "GT1", "AL1", "IAM", "MSA", "ERR", "UAC"})
"""Segments that speak of the person or the message, never of an order, wherever they stand."""
_OF_A_RESULT = frozenset({"NTE", "PRT", "TCD", "SID"})
"""Segments that, behind an OBX, still speak of that result."""
_PRIOR = "PR"
"""ORC-1 (table 0119): a result of earlier days, sent along with a new order."""


@dataclass(frozen=True, slots=True)
class Group:
    """The segments of one order, in order."""

    segments: tuple[Segment, ...]
    prior: bool = False
    """It is no order but a result of earlier days beside one (PRIOR_RESULT of OML, OMG, PPR)."""

    def get(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next((one for one in self.segments if one.name == name), None)

    def all(self, *names: str) -> list[Segment]:
        """Every segment of these names."""
        return [one for one in self.segments if one.name in names]

    def notes(self) -> list[Segment]:
        """Every NTE, without those of a result (OBX): they say nothing without it."""
        found: list[Segment] = []
        of_result = False
        for one in self.segments:
            of_result = one.name == "OBX" or (of_result and one.name in _OF_A_RESULT)
            if one.name == "NTE" and not of_result:
                found.append(one)
        return found

    def beside(self, detail: Segment | None, name: str) -> list[Segment]:
        """Segments of that name between a detail of a drug (RXO, RXE, RXD, RXA) and the next detail of another kind."""
        found: list[Segment] = []
        within = False
        for one in self.segments:
            if one is detail:
                within = True
            elif within and one.name in _DRUG_DETAILS and detail is not None and one.name != detail.name:
                break
            elif within and one.name == name:
                found.append(one)
        return found


def orders(message: Message) -> list[Group]:
    """One group for each order: it begins at its ORC, or at a second detail of a kind that the group has already.

    Prior results are those whose ORC says ``PR``, and in a message of ORCs those without one behind a second PID or another prior result.
    """
    found: list[list[Segment]] = []
    prior: list[bool] = []
    again = False  # the person is named again, before the first of the prior results
    for segment in message.segments:
        name = segment.name
        if (name == "ORC" and not _waits_for_orc(found)) or _is_another(name, found):
            if name == "ORC":
                prior.append(segment[1].component(1).text.strip().upper() == _PRIOR)
            else:
                prior.append(bool(found) and found[0][0].name == "ORC" and (again or prior[-1]))
            found.append([segment])
            again = False
        elif name == "PID":
            again = bool(found)
        elif found and name not in _HEAD:
            found[-1].append(segment)
    return [Group(tuple(group), before) for group, before in zip(found, prior, strict=True)]


def _is_another(name: str, found: list[list[Segment]]) -> bool:
    """A detail without an ORC of its own begins an order where there is none, or where the last one has such a detail already."""
    if not found:
        return name in _DETAILS or name == GIVEN
    return name in _DETAILS and any(one.name == name for one in found[-1])


def _waits_for_orc(found: list[list[Segment]]) -> bool:
    """Some laboratories write OBR before its ORC."""
    return bool(found) and [one.name for one in found[-1]] == [SERVICE]


def runs(message: Message, first: str, within: Iterable[str], *, closely: bool = False) -> list[Group]:
    """A group for each segment called ``first``, with those of ``within`` that follow it; ``closely``: until any other comes."""
    belongs, found = frozenset(within), []
    current: list[Segment] | None = None
    for segment in message.segments:
        if segment.name == first:
            current = [segment]
            found.append(current)
        elif current is not None and segment.name in belongs:
            current.append(segment)
        elif closely or segment.name in _HEAD:
            current = None
    return [Group(tuple(group)) for group in found]
