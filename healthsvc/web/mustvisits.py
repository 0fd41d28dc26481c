"""五必到 the list of must-visits: who is to be visited, why, until when; and a form to say that somebody came."""

from typing import Annotated, Final

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
_MOST: Final = 200


@router.get("/mustvisits")
def mustvisits(page: SignedPage, store: StoreNearby, day: Day, occasion: Occasion | None = None) -> Response:
    """What is on the list, the most pressing first."""
    return _list(page, store, day, occasion)


@router.post("/mustvisits/{id}")
def come(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    by: Annotated[str, Form(max_length=80)] = "",
    mode: Annotated[str, Form(max_length=20)] = "visit",
    note: Annotated[str, Form(max_length=1000)] = "",
    occasion: Annotated[Occasion | None, Form()] = None,
) -> Response:
    """Somebody has come, or has called."""
    try:
        with store.savepoint():
            service.come(store, id, by, mode=mode, note=note)
    except Refusal as refusal:
        return _list(page, store, None, occasion, page.told(refusal))
    return RedirectResponse("/mustvisits" + (f"?occasion={occasion}" if occasion else ""), status_code=303)


def _list(page: Page, store: Store, day: Day, occasion: Occasion | None, refused: str = "") -> Response:
    on = day or today(store)
    everything = service.listed(store, on)
    found = [one for one in everything if occasion in (None, one.occasion)]
    names = Directory(store)
    return page.show(
        "mustvisits.html",
        status=422 if refused else 200,
        on=on,
        rows=[(one, names.person(one.patient), names.staff(one.owner)) for one in found[:_MOST]],
        total=len(found),
        counts={one: sum(it.occasion is one for it in everything) for one in Occasion},
        occasion=occasion,
        names=OCCASION_NAMES,
        modes=service.MODES,
        me=page.who.actor.name if page.who else "",
        refused=refused,
    )
