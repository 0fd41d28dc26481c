"""An invented hospital's day as HL7 messages, for demonstrations and tests: pure, and the same for the same people, moment and seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.citizen_id import check_digit
from integrations.hl7v2.compose import Value, message, segment, stamp

HOSPITAL = "lw-h1"
"""Sending facility (MSH-4); the default profile makes it the hospital's code."""
_WARDS = (("0912", "心内科"), ("1104", "呼吸科"), ("0707", "神经内科"), ("0305", "老年病科"), ("0618", "内分泌科"))
_DOCTORS = (("1001", "测试主任"), ("1002", "测试医生"))
_ILLNESS = (("I50.900", "心力衰竭"), ("J18.900", "肺炎"), ("I63.900", "脑梗死"), ("J44.101", "慢性阻塞性肺疾病急性加重"))
_DRUG = ("D1", "硝苯地平控释片")
_TESTS = (
    ("GLU", "葡萄糖", "mmol/L", 3.90, 6.10, 2),
    ("K", "钾", "mmol/L", 3.50, 5.30, 2),
    ("CREA", "肌酐", "umol/L", 57.0, 111.0, 1),
    ("HGB", "血红蛋白", "g/L", 130.0, 175.0, 0),
    ("CRP", "C反应蛋白", "mg/L", 0.0, 10.0, 1),
)


@dataclass(slots=True)
class Person:
    """Somebody as this hospital knows them."""

    card: str
    name: str
    birth: str
    sex: str
    citizen_id: str = ""
    phone: str = ""
    address: str = ""
    stay: str = ""


