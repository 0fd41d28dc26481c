"""Family-doctor contracts over HTTP: sign, transfer, renew, terminate; promised and delivered."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.contract import service
from healthsvc.contract.rules import EndReason, SignatureKind
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today

router = APIRouter(prefix="/api/contract", tags=["家庭医生签约 Family-doctor contract"])


class Signing(BaseModel):
    """A contract to be signed by both sides now."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    doctor: str = Field(description="Practitioner/id")
    nurse: str | None = Field(None, description="Practitioner/id")
    start: date | None = Field(None, description="First day; today unless told")
    months: int | None = Field(None, ge=1, le=60)
    package: str = "basic"
    number: str = ""
    kind: SignatureKind = SignatureKind.DRAWN


class Transfer(BaseModel):
    """Another doctor from a day on."""

    model_config = ConfigDict(extra="forbid")

    doctor: str
    nurse: str | None = None
    start: date | None = None
    kind: SignatureKind = SignatureKind.DRAWN


class Ending(BaseModel):
    """Why and on which day a contract ends early."""

    model_config = ConfigDict(extra="forbid")

    reason: EndReason
    on: date | None = None


@router.post("/sign", status_code=201)
def sign(wanted: Signing, store: StoreWriting, answer: Response) -> Resource:
    """Sign a contract; gives the Contract. The quarterly checkups of its term are asked for in the same step.

    The same signing again (person, doctor, first day) changes nothing and answers 200 instead of 201.
    """
    start = wanted.start or today(store)
    if (same := service.signed_already(store, wanted.patient, wanted.doctor, start)) is not None:
        answer.status_code = 200
        return same
    terms = {"months": wanted.months, "package": wanted.package, "number": wanted.number, "kind": wanted.kind}
    return service.sign(store, wanted.patient, wanted.doctor, wanted.nurse, start, **terms)  # type: ignore[arg-type]


@router.post("/{contract}/transfer", status_code=201)
def transfer(contract: str, wanted: Transfer, store: StoreWriting) -> Resource:
    """Hand the person over to another doctor; gives the new Contract."""
    return service.transfer(store, contract, wanted.doctor, wanted.nurse, wanted.start or today(store), kind=wanted.kind)


@router.post("/{contract}/renew", status_code=201)
def renew(contract: str, store: StoreWriting) -> Resource:
    """Sign on for another term; gives the new Contract."""
    return service.renew(store, contract)


@router.post("/{contract}/terminate")
def terminate(contract: str, ending: Ending, store: StoreWriting) -> Resource:
    """End a contract before its term; gives the Contract."""
    return service.terminate(store, contract, ending.reason, ending.on or today(store))


@router.get("/{contract}/fulfilment")
def fulfilment(contract: str, store: StoreReading, on: date | None = None) -> dict[str, Any]:
    """What the contract promised and what has been delivered, item by item."""
    store.audit("read", f"Contract/{contract}")
    counted = service.fulfilment(store, contract, on)
    return asdict(counted) | {"promised": counted.promised, "delivered": counted.delivered, "rate": counted.rate}


@router.get("/to-renew", dependencies=[needs("plan")])
def to_renew(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """The contracts that end soon."""
    ending = service.to_renew(store, on or today(store))
    return [{"contract": one.id, "patient": one.person, "doctor": one.doctor, "end": one.end.isoformat()} for one in ending]
