"""守时把握 how well the day's plan holds: who may be late and why, who may come home late, and what time to spare on every way would do."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from healthsvc import clock as clocks
from healthsvc.access.door import Signed, needs, reading_as
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan.risk import MOST_SLACK, DayRisk, VisitRisk, day_risk
from healthsvc.errors import Refusal
from healthsvc.web.faces import faces
from healthsvc.web.lookup import staff_of
from healthsvc.web.render import SignedPage
from healthsvc.web.today import KINDS

router = APIRouter(dependencies=[needs("plan")])
SLACKS: Final = (0, 3, 5, 10, 15)
"""Minutes to spare on every way that the page offers."""


@dataclass(frozen=True, slots=True)
class Endangered:
    """One visit that may be late, with the person's name and who comes."""

    visit: VisitRisk
    person: str
    staff: str
    kind: str


@router.get("/board/{on}/risk")
def risk(on: date, page: SignedPage, who: Signed, request: Request, slack: Annotated[float, Query(ge=0, le=MOST_SLACK)] = 0.0) -> Response:
    """The chances of the day, in words."""
    state = request.app.state
    found: DayRisk | None = None
    refused, endangered = "", list[Endangered]()
    try:
        times = travel_times(state.settings.data, state.database.policy, on)
        found = day_risk(state.database, who.actor, on, times, at=clocks.now(), slack=slack)
    except Refusal as refusal:
        refused = page.told(refusal)
    if found is not None:
        with reading_as(state.database, who.actor) as store:
            names = dict(staff_of(store))
            people = faces(store, (one.person for one in found.risky))
            for one in found.risky:
                face = people.get(one.person)
                comes = "、".join(names.get(name, name) for name in one.staff)
                endangered.append(Endangered(one, face.name if face else "", comes, KINDS.get(one.kind, "")))
    values: dict[str, Any] = {"on": on, "found": found, "endangered": endangered, "refused": refused, "slacks": SLACKS, "slack": slack}
    return page.show("board_risk.html", block="part" if page.wants_part else None, **values)
