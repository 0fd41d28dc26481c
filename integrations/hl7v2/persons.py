"""A message of several persons: a laboratory may send the results of many in one ORU (HL7 v2.5 7.3.1, ``{PATIENT_RESULT}``), a clinic
one appointment of a group (SIU, 10.4, ``{PATIENT}`` and then ``{RESOURCES}`` for all), an index several merges (A40, 3.3.40).

Each person's part is a message of its own: the segments that speak of the message or of everybody, and that PID with what follows it. So
nobody's results can come into another's file, and what hangs on a person's record names nobody else.
"""

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.families import Family, as_standard, family_of
from integrations.hl7v2.header import Header
from integrations.hospitals.profile import Profile

_TOGETHER = frozenset({Family.RESULT, Family.ORDER, Family.BOOKING, Family.MERGE})
"""Families whose messages may be about several persons."""
_SWAP = "A17"
"""Two people change beds (HL7 v2.5 3.3.17): each one's PID is followed by where they lie now."""


def apart(message: Message, header: Header, profile: Profile) -> list[Message]:
    """The message itself, or one for each person whom it names.

    Raises:
        Invalid: it names several persons and is of a kind that is about one.
    """
    if message.text.count(f"PID{message.cut.field}") < 2:  # nearly always, and quicker than to cut it
        return [message]
    family = family_of(header, profile.events)
    persons = message.all("PID")
    if family in (Family.ANSWER, Family.LINK) or len(persons) < 2 or len({_who(one) for one in persons}) < 2:
        return [message]
    if family not in _TOGETHER and not (family is Family.VISIT and as_standard(header, profile.events).trigger == _SWAP):
        raise Invalid(
            f"{header.event} names several persons, and it is about one; send a message for each", path="PID", reason="several-persons"
        )
    first, last = message.segments.index(persons[0]), len(message.segments)
    if family is Family.BOOKING:  # the resources are booked for all of them
        last = next((at for at, one in enumerate(message.segments) if at > first and one.name == "RGS"), last)
    head, tail, parts = message.segments[:first], message.segments[last:], list[list[Segment]]()
    for segment in message.segments[first:last]:
        if segment.name == "PID":
            parts.append([*head, segment])
        else:
            parts[-1].append(segment)
    if family is Family.MERGE and not all(any(one.name == "MRG" for one in part) for part in parts):
        return [message]  # which number goes with which person is for its reader to say
    return [Message("".join(one.raw + (one.end or "\r") for one in (*part, *tail)), message.cut.codec) for part in parts]


def for_all(message: Message) -> Message:
    """Of an appointment of a group what speaks of everybody: no person's segments."""
    names = [one.name for one in message.segments]
    first = names.index("PID")
    last = names.index("RGS", first) if "RGS" in names[first:] else len(names)
    kept = (*message.segments[:first], *message.segments[last:])
    return Message("".join(one.raw + (one.end or "\r") for one in kept), message.cut.codec)


def _who(pid: Segment) -> tuple[str, str]:
    return pid[2].raw, pid[3].raw
