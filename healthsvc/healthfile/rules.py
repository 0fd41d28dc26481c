"""健康档案: the values of a person's file, risk tags with their reason, and how complete a file is."""

import re
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.healthfile.circumstances import NOTHING, Background


class Category(StrEnum):
    """干部类别: joined before the first of October 1949 (离休), or retired by age (退休)."""

    LIXIU = "lixiu"
    TUIXIU = "tuixiu"


class ContactRole(StrEnum):
    """The four whom an alarm calls, in this order (四级联系人)."""

    FAMILY = "family"
    FORMER_UNIT = "former-unit"
    COMMUNITY_WORKER = "community-worker"
    COMMUNITY_DOCTOR = "community-doctor"


class Living(StrEnum):
    """居住情况: with whom the person lives."""

    ALONE = "alone"
    COUPLE_ALONE = "couple-alone"
    """空巢: two old people by themselves."""
    WITH_FAMILY = "with-family"
    WITH_CARER = "with-carer"
    INSTITUTION = "institution"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number by which somebody knows the person."""

    system: str
    value: str
    converted: bool = False
    """A citizen id that was upgraded from 15 digits."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to be called for the person."""

    role: ContactRole
    name: str
    phone: str = ""
    relation: str = ""
    """For family: 配偶, 儿子, 女儿 ..., as told."""


@dataclass(frozen=True, slots=True)
class RiskTag:
    """Why somebody needs more attention than others."""

    code: str
    reason: str
    by_hand: bool = False
    """Set by a person (living alone ...), not derived from the file (age ...)."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where somebody lives, in WGS-84 degrees, and how we came to know it."""

    latitude: float
    longitude: float
    datum: str = "WGS-84"
    """The datum in which it was given; converted once, on entry."""
    source: str = ""
    """By whose word; empty where nobody said."""
    given: tuple[float, float] | None = None
    """Longitude and latitude as given, where another datum than WGS-84."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a health file says of who the person is. Texts may be empty, dates None: what is not known is not invented."""

    name: str
    sex: str = "unknown"
    """FHIR administrative-gender."""
    sex_code: str = ""
    """GB/T 2261.1 as it came (0 1 2 9), kept because 0 and 9 are both "unknown" in FHIR."""
    birth: date | None = None
    identifiers: tuple[Identifier, ...] = ()
    phones: tuple[str, ...] = ()
    address: str = ""
    position: Position | None = None
    contacts: tuple[Contact, ...] = ()
    category: Category | None = None
    managing_unit: str = ""
    """管理单位: the unit that keeps the person's personnel file; not where the person lives."""
    residence_area: str = ""
    """居住社区: where the person lives; every right depends on this one."""
    resettled: bool | None = None
    """易地安置: managed elsewhere, living here; None: not known."""
    living: Living | None = None
    tags: tuple[RiskTag, ...] = ()
    doctor: str | None = None
    """``Practitioner/x``: the responsible doctor (责任医生)."""
    centre: str | None = None
    """``Organization/x``: the community health centre that keeps the file."""
    deceased: date | None = None
    background: Background = NOTHING
    """工作单位、文化程度、婚姻……: what else the national form asks."""


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """Filled from ``policy/healthfile.toml``."""

    oldest_age: int
    age_bands: dict[str, int]
    risky_living: tuple[str, ...]
    completeness_weights: dict[str, int]
    chronic_count: int
    """So many long illnesses make a risk tag."""
    self_care_tags: dict[str, str]
    """Level of self-care -> risk tag."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the records beside the file say of a person: for the risk tags."""

    self_care: str = ""
    """Level of the latest self-care assessment."""
    self_care_points: int | None = None
    illnesses: int = 0
    """How many different active illnesses."""


NO_FINDINGS: Final = Findings()


_FILE_NUMBER: Final = re.compile(r"[0-9]{17}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9() -]{4,19}(?:\s*(?:转|ext\.?)\s*[0-9]{1,6})?")


def check_file_number(number: str) -> str | None:
    """A warning where a health file number is not the 17 digits of the national rule; such numbers are kept as they are."""
    if _FILE_NUMBER.fullmatch(number):
        return None
    return "the health file number is not 17 digits; it is kept as it is"


def check_phone(phone: str) -> None:
    """Refuse what cannot be dialled."""
    if not _PHONE.fullmatch(phone):
        raise RuleViolation("this is not a telephone number; write digits, for example 0574-00000000", reason="phone")


def age(birth: date, on: date) -> int:
    """Completed years of life on a day; one born on 29 February turns on 1 March in common years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def derive_tags(person: Person, policy: FilePolicy, on: date, found: Findings = NO_FINDINGS) -> tuple[RiskTag, ...]:
    """The risk tags that follow from the file and its records on a day, each with its reason; tags set by hand are kept, others are not."""
    tags = [tag for tag in person.tags if tag.by_hand]
    if person.birth is not None:
        years = age(person.birth, on)
        reached = [(start, code) for code, start in policy.age_bands.items() if years >= start]
        if reached:
            start, code = max(reached)
            tags.append(RiskTag(code, f"年满{start}周岁"))
    if person.living is not None and person.living.value in policy.risky_living:
        tags.append(RiskTag(person.living.value, "居住情况"))
    if found.self_care in policy.self_care_tags:
        points = "" if found.self_care_points is None else f" {found.self_care_points} 分"
        tags.append(RiskTag(policy.self_care_tags[found.self_care], f"自理能力评估{points}"))
    if found.illnesses >= policy.chronic_count:
        tags.append(RiskTag("multi-illness", f"{found.illnesses} 种疾病"))
    unique = {tag.code: tag for tag in reversed(tags)}
    return tuple(unique[code] for code in sorted(unique))


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of a file is there: 0 to 100, and what is missing."""

    score: int
    missing: tuple[str, ...]


def completeness(person: Person, policy: FilePolicy) -> Completeness:
    """Score a file by the weights of the policy; each contact role counts by itself (``contact:family``)."""
    roles = {contact.role.value for contact in person.contacts if contact.phone}
    systems = {one.system for one in person.identifiers}
    known = {one.name for one in fields(Person)}
    missing = []
    for item in policy.completeness_weights:
        kind, _, detail = item.partition(":")
        if kind == "contact":
            there = detail in roles
        elif kind == "identifier":
            there = any(system.endswith(detail) for system in systems)
        elif kind in known:
            there = bool(getattr(person, kind)) and getattr(person, kind) != "unknown"
        else:
            there = False
        if not there:
            missing.append(item)
    total = sum(policy.completeness_weights.values())
    lost = sum(policy.completeness_weights[item] for item in missing)
    return Completeness(round(100 * (total - lost) / total), tuple(missing))


@dataclass(frozen=True, slots=True)
class Standing:
    """One member of the staff on one day. ``since``: the earliest day on which a role began; None where the directory does not say."""

    person: str
    roles: frozenset[str]
    """``doctor``, ``nurse``: those whose registration is in force on the day."""
    since: dict[str, date]

    def years(self, role: str, on: date) -> float | None:
        """Years in a role up to a day; None where nobody wrote down since when."""
        began = self.since.get(role)
        return None if began is None else (on - began).days / 365.25
