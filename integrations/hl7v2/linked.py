"""ADT A24 and A37: two records are one person's and stay two records, or that is taken back. Text to values."""

from dataclasses import dataclass
from datetime import tzinfo

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header
from integrations.hl7v2.person import Demographics, person_of
from integrations.hl7v2.values import Moment, moment
from integrations.hospitals.profile import Profile

LINK_EVENTS = {"A24": "link", "A37": "unlink"}


@dataclass(frozen=True, slots=True)
class Linked:
    """The two records of a message."""

    one: Demographics
    other: Demographics
    happened: Moment | None
    """EVN-6, else EVN-2, else MSH-7."""


def read_linked(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Linked:
    """Read both PIDs (HL7 v2.5 3.3.24, 3.3.37).

    Raises:
        Invalid: there are not two of them.
    """
    persons = [person_of(pid, [], header, profile, zone) for pid in message.all("PID")]
    if len(persons) != 2:
        raise Invalid(f"{header.event} is about two records, and the message names {len(persons)}", path="PID", reason="link-two")
    evn = message["EVN"]
    moments = (moment(part.component(1).text, zone) for part in (evn[6], evn[2], message["MSH"][7]))
    return Linked(persons[0], persons[1], next(filter(None, moments), None))
