"""HL7 data types as pieces of FHIR, after HL7's own data type maps; every function reads one field of a segment."""

from collections.abc import Mapping
from typing import Any

from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import ICD10, LOINC, SNOMED, UCUM, code_system, hospital_number
from integrations.hl7v2.er7 import Part, Segment
from integrations.hl7v2.maps.row import Take, View
from integrations.hl7v2.numbers import number_in
from integrations.hl7v2.values import Coded, clean, code_of, has_han, is_before, lines, member_of_staff, moment, phones

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_SYSTEMS = {"LN": LOINC, "LOINC": LOINC, "SCT": SNOMED, "SNM": SNOMED, "ICD10": ICD10, "ICD-10": ICD10, "I10": ICD10, "I10C": ICD10}
"""Table 0396 words that name an international code system; ``HL7nnnn`` is table nnnn; every other word is the hospital's own."""


def text(segment: Segment, n: int, view: View) -> str:
    """ST, TX, FT, ID: the words, unescaped, repetitions on lines of their own."""
    return lines(segment[n], view.nothing)


def markdown(segment: Segment, n: int, view: View) -> Resource | None:
    """A note: an Annotation."""
    words = text(segment, n, view)
    return {"text": words} if words else None


def when(segment: Segment, n: int, view: View) -> str | None:
    """TS, DTM, DT: a dateTime no more precise than it was sent."""
    return stamp(segment[n].component(1), view)


def stamp(part: Part, view: View) -> str | None:
    """A time stamp as dateTime."""
    found = moment(part.text, view.zone)
    return found.fhir if found else None


def instant(segment: Segment, n: int, view: View) -> str | None:
    """A moment for elements of type instant; a bare date is none."""
    found = moment(segment[n].component(1).text, view.zone)
    return found.at.isoformat() if found and found.precision in ("minute", "second") else None


def system_of(word: str, hospital: str, kind: str = "") -> str:
    """The code system that CWE.3 names; without a word, or with one of the hospital's own, the hospital's."""
    known = _SYSTEMS.get(word.upper())
    if known:
        return known
    if word.upper().startswith("HL7") and word[3:].isdigit():
        return f"http://terminology.hl7.org/CodeSystem/v2-{word[3:].zfill(4)}"
    return code_system(f"hospital/{hospital}" + (f"/{kind}" if kind else ""))


def concept_of(part: Part, view: View) -> Resource | None:
    """CE, CWE, CNE: both codings, and the words."""
    pieces = [clean(piece.text, view.nothing) for piece in part.components[:9]]
    pieces += [""] * (9 - len(pieces))
    codings = []
    for sent, words, system in (pieces[0:3], pieces[3:6]):
        if known := code_of(sent):
            codings.append({"system": system_of(system, view.hospital), "code": known, **({"display": words} if words else {})})
    words = pieces[8] or pieces[1] or pieces[4] or pieces[0] or pieces[3]
    if not words:
        return None
    return {**({"coding": codings} if codings else {}), "text": words}


def codings(code: Coded, hospital: str, kind: str = "") -> list[Resource]:
    """The codings of a coded value that was read already: each once, in the system that it names."""
    found: dict[tuple[str, str], Resource] = {}
    for sent, words, named in ((code.code, code.text, code.system), *code.also):
        system = system_of(named, hospital, kind)
        if sent:
            found.setdefault((system, sent), {"system": system, "code": sent, **({"display": words} if words else {})})
    return list(found.values())


def concept(segment: Segment, n: int, view: View) -> Resource | None:
    """One CodeableConcept from the first repetition."""
    return next(iter(concepts(segment, n, view)), None)


def concepts(segment: Segment, n: int, view: View) -> list[Resource]:
    """A CodeableConcept for each repetition."""
    return [found for part in segment[n].repetitions if (found := concept_of(part, view))]


def table(codes: Mapping[str, str], otherwise: str | None = None) -> Take:
    """A coded field by a table of codes; a code that the table does not have says nothing (or ``otherwise``)."""

    def take(segment: Segment, n: int, view: View) -> str | None:
        sent = clean(segment[n].component(1).text, view.nothing)
        return codes.get(sent.upper(), otherwise) if sent else None

    return take


