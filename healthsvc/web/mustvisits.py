"""五必到 the list of must-visits: who is to be visited, why, until when; and a form to say that somebody came."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreNearby, StoreWriting
from healthsvc.errors import Refusal
from healthsvc.healthfile.service import today
from healthsvc.mustvisit import service
from healthsvc.mustvisit.rules import OCCASION_NAMES, Occasion
from healthsvc.store import Store
from healthsvc.web.lookup import Directory
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import Day

router = APIRouter()
_MANY: Final = 60
"""Rows on one page; each carries a form of its own."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into the form of one row that was refused, so that it stands there again."""

    id: str
    by: str
    mode: str
    note: str


NOTHING: Final = Typed("", "", "", "")


@router.get("/mustvisits")
def mustvisits(page: SignedPage, store: StoreNearby, day: Day, occasion: Occasion | None = None, start: int = 0) -> Response:
    """What is on the list, the most pressing first, page by page."""
    return _list(page, store, day, occasion, start)


@router.post("/mustvisits/{id}")
def come(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    by: Annotated[str, Form(max_length=80)] = "",
    mode: Annotated[str, Form(max_length=20)] = "visit",
    note: Annotated[str, Form(max_length=1000)] = "",
    occasion: Annotated[Occasion | None, Form()] = None,
    start: Annotated[int, Form()] = 0,
) -> Response:
    """Somebody has come, or has called; the reader goes back to the page of the list that they came from."""
    try:
        with store.savepoint():
            service.come(store, id, by, mode=mode, note=note)
    except Refusal as refusal:
        return _list(page, store, None, occasion, start, page.told(refusal), Typed(id, by, mode, note))
    back = {"occasion": occasion, "start": start}
    asked = urlencode({name: value for name, value in back.items() if value})
    return RedirectResponse("/mustvisits" + (f"?{asked}" if asked else ""), status_code=303)


def _list(page: Page, store: Store, day: Day, occasion: Occasion | None, start: int, refused: str = "", typed: Typed = NOTHING) -> Response:
    on = day or today(store)
    everything = service.listed(store, on)
    found = [one for one in everything if occasion in (None, one.occasion)]
    names = Directory(store)
    start = max(min(start, len(found) - 1) // _MANY * _MANY, 0)
    return page.show(
        "mustvisits.html",
        status=422 if refused else 200,
        on=on,
        rows=[(one, names.person(one.patient), names.staff(one.owner)) for one in found[start : start + _MANY]],
        total=len(found),
        start=start,
        many=_MANY,
        counts={one: sum(it.occasion is one for it in everything) for one in Occasion},
        occasion=occasion,
        names=OCCASION_NAMES,
        modes=service.MODES,
        me=page.who.actor.name if page.who else "",
        refused=refused,
        typed=typed,
    )
