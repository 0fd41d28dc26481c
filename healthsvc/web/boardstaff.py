"""请假与转交 leave of staff and its bulk reassignment: who is away, which visits that touches, to whom they go."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, needs, reading_as, writing_as
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan.board import leave
from healthsvc.dayplan.board.trial import keep, reassign
from healthsvc.errors import Malformed, Refusal
from healthsvc.fhir.elements import reference_id
from healthsvc.store import Store
from healthsvc.web.dayboard import again
from healthsvc.web.lanes import DayBoard, day_board
from healthsvc.web.lookup import staff_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import Day
from healthsvc.web.trials import outcome_of

router = APIRouter(dependencies=[needs("plan")])
_DAY: Final = r"\d{4}-\d{2}-\d{2}"
_CLOCK: Final = r"([01]?\d|2[0-3]):[0-5]\d|"


@router.get("/board/staff")
def staff(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """Who is on leave, and the forms for leave and hand-over."""
    return _shown(page, store, day or store.today)


@router.post("/board/staff/leave")
def take_leave(
    page: SignedPage,
    store: StoreWriting,
    practitioner: Annotated[str, Form(min_length=1, max_length=80)],
    first: Annotated[str, Form(pattern=_DAY)],
    last: Annotated[str, Form(pattern=_DAY + "|")] = "",
    start: Annotated[str, Form(pattern=_CLOCK)] = "",
    end: Annotated[str, Form(pattern=_CLOCK)] = "",
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Note leave; the planned visits that it touches are listed, to be handed over or planned again."""
    on = _day(first)
    try:
        begins = _moment(on, start, time(0), store)
        until = _day(last or first)
        ends = _moment(until, end, time(0), store) if end else datetime.combine(until + timedelta(days=1), time(), store.zone)
        if ends <= begins:
            raise Malformed("the leave ends before it begins; swap or mend the two times", path="end", reason="board-times")
        who = practitioner.rpartition("/")[2]
        with store.savepoint():
            leave.take_leave(store, who, begins, ends, reason)
    except Refusal as refusal:
        return _shown(page, store, on, refused=page.told(refusal), status=refusal.status)
    touched = leave.touched(store, who, begins, ends)
    return _shown(page, store, on, touched=touched, absent=practitioner)


@router.post("/board/staff/back")
def end_leave(
    page: SignedPage,
    store: StoreWriting,
    practitioner: Annotated[str, Form(min_length=1, max_length=80)],
    start: Annotated[datetime, Form()],
    end: Annotated[datetime, Form()],
    on: Annotated[date, Form()],
) -> Response:
    """Take noted leave back."""
    try:
        with store.savepoint():
            leave.end_leave(store, practitioner.rpartition("/")[2], start, end)
    except Refusal as refusal:
        return _shown(page, store, on, refused=page.told(refusal), status=refusal.status)
    return RedirectResponse(f"/board/staff?on={on}", status_code=303)


@router.post("/board/hand-over")
def hand_over(
    page: SignedPage,
    who: Signed,
    request: Request,
    on: Annotated[date, Form()],
    practitioner: Annotated[str, Form(min_length=1, max_length=80)],
    to: Annotated[str, Form(min_length=1, max_length=80)],
    version: Annotated[int | None, Form()] = None,
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Everything that somebody has left on a day goes to somebody else: tried first; with the version that was looked at, applied."""
    state = request.app.state
    times = travel_times(state.settings.data, state.database.policy, on)
    try:
        trial = reassign(state.database, who.actor, on, times, practitioner, to, at=clock.now())
        if version is not None:
            with writing_as(state.database, who.actor) as store:
                keep(store, trial, version, force=force)
            return RedirectResponse(f"/board?on={on}&done=handed", status_code=303)
    except Refusal as refusal:
        return again(page, request, who, on, refusal)
    with reading_as(state.database, who.actor) as store:
        names = dict(staff_of(store))
        return page.show(
            "board_hand_over.html", on=on, outcome=outcome_of(trial, store, names), names=names, practitioner=practitioner, to=to
        )


def _shown(page: Page, store: Store, on: date, *, refused: str = "", status: int = 200, touched: Any = None, absent: str = "") -> Response:
    seen = day_board(store, on)
    values = {"on": on, "board": seen, "staff": staff_of(store), "leaves": _leaves(store), "refused": refused, "touched": touched}
    giver, taker = _hand_over_between(seen, absent)
    days = sorted({one["on"] for one in touched or ()})
    values |= {"touched_days": [date.fromisoformat(one) for one in days], "giver": giver, "taker": taker}
    return page.show("board_staff.html", status=status, **values)


def _hand_over_between(seen: DayBoard, absent: str) -> tuple[str, str]:
    """Whose day is offered to be handed over (who is absent, else on leave, else the first), and to whom: who has the most time for it."""
    givers = [lane for lane in seen.lanes if lane.blocks]
    giver = min(givers, key=lambda lane: (lane.practitioner != absent, not lane.away), default=None)
    takers = [lane for lane in seen.lanes if lane.duty and lane is not giver]
    able = [lane for lane in takers if giver and all(one.visit.skills <= set(lane.skills) for one in giver.blocks)]
    taker = min(able or takers, key=lambda lane: lane.load, default=None)
    return giver.practitioner if giver else "", taker.practitioner if taker else ""


def _leaves(store: Store) -> list[dict[str, Any]]:
    """Leave that is not over yet, by start; each once, however many roles note it."""
    names = dict(staff_of(store))
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for role in store.select("PractitionerRole"):
        who = f"Practitioner/{reference_id(role.get('practitioner'), 'Practitioner')}"
        for one in role.get("notAvailable", ()):
            during = one.get("during", {})
            start, end = str(during.get("start", "")), str(during.get("end", ""))
            if end and "T" in end and datetime.fromisoformat(end) > store.at and "T" in start:
                moments = [datetime.fromisoformat(edge).astimezone(store.zone) for edge in (start, end)]
                found[who, start, end] = {
                    "who": who,
                    "name": names.get(who, ""),
                    "reason": one.get("description", ""),
                    "start": moments[0],
                    "end": moments[1],
                    "last": moments[1] - timedelta(seconds=1),
                    "whole": moments[0].time() == time() and moments[1].time() == time(),
                }
    return sorted(found.values(), key=lambda one: (one["start"], one["name"]))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed("a day is written 2026-11-23", path="first", reason="board-times") from None


def _moment(on: date, text: str, otherwise: time, store: Store) -> datetime:
    return datetime.combine(on, time.fromisoformat(text.rjust(5, "0")) if text else otherwise, store.zone)
