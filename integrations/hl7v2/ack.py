"""The answer to a message: who accepted or refused it, exactly under the sender's number, in the sender's own delimiters and characters.

Original mode (HL7 v2.5 2.9.2): one answer, AA, AE or AR. Enhanced mode (2.9.3): first CA, CE or CR when the message is safely
stored, later an application answer. Many peers write ``AL|AL`` into MSH-15/16 and yet expect one plain answer: the mode is the link's.
On an enhanced link a message whose MSH-15 and MSH-16 are both empty or null is one of original mode (v2.5.1 2.9.2), unless the link says
otherwise.
AE means "mend it and send it again", AR "do not send it again".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from integrations.hl7v2.charset import ASCII
from integrations.hl7v2.escapes import escape
from integrations.hl7v2.header import Header

_WITH_ERR = (2, 5)
_TEXT_LIMIT = 80
"""MSA-3 is ST with 80 characters (HL7 v2.5 2.15.8)."""


class AckCode(StrEnum):
    """MSA-1, table 0008."""

    AA = "AA"
    AE = "AE"
    AR = "AR"
    CA = "CA"
    CE = "CE"
    CR = "CR"

    @property
    def positive(self) -> bool:
        """Whether the receiver has taken charge of the message."""
        return self in (AckCode.AA, AckCode.CA)


class AckMode(StrEnum):
    """How a link acknowledges."""

    ORIGINAL = "original"
    ENHANCED = "enhanced"


APPLICATION = frozenset({AckCode.AA, AckCode.AE, AckCode.AR})
_UNSAID = frozenset({"", '""'})
COMMIT = {AckCode.AA: AckCode.CA, AckCode.AE: AckCode.CE, AckCode.AR: AckCode.CR}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a message and where, for MSA-3 and ERR. Names no person."""

    text: str
    place: str = ""
    """An HL7 position such as ``MSH-18`` or ``PID-3``."""
    code: str = "207"
    """Table 0357: 100 segment sequence, 101 required field missing, 102 data type, 103 table value, 200 unsupported message type,
    201 unsupported event, 203 unsupported version, 204 unknown key, 205 duplicate key, 207 application error."""


def mode_of(header: Header, mode: AckMode, unasked: AckMode) -> AckMode:
    """How a message is acknowledged: as its link does, but as ``unasked`` says where it asks for no answer of either kind."""
    return unasked if mode is AckMode.ENHANCED and {header.accept.strip(), header.application.strip()} <= _UNSAID else mode


def wants(setting: str, code: AckCode) -> bool:
    """Whether MSH-15 or MSH-16 (table 0155: AL always, NE never, ER on error, SU on success) asks for this answer; empty means yes."""
    return {"NE": False, "ER": not code.positive, "SU": code.positive}.get(setting, True)


def answer(
    header: Header,
    code: AckCode,
    *,
    at: datetime,
    number: str,
    problem: Problem | None = None,
    body: tuple[str, ...] = (),
    kind: str | None = None,
    note: str = "",
    asks: tuple[str, str] = ("", ""),
) -> str:
    """Write the answer to a message: MSH, MSA, ERR where due, and for queries further segments (``body``, already escaped).

    ``number`` is the answer's own control id (MSH-10); ``kind`` its message type, ``ACK`` with the sender's trigger unless given;
    ``asks`` its MSH-15 and MSH-16, where it is a message of its own that may be answered in turn.
    """
    cut = header.cut
    f, c = cut.field, cut.component
    modern = header.at_least(_WITH_ERR)
    stated = kind or "ACK" + (f"{c}{header.trigger}" + (f"{c}ACK" if modern else "") if header.trigger and c else "")
    msh = [
        f"MSH{f}{cut.encoding}",
        *header.receiver,
        *header.sender,
        stamp(at.replace(microsecond=0)),
        "",
        stated,
        number,
        header.rest[0] or "P",
        header.rest[1],
    ]
    if header.charset or any(asks):
        msh += ["", "", *asks, "", header.charset]
    told = problem.text if problem else note
    text = escape(told[:_TEXT_LIMIT], cut) if told else ""
    msa = ["MSA", code.value, header.control_id] + ([text] if text else [])
    lines = [f.join(msh), f.join(msa)]
    if problem and modern:
        lines.append(_err(header, code, problem))
    return "\r".join((*lines, *body)) + "\r"


@lru_cache(maxsize=16)
def stamp(at: datetime) -> str:
    """A second as HL7 writes it; thousands of answers share it."""
    return at.strftime("%Y%m%d%H%M%S")


def _err(header: Header, code: AckCode, problem: Problem) -> str:
    """The ERR segment of v2.5 and later: place, code of table 0357, severity, words for the operator."""
    cut = header.cut
    segment, _, position = problem.place.partition("-")
    place = cut.component.join((segment, "1", *position.split("."))) if segment and position else segment
    stated = cut.component.join((problem.code, _MEANING.get(problem.code, "Application error"), "HL70357"))
    severity = "I" if code.positive else "E"
    return cut.field.join(("ERR", "", place, stated, severity, "", "", "", escape(problem.text, cut)))


_MEANING = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application error",
}


def encode_answer(text: str, codec: str) -> bytes:
    """Write an answer in the sender's character set; what a plain ASCII sender could not have sent goes out as UTF-8."""
    return text.encode("utf-8" if codec == ASCII else codec)
