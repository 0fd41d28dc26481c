"""绿色通道 open a green channel from a person's file; the room's rules decide."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreWriting
from healthsvc.greenchannel import service as greenchannel
from healthsvc.healthfile.service import today

router = APIRouter()


@router.post("/people/{id}/green-channel")
def grant(id: str, store: StoreWriting) -> Response:
    """Open the green channel that the rules give."""
    greenchannel.grant(store, id, today(store))
    return RedirectResponse(f"/people/{id}", status_code=303)
