"""Alarms over HTTP: the device or hotline raises, the operator takes, hands over and closes; the sheet is shown for a purpose."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.emergency import service
from healthsvc.emergency.rules import Alarm

router = APIRouter(prefix="/api/emergency", tags=["一键通 Emergency"])


class Call(BaseModel):
    """Somebody calls for help: a registered device, or a person whom the operator knows."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    patient: str | None = None
    device: str | None = None
    device_system: str = service.DEVICE_NUMBER
    kind: str = "help"
    source: str = "operator"
    text: str = ""
    at: AwareDatetime | None = None


class Who(BaseModel):
    """Who acts, and when (now unless told)."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1)
    at: AwareDatetime | None = None
    text: str = ""


class Closing(Who):
    """How it ended."""

    outcome: str


class Purpose(BaseModel):
    """Whose sheet, and for which purpose."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    purpose: str


@router.post("/alarms", status_code=201)
def raise_alarm(call: Call, store: StoreWriting) -> dict[str, Any]:
    """Take an alarm in; the first of the chain is called in the same moment."""
    return told(service.take_in(store, call.patient, call.device, call.device_system, call.kind, call.source, call.at, call.text))


@router.get("/alarms")
def alarms(store: StoreReading) -> list[dict[str, Any]]:
    """All alarms that are not closed, latest first."""
    return [told(alarm) for alarm in service.all_open(store)]


@router.get("/alarms/{alarm}")
def read(alarm: str, store: StoreReading) -> dict[str, Any]:
    """One alarm with its log."""
    return told(service.read(store, alarm))


@router.post("/alarms/{alarm}/take")
def take(alarm: str, who: Who, store: StoreWriting) -> dict[str, Any]:
    """Somebody has it in hand."""
    return told(service.take(store, alarm, who.who, who.at or store.at))


@router.post("/alarms/{alarm}/hand-over")
def hand_over(alarm: str, who: Who, store: StoreWriting) -> dict[str, Any]:
    """Somebody else has it in hand."""
    return told(service.hand_over(store, alarm, who.who, who.at or store.at, who.text))


@router.post("/alarms/{alarm}/close")
def close(alarm: str, closing: Closing, store: StoreWriting) -> dict[str, Any]:
    """It is over."""
    return told(service.close(store, alarm, closing.who, closing.outcome, closing.at or store.at))


@router.post("/sheet")
def sheet(asked: Purpose, store: StoreReading) -> dict[str, Any]:
    """The emergency sheet of a person; that it was shown is noted."""
    return asdict(service.sheet(store, asked.patient, asked.purpose))


def told(alarm: Alarm) -> dict[str, Any]:
    """An alarm with its log, without the person's name."""
    lines = [{"act": one.act, "at": _second(one.at), "who": one.who, "round": one.round, "text": one.text} for one in alarm.log]
    known = {"alarm": alarm.id, "patient": alarm.patient, "kind": alarm.kind, "source": alarm.source}
    return {**known, "status": alarm.status, "taken_by": alarm.taken_by, "log": lines}


def _second(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
