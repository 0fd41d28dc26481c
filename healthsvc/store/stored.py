"""One version of a resource as the store keeps it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from healthsvc.fhir.dates import EPOCH
from healthsvc.fhir.dates import micros as micros
from healthsvc.fhir.json import Resource, loads


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


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 UTC as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)
