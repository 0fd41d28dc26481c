"""Reading an answer: which message it belongs to, and whether the peer took charge."""

from dataclasses import dataclass
from datetime import datetime

from healthsvc.errors import Refusal
from integrations.hl7v2.ack import AckCode, answer
from integrations.hl7v2.charset import decode
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header


@dataclass(frozen=True, slots=True)
class Reply:
    """What a peer answered."""

    code: str
    """MSA-1; empty where there is none."""
    control_id: str
    """MSA-2, raw: the number of the message that it answers."""
    text: str
    """MSA-3, and the words of ERR-8 where there are some."""
    event: str = ""
    """MSH-9 as people write it: ``ACK^I12``, or ``RRI^I12`` where the answer says more than that the message has arrived."""
    number: str = ""
    """MSH-10, raw: the answer's own."""
    raw: bytes = b""

    @property
    def positive(self) -> bool:
        """Whether the peer took charge (AA or CA)."""
        return self.code in (AckCode.AA, AckCode.CA)

    @property
    def final(self) -> bool:
        """Whether sending the same again is pointless (AR or CR)."""
        return self.code in (AckCode.AR, AckCode.CR)


def read_reply(raw: bytes) -> Reply:
    """Read an answer; one that is no HL7 gives empty fields."""
    try:
        message = Message(decode(raw, unlabelled="GB18030").text)
    except Refusal:
        return Reply("", "", "the answer is no HL7 message")
    return reply_of(message, raw)


def reply_of(message: Message, raw: bytes = b"") -> Reply:
    """What an answer says."""
    msa = message["MSA"]
    msh = message["MSH"]
    event = "^".join(part.text.strip().upper() for part in (msh[9].component(1), msh[9].component(2)) if part)
    words = [msa[3].text, *(err[8].text or err[3].component(2).text for err in message.all("ERR"))]
    told = "; ".join(dict.fromkeys(word for word in words if word))
    return Reply(msa[1].text.strip().upper(), msa[2].raw, told, event, msh[10].raw, raw)


def commit_answer(raw: bytes, at: datetime) -> bytes:
    """The CA to an application answer that asks for one (MSH-15 AL or SU); empty where it asks for none."""
    try:
        decoded = decode(raw, unlabelled="GB18030")
        header = read_header(Message(decoded.text))
    except Refusal:
        return b""
    if header.accept not in ("AL", "SU"):
        return b""
    return answer(header, AckCode.CA, at=at, number=f"C{at:%y%m%d%H%M%S%f}").encode(decoded.codec)


def control_id_of(raw: bytes) -> str:
    """MSH-10 of a message, raw; empty where it cannot be read."""
    try:
        return Message(decode(raw, unlabelled="GB18030").text)["MSH"][10].raw
    except Refusal:
        return ""


def accept_of(raw: bytes) -> str:
    """MSH-15 of a message: when it asks for an accept acknowledgement (AL NE ER SU); empty where it cannot be read."""
    try:
        return read_header(Message(decode(raw, unlabelled="GB18030").text)).accept
    except Refusal:
        return ""


def belongs(message: bytes, reply: bytes) -> bool:
    """Whether an answer is the one to a message: MSA-2 repeats MSH-10. A late answer to an earlier message does not."""
    return read_reply(reply).control_id.strip() == control_id_of(message).strip()
