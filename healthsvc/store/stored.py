"""One version of a resource as the store keeps it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from healthsvc.fhir.json import Resource, loads

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A version: identity, time and the body as bytes (what a client sent, plus id and meta)."""

    pk: int
    type: str
    id: str
    version: int
    updated: int
    """Microseconds since 1970 UTC."""
    deleted: bool
    body: bytes

    @property
    def resource(self) -> Resource:
        """The body as a fresh dict, yours to change."""
        parsed: Resource = loads(self.body)
        return parsed

    @property
    def at(self) -> datetime:
        """When this version was written, UTC."""
        return moment(self.updated)


def micros(at: datetime) -> int:
    """An aware datetime as microseconds since 1970 UTC, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 UTC as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
