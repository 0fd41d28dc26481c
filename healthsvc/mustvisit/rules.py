"""五必到 Which must-visits are due when: from what the file, the hospital, the checkups and the calendar say. Pure.

The five are those of the source text: 急难事, 生病住院, 定期体检, 重大节庆日, 生日祝愿.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from healthsvc.errors import RuleViolation


class Occasion(StrEnum):
    """Why somebody must come."""

    TROUBLE = "trouble"
    ADMISSION = "admission"
    CHECKUP = "checkup"
    FESTIVAL = "festival"
    BIRTHDAY = "birthday"


OCCASION_NAMES = {
    Occasion.TROUBLE: ("急难事必到", "In trouble"),
    Occasion.ADMISSION: ("生病住院必到", "In hospital"),
    Occasion.CHECKUP: ("定期体检必到", "At the checkup"),
    Occasion.FESTIVAL: ("重大节庆日必到", "At festivals"),
    Occasion.BIRTHDAY: ("生日祝愿必到", "On the birthday"),
}


@dataclass(frozen=True, slots=True)
class MustVisitPolicy:
    """The parameters ``mustvisit.*``."""

    lead_days: dict[str, int]
    """By occasion: days before (festival, birthday, checkup) from which it is on the list."""
    within_days: dict[str, int]
    """By occasion: days after the cause by which somebody must have come."""
    who: dict[str, str]
    """By occasion: the role that comes (a contact role of the file, or ``doctor``)."""
    festivals: tuple[tuple[str, str, str], ...]
    """Code, name, and when: ``MM-DD``, or the name of a feast of the lunar calendar."""
    festival_categories: tuple[str, ...]
    birthday_ages: tuple[int, ...] = ()
    """Only these birthdays; empty: every one."""


@dataclass(frozen=True, slots=True)
class Due:
    """One must-visit: whose, why, from when until when, and what makes it one of a kind."""

    patient: str
    occasion: Occasion
    key: str
    """Makes the id with patient and occasion: the year, the stay, the alarm."""
    first: date
    last: date
    who: str
    about: str = ""
    """Reference to the cause, where it is a resource."""
    title: str = ""


Festival = Callable[[str, int], date | None]
"""The day of a feast of the lunar calendar in a year; None where the calendar does not know it."""


def birthday(birth: date, year: int) -> date:
    """The birthday in a year; one born on 29 February has it on 28 February in common years, so that nobody comes too late."""
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def of_birthday(patient: str, birth: date, on: date, policy: MustVisitPolicy) -> Iterator[Due]:
    """The birthday that is on the list on a day."""
    occasion = Occasion.BIRTHDAY
    for year in (on.year, on.year + 1):
        day = birthday(birth, year)
        if policy.birthday_ages and year - birth.year not in policy.birthday_ages:
            continue
        if _listed(day, on, occasion, policy):
            yield _due(patient, occasion, str(year), day, policy, title=f"{year - birth.year}")


def of_festivals(patient: str, on: date, policy: MustVisitPolicy, lunar: Festival) -> Iterator[Due]:
    """The festivals that are on the list on a day."""
    for code, name, when in policy.festivals:
        for year in (on.year, on.year + 1):
            day = _festival(when, year, lunar)
            if day is not None and _listed(day, on, Occasion.FESTIVAL, policy):
                yield _due(patient, Occasion.FESTIVAL, f"{code}-{year}", day, policy, title=name)


def of_cause(patient: str, occasion: Occasion, cause: str, since: date, policy: MustVisitPolicy, title: str = "") -> Due:
    """What a cause asks for: an admission, an alarm, a checkup that is due."""
    last = since + timedelta(days=policy.within_days[occasion])
    return Due(patient, occasion, cause.replace("/", "-"), since, last, policy.who[occasion], cause, title)


def _festival(when: str, year: int, lunar: Festival) -> date | None:
    month, dash, day = when.partition("-")
    if dash and month.isdigit() and day.isdigit():
        try:
            return date(year, int(month), int(day))
        except ValueError:
            raise RuleViolation(f"mustvisit.festivals has no such day: {when!r}", reason="mustvisit-festival") from None
    return lunar(when, year)


def _listed(day: date, on: date, occasion: Occasion, policy: MustVisitPolicy) -> bool:
    return day - timedelta(days=policy.lead_days[occasion]) <= on <= day + timedelta(days=policy.within_days[occasion])


def _due(patient: str, occasion: Occasion, key: str, day: date, policy: MustVisitPolicy, title: str) -> Due:
    first = day - timedelta(days=policy.lead_days[occasion])
    return Due(patient, occasion, key, first, day + timedelta(days=policy.within_days[occasion]), policy.who[occasion], "", title)
