"""Which messages we understand: the family of a header, and what such a message cannot do without."""

from collections.abc import Mapping
from enum import StrEnum

from integrations.hl7v2 import adt, alarm, booking, document, linked, master, money, orders, oru, problem, qbp
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps.events import UNNEEDED


class Family(StrEnum):
    """A group of messages that are read alike."""

    VISIT = "visit"
    PERSON = "person"
    MERGE = "merge"
    LINK = "link"
    RESULT = "result"
    ORDER = "order"
    BOOKING = "booking"
    DOCUMENT = "document"
    PROBLEM = "problem"
    REFERRAL = "referral"
    REFERRAL_ANSWER = "referral-answer"
    """RRI: a hospital's word on a referral of ours, as the answer to it or later by itself."""
    MONEY = "money"
    ALARM = "alarm"
    MASTER = "master"
    QUERY = "query"
    OTHER_QUERY = "other-query"
    """A question that we do not answer: refused at once, because its sender waits."""
    UNNEEDED = "unneeded"
    """An event that the standard knows and that calls for nothing here, each for a reason (``maps/events.py``)."""
    ANSWER = "answer"
    """An acknowledgement or response that came to the wrong door: kept, answered, nothing done."""


NEEDS: dict[Family, tuple[tuple[str, ...], ...]] = {
    Family.VISIT: (("PID",),),
    Family.PERSON: (("PID",),),
    Family.MERGE: (("PID",), ("MRG",)),
    Family.LINK: (("PID",),),
    Family.RESULT: (("PID",), ("OBR",)),
    Family.ORDER: (("PID",), ("ORC", "OBR", "RXO", "RXE", "RXD", "RXA")),
    Family.BOOKING: (("PID",), ("SCH",)),
    Family.DOCUMENT: (("PID",), ("TXA",)),
    Family.PROBLEM: (("PID",), ("PRB",)),
    Family.REFERRAL: (("PID",),),
    Family.MONEY: (("PID",),),
    Family.MASTER: (("MFE",),),
    Family.QUERY: (("QPD",),),
}
"""What a message cannot do without; of each group one is enough."""
_BY_CODE: dict[str, tuple[tuple[frozenset[str], Family], ...]] = {
    "ADT": (
        (frozenset(adt.VISIT_EVENTS), Family.VISIT),
        (frozenset(adt.PERSON_EVENTS), Family.PERSON),
        (frozenset(adt.MERGE_EVENTS), Family.MERGE),
        (frozenset(linked.LINK_EVENTS), Family.LINK),
    ),
    "ORU": ((oru.ORU_EVENTS | {""}, Family.RESULT), (alarm.ALARM_EVENTS, Family.ALARM)),
    "OUL": ((oru.OUL_EVENTS, Family.RESULT),),
    "SIU": ((frozenset(booking.BOOKING_EVENTS), Family.BOOKING),),
    "MDM": ((document.DOCUMENT_EVENTS, Family.DOCUMENT),),
    "PPR": ((problem.PROBLEM_EVENTS, Family.PROBLEM),),
    "REF": ((frozenset(problem.REFERRAL_EVENTS), Family.REFERRAL),),
    "RRI": ((frozenset(problem.REFERRAL_EVENTS), Family.REFERRAL_ANSWER),),
    "DFT": ((money.CHARGE_EVENTS, Family.MONEY),),
    "BAR": ((frozenset(money.ACCOUNT_EVENTS), Family.MONEY), (adt.CODING_EVENTS, Family.VISIT)),
    "MFN": ((master.MASTER_EVENTS, Family.MASTER),),
    "QBP": ((qbp.QUERY_EVENTS, Family.QUERY),),
    **{code: ((triggers, Family.ORDER),) for code, triggers in orders.ORDER_EVENTS.items()},
}
_ANSWERS = frozenset(
    {"ACK", "ADR", "DSR", "MCF", "MFK", "ORB", "ORD", "ORF", "ORG", "ORL", "ORP", "ORR", "OSR", "RRA", "RRD", "RRE", "SRR"}
)
_QUERIES = frozenset({"QBP", "QRY", "QSB", "QVR", "QCN", "QSX", "VQQ", "SPQ", "EQQ", "RQQ", "OSQ", "VXQ", "SQM"})


def family_of(header: Header, events: Mapping[str, str] | None = None) -> Family | None:
    """The family of a message; None where we map nothing. ``events``: the link's own events and those that they are read as."""
    known = as_standard(header, events or {})
    for triggers, family in _BY_CODE.get(known.code, ()):
        if known.trigger in triggers:
            return family
    if known.event in UNNEEDED:
        return Family.UNNEEDED
    if known.code in _QUERIES:
        return Family.OTHER_QUERY
    if known.code in _ANSWERS or known.code.startswith(("RSP", "RR")):
        return Family.ANSWER
    return None


def events() -> list[tuple[str, Family, str]]:
    """Every event that has a family, as people write it, with what it is called where its chapter names it, or why it is not needed."""
    named = {**adt.VISIT_EVENTS, **adt.PERSON_EVENTS, **adt.MERGE_EVENTS, **linked.LINK_EVENTS}
    found = [
        (f"{code}^{trigger}" if trigger else code, family, named.get(trigger, "") if code == "ADT" else "")
        for code, rows in _BY_CODE.items()
        for triggers, family in rows
        for trigger in triggers
    ]
    return sorted([*found, *((event, Family.UNNEEDED, why) for event, why in UNNEEDED.items())])


def as_standard(header: Header, events: Mapping[str, str]) -> Header:
    """The header with the event of the standard in place of the site's own."""
    meant = events.get(header.event)
    if meant is None:
        return header
    code, _, trigger = meant.partition("^")
    return header._replace(code=code, trigger=trigger)


def why_unneeded(header: Header, events: Mapping[str, str]) -> str:
    """Why an event of :attr:`Family.UNNEEDED` calls for nothing here; empty of any other."""
    return UNNEEDED.get(as_standard(header, events).event, "")


def missing_segment(family: Family, message: Message) -> str | None:
    """The first segment that a message of this family needs and does not have."""
    return next((names[0] for names in NEEDS.get(family, ()) if not any(message.has(name) for name in names)), None)
