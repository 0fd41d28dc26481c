"""FHIR dateTimes of any precision, set beside each other."""

from datetime import datetime, timedelta, tzinfo

_DAY = len("2026-01-01")


def instant(fhir: str, zone: tzinfo) -> datetime:
    """The moment, on the clock of ``zone``; its beginning where it is a day, a month or a year."""
    if len(fhir) > _DAY:
        return datetime.fromisoformat(fhir).astimezone(zone)
    year, month, day = (*(int(part) for part in fhir.split("-")), 1, 1)[:3]
    return datetime(year, month, day, tzinfo=zone)


def day_of(fhir: str) -> str:
    """The day as digits, as far as it is known: for ids that tell one day's from another's."""
    return fhir[:_DAY].replace("-", "")


def gap(one: str, other: str, zone: tzinfo) -> timedelta:
    """How far two moments lie from each other, whichever comes first."""
    return abs(instant(one, zone) - instant(other, zone))


def is_apart(one: str, other: str, apart: timedelta, zone: tzinfo) -> bool:
    """Whether two moments lie on different days and this far from each other; where of one only the day or month is known, that decides."""
    known = min(len(one), len(other), _DAY)
    if min(len(one), len(other)) <= _DAY:
        return one[:known] != other[:known]
    return instant(one, zone).date() != instant(other, zone).date() and gap(one, other, zone) >= apart
