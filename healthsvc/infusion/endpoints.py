"""Infusions over HTTP: order a course, see what the gates say, and go through the protocol at the bedside step by step."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource, dumps
from healthsvc.infusion import bedside, hospital, service
from healthsvc.infusion.overrides import confirm as confirm_override
from healthsvc.infusion.overrides import count, overridden
from healthsvc.infusion.records import Given, OfTheDay
from healthsvc.infusion.returns import confirm_return, open_returns
from healthsvc.infusion.rules.bedside import Entry, late_checks, next_check, possible
from healthsvc.infusion.rules.course import drops_a_minute
from healthsvc.infusion.rules.drugs import from_table
from healthsvc.infusion.rules.gates import GateResult
from healthsvc.infusion.rules.order import Approval, FirstDose, Order, Override, SkinTest
from healthsvc.infusion.signatures import sign
from healthsvc.infusion.watch import at_work
from healthsvc.store import Store

router = APIRouter(prefix="/api/infusion", tags=["上门输液 Home infusion"])


class Wanted(BaseModel):
    """A course to be ordered, with the evidence for its gates."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    order: Order
    consent: SignedConsent | None = None
    approval: Approval | None = None
    first_dose: FirstDose | None = None
    skin_test: SkinTest | None = None
    overrides: list[Override] = Field(default_factory=list)
    nurse: str | None = None


class Taken(BaseModel):
    """One step at the bedside; ``of_the_day`` comes with the step ``clear``."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    entry: Entry
    of_the_day: OfTheDay | None = None


class Who(BaseModel):
    """Who acts."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=64, description="Practitioner id")


class Why(BaseModel):
    """A stable reason code."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=64)


@router.get("/drugs")
def drugs(store: StoreReading) -> dict[str, Any]:
    """The site's drug list in force: version, approver, whether it is only the example, and what it says."""
    listed = from_table(service.policy_of(store).drug_list)
    entries = [{"code": one.code, "names": one.names, "verdict": listed.verdict(one), "skin_test": one.skin_test} for one in listed.drugs]
    return {"version": listed.version, "approver": listed.approver, "example": listed.example, "drugs": entries}


@router.get("/drip-rate")
def drip_rate(store: StoreReading, rate_ml_h: int, drops_per_ml: int | None = None) -> dict[str, int]:
    """Drops a minute for a rate in mL/h; the drop factor is that of the usual infusion set unless told."""
    factor = drops_per_ml if drops_per_ml is not None else service.policy_of(store).drop_factors[0]
    return {"rate_ml_h": rate_ml_h, "drops_per_ml": factor, "drops_a_minute": drops_a_minute(rate_ml_h, factor)}


@router.post("/courses", status_code=201)
def order_course(wanted: Wanted, store: StoreWriting) -> Response:
    """Order a course; its doses are asked for as visits in the same step."""
    evidence = {name: getattr(wanted, name) for name in ("consent", "approval", "first_dose", "skin_test", "overrides", "nurse")}
    return shown(service.order_course(store, wanted.order, **evidence), 201)


@router.get("/courses/{course}")
def read(course: str, store: StoreReading) -> Response:
    """A course, what the gates say of it now, and its visits."""
    return shown(service.read(store, course))


@router.post("/courses/{course}/stop")
def stop(course: str, why: Why, store: StoreWriting) -> Response:
    """Stop a course."""
    return fhir(service.stop(store, course, why.reason))


@router.get("/returns")
def returns(store: StoreReading, patient: str) -> Response:
    """Packages of a person's stopped courses that nobody has taken back yet."""
    return collection(open_returns(store, patient))


@router.post("/returns/{supply}/confirm")
def confirm(supply: str, who: Who, store: StoreWriting) -> Response:
    """Somebody has taken the packages back."""
    return fhir(confirm_return(store, supply, who.by))


@router.get("/overrides")
def overrides(store: StoreReading, patient: str | None = None) -> Response:
    """Every gate that was overridden: which, by whom, why."""
    return collection(overridden(store, patient))


@router.get("/overrides/count")
def counted(start: date, end: date, store: StoreReading) -> dict[str, Any]:
    """How many gates were overridden from a day to a day: by gate, by doctor, and how many the doctor has not confirmed."""
    return asdict(count(store, start, end))


