"""One line of time for a person: contracts, visits, hospital stays, findings, beds, referrals, flags, newest first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from healthsvc.fhir.elements import first_moment
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a person, or is planned."""

    at: str
    """FHIR date or dateTime, as written."""
    type: str
    """FHIR resource type."""
    title: str
    status: str
    reference: str
    """``Type/id``."""
    patient: str
    """Id of the file that carries it (a merged file's events stay its own)."""


def _path(*steps: str) -> Callable[[Resource], Any]:
    def walk(resource: Resource) -> Any:
        value: Any = resource
        for step in steps:
            if isinstance(value, list):
                value = value[0] if value else None
            value = value.get(step) if isinstance(value, dict) else None
        return value[0] if isinstance(value, list) and value else value

    return walk


_TIMES: Final[dict[str, tuple[Callable[[Resource], Any], ...]]] = {
    "Contract": (_path("applies", "start"), _path("issued")),
    "Encounter": (_path("period", "start"),),
    "Task": (_path("executionPeriod", "end"), _path("restriction", "period", "end"), _path("authoredOn")),
    "Observation": (_path("effectiveDateTime"), _path("effectivePeriod", "start"), _path("effectiveInstant"), _path("issued")),
    "DiagnosticReport": (_path("effectiveDateTime"), _path("effectivePeriod", "start"), _path("issued")),
    "Condition": (_path("onsetDateTime"), _path("recordedDate")),
    "AllergyIntolerance": (_path("onsetDateTime"), _path("recordedDate")),
    "EpisodeOfCare": (_path("period", "start"),),
    "MedicationRequest": (_path("authoredOn"),),
    "ServiceRequest": (_path("authoredOn"), _path("occurrenceDateTime")),
    "Flag": (_path("period", "start"),),
}
_CODES: Final = {"Encounter": "type", "Contract": "type", "MedicationRequest": "medicationCodeableConcept"}


def timeline(store: Store, patient: str, limit: int | None = None) -> list[Event]:
    """Everything in a person's file (and in the files that were merged into it) on one line of time, newest first.

    Args:
        store: an open transaction.
        patient: Patient id; a retired file leads to the surviving one.
        limit: at most so many events (the newest).
    """
    survivor = follow(store, patient)["id"]
    events = [
        _event(type, resource, file)
        for file in (survivor, *replaced(store, survivor))
        for type in _TIMES
        for resource in store.select(type, patient=file)
    ]
    events.sort(key=lambda event: (_order(event.at, store), event.reference), reverse=True)
    return events[:limit]


def _event(type: str, resource: Resource, patient: str) -> Event:
    when = next((str(time) for read in _TIMES[type] if (time := read(resource))), "") or resource.get("meta", {}).get("lastUpdated", "")
    concept = _path(_CODES.get(type, "code"))(resource) or {}
    title = concept.get("text") or next((c.get("display") or c.get("code") for c in concept.get("coding", [])), None) or type
    status = resource.get("status") or _path("clinicalStatus", "coding", "code")(resource) or ""
    return Event(when, type, str(title), str(status), f"{type}/{resource['id']}", patient)


def _order(when: str, store: Store) -> datetime:
    """A moment to sort by: a date counts from its midnight in the site's zone; years and months from their first day."""
    return first_moment(when, store.zone) or datetime.min.replace(tzinfo=store.zone)
