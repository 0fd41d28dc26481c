"""The day plan over HTTP: propose, look, accept, confirm a visit, find a place for one more."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, Who, needs
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import later, service
from healthsvc.dayplan.board.trial import find_places
from healthsvc.dayplan.difference import difference
from healthsvc.errors import Malformed, NotFound
from healthsvc.store import Database, Store
from healthsvc.store.progress import find as find_work

router = APIRouter(prefix="/api/dayplan", tags=["日程安排 Day plan"])

Prefer = Annotated[str | None, Header()]
Seconds = Annotated[float, Query(gt=0, le=60, description="How long to search, in seconds of a small server")]


class Pinning(BaseModel):
    """Confirm a visit of the plan, or free it again."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(min_length=1)
    pinned: bool = True


class WeekAcceptance(BaseModel):
    """Which proposal of each day was looked at: day to the version that proposing answered."""

    model_config = ConfigDict(extra="forbid")

    versions: dict[date, int] = Field(min_length=1)


@router.post("/week/{first}/propose", dependencies=[needs("write-clinical")], response_model=None)
def propose_week(
    first: date,
    request: Request,
    who: Signed,
    days: Annotated[int, Query(ge=1, le=7)] = 5,
    seconds: Seconds = 10.0,
    seed: int = 1,
    prefer: Prefer = None,
) -> dict[str, Any] | JSONResponse:
    """Plan several days at once (which day for which visit, then the routes) and keep a proposal for each day.

    With ``Prefer: respond-async`` a worker does it, as for one day.
    """
    database, settings = request.app.state.database, request.app.state.settings
    if prefer is not None and "respond-async" in prefer:
        return _left(database, who, lambda store: later.ask_for_week(store, first, days, seconds, seed))
    times = travel_times(settings.data, database.policy, first)
    week = service.propose_week(database, who.actor, first, times, at=clock.now(), days=days, seconds=seconds, seed=seed)
    with database.writing(who.actor, at=clock.now()) as store:
        kept = [service.keep_proposal(store, plan) for plan in week.days]
    return {"days": [plan.as_json() | {"version": int(one["meta"]["versionId"])} for plan, one in zip(week.days, kept, strict=True)]}


@router.post("/week/{first}/accept", dependencies=[needs("write-clinical")])
def accept_week(first: date, body: WeekAcceptance, store: StoreWriting) -> dict[str, Any]:
    """Make the proposals of several days the plans in force, all or none; refused where one was replaced or a visit has changed."""
    if min(body.versions) != first:
        raise Malformed(f"the first day of versions is {min(body.versions)}, not {first}")
    service.accept_proposals(store, body.versions)
    return {"days": [read(on, store) for on in sorted(body.versions)]}


@router.get("/{on}")
def read(on: date, store: StoreReading) -> dict[str, Any]:
    """The plan of a day."""
    plan = service.read_plan(store, on)
    if plan is None:
        raise NotFound("nobody has planned that day yet")
    return plan.as_json()


@router.get("/{on}/proposal")
def proposal(on: date, store: StoreReading) -> dict[str, Any]:
    """The proposed plan of a day with what it would change."""
    plan = service.read_proposal(store, on)
    if plan is None:
        raise NotFound("there is no proposed plan for that day")
    stands = service.read_plan(store, on)
    names = {route.practitioner: route.name for one in (stands, plan) if one for route in one.routes}  # whoever is ill has a route in one
    changes = difference(stands, plan)
    said = [dict(zip(("zh", "en"), change.words(lambda one: names.get(one, one)), strict=True)) for change in changes]
    return plan.as_json() | {"changes": [{"task": c.task, "kind": c.kind, **words} for c, words in zip(changes, said, strict=True)]}


@router.post("/{on}/propose", dependencies=[needs("write-clinical")], response_model=None)
def propose(
    on: date, request: Request, who: Signed, seconds: Seconds = 5.0, seed: int = 1, prefer: Prefer = None
) -> dict[str, Any] | JSONResponse:
    """Work out a plan for a day and keep it as a proposal; ``version`` is what accepting it names in If-Match.

    With ``Prefer: respond-async`` a worker does it: 202, and Content-Location says where to see how far it has come.
    """
    database, settings = request.app.state.database, request.app.state.settings
    if prefer is not None and "respond-async" in prefer:
        return _left(database, who, lambda store: later.ask_for_day(store, on, seconds, seed))
    times = travel_times(settings.data, database.policy, on)
    plan = service.propose(database, who.actor, on, times, at=clock.now(), seconds=seconds, seed=seed)
    with database.writing(who.actor, at=clock.now()) as store:
        kept = service.keep_proposal(store, plan)
    return plan.as_json() | {"version": int(kept["meta"]["versionId"])}


@router.post("/{on}/accept", dependencies=[needs("write-clinical")])
def accept(on: date, store: StoreWriting, if_match: Annotated[str | None, Header()] = None) -> dict[str, Any]:
    """Make the proposal the plan of the day; refused where anything changed since it was worked out."""
    service.accept_proposal(store, on, version_of(if_match))
    return read(on, store)


@router.post("/{on}/pin", dependencies=[needs("write-clinical")])
def pin(on: date, body: Pinning, store: StoreWriting, if_match: Annotated[str | None, Header()] = None) -> dict[str, Any]:
    """Confirm a planned visit, so that no later plan moves it, or free it again."""
    service.set_pin(store, on, body.task, body.pinned, version_of(if_match))
    return read(on, store)


@router.get("/{on}/places", dependencies=[needs("read-clinical")])
def places(on: date, task: str, request: Request, who: Signed, most: Annotated[int, Query(ge=1, le=20)] = 5) -> list[dict[str, Any]]:
    """Where one more visit could go on that day, best first; minutes are minutes of the day."""
    database, settings = request.app.state.database, request.app.state.settings
    times = travel_times(settings.data, database.policy, on)
    found = find_places(database, who.actor, on, task, times, at=clock.now(), most=most)
    return [
        {
            "staff": list(one.caregivers),
            "starts": [round(start, 1) for start in one.starts],
            "cost": round(one.cost, 2),
            "later": [{"task": name, "minutes": round(minutes, 1)} for name, minutes in one.later],
        }
        for one in found
    ]


def _left(database: Database, who: Who, ask: Callable[[Store], str]) -> JSONResponse:
    """Leave work and say where to see how far it has come."""
    with database.writing(who.actor, at=clock.now()) as store:
        id = ask(store)
        told = find_work(store, id)
    assert told is not None
    return JSONResponse(told.as_json(), status_code=202, headers={"content-location": f"/api/progress/{id}"})


def version_of(if_match: str | None) -> int | None:
    """The version that an If-Match header names (``W/"3"``)."""
    if if_match is None:
        return None
    text = if_match.removeprefix("W/").strip('"')
    if not text.isdigit():
        raise Malformed('If-Match names a version: W/"3"')
    return int(text)
