"""MDM: a document of the hospital, with its content or only announced. Text to values."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from integrations.hl7v2.adt import Stay, stay_of
from integrations.hl7v2.encapsulated import Content, encapsulated, in_text
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps import care
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.values import clean, moment
from integrations.hospitals.profile import Profile

APPENDS, REPLACES, CANCELS = frozenset({"T05", "T06"}), frozenset({"T09", "T10"}), "T11"
DOCUMENT_EVENTS = frozenset({"T01", "T02", "T03", "T04", "T07", "T08", CANCELS}) | APPENDS | REPLACES


@dataclass(frozen=True, slots=True)
class Document:
    """One MDM message: the DocumentReference without person, id and content."""

    event: str
    person: Demographics
    number: str
    """TXA-12, by which the document is known."""
    parent: str
    """TXA-13: the document that this one completes or replaces."""
    told: Resource
    contents: tuple[Content, ...]
    sent: datetime | None
    stay: Stay | None = None
    doubts: tuple[str, ...] = ()


def read_document(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Document:
    """Read MDM^T01 to T11.

    Raises:
        Invalid: it has no PID or no TXA.
    """
    for name in ("PID", "TXA"):
        if name not in message:
            raise Invalid(f"the message has no {name} segment, so it files no document", path=name, reason="segment-missing")
    view = View(profile.hospital_of(header), zone, profile.nothing)
    txa = message["TXA"]
    told: Resource = {"resourceType": "DocumentReference", "status": _status(txa, header)}
    pour(told, txa, care.TXA_DOCUMENT, view, nulls=True)
    told.setdefault("type", {"text": "未注明"})
    declared = care.MEDIA.get(clean(txa[3].component(1).text).upper(), "")
    doubts: list[str] = []
    contents = _contents(message, declared, doubts)
    told["content"] = [{"attachment": {"contentType": declared}} if declared else {"attachment": {"title": told["type"]["text"]}}]
    sent = moment(message["MSH"][7].component(1).text, zone)
    return Document(
        event=header.trigger,
        person=demographics(message, header, profile, zone),
        number=clean(txa[12].component(1).text, view.nothing),
        parent=clean(txa[13].component(1).text, view.nothing),
        told=told,
        contents=contents,
        sent=sent.at if sent else None,
        stay=stay_of(message, profile, zone) if "PV1" in message else None,
        doubts=tuple(doubts),
    )


def _status(txa: Segment, header: Header) -> str:
    if header.trigger == CANCELS:
        return "entered-in-error"
    return care.DOCUMENT_AVAILABILITY.get(clean(txa[19].text).upper(), "current")


def _contents(message: Message, declared: str, doubts: list[str]) -> tuple[Content, ...]:
    """Text of all OBX as one piece, and every encapsulated piece by itself."""
    words: list[str] = []
    pieces: list[Content] = []
    for obx in message.all("OBX"):
        if clean(obx[2].text).upper() == "ED":
            piece = encapsulated(obx, declared)
            if piece is None:
                doubts.append("OBX-5")
            else:
                pieces.append(piece)
        elif (piece := in_text(obx)) is not None:
            pieces.append(piece)
        elif obx[5]:
            words += [part.text for part in obx[5].repetitions]
    if words:
        pieces.insert(0, Content("text/html" if declared == "text/html" else "text/plain", "\n".join(words).encode()))
    return tuple(pieces)
