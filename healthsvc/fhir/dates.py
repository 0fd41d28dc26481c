"""Partial dates as ranges: ``2026`` is a year, ``2026-03`` a month, ``2026-03-05`` a day. A day in Ningbo is not a day in Greenwich.

Ranges are half-open microseconds since 1970 UTC. Dates without a zone are meant in the zone that the caller gives (a setting,
Asia/Shanghai unless told otherwise).
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from healthsvc.clock import DEFAULT_ZONE
from healthsvc.errors import Invalid

BEGINNING = -62_135_596_800_000_000
"""Year 1: the low end of a period that has no start."""
END = 253_402_300_800_000_000
"""Year 10000: the high end of a period that has no end."""
SECOND = 1_000_000
FORM = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=32768)
def span(text: str, zone: str = DEFAULT_ZONE) -> tuple[int, int]:
    """The half-open range of microseconds that a FHIR date, dateTime or instant means.

    Raises:
        Invalid: not a date, or a day or time that does not exist.

    >>> span("2026-03-05")[1] - span("2026-03-05")[0] == 24 * 3600 * SECOND
    True
    """
    found = FORM.fullmatch(text)
    if not found:
        raise Invalid("this is not a FHIR date or dateTime; write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        local = ZoneInfo(zone)
        if day is None or hour is None:
            first = date(int(year), int(month or 1), int(day or 1))
            return midnight(first, local), following(first, local, month is not None, day is not None)
        leap = second == "60"
        text_of_time = f"{year}-{month}-{day}T{hour}:{minute}:{'59' if leap else second or '00'}{offset or ''}"
        moment = datetime.fromisoformat(text_of_time)
        low = micros(moment if offset else moment.replace(tzinfo=local)) + (SECOND if leap else 0)
    except ValueError as error:
        raise Invalid(f"this date or time does not exist: {error}") from None
    if fraction:
        kept = fraction[:6]
        low += int(kept.ljust(6, "0"))
        return low, low + 10 ** (6 - len(kept))
    return low, low + (SECOND if second else 60 * SECOND)


def following(first: date, local: ZoneInfo, has_month: bool, has_day: bool) -> int:
    """Where the year, month or day that starts at ``first`` ends."""
    if first.year == 9999 and (not has_month or first.month == 12) and (not has_day or first.day == 31):
        return END
    if has_day:
        return midnight(first + timedelta(days=1), local)
    if has_month and first.month < 12:
        return midnight(first.replace(month=first.month + 1), local)
    return midnight(date(first.year + 1, 1, 1), local)


def midnight(day: date, local: ZoneInfo) -> int:
    """The first microsecond of a day in a zone."""
    return micros(datetime(day.year, day.month, day.day, tzinfo=local))


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware moment."""
    passed = moment - EPOCH
    return (passed.days * 86400 + passed.seconds) * SECOND + passed.microseconds


def moment(micros_utc: int, zone: str = DEFAULT_ZONE) -> datetime:
    """The moment of so many microseconds since 1970 UTC, shown in a zone."""
    return (EPOCH + timedelta(microseconds=micros_utc)).astimezone(ZoneInfo(zone))


def date_time(at: datetime, zone: str = DEFAULT_ZONE) -> str:
    """A moment as FHIR dateTime with the zone's offset: ``2026-03-05T08:30:00+08:00``."""
    return at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def instant(at: datetime, zone: str = DEFAULT_ZONE) -> str:
    """A moment as FHIR instant to the millisecond: ``2026-03-05T08:30:00.000+08:00``."""
    return at.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds")


def period(value: dict[str, object], zone: str = DEFAULT_ZONE) -> tuple[int, int]:
    """The range of a FHIR Period; an open end reaches to :data:`BEGINNING` or :data:`END`. The end day belongs to it."""
    start, end = value.get("start"), value.get("end")
    low = span(start, zone)[0] if isinstance(start, str) else BEGINNING
    high = span(end, zone)[1] if isinstance(end, str) else END
    return low, high
