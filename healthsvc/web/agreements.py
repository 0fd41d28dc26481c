"""签约与绿色通道 sign a contract and open a green channel from a person's file; the rooms' rules decide."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreWriting
from healthsvc.contract import service as contracts
from healthsvc.greenchannel import service as greenchannel
from healthsvc.healthfile.service import today

router = APIRouter()


@router.post("/people/{id}/contract")
def sign(
    id: str, store: StoreWriting, doctor: Annotated[str, Form()], start: Annotated[date, Form()], nurse: Annotated[str, Form()] = ""
) -> Response:
    """Record a contract that both sides have signed; the checkups of its term are laid out."""
    contracts.sign(store, id, doctor, nurse or None, start)
    return RedirectResponse(f"/people/{id}", status_code=303)


@router.post("/people/{id}/green-channel")
def grant(id: str, store: StoreWriting) -> Response:
    """Open the green channel that the rules give."""
    greenchannel.grant(store, id, today(store))
    return RedirectResponse(f"/people/{id}", status_code=303)
