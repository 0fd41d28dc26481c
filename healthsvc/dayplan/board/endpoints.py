"""The coordinator's board over HTTP: try a change, keep it, hand over, leave, and why. Nothing is stored by trying."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, needs
from healthsvc.circle.providers import travel_times
from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import service, words
from healthsvc.dayplan.board import days, leave, reasons, undo
from healthsvc.dayplan.board import trial as board
from healthsvc.dayplan.difference import difference
from healthsvc.dayplan.endpoints import version_of
from healthsvc.dayplan.risk import MOST_RUNS, MOST_SLACK, day_risk
from healthsvc.dayplan.rules import minutes_of
from healthsvc.dayplan.staffing import on_duty
from healthsvc.errors import Malformed

router = APIRouter(prefix="/api/dayplan", tags=["日程安排 Day plan"])

MOST_STAFF = 100
"""Longest list of people that is read; how many a visit needs, its Task says."""

IfMatch = Annotated[str | None, Header()]


class Moving(BaseModel):
    """One change by hand: who comes (nobody: the visit waits again) and when (left out: as soon as it fits best)."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(min_length=1)
    staff: list[str] = Field(default_factory=list, max_length=MOST_STAFF)
    start: AwareDatetime | None = None


class Moves(BaseModel):
    """Changes by hand that belong together. ``force`` takes on overtime, a late start or a missed break."""

    model_config = ConfigDict(extra="forbid")

    moves: list[Moving] = Field(min_length=1, max_length=200)
    force: bool = False


class Passing(Moving):
    """A visit that goes to another day. ``keep``: apply it, with the versions of both plans that were looked at (left out: whatever)."""

    to: date
    keep: bool = False
    force: bool = False
    versions: tuple[int, int] | None = None


class Handover(BaseModel):
    """Everything that somebody has left on the day (or only some tasks) goes to somebody else."""

    model_config = ConfigDict(extra="forbid")

    practitioner: str = Field(min_length=1)
    to: str = Field(min_length=1)
    tasks: list[str] = Field(default_factory=list)
    keep: bool = False
    force: bool = False


class Away(BaseModel):
    """Somebody is away from one moment to another."""

    model_config = ConfigDict(extra="forbid")

    practitioner: str = Field(min_length=1)
    start: AwareDatetime
    end: AwareDatetime


class WhatIf(BaseModel):
    """What a plan would look like if these people were away."""

    model_config = ConfigDict(extra="forbid")

    absent: list[Away] = Field(default_factory=list)


class Leave(Away):
    """Leave that is written down: from then on no plan counts on them. ``cancel`` takes it back."""

    reason: str = Field(default="", max_length=200)
    cancel: bool = False


@router.post("/{on}/try", dependencies=[needs("plan")])
def try_moves(on: date, body: Moves, request: Request, who: Signed) -> dict[str, Any]:
    """What changes by hand would bring: conflicts, the price of each tier before and after, every difference."""
    return _trial(_tried(on, body, request, who))


@router.post("/{on}/apply", dependencies=[needs("plan")])
def apply(on: date, body: Moves, request: Request, who: Signed, if_match: IfMatch = None) -> dict[str, Any]:
    """Make changes by hand; refused where they break a rule, or where the plan has changed since it was looked at (If-Match)."""
    trial = _tried(on, body, request, who)
    with request.app.state.database.writing(who.actor, at=clock.now()) as store:
        board.keep(store, trial, version_of(if_match), force=body.force)
        kept = store.read("List", trial.plan.id)
    return _trial(trial) | {"version": int(kept["meta"]["versionId"])}


@router.post("/{on}/to-day", dependencies=[needs("plan")])
def to_day(on: date, body: Passing, request: Request, who: Signed) -> dict[str, Any]:
    """Move a visit to another day: what it would bring on both days; tried only, unless ``keep``."""
    database = request.app.state.database
    move = board.Move(body.task, tuple(_staff(name) for name in body.staff), body.start)
    times, there = _times(request, on), _times(request, body.to)
    passage = days.try_passage(database, who.actor, on, body.to, times, move, at=clock.now(), travel_there=there)
    if body.keep:
        with database.writing(who.actor, at=clock.now()) as store:
            days.keep_passage(store, passage, body.versions, force=body.force)
    return {"leaves": _trial(passage.leaves), "comes": _trial(passage.comes)}


@router.post("/{on}/undo", dependencies=[needs("plan")])
def take_back(on: date, store: StoreWriting, if_match: IfMatch = None) -> dict[str, Any]:
    """Put the plan back to what it was before its last change, with the days that changed together with it."""
    return {"days": [day.isoformat() for day in undo.undo(store, on, version_of(if_match))]}


@router.post("/{on}/hand-over", dependencies=[needs("plan")])
def hand_over(on: date, body: Handover, request: Request, who: Signed, if_match: IfMatch = None) -> dict[str, Any]:
    """Give all visits of one person to another at the same times; tried only, unless ``keep``."""
    database = request.app.state.database
    times = _times(request, on)
    trial = board.reassign(
        database, who.actor, on, times, _staff(body.practitioner), _staff(body.to), at=clock.now(), tasks=tuple(body.tasks)
    )
    if body.keep:
        with database.writing(who.actor, at=clock.now()) as store:
            board.keep(store, trial, version_of(if_match), force=body.force)
    return _trial(trial)


