"""In which zone a message's times are meant.

HL7 v2.5.1 2.15.9.7: an offset in MSH-7 is the default for every time of the message that has none of its own. Where it has none either,
the site's own zone holds. A link's profile may know better: ``time_zone`` names the zone of times without an offset whatever MSH-7 says,
and ``offsets = "ignore"`` is for senders that write the time of their wall clock with an offset that is not theirs (``+0000``).
"""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from integrations.hl7v2.header import Header

FARTHEST = timedelta(hours=14)
"""No place on earth is further from UTC than this (UTC-12 to UTC+14); an offset beyond it says nothing."""
_OFFSET = re.compile(r"([+-])(\d{2}):?([0-5]\d)")
_AT_THE_END = re.compile(r"\d{8,}(?:\.\d+)?\s*([+-]\d{2}:?\d{2}|Z)\s*$")


class SenderZone(tzinfo):
    """Where times without an offset are meant, and whether offsets can be believed. One object for each such meaning, known by identity.

    What is read is told in ``home``, the site's own zone: the same moment, as whoever reads the file knows it from their own clock.
    """

    def __init__(self, home: tzinfo, meant: tzinfo, *, believed: bool = True) -> None:
        self.home = home
        self.meant = meant
        self.believed = believed

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """That of the zone in which times are meant."""
        return self.meant.utcoffset(when)

    def dst(self, when: datetime | None) -> timedelta | None:
        """That of the zone in which times are meant."""
        return self.meant.dst(when)

    def fromutc(self, when: datetime) -> datetime:
        """A moment on the sender's clock; Python's own way needs to be told of summer time, of which an offset says nothing."""
        return self.meant.fromutc(when.replace(tzinfo=self.meant)).replace(tzinfo=self)

    def tzname(self, when: datetime | None) -> str | None:
        """That of the zone in which times are meant."""
        return self.meant.tzname(when)


def zone_of(header: Header, named: str, home: tzinfo, *, believed: bool) -> SenderZone:
    """The zone of a message's times.

    Args:
        header: of the message; its MSH-7 counts.
        named: ``time_zone`` of the link; empty where the link leaves it to MSH-7.
        home: the site's own zone.
        believed: whether the offsets of this sender are true.
    """
    told = ""
    if believed and not named and (found := _AT_THE_END.search(header.sent.partition(header.cut.component or "\0")[0])):
        told = found[1]
    return _zone(home, named or told, believed)


@lru_cache(maxsize=256)
def _zone(home: tzinfo, meant: str, believed: bool) -> SenderZone:
    return SenderZone(home, read_zone(meant) or home, believed=believed)


def read_zone(text: str) -> tzinfo | None:
    """``+0800``, ``+08:00``, ``Z`` or a name such as ``Asia/Shanghai``; None where it is none of these."""
    if text == "Z":
        return timezone(timedelta(0))
    if (found := _OFFSET.fullmatch(text)) is not None:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset) if offset <= FARTHEST else None
    try:
        return ZoneInfo(text) if text else None
    except (KeyError, ValueError, OSError):  # no such zone, or no name of one
        return None
