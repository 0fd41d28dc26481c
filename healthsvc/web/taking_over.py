"""转签待签 drafts that would give a person another doctor: one list to sign, and a notice for each household."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.contract.endpoints import SignatureGiven, signed_of
from healthsvc.contract.leaving import AT_ONCE, Handing, handings, sign_for_all
from healthsvc.contract.rules import Side
from healthsvc.errors import Malformed, RuleViolation
from healthsvc.store import Store
from healthsvc.web.contracts import strokes_of
from healthsvc.web.lookup import Directory, phone_of
from healthsvc.web.order import bundled
from healthsvc.web.render import SignedPage
from healthsvc.web.today import mine_of

router = APIRouter()
_MOST: Final = AT_ONCE
"""People on one list, which one hand signs in one transaction."""


@router.get("/contracts/taking-over")
def waiting(page: SignedPage, store: StoreReading, all: bool = False, signed: int | None = None) -> Response:
    """Whom another doctor is to look after, and who has signed."""
    mine = None if all else mine_of(page)
    found = handings(store, mine)
    return page.show("taking_over.html", **_shown(store, found), mine=mine, everybody=all, signed=signed, most=_MOST)


@router.post("/contracts/taking-over/signature")
def sign(
    page: SignedPage,
    store: StoreWriting,
    contract: Annotated[list[str] | None, Form()] = None,
    drawing: Annotated[str, Form(max_length=200_000)] = "",
) -> Response:
    """The doctor who takes over signs everything that is ticked, with their own hand."""
    me = mine_of(page)
    if me is None:
        raise RuleViolation("this page is for doctors and nurses who visit; the account belongs to none", reason="mine-nobody")
    if not drawing:
        raise Malformed("draw the signature first", reason="signature-empty")
    hand = signed_of(SignatureGiven(side=Side.DOCTOR, drawing=strokes_of(drawing)), store.at)
    count = sign_for_all(store, (contract or [])[:_MOST], me, hand)
    return RedirectResponse(f"/contracts/taking-over?signed={count}", status_code=303)


@router.get("/contracts/taking-over/notices")
def notices(page: SignedPage, store: StoreReading, all: bool = False) -> Response:
    """A notice for each household, to print; that it was printed is kept for everybody who stands on one."""
    found = handings(store, None if all else mine_of(page))[:_MOST]
    shown = _shown(store, found)
    for one in found:
        store.audit("print", f"Contract/{one.draft.id}", patient=one.draft.person, purpose="notice of another doctor")
    households = bundled(shown["rows"], lambda row: f"{row[1].address} {row[0].old.doctor} {row[0].draft.doctor}" if row[1].address else "")
    phones = {doctor: phone_of(store, doctor) for doctor in {one.draft.doctor for one in found}}
    return page.show("taking_over_notices.html", households=households, phones=phones, everybody=all)


def _shown(store: Store, found: list[Handing]) -> dict[str, Any]:
    """Each with the person, the doctor who leaves and the one who comes, the nurse; those that wait for the doctor first."""
    names, ordered = Directory(store), sorted(found, key=lambda one: (one.doctor_signed, one.draft.start, one.draft.id))[:_MOST]
    rows = [
        (one, names.person(one.draft.person), names.staff(one.old.doctor), names.staff(one.draft.doctor), names.staff(one.draft.nurse))
        for one in ordered
    ]
    to_sign = sum(not one.doctor_signed for one in found)
    return {"rows": rows, "total": len(found), "to_sign": to_sign, "to_visit": sum(not one.person_signed for one in found)}
