"""Checkups over HTTP: completing one with its self-care answers, and what kind of day a date is."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter, Response

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.checkup import deciding, service
from healthsvc.checkup.calendar import look_up, site_calendar
from healthsvc.checkup.reminders import acknowledge, open_reminders
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.visit.endpoints import Made, bundle, fhir

router = APIRouter(prefix="/api/checkup", tags=["每季上门体检 Quarterly checkup"])


class CheckupMade(Made):
    """What a checkup has found; ``self_care`` holds the points of the five items where they were asked."""

    self_care: dict[str, int] | None = None


@router.post("/{task}/complete")
def complete(task: str, made: CheckupMade, store: StoreWriting) -> Response:
    """A checkup has been made; gives its Task, Encounter, Observations and warnings."""
    return fhir(bundle(service.complete(store, task, made.findings, made.by, made.self_care).visit))


@router.get("/day/{on}")
def day(on: date, store: StoreReading) -> dict[str, Any]:
    """Whether a day is worked, which holiday it is, and whether the year's calendar is only provisional."""
    return asdict(look_up(on, site_calendar(store.policy, on)))


@router.get("/reminders")
def reminders(store: StoreReading, recipient: str | None = None) -> list[Resource]:
    """Reminders that nobody has acknowledged."""
    return open_reminders(store, recipient)


@router.post("/reminders/{reminder}/acknowledge")
def seen(reminder: str, store: StoreWriting) -> Resource:
    """Whoever was told has seen it."""
    return acknowledge(store, reminder)


@router.get("/decisions/{decision}/replay")
def replay(decision: str, store: StoreReading) -> dict[str, Any]:
    """Make a stored decision again, with its own rule version, inputs and parameters: the same, or what is different."""
    store.audit("replay", f"GuidanceResponse/{decision}", patient=_whose(store, decision))
    return asdict(deciding.replay(store, decision))


def _whose(store: Store, decision: str) -> str:
    return str(store.read("GuidanceResponse", decision)["subject"]["reference"]).rpartition("/")[2]
