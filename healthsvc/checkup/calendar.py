"""工作日: which days are worked in China, make-up workdays too, and which years are only provisional.

The State Council publishes the days of the coming year in November; until then holidays can be computed, but not the swapped days.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """What a day is."""

    works: bool
    name: str = ""
    """Name of the holiday, where it is one."""
    provisional: bool = False
    """The year's calendar is not published yet, or lies before the swaps that are known: the answer may change."""


@dataclass(frozen=True, slots=True)
class SiteCalendar:
    """What a site knows better than the shipped calendar: its own days off and days worked."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()


def look_up(day: date, site: SiteCalendar | None = None) -> Day:
    """Say whether a day is worked, under which holiday it falls, and whether that is only provisional."""
    if site is not None and (day in site.off or day in site.worked):
        return Day(day in site.worked)
    china = _china(day.year)
    name = china.get(day) or ""
    return Day(bool(china.is_working_day(day)), str(name), provisional=not _published(day.year))


def is_workday(day: date, site: SiteCalendar | None = None) -> bool:
    """Whether a day is worked (weekends that make up for a bridge day are)."""
    return look_up(day, site).works


def next_workday(day: date, latest: date | None = None, site: SiteCalendar | None = None) -> date:
    """The day itself if it is worked, else the next one that is; if that lies after ``latest``, the last worked day before."""
    found = day
    while not is_workday(found, site):
        found += _ONE_DAY
    if latest is None or found <= latest:
        return found
    found = min(day, latest)
    while not is_workday(found, site) and found > date.min:
        found -= _ONE_DAY
    return found


@lru_cache(maxsize=64)
def _china(year: int) -> Any:
    import holidays  # half a second, and only the calendar needs it

    return holidays.country_holidays("CN", years=year, language="zh_CN")


@lru_cache(maxsize=64)
def _published(year: int) -> bool:
    """Swapped days are published together with the year: a year that has none is not published yet."""
    return any(day.year == year for day in _china(year).weekend_workdays)