@router.post("/overrides/{issue}/confirm")
def confirm_one(issue: str, store: StoreWriting) -> Response:
    """The doctor who is named stands by an override."""
    return fhir(confirm_override(store, issue))


@router.get("/running")
def running(store: StoreReading) -> list[dict[str, Any]]:
    """Visits at which something runs now: what is due next, by when, and how late it is."""
    return [
        {
            "visit": one.given.task,
            "nurse": one.nurse,
            "act": one.due.act,
            "due": one.due.at,
            "late_minutes": one.late_minutes,
            "level": one.level,
        }
        for one in at_work(store)
    ]


@router.post("/visits/{task}/sign", status_code=201)
def sign_check(task: str, store: StoreWriting) -> Response:
    """Whoever is signed in has checked order, drug and person of a dose."""
    return fhir(sign(store, task))


@router.get("/hospital-orders")
def hospital_orders(store: StoreReading, patient: str | None = None) -> Response:
    """Orders of hospitals that wait for a doctor of the centre."""
    return collection(hospital.waiting(store, patient))


@router.post("/hospital-orders/{proposal}/take-up", status_code=201)
def take_up(proposal: str, wanted: Wanted, store: StoreWriting) -> Response:
    """A doctor of the centre orders what the hospital has proposed."""
    evidence = {name: getattr(wanted, name) for name in ("consent", "approval", "first_dose", "skin_test", "nurse")}
    return shown(hospital.take_up(store, proposal, wanted.order, overrides=tuple(wanted.overrides), **evidence), 201)


@router.post("/hospital-orders/{proposal}/decline")
def decline(proposal: str, why: Why, store: StoreWriting) -> Response:
    """A doctor of the centre does not take a hospital's order on."""
    return fhir(hospital.decline(store, proposal, why.reason))


@router.get("/visits/{task}")
def where(task: str, store: StoreReading) -> dict[str, Any]:
    """Where a visit stands at the bedside, what may be done next, and when to look again."""
    return standing(store, bedside.where(store, task))


@router.post("/visits/{task}/gates")
def gates(task: str, taken: Taken, store: StoreReading) -> list[dict[str, Any]]:
    """What the twelve gates would say at the bedside; nothing is written."""
    results = bedside.gates(store, task, taken.entry.by, taken.of_the_day or OfTheDay(), taken.entry)
    return [result(one) for one in results]


@router.post("/visits/{task}/steps", status_code=201)
def take(task: str, taken: Taken, store: StoreWriting) -> dict[str, Any]:
    """Take one step at the bedside."""
    bedside.take(store, task, taken.entry, taken.of_the_day)
    return standing(store, bedside.where(store, task))


def shown(course: service.Course, status: int = 200) -> Response:
    """A course as JSON with its decimals as they were written."""
    found = {"request": course.request, "gates": [result(one) for one in course.results], "visits": list(course.visits)}
    return Response(dumps(found), status, media_type="application/json")


def fhir(resource: Resource) -> Response:
    """FHIR content with its decimals as they were written."""
    return Response(dumps(resource), media_type="application/fhir+json")


def collection(resources: list[Resource]) -> Response:
    """Resources as a collection Bundle; an empty one has no entries."""
    entries = [{"resource": one} for one in resources]
    return fhir({"resourceType": "Bundle", "type": "collection", **({"entry": entries} if entries else {})})


def result(one: GateResult) -> dict[str, Any]:
    """One gate as a page shows it."""
    return {**asdict(one), "open": one.open, "reason": one.reason}


def standing(store: Store, given: Given) -> dict[str, Any]:
    """Where a visit stands."""
    policy = service.policy_of(store)
    due = next_check(given.bedside, policy)
    return {
        "patient": given.patient,
        "course": given.course,
        "step": given.bedside.step,
        "possible": possible(given.bedside),
        "next_check": due.isoformat() if due else None,
        "late_checks": [at.isoformat() for at in late_checks(given.bedside, policy)],
        "log": [{"act": one.act, "at": one.at.isoformat(timespec="seconds"), "by": one.by, "text": one.text} for one in given.bedside.log],
    }
