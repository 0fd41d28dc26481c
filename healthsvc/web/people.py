"""人员档案 find a person by name, pinyin, initials, id tail or phone tail. What is typed travels in the body, never in a URL."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Response

from healthsvc.access.door import StoreReading
from healthsvc.fhir.json import Resource
from healthsvc.fhir.text import fold, is_han
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.lookup import ending
from healthsvc.store.sealing.sealer import TAIL_LENGTHS
from healthsvc.web.lookup import Directory
from healthsvc.web.render import SignedPage

router = APIRouter()
_MOST: Final = 40
_TAIL: Final = min(TAIL_LENGTHS)
"""Digits that a tail needs: fewer would list half the town."""
_NUMBER = re.compile(r"[0-9Xx*]+")


@dataclass(frozen=True, slots=True)
class Found:
    """A person in the list of what was found."""

    id: str
    person: Person
    doctor: str
    age: int | None


@router.get("/people")
def people(page: SignedPage, store: StoreReading) -> Response:
    """The search field and nothing else: nobody's name shows before it is asked for."""
    return page.show("people.html", q="", found=None, most=_MOST)


@router.post("/people")
def search(page: SignedPage, store: StoreReading, q: Annotated[str, Form(max_length=60)] = "") -> Response:
    """Those whom the words may mean, as a page or, while typing, as its list."""
    found = find(store, q) if q.strip() else None
    return page.show("people.html", block="found" if page.wants_part else None, q=q.strip(), found=found, most=_MOST)


def find(store: Store, q: str) -> list[Found]:
    """Up to forty people whose name, pinyin, initials, id tail or phone tail fits; merged files do not show."""
    wanted = fold(q).strip()
    patients = _by_number(store, wanted) if _NUMBER.fullmatch(wanted) and any(c.isdigit() for c in wanted) else _by_name(store, wanted)
    current = [one for one in patients if not any(link.get("type") == "replaced-by" for link in one.get("link", []))]
    names = Directory(store)
    on = today(store)
    store.audit("search", "Patient?name,identifier,phone", purpose="search")
    found = []
    for patient in current[:_MOST]:
        person = to_person(patient)
        age = None if person.birth is None else on.year - person.birth.year - ((on.month, on.day) < (person.birth.month, person.birth.day))
        found.append(Found(patient["id"], person, names.staff(person.doctor), age))
    return sorted(found, key=lambda one: one.person.name)


def _by_name(store: Store, wanted: str) -> list[Resource]:
    """A Chinese part of the name anywhere, or Latin letters as pinyin or initials from the start."""
    if any(map(is_han, wanted)):
        return list(store.search("Patient", [("name:contains", wanted), ("_count", str(2 * _MOST))]).resources)
    letters = wanted.replace(" ", "").replace("'", "").lower()
    return list(store.search("Patient", [("pinyin", letters), ("_count", str(2 * _MOST))]).resources)


def _by_number(store: Store, wanted: str) -> list[Resource]:
    """A whole number, or the tail of an identifier or telephone number."""
    digits = wanted.upper()
    if len(digits) < _TAIL or "*" in digits:
        return []
    return ending(store, digits, 2 * _MOST)