@dataclass(slots=True)
class _Day:
    """What has been said so far."""

    at: datetime
    chance: Random
    hospital: str
    said: list[tuple[datetime, bytes]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def say(self, when: datetime, event: str, segments: list[str], *, kind: str = "ADT") -> bytes:
        """Add a message: one in three in GB18030, and one of those without saying so."""
        number = next(self.numbers)
        codec, label = (("utf-8", "UNICODE UTF-8"), ("gb18030", "GB18030"), ("gb18030", ""), ("utf-8", ""))[number % 4]
        text = message(
            (kind, event),
            f"{self.at:%Y%m%d}{number:05}",
            when,
            segments,
            sender=("LIS" if kind == "ORU" else "HIS", self.hospital),
            receiver=("HEALTHSVC", "COMMUNITY"),
            charset=label,
        )
        raw = text.encode(codec)
        self.said.append((when, raw))
        return raw

    def later(self, when: datetime, least: int, most: int) -> datetime:
        """Some minutes later."""
        return when + timedelta(minutes=self.chance.randint(least, most), seconds=self.chance.randint(0, 59))


def messages(people: Sequence[Resource], at: datetime, seed: int, hospital: str = HOSPITAL) -> list[bytes]:
    """The messages of one day in the order in which the hospital sends them.

    Args:
        people: FHIR Patients who use the hospital that day; each goes through one of the courses below, in turn.
        at: the morning, aware; everything happens within the ten hours after it.
        seed: chance.
        hospital: sending facility.

    Covers ADT A01 A03 A04 A08 A11 A13 A28 A31 A40, ORU R01, and of an outpatient BAR P01, DFT P03, RDE O11 and RDS O13; in UTF-8 and
    GB18030, with and without MSH-18; one message is sent twice.
    """
    day = _Day(at, Random(seed), hospital)  # noqa: S311 - an invented day, not a secret
    courses: tuple[Callable[[_Day, Person, datetime], None], ...] = (
        _treated,
        _cancelled,
        _back_again,
        _seen,
        _moved_house,
        _two_cards,
    )
    for index, patient in enumerate(people):
        courses[index % len(courses)](day, _known(patient, index, hospital), day.later(at, 0, 120))
    _stranger(day, day.later(at, 30, 60))
    day.said.sort(key=lambda pair: pair[0])
    ordered = [raw for _, raw in day.said]
    if ordered:
        ordered.insert(len(ordered) // 2 + 1, ordered[len(ordered) // 2])
    return ordered


def _treated(day: _Day, person: Person, at: datetime) -> None:
    """Admitted, moved to another bed, examined, discharged."""
    _admit(day, person, at)
    bed = day.later(at, 20, 60)
    day.say(bed, "A08", [_evn("A08", bed), _pid(person), _pv1(day, person, at)])
    _report(day, person, day.later(bed, 20, 60), abnormal=True)
    _discharge(day, person, day.later(bed, 200, 300), at)


def _cancelled(day: _Day, person: Person, at: datetime) -> None:
    """Admitted by mistake."""
    _admit(day, person, at)
    when = day.later(at, 10, 40)
    day.say(when, "A11", [_evn("A11", when), _pid(person), _pv1(day, person, at)])


def _back_again(day: _Day, person: Person, at: datetime) -> None:
    """Discharged, and the discharge taken back."""
    _admit(day, person, at)
    gone = day.later(at, 120, 200)
    _discharge(day, person, gone, at)
    when = day.later(gone, 20, 60)
    day.say(when, "A13", [_evn("A13", when), _pid(person), _pv1(day, person, at)])


def _outpatient(day: _Day, person: Person, at: datetime) -> None:
    """Registered at the outpatient department, with blood taken."""
    person.stay = f"O{at:%Y%m%d}{person.card}"
    day.say(at, "A04", [_evn("A04", at), _pid(person), segment("PV1", {2: "O", 3: (_WARDS[0][0],), 19: person.stay, 44: stamp(at)})])
    _report(day, person, day.later(at, 60, 120), abnormal=False)


def _seen(day: _Day, person: Person, at: datetime) -> None:
    """An outpatient who is seen, pays and is given medicine: from these moments one reads how long the person waited for each."""
    _outpatient(day, person, at)
    number, around = f"M{person.stay}", segment("PV1", {2: "O", 19: person.stay})
    seen = day.later(at, 4, 24)
    order = segment("ORC", {1: "NW", 2: number, 9: stamp(seen)})
    drug, route = segment("RXE", {1: ("1", "QD"), 2: _DRUG, 3: "30", 5: ("mg", "mg")}), segment("RXR", {1: ("PO", "口服")})
    day.say(seen, "O11", [_pid(person), around, order, drug, route], kind="RDE")
    billed = day.later(seen, 2, 6)
    day.say(billed, "P01", [_evn("P01", billed), _pid(person), around], kind="BAR")
    paid = day.later(billed, 3, 36)
    charge = segment("FT1", {1: "1", 2: number, 4: stamp(paid), 6: "PY", 7: ("DRUG", "药费"), 10: "1", 11: "46.80"})
    day.say(paid, "P03", [_evn("P03", paid), _pid(person), around, charge], kind="DFT")
    given = day.later(paid, 2, 12)
    out = segment("RXD", {1: "1", 2: _DRUG, 3: stamp(given), 4: "1", 5: ("盒", "盒"), 7: number})
    day.say(given, "O13", [_pid(person), around, segment("ORC", {1: "RE", 2: number}), out, route], kind="RDS")


def _moved_house(day: _Day, person: Person, at: datetime) -> None:
    """A new telephone number."""
    person.phone = f"120{day.chance.randrange(10**8):08}"
    day.say(at, "A31", [_evn("A31", at), _pid(person)])


def _two_cards(day: _Day, person: Person, at: datetime) -> None:
    """Registered under a second card, and found to be the same person."""
    second = Person(f"{person.card}B", person.name, person.birth, person.sex)
    day.say(at, "A28", [_evn("A28", at), _pid(second)])
    when = day.later(at, 60, 120)
    day.say(when, "A40", [_evn("A40", when), _pid(person), segment("MRG", {1: [_cx(second.card, "IDCard")]})])


def _stranger(day: _Day, at: datetime) -> None:
    """Somebody of whom nothing is known here."""
    first = "33029919380412" + "987"
    person = Person("LWX001", "测试来客", "19380412", "M", first + check_digit(first))
    _outpatient(day, person, at)


def _admit(day: _Day, person: Person, at: datetime) -> None:
    person.stay = f"I{at:%Y%m%d}{person.card}"
    illness = day.chance.choice(_ILLNESS)
    kin = segment(
        "NK1", {1: "1", 2: "测试家属", 3: ("2", "子"), 5: [("", "", "", "", "", "", "", "", f"121{day.chance.randrange(10**8):08}")]}
    )
    dg1 = segment("DG1", {1: "1", 3: (illness[0], illness[1], "ICD10"), 6: "A"})
    day.say(at, "A01", [_evn("A01", at), _pid(person), kin, _pv1(day, person, at), dg1])


def _discharge(day: _Day, person: Person, at: datetime, admitted: datetime) -> None:
    day.say(at, "A03", [_evn("A03", at), _pid(person), _pv1(day, person, admitted, discharged=at)])


def _report(day: _Day, person: Person, at: datetime, *, abnormal: bool) -> None:
    lines = [_pid(person), segment("PV1", {2: person.stay[:1], 19: person.stay})]
    lines.append(
        segment("OBR", {1: "1", 2: f"P{person.stay}", 3: f"L{person.stay}", 4: ("BIO", "生化"), 7: stamp(at), 22: stamp(at), 25: "F"})
    )
    for index, (code, name, unit, low, high, places) in enumerate(_TESTS, start=1):
        value = day.chance.uniform(low, high)
        flag = "M"
        if abnormal and index == 1:
            value, flag = high * 1.6, "H"
        reference = f"{low:.{places}f}-{high:.{places}f}"
        fields: dict[int, Value] = {
            1: str(index),
            2: "NM",
            3: (code, name),
            5: f"{value:.{places}f}",
            6: unit,
            7: reference,
            8: flag,
            11: "F",
        }
        lines.append(segment("OBX", fields))
    day.say(at, "R01", lines, kind="ORU")


def _evn(event: str, at: datetime) -> str:
    return segment("EVN", {1: event, 2: stamp(at)})


def _cx(value: str, kind: str) -> tuple[str, ...]:
    return (value, "", "", "", kind)


def _pid(person: Person) -> str:
    numbers = [_cx(person.card, "IDCard")] + ([_cx(person.citizen_id, "IdentifyNO")] if person.citizen_id else [])
    fields: dict[int, Value] = {1: "1", 3: list(numbers), 5: person.name, 7: person.birth and f"{person.birth}000000", 8: person.sex}
    if person.address:
        fields[11] = [(person.address, "", "", "", "", "", "H")]
    if person.phone:
        fields[13] = [("", "", "", "", "", "", person.phone)]
    return segment("PID", fields)


def _pv1(day: _Day, person: Person, admitted: datetime, discharged: datetime | None = None) -> str:
    ward, name = day.chance.choice(_WARDS)
    fields: dict[int, Value] = {
        1: "1",
        2: "I",
        3: (ward, "", str(day.chance.randint(1, 40)), day.hospital, name),
        7: day.chance.choice(_DOCTORS),
    }
    fields |= {19: person.stay, 44: stamp(admitted)}
    if discharged:
        fields[45] = stamp(discharged)
    return segment("PV1", fields)


def _known(patient: Resource, index: int, hospital: str) -> Person:
    citizen = next((one["value"] for one in patient.get("identifier", []) if one.get("system") == CITIZEN_ID), "")
    name = _first(patient, "name").get("text", "")
    sex = {"male": "M", "female": "F"}.get(patient.get("gender", ""), "U")
    address = _first(patient, "address").get("text", "")
    prefix = "".join(part[:1] for part in hospital.upper().split("-"))
    return Person(f"{prefix}{index + 1:05}", name, str(patient.get("birthDate", "")).replace("-", ""), sex, citizen, address=address)


def _first(patient: Resource, element: str) -> Resource:
    found: list[Resource] = patient.get(element, [])
    return found[0] if found else {}
