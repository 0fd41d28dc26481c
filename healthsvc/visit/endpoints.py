"""Visits over HTTP: what is due, and the steps of a visit's life with what a plain Task update would leave to the client."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.fhir.json import Resource, dumps
from healthsvc.visit import service
from healthsvc.visit.findings import Findings
from healthsvc.visit.rules import Visit

router = APIRouter(prefix="/api/visit", tags=["上门服务 Visits"])


class Plan(BaseModel):
    """When and by whom a visit is to be made."""

    model_config = ConfigDict(extra="forbid")

    start: AwareDatetime
    end: AwareDatetime
    staff: list[str] = Field(min_length=1, description="Practitioner/id, one or several")


class Arrival(BaseModel):
    """Who stands at the door, and since when."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime
    staff: list[str] = Field(min_length=1)


class Made(BaseModel):
    """What a visit has found, and who made it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    findings: Findings
    by: list[str] = Field(min_length=1)


class Why(BaseModel):
    """A stable reason code."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=64)


class Away(BaseModel):
    """Somebody cannot be visited for a while, or can be again."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    reason: str = Field("away", min_length=1, max_length=64)


def fhir(content: Any, status: int = 200) -> Response:
    """FHIR content with its decimals as they were written."""
    return Response(dumps(content), status, media_type="application/fhir+json")


def outline(visit: Visit) -> dict[str, Any]:
    """A visit as a list shows it: what, for whom, until when (no name)."""
    return {
        "task": visit.id,
        "kind": visit.kind,
        "title": visit.title,
        "patient": visit.person,
        "opens": visit.window.start.isoformat(),
        "due": visit.window.end.isoformat(),
        "status": visit.status.value,
        "owner": visit.owner,
    }


@router.get("/due")
def due(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """Visits that may be made on a day (today unless told)."""
    return [outline(visit) for visit in service.due(store, on or store.today)]


@router.get("/overdue")
def overdue(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """Visits whose window closed before a day (before this moment unless told)."""
    return [outline(visit) for visit in service.overdue(store, on or store.at)]


@router.post("/{task}/plan", status_code=201, dependencies=[needs("plan")])
def plan(task: str, wanted: Plan, store: StoreWriting) -> Resource:
    """Give a visit its time and staff; gives the planned Encounter."""
    return service.plan(store, task, wanted.start, wanted.end, wanted.staff)


@router.post("/{task}/start")
def start(task: str, arrival: Arrival, store: StoreWriting) -> Resource:
    """The staff stand at the door; gives the Encounter."""
    return service.start(store, task, arrival.at, arrival.staff)


@router.post("/{task}/complete")
def complete(task: str, made: Made, store: StoreWriting) -> Response:
    """A visit has been made; gives its Task, Encounter, Observations and warnings as a collection Bundle with an OperationOutcome."""
    return fhir(bundle(service.complete(store, task, made.findings, made.by)))


@router.post("/{task}/cancel")
def cancel(task: str, why: Why, store: StoreWriting) -> Resource:
    """Call a visit off."""
    return service.cancel(store, task, why.reason)


@router.post("/{task}/miss")
def miss(task: str, why: Why, store: StoreWriting) -> Resource:
    """Write a visit off as missed."""
    return service.miss(store, task, why.reason)


@router.post("/suspend")
def suspend(away: Away, store: StoreWriting) -> list[dict[str, Any]]:
    """Put a person's open visits on hold."""
    return [outline(visit) for visit in service.suspend(store, away.patient, away.reason)]


@router.post("/resume")
def resume(away: Away, store: StoreWriting) -> list[dict[str, Any]]:
    """Take a person's suspended visits up again."""
    return [outline(visit) for visit in service.resume(store, away.patient, store.at, away.reason)]


def bundle(made: service.Completed) -> Resource:
    """A completed visit as a collection Bundle."""
    found: list[Resource] = [made.task, made.encounter, *made.observations]
    if made.warnings:
        issues = [{"severity": one.severity, "code": one.code, "diagnostics": one.text} for one in made.warnings]
        found.append({"resourceType": "OperationOutcome", "issue": issues})
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in found]}
