"""考核统计 the figures of a day, what each consists of, and the ledgers to take away."""

from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.checkup.rules import bounds
from healthsvc.errors import Malformed
from healthsvc.healthfile.service import today
from healthsvc.indicators import service
from healthsvc.indicators.figure import By, Figure, Part
from healthsvc.indicators.ledgers import BY_NAMES, LEDGERS
from healthsvc.indicators.people import Standing, behind
from healthsvc.indicators.service import Asked
from healthsvc.store import Store
from healthsvc.web.lookup import Directory
from healthsvc.web.render import SignedPage
from healthsvc.web.today import Day

router = APIRouter()
_MOST: Final = 200
_VALUE_NAMES: Final = {"local": "本地", "resettled": "易地安置"}


def known_on(known: Annotated[str, Query(pattern=r"\d{4}-\d{2}-\d{2}|")] = "") -> date | None:
    """The day whose knowledge is asked for; None: what was known on the day itself."""
    try:
        return date.fromisoformat(known) if known else None
    except ValueError:
        raise Malformed("a day is written 2026-11-23") from None


Known = Annotated[date | None, Depends(known_on)]


@router.get("/figures", dependencies=[needs("figures")])
def figures(page: SignedPage, store: StoreReading, day: Day, known: Known, by: By = By.RESETTLED) -> Response:
    """All figures as of the end of a day; no name of a cadre stands here."""
    now = today(store)
    asked = Asked(min(day or now, now), known=known)
    facts = service.gathered(store, asked)
    found = service.all_of(store, facts)
    compared = [(one, {it.part.value: it for it in one.parts(facts.members, by)}) for one in found if one.measure.compared]
    values = sorted({value for _, parts in compared for value in parts}, key=lambda value: (not value, value))
    names = Directory(store)
    return page.show(
        "figures.html",
        on=asked.on,
        now=now,
        known=known,
        first=facts.period[0],
        shares=[one for one in found if one.measure.rate],
        counts=[one for one in found if not one.measure.rate],
        compared=compared,
        values=[(value, value_name(store, names, by, value)) for value in values],
        by=by,
        traits=list(BY_NAMES.items()),
        ledgers=[(name, one.title) for name, one in LEDGERS.items()],
    )


@router.get("/figures/{code}", dependencies=[needs("figures")])
def explained(
    code: str, page: SignedPage, store: StoreReading, day: Day, known: Known, by: By | None = None, value: str | None = None
) -> Response:
    """One figure: its rule, how it came about, its way through the quarters, and the people behind it."""
    now = today(store)
    asked = Asked(min(day or now, now), known=known)
    part = service.part_of(by, value)
    one = service.figure(store, code, asked, part)
    rows = {standing: behind(store, one, standing, _MOST) for standing in Standing}
    totals = {Standing.MISSING: len(one.missing), Standing.MET: len(one.people), Standing.EXCLUDED: len(one.aside)}
    return page.show(
        "figure.html",
        one=one,
        on=asked.on,
        known=known,
        now=now,
        rows=[(standing, totals[standing], rows[standing]) for standing in Standing],
        parameters=[(store.policy.parameter(name, asked.on), _said(store.policy.value(name, asked.on))) for name in one.measure.parameters],
        excluded=one.excluded,
        part_name=value_name(store, Directory(store), part.by, part.value) if part.by else "",
        quarters=_quarters(store, code, asked.on, part),
    )


def value_name(store: Store, names: Directory, by: By, value: str) -> str:
    """A trait's value as one reads it."""
    if by is By.DOCTOR:
        return names.staff(value)
    if by is By.CENTRE:
        found = store.find("Organization", value.rpartition("/")[2]) if value else None
        return str((found or {}).get("name", value))
    return _VALUE_NAMES.get(value, value)


def _said(value: object) -> str:
    """A policy value as one reads it."""
    if isinstance(value, dict):
        return "、".join(f"{key} {inner}" for key, inner in value.items())
    return "、".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _quarters(store: Store, code: str, on: date, part: Part) -> list[tuple[str, Figure]]:
    """The figure at the end of this quarter so far and of the three before, each as it was known then."""
    found, day = [], on
    for _ in range(4):
        found.append((f"{day.year}Q{(day.month + 2) // 3}", service.figure(store, code, Asked(day), part)))
        day = bounds(day.year, (day.month + 2) // 3)[0] - timedelta(days=1)
    return found[::-1]