def number(kind: str, series: str = "order") -> Take:
    """EI or CX: an Identifier of one of the hospital's series, typed by table 0203."""

    def take(segment: Segment, n: int, view: View) -> list[Resource]:
        found = []
        for part in segment[n].repetitions:
            value = clean(part.component(1).text, view.nothing)
            if value:
                typed = {"type": {"coding": [{"system": V2_0203, "code": kind}]}} if kind else {}
                found.append({**typed, "system": f"{hospital_number(view.hospital)}/{series}", "value": value})
        return found

    return take


def first(of: Take) -> Take:
    """The first of what another function reads."""

    def take(segment: Segment, n: int, view: View) -> Any:
        return next(iter(of(segment, n, view) or ()), None)

    return take


def person_of(part: Part, view: View) -> Resource | None:
    """XCN (or the subcomponents of NDL.1): a member of the hospital's staff as a reference with number and name."""
    levels = part.component(1)
    pieces = [clean(levels.subcomponent(n).text, view.nothing) for n in (1, 2, 3)]
    if not pieces[1] and not pieces[2]:
        pieces = [pieces[0], *(clean(part.component(n).subcomponent(1).text, view.nothing) for n in (2, 3))]
    number_, *names = pieces
    words = "".join(names) if any(map(has_han, names)) else " ".join(name for name in reversed(names) if name)
    number_, words = member_of_staff(number_, words)
    if not number_ and not words:
        return None
    staff = {"identifier": {"system": f"{hospital_number(view.hospital)}/staff", "value": number_}} if number_ else {}
    return {**staff, "display": words or number_}


def person(segment: Segment, n: int, view: View) -> Resource | None:
    """One member of staff."""
    return next(iter(people(segment, n, view)), None)


def people(segment: Segment, n: int, view: View) -> list[Resource]:
    """A member of staff for each repetition."""
    return [found for part in segment[n].repetitions if (found := person_of(part, view))]


def place(segment: Segment, n: int, view: View) -> Resource | None:
    """PL: a ward, room and bed as a reference with its words."""
    part = segment[n]
    unit = clean(part.component(1).subcomponent(1).text, view.nothing)
    words = next((w for k in (9, 5, 1) if (w := clean(part.component(k).subcomponent(1).text, view.nothing))), "")
    rooms = [clean(part.component(k).subcomponent(1).text, view.nothing) for k in (2, 3)]
    shown = " ".join(word for word in (words or unit, *rooms) if word)
    if not shown:
        return None
    return {**({"identifier": {"system": f"{hospital_number(view.hospital)}/unit", "value": unit}} if unit else {}), "display": shown}


def organization(segment: Segment, n: int, view: View) -> Resource | None:
    """XON: an institution as a reference with its words."""
    words = clean(segment[n].component(1).text, view.nothing)
    return {"display": words} if words else None


def decimal(segment: Segment, n: int, view: View) -> Lexical | None:
    """NM: a number with the digits that were written."""
    found = number_in(clean(segment[n].component(1).text, view.nothing))
    return Lexical(found.text) if found and not found.comparator else None


def whole(segment: Segment, n: int, view: View) -> int | None:
    """A whole number from 1."""
    words = clean(segment[n].component(1).text, view.nothing)
    return int(words) if words.isdecimal() and 0 < int(words) < 2**31 else None


def amount(unit: int, unit_system: bool = True) -> Take:
    """A number with the unit that stands in another field: a Quantity."""

    def take(segment: Segment, n: int, view: View) -> Resource | None:
        value = decimal(segment, n, view)
        return None if value is None else quantity_of(value, segment[unit], view, coded=unit_system)

    return take


def quantity_of(value: Lexical, unit: Part, view: View, *, coded: bool = True) -> Resource:
    """A Quantity; the unit is coded where the sender says UCUM."""
    code, words, system = (clean(unit.component(n).text, view.nothing) for n in (1, 2, 3))
    found: Resource = {"value": value}
    if words or code:
        found["unit"] = words or code
    if coded and code and system.upper() == "UCUM":
        found |= {"system": UCUM, "code": code_of(code)}
    return found


