"""Alarms over HTTP: the device or hotline raises, the operator takes, hands over and closes; the sheet is shown for a purpose."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc import clock
from healthsvc.access import looks
from healthsvc.access.door import Signed, StoreReading, needs, require
from healthsvc.emergency import service
from healthsvc.emergency.desk import Desk
from healthsvc.emergency.journal import Call
from healthsvc.emergency.rules import Act, Alarm
from healthsvc.emergency.sheet import sheet

router = APIRouter(prefix="/api/emergency", tags=["一键通 Emergency"])


class Called(BaseModel):
    """Somebody calls for help: a registered device, or a person whom the operator knows."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    patient: str | None = Field(None, max_length=64)
    device: str | None = Field(None, max_length=64)
    device_system: str = Field(service.DEVICE_NUMBER, max_length=200)
    kind: str = "help"
    source: str = Field("operator", max_length=64)
    text: str = Field("", max_length=1000)
    at: AwareDatetime | None = None


class Who(BaseModel):
    """Who acts, and what there is to say."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    who: str = Field(min_length=1, max_length=64)
    text: str = Field("", max_length=1000)


class Answer(Who):
    """Whoever was called says whether they come; a message gateway posts it for them. ``who`` is the key in the log: ``family-0``."""

    comes: bool


class Closing(Who):
    """How it ended."""

    outcome: str


class Purpose(BaseModel):
    """Whose sheet, and for which purpose."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    purpose: str


def desk_of(request: Request, who: Signed) -> Desk:
    """The desk in the name of whoever asks.

    Raises:
        Forbidden: they may not work alarms.
    """
    require(who, "emergency")
    return Desk(request.app.state.database, request.app.state.settings.data, who.actor, clock.utc_now)


DeskInUse = Annotated[Desk, Depends(desk_of)]


@router.post("/alarms", status_code=201)
def raise_alarm(call: Called, desk: DeskInUse, response: Response) -> dict[str, Any]:
    """Take an alarm in; the first of the chain is called in the same moment.

    202 where the database could not be written: the alarm is on disk and the chain is called from there.
    """
    at = clock.utc_now()
    raised = desk.raise_alarm(
        Call(call.kind, call.source, min(call.at or at, at), call.patient, call.device, call.device_system, call.text)
    )
    if not raised.stored:
        response.status_code = 202
    if raised.alarm is None:
        return {"alarm": raised.id, "status": "ringing", "stored": False}
    return told(raised.alarm) | {"stored": raised.stored}


@router.get("/alarms")
def alarms(desk: DeskInUse) -> list[dict[str, Any]]:
    """All alarms that are not closed, latest first."""
    found = desk.all_open()
    looks.noted(desk.database, desk.actor, (one.patient for one in found), "GET /api/emergency/alarms")
    return [told(alarm) for alarm in found]


@router.get("/alarms/{alarm}")
def read(alarm: str, desk: DeskInUse) -> dict[str, Any]:
    """One alarm with its log."""
    found = desk.read(alarm)
    looks.noted(desk.database, desk.actor, [found.patient], "GET /api/emergency/alarms/{alarm}")
    return told(found)


@router.post("/alarms/{alarm}/take")
def take(alarm: str, who: Who, desk: DeskInUse) -> dict[str, Any]:
    """Somebody has it in hand; nobody else is called."""
    return told(desk.act(alarm, Act.TAKE, who.who, who.text))


@router.post("/alarms/{alarm}/answer")
def answer(alarm: str, said: Answer, desk: DeskInUse) -> dict[str, Any]:
    """Whoever was called comes, or cannot come: then the next is called at once."""
    return told(desk.answer(alarm, said.who, comes=said.comes, text=said.text))


@router.post("/alarms/{alarm}/hand-over")
def hand_over(alarm: str, who: Who, desk: DeskInUse) -> dict[str, Any]:
    """Somebody else has it in hand."""
    return told(desk.act(alarm, Act.HAND_OVER, who.who, who.text))


@router.post("/alarms/{alarm}/note")
def note(alarm: str, who: Who, desk: DeskInUse) -> dict[str, Any]:
    """Something to be remembered, also after it is over."""
    return told(desk.act(alarm, Act.NOTE, who.who, who.text))


@router.post("/alarms/{alarm}/close")
def close(alarm: str, closing: Closing, desk: DeskInUse) -> dict[str, Any]:
    """It is over."""
    return told(desk.act(alarm, Act.CLOSE, closing.who, closing.outcome))


@router.get("/puzzling")
def puzzling(desk: DeskInUse) -> list[dict[str, Any]]:
    """Calls that were kept while the database was away and whose device turned out to be nobody's: somebody must look at them."""
    found = desk.journal.puzzling()
    looks.noted(desk.database, desk.actor, (), "GET /api/emergency/puzzling")
    return [{"alarm": one.alarm, "device": one.call.device, "at": _second(one.call.at)} for one in found if one.call]


@router.post("/puzzling/{alarm}/settle", status_code=204)
def settle(alarm: str, desk: DeskInUse) -> None:
    """Somebody has looked at it."""
    desk.journal.settle(alarm)


@router.post("/sheet", dependencies=[needs("emergency")])
def shown(asked: Purpose, store: StoreReading) -> dict[str, Any]:
    """The emergency sheet of a person; that it was shown is noted."""
    return asdict(sheet(store, asked.patient, asked.purpose))


def told(alarm: Alarm) -> dict[str, Any]:
    """An alarm with its log, without the person's name."""
    lines = [{"act": one.act, "at": _second(one.at), "who": one.who, "round": one.round, "text": one.text} for one in alarm.log]
    known = {"alarm": alarm.id, "patient": alarm.patient, "kind": alarm.kind, "source": alarm.source}
    return {**known, "status": alarm.status, "taken_by": alarm.taken_by, "log": lines}


def _second(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
