"""Referrals over HTTP."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.fhir.json import Resource
from healthsvc.referral import service
from healthsvc.referral.rules import Direction, Outcome, Reason, Referral
from healthsvc.referral.summary import document_id

router = APIRouter(prefix="/api/referral", tags=["双向转诊 Two-way referral"])


class Wanted(BaseModel):
    """A referral to be made."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    reason: Reason
    hospital: str = Field(description="Organization/id")
    requester: str = Field(description="Practitioner/id")
    urgent: bool = False
    summary: str = ""
    department: str = ""
    direction: Direction = Direction.UP


class Remark(BaseModel):
    """Why, or with what guidance."""

    model_config = ConfigDict(extra="forbid")

    remark: str = ""


class Closing(BaseModel):
    """How it ended."""

    model_config = ConfigDict(extra="forbid")

    outcome: Outcome


@router.post("", status_code=201)
def refer(wanted: Wanted, store: StoreWriting) -> dict[str, Any]:
    """Refer a person."""
    rest = wanted.model_dump(exclude={"patient", "reason", "hospital", "requester"})
    return told(service.refer(store, wanted.patient, wanted.reason, wanted.hospital, wanted.requester, **rest))


@router.get("")
def listed(store: StoreReading) -> list[dict[str, Any]]:
    """All referrals that are not over, the late ones first, with what is late."""
    found = service.standings(store)
    for one, _ in found:
        store.audit("read", f"ServiceRequest/{one.id}", patient=one.person, purpose="list")
    return [{**told(one), "late": what} for one, what in found]


@router.get("/{referral}/summary")
def summary(referral: str, store: StoreReading) -> Resource:
    """The document that went with a referral: a FHIR Bundle of type document."""
    store.audit("read", f"DocumentReference/{document_id(referral)}", patient=service.read(store, referral).person, purpose="referral")
    return service.summary(store, referral)


@router.get("/{referral}")
def read(referral: str, store: StoreReading) -> dict[str, Any]:
    """One referral and how far it has come."""
    found = service.read(store, referral)
    store.audit("read", f"ServiceRequest/{referral}", patient=found.person)
    return told(found)


@router.post("/{referral}/accept")
def accept(referral: str, store: StoreWriting) -> dict[str, Any]:
    """The hospital takes the person."""
    return told(service.accept(store, referral))


@router.post("/{referral}/refuse")
def refuse(referral: str, why: Remark, store: StoreWriting) -> dict[str, Any]:
    """The hospital does not take the person."""
    return told(service.refuse(store, referral, why.remark))


@router.post("/{referral}/withdraw")
def withdraw(referral: str, why: Remark, store: StoreWriting) -> dict[str, Any]:
    """The community takes the referral back."""
    return told(service.withdraw(store, referral, why.remark))


@router.post("/{referral}/take-back")
def take_back(referral: str, guidance: Remark, store: StoreWriting) -> dict[str, Any]:
    """The community has the person back."""
    return told(service.take_back(store, referral, guidance.remark))


@router.post("/{referral}/close")
def close(referral: str, closing: Closing, store: StoreWriting) -> dict[str, Any]:
    """End a referral with its outcome."""
    return told(service.close(store, referral, closing.outcome))


def told(referral: Referral) -> dict[str, Any]:
    """A referral as plain values."""
    return asdict(referral)
