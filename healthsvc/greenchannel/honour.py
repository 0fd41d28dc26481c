"""Honoured or not 兑现: each use of a right at a hospital, as the window or the hospital's own events tell it."""

from dataclasses import replace
from datetime import date, datetime, time
from hashlib import blake2b

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.elements import codes, concept, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import UCUM, code_system
from healthsvc.greenchannel.rules import RIGHT_NAMES, Right
from healthsvc.greenchannel.service import answer_for
from healthsvc.greenchannel.waits import Told, Use, WaitPolicy, Waits, waits
from healthsvc.store import Store

USE = code_system("green-channel-use")
"""Codes are those of the rights: consultation, settlement, dispensing."""
_MEASURE = code_system("green-channel-measure")
_WHY = code_system("green-channel-why")


def is_use(resource: Resource | None) -> bool:
    """Whether an Observation is a use of the green channel."""
    return resource is not None and resource.get("resourceType") == "Observation" and bool(codes(resource.get("code"), USE))


def to_observation(use: Use) -> Resource:
    """Write a use as an Observation; the same use told twice is one.

    What the window told carries its answer (valueBoolean). What was reckoned from the hospital's events carries none: whether it was
    honoured depends on how long others waited, and is judged whenever it is asked for.
    """
    observation: Resource = {
        "resourceType": "Observation",
        "id": use_id(use),
        "status": "final",
        "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "social-history")],
        "code": concept(USE, use.right.value, RIGHT_NAMES[use.right][0]),
        "subject": reference("Patient", use.patient),
        "effectiveDateTime": instant(use.at),
        "performer": [{"display": use.hospital}],
    }
    if use.encounter:
        observation["encounter"] = reference("Encounter", use.encounter)
    if use.honoured is not None:
        observation["valueBoolean"] = use.honoured
    else:
        observation["method"] = concept(_MEASURE, "events")
    components: list[Resource] = []
    if use.wait_minutes is not None:
        quantity = {"value": use.wait_minutes, "unit": "min", "system": UCUM, "code": "min"}
        components.append({"code": concept(_MEASURE, "wait"), "valueQuantity": quantity})
    if not use.entitled:
        components.append({"code": concept(_MEASURE, "entitled"), "valueBoolean": False})
    if use.why:
        components.append({"code": concept(_MEASURE, "why"), "valueCodeableConcept": concept(_WHY, use.why)})
    if components:
        observation["component"] = components
    return observation


def use_id(use: Use) -> str:
    """One use of one right in one visit, where the visit is known; else at one moment."""
    about = f"visit|{use.encounter}" if use.told is Told.EVENTS and use.encounter else use.at.isoformat()
    return "green-use-" + blake2b(f"{use.patient}|{use.right}|{about}|{use.hospital}".encode(), digest_size=12).hexdigest()


def to_use(observation: Resource) -> Use:
    """Read a use from an Observation.

    Raises:
        Invalid: person, right or time is missing, or it says neither whether it was honoured nor how long the person waited.
    """
    patient, rights = reference_id(observation.get("subject"), "Patient"), codes(observation.get("code"), USE)
    told = Told.EVENTS if "events" in codes(observation.get("method"), _MEASURE) else Told.WINDOW
    if patient is None or not rights or rights[0] not in set(Right) or (told is Told.WINDOW and "valueBoolean" not in observation):
        raise Invalid("a use of the green channel names person, right and whether it was honoured", path="Observation")
    parts = {code: one for one in observation.get("component", ()) for code in codes(one.get("code"), _MEASURE)}
    wait = parts.get("wait", {}).get("valueQuantity", {}).get("value")
    return Use(
        patient,
        Right(rights[0]),
        moment(observation.get("effectiveDateTime", ""), "Observation.effectiveDateTime"),
        next((one.get("display", "") for one in observation.get("performer", ())), ""),
        observation.get("valueBoolean"),
        int(wait) if wait is not None else None,
        told=told,
        entitled=parts.get("entitled", {}).get("valueBoolean", True),
        encounter=reference_id(observation.get("encounter"), "Encounter"),
        why=next(iter(codes(parts.get("why", {}).get("valueCodeableConcept"), _WHY)), ""),
    )


def note_use(store: Store, use: Use) -> Resource:
    """Note that a right was used, honoured or not, as a window tells it.

    Raises:
        RuleViolation: the person had no such right on that day (``greenchannel-not-entitled``), or the time lies ahead.
    """
    _check(store, use)
    told = answer_for(store, use.patient, use.at.astimezone(store.zone).date())
    if use.right not in told.rights:
        raise RuleViolation("the person had no such right on that day", reason="greenchannel-not-entitled")
    return store.put(to_observation(replace(use, patient=told.patient or use.patient)))


def note_wait(store: Store, use: Use) -> Resource:
    """Note how long somebody waited, as the hospital's own events tell it; of those without the right too, to compare with.

    The first event of a visit counts: a second order, payment or dispense of the same visit changes nothing, an earlier one that comes
    late does.
    """
    _check(store, use)
    told = answer_for(store, use.patient, use.at.astimezone(store.zone).date())
    noted = replace(use, patient=told.patient or use.patient, entitled=use.right in told.rights, told=Told.EVENTS, honoured=None)
    known = store.find("Observation", use_id(noted))
    if known is not None and to_use(known).at <= noted.at:
        return known
    return store.put(to_observation(noted))


def uses(store: Store, first: date, last: date) -> list[Use]:
    """All uses and waits between two days, both included, oldest first."""
    codes_asked = [f"{USE}|{right.value}" for right in Right]
    found = [to_use(one) for one in store.select("Observation", code=codes_asked)]
    start, end = datetime.combine(first, time.min, store.zone), datetime.combine(last, time.max, store.zone)
    return sorted((one for one in found if start <= one.at <= end), key=lambda one: (one.at, one.patient))


def wait_policy(store: Store, on: date) -> WaitPolicy:
    """How uses are judged on a day."""
    return store.policy.fill(WaitPolicy, "greenchannel", on)


def waits_between(store: Store, first: date, last: date) -> list[Waits]:
    """The waits between two days, by hospital and right, those with priority and everybody else."""
    return waits(uses(store, first, last), wait_policy(store, last))


def _check(store: Store, use: Use) -> None:
    if use.at > store.at:
        raise RuleViolation("a use of the green channel lies in the past", reason="greenchannel-use-ahead")
    if use.wait_minutes is not None and use.wait_minutes < 0:
        raise RuleViolation("nobody waits less than nothing; mend the minutes", reason="greenchannel-wait")