def money(segment: Segment, n: int, view: View) -> Resource | None:
    """CP or MO: Money; an amount without currency is meant in yuan."""
    part = segment[n].component(1)
    value, currency = clean(part.subcomponent(1).text, view.nothing), clean(part.subcomponent(2).text, view.nothing).upper()
    found = number_in(value.strip("￥¥元 "))
    if found is None or found.comparator:
        return None
    return {"value": Lexical(found.text), "currency": currency if len(currency) == 3 and currency.isalpha() else "CNY"}


def phone(use: str) -> Take:
    """XTN: telephone numbers."""

    def take(segment: Segment, n: int, view: View) -> list[Resource]:
        return [
            {"system": "phone", "value": one.value, **({"use": one.use} if one.use else {})}
            for one in phones(segment[n], use, view.nothing)
        ]

    return take


def collected(segment: Segment, n: int, view: View) -> str | None:
    """DR with one end only, or with an end before its start: a dateTime."""
    start, end = _end(segment, n, 1, view), _end(segment, n, 2, view)
    return start if not end or (start and is_before(end, start)) else None


def collected_period(segment: Segment, n: int, view: View) -> Resource | None:
    """DR with its end: a Period, unless that lies before the start (R4 per-1)."""
    start, end = _end(segment, n, 1, view), _end(segment, n, 2, view)
    if start and end and is_before(end, start):
        return None
    return {**({"start": start} if start else {}), "end": end} if end else None


def _end(segment: Segment, n: int, which: int, view: View) -> str | None:
    return stamp(segment[n].component(which).subcomponent(1), view)


def volume(segment: Segment, n: int, view: View) -> Resource | None:
    """CQ: a number and, in the second component, its unit as a triplet of subcomponents."""
    value = decimal(segment, n, view)
    return None if value is None else quantity_of(value, lowered(segment[n].component(2), segment), view)


def lowered(part: Part, segment: Segment) -> Part:
    """A component whose subcomponents are a coded value, as if it were a field of its own."""
    pieces = [part.subcomponent(k).raw for k in range(1, 7)]
    return Part(segment.cut.component.join(pieces) if segment.cut.component else pieces[0], segment.cut, 1)


def source_type(segment: Segment, n: int, view: View) -> Resource | None:
    """SPS (OBR-15): the kind of specimen, coded in the subcomponents of the first component."""
    return concept_of(lowered(segment[n].component(1), segment), view)


def timing(part: int) -> Take:
    """A moment of the old quantity/timing type TQ: component 4 is its start, 5 its end."""

    def take(segment: Segment, n: int, view: View) -> str | None:
        return stamp(segment[n].component(part), view)

    return take


def equipment(segment: Segment, n: int, view: View) -> Resource | None:
    """EI of an analyser or other device: a reference by its number and name; the hospital's devices are not kept themselves."""
    part = segment[n]
    value, space = (clean(part.component(k).subcomponent(1).text, view.nothing) for k in (1, 2))
    if not value:
        return None
    return {"identifier": {"system": f"{hospital_number(view.hospital)}/equipment", "value": value}, "display": f"{space} {value}".strip()}


def extended(url: str, key: str, take: Take) -> Take:
    """What becomes an extension of HL7's."""

    def extension(segment: Segment, n: int, view: View) -> Resource | None:
        value = take(segment, n, view)
        return {"url": f"http://hl7.org/fhir/StructureDefinition/{url}", key: value} if value else None

    return extension


def entity_pair(segment: Segment, n: int, view: View) -> list[Resource]:
    """EIP (SPM-2): the placer's and the filler's number of one thing."""
    found = []
    for kind, part in (("PLAC", 1), ("FILL", 2)):
        value = clean(segment[n].component(part).subcomponent(1).text, view.nothing)
        if value:
            typed = {"coding": [{"system": V2_0203, "code": kind}]}
            found.append({"type": typed, "system": f"{hospital_number(view.hospital)}/specimen", "value": value})
    return found
