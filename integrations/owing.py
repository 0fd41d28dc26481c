"""The application answer that we owe a hospital in enhanced mode (HL7 v2.5.1 2.9.3.2), once, after a message has had its effect.

The commit answer (CA) has told that the message is safely here. Where MSH-16 asks for more (AL, ER, SU), AA or AE follows when the worker
is done with it: left in the outbox in the transaction of the effect, so that neither is without the other, whatever is killed when. It goes
out by the link's own line to the hospital where there is one ([send], with MSH-15 AL: the hospital's CA ends it), else by a line that the
hospital has open to us (``returning``). What waits for a person here is in our charge: AA, and MSA-3 says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.store import Store
from healthsvc.store.bell import OUTBOX as OUTBOX_RINGS
from healthsvc.store.driver import for_driver, run
from healthsvc.store.inbox_rows import raw_of
from healthsvc.store.outbox import is_there
from healthsvc.store.outbox import put as put_outbox
from healthsvc.store.sealing.sealer import Sealer
from healthsvc.store.stored import micros, moment
from integrations.answers import KIND, OF_A_MESSAGE
from integrations.arrival import Arrival, State, digest
from integrations.hl7v2.ack import AckCode, AckMode, Problem, answer, encode_answer, wants
from integrations.hl7v2.families import Family, family_of
from integrations.hl7v2.header import Header
from integrations.hospitals.profile import Profile
from integrations.reading import read

RETURNING: Final = "hl7-answer:"
"""Kind of an outbox row for an answer that goes back by a line that the hospital has open: this, and the name of the link."""
ASKING: Final = frozenset({"AL", "ER", "SU"})
"""MSH-16 that asks for an application answer (table 0155); empty and NE ask for none (v2.5.1 2.14.9.16)."""

_AGAIN: Final = "UPDATE outbox SET state = 'due', attempts = 0, due = ? WHERE number = ? AND kind IN (?, ?) AND state = 'done'"


@dataclass(frozen=True, slots=True)
class Owed:
    """A message that is owed an application answer."""

    profile: Profile
    header: Header
    codec: str
    number: str
    """The answer's own control id; the same for the same bytes, so that it is written once."""

    @property
    def kind(self) -> str:
        """By which way it goes."""
        return f"{KIND if self.profile.send is not None else RETURNING}{self.profile.name}"

    def answer(self, code: AckCode, at: datetime, problem: Problem | None, note: str) -> bytes:
        """The answer; it asks for a commit answer where a line of ours carries it."""
        asks = ("AL" if self.profile.send is not None else "NE", "NE")
        text = answer(self.header, code, at=at, number=self.number, problem=problem, note=note, asks=asks)
        return encode_answer(text, self.codec)


def asked(store: Store, row: Any, profile: Profile) -> Owed | None:
    """What a message of the inbox is owed; None for nothing. Ask before it is forgotten."""
    if profile.ack is not AckMode.ENHANCED:
        return None
    raw = raw_of(store.connection, store.sealer, row.id)
    try:
        message, header = read(raw, profile)
    except Refusal:
        return None
    return _owed(profile, header, message.cut.codec, digest(raw))


def _owed(profile: Profile, header: Header, codec: str, hash: bytes) -> Owed | None:
    if header.application not in ASKING or family_of(header, profile.events) is Family.ANSWER:
        return None
    return Owed(profile, header, codec, _number(hash))


def owe(store: Store, owed: Owed | None, state: State, refusal: Refusal | None = None) -> None:
    """Leave the application answer to a message that the worker is done with; one that has been answered is not answered again."""
    if owed is None:
        return
    problem = Problem(refusal.text, refusal.issues[0].path or "") if refusal is not None else None
    at = store.at.astimezone(store.zone)
    if _leave(store.connection, store.sealer, owed, state, at, problem):
        store.rings.add(OUTBOX_RINGS)


def owe_settled(connection: Connection, sealer: Sealer, arrivals: Iterable[Arrival]) -> None:
    """The same for messages that need no worker: their event is mapped to nothing, or a person looks at them first."""
    for arrival in arrivals:
        read = arrival.read
        if arrival.state is State.PENDING or arrival.code is not AckCode.CA or read is None or read.profile.ack is not AckMode.ENHANCED:
            continue
        owed = _owed(read.profile, read.header, read.decoded.codec, arrival.hash)
        if owed is not None:
            _leave(connection, sealer, owed, arrival.state, moment(arrival.received).astimezone(clock.zone()), None)


def owe_again(connection: Connection, link: str, hash: bytes, at: int) -> None:
    """Say the application answer to a repeated message once more, where it had one: its sender may never have got it."""
    number = _number(hash)
    run(connection, for_driver(connection, _AGAIN), (at, number, f"{KIND}{link}", f"{RETURNING}{link}"))


def _number(hash: bytes) -> str:
    return f"HR{hash.hex()[:18]}"


def _leave(connection: Connection, sealer: Sealer, owed: Owed, state: State, at: datetime, problem: Problem | None) -> bool:
    code = AckCode.AE if state is State.DEAD else AckCode.AA
    if not wants(owed.header.application, code) or is_there(connection, owed.kind, owed.number):
        return False
    note = "waits for a person to look at it" if state is State.REVIEW else ""
    raw = owed.answer(code, at, None if code.positive else problem, note)
    payload = {"message": raw.decode("latin-1"), "codec": "latin-1", "topic": "answer", "event": f"ACK^{owed.header.trigger}"}
    put_outbox(connection, sealer, owed.kind, f"{OF_A_MESSAGE}{owed.number}", payload, micros(at), None, owed.number)
    return True
