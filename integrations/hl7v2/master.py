"""MFN: the hospital's departments and staff. Text to values. What a site writes into Z segments is laid out in its link profile.

Of the staff only what a caller or a referral needs is taken over: number, name, department, title, telephone at work. A member of staff's
own citizen id, birth date and private address are dropped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.groups import Group, runs
from integrations.hl7v2.header import Header
from integrations.hl7v2.values import NOTHING_CODED, Coded, clean, coded, name, phones
from integrations.hospitals.profile import Profile

MASTER_EVENTS = frozenset({"M01", "M02", "M05"})
_GONE = frozenset({"MDL", "MDC"})
_BY_KEY = {**dict.fromkeys(_GONE, False), "MAC": True}
"""MFE-1 (table 0180) that needs nothing behind its MFE: who is meant stands in MFE-4."""
_FILES = {"M02": "staff", "M05": "department", "STF": "staff", "PRA": "staff", "LOC": "department"}
"""What a file holds, by the event or by MFI-1 (table 0175)."""
_AFTER = ("STF", "PRA", "LOC", "LDP", "LCH", "ORG", "EDU", "AFF", "LAN", "NTE")


@dataclass(frozen=True, slots=True)
class Staff:
    """One member of the hospital's staff."""

    number: str
    name: str
    active: bool = True
    department: Coded = NOTHING_CODED
    title: str = ""
    speciality: Coded = NOTHING_CODED
    phone: str = ""
    key: str = ""
    """MFE-4, by which later entries name them, where it is another than their number."""


@dataclass(frozen=True, slots=True)
class Department:
    """One department or ward of the hospital."""

    number: str
    name: str
    active: bool = True
    parent: str = ""
    key: str = ""
    """As :attr:`Staff.key`."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """An entry of which only its key is told: it ends, or is taken up again."""

    number: str
    """MFE-4."""
    what: str
    """staff, department; empty where neither the event nor MFI-1 says."""
    active: bool


@dataclass(frozen=True, slots=True)
class MasterFile:
    """One MFN message."""

    event: str
    staff: tuple[Staff, ...] = ()
    departments: tuple[Department, ...] = ()
    keyed: tuple[Keyed, ...] = ()


def read_master(message: Message, header: Header, profile: Profile) -> MasterFile:
    """Read MFN^M01, M02 and M05.

    Raises:
        Invalid: no entry (MFE), or an entry with nothing after it that we or the link's profile know.
    """
    groups = runs(message, "MFE", {*_AFTER, *(str(layout.get("segment", "")) for layout in profile.master.values())})
    if not groups:
        raise Invalid("the message has no MFE segment, so it changes nothing", path="MFE", reason="segment-missing")
    staff = [one for group in groups for one in _staff(group, profile)]
    departments = [one for group in groups for one in _departments(group, profile)]
    what = _FILES.get(header.trigger) or _FILES.get(clean(message["MFI"][1].component(1).text).upper(), "")
    keyed = [one for group in groups if len(group.segments) == 1 for one in _keyed(group, what, profile)]
    if not staff and not departments and not keyed:
        raise Invalid(
            "no entry is followed by STF, LOC or a Z segment that the link profile lays out ([master.staff], [master.department])",
            path="MFE",
            reason="master-unknown",
        )
    return MasterFile(header.event, tuple(staff), tuple(departments), tuple(keyed))


def _keyed(group: Group, what: str, profile: Profile) -> Iterator[Keyed]:
    number, code = _key(group, profile.nothing), clean(group.segments[0][1].text).upper()
    if number and code in _BY_KEY:
        yield Keyed(number, what, _BY_KEY[code])


def _key(group: Group, nothing: frozenset[str], number: str = "") -> str:
    """MFE-4; empty where it is the number by which the entry is known anyhow."""
    key = clean(group.segments[0][4].component(1).subcomponent(1).text, nothing)
    return "" if key == number else key


def _stays(group: Group) -> bool:
    return clean(group.segments[0][1].text).upper() not in _GONE


def _staff(group: Group, profile: Profile) -> Iterator[Staff]:
    nothing = profile.nothing
    for stf in group.all("STF"):
        said = name(stf[3], nothing)
        number = clean(stf[2].component(1).text, nothing) or clean(stf[1].component(1).text, nothing)
        pra = group.get("PRA")
        if number and said:
            rings = phones(stf[10], "work", nothing)
            yield Staff(
                number,
                said.text,
                _stays(group) and clean(stf[7].component(1).text).upper() not in ("I", "N"),
                coded(stf[8], nothing),
                coded(stf[18], nothing).text or coded(stf[18], nothing).code,
                coded(pra[5], nothing) if pra else NOTHING_CODED,
                rings[0].value if rings else "",
                _key(group, nothing, number),
            )
    layout = profile.master.get("staff", {})
    for segment in group.all(str(layout.get("segment", ""))) if layout else ():
        number, words = _field(segment, layout, "number", nothing).code, _field(segment, layout, "name", nothing)
        if number and words:
            title = _field(segment, layout, "title", nothing)
            yield Staff(
                number,
                words.text or words.code,
                _stays(group),
                _field(segment, layout, "department", nothing),
                title.text or title.code,
                phone=_field(segment, layout, "phone", nothing).code,
                key=_key(group, nothing, number),
            )


def _departments(group: Group, profile: Profile) -> Iterator[Department]:
    nothing = profile.nothing
    for loc in group.all("LOC"):
        number = clean(loc[1].component(1).subcomponent(1).text, nothing)
        if number:
            yield Department(number, clean(loc[2].text, nothing) or number, _stays(group), key=_key(group, nothing, number))
    layout = profile.master.get("department", {})
    for segment in group.all(str(layout.get("segment", ""))) if layout else ():
        number, words = _field(segment, layout, "number", nothing).code, _field(segment, layout, "name", nothing)
        if number and words:
            above = _field(segment, layout, "parent", nothing).code
            yield Department(number, words.text or words.code, _stays(group), above, _key(group, nothing, number))


def _field(segment: Segment, layout: Mapping[str, object], key: str, nothing: frozenset[str]) -> Coded:
    position = layout.get(key)
    return coded(segment[position], nothing) if isinstance(position, int) else NOTHING_CODED
