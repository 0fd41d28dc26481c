"""工作日: which days are worked in China, make-up workdays too, and which years are only provisional.

The State Council publishes the days of the coming year in November; until then holidays can be computed, but not the swapped days.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from healthsvc.errors import Invalid
from healthsvc.policy import Policy

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
    published: frozenset[int] = frozenset()
    """Years whose official calendar the site has entered: they are not provisional, whatever the shipped calendar knows."""


def site_calendar(policy: Policy, on: date) -> SiteCalendar:
    """The site's own table: policy ``checkup.days_off``, ``checkup.days_worked`` and ``checkup.calendar_published``.

    Raises:
        Invalid: a day is not a date, or stands in both lists; the text names the parameter.
    """
    off, worked = (_days(policy, name, on) for name in ("checkup.days_off", "checkup.days_worked"))
    if off & worked:
        both = ", ".join(day.isoformat() for day in sorted(off & worked))
        raise Invalid(f"days both off and worked: {both}; mend checkup.days_off or checkup.days_worked in DATA/policy/checkup.toml")
    return SiteCalendar(off, worked, frozenset(int(year) for year in policy.value("checkup.calendar_published", on)))


def _days(policy: Policy, name: str, on: date) -> frozenset[date]:
    try:
        return frozenset(one if isinstance(one, date) else date.fromisoformat(str(one)) for one in policy.value(name, on))
    except ValueError:
        raise Invalid(f"{name} is a list of dates such as 2027-02-05; mend it in DATA/policy/checkup.toml") from None


def look_up(day: date, site: SiteCalendar | None = None) -> Day:
    """Say whether a day is worked, under which holiday it falls, and whether that is only provisional."""
    entered = site is not None and day.year in site.published
    if site is not None and (day in site.off or day in site.worked):
        return Day(day in site.worked)
    china = _china(day.year)
    name = china.get(day) or ""
    return Day(bool(china.is_working_day(day)), str(name), provisional=not (entered or _published(day.year)))


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
