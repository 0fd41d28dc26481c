"""One visit on the board: where it stands and why, a form to move it, who else could come, where it would fit."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from healthsvc import clock as clocks
from healthsvc.access.door import Signed, StoreReading, needs, reading_as
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import words
from healthsvc.dayplan.board.reasons import reasons
from healthsvc.dayplan.board.trial import find_places
from healthsvc.dayplan.service import policy_of
from healthsvc.dayplan.shelf import cold
from healthsvc.errors import Refusal
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit
from healthsvc.web.faces import faces
from healthsvc.web.lanes import Block, clock, day_board
from healthsvc.web.lookup import staff_of
from healthsvc.web.render import SignedPage
from healthsvc.web.today import KINDS

if TYPE_CHECKING:  # the search and its compiler are loaded when somebody asks
    from healthsvc.dayplan.insertion import Insertion

router = APIRouter(dependencies=[needs("plan")])
_AHEAD: Final = 21
"""Days ahead to which the form offers to move a visit."""
_PLACES: Final = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """A place where a visit would fit: who, when, what it costs more (minutes of travel), who begins how much later because of it.

    ``breaks``: how many would lose the midday break; what that costs is not in ``cost``.
    """

    staff: tuple[str, ...]
    names: str
    start: str
    cost: float
    later: tuple[tuple[str, int], ...]
    breaks: int


@router.get("/board/{on}/visits/{task}")
def visit(on: date, task: str, page: SignedPage, store: StoreReading, view: str = "day") -> Response:
    """The visit with its form."""
    seen = day_board(store, on)
    block = next((one for one in seen.blocks if one.visit.id == task), None)
    found = block.visit if block else visits.read(store, task)
    left = next((one for one in (seen.plan.left_over if seen.plan else ()) if one.visit == task), None)
    face = block.face if block else faces(store, [found.person]).get(found.person)
    values: dict[str, Any] = {
        "on": on,
        "view": view,
        "planned": block,
        "visit": found,
        "face": face,
        "left": left,
        "board": seen,
        "days": _days(store, found, on),
        "why": _why(block),
        "kinds": KINDS,
        "chosen": list(block.staff if block else ()),
        "cold": cold(),
    }
    return page.show("board_visit.html", block="part" if page.wants_part else None, **values)


@router.get("/board/{on}/visits/{task}/why")
def why(on: date, task: str, page: SignedPage, who: Signed, request: Request) -> Response:
    """Who else could come and what it would cost; of a visit that found no place, what would let it in (proved by solving again)."""
    state = request.app.state
    times = travel_times(state.settings.data, state.database.policy, on)
    refused, found = "", dict[str, Any]()
    places: tuple[Insertion, ...] = ()
    try:
        found = reasons(state.database, who.actor, on, task, times, at=clocks.now())
        if not found["planned"]:
            places = find_places(state.database, who.actor, on, task, times, at=clocks.now(), most=_PLACES)
    except Refusal as refusal:
        refused = page.told(refusal)
    with reading_as(state.database, who.actor) as store:
        names = dict(staff_of(store))
        rest = policy_of(store.policy, on).rest_price
        openings = [_opening(one, names, store, rest) for one in places]
        openings += [_instead(one, names, store, rest) for one in found.get("instead", ())]
        person = visits.read(store, task).person
        face = faces(store, [person]).get(person)
    values: dict[str, Any] = {"on": on, "task": task, "found": found, "openings": openings, "refused": refused, "face": face}
    return page.show("board_why.html", block="part" if page.wants_part else None, moment=_clock, **values)


def _why(block: Block | None) -> list[tuple[str, str]]:
    """Why this person comes, in both languages."""
    return [words.WHY[code] for code in block.way.why if code in words.WHY] if block and block.way else []


def _days(store: Store, found: Visit, on: date) -> list[date]:
    """The days on which the visit may be made, from today; of an overdue one the coming days."""
    first = max(store.today, found.window.start.astimezone(store.zone).date())
    closes = found.window.end.astimezone(store.zone).date()
    last = min(closes if closes >= first else first + timedelta(days=_AHEAD), first + timedelta(days=_AHEAD))
    offered = {first + timedelta(days=number) for number in range((last - first).days + 1)}
    return sorted(offered | {on})


def _opening(found: "Insertion", names: dict[str, str], store: Store, rest: float) -> Opening:
    staff = tuple(one.partition("#")[0] for one in found.caregivers)
    pushed = tuple((_who(task, store), round(minutes)) for task, minutes in found.later if minutes >= 1)
    breaks, cost = _without_breaks(found.cost, rest)
    return Opening(staff, "、".join(names.get(one, one) for one in staff), clock(int(min(found.starts))), cost, pushed, breaks)


def _instead(told: dict[str, Any], names: dict[str, str], store: Store, rest: float) -> Opening:
    staff = tuple(one["practitioner"] for one in told["staff"])
    pushed = tuple((_who(one["task"], store), round(one["minutes"])) for one in told["later"] if one["minutes"] >= 1)
    breaks, cost = _without_breaks(told["costs_more"], rest)
    return Opening(staff, "、".join(names.get(one, one) for one in staff), _clock(told["starts"][0]), cost, pushed, breaks)


def _without_breaks(cost: float, rest: float) -> tuple[int, float]:
    """How many breaks are in a price, and what it is without them: no other minute of a place costs nearly as much as one break."""
    breaks = max(0, int(cost // rest)) if rest > 0 else 0
    return breaks, cost - breaks * rest


def _who(task: str, store: Store) -> str:
    person = visits.read(store, task).person
    face = faces(store, [person]).get(person)
    return face.name if face else ""


def _clock(text: str) -> str:
    return f"{datetime.fromisoformat(text):%H:%M}"
