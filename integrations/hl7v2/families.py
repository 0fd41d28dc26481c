"""Which messages we understand: the family of a header, and what such a message cannot do without."""

from enum import StrEnum

from integrations.hl7v2 import adt, oru, qbp
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header


class Family(StrEnum):
    """A group of messages that are read alike."""

    VISIT = "visit"
    PERSON = "person"
    MERGE = "merge"
    RESULT = "result"
    QUERY = "query"
    ANSWER = "answer"
    """An acknowledgement or response that came to the wrong door: kept, answered, nothing done."""


_NEEDS = {
    Family.VISIT: ("PID",),
    Family.PERSON: ("PID",),
    Family.MERGE: ("PID", "MRG"),
    Family.RESULT: ("PID", "OBR"),
    Family.QUERY: ("QPD",),
}


def family_of(header: Header) -> Family | None:
    """The family of a message; None where we map nothing."""
    code, trigger = header.code, header.trigger
    if code == "ADT":
        for events, family in ((adt.VISIT_EVENTS, Family.VISIT), (adt.PERSON_EVENTS, Family.PERSON), (adt.MERGE_EVENTS, Family.MERGE)):
            if trigger in events:
                return family
    if (code == "ORU" and (trigger in oru.ORU_EVENTS or not trigger)) or (code == "OUL" and trigger in oru.OUL_EVENTS):
        return Family.RESULT
    if code == "QBP" and trigger in qbp.QUERY_EVENTS:
        return Family.QUERY
    if code in ("ACK", "MCF") or code.startswith("RSP"):
        return Family.ANSWER
    return None


def missing_segment(family: Family, message: Message) -> str | None:
    """The first segment that a message of this family needs and does not have."""
    return next((name for name in _NEEDS.get(family, ()) if not message.has(name)), None)
