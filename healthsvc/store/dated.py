"""The moment of a transaction, worked out once: one write asks for its microseconds and its day several times."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from healthsvc.fhir.dates import micros


class Dated:
    """What happens at one moment."""

    def __init__(self, at: datetime, zone: ZoneInfo) -> None:
        self.zone = zone
        self.at = at

    @property
    def at(self) -> datetime:
        """The moment; the short way sets it for each request of a shared commit."""
        return self._at

    @at.setter
    def at(self, moment: datetime) -> None:
        self._at = moment
        self.at_micros = micros(moment)
        """Microseconds since 1970 UTC."""
        self.today: date = moment.astimezone(self.zone).date()
        """The day in the site's zone."""
