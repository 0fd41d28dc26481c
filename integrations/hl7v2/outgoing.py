"""What we tell hospitals: values -> segments, one function a message. Every message is read and checked by hl7apy before it is queued.

Structures after HL7 v2.4 to v2.6 (chapters 3, 7, 10, 11); the fields are those that Chinese systems read: the whole name in PID-5.1,
numbers with their kind in CX.5, telephones in XTN.7 (in XTN.9 where a number type would damage them).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from integrations.hl7v2.compose import Value, message, segment, stamp
from integrations.hl7v2.conformance import problems
from integrations.hl7v2.er7 import NULL
from integrations.hl7v2.qbp import Found, zgc

SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
STRUCTURES = {"A28": "ADT_A05", "A31": "ADT_A05", "A37": "ADT_A37", "A40": "ADT_A39", "R01": "ORU_R01", "S12": "SIU_S12", "I12": "REF_I12"}
"""MSH-9.3 by trigger; S13 to S26 and I13, I14 share the structures of S12 and I12."""


@dataclass(frozen=True, slots=True)
class FlagPlace:
    """Where the green channel goes: a PV1 field with its words, or a Z segment. An empty field: nowhere."""

    field: str = ""
    yes: str = ""
    no: str = ""


@dataclass(frozen=True, slots=True)
class Referring:
    """A referral as REF tells it."""

    id: str
    at: datetime
    urgent: bool
    reason: tuple[str, str]
    """Code and words."""
    summary: str
    department: str
    by: tuple[str, str]
    """Id and name of the doctor who refers."""
    centre: str
    hospital: str
    """Names of the two houses."""
    status: str = "P"
    """RF1-1, table 0283: A accepted, E expired, P pending, R rejected."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One result: code, coding system, words; value as text, its unit; status F or C."""

    code: str
    system: str
    words: str
    value: str
    unit: str
    kind: str = "NM"
    flag: str = ""
    status: str = "F"


@dataclass(frozen=True, slots=True)
class Booked:
    """A visit to the hospital."""

    id: str
    start: datetime
    minutes: int
    reason: str
    department: str
    status: str
    """SCH-25, table 0278: Booked, Cancelled, Complete, Noshow ..."""


def event(kind: str, trigger: str) -> tuple[str, str, str]:
    """MSH-9 with its structure."""
    family = {"S": "S12", "I": "I12"}.get(trigger[0], trigger)
    return kind, trigger, STRUCTURES[family]


def evn(trigger: str, at: datetime) -> str:
    """When it was recorded."""
    return segment("EVN", {1: trigger, 2: stamp(at)})


def pid(person: Found, sex: Mapping[str, str] = SEX, index: str = "1") -> str:
    """Who the person is."""
    numbers: list[Value] = [(value, "", "", "", word) for value, word in person.numbers]
    fields: dict[int, Value] = {1: index, 3: numbers, 5: person.name, 8: sex.get(person.sex, SEX.get(person.sex, "U"))}  # type: ignore[dict-item]
    if person.birth:
        fields[7] = person.birth.strftime("%Y%m%d")
    if person.address:
        fields[11] = (person.address,)
    if person.phone:
        digits = person.phone.isascii() and person.phone.isdigit() and not person.phone.startswith("0")  # XTN.7 is a number
        fields[13] = ("", "PRN", "PH", "", "", "", person.phone) if digits else ("", "PRN", "PH", "", "", "", "", "", person.phone)
    return segment("PID", fields)


def particulars(trigger: str, person: Found, at: datetime, flag: FlagPlace, sex: Mapping[str, str] = SEX) -> list[str]:
    """ADT A28 or A31, with the green channel where the site wants it."""
    visit: dict[int, Value] = {1: "1", 2: "N"}
    made = [evn(trigger, at), pid(person, sex)]
    entitled = bool(person.channel.rights)
    if flag.field.startswith("PV1-"):
        visit[int(flag.field[4:])] = flag.yes if entitled else flag.no or NULL
    made.append(segment("PV1", visit))
    if flag.field.startswith("Z"):
        made.append(zgc(1, person.channel, flag.field))
    return made


