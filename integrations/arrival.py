"""What an arriving message is, decided before it is stored: whose line, which characters, which answer. Pure; no database, no socket."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache, partial

from healthsvc.errors import Malformed, Refusal
from healthsvc.store.stored import micros
from integrations.acquaintance import GAP_TIME, GAPS, Key
from integrations.hl7v2.ack import COMMIT, AckCode, AckMode, Problem, answer, encode_answer, mode_of, stamp, wants
from integrations.hl7v2.charset import ASCII, Decoded, decode, header_line
from integrations.hl7v2.delimiters import flaw_of, usual
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import NEEDS, Family, family_of, missing_segment, why_unneeded
from integrations.hl7v2.header import Header, check_header, read_header
from integrations.hl7v2.sequence import number_of
from integrations.hospitals.profile import Profile, UnknownEvent
from integrations.hospitals.shelf import Edition, Shelf

MAX_ID = 199
"""Longest control id that is taken (HL7 v2.9 allows 199 characters)."""


class State(StrEnum):
    """What has become of a message."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    """Kept, but mapped to nothing: an event that is none of our concern."""
    REVIEW = "review"
    DEAD = "dead"
    QUARANTINE = "quarantine"
    FORGOTTEN = "forgotten"
    CLOSED = "closed"
    """An operator has left it at that, with a reason."""
    REPLACED = "replaced"
    """An operator edited it; the edited one went in instead."""


@dataclass(slots=True)
class Arrival:
    """One message on its way into the inbox."""

    raw: bytes
    listen: str
    peer: str
    received: int
    link: str = ""
    sender: str = ""
    control_id: str = ""
    event: str = ""
    code: AckCode = AckCode.AR
    answer: bytes = b""
    state: State = State.QUARANTINE
    reason: str | None = None
    place: str | None = None
    remark: str | None = None
    hash: bytes = b""
    reused: bool = False
    stored: bool = True
    """False where it could not be written: the sender was told to send it again."""
    plain: bool = False
    """Simply taken: there is nothing to say of it but that it waits to be processed."""
    sequence: int | None = None
    """MSH-13, where the sender numbers its messages."""
    query: "Question | None" = None
    """Set where the message asks something and is answered from the file instead of being stored."""
    read: "Read | None" = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What a repeated message is known by, together with its hash: link, sender, control id."""
        return self.link, self.sender, self.control_id


@dataclass(frozen=True, slots=True)
class Read:
    """A message that could be read."""

    message: Message
    header: Header
    decoded: Decoded
    profile: Profile


@dataclass(frozen=True, slots=True)
class Question:
    """A query to be answered at once."""

    read: Read
    number: str


def receive(raw: bytes, shelf: Shelf, *, listen: str, peer: str, at: datetime, number: str) -> Arrival:
    """Read a message as far as its answer needs, and write that answer: AA (CA) for what we take charge of, AE or AR with the reason.

    ``number`` is the answer's own control id. The answer must only be sent after the arrival has been stored.
    """
    edition = shelf.edition
    known, key, control_id, sequence = edition.acquaintances.meet(raw, listen, peer)
    if known is not None:
        received, told = _as_told(at)
        arrival = Arrival(raw, listen, peer, received, known.link, known.sender, control_id, known.event, known.code)
        arrival.answer, arrival.hash = known.answer(told, number, control_id), digest(raw)
        arrival.state, arrival.plain, arrival.sequence = State.PENDING, True, number_of(sequence) if sequence else None
        return arrival
    arrival = _arrival(raw, listen, peer, at)
    read = profile = None
    try:
        read = _read(raw, edition, listen, peer)
        profile = read.profile
        _judge(arrival, read, number)
    except Refusal as refusal:
        _refuse(arrival, refusal, read)
        profile = getattr(refusal, "profile", profile)
    _answer(arrival, read, at, number, profile)
    taken = arrival.state is State.PENDING and arrival.code.positive and arrival.query is None
    arrival.plain = taken and not (arrival.reason or arrival.place or arrival.remark)
    if key is not None and read is not None:
        _remember(arrival, read, edition, key)
    return arrival


