"""ORU and OUL: what the laboratory found. Text to values."""

import re
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal

from healthsvc.errors import Invalid
from healthsvc.fhir.flags import ABNORMAL, CRITICAL, FLAGS
from healthsvc.fhir.json import Resource
from integrations.hl7v2.adt import Stay, name_and_number, stay_of
from integrations.hl7v2.encapsulated import Content, encapsulated, in_text
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.flags import beside_word
from integrations.hl7v2.groups import Group
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps.results import OBX_MORE
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.numbers import Quantity, Share, Span, beside_range, bounds, measured, number_in, structure
from integrations.hl7v2.participation import in_report, in_result
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.reported import Portion, reported
from integrations.hl7v2.specimen import specimens
from integrations.hl7v2.values import NOTHING_CODED, Coded, Moment, clean, coded, lines, moment, unit_of
from integrations.hospitals.profile import Profile

ORU_EVENTS = frozenset({"R01", "R30", "R31", "R32"})
OUL_EVENTS = frozenset({"R21", "R22", "R23", "R24"})
_ARROWED = re.compile(r"([^↑↓]+?)\s*([↑↓]{1,2})")
"""A number with the laboratory's arrow behind it, in one field."""


@dataclass(frozen=True, slots=True)
class Result:
    """One OBX."""

    index: int
    """Its place in the report, from 1."""
    code: Coded
    kind: str
    """OBX-2 as sent: NM, ST, SN, CE, CWE, TX, FT, DT, TM, TS, ED ..."""
    texts: tuple[str, ...] = ()
    """OBX-5, one per repetition, unescaped."""
    erased: bool = False
    """Whether OBX-5 is the null (``""``), which deletes; an empty one tells nothing (v2.5.1 2.5.3)."""
    quantity: Quantity | None = None
    span: Span | None = None
    share: Share | None = None
    coded: Coded = NOTHING_CODED
    """Of the first repetition."""
    words: tuple[str, ...] = ()
    """Of every repetition of a coded value."""
    unit: str = ""
    ucum: str = ""
    """The code of the unit, where OBX-6 says that it is one of UCUM."""
    range_text: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    flags: tuple[str, ...] = ()
    """Table 0078, after the link's own words were translated; derived from the range where none was sent."""
    flags_derived: bool = False
    status: str = "F"
    observed: Moment | None = None
    sub_id: str = ""
    notes: tuple[str, ...] = ()
    ends: tuple[str, str] = ("", "")
    """Of a period (DR), as sent."""
    content: Content | None = None
    """The file in OBX-5 (ED), where it could be unpacked."""
    more: Resource = field(default_factory=dict)
    """What else OBX says, as pieces of an Observation."""

    @property
    def abnormal(self) -> bool:
        """Whether it lies outside what is normal."""
        return any(flag in ABNORMAL for flag in self.flags)

    @property
    def critical(self) -> bool:
        """Whether it needs somebody at once (table 0078: AA, HH, LL)."""
        return any(flag in CRITICAL for flag in self.flags)


@dataclass(frozen=True, slots=True)
class Report:
    """One OBR with its results."""

    filler: str
    placer: str
    code: Coded
    status: str
    """OBR-25 as sent; empty where it was not."""
    taken: Moment | None
    """When the specimen was taken (OBR-7, SPM-17), else when it came or was examined."""
    issued: Moment | None
    results: tuple[Result, ...]
    ended: Moment | None = None
    """OBR-8, where it is not before ``taken`` and that is OBR-7."""
    taken_from: str = ""
    """``OBR-14`` or ``OBX-14`` where neither OBR-7 nor SPM-17 was sent."""
    section: str = ""
    notes: tuple[str, ...] = ()
    author: Coded = NOTHING_CODED
    more: Resource = field(default_factory=dict)
    """Who takes part (PRT), as pieces of a DiagnosticReport."""
    specimens: tuple[Resource, ...] = ()
    """Specimens without person and id."""


@dataclass(frozen=True, slots=True)
class ResultEvent:
    """One ORU or OUL message."""

    event: str
    person: Demographics
    reports: tuple[Report, ...]
    sent: Moment | None
    stay: Stay | None = None
    adopted: int = 0
    """Results that stood before the only order and were read as its own."""
    aside: int = 0
    """Observations of the patient (between PID and PV1) and of a document (before TXA): no results, kept with the message."""


def read_results(message: Message, header: Header, profile: Profile, zone: tzinfo) -> ResultEvent:
    """Read ORU^R01 or OUL^R21 to R24.

    Raises:
        Invalid: there is no PID or no OBR, or a result stands before several; the path is the HL7 position.
    """
    if "PID" not in message:
        raise Invalid("the message has no PID segment, so its results belong to nobody", path="PID", reason="no-person")
    found = reported(message, header.trigger)
    view = View(profile.hospital_of(header), zone, profile.nothing)
    return ResultEvent(
        event=header.event,
        person=demographics(message, header, profile, zone),
        reports=tuple(
            _report(one.obr, one.rest, samples, profile, zone, view)
            for one, samples in zip(found.portions, _specimens(found.portions, view), strict=True)
        ),
        sent=moment(message["MSH"][7].component(1).text, zone),
        stay=stay_of(message, profile, zone) if "PV1" in message else None,
        adopted=found.adopted,
        aside=found.aside,
    )


def _specimens(portions: list[Portion], view: View) -> list[tuple[Resource, ...]]:
    """The specimens of each report; orders of the very same ones tell the same of them."""
    keys = [tuple(map(id, one.specimens())) or (id(one.obr),) for one in portions]
    same: dict[tuple[int, ...], list[Portion]] = {}
    for key, one in zip(keys, portions, strict=True):
        same.setdefault(key, []).append(one)
    made = {key: specimens(Group((*(one.obr for one in of), *of[0].specimens())), view) for key, of in same.items()}
    return [made[key] for key in keys]


