"""我的 one's own pages: the day in order with the way there, what is overdue, whom one has signed; and the sheet to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from fastapi import APIRouter, Response

from healthsvc.access.door import StoreNearby, StoreReading
from healthsvc.contract.delivery import fulfilments
from healthsvc.contract.fulfilment import Fulfilment
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement
from healthsvc.errors import RuleViolation
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.store import Store
from healthsvc.visit.pending import pending, pressing
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import OPEN, Priority, Standing, Visit, days_late, standing
from healthsvc.visit.ward import Lying, lying
from healthsvc.web import board as boards
from healthsvc.web.lookup import Directory, allergies_of
from healthsvc.web.order import bundled
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import AHEAD, KINDS, Day, homecoming_of, mine_of, reactions_of
from healthsvc.web.values import value_of

router = APIRouter()
_MOST: Final = 500
"""Signed people on one page: more than one doctor may sign anywhere."""
_PRESSURE: Final = "85354-9"


@dataclass(frozen=True, slots=True)
class Call:
    """One stop of the day, with what one needs to know before the door."""

    stop: boards.Stop
    person: Person
    age: int | None
    allergies: list[str]
    illnesses: list[str]
    pressure: str
    """The last blood pressure and its day."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A person under contract with me, and what comes next for them."""

    agreement: Agreement
    person: Person
    age: int | None
    next: Visit | None
    days: int | None
    """Days that the next visit is overdue; negative: days that are left."""
    fulfilment: Fulfilment
    stay: Lying | None
    """The stay in a ward, where the person lies in one."""


