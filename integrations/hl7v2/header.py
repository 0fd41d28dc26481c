"""The message header (MSH): who sends what to whom, under which number, in which version."""

from functools import lru_cache
from typing import NamedTuple

from healthsvc.errors import Malformed
from integrations.hl7v2.delimiters import Delimiters, flaw_of
from integrations.hl7v2.er7 import NULL, Message


class Header(NamedTuple):
    """MSH as sent. The raw texts are kept as written (escapes and all), so that an answer can repeat them exactly."""

    cut: Delimiters
    sender: tuple[str, str]
    """MSH-3 and MSH-4, raw."""
    receiver: tuple[str, str]
    """MSH-5 and MSH-6, raw."""
    sent: str
    """MSH-7, raw."""
    code: str
    """MSH-9.1, for example ``ADT``."""
    trigger: str
    """MSH-9.2, for example ``A01``; empty in very old messages."""
    control_id: str
    """MSH-10, raw."""
    processing: str
    version: str
    """MSH-12.1 as sent; may be empty."""
    accept: str
    """MSH-15: when an accept acknowledgement is wanted (AL NE ER SU)."""
    application: str
    """MSH-16: when an application acknowledgement is wanted."""
    charset: str
    """MSH-18, raw."""
    rest: tuple[str, str] = ("", "")
    """MSH-11 and MSH-12 as sent, raw."""

    @property
    def event(self) -> str:
        """Message code and trigger as people write them: ``ADT^A01``."""
        return f"{self.code}^{self.trigger}" if self.trigger else self.code

    def at_least(self, version: tuple[int, int]) -> bool:
        """Whether the sender speaks this version or a later one; an empty or unreadable version counts as old."""
        major, _, minor = self.version.partition(".")
        try:
            return (int(major), int(minor[:1] or 0)) >= version
        except ValueError:
            return False


def read_header(message: Message) -> Header:
    """Read the header of a message.

    Raises:
        Malformed: the first segment is not MSH, or it lacks the message type (MSH-9) or the control id (MSH-10).
    """
    msh = message.first
    if msh.name != "MSH":
        raise Malformed(f"a message begins with MSH, this one with {msh.name}", path="MSH")
    cut = message.cut
    sent = [*msh.fields, *_NO_FIELDS]  # short headers are common; what is missing is empty
    code, trigger = _kind(sent[9], cut)
    if code == "ADT" and not trigger:  # before v2.3 the event often stood in EVN-1 alone (HL7 v2.2 3.3.1.1)
        trigger = _first(message["EVN"][1].raw, cut).upper()
    return Header(
        cut=cut,
        sender=(sent[3], sent[4]),
        receiver=(sent[5], sent[6]),
        sent=sent[7],
        code=code,
        trigger=trigger,
        control_id=sent[10],
        processing=_first(sent[11], cut),
        version=_first(sent[12], cut),
        accept=sent[15].strip().upper(),
        application=sent[16].strip().upper(),
        charset=sent[18],
        rest=(sent[11], sent[12]),
    )


_NO_FIELDS = ("",) * 20


@lru_cache(maxsize=1024)
def _kind(raw: str, cut: Delimiters) -> tuple[str, str]:
    """Message code and trigger from MSH-9."""
    kind = _plain(raw, cut)
    code, trigger = kind.partition(cut.component)[::2] if cut.component else (kind, "")
    trigger = trigger.partition(cut.component)[0] if cut.component else trigger
    code, trigger = code.strip().upper(), trigger.strip().upper()
    if "_" in code and not trigger:  # "ADT_A01" in one component
        code, _, trigger = code.partition("_")
    return code, trigger


def _plain(raw: str, cut: Delimiters) -> str:
    """The first repetition of a field; the null counts as empty."""
    if cut.repetition and cut.repetition in raw:
        raw = raw.partition(cut.repetition)[0]
    return "" if raw == NULL else raw


def _first(raw: str, cut: Delimiters) -> str:
    """The first component of a field."""
    if raw.isalnum():  # nothing in it can cut
        return raw
    raw = _plain(raw, cut)
    return (raw.partition(cut.component)[0] if cut.component else raw).strip()


def check_header(header: Header, *, needs_id: bool = True) -> None:
    """Refuse a header that cannot be answered or sorted.

    Raises:
        Malformed: MSH-2 cannot cut the message, MSH-9 is empty, or MSH-10 (where the link needs it).
    """
    if flaw := flaw_of(header.cut):
        raise Malformed(
            f"the encoding characters (MSH-2) cannot be used: {flaw}; the usual ones are ^~\\&", path="MSH-2", reason="delimiters"
        )
    if not header.code:
        raise Malformed("MSH-9 (message type) is empty; the sender must say what kind of message this is", path="MSH-9", reason="no-type")
    if needs_id and not header.control_id.strip():
        raise Malformed("MSH-10 (control id) is empty; without it no answer can be matched to the message", path="MSH-10", reason="no-id")
