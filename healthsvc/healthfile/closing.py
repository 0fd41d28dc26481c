"""档案终止: a person has died, moved away or is lost; and how that is taken back when it was a mistake."""

from datetime import date
from typing import Final

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.elements import derived_id, extension, extensions
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import LOINC
from healthsvc.fhir.systems import extension as url_of
from healthsvc.healthfile.resources import is_deceased, to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store

CAUSE_OF_DEATH: Final = {"system": LOINC, "code": "69453-9", "display": "Cause of death [US Standard Certificate of Death]"}
REASONS: Final = ("moved-away", "lost", "refused", "other")


def closed_of(patient: Resource) -> str | None:
    """Why a file is closed though nobody has died; None where it is open."""
    parts = {part.get("url"): part for one in extensions(patient, "file-closed") for part in one.get("extension", ())}
    reason = parts.get("reason", {}).get("valueCode")
    return str(reason) if reason else None


def is_shut(patient: Resource) -> bool:
    """Whether a file is closed, by death or otherwise."""
    return is_deceased(patient) or closed_of(patient) is not None


def record_death(store: Store, patient: str, on: date, cause: str = "") -> Resource:
    """A person has died: the day, and the cause where it is known; what is open ends in the same transaction (the contract room).

    Raises:
        Invalid: the day lies ahead, or before the birth.
    """
    file = follow(store, patient)
    birth = to_person(file).birth
    if on > today(store) or (birth is not None and on < birth):
        raise Invalid(
            "the day of death lies ahead, or before the birth; check the date", reason="death-day", path="Patient.deceasedDateTime"
        )
    if cause.strip():
        store.put(_cause(file["id"], on, cause.strip()))
    return store.put({key: value for key, value in file.items() if key != "deceasedBoolean"} | {"deceasedDateTime": on.isoformat()})


def take_back_death(store: Store, patient: str) -> Resource:
    """The death was entered by mistake: the file is open again, and so is what had been closed with it."""
    file = follow(store, patient)
    cause = store.find("Observation", derived_id("cause-of-death", file["id"]))
    if cause is not None and cause["status"] != "entered-in-error":
        store.put(cause | {"status": "entered-in-error"})
    return store.put({key: value for key, value in file.items() if key not in ("deceasedDateTime", "deceasedBoolean")})


def close(store: Store, patient: str, reason: str, on: date, text: str = "") -> Resource:
    """A person has moved away, is lost or refuses service: the file is kept, and no longer served."""
    if reason not in REASONS:
        raise Invalid(f"a file is closed as one of {', '.join(REASONS)}", reason="file-closed-reason", path="Patient.extension")
    file = follow(store, patient)
    if is_shut(file):
        raise RuleViolation("the file is closed already", reason="file-closed")
    parts: list[Resource] = [{"url": "reason", "valueCode": reason}, {"url": "on", "valueDate": on.isoformat()}]
    parts += [{"url": "text", "valueString": text.strip()}] if text.strip() else []
    return store.put(file | {"active": False, "extension": [*file.get("extension", ()), extension("file-closed", extension=parts)]})


def reopen(store: Store, patient: str) -> Resource:
    """The person is served again, or the closing was a mistake."""
    file = follow(store, patient)
    kept = [one for one in file.get("extension", ()) if one.get("url") != url_of("file-closed")]
    bare = {key: value for key, value in file.items() if key != "extension"}
    return store.put(bare | {"active": True} | ({"extension": kept} if kept else {}))


def _cause(patient: str, on: date, text: str) -> Resource:
    return {
        "resourceType": "Observation",
        "id": derived_id("cause-of-death", patient),
        "status": "final",
        "code": {"coding": [dict(CAUSE_OF_DEATH)], "text": "死亡原因"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": on.isoformat(),
        "valueString": text,
    }
