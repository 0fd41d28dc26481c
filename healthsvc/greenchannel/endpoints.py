"""The hospital window over HTTP. The number that is asked for travels in the body, never in an address that ends up in logs."""

from dataclasses import asdict
from datetime import date
from typing import Any, Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, hospital_number
from healthsvc.greenchannel import service
from healthsvc.greenchannel.honour import note_use, waits_between
from healthsvc.greenchannel.resources import CODE
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES, Answer, Reason, Right
from healthsvc.greenchannel.waits import Use
from healthsvc.healthfile.service import today

router = APIRouter(prefix="/api/greenchannel", tags=["绿色通道 Green channel"])


class Question(BaseModel):
    """One number of one person: a citizen id, a health file number, a hospital's own number, or any identifier system with a value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    citizen_id: str | None = Field(None, max_length=32)
    health_file_number: str | None = Field(None, max_length=64)
    hospital: str | None = Field(None, max_length=64, description="The hospital's code, as in its link profile")
    number: str | None = Field(None, max_length=64, description="The hospital's number of the patient")
    code: str | None = Field(None, max_length=64, description="What a QR code of the green channel says")
    system: str | None = Field(None, max_length=200)
    value: str | None = Field(None, max_length=64)

    @model_validator(mode="after")
    def one_way(self) -> Self:
        """Exactly one number is asked for."""
        ways = [self.citizen_id, self.health_file_number, self.code, self.hospital and self.number, self.system and self.value]
        if sum(bool(way) for way in ways) != 1:
            raise ValueError(
                "ask by citizen_id, by health_file_number, by code, by hospital and number, or by system and value; exactly one of them"
            )
        return self

    def identifier(self) -> tuple[str, str]:
        """The identifier system and the value."""
        if self.citizen_id:
            return CITIZEN_ID, self.citizen_id
        if self.health_file_number:
            return HEALTH_FILE_NUMBER, self.health_file_number
        if self.code:
            return CODE, self.code
        if self.hospital and self.number:
            return hospital_number(self.hospital), self.number
        return self.system or "", self.value or ""


class RightTold(BaseModel):
    """One priority, with its names."""

    code: Right
    name: str
    name_en: str


class Told(BaseModel):
    """What the window is told. Only an ``entitled`` answer carries rights."""

    entitled: bool
    standing: str
    text: str
    text_en: str
    rights: list[RightTold]
    reason: str | None
    reason_text: str | None
    valid_to: date | None


class Grant(BaseModel):
    """A green channel to open; without rights the rules decide, with them a named Practitioner approves."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    on: date | None = None
    rights: list[Right] | None = None
    reason: Reason | None = None
    approved_by: str | None = Field(None, description="Practitioner id")


class Person(BaseModel):
    """Whose green channel, and on which day (today unless told)."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    on: date | None = None


class Withdrawal(Person):
    """Whose green channel is closed, and why."""

    why: str = Field("", max_length=200)


class Used(Question):
    """One use of a right: by whom (as in a question), which, when, and whether priority was given."""

    right: Right
    honoured: bool
    at: AwareDatetime | None = None
    wait_minutes: int | None = Field(None, ge=0, le=1440)
    why: str = Field("", max_length=40, description="Why it was not honoured: a code of CodeSystem green-channel-why")
    at_hospital: str = Field(min_length=1, max_length=64, description="The hospital's code or Organization id")


def told(answer: Answer) -> Told:
    """An answer in words, Chinese first."""
    rights = [RightTold(code=r, name=RIGHT_NAMES[r][0], name_en=RIGHT_NAMES[r][1]) for r in Right if r in answer.rights]
    text, text_en = STANDING_NAMES[answer.standing]
    reason = REASON_NAMES[answer.reason][0] if answer.reason else None
    return Told(
        entitled=answer.entitled,
        standing=answer.standing,
        text=text,
        text_en=text_en,
        rights=rights,
        reason=answer.reason,
        reason_text=reason,
        valid_to=answer.valid_to,
    )


@router.post("/answer", dependencies=[needs("window")])
def answer(question: Question, store: StoreReading) -> Told:
    """Is this person to be seen, billed and given medicine first, why, and until when?"""
    return told(service.answer(store, *question.identifier()))


@router.post("/used", status_code=201, dependencies=[needs("window")])
def used(use: Used, store: StoreWriting) -> dict[str, bool]:
    """Note that a right was used at a hospital, and whether it was honoured."""
    patient = service.answer(store, *use.identifier()).patient
    if patient is None:
        raise NotFound("there is no file under this number")
    note_use(store, Use(patient, use.right, use.at or store.at, use.at_hospital, use.honoured, use.wait_minutes, why=use.why))
    return {"noted": True}


@router.post("/grant", status_code=201)
def grant(wanted: Grant, store: StoreWriting) -> Resource:
    """Open a green channel; gives the Flag."""
    on = wanted.on or today(store)
    return service.grant(store, wanted.patient, on, rights=wanted.rights, reason=wanted.reason, by=wanted.approved_by)


@router.post("/renew")
def renew(person: Person, store: StoreWriting) -> Resource:
    """Put a green channel into force for another term; gives the Flag."""
    return service.renew(store, person.patient, person.on or today(store))


@router.post("/withdraw")
def withdraw(person: Withdrawal, store: StoreWriting) -> Resource:
    """Close a green channel; gives the Flag."""
    return service.withdraw(store, person.patient, person.on or today(store), person.why)


@router.get("/review")
def review(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """Channels that somebody should look at: ended, ending soon, no longer given by a rule, approved long ago."""
    return [
        {
            "patient": one.channel.patient,
            "why": one.why,
            "valid_to": one.channel.decision.valid_to,
            "granted_by": one.channel.granted_by,
            "rights": sorted(one.channel.decision.rights),
        }
        for one in service.to_review(store, on or today(store))
    ]


@router.post("/code", status_code=201)
def code(person: Person, store: StoreWriting) -> dict[str, Any]:
    """Make a QR code: its content, which says nothing about the person, and the picture (SVG). The code before it ends."""
    made = service.make_code(store, person.patient, person.on or today(store))
    return {"code": made.text, "valid_to": made.until, "svg": picture(made.text)}


@router.get("/waits", dependencies=[needs("figures")])
def measured(store: StoreReading, first: date, last: date) -> list[dict[str, Any]]:
    """How long people waited at each hospital for each right, those with priority and everybody else; no people."""
    if last < first:
        raise Invalid("the span ends before it begins; swap first and last", path="last")
    return [asdict(one) for one in waits_between(store, first, last)]


def picture(text: str) -> str:
    """A QR code as SVG."""
    import segno

    return str(segno.make(text, error="m", micro=False).svg_inline(scale=4))
