"""A message of several persons: a laboratory may send the results of many in one ORU (HL7 v2.5 7.3.1, ``{PATIENT_RESULT}``).

Each person's part is a message of its own: the segments before the first PID, which speak of the message, and that PID with what follows
it. So nobody's results can come into another's file, and what hangs on a person's record names nobody else.
"""

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.families import Family, family_of
from integrations.hl7v2.header import Header
from integrations.hospitals.profile import Profile

_TOGETHER = frozenset({Family.RESULT, Family.ORDER})
"""Families whose messages may be about several persons."""


def apart(message: Message, header: Header, profile: Profile) -> list[Message]:
    """The message itself, or one for each person whom it names.

    Raises:
        Invalid: it names several persons and is of a kind that is about one.
    """
    if message.text.count(f"PID{message.cut.field}") < 2:  # nearly always, and quicker than to cut it
        return [message]
    family = family_of(header, profile.events)
    persons = message.all("PID")
    if family in (Family.MERGE, Family.ANSWER) or len(persons) < 2 or len({_who(one) for one in persons}) < 2:
        return [message]
    if family not in _TOGETHER:
        raise Invalid(
            f"{header.event} names several persons, and it is about one; send a message for each", path="PID", reason="several-persons"
        )
    first = message.segments.index(persons[0])
    head, parts = message.segments[:first], list[list[Segment]]()
    for segment in message.segments[first:]:
        if segment.name == "PID":
            parts.append([*head, segment])
        else:
            parts[-1].append(segment)
    return [Message("".join(one.raw + one.end for one in part), message.cut.codec) for part in parts]


def _who(pid: Segment) -> tuple[str, str]:
    return pid[2].raw, pid[3].raw