def _remember(arrival: Arrival, read: Read, edition: Edition, key: Key) -> None:
    """Remember a sender whose message was simply taken, so that its next one need not be worked out again."""
    header, family = read.header, family_of(read.header, read.profile.events)
    plain = arrival.state is State.PENDING and arrival.code.positive and arrival.query is None and arrival.answer
    whole = "^" in read.message.first[9].raw or "_" in read.message.first[9].raw  # the event stands in the header, not in EVN
    if not plain or not whole or family is None or header.event in read.profile.answers:
        return
    needs = tuple(tuple(f"\r{name}|".encode() for name in either) for either in NEEDS.get(family, ()))
    gaps = header._replace(control_id=GAPS[2])
    form = partial(answer, gaps, arrival.code, at=GAP_TIME, number=GAPS[1])
    edition.acquaintances.remember(key, arrival.link, arrival.sender, arrival.event, arrival.code, needs, form)


def receive_empty_batch(raw: bytes, listen: str, peer: str, at: datetime) -> Arrival:
    """A batch without a message: kept, and not answered, for there is nothing to answer to."""
    arrival = _arrival(raw, listen, peer, at)
    arrival.reason, arrival.remark = "batch-empty", "a batch without messages"
    return arrival


def _arrival(raw: bytes, listen: str, peer: str, at: datetime) -> Arrival:
    return Arrival(raw, listen, peer, _as_told(at)[0], hash=digest(raw))


@lru_cache(maxsize=8)
def _as_told(at: datetime) -> tuple[int, str]:
    """A moment in microseconds, and as HL7 writes it; all that one turn of the lines has read came at the same one."""
    return micros(at), stamp(at.replace(microsecond=0))


def digest(raw: bytes) -> bytes:
    """By what the inbox knows the bytes of a message again."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def _read(raw: bytes, edition: Edition, listen: str, peer: str) -> Read:
    """Decode with the link's own set. The link is chosen by the header, which is read loosely first; names in it only choose."""
    line = header_line(raw)
    loose = read_header(Message(line))
    profile = edition.choose(loose, listen, peer)
    if profile is None:
        raise _UnknownSender(loose)
    try:
        decoded = decode(raw, profile.charset or None, profile.charset_unlabelled or None)
    except Malformed as refusal:
        raise _Undecodable(refusal, loose, profile) from None
    message = Message(decoded.text, decoded.codec)
    same = bool(loose.trigger) and decoded.text.startswith(line)  # what was read loosely was read rightly, and says it all
    return Read(message, loose if same else read_header(message), decoded, profile)


class _UnknownSender(Refusal):
    """Nobody knows the sender on this address."""

    def __init__(self, header: Header) -> None:
        told = "no link profile fits MSH-3 to MSH-6 on this address; add one to DATA/hospitals/"
        super().__init__(told, path="MSH-3", reason="unknown-sender")
        self.header = header


class _Undecodable(Refusal):
    """The characters cannot be read."""

    def __init__(self, cause: Malformed, header: Header, profile: Profile) -> None:
        super().__init__(cause.text, path="MSH-18", reason="charset")
        self.header, self.profile = header, profile


def _judge(arrival: Arrival, read: Read, number: str) -> None:
    header, profile = read.header, read.profile
    arrival.read, arrival.link = read, profile.name
    _name(arrival, header)
    arrival.sequence = number_of(read.message.first[13].raw)
    check_header(header, needs_id=profile.control_id == "required")
    if len(header.control_id) > MAX_ID:
        raise Malformed(f"MSH-10 (control id) is longer than {MAX_ID} characters", path="MSH-10", reason="id-too-long")
    arrival.code, arrival.state = AckCode.AA, State.PENDING
    family = family_of(header, profile.events)
    if family is Family.QUERY:
        arrival.query = Question(read, number)
    elif family is Family.OTHER_QUERY:
        arrival.code, arrival.state, arrival.reason, arrival.place = AckCode.AR, State.DEAD, "unknown-query", "MSH-9"
        arrival.remark = f"{header.event} asks what we cannot answer; ask by QBP^Q22 or QBP^Q23"
    elif family is Family.ANSWER and (profile.send is None or "MSA" not in read.message):
        arrival.state, arrival.reason = State.IGNORED, "answer"
    elif family in (None, Family.UNNEEDED):
        _without_effect(arrival, profile.unknown_event, header, why_unneeded(header, profile.events))
    elif (absent := missing_segment(family, read.message)) is not None:
        if profile.missing_segment == "review":
            arrival.state = State.REVIEW
        else:
            arrival.code, arrival.state = AckCode.AE, State.DEAD
        arrival.reason, arrival.place = "segment-missing", absent
        arrival.remark = f"{header.event} needs a {absent} segment"


