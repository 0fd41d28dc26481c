"""A visit that was taken as ended since its hospital never told its end: the note on it, and what takes the note away."""

from datetime import datetime
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension

BY_RULE: Final = extension("closed-by-rule")


def is_closed_by_rule(encounter: Resource | None) -> bool:
    """Whether a visit was taken as ended since its hospital never told its end."""
    return any(one.get("url") == BY_RULE for one in (encounter or {}).get("extension", ()))


def closed_when(encounter: Resource) -> datetime | None:
    """When a visit was taken as ended by rule; None where it was not."""
    told = next((str(one["valueDateTime"]) for one in encounter.get("extension", ()) if one.get("url") == BY_RULE), None)
    return datetime.fromisoformat(told) if told else None


def closed_by_rule(encounter: Resource, at: datetime) -> Resource:
    """A visit taken as ended at this moment; when it really ended is not known, so it gets no end."""
    note = {"url": BY_RULE, "valueDateTime": at.isoformat()}
    places = [one | {"status": "completed"} for one in encounter.get("location", ())]
    told = encounter | {"status": "finished", "extension": [*encounter.get("extension", ()), note]}
    return told | ({"location": places} if places else {})


def by_its_own_word(encounter: Resource) -> None:
    """What the hospital says now counts instead of the rule: the note goes once the visit goes on or has its end."""
    if encounter["status"] != "finished" or "end" in encounter.get("period", {}):
        encounter["extension"] = [one for one in encounter.get("extension", ()) if one.get("url") != BY_RULE]
