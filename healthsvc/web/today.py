"""今日 the first page: the day's lanes and map, what is overdue and due, and the button that plans the day."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.dayplan.later import day_underway
from healthsvc.dayplan.service import next_planned, set_pin
from healthsvc.errors import Malformed
from healthsvc.healthfile.rules import Person
from healthsvc.infusion.lately import Reacted, reactions_lately
from healthsvc.store import Store
from healthsvc.visit.pending import pending
from healthsvc.visit.ward import Lying, coming_home
from healthsvc.web import board as boards
from healthsvc.web.lookup import Directory
from healthsvc.web.planning import ask_for_plan, planning_of
from healthsvc.web.progress import bar_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
KINDS = {"quarterly-checkup": "main", "home-bed-round": "blue", "home-infusion": "violet", "follow-up": "amber", "admission-visit": "amber"}
"""Kind of visit -> colour of its chip."""
_FIRST = 12
_MANY = 100
_LEFT_OVER = 40
AHEAD = 7
"""Days that a day without visits looks ahead for the next that has some."""


def the_day(on: Annotated[str, Query(pattern=r"\d{4}-\d{2}-\d{2}|")] = "") -> date | None:
    """The day that a page is asked for; None means today."""
    try:
        return date.fromisoformat(on) if on else None
    except ValueError:
        raise Malformed("a day is written 2026-11-23") from None


Day = Annotated[date | None, Depends(the_day)]


@router.get("/")
def today(page: SignedPage, store: StoreReading, day: Day, all: bool = False) -> Response:
    """The day, mine or everybody's."""
    on = day or store.today
    mine = None if all else mine_of(page)
    names = Directory(store)
    seen = boards.board(store, on, names, mine)
    going = day_underway(store, on) if page.who and page.who.may("plan") else None
    return page.show(
        "today.html",
        board=seen,
        on=on,
        mine=mine,
        everybody=all,
        overdue=boards.rows(seen.overdue[:_FIRST], on, store, names),
        due=boards.rows(seen.due[:_FIRST], on, store, names),
        hours=boards.hours(seen.lanes, on),
        strip=boards.strip,
        before=on - timedelta(days=1),
        after=on + timedelta(days=1),
        planning=planning_of(store, on, _LEFT_OVER),
        work=bar_of(page, going, go=True) if going else None,
        coming=None if seen.lanes else next_planned(store, on, AHEAD),
        kinds=KINDS,
        reactions=reactions_of(store, on, mine, names),
        homecoming=homecoming_of(store, on, mine, names),
    )


@router.get("/day/list")
def waiting_list(page: SignedPage, store: StoreReading, day: Day, what: str = "overdue", all: bool = False, start: int = 0) -> Response:
    """Everything that is overdue, or due, a hundred at a time."""
    on = day or store.today
    overdue, due = pending(store, on, None if all else mine_of(page))
    found = overdue if what == "overdue" else due
    rows = boards.rows(found[max(start, 0) : start + _MANY], on, store, Directory(store))
    return page.show("waiting.html", rows=rows, what=what, on=on, total=len(found), start=start, many=_MANY, everybody=all, kinds=KINDS)


@router.post("/day/plan", dependencies=[needs("plan")])
def plan(store: StoreWriting, on: Annotated[date, Form()]) -> Response:
    """Leave the planning of the day to a worker and come back to the day, which shows how far it has come."""
    ask_for_plan(store, on)
    return RedirectResponse(f"/?on={on.isoformat()}&all=true", status_code=303)


@router.post("/day/pin", dependencies=[needs("plan")])
def pin(
    store: StoreWriting, on: Annotated[date, Form()], task: Annotated[str, Form()], pinned: Annotated[bool, Form()] = False
) -> Response:
    """Confirm a planned visit, so that planning anew leaves it where it is; or free it again."""
    set_pin(store, on, task, pinned)
    return RedirectResponse(f"/?on={on.isoformat()}&all=true", status_code=303)


def mine_of(page: Page) -> str | None:
    """``Practitioner/x`` of whoever reads, if they visit people themselves."""
    return page.who.session.practitioner if page.who and page.who.session else None


def homecoming_of(store: Store, on: date, mine: str | None, names: Directory) -> list[tuple[Lying, Person]]:
    """Who of whoever reads is expected home from hospital, with the person; nobody on another day than today, or for who visits nobody."""
    return [(one, names.person(one.patient)) for one in coming_home(store, on, mine)] if mine and on == store.today else []


def reactions_of(store: Store, on: date, mine: str | None, names: Directory) -> list[tuple[Reacted, Person]]:
    """Reactions to a drip that concern whoever reads (None: everybody's) with the person; none on another day than today."""
    is_today = on == store.today
    return [(one, names.person(one.person)) for one in reactions_lately(store, on, mine)] if is_today else []