def _without_effect(arrival: Arrival, policy: UnknownEvent, header: Header, why: str) -> None:
    arrival.reason, arrival.place = "event-unneeded" if why else "unknown-event", "MSH-9"
    arrival.remark = why or f"{header.event} is mapped to nothing here"
    if why or policy is UnknownEvent.ACCEPT:
        arrival.state = State.IGNORED
    else:
        arrival.code, arrival.state = AckCode(policy.value), State.DEAD


def _refuse(arrival: Arrival, refusal: Refusal, read: Read | None) -> None:
    arrival.reason, arrival.place, arrival.remark = refusal.reason or refusal.issue_code, refusal.issues[0].path, refusal.text
    arrival.state = State.QUARANTINE
    arrival.code = AckCode.AR
    if isinstance(refusal, _Undecodable):
        arrival.code, arrival.link = AckCode.AE, refusal.profile.name
        _name(arrival, refusal.header)
    elif isinstance(refusal, _UnknownSender):
        _name(arrival, refusal.header)


def _name(arrival: Arrival, header: Header) -> None:
    """The columns by which it is found again; no database keeps NUL in a text."""
    arrival.sender = header.cut.field.join(header.sender).replace("\0", "")
    arrival.control_id = header.control_id[: MAX_ID + 1].replace("\0", "")
    arrival.event = header.event[:32].replace("\0", "")


def _answer(arrival: Arrival, read: Read | None, at: datetime, number: str, profile: Profile | None) -> None:
    """Write the answer of the commit: in enhanced mode CA, CE or CR, and none where MSH-15 wants none."""
    try:
        header = read.header if read is not None else read_header(Message(header_line(arrival.raw)))
    except Refusal:
        arrival.answer = b""
        return
    codec = read.decoded.codec if read is not None else ASCII
    mode = mode_of(header, profile.ack, profile.ack_unasked) if profile is not None else AckMode.ORIGINAL
    if flaw_of(header.cut):
        header = header._replace(cut=usual(header.cut))
    code = COMMIT[arrival.code] if mode is AckMode.ENHANCED else arrival.code
    if mode is AckMode.ENHANCED and not wants(header.accept, code):
        arrival.answer, arrival.code = b"", code
        return
    problem = None
    if not code.positive:
        problem = Problem(
            arrival.remark or "the message was not accepted", arrival.place or "", _TABLE_0357.get(arrival.reason or "", "207")
        )
    kind, body = _as_expected(read, code) if read is not None else (None, ())
    text = answer(header, code, at=at, number=number, problem=problem, kind=kind, body=body)
    arrival.code = code
    arrival.answer = encode_answer(text, codec)


def _as_expected(read: Read, code: AckCode) -> tuple[str | None, tuple[str, ...]]:
    """The other answer that a link's event expects (``ADT^ZP1``: RSP^K23): its type, and the person with the numbers that were sent."""
    header = read.header
    kind = read.profile.answers.get(header.event)
    if kind is None:
        return None, ()
    stated = header.cut.component.join(kind.split("^")) if header.cut.component else kind.replace("^", "_")
    if not code.positive or "PID" not in read.message:
        return stated, ()
    pid = read.message["PID"]
    fields = ["PID", "", "", pid[3].raw, "", pid[5].raw]
    return stated, (header.cut.field.join(fields),)


_TABLE_0357 = {
    "segment-missing": "100",
    "delimiters": "102",
    "no-type": "101",
    "no-id": "101",
    "id-too-long": "102",
    "unknown-event": "201",
    "unknown-query": "201",
    "charset": "102",
}
