"""考核统计 the figures of a day, local and resettled cadres side by side, and the ledgers to take away."""

from typing import Final

from fastapi import APIRouter, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.checkup.rules import bounds
from healthsvc.healthfile.service import today
from healthsvc.indicators import service
from healthsvc.indicators.ledgers import LEDGERS
from healthsvc.indicators.rules import Figure, Group
from healthsvc.web.lookup import Directory
from healthsvc.web.render import SignedPage
from healthsvc.web.today import Day

router = APIRouter()
_MOST: Final = 200


@router.get("/figures", dependencies=[needs("figures")])
def figures(page: SignedPage, store: StoreReading, day: Day) -> Response:
    """All figures as of the end of a day; no name stands here."""
    on = day or today(store)
    found = service.figures(store, on)
    everybody = [one for one in found if one.group is Group.ALL]
    return page.show(
        "figures.html",
        on=on,
        first=bounds(on.year, (on.month + 2) // 3)[0],
        shares=[one for one in everybody if one.denominator is not None],
        counts=[one for one in everybody if one.denominator is None],
        compared=_compared(found),
        ledgers=[(name, title) for name, (title, _, _) in LEDGERS.items()],
        people=page.who is not None and page.who.may("read-clinical"),
    )


@router.get("/figures/{code}")
def missing(code: str, page: SignedPage, store: StoreReading, day: Day) -> Response:
    """The people behind one figure: those who are missing first."""
    on = day or today(store)
    one, names = service.figure(store, code, on), Directory(store)
    rows = {key: [(id, names.person(id)) for id in ids[:_MOST]] for key, ids in (("missing", one.missing), ("people", one.people))}
    return page.show("figure.html", one=one, on=on, rows=rows)


def _compared(found: list[Figure]) -> list[tuple[Figure, Figure]]:
    local = {one.code: one for one in found if one.group is Group.LOCAL}
    return [(local[one.code], one) for one in found if one.group is Group.RESETTLED and one.code in local]
