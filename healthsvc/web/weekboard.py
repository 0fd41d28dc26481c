"""周板 the coordinator's week: a row for everybody, a cell for every day; the whole week is planned at once."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.dayplan import later, service
from healthsvc.dayplan.difference import difference
from healthsvc.errors import Malformed, NotFound, Refusal
from healthsvc.store import Store
from healthsvc.web.dayboard import today
from healthsvc.web.lanes import DayBoard, Lane, day_board
from healthsvc.web.lookup import staff_of
from healthsvc.web.progress import bar_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.today import KINDS, Day
from healthsvc.web.trials import outcome_between

router = APIRouter(dependencies=[needs("plan")])
_DAYS: Final = 7
_WORKED: Final = 5
_SECONDS: Final = 6.0
"""How long a week is searched for, in seconds of a small server."""


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody's week: a lane for each day, None where they have none."""

    practitioner: str
    name: str
    skills: tuple[str, ...]
    lanes: tuple[Lane | None, ...]

    @property
    def visits(self) -> int:
        """How many in the week."""
        return sum(len(lane.blocks) for lane in self.lanes if lane)


@router.get("/board/week")
def week(page: SignedPage, store: StoreReading, day: Day, done: str = "") -> Response:
    """The week around a day."""
    return _shown(page, store, day or today(store), done=done)


@router.post("/board/week/plan")
def plan(store: StoreWriting, on: Annotated[date, Form()]) -> Response:
    """Leave the workdays of the week that are still to come to a worker, once; proposals follow, nothing is in force until accepted."""
    first, days = _to_plan(store, on)
    if days < 1:
        raise Malformed("the workdays of that week are over; choose a later week", path="on", reason="board-week-over")
    if later.week_underway(store, first) is None:
        later.ask_for_week(store, first, days, _SECONDS)
    return RedirectResponse(f"/board/week?on={on}", status_code=303)


@router.get("/board/week/proposal")
def proposal(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """What the proposals of the week would change, day by day."""
    on = day or today(store)
    names = dict(staff_of(store))
    found = []
    for one in _week_of(on):
        known, after = store.get("List", service.proposal_id(one)), service.read_proposal(store, one)
        if known is not None and after is not None:
            before = service.read_plan(store, one)
            found.append((one, known.version, before, after, outcome_between(before, after, difference(before, after), store, names)))
    if not found:
        raise NotFound("there is no proposed plan for that week; plan it again", reason="board-no-proposal")
    return page.show("board_week_proposal.html", on=on, found=found)


@router.post("/board/week/proposal")
def decide(
    page: SignedPage,
    store: StoreWriting,
    on: Annotated[date, Form()],
    versions: Annotated[list[str], Form(max_length=_DAYS)],
    accept: Annotated[bool, Form()] = False,
) -> Response:
    """Make the proposals of the week the plans in force, all or none; or drop them."""
    try:
        wanted: dict[date, int | None] = {}
        for text in versions:
            one, _, version = text.partition("|")
            wanted[date.fromisoformat(one)] = int(version)
    except ValueError:
        raise Malformed("a proposal is named by its day and version", path="versions") from None
    try:
        with store.savepoint():
            if accept:
                service.accept_proposals(store, wanted)
            else:
                for one_day, number in wanted.items():
                    store.delete("List", service.proposal_id(one_day), number)
    except Refusal as refusal:
        return _shown(page, store, on, refused=page.told(refusal), status=refusal.status)
    return RedirectResponse(f"/board/week?on={on}&done={'planned' if accept else 'dropped'}", status_code=303)


def _to_plan(store: Store, on: date) -> tuple[date, int]:
    """The first workday of a week that is still to come, and how many there are from it on."""
    monday = on - timedelta(days=on.weekday())
    first = max(monday, today(store))
    return first, _WORKED - (first - monday).days


def _week_of(on: date) -> list[date]:
    monday = on - timedelta(days=on.weekday())
    return [monday + timedelta(days=number) for number in range(_DAYS)]


def _shown(page: Page, store: Store, on: date, *, refused: str = "", done: str = "", status: int = 200) -> Response:
    days = _week_of(on)
    boards = [day_board(store, one) for one in days]
    going = later.week_underway(store, _to_plan(store, on)[0])
    values: dict[str, Any] = {
        "on": on,
        "days": days,
        "boards": boards,
        "rows": _rows(boards),
        "week": timedelta(days=_DAYS),
        "proposals": any(service.read_proposal(store, one) is not None for one in days),
        "work": bar_of(page, going, go=True) if going else None,
        "kinds": KINDS,
        "refused": refused,
        "done": done,
    }
    return page.show("board_week.html", status=status, **values)


def _rows(boards: list[DayBoard]) -> list[Row]:
    everybody = {lane.practitioner: lane for board in boards for lane in board.lanes}
    found = []
    for who, lane in everybody.items():
        lanes = tuple(next((one for one in board.lanes if one.practitioner == who), None) for board in boards)
        skills = next((one.skills for one in lanes if one and one.skills), ())
        found.append(Row(who, lane.name, skills, lanes))
    return sorted(found, key=lambda row: ("doctor" not in row.skills, row.name, row.practitioner))
