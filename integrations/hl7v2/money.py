"""DFT and BAR: what was charged and paid, and when an account was opened. Text to values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from integrations.hl7v2.adt import Stay, stay_of
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps import care
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.values import clean, moment
from integrations.hospitals.profile import Profile

CHARGE_EVENTS = frozenset({"P03", "P11"})
ACCOUNT_EVENTS = {"P01": "active", "P05": "active", "P06": "inactive"}


@dataclass(frozen=True, slots=True)
class Charge:
    """One FT1: the ChargeItem without person and id."""

    number: str
    """FT1-2; empty where the sender gives none."""
    kind: str
    """FT1-6, the link's own words translated, else table 0017: CG charge, CD credit, PY payment, AJ adjustment, CO co-payment."""
    at: datetime | None
    """FT1-4, where it is a moment."""
    item: Resource


@dataclass(frozen=True, slots=True)
class Money:
    """One DFT or BAR message."""

    event: str
    person: Demographics
    account: str
    """PID-18, else the visit number."""
    charges: tuple[Charge, ...]
    happened: datetime | None
    """EVN-6, EVN-2 or MSH-7, where it is a moment."""
    sent: datetime | None
    stay: Stay | None = None


def read_money(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Money:
    """Read DFT^P03, P11 and BAR^P01, P05, P06.

    Raises:
        Invalid: it has no PID, or a DFT no FT1.
    """
    if "PID" not in message:
        raise Invalid("the message has no PID segment, so nobody is charged", path="PID", reason="segment-missing")
    if header.code == "DFT" and "FT1" not in message:
        raise Invalid("the message has no FT1 segment, so it charges nothing", path="FT1", reason="segment-missing")
    view = View(profile.hospital_of(header), zone, profile.nothing)
    stay = stay_of(message, profile, zone) if "PV1" in message else None
    evn = message["EVN"]
    moments = [moment(part.component(1).text, zone) for part in (evn[6], evn[2], message["MSH"][7])]
    exact = next((one.at for one in moments if one and one.precision in ("minute", "second")), None)
    return Money(
        event=header.event,
        person=demographics(message, header, profile, zone),
        account=clean(message["PID"][18].component(1).text, view.nothing) or (stay.number if stay else ""),
        charges=tuple(_charge(segment, view, profile.transaction) for segment in message.all("FT1")),
        happened=exact,
        sent=moments[2].at if moments[2] else None,
        stay=stay,
    )


def _charge(ft1: Segment, view: View, words: Mapping[str, str]) -> Charge:
    item: Resource = {"resourceType": "ChargeItem"}
    sent = clean(ft1[6].component(1).text, view.nothing).upper()
    if sent in words:
        item["status"] = care.CHARGE[words[sent]]
    pour(item, ft1, care.FT1_CHARGE, view, nulls=True)
    item.setdefault("status", "unknown")
    item.setdefault("code", {"text": "未注明"})
    at = moment(ft1[4].component(1).text, view.zone)
    return Charge(
        number=clean(ft1[2].component(1).text, view.nothing),
        kind=words.get(sent, sent),
        at=at.at if at and at.precision in ("minute", "second") else None,
        item=item,
    )
