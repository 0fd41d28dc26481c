"""排班板 the coordinator's day: lanes, map and list; a visit is tried elsewhere, then applied; confirmed, freed, put back."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, needs, reading_as, writing_as
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan.board.days import Passage, keep_passage, try_passage
from healthsvc.dayplan.board.trial import Move, Trial, keep, try_moves
from healthsvc.dayplan.board.undo import can_undo, undo
from healthsvc.dayplan.later import day_underway
from healthsvc.dayplan.service import read_proposal, set_pin
from healthsvc.errors import Malformed, Refusal
from healthsvc.store import Store
from healthsvc.web.faces import faces
from healthsvc.web.lanes import DayBoard, day_board
from healthsvc.web.lookup import staff_of
from healthsvc.web.progress import bar_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import KINDS, Day
from healthsvc.web.trials import outcome_of

router = APIRouter(dependencies=[needs("plan")])
VIEWS: Final = ("day", "list")
_LEFT_OVER: Final = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A change by hand as a form sends it. ``to``: another day; ``start``: a time of day (None: as soon as it fits best)."""

    on: date
    task: str
    staff: tuple[str, ...]
    start: time | None
    to: date | None
    view: str

    @property
    def day(self) -> date:
        """The day on which the visit shall be made."""
        return self.to or self.on

    @property
    def across(self) -> bool:
        """Whether it goes to another day."""
        return self.to is not None and self.to != self.on


def asked(
    on: Annotated[date, Form()],
    task: Annotated[str, Form(min_length=1, max_length=64)],
    staff: Annotated[list[Annotated[str, Form(max_length=4000)]], Form(max_length=100)] = [],  # noqa: B006 - FastAPI copies it
    start: Annotated[str, Form(pattern=r"([01]?\d|2[0-3]):[0-5]\d|")] = "",
    to: Annotated[str, Form(pattern=r"\d{4}-\d{2}-\d{2}|")] = "",
    view: Annotated[str, Form(max_length=8)] = "day",
) -> Asked:
    """The change that a form asks for; ``staff`` stands in it once for each person, or holds several with spaces between."""
    try:
        other = date.fromisoformat(to) if to else None
    except ValueError:
        raise Malformed("a day is written 2026-11-23") from None
    who = tuple(dict.fromkeys(one for field in staff for one in field.split()))
    at = time.fromisoformat(start.rjust(5, "0")) if start else None
    return Asked(on, task, who, at, other, view if view in (*VIEWS, "week") else "day")


Change = Annotated[Asked, Depends(asked)]


@router.get("/board")
def board(page: SignedPage, store: StoreReading, day: Day, view: str = "day", done: str = "") -> Response:
    """The day as lanes with a map, or as a list."""
    return shown(page, store, day or today(store), view, done=done)


@router.post("/board/try")
def attempt(change: Change, page: SignedPage, who: Signed, request: Request) -> Response:
    """What a change would bring; nothing is stored."""
    refused = ""
    trials: tuple[Trial, ...] = ()
    try:
        trials = tried(request, who, change)
    except Refusal as refusal:
        refused = page.told(refusal)
    with reading_as(request.app.state.database, who.actor) as store:
        names = dict(staff_of(store))
        outcomes = [outcome_of(one, store, names) for one in trials]
        values = {"asked": change, "outcomes": outcomes, "refused": refused, "names": names}
        values |= {"back": _back(change), "person": _person(store, change.task)}
        return page.show("board_trial.html", status=422 if refused else 200, block="part" if page.wants_part else None, **values)


