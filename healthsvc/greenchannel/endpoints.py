"""The hospital window over HTTP. The number that is asked for travels in the body, never in an address that ends up in logs."""

from datetime import date
from typing import Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, hospital_number
from healthsvc.greenchannel import service
from healthsvc.greenchannel.honour import Use, note_use
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES, Answer, Reason, Right
from healthsvc.healthfile.service import today

router = APIRouter(prefix="/api/greenchannel", tags=["绿色通道 Green channel"])


class Question(BaseModel):
    """One number of one person: a citizen id, a health file number, a hospital's own number, or any identifier system with a value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    citizen_id: str | None = Field(None, max_length=32)
    health_file_number: str | None = Field(None, max_length=64)
    hospital: str | None = Field(None, max_length=64, description="The hospital's code, as in its link profile")
    number: str | None = Field(None, max_length=64, description="The hospital's number of the patient")
    system: str | None = Field(None, max_length=200)
    value: str | None = Field(None, max_length=64)

    @model_validator(mode="after")
    def one_way(self) -> Self:
        """Exactly one number is asked for."""
        ways = [self.citizen_id, self.health_file_number, self.hospital and self.number, self.system and self.value]
        if sum(bool(way) for way in ways) != 1:
            raise ValueError(
                "ask by citizen_id, by health_file_number, by hospital and number, or by system and value; exactly one of them"
            )
        return self

    def identifier(self) -> tuple[str, str]:
        """The identifier system and the value."""
        if self.citizen_id:
            return CITIZEN_ID, self.citizen_id
        if self.health_file_number:
            return HEALTH_FILE_NUMBER, self.health_file_number
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


class Used(Question):
    """One use of a right: by whom (as in a question), which, when, and whether priority was given."""

    right: Right
    honoured: bool
    at: AwareDatetime | None = None
    wait_minutes: int | None = Field(None, ge=0, le=1440)
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
    note_use(store, Use(patient, use.right, use.at or store.at, use.at_hospital, use.honoured, use.wait_minutes))
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
def withdraw(person: Person, store: StoreWriting) -> Resource:
    """Close a green channel; gives the Flag."""
    return service.withdraw(store, person.patient, person.on or today(store))
