"""台账 ledgers on the screen and to take away: of some days, of one community, doctor, unit or centre; masked unless the purpose allows."""

from collections import Counter
from datetime import date
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.checkup.rules import bounds
from healthsvc.errors import Invalid
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import today
from healthsvc.indicators.endpoints import Format, file
from healthsvc.indicators.figure import ALL, By, Part
from healthsvc.indicators.ledgers import BY_NAMES, LEDGERS, ledger, trait_of
from healthsvc.indicators.tables import Cell, Table
from healthsvc.store import Store
from healthsvc.web.contracts import STATE_NAMES
from healthsvc.web.figures import value_name
from healthsvc.web.lookup import Directory
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("figures")])
_PAGE: Final = 100
_VISIT: Final = {
    "upcoming": "未到期",
    "due": "待访",
    "overdue": "逾期",
    "under-way": "进行中",
    "suspended": "暂停",
    "done": "已完成",
    "closed": "已关闭",
}
WORDS: Final = {
    ("visits", "状态"): _VISIT,
    ("contracts", "状态"): {state.value: name for state, name in STATE_NAMES.items()},
    ("referrals", "方向"): {"up": "上转", "down": "下转"},
}
"""Codes that say something else in a ledger than elsewhere: ledger and column -> code -> word."""
Purpose = Literal["statistics", "care"]
DayText = Annotated[str, Query(max_length=10)]


@router.get("/figures/ledgers/{name}.{form}")
def exported(
    name: str, form: Format, request: Request, page: SignedPage, store: StoreReading, first: DayText = "", last: DayText = "",
    by: str = "", value: str | None = None, purpose: Purpose = "statistics",
) -> Response:  # fmt: skip
    """A ledger as a file, in the reader's words."""
    begins, ends = _days(store, first, last)
    table = _spoken(page, name, ledger(store, name, begins, ends, _part(store, by, value), named=purpose == "care"))
    return file(f"{name}-{begins.isoformat()}-{ends.isoformat()}", form, table, request, store)


@router.get("/figures/ledgers/{name}")
def shown(
    name: str, page: SignedPage, store: StoreReading, first: DayText = "", last: DayText = "", by: str = "", value: str | None = None,
    purpose: Purpose = "statistics", start: Annotated[int, Query(ge=0)] = 0,
) -> Response:  # fmt: skip
    """A ledger on the screen, page by page."""
    begins, ends = _days(store, first, last)
    part = _part(store, by, value)
    table = _spoken(page, name, ledger(store, name, begins, ends, part, named=purpose == "care"))
    return page.show(
        "ledger.html", name=name, table=table, rows=table.rows[start : start + _PAGE], start=start, size=_PAGE, first=begins, last=ends,
        part=part, purpose=purpose, ledgers=[(key, one.title) for key, one in LEDGERS.items()], traits=list(BY_NAMES.items()),
        values=_values(store, part.by), may_name=page.who is not None and page.who.may("read-clinical"),
    )  # fmt: skip


def _spoken(page: Page, name: str, table: Table) -> Table:
    """A ledger in the reader's words; names stay as they are."""
    own = [WORDS.get((name, column), {}) for column in table.columns]

    def word(place: int, cell: Cell) -> Cell:
        return page.say(own[place].get(cell, cell)) if isinstance(cell, str) and cell else cell

    rows = tuple(tuple(word(place, cell) for place, cell in enumerate(row)) for row in table.rows)
    return Table(page.say(table.name), tuple(page.say(one) for one in table.columns), rows)


def _part(store: Store, by: str, value: str | None) -> Part:
    """Whose ledger; a group without a choice in it is its first."""
    if not by:
        return ALL
    if by not in tuple(By):
        raise Invalid(f"a ledger is kept apart by one of {', '.join(By)}", path="by", reason="not-understood")
    values = [one for one, _, _ in _values(store, By(by))]
    return Part(By(by), value if value in values else next(iter(values), ""))


def _values(store: Store, by: By | None) -> list[tuple[str, str, int]]:
    """What a trait may be: value, name, how many people."""
    if by is None:
        return []
    names = Directory(store)
    counted = Counter(trait_of(to_person(one), by) for one in store.select("Patient", active="true"))
    return sorted(((value, value_name(store, names, by, value), count) for value, count in counted.items()), key=lambda one: one[1])


def _days(store: Store, first: str, last: str) -> tuple[date, date]:
    """The quarter so far unless told.

    Raises:
        Invalid: a day that cannot be read, or an end before its beginning.
    """
    now = today(store)
    try:
        ends = date.fromisoformat(last) if last else now
        begins = date.fromisoformat(first) if first else bounds(ends.year, (ends.month + 2) // 3)[0]
    except ValueError:
        raise Invalid("a day is written 2026-11-23", path="first", reason="day") from None
    if ends < begins:
        raise Invalid("the ledger ends before it begins; swap first and last", path="last", reason="days-swapped")
    return begins, ends