@router.post("/board/apply")
def apply(
    change: Change,
    page: SignedPage,
    who: Signed,
    request: Request,
    version: Annotated[int, Form()],
    there: Annotated[int | None, Form()] = None,
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Make a tried change; refused where a rule stands in the way or the plan has changed since it was looked at."""
    try:
        with_trials = tried(request, who, change)
        with writing_as(request.app.state.database, who.actor) as store:
            if len(with_trials) == 2:
                keep_passage(store, Passage(*with_trials), (version, there if there is not None else -1), force=force)
            else:
                keep(store, with_trials[0], version, force=force)
    except Refusal as refusal:
        return again(page, request, who, change.on, refusal, change.view)
    return RedirectResponse(f"{_back(change)}&done=moved", status_code=303)


@router.post("/board/pin")
def pin(
    page: SignedPage,
    store: StoreWriting,
    on: Annotated[date, Form()],
    task: Annotated[str, Form()],
    pinned: Annotated[bool, Form()] = False,
    version: Annotated[int | None, Form()] = None,
    view: Annotated[str, Form()] = "day",
) -> Response:
    """Confirm a visit, so that planning anew leaves it where it is; or free it again."""
    try:
        with store.savepoint():
            set_pin(store, on, task, pinned, version)
    except Refusal as refusal:
        return shown(page, store, on, view, refused=page.told(refusal), status=refusal.status)
    return RedirectResponse(f"/board?on={on}&view={view}&done={'pinned' if pinned else 'freed'}", status_code=303)


@router.post("/board/undo")
def take_back(
    page: SignedPage,
    store: StoreWriting,
    on: Annotated[date, Form()],
    version: Annotated[int, Form()],
    view: Annotated[str, Form()] = "day",
) -> Response:
    """Take the last change back."""
    try:
        with store.savepoint():
            undo(store, on, version)
    except Refusal as refusal:
        return shown(page, store, on, view, refused=page.told(refusal), status=refusal.status)
    return RedirectResponse(f"/board?on={on}&view={view}&done=undone", status_code=303)


def today(store: Store) -> date:
    """The day at the site."""
    return store.today


def tried(request: Request, who: Signed, change: Asked) -> tuple[Trial, ...]:
    """The trials of a change: one of the day, or one of each of two days."""
    state = request.app.state
    database, data = state.database, state.settings.data
    at = clock.now()
    start = datetime.combine(change.day, change.start, clock.zone(database.zone)) if change.start else None
    move = Move(change.task, change.staff, start)
    times = travel_times(data, database.policy, change.on)
    if not change.across:
        return (try_moves(database, who.actor, change.on, times, [move], at=at),)
    there = travel_times(data, database.policy, change.day)
    return try_passage(database, who.actor, change.on, change.day, times, move, at=at, travel_there=there).trials


def again(page: Page, request: Request, who: Signed, on: date, refusal: Refusal, view: str = "day") -> Response:
    """The board as it stands now, with what was refused."""
    with reading_as(request.app.state.database, who.actor) as store:
        return shown(page, store, on, view, refused=page.told(refusal), status=refusal.status)


def shown(page: Page, store: Store, on: date, view: str, *, refused: str = "", done: str = "", status: int = 200) -> Response:
    seen = day_board(store, on)
    monday = on - timedelta(days=on.weekday())
    left = seen.plan.left_over if seen.plan else ()
    going = day_underway(store, on)
    values: dict[str, Any] = {
        "board": seen,
        "on": on,
        "view": view if view in VIEWS else "day",
        "days": [monday + timedelta(days=number) for number in range(7)],
        "week": timedelta(days=7),
        "left": left[:_LEFT_OVER],
        "left_total": len(left),
        "people": faces(store, (one.person for one in left[:_LEFT_OVER])),
        "proposal": read_proposal(store, on) is not None,
        "work": bar_of(page, going, go=True) if going else None,
        "undoable": can_undo(store, on),
        "kinds": KINDS,
        "refused": refused,
        "done": done,
        **counts(seen),
    }
    return page.show("board.html", status=status, **values)


def counts(seen: DayBoard) -> dict[str, Any]:
    """The figures above the board."""
    blocks = seen.blocks
    return {
        "planned": len(blocks),
        "pinned": sum(one.pinned for one in blocks),
        "finished": sum(one.state == "finished" for one in blocks),
        "under_way": sum(one.state == "in-progress" for one in blocks),
        "late": sum(one.state == "late" for one in blocks),
        "on_duty": sum(bool(lane.duty) for lane in seen.lanes),
        "travel": round(sum(lane.travel for lane in seen.lanes)),
    }


def _back(change: Asked) -> str:
    return f"/board/week?on={change.day}" if change.view == "week" else f"/board?on={change.day}&view={change.view}"


def _person(store: Store, task: str) -> str:
    patient = str((store.find("Task", task) or {}).get("for", {}).get("reference", "")).rpartition("/")[2]
    face = faces(store, [patient]).get(patient) if patient else None
    return face.name if face else ""
