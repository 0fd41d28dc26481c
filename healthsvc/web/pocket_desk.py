"""随身交办 records of phones that were left to the desk or put aside: both sides, and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Malformed, Refusal
from healthsvc.pocket import ledger
from healthsvc.web.lookup import Directory
from healthsvc.web.pocket import Sealing
from healthsvc.web.pocket_sent import Sent
from healthsvc.web.pocket_sides import sides
from healthsvc.web.render import Page, SignedPage

router = APIRouter()


@router.get("/pocket/desk")
def desk(page: SignedPage, store: StoreReading, all: bool = False) -> Response:
    """What waits for a look; or everything that was put aside."""
    names = Directory(store)
    rows = [(one, names.person(one.patient)) for one in ledger.aside(store, waiting=not all)]
    return page.show("pocket_desk.html", rows=rows, all=all)


@router.get("/pocket/desk/{key}")
def look(key: str, page: SignedPage, store: StoreReading, seal: Sealing) -> Response:
    """One record: what was written on the phone beside what stands here."""
    return _show(key, page, store, seal)


@router.post("/pocket/desk/{key}")
def handled(
    key: str, page: SignedPage, store: StoreWriting, seal: Sealing, request: Request, note: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Somebody has dealt with it, and says how."""
    try:
        with store.savepoint():
            ledger.handle(store, key, note)
    except Refusal as refusal:
        return _show(key, page, store, seal, page.told(refusal), refusal.status)
    return RedirectResponse("/pocket/desk", status_code=303)


def _show(key: str, page: Page, store: StoreReading, seal: Sealing, wrong: str = "", status: int = 200) -> Response:
    aside, said = ledger.read_aside(store, seal, key)
    try:
        sent = Sent.model_validate(said)
    except ValidationError:
        raise Malformed("this record was written by another version and cannot be shown", reason="pocket-old-record") from None
    store.audit("read", f"Task/{aside.task}", patient=aside.patient, purpose="pocket")
    names = Directory(store)
    return page.show(
        "pocket_aside.html", status=status, aside=aside, person=names.person(aside.patient), sides=sides(store, page, sent), wrong=wrong,
        handler=names.staff(aside.handler) or aside.handler,
    )  # fmt: skip