def _report(obr: Segment, rest: list[Segment], samples: tuple[Resource, ...], profile: Profile, zone: tzinfo, view: View) -> Report:
    orc = next((segment for segment in rest if segment.name == "ORC"), None)
    placer = clean(obr[2].component(1).text) or (clean(orc[2].component(1).text) if orc else "")
    filler = clean(obr[3].component(1).text) or (clean(orc[3].component(1).text) if orc else "")
    results: list[Result] = []
    notes: list[str] = []
    pending: list[tuple[Segment, list[str]]] = []
    parts: list[tuple[int, Segment]] = []
    more: Resource = {}
    for segment in rest:
        if segment.name == "OBX" and (segment[3] or segment[5]):
            pending.append((segment, []))
        elif segment.name == "NTE" and (text := lines(segment[3])):
            (pending[-1][1] if pending else notes).append(text)
        elif segment.name == "PRT":
            parts.append((len(pending), segment))
    for index, (obx, remarks) in enumerate(pending, start=1):
        results.append(_result(obx, index, tuple(remarks), profile, zone, view))
    for at, prt in parts:
        (in_result if at else in_report)(results[at - 1].more if at else more, prt, view)
    taken, source = _taken(obr, rest, results, zone)
    ended = moment(obr[8].component(1).text, zone)
    return Report(
        filler=filler,
        placer=placer,
        code=coded(obr[4], profile.nothing),
        status=clean(obr[25].text).upper(),
        taken=taken,
        taken_from=source,
        issued=moment(obr[22].component(1).text, zone),
        results=tuple(results),
        ended=ended if ended and taken and obr[7] and not source and ended.at >= taken.at else None,
        more=more,
        section=clean(obr[24].component(1).text, profile.nothing),
        notes=tuple(notes),
        author=name_and_number(obr, 32),
        specimens=samples,
    )


def _taken(obr: Segment, rest: list[Segment], results: list[Result], zone: tzinfo) -> tuple[Moment | None, str]:
    """The clinically relevant time of a report, and the field that it stands in where that is not the collection (OBR-7, SPM-17)."""
    collected = (segment[17].component(1).subcomponent(1) for segment in rest if segment.name == "SPM")
    for part in (obr[7].component(1), *collected):
        if (found := moment(part.text, zone)) is not None:
            return found, ""
    if (came := moment(obr[14].component(1).text, zone)) is not None:
        return came, "OBR-14"
    examined = [one.observed for one in results if one.observed is not None]
    return (min(examined, key=lambda one: one.at), "OBX-14") if examined else (None, "")


def _result(obx: Segment, index: int, notes: tuple[str, ...], profile: Profile, zone: tzinfo, view: View) -> Result:
    kind = clean(obx[2].text).upper()
    comma = profile.decimal_mark == "comma"
    content = encapsulated(obx) if kind == "ED" else in_text(obx)
    texts = ("file",) if content or (kind == "ED" and obx[5]) else tuple(part.text.strip() for part in obx[5].repetitions if part)
    arrow = ""
    if (
        len(texts) == 1
        and kind in ("NM", "ST", "")
        and (pointed := _ARROWED.fullmatch(texts[0]))
        and number_in(pointed[1].replace(",", ""))
    ):
        texts, arrow = (pointed[1],), pointed[2]
    range_text = clean(obx[7].text, profile.nothing)
    unit = unit_of(obx[6])
    low, high = bounds(range_text, unit.code or unit.text, comma=comma)
    value = measured(obx, kind, texts, (low, high), comma=comma)
    quantity = value if isinstance(value, Quantity) else None
    codes = [coded(part) for part in obx[5].repetitions if part] if kind in ("CE", "CWE", "CNE", "CF") else []
    if kind == "SN":  # where it is no number it is still to be read: 2+ and not 2^+
        texts = tuple("".join(structure(part)) for part in obx[5].repetitions if part)
    flags = tuple(flag for part in obx[8].repetitions if (flag := _flag(clean(part.component(1).text), profile)))
    if arrow and not obx[8]:
        flags = (_flag(arrow, profile),)
    derived: tuple[str, ...] = ()
    if not (obx[8] or flags) or (flags and FLAGS.isdisjoint(flags)):  # a word that nobody here knows must not hide what the range says
        derived = beside_range(quantity, low, high) or (beside_word(texts[0], range_text) if len(texts) == 1 else ())
        flags += derived
    return Result(
        index=index,
        code=coded(obx[3], profile.nothing),
        kind=kind,
        texts=texts,
        erased=obx[5].is_null,
        quantity=quantity,
        span=value if isinstance(value, Span) else None,
        share=value if isinstance(value, Share) else None,
        coded=codes[0] if codes else NOTHING_CODED,
        words=tuple(one.text or one.code for one in codes),
        unit=unit.code or unit.text,
        ucum=next((code for code, _, system in ((unit.code, "", unit.system), *unit.also) if code and system.upper() == "UCUM"), ""),
        range_text=range_text,
        low=low,
        high=high,
        flags=flags,
        flags_derived=bool(derived),
        status=clean(obx[11].text).upper() or "F",
        observed=moment(obx[14].component(1).text, zone),
        sub_id=clean(obx[4].text),
        notes=notes,
        ends=(obx[5].component(1).text, obx[5].component(2).text) if kind == "DR" else ("", ""),
        content=content,
        more=pour({}, obx, OBX_MORE, view),
    )


def _flag(sent: str, profile: Profile) -> str:
    return profile.abnormal.get(sent.upper(), sent.upper())
