"""五必到 over HTTP: what is on the list, and who has come."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.healthfile.service import today
from healthsvc.mustvisit import service
from healthsvc.mustvisit.resources import MustVisit, to_must_visit
from healthsvc.mustvisit.rules import OCCASION_NAMES, Occasion

router = APIRouter(prefix="/api/mustvisit", tags=["五必到 Must-visits"])


class Came(BaseModel):
    """Who came, when, how, and what there is to say."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    by: str = Field(min_length=1, max_length=80)
    at: AwareDatetime | None = None
    mode: str = "visit"
    note: str = Field("", max_length=1000)


@router.get("")
def listed(store: StoreReading, on: date | None = None, occasion: Occasion | None = None, all: bool = False) -> list[dict[str, Any]]:
    """What is on the list on a day, most pressing first; ``all``: what is done too."""
    day = on or today(store)
    return [told(one, day) for one in service.listed(store, day, open_only=not all, occasion=occasion)]


@router.post("/refresh", status_code=201)
def refresh(store: StoreWriting) -> dict[str, int]:
    """Put on the list what is due today; a timer does it every morning."""
    return {"new": len(service.refresh(store, today(store)))}


@router.post("/{id}/come")
def come(id: str, came: Came, store: StoreWriting) -> dict[str, Any]:
    """Somebody has come, or has called."""
    task = service.come(store, id, came.by, at=came.at, mode=came.mode, note=came.note)
    return told(to_must_visit(task, store.zone), today(store))


def told(one: MustVisit, on: date) -> dict[str, Any]:
    """A must-visit for the API."""
    name, name_en = OCCASION_NAMES[one.occasion]
    known = {"id": one.id, "patient": one.patient, "occasion": one.occasion, "name": name, "name_en": name_en, "title": one.title}
    days = {"first": one.first.isoformat(), "last": one.last.isoformat(), "overdue": one.overdue(on)}
    came = {"at": one.done_at.isoformat() if one.done_at else None, "by": one.done_by, "mode": one.mode, "note": one.note}
    return {**known, **days, "who": one.who, "status": one.status, "came": came if one.done_at else None}
