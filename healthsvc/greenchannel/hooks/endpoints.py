"""``/cds-services``: discovery for everybody, the services for registered clients, and what became of a card."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from healthsvc import clock
from healthsvc.access import throttle
from healthsvc.access.door import reading_as, require, who_is_there
from healthsvc.errors import Invalid, NotFound, PreconditionFailed
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_CARD, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE, hospital_number
from healthsvc.greenchannel import service as channels
from healthsvc.greenchannel.hooks import cards
from healthsvc.greenchannel.hooks.clients import clients, verified
from healthsvc.greenchannel.rules import Answer, Standing
from healthsvc.greenchannel.rules import answer as nobody
from healthsvc.healthfile.service import today
from healthsvc.store import Actor, Store

router = APIRouter(tags=["CDS Hooks"])
_NATIONAL = (CITIZEN_ID, HEALTH_FILE_NUMBER, HEALTH_CARD, LIXIU_CERTIFICATE)
_PURPOSE = "cds-hooks"


class Call(BaseModel):
    """What a hospital's software sends (CDS Hooks 2.0, "HTTP Request")."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    hook: str
    hookInstance: str = Field(max_length=200)  # noqa: N815 - the standard's name
    context: dict[str, Any]
    prefetch: dict[str, Any] | None = None
    fhirServer: str | None = None  # noqa: N815


class Outcome(BaseModel):
    """What became of one card."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    card: str = Field(max_length=64)
    outcome: str = Field(pattern="accepted|overridden")


class Feedback(BaseModel):
    """What became of cards."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    feedback: list[Outcome] = Field(max_length=100)


class Caller:
    """Who calls, and the hospital whose numbers it speaks in (None: whoever holds a token of ours)."""

    def __init__(self, actor: Actor, hospital: str | None) -> None:
        self.actor = actor
        self.hospital = hospital


async def caller(request: Request) -> Caller:
    """Whoever calls: by a token that a registered client signed, else by a bearer token of ours with the right of a window.

    Raises:
        NotSignedIn, Forbidden: neither.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.count(".") == 2:
        known = await run_in_threadpool(clients, request.app.state.settings.data)
        client, actor = verified(secret.strip(), known, _address(request), lambda: clock.utc_now().timestamp())
        return Caller(actor, client.hospital)
    who = await who_is_there(request)
    require(who, "window")
    return Caller(who.actor, None)


Calling = Annotated[Caller, Depends(caller)]


@router.get("/cds-services")
def discovery() -> dict[str, Any]:
    """Which services there are; open to everybody, and without a word about a person."""
    return cards.discovery()


@router.post("/cds-services/{id}")
def call(id: str, asked: Call, calling: Calling, request: Request) -> dict[str, Any]:
    """The cards for the person of a call."""
    service = cards.SERVICES.get(id)
    if service is None:
        raise NotFound(f"there is no service {id[:60]!r}; GET /cds-services lists them")
    if asked.hook != service.hook:
        raise Invalid(f"{id} answers the hook {service.hook}", path="hook")
    throttle.count(request, "window", calling.actor.id)
    patient = (asked.prefetch or {}).get("patient")
    # a window answers one question about anybody, whatever the area of its token (door.py)
    with reading_as(request.app.state.database, calling.actor, whole=True) as store:
        answer = _answer(store, patient, str(asked.context.get("patientId", "")), calling.hospital, asked.fhirServer, request)
    wanted = cards.drafted(asked.context) if service.hook == "order-sign" else None
    made = cards.cards(service, answer, request.app.state.settings.site_name, str(uuid.uuid4()), wanted)
    return {"cards": made}


@router.post("/cds-services/{id}/feedback")
def feedback(id: str, told: Feedback, calling: Calling, request: Request) -> dict[str, Any]:
    """What became of cards; it goes into the audit."""
    if id not in cards.SERVICES:
        raise NotFound(f"there is no service {id[:60]!r}; GET /cds-services lists them")
    with reading_as(request.app.state.database, calling.actor) as store:
        for one in told.feedback:
            store.audit("cds-feedback", None, outcome=one.outcome, purpose=f"{id} {one.card}")
    return {}


def _answer(store: Store, patient: object, id: str, hospital: str | None, server: str | None, request: Request) -> Answer:
    """Where the person stands: by the numbers of the prefetched Patient; by its id where the caller works on our own FHIR server.

    Raises:
        PreconditionFailed: nothing tells who is meant (CDS Hooks asks for 412 where a prefetch is needed and missing).
    """
    asks = f"Organization/{hospital}".__eq__ if hospital else None
    if isinstance(patient, dict) and patient.get("resourceType") == "Patient":
        for system, value in _numbers(patient, hospital):
            told = channels.answer(store, system, value, purpose=_PURPOSE, asks=asks)
            if told.standing is not Standing.UNKNOWN:
                return told
        return nobody(None, False, None, False, today(store))
    if server is not None and server.rstrip("/") == f"{str(request.base_url).rstrip('/')}/fhir" and store.find("Patient", id):
        return channels.answer_noted(store, id, purpose=_PURPOSE, asks=asks)
    raise PreconditionFailed("send the Patient as the prefetch 'patient', with its identifiers")


def _numbers(patient: Resource, hospital: str | None) -> list[tuple[str, str]]:
    """The numbers of a Patient that mean something here: national ones by their systems, the others as the calling hospital's own."""
    found, own = [], []
    for one in patient.get("identifier", ()):
        system, value = one.get("system"), one.get("value")
        if not isinstance(value, str) or not value:
            continue
        if system in _NATIONAL:
            found.append((system, value))
        elif hospital:
            own.append((hospital_number(hospital), value))
    return found + own


def _address(request: Request) -> str:
    """The address that a token must be for: the one that was called."""
    return str(request.url.replace(query="", fragment=""))
