"""Dates and times as FHIRPath compares them: part by part, and without an answer where one says less than the other.

``2026-03 < 2026-04-01`` is true, ``2026-03 < 2026-03-01`` has no answer. Times with zones are compared in UTC.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

Parts: TypeAlias = tuple[int | Decimal, ...]

DATE_TYPES = frozenset({"date", "dateTime", "instant", "time"})
MOMENT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?(Z|[+-]\d\d:\d\d)?)?")
TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?")


@lru_cache(maxsize=4096)
def parts(text: str, is_time: bool) -> tuple[Parts, bool] | None:
    """Year, month, day, hour, minute and second as far as they are said, and whether a zone was; None if it is no date or time."""
    found = (TIME if is_time else MOMENT).fullmatch(text)
    if not found:
        return None
    groups = found.groups()
    zone = None if is_time else groups[6]
    said = tuple(Decimal(one) if "." in one else int(one) for one in groups[: 3 if is_time else 6] if one is not None)
    return (in_utc(said, zone), True) if zone and len(said) > 3 else (said, False)


def in_utc(said: Parts, zone: str) -> Parts:
    """The same moment in UTC, with as many parts as were said."""
    year, month, day, hour, *rest = said
    minute, second = (*rest, 0, 0)[:2]
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{int(minute):02}:{min(int(second), 59):02}{'+00:00' if zone == 'Z' else zone}"
    try:
        there = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return said
    return (there.year, there.month, there.day, there.hour, there.minute, second)[: len(said)]


def order(one: str, other: str, is_time: bool = False) -> int | None:
    """-1, 0 or 1; None where it cannot be said, or where one of them is no date or time."""
    left, right = parts(one, is_time), parts(other, is_time)
    if left is None or right is None or (left[1] != right[1] and min(len(left[0]), len(right[0])) > 3):
        return None
    for a, b in zip(left[0], right[0], strict=False):
        if a != b:
            return -1 if a < b else 1
    return 0 if len(left[0]) == len(right[0]) else None


def are_moments(one: str, other: str, is_time: bool = False) -> bool:
    """Whether both are dates or times."""
    return parts(one, is_time) is not None and parts(other, is_time) is not None
