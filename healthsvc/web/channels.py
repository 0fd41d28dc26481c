"""绿色通道 open, renew and withdraw a green channel, make its QR code; what is to be looked at; how long people really waited."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.checkup.rules import bounds
from healthsvc.errors import Refusal
from healthsvc.greenchannel import service as greenchannel
from healthsvc.greenchannel.endpoints import picture
from healthsvc.greenchannel.honour import waits_between
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.web.lookup import Directory
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import Day

router = APIRouter()
_MOST: Final = 200


@router.get("/channels")
def channels(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """Channels that somebody should look at, and the waits of the quarter by hospital and right."""
    return _channels(page, store, day or today(store))


@router.post("/channels/{id}")
def look_at(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    what: Annotated[str, Form(pattern="renew|withdraw")],
    why: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Renew or withdraw one of them; ``id`` is the person's."""
    on = today(store)
    try:
        with store.savepoint():
            if what == "renew":
                greenchannel.renew(store, id, on)
            else:
                greenchannel.withdraw(store, id, on, why)
    except Refusal as refusal:
        return _channels(page, store, on, page.told(refusal))
    return RedirectResponse("/channels", status_code=303)


@router.post("/people/{id}/green-channel")
def grant(id: str, store: StoreWriting) -> Response:
    """Open the green channel that the rules give."""
    greenchannel.grant(store, id, today(store))
    return RedirectResponse(f"/people/{id}", status_code=303)


@router.post("/people/{id}/green-channel/code")
def code(id: str, page: SignedPage, store: StoreWriting) -> Response:
    """Make the QR code, to be printed: it is shown this once, and the one before ends."""
    made = greenchannel.make_code(store, id, today(store))
    store.audit("print", f"Patient/{id}", patient=id, purpose="green-channel-code")
    name = to_person(store.read("Patient", id)).name
    return page.show("channel_code.html", id=id, name=name, svg=picture(made.text), until=made.until)


def _channels(page: Page, store: Store, on: date, refused: str = "") -> Response:
    first = bounds(on.year, (on.month + 2) // 3)[0]
    found = greenchannel.to_review(store, on)
    names = Directory(store)
    with store.wholly():
        measured = waits_between(store, first, on)
    return page.show(
        "channels.html",
        status=422 if refused else 200,
        on=on,
        first=first,
        rows=[(one, names.person(one.channel.patient)) for one in found[:_MOST]],
        total=len(found),
        waits=measured,
        rights=RIGHT_NAMES,
        reasons=REASON_NAMES,
        refused=refused,
    )
