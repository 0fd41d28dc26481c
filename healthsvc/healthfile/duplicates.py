"""疑似重复档案: which other files may be the same person, with the reasons; a human decides, nothing is merged by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from healthsvc.fhir.json import Resource
from healthsvc.fhir.pinyin import spellings
from healthsvc.fhir.systems import CITIZEN_ID, UNVERIFIED_CITIZEN_ID
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class LikenessPolicy:
    """Filled from ``policy/healthfile.toml``."""

    likeness: dict[str, int]
    """Points for each thing that two files have in common, or that speaks against."""
    likeness_threshold: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another file that may be the same person."""

    patient: str
    score: int
    reasons: tuple[str, ...]


def compare(one: Person, other: Person, points: dict[str, int]) -> tuple[int, tuple[str, ...]]:
    """How much speaks for two files being one person: the sum of the points, and what was found."""
    found = [
        *_names(one.name, other.name),
        *_births(one.birth, other.birth),
        *_numbers(_citizen_ids(one), _citizen_ids(other)),
    ]
    if {_digits(phone) for phone in one.phones} & {_digits(phone) for phone in other.phones}:
        found.append("same-phone")
    if one.address and one.address == other.address:
        found.append("same-address")
    if {one.sex, other.sex} == {"male", "female"}:
        found.append("other-sex")
    return sum(points.get(reason, 0) for reason in found), tuple(found)


def duplicates(store: Store, patient: str) -> list[Likeness]:
    """Files in force that may be the same person as this one, most alike first.

    Looked at are the files with the same birth date, telephone number or name (pinyin counts, so 王珊 and 王姗 meet).
    """
    policy = store.policy.fill(LikenessPolicy, "healthfile", today(store))
    file = follow(store, patient)
    person = to_person(file)
    found = []
    for id, other in _candidates(store, person).items():
        if id == file["id"] or links(other, "replaced-by"):
            continue
        score, reasons = compare(person, to_person(other), policy.likeness)
        if score >= policy.likeness_threshold:
            found.append(Likeness(id, score, reasons))
    return sorted(found, key=lambda one: (-one.score, one.patient))


def _candidates(store: Store, person: Person) -> dict[str, Resource]:
    found: list[Resource] = []
    if person.birth:
        found += store.select("Patient", birthdate=person.birth.isoformat())
    for phone in person.phones:
        found += store.select("Patient", phone=phone)
    for spelling in _full(person.name):
        found += store.select("Patient", pinyin=spelling)
    return {one["id"]: one for one in found}


def _names(one: str, other: str) -> list[str]:
    if not one or not other:
        return []
    if one == other:
        return ["same-name"]
    return ["same-sound"] if set(_full(one)) & set(_full(other)) else ["other-name"]


def _births(one: date | None, other: date | None) -> list[str]:
    if one is None or other is None:
        return []
    if one == other:
        return ["same-birth"]
    swapped = (one.year, one.month, one.day) == (other.year, other.day, other.month)
    slip = sum(a != b for a, b in zip(one.isoformat(), other.isoformat(), strict=True)) == 1
    return ["near-birth"] if swapped or slip else ["other-birth"]


def _numbers(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Two valid citizen ids that differ speak against; one that was mistyped may be the other."""
    if not one or not other:
        return []
    slips = min(sum(a != b for a, b in zip(x, y, strict=False)) + abs(len(x) - len(y)) for x in one for y in other)
    if slips == 0:
        return ["same-number"]
    return ["near-number"] if slips <= 2 else ["other-number"]


def _citizen_ids(person: Person) -> list[str]:
    return [one.value for one in person.identifiers if one.system in (CITIZEN_ID, UNVERIFIED_CITIZEN_ID)]


def _full(name: str) -> list[str]:
    """The full spellings of a name, without its initials."""
    return [spelling for spelling in spellings(name) if len(spelling) > len(name)]


def _digits(phone: str) -> str:
    return "".join(mark for mark in phone if mark.isdigit())[-11:]
