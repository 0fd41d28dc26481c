"""Honoured or not 兑现: each use of a right at a hospital, as the window or the hospital's own events tell it."""

from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import blake2b

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.elements import codes, concept, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import UCUM, code_system
from healthsvc.greenchannel.rules import RIGHT_NAMES, Right
from healthsvc.greenchannel.service import answer_for
from healthsvc.store import Store

USE = code_system("green-channel-use")
"""Codes are those of the rights: consultation, settlement, dispensing."""
_WAIT = code_system("green-channel-measure")


@dataclass(frozen=True, slots=True)
class Use:
    """One use of one right: whether the hospital gave priority, and how long the person waited where somebody measured it."""

    patient: str
    right: Right
    at: datetime
    hospital: str
    """Organization id, or the hospital's code where there is no Organization."""
    honoured: bool
    wait_minutes: int | None = None


def is_use(resource: Resource | None) -> bool:
    """Whether an Observation is a use of the green channel."""
    return resource is not None and resource.get("resourceType") == "Observation" and bool(codes(resource.get("code"), USE))


def to_observation(use: Use) -> Resource:
    """Write a use as an Observation; the same use told twice is one."""
    digest = blake2b(f"{use.patient}|{use.right}|{use.at.isoformat()}|{use.hospital}".encode(), digest_size=12).hexdigest()
    observation: Resource = {
        "resourceType": "Observation",
        "id": f"green-use-{digest}",
        "status": "final",
        "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "social-history")],
        "code": concept(USE, use.right.value, RIGHT_NAMES[use.right][0]),
        "subject": reference("Patient", use.patient),
        "effectiveDateTime": instant(use.at),
        "performer": [{"display": use.hospital}],
        "valueBoolean": use.honoured,
    }
    if use.wait_minutes is not None:
        quantity = {"value": use.wait_minutes, "unit": "min", "system": UCUM, "code": "min"}
        observation["component"] = [{"code": concept(_WAIT, "wait"), "valueQuantity": quantity}]
    return observation


def to_use(observation: Resource) -> Use:
    """Read a use from an Observation.

    Raises:
        Invalid: person, right, time or answer is missing.
    """
    patient, rights = reference_id(observation.get("subject"), "Patient"), codes(observation.get("code"), USE)
    if patient is None or not rights or rights[0] not in set(Right) or "valueBoolean" not in observation:
        raise Invalid("a use of the green channel names person, right and whether it was honoured", path="Observation")
    waits = [one["valueQuantity"]["value"] for one in observation.get("component", ()) if "wait" in codes(one.get("code"), _WAIT)]
    return Use(
        patient,
        Right(rights[0]),
        moment(observation.get("effectiveDateTime", ""), "Observation.effectiveDateTime"),
        next((one.get("display", "") for one in observation.get("performer", ())), ""),
        observation["valueBoolean"],
        int(waits[0]) if waits else None,
    )


def note_use(store: Store, use: Use) -> Resource:
    """Note that a right was used, honoured or not.

    Raises:
        RuleViolation: the person had no such right on that day (``greenchannel-not-entitled``), or the time lies ahead.
    """
    if use.at > store.at:
        raise RuleViolation("a use of the green channel lies in the past", reason="greenchannel-use-ahead")
    if use.wait_minutes is not None and use.wait_minutes < 0:
        raise RuleViolation("nobody waits less than nothing; mend the minutes", reason="greenchannel-wait")
    told = answer_for(store, use.patient, use.at.astimezone(store.zone).date())
    if use.right not in told.rights:
        raise RuleViolation("the person had no such right on that day", reason="greenchannel-not-entitled")
    return store.put(to_observation(Use(told.patient or use.patient, use.right, use.at, use.hospital, use.honoured, use.wait_minutes)))


def uses(store: Store, first: date, last: date) -> list[Use]:
    """All uses between two days, both included, oldest first."""
    codes_asked = [f"{USE}|{right.value}" for right in Right]
    found = [to_use(one) for one in store.select("Observation", code=codes_asked)]
    start, end = datetime.combine(first, time.min, store.zone), datetime.combine(last, time.max, store.zone)
    return sorted((one for one in found if start <= one.at <= end), key=lambda one: (one.at, one.patient))
