"""疑似重复档案: which other files may be the same person, with the reasons; a human decides, nothing is merged by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.pinyin import full_spellings
from healthsvc.fhir.systems import CITIZEN_ID, UNVERIFIED_CITIZEN_ID, code_system
from healthsvc.healthfile.linking import SEE_ALSO
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store

_CODE: Final = code_system("file-issue")


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
    return alike(store, to_person(file := follow(store, patient)), file)


def alike(store: Store, person: Person, own: Resource | None = None) -> list[Likeness]:
    """Files in force that may be this person's, most alike first; ``own`` is the file that is not compared with itself."""
    policy = store.policy.fill(LikenessPolicy, "healthfile", today(store))
    file = own or {"id": ""}
    named = links(file, SEE_ALSO)
    linked = {one["id"]: one for one in store.select("Patient", _id=named)} if named else {}
    found = []
    for id, other in (linked | _candidates(store, person)).items():
        if id == file["id"] or links(other, "replaced-by"):
            continue
        score, reasons = _weighed(file, other, (person, to_person(other)), policy.likeness)
        if score >= policy.likeness_threshold:
            found.append(Likeness(id, score, reasons))
    return sorted(found, key=lambda one: (-one.score, one.patient))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files that may be one person's."""

    one: str
    other: str
    score: int
    reasons: tuple[str, ...]


def pairs(store: Store, most: int) -> list[Pair]:
    """The pairs of files in force that may be one person, most alike first; those that somebody has looked at and parted do not show.

    Compared are files that share a birth date, a telephone number or a name's sound, or that a hospital has linked; never all with all.
    """
    policy = store.policy.fill(LikenessPolicy, "healthfile", today(store))
    files = {one["id"]: one for one in store.select("Patient") if not links(one, "replaced-by")}
    people = {id: to_person(one) for id, one in files.items()}
    blocks: dict[str, list[str]] = {}
    for id, person in people.items():
        for key in {
            *([f"b{person.birth}"] if person.birth else []),
            *(f"t{_digits(one)}" for one in person.phones),
            *full_spellings(person.name),
        }:
            blocks.setdefault(key, []).append(id)
    parted = {one["id"] for one in store.select("DetectedIssue", code=f"{_CODE}|not-one-person")}
    met = {(a, b) for ids in blocks.values() for a in ids for b in ids if a < b}
    met |= {(min(id, other), max(id, other)) for id, one in files.items() for other in links(one, SEE_ALSO) if other in files}
    found = []
    for a, b in met:
        score, reasons = _weighed(files[a], files[b], (people[a], people[b]), policy.likeness)
        if score >= policy.likeness_threshold and _parting_id(a, b) not in parted:
            found.append(Pair(a, b, score, reasons))
    return sorted(found, key=lambda pair: (-pair.score, pair.one, pair.other))[:most]


def part(store: Store, one: str, other: str, by: str, reason: str) -> Resource:
    """Somebody has looked: these are two people. The pair does not show again; kept as a DetectedIssue with its mitigation."""
    files = sorted((one, other))
    return store.put(
        {
            "resourceType": "DetectedIssue",
            "id": _parting_id(*files),
            "status": "final",
            "code": {"coding": [{"system": _CODE, "code": "not-one-person"}], "text": "疑似重复档案：已核实为两人"},
            "patient": {"reference": f"Patient/{files[0]}"},
            "identifiedDateTime": store.at.isoformat(),
            "implicated": [{"reference": f"Patient/{file}"} for file in files],
            "mitigation": [{"action": {"text": reason or "已核实为两人"}, "date": store.at.isoformat()}],
            "detail": f"{by or store.actor.name or store.actor.id}",
        }
    )


def _parting_id(one: str, other: str) -> str:
    return f"two-people-{blake2b('|'.join(sorted((one, other))).encode(), digest_size=12).hexdigest()}"


def is_told_apart(store: Store, one: str, other: str) -> bool:
    """Whether somebody has looked at these two files and found that they are two people's."""
    return store.find("DetectedIssue", _parting_id(one, other)) is not None


def _weighed(one: Resource, other: Resource, people: tuple[Person, Person], points: dict[str, int]) -> tuple[int, tuple[str, ...]]:
    """As :func:`compare`, and whether a hospital has said that the two files are one person's."""
    score, reasons = compare(*people, points)
    if other["id"] in links(one, SEE_ALSO) or one["id"] in links(other, SEE_ALSO):
        return score + points.get("linked", 0), ("linked", *reasons)
    return score, reasons


def _candidates(store: Store, person: Person) -> dict[str, Resource]:
    found: list[Resource] = []
    if person.birth:
        found += store.select("Patient", birthdate=person.birth.isoformat())
    for phone in person.phones:
        found += store.select("Patient", phone=phone)
    for spelling in full_spellings(person.name):
        found += store.select("Patient", pinyin=spelling)
    return {one["id"]: one for one in found}


def _names(one: str, other: str) -> list[str]:
    if not one or not other:
        return []
    if one == other:
        return ["same-name"]
    return ["same-sound"] if set(full_spellings(one)) & set(full_spellings(other)) else ["other-name"]


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


def _digits(phone: str) -> str:
    return "".join(mark for mark in phone if mark.isdigit())[-11:]