def merged(person: Found, prior: Sequence[tuple[str, str]], at: datetime, sex: Mapping[str, str] = SEX) -> list[str]:
    """ADT A40: the numbers of a retired file go over to the person."""
    return [evn("A40", at), pid(person, sex), segment("MRG", {1: [(value, "", "", "", word) for value, word in prior]})]


def parted(person: Found, other: Found, at: datetime, sex: Mapping[str, str] = SEX) -> list[str]:
    """ADT A37: a merge was taken back; the two are two again."""
    return [evn("A37", at), pid(person, sex), pid(other, sex, "2")]


def referred(person: Found, told: Referring, sex: Mapping[str, str] = SEX) -> list[str]:
    """REF I12, I13, I14: the referral, who refers and to whom, the person, and the doctor's summary line by line."""
    lines = [line for line in told.summary.splitlines() if line.strip()]
    return [
        segment(
            "RF1",
            {1: told.status, 2: ("S", "Stat") if told.urgent else ("R", "Routine"), 6: told.id, 7: stamp(told.at), 10: told.reason},
        ),
        segment(
            "PRD",
            {
                1: ("RP", "Referring Provider"),
                2: ("", told.by[1]) if told.by[1] else "",
                4: ("", "", "", told.centre),
                7: (told.by[0], "DN"),
            },
        ),
        segment("PRD", {1: ("RT", "Referred to Provider"), 4: (told.department, "", "", told.hospital)}),
        pid(person, sex),
        segment("OBR", {1: "1", 2: told.id, 4: ("3457005", "双向转诊", "SCT"), 13: told.reason[1], 16: (told.by[0], told.by[1])}),
        *(segment("NTE", {1: str(n), 2: "P", 3: line}) for n, line in enumerate(lines, start=1)),
    ]


def found(
    person: Found,
    id: str,
    name: tuple[str, str, str],
    at: datetime,
    results: Sequence[Measured],
    by: tuple[str, str],
    *,
    corrected: bool = False,
    sex: Mapping[str, str] = SEX,
) -> list[str]:
    """ORU R01: what a visit at home found."""
    made = [pid(person, sex), segment("PV1", {1: "1", 2: "O", 3: ("HOME", "", "", "", "", "H")})]
    made.append(
        segment("OBR", {1: "1", 3: id, 4: name, 7: stamp(at), 22: stamp(at), 25: "C" if corrected else "F", 32: (by[0],) if by[0] else ""})
    )
    for number, one in enumerate(results, start=1):
        fields: dict[int, Value] = {1: str(number), 2: one.kind, 3: (one.code, one.words, one.system), 4: str(number), 5: one.value}
        fields |= {6: one.unit, 8: one.flag, 11: "C" if corrected else one.status, 14: stamp(at)}
        made.append(segment("OBX", fields))
    return made


def booked(person: Found, told: Booked, sex: Mapping[str, str] = SEX) -> list[str]:
    """SIU S12 to S15 and S26: a visit to the hospital."""
    when: Value = ("", "", "", stamp(told.start))
    sch: dict[int, Value] = {1: told.id, 6: (told.status, told.reason), 7: (told.reason,), 9: str(told.minutes), 10: ("min",), 11: when}
    sch |= {16: ("HEALTHSVC",), 20: ("HEALTHSVC",), 25: (told.status,)}
    made = [segment("SCH", sch), pid(person, sex), segment("RGS", {1: "1"})]
    made.append(segment("AIS", {1: "1", 3: (told.reason or "visit",), 4: stamp(told.start), 7: str(told.minutes), 8: ("min",)}))
    if told.department:
        made.append(segment("AIL", {1: "1", 3: (told.department,), 6: stamp(told.start)}))
    return made


def written(
    kind: tuple[str, str, str],
    control_id: str,
    at: datetime,
    segments: Sequence[str],
    *,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    version: str,
    charset: str,
    asks: tuple[str, str] = ("", ""),
) -> tuple[str, list[str]]:
    """The whole message, and what hl7apy finds wrong with it (nothing, unless we have made a mistake)."""
    text = message(kind, control_id, at, segments, sender=sender, receiver=receiver, version=version, charset=charset, asks=asks)
    return text, problems(text)
