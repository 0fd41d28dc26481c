"""人员档案 find a person by name, pinyin, initials, id tail or phone tail. What is typed travels in the body, never in a URL."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Response

from healthsvc.access.door import StoreNearby, StoreReading
from healthsvc.healthfile.finding import SHORTEST_TAIL, Kind, find_people, kind_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.web.lookup import Directory
from healthsvc.web.render import SignedPage

router = APIRouter()
_MOST: Final = 40
_SUGGESTED: Final = 8
"""People that the list under the search field of every page holds; Enter without a choice shows them all."""
Typed = Annotated[str, Form(max_length=60)]


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
    return page.show("people.html", q="", found=None, most=_MOST, too_short=False, tail=SHORTEST_TAIL)


@router.post("/people")
def search(page: SignedPage, store: StoreNearby, q: Typed = "") -> Response:
    """Those whom the words may mean, as a page or, while typing, as its list."""
    found = find(store, q, _MOST) if q.strip() else None
    block = "found" if page.wants_part else None
    return page.show("people.html", block=block, q=q.strip(), found=found, most=_MOST, too_short=_too_short(q), tail=SHORTEST_TAIL)


@router.post("/people/suggest")
def suggest(page: SignedPage, store: StoreNearby, q: Typed = "") -> Response:
    """The first few, for the list under the search field of every page."""
    found = find(store, q, _SUGGESTED) if q.strip() else None
    return page.show("suggest.html", found=found, too_short=_too_short(q), tail=SHORTEST_TAIL, more=len(found or ()) == _SUGGESTED)


def find(store: Store, q: str, most: int = _MOST) -> list[Found]:
    """Up to so many people whom the words may mean, the best fit first; merged files do not show."""
    names, on = Directory(store), today(store)
    found = []
    for patient in find_people(store, q, most):
        person = to_person(patient)
        age = None if person.birth is None else on.year - person.birth.year - ((on.month, on.day) < (person.birth.month, person.birth.day))
        found.append(Found(patient["id"], person, names.staff(person.doctor), age))
    return found


def _too_short(q: str) -> bool:
    kind, wanted = kind_of(q)
    return kind is Kind.NUMBER and len(wanted) < SHORTEST_TAIL