@router.get("/mine/day")
def my_day(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """My stops of a day, in the order of the way."""
    on = day or today(store)
    found = _calls(page, store, on)
    return page.show(
        "mine_day.html",
        on=on,
        coming=None if found["calls"] else _next_mine(page, store, on),
        before=on - timedelta(days=1),
        after=on + timedelta(days=1),
        kinds=KINDS,
        way_to=way_to,
        reactions=reactions_of(store, on, _me(page), Directory(store)),
        homecoming=homecoming_of(store, on, _me(page), Directory(store)),
        **found,
    )


@router.get("/mine/sheet")
def sheet(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """The day sheet 出诊单, to print."""
    on = day or today(store)
    store.audit("print", None, purpose="day sheet")
    return page.show("mine_sheet.html", on=on, **_calls(page, store, on))


@router.get("/mine/overdue")
def overdue(page: SignedPage, store: StoreReading) -> Response:
    """My overdue visits: the most pressing first, one household together."""
    on, names = today(store), Directory(store)
    late, _ = pending(store, on, _me(page))
    rows = boards.rows(sorted(late, key=pressing), on, store, names)
    return page.show("mine_overdue.html", households=bundled(rows, lambda one: one.face.address), total=len(rows), kinds=KINDS)


@router.get("/mine/people")
def people(page: SignedPage, store: StoreNearby, only: str = "") -> Response:
    """Whom I have signed, or nurse: who is overdue first, then by priority and due day, one household together."""
    found = _signed(store, _me(page))
    counts = {"": len(found), **{name: sum(map(test, found)) for name, test in _ONLY.items()}}
    shown = [one for one in found if _ONLY[only](one)] if only in _ONLY else found
    return page.show(
        "mine_people.html",
        households=bundled(shown, lambda one: one.person.address),
        counts=counts,
        only=only,
        total=len(shown),
        kinds=KINDS,
    )


_ONLY: Final[dict[str, Any]] = {
    "overdue": lambda one: one.days is not None and one.days > 0,
    "soon": lambda one: one.days is not None and -30 <= one.days <= 0,
    "none": lambda one: one.next is None,
    "ward": lambda one: one.stay is not None,
}
"""What the list may be narrowed to."""


def _me(page: Page) -> str:
    me = mine_of(page)
    if me is None:
        raise RuleViolation("this page is for doctors and nurses who visit; the account belongs to none", reason="mine-nobody")
    return me


def _calls(page: Page, store: Store, on: date) -> dict[str, Any]:
    me, names = _me(page), Directory(store)
    lanes = boards.lanes(store, on, names, me)
    stops = lanes[0].stops if lanes else ()
    done = sum(one.state == "finished" for one in stops)
    return {"calls": [_call(store, stop, names.person(stop.visit.person), on) for stop in stops], "name": names.staff(me), "done": done}


def _next_mine(page: Page, store: Store, after: date) -> date | None:
    """The next day that has visits of mine, as far as Today looks ahead; None where none has."""
    coming = (after + timedelta(days=number) for number in range(1, AHEAD + 1))
    return next((on for on in coming if boards.lanes(store, on, Directory(store), _me(page))), None)


def _call(store: Store, stop: boards.Stop, person: Person, on: date) -> Call:
    id = follow(store, stop.visit.person)["id"]
    files = [id, *replaced(store, id)]
    codes = [one.get("code", {}) for one in problems_of(store, files)]
    texts = [code.get("text") or next((c.get("display", "") for c in code.get("coding", [])), "") for code in codes]
    measured = [one for one in store.select("Observation", patient=files, code=_PRESSURE) if "effectiveDateTime" in one]
    last = max(measured, key=lambda one: str(one["effectiveDateTime"]), default=None)
    pressure = f"{value_of(last).text} · {last['effectiveDateTime'][:10]}" if last else ""
    return Call(stop, person, age_on(person, on), allergies_of(store, id), list(dict.fromkeys(filter(None, texts))), pressure)


def _signed(store: Store, me: str) -> list[Signed]:
    on = today(store)
    contracts = {
        one["id"]: one for role in ("signed-doctor", "paired-nurse") for one in store.select("Contract", **{role: me}, status="executed")
    }
    agreements = [to_agreement(one) for one in contracts.values() if is_family_doctor(one)][:_MOST]
    kept = fulfilments(store, agreements, on)
    soonest = _soonest(store, [one.person for one in agreements])
    stays = {one.patient: one for one in reversed(lying(store))} if agreements else {}
    found = [_one(store, one, soonest.get(one.person), kept[one.id], on, stays) for one in agreements]
    return sorted(found, key=_order)


def _soonest(store: Store, persons: Sequence[str]) -> dict[str, Visit]:
    """The visit of each person that presses most, of those that still wait or are on hold."""
    found: dict[str, Visit] = {}
    tasks = store.select("Task", patient=list(persons), status=[status.value for status in OPEN]) if persons else []
    for visit in sorted(map(to_visit, filter(is_visit, tasks)), key=lambda one: (one.window.end, one.id)):
        found.setdefault(visit.person, visit)
    return found


def _one(store: Store, agreement: Agreement, visit: Visit | None, fulfilment: Fulfilment, on: date, stays: Mapping[str, Lying]) -> Signed:
    store.audit("read", f"Patient/{agreement.person}", patient=agreement.person, purpose="list")
    patient = store.find("Patient", agreement.person)
    person = to_person(patient) if patient else Person("")
    waits = visit is not None and standing(visit, store.at) in (Standing.OVERDUE, Standing.DUE, Standing.UPCOMING)
    days = days_late(visit.window, on, store.zone) if visit is not None and waits else None
    stay = stays.get(str(follow(store, agreement.person)["id"])) if patient and stays else None
    return Signed(agreement, person, age_on(person, on), visit, days, fulfilment, stay)


def _order(one: Signed) -> tuple[bool, int, float, str]:
    """Overdue before the rest, then by priority and due day; who has nothing to come is last."""
    if one.next is None:
        return True, len(Priority), 0, one.person.name
    rank, due = pressing(one.next)
    return not (one.days is not None and one.days > 0), rank, due.timestamp(), one.person.name


def age_on(person: Person, on: date) -> int | None:
    """Whole years on a day; None where the birth is not known."""
    if person.birth is None:
        return None
    return on.year - person.birth.year - ((on.month, on.day) < (person.birth.month, person.birth.day))


def way_to(person: Person) -> str:
    """A link that the phone's own map opens; empty where the position is not known. No other host is asked."""
    if person.position is None:
        return ""
    at = f"{person.position.latitude:.5f},{person.position.longitude:.5f}"
    return f"geo:{at}?q={at}"
