"""紧急查阅 look at somebody outside one's area: by a whole number and with a reason; and the list of those who review it."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access import glass
from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Invalid, NotFound, Refusal
from healthsvc.store import Store
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.window import answer

router = APIRouter()


@router.get("/glass", dependencies=[needs("read-clinical")])
def form(page: SignedPage, store: StoreReading) -> Response:
    """The form: a number and a reason."""
    return _form(page, store)


@router.post("/glass", dependencies=[needs("read-clinical")])
def look(
    page: SignedPage, store: StoreWriting, number: Annotated[str, Form(max_length=64)], reason: Annotated[str, Form()] = ""
) -> Response:
    """Open the file of the one person with this number."""
    try:
        with store.savepoint():
            with store.wholly():
                found = answer(store, number.strip().upper()).patient
            if found is None:
                raise NotFound("nobody has this number; check it, or ask the centre", reason="glass-nobody")
            glass.break_glass(store, found, reason)
    except Invalid:
        return _form(page, store, wrong=page.say("这不是有效的证件号码，请核对后重新输入。"), reason=reason, status=422)
    except Refusal as refusal:
        return _form(page, store, wrong=page.told(refusal), reason=reason, status=refusal.status)
    return RedirectResponse(f"/people/{found}", status_code=303)


@router.get("/glass/review", dependencies=[needs("review")])
def reviews(page: SignedPage, store: StoreReading, all: bool = False) -> Response:
    """Emergency looks that wait for a review, or all."""
    return page.show("glass_review.html", looks=glass.looks(store, waiting=not all), all=all, wrong="")


@router.post("/glass/review/{id}", dependencies=[needs("review")])
def reviewed(
    page: SignedPage, store: StoreWriting, id: int, justified: Annotated[bool, Form()], note: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Say whether a look was justified."""
    try:
        with store.savepoint():
            glass.review(store, id, justified=justified, note=note)
    except Refusal as refusal:
        return page.show("glass_review.html", status=refusal.status, looks=glass.looks(store), all=False, wrong=page.told(refusal))
    return RedirectResponse("/glass/review", status_code=303)


def _form(page: Page, store: Store, *, wrong: str = "", reason: str = "", status: int = 200) -> Response:
    minutes = glass.glass_policy(store).glass_minutes
    return page.show("glass.html", status=status, wrong=wrong, reason=reason, minutes=minutes)
