"""The only caller of now(). Everything else gets the time as an argument."""

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "Asia/Shanghai"


@lru_cache(maxsize=8)
def zone(name: str = DEFAULT_ZONE) -> ZoneInfo:
    """The time zone in which dates without a zone are meant (a setting; Asia/Shanghai unless told otherwise)."""
    return ZoneInfo(name)


def now(tz: tzinfo | None = None) -> datetime:
    """The present moment, aware of its zone, in ``tz`` or Asia/Shanghai."""
    return datetime.now(tz or zone())


def utc_now() -> datetime:
    """The present moment in UTC, for instants that machines compare."""
    return datetime.now(UTC)


def today(tz: tzinfo | None = None) -> date:
    """The present day in ``tz`` or Asia/Shanghai."""
    return now(tz).date()
