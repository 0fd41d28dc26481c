"""Who a message is about: PID, NK1 and MRG as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from healthsvc.fhir.systems import CITIZEN_ID
from integrations.hl7v2.again import Again
from integrations.hl7v2.er7 import Message, Part, Segment
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps.take import system_of
from integrations.hl7v2.values import (
    NOTHING_CODED,
    Coded,
    Moment,
    Name,
    Phone,
    address,
    clean,
    coded,
    day_of,
    moment,
    name,
    number_of,
    phones,
)
from integrations.hospitals.profile import Profile


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a person: what system it is of, and whether it may identify."""

    system: str
    value: str
    identity: bool = True
    place: str = "PID-3"
    """HL7 position where it stood."""

    @property
    def is_citizen_id(self) -> bool:
        """Whether it claims to be a citizen identity number."""
        return self.system == CITIZEN_ID


@dataclass(frozen=True, slots=True)
class Kin:
    """Somebody to be called for the person (NK1)."""

    name: str
    relation: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Demographics:
    """A person as a hospital describes them. None and empty mean "not said"; ``erased`` names what the sender wants deleted (``""``)."""

    numbers: tuple[Number, ...] = ()
    name: Name | None = None
    sex: str | None = None
    """FHIR administrative-gender."""
    sex_sent: str = ""
    birth: Moment | None = None
    phones: tuple[Phone, ...] = ()
    address: str = ""
    marital: Coded = NOTHING_CODED
    marital_system: str = ""
    """Of its code: the system that is named, else the hospital's own."""
    died: Moment | None = None
    dead: bool = False
    kin: tuple[Kin, ...] = ()
    erased: frozenset[str] = frozenset()
    """HL7 positions that carried the null ``""``."""
    doubts: tuple[str, ...] = ()
    """HL7 positions whose content could not be read and was left aside."""


def demographics(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Demographics:
    """Read the person of a message from its first PID and all NK1."""
    return person_of(message["PID"], message.all("NK1"), header, profile, zone)


def person_of(pid: Segment, next_of_kin: list[Segment], header: Header, profile: Profile, zone: tzinfo) -> Demographics:
    """Read one PID, with the NK1 that belong to it."""
    texts = (pid.raw, *(segment.raw for segment in next_of_kin))
    also = (pid.cut, profile.hospital_of(header), zone)
    return _PEOPLE.read(profile, texts, also, lambda: _person_of(pid, next_of_kin, header, profile, zone))


def _person_of(pid: Segment, next_of_kin: list[Segment], header: Header, profile: Profile, zone: tzinfo) -> Demographics:
    nothing = profile.nothing
    doubts = []
    sex_sent = clean(pid[8].component(1).text, nothing)
    sex = profile.sex.get(sex_sent.casefold()) or (profile.sex.get(pid[8].component(2).text.strip().casefold()) if sex_sent else None)
    if sex_sent and sex is None:
        doubts.append("PID-8")
    birth_text = clean(pid[7].component(1).text, nothing)
    birth = day_of(birth_text)
    if birth_text and birth is None:
        doubts.append("PID-7")
    marital = coded(pid[16], nothing)
    home = phones(pid[13], "home", nothing)
    work = [phone for phone in phones(pid[14], "work", nothing) if phone.value not in {p.value for p in home}]
    return Demographics(
        numbers=numbers_of(pid, header, profile),
        name=name(pid[5], nothing),
        sex=sex,
        sex_sent=sex_sent,
        birth=birth,
        phones=(*home, *work),
        address=address(pid[11], nothing),
        marital=marital,
        marital_system=system_of(marital.system, profile.hospital_of(header), "marital") if marital else "",
        died=moment(pid[29].component(1).text, zone),
        dead=pid[30].text.strip().upper() in ("Y", "1", "是"),
        kin=tuple(_kin(segment, nothing) for segment in next_of_kin if name(segment[2], nothing)),
        erased=frozenset(f"PID-{number}" for number in (5, 7, 8, 11, 13, 14, 16) if pid[number].is_null),
        doubts=tuple(doubts),
    )


def numbers_of(pid: Segment, header: Header, profile: Profile) -> tuple[Number, ...]:
    """The numbers of a PID, each once: PID-3 by the link's map, then PID-2 and PID-19 where they say something new."""
    also = (pid.cut, profile.hospital_of(header))
    return _NUMBERS.read(profile, (pid.raw,), also, lambda: tuple(_distinct(_candidates(pid, header, profile))))


_PEOPLE: Again[Demographics] = Again()
_NUMBERS: Again[tuple[Number, ...]] = Again()


def _distinct(numbers: Iterator[Number]) -> Iterator[Number]:
    seen: set[tuple[str, str]] = set()
    for number in numbers:
        if (number.system, number.value) not in seen:
            seen.add((number.system, number.value))
            yield number


def _candidates(pid: Segment, header: Header, profile: Profile) -> Iterator[Number]:
    yield from numbers_in(pid[3], "PID-3", header, profile)
    hospital = profile.hospital_of(header)
    for position, means in ((2, profile.pid_2), (19, profile.pid_19)):
        value = number_of(pid[position].component(1).text, profile.nothing)
        system = profile.system(means, hospital)
        if not value or system is None:
            continue
        if position == 2 and pid[3]:
            # PID-2 repeats one of PID-3 in every feed seen; alone it is the number, beside PID-3 it only could contradict
            continue
        yield Number(system, value, place=f"PID-{position}")


def numbers_in(field: Part, place: str, header: Header, profile: Profile) -> Iterator[Number]:
    """The numbers of a CX field with repetitions, by the link's map."""
    hospital = profile.hospital_of(header)
    for cx in field.repetitions:
        value = number_of(cx.component(1).text, profile.nothing)
        if not value:
            continue
        authority = cx.component(4)
        words = (*(clean(authority.subcomponent(n).text) for n in (1, 2, 3)), clean(authority.text))
        kind = clean(cx.component(5).text)
        rule = profile.number(kind, words)
        system = profile.system(rule.means, hospital, kind or next((word for word in words if word), ""))
        if system is not None:
            yield Number(system, value.upper() if system == CITIZEN_ID else value, rule.identity, place)


def _kin(segment: Segment, nothing: frozenset[str]) -> Kin:
    said = name(segment[2], nothing)
    relation = coded(segment[3], nothing)
    rings = phones(segment[5], "home", nothing) or phones(segment[6], "work", nothing)
    return Kin(said.text if said else "", relation.text or relation.code, rings[0].value if rings else "")
