"""十分钟圈 who lives inside, by community and by risk group, and where the gaps are; on a map and as tables."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.circle import service
from healthsvc.circle.providers import travel_times
from healthsvc.circle.rules import Mode
from healthsvc.circle.travel import TravelTimes
from healthsvc.circle.words import MODE_NAMES
from healthsvc.errors import Refusal
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
_LISTED: Final = 30
"""Homes of a gap that are named."""


@router.get("/circle", dependencies=[needs("plan")])
def coverage(page: SignedPage, store: StoreReading, mode: Mode | None = None) -> Response:
    """Coverage as it was last measured; what is new or has moved since is counted apart."""
    how = mode or Mode(service.policy_of(store).mode)
    found, missing = service.coverage_kept(store, how)
    store.audit("coverage", None, purpose=f"page {how}")
    stations = service.stations(store)
    values: dict[str, Any] = {
        "found": found,
        "missing": missing,
        "mode": how,
        "modes": MODE_NAMES,
        "limit": service.policy_of(store).limit_minutes,
        "stations": stations,
        "measured": bool(found.answers),
        "gaps": found.gaps,
        "asks": sum(answer.membership.asks_a_person for answer in found.answers),
    }
    return page.show("coverage.html", **values)


@router.post("/circle/measure", dependencies=[needs("plan")])
def measure(page: SignedPage, request: Request, store: StoreWriting, mode: Mode | None = None) -> Response:
    """Measure every home now and keep the answers."""
    try:
        with store.savepoint():
            service.measure(store, times_of(request), mode)
    except Refusal as refusal:
        return _refused(page, refusal)
    return RedirectResponse("/circle" + (f"?mode={mode}" if mode else ""), status_code=303)


def times_of(request: Request) -> TravelTimes:
    """The site's travel times."""
    return travel_times(request.app.state.settings.data, request.app.state.database.policy)


def _refused(page: Page, refusal: Refusal) -> Response:
    return page.show("refusal.html", status=refusal.status, refusal=refusal, told=page.told(refusal), lines=[], sent=True)