@router.post("/{on}/what-if", dependencies=[needs("plan")])
def what_if(on: date, body: WhatIf, request: Request, who: Signed, seconds: Annotated[float, Query(gt=0, le=60)] = 1.0) -> dict[str, Any]:
    """The plan of the day if these people were away, beside the plan in force; nothing is stored."""
    database = request.app.state.database
    absent = {_staff(one.practitioner): _minutes(one, on, ZoneInfo(database.zone)) for one in body.absent}
    plan = service.propose(database, who.actor, on, _times(request, on), at=clock.now(), seconds=seconds, absent=absent)
    with database.reading(who.actor, at=clock.now()) as store:
        stands = service.read_plan(store, on)
    names = {route.practitioner: route.name for one in (stands, plan) if one for route in one.routes}
    return plan.as_json() | {"before": dict(stands.figures) if stands else {}, "changes": _changes(difference(stands, plan), names)}


@router.get("/{on}/why", dependencies=[needs("plan")])
def why(on: date, task: str, request: Request, who: Signed) -> dict[str, Any]:
    """Why a visit is planned with these people at this time; of one that is left over, what would let it in (proved by solving again)."""
    return reasons.reasons(request.app.state.database, who.actor, on, task, _times(request, on), at=clock.now())


@router.get("/{on}/risk", dependencies=[needs("plan")])
def risk(
    on: date,
    request: Request,
    who: Signed,
    slack: Annotated[float, Query(ge=0, le=MOST_SLACK, description="Minutes to spare on every way at least")] = 0.0,
    runs: Annotated[int | None, Query(ge=1, le=MOST_RUNS, description="How many times the day is lived through")] = None,
    seed: Annotated[int, Query(ge=0)] = 1,
) -> dict[str, Any]:
    """How well the plan holds when ways and visits take longer: chances by visit (and what makes it late), by person, for the day."""
    database = request.app.state.database
    return day_risk(database, who.actor, on, _times(request, on), at=clock.now(), slack=slack, runs=runs, seed=seed).as_json()


@router.get("/{on}/staff", dependencies=[needs("read-clinical")])
def staff(on: date, store: StoreReading) -> list[dict[str, Any]]:
    """Who is on duty on a day: skills that hold, station, hours, break and how they travel; several rows for several duties."""
    return [
        {
            "practitioner": one.practitioner,
            "name": one.name,
            "skills": sorted(one.skills),
            "station": f"Location/{one.station}",
            "starts": clock_text(one.starts),
            "ends": clock_text(one.ends),
            "rest": [clock_text(one.rest[0]), clock_text(one.rest[1]), one.rest[2]] if one.rest else None,
            "mode": one.mode,
        }
        for one in on_duty(store, on, service.policy_of(store.policy, on))
    ]


@router.post("/staff/leave", dependencies=[needs("plan")])
def take_leave(body: Leave, store: StoreWriting) -> dict[str, Any]:
    """Note somebody's leave (or take it back), and name the planned visits that it touches; plan those days again."""
    if body.end <= body.start:
        raise Malformed("the leave ends before it begins; swap or mend the two times", path="end")
    practitioner = _staff(body.practitioner).rpartition("/")[2]
    if body.cancel:
        return {"roles": leave.end_leave(store, practitioner, body.start, body.end), "touched": []}
    roles = leave.take_leave(store, practitioner, body.start, body.end, body.reason)
    return {"roles": roles, "touched": leave.touched(store, practitioner, body.start, body.end)}


def clock_text(minutes: float) -> str:
    """A minute of the day as hours and minutes."""
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}"


def _tried(on: date, body: Moves, request: Request, who: Signed) -> board.Trial:
    moves = [board.Move(one.task, tuple(_staff(name) for name in one.staff), one.start) for one in body.moves]
    return board.try_moves(request.app.state.database, who.actor, on, _times(request, on), moves, at=clock.now())


def _times(request: Request, on: date) -> TravelTimes:
    return travel_times(request.app.state.settings.data, request.app.state.database.policy, on)


def _staff(name: str) -> str:
    """``Practitioner/x``, whichever way it was written."""
    return name if name.startswith("Practitioner/") else f"Practitioner/{name}"


def _minutes(away: Away, on: date, zone: ZoneInfo) -> tuple[float, float]:
    start, end = (minutes_of(one.astimezone(zone), on) for one in (away.start, away.end))
    if end <= start:
        raise Malformed("somebody is away until before they go; swap or mend the two times", path="absent")
    return max(0.0, start), min(24 * 60.0, end)


def _trial(trial: board.Trial) -> dict[str, Any]:
    names = {route.practitioner: route.name for route in trial.plan.routes}
    said = []
    for one in trial.conflicts:
        zh, en = words.conflict(one.code, one.minutes)
        who = (one.caregiver or "").partition("#")[0]
        told = {"code": one.code, "task": one.visit, "practitioner": who, "minutes": round(one.minutes, 1), "zh": zh, "en": en}
        said.append(told | {"serious": one in trial.serious})
    return {
        "conflicts": said,
        "before": _rounded(trial.before),
        "after": _rounded(trial.after),
        "changes": _changes(trial.changes, names),
        "plan": trial.plan.as_json(),
        "version": trial.version,
    }


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def _changes(changes: Any, names: Mapping[str, str]) -> list[dict[str, Any]]:
    said = []
    for one in changes:
        zh, en = one.words(lambda who: names.get(who, who))
        start: datetime | None = one.after.start if one.after else None
        said.append({"task": one.task, "kind": one.kind, "start": start.isoformat() if start else None, "zh": zh, "en": en})
    return said
