"""重排与假设 a new plan around what is confirmed, and what-if somebody were away: kept as a proposal, then accepted or dropped."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, needs
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import service
from healthsvc.dayplan.board import leave
from healthsvc.dayplan.difference import difference
from healthsvc.dayplan.rules import minutes_of
from healthsvc.errors import Malformed, NotFound, Refusal
from healthsvc.store import Store
from healthsvc.web.dayboard import shown
from healthsvc.web.lanes import day_board
from healthsvc.web.lookup import staff_of
from healthsvc.web.planning import ask_for_plan
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.trials import outcome_between

router = APIRouter(dependencies=[needs("plan")])
QUICK: Final = 2.0
"""How long a what-if is searched for, in seconds of a small server."""
_CLOCK: Final = r"([01]?\d|2[0-3]):[0-5]\d|"


@router.post("/board/replan")
def replan(store: StoreWriting, on: Annotated[date, Form()]) -> Response:
    """Leave a new plan around confirmed visits to a worker; the board shows how far it has come, and then what it would change.

    Nothing is in force until it is accepted, but on a day that nobody has planned yet: there is nothing that a plan could change.
    """
    ask_for_plan(store, on)
    return RedirectResponse(f"/board?on={on}", status_code=303)


@router.get("/board/{on}/proposal")
def proposal(on: date, page: SignedPage, store: StoreReading) -> Response:
    """What the proposed plan would change."""
    return _proposed(page, store, on)


@router.post("/board/{on}/proposal")
def decide(
    on: date,
    page: SignedPage,
    store: StoreWriting,
    version: Annotated[int, Form()],
    accept: Annotated[bool, Form()] = False,
    away: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - how FastAPI is told of a list
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make the proposal the plan of the day, with the leave that it reckoned with; or drop it."""
    try:
        with store.savepoint():
            if not accept:
                store.delete("List", service.proposal_id(on), version)
                return RedirectResponse(f"/board?on={on}&done=dropped", status_code=303)
            for one in away:
                who, start, end = _absence(one, on, store)
                leave.take_leave(store, who, start, end, reason)
            service.accept_proposal(store, on, version)
    except Refusal as refusal:
        return shown(page, store, on, "day", refused=page.told(refusal), status=refusal.status)
    return RedirectResponse(f"/board?on={on}&done=planned", status_code=303)


@router.get("/board/{on}/what-if")
def ask_what_if(on: date, page: SignedPage, store: StoreReading, staff: str = "") -> Response:
    """The form: who would be away, from when until when."""
    return page.show("board_what_if.html", on=on, board=day_board(store, on), chosen=staff)


@router.post("/board/{on}/what-if")
def what_if(
    on: date,
    page: SignedPage,
    who: Signed,
    request: Request,
    staff: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - how FastAPI is told of a list
    start: Annotated[str, Form(pattern=_CLOCK)] = "",
    end: Annotated[str, Form(pattern=_CLOCK)] = "",
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The plan of the day if these people were away, beside the one in force."""
    if not staff:
        raise Malformed("choose at least one person who would be away", path="staff", reason="board-nobody")
    state = request.app.state
    zone = clock.zone(state.database.zone)
    span = (_moment(on, start, time(0), zone), _moment(on, end, time(23, 59), zone))
    if span[1] <= span[0]:
        raise Malformed("somebody is away until before they go; swap or mend the two times", path="end", reason="board-times")
    absent = {one: (minutes_of(span[0], on), minutes_of(span[1], on)) for one in staff}
    times = travel_times(state.settings.data, state.database.policy, on)
    plan = service.propose(state.database, who.actor, on, times, at=clock.now(), seconds=QUICK, absent=absent)
    with state.database.writing(who.actor, at=clock.now()) as store:
        service.keep_proposal(store, plan)
        away = [f"{one}|{span[0].isoformat()}|{span[1].isoformat()}" for one in staff]
        return _proposed(page, store, on, away=away, reason=reason, span=(f"{span[0]:%H:%M}", f"{span[1]:%H:%M}"))


def _proposed(
    page: Page, store: Store, on: date, *, away: list[str] | None = None, reason: str = "", span: tuple[str, str] = ("", "")
) -> Response:
    known = store.get("List", service.proposal_id(on))
    after = service.read_proposal(store, on)
    if known is None or after is None:
        raise NotFound("there is no proposed plan for that day; plan it again", reason="board-no-proposal")
    before = service.read_plan(store, on)
    names: Mapping[str, str] = dict(staff_of(store))
    outcome = outcome_between(before, after, difference(before, after), store, names)
    values: dict[str, Any] = {
        "on": on,
        "version": known.version,
        "outcome": outcome,
        "before": before,
        "after": after,
        "away": away or [],
        "away_names": [names.get(one.partition("|")[0], "") for one in away or []],
        "reason": reason,
        "span": span,
    }
    return page.show("board_proposal.html", **values)


def _absence(text: str, on: date, store: Store) -> tuple[str, datetime, datetime]:
    """Who is away from when until when, as the form of a what-if carries it.

    Raises:
        Malformed: it is not what the form sent, or another day.
    """
    try:
        who, start, end = text.split("|")
        first, last = (datetime.fromisoformat(one).astimezone(store.zone) for one in (start, end))
    except ValueError:
        raise Malformed("an absence is written Practitioner/x|start|end", path="away") from None
    if first.date() != on or last <= first or last - first > timedelta(days=1):
        raise Malformed("an absence of a what-if lies within its day", path="away")
    return who.rpartition("/")[2], first, last


def _moment(on: date, text: str, otherwise: time, zone: object) -> datetime:
    at = time.fromisoformat(text.rjust(5, "0")) if text else otherwise
    return datetime.combine(on, at, zone)  # type: ignore[arg-type]
