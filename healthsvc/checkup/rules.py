"""每季上门体检: the quarters of a contract's term and their windows, one full yearly check among three basic ones."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Form(StrEnum):
    """Which check it is: the full yearly one of the national form (2.2), or the basic one."""

    ANNUAL_FULL = "annual-full"
    QUARTERLY_BASIC = "quarterly-basic"


@dataclass(frozen=True, slots=True)
class CheckupPolicy:
    """Filled from ``policy/checkup.toml``."""

    per_year: int
    """1, 2 or 4."""
    due_share: float
    """Where in the quarter a checkup is due, as a share of the quarter."""
    before_share: float
    after_share: float
    """How far the window opens before and closes after the due day, as shares of the quarter."""
    least_days: int
    """A first quarter with fewer days left is not begun; no window is shorter."""
    annual_quarter: int
    """In which calendar quarter the full yearly check is made (1 to 4)."""
    minutes: dict[str, int]
    """Minutes at the door, by form."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """One calendar quarter of a term with the days between which its checkup is to be made; all days are inside."""

    year: int
    number: int
    opens: date
    due: date
    closes: date
    form: Form

    @property
    def name(self) -> str:
        """``2026Q1``."""
        return f"{self.year}Q{self.number}"


def bounds(year: int, number: int) -> tuple[date, date]:
    """First and last day of a calendar quarter."""
    first = date(year, 3 * number - 2, 1)
    after = date(year + 1, 1, 1) if number == 4 else date(year, 3 * number + 1, 1)
    return first, after - timedelta(days=1)


def quarters(signed: date, ends: date, policy: CheckupPolicy, done: Container[str] = ()) -> Iterator[Quarter]:
    """The checkups that a term promises: consecutive calendar quarters, ``per_year`` for each year of the term.

    The first is the quarter of signing, unless fewer than ``least_days`` of it are left; so a term of one year gets four at whatever
    day it begins, and a renewal on the day after goes on without a gap or a double. Windows stay inside quarter and term.

    Args:
        signed: first day of the term.
        ends: last day of the term.
        policy: shares and limits in force.
        done: names of quarters whose checkup was already made under an earlier contract; the promise goes on behind them.
    """
    promised = round(policy.per_year * ((ends - signed).days + 1) / 365.25)
    step = 4 // policy.per_year
    year, number = signed.year, (signed.month + 2) // 3
    if (bounds(year, number)[1] - signed).days + 1 < policy.least_days:
        year, number = _next(year, number)
    while promised > 0:
        quarter = _window(year, number, signed, ends, policy)
        if quarter is None:
            return
        if quarter.name not in done:
            promised -= 1
            yield quarter
        for _ in range(step):
            year, number = _next(year, number)


def task_id(patient: str, quarter: str) -> str:
    """The Task of a person's checkup of a quarter: ``checkup-{patient}-2026Q1``."""
    return f"checkup-{patient}-{quarter}"


def _window(year: int, number: int, signed: date, ends: date, policy: CheckupPolicy) -> Quarter | None:
    first, last = bounds(year, number)
    cycle = (last - first).days
    earliest, latest = max(first, signed), min(last, ends)
    if latest < earliest:
        return None
    due = first + timedelta(days=round(cycle * policy.due_share))
    opens = due - timedelta(days=round(cycle * policy.before_share))
    closes = due + timedelta(days=round(cycle * policy.after_share))
    opens = min(max(opens, earliest), latest)
    closes = min(max(closes, opens + timedelta(days=policy.least_days - 1)), latest)
    # with fewer than four a year the calendar may never come by the annual quarter: then the first one of a year is the full one
    full = number == policy.annual_quarter if policy.per_year == 4 else number <= 4 // policy.per_year
    form = Form.ANNUAL_FULL if full else Form.QUARTERLY_BASIC
    return Quarter(year, number, opens, min(max(due, opens), closes), closes, form)


def _next(year: int, number: int) -> tuple[int, int]:
    return (year + 1, 1) if number == 4 else (year, number + 1)
