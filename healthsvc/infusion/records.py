"""One infusion at the bedside as MedicationAdministration: its log step by step, the evidence of the day, and what the gates said."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, concept, conforming, day, extension, extensions, instant, moment, reference, reference_id
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import HOME_CARE, LOINC, UCUM
from healthsvc.infusion.resources import HOME_INFUSION, override_extension, overrides_of
from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Bedside, Entry, Step, Vitals
from healthsvc.infusion.rules.gates import GateResult
from healthsvc.infusion.rules.order import Companion, DoubleCheck, Override, RescueKit
from healthsvc.visit.resources import derived_id

STATUS = {
    Step.RUNNING: "in-progress",
    Step.ENDED: "in-progress",
    Step.OBSERVED: "in-progress",
    Step.REFUSED: "not-done",
    Step.REACTING: "stopped",
    Step.STOPPED: "stopped",
    Step.ALARMED: "stopped",
    Step.REFERRED: "stopped",
    Step.REPORTED: "stopped",
}
"""FHIR status of each step; before the puncture the administration waits (on-hold)."""
_SIGNS = (
    ("systolic", "8480-6", "Systolic blood pressure", "mm[Hg]"),
    ("diastolic", "8462-4", "Diastolic blood pressure", "mm[Hg]"),
    ("pulse", "8867-4", "Heart rate", "/min"),
    ("temperature", "8310-5", "Body temperature", "Cel"),
    ("spo2", "59408-5", "Oxygen saturation by pulse oximetry", "%"),
)


@dataclass(frozen=True, slots=True)
class OfTheDay:
    """Evidence that only the bedside can give."""

    companion: Companion | None = None
    double_check: DoubleCheck | None = None
    kit: RescueKit | None = None
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """One infusion at the bedside: whose, which course, which visit, and how far it has come."""

    patient: str
    course: str
    task: str
    bedside: Bedside
    evidence: OfTheDay = OfTheDay()


def given_id(task: str) -> str:
    """Id of the MedicationAdministration of a visit."""
    return derived_id("given", task)


def is_given(resource: Resource | None) -> bool:
    """Whether a MedicationAdministration is an infusion at home."""
    if resource is None or resource.get("resourceType") != "MedicationAdministration":
        return False
    return HOME_INFUSION in codes(resource.get("category"), HOME_CARE)


def to_administration(given: Given, medication: Resource, results: Iterable[GateResult] = ()) -> Resource:
    """Write it; ``medication`` is the course's medicationCodeableConcept, ``results`` what the twelve gates said at the bedside."""
    bedside = given.bedside
    if not bedside.log:
        raise Invalid("an infusion begins with the arrival", path="MedicationAdministration.extension")
    terms = [_step(entry) for entry in bedside.log]
    terms += [_gate(result) for result in results]
    evidence = given.evidence
    if evidence.companion:
        one = evidence.companion
        terms.append(
            _parts(
                "infusion-companion", name_known=_bool(one.name_known), adult=_bool(one.adult), by=_who(one.confirmed_by), on=_on(one.on)
            )
        )
    if evidence.double_check:
        check = evidence.double_check
        terms.append(
            _parts(
                "infusion-double-check", first=_who(check.first), second=_who(check.second), at=_at(check.at), signed=_bool(check.signed)
            )
        )
    if evidence.kit:
        kit = evidence.kit
        items = [{"url": "item", "valueCode": item} for item in sorted(kit.items)]
        dated = [{"url": "expires", **_on(kit.expires)}] if kit.expires else []
        terms.append(
            extension("infusion-kit", extension=[{"url": "on", **_on(kit.on)}, {"url": "by", **_who(kit.checked_by)}, *items, *dated])
        )
    terms += [override_extension(one) for one in evidence.overrides]
    started, ended = bedside.last(Act.PUNCTURE) or bedside.log[0], bedside.last(Act.END) or bedside.last(Act.STOP)
    span = {"start": instant(started.at)}
    if ended and ended.at >= started.at:
        span["end"] = instant(ended.at)
    administration: Resource = {
        "resourceType": "MedicationAdministration",
        "id": given_id(given.task),
        "extension": [*terms, extension("infusion-visit", valueReference=reference("Task", given.task))],
        "status": status_of(bedside),
        "category": concept(HOME_CARE, HOME_INFUSION, "上门输液"),
        "medicationCodeableConcept": medication,
        "subject": reference("Patient", given.patient),
        "effectivePeriod": span,
        "performer": [{"actor": reference("Practitioner", who)} for who in dict.fromkeys(entry.by for entry in bedside.log if entry.by)],
        "request": reference("MedicationRequest", given.course),
    }
    return conforming(administration, "infusion-given")


def to_given(administration: Resource) -> Given:
    """Read it; the step where it stands is found by walking the log through the table.

    Raises:
        Invalid: it names no person, course or visit, or a step that the protocol does not know or does not allow there.
    """
    patient = reference_id(administration.get("subject"), "Patient")
    course = reference_id(administration.get("request"), "MedicationRequest")
    task = reference_id(next((one.get("valueReference") for one in extensions(administration, "infusion-visit")), None), "Task")
    if patient is None or course is None or task is None:
        raise Invalid("an infusion at home names its person, its course and its visit", path="MedicationAdministration")
    log = tuple(_entry(one) for one in extensions(administration, "infusion-step"))
    step = Step.PLANNED
    for entry in log:
        if (step, entry.act) not in TRANSITIONS:
            raise Invalid(f"the log has {entry.act} where the visit was {step}", path="MedicationAdministration.extension")
        step = TRANSITIONS[step, entry.act]
    return Given(patient, course, task, Bedside(step, log), _evidence(administration))


def status_of(bedside: Bedside) -> str:
    """The FHIR status."""
    if bedside.step is Step.LEFT:
        return "stopped" if bedside.reacted else "completed" if bedside.infused else "not-done"
    return STATUS.get(bedside.step, "on-hold")


def observations(given: Given) -> list[Resource]:
    """The vital signs of the log as Observations (blood pressure as panel 85354-9), parts of the administration."""
    made = []
    for entry in given.bedside.log:
        if entry.vitals is None:
            continue
        pressure = [_component(name, code, display, unit, entry) for name, code, display, unit in _SIGNS[:2]]
        made.append(_observation(given, entry, "bp", concept(LOINC, "85354-9", "Blood pressure panel")) | {"component": pressure})
        for name, code, display, unit in _SIGNS[2:]:
            if getattr(entry.vitals, name) is not None:
                value = _component(name, code, display, unit, entry)["valueQuantity"]
                made.append(_observation(given, entry, name, concept(LOINC, code, display)) | {"valueQuantity": value})
    return made


def _observation(given: Given, entry: Entry, name: str, code: Resource) -> Resource:
    return {
        "resourceType": "Observation",
        "id": derived_id(f"{name}-{entry.at:%H%M%S}", given.task),
        "partOf": [reference("MedicationAdministration", given_id(given.task))],
        "status": "final",
        "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        "code": code,
        "subject": reference("Patient", given.patient),
        "effectiveDateTime": instant(entry.at),
        "performer": [reference("Practitioner", entry.by)],
    }


def _component(name: str, code: str, display: str, unit: str, entry: Entry) -> Resource:
    value = getattr(entry.vitals, name)
    number = Lexical(str(value)) if isinstance(value, Decimal) else value
    return {"code": concept(LOINC, code, display), "valueQuantity": {"value": number, "unit": unit, "system": UCUM, "code": unit}}


def _step(entry: Entry) -> Resource:
    parts: list[Resource] = [{"url": "act", "valueCode": entry.act.value}, {"url": "at", **_at(entry.at)}, {"url": "by", **_who(entry.by)}]
    if entry.text:
        parts.append({"url": "text", "valueString": entry.text})
    parts += [{"url": "matched", "valueCode": one} for one in entry.matched]
    if entry.vitals:
        for name, _, _, _ in _SIGNS:
            value = getattr(entry.vitals, name)
            if value is not None:
                parts.append({"url": name, "valueDecimal": Lexical(str(value)) if isinstance(value, Decimal) else value})
    return extension("infusion-step", extension=parts)


def _entry(step: Resource) -> Entry:
    parts = _read(step)
    try:
        act = Act(parts.get("act", ""))
    except ValueError:
        raise Invalid(f"{parts.get('act')!r} is no step of the bedside protocol", path="MedicationAdministration.extension") from None
    vitals = None
    if "systolic" in parts:
        temperature = parts.get("temperature")
        if None in (parts.get("diastolic"), parts.get("pulse"), temperature):
            raise Invalid("vital signs are systolic, diastolic, pulse and temperature", path="MedicationAdministration.extension")
        saturation = int(parts["spo2"]) if "spo2" in parts else None
        vitals = Vitals(int(parts["systolic"]), int(parts["diastolic"]), int(parts["pulse"]), Decimal(str(temperature)), saturation)
    matched = tuple(one["valueCode"] for one in step.get("extension", ()) if one["url"] == "matched")
    at = moment(parts.get("at", ""), "MedicationAdministration.extension")
    return Entry(act, at, _person(parts.get("by")), parts.get("text", ""), vitals, matched)


def _evidence(administration: Resource) -> OfTheDay:
    companion = _first(administration, "infusion-companion")
    check = _first(administration, "infusion-double-check")
    kit = _first(administration, "infusion-kit")
    path = "MedicationAdministration.extension"
    items: frozenset[str] = frozenset()
    if kit is not None:
        items = frozenset(one["valueCode"] for one in extensions(administration, "infusion-kit")[0]["extension"] if one["url"] == "item")
    return OfTheDay(
        Companion(
            companion.get("name_known") is True,
            companion.get("adult") is True,
            _person(companion.get("by")),
            day(companion.get("on", ""), path),
        )
        if companion
        else None,
        _check(check, path) if check else None,
        _kit(kit, items, path) if kit else None,
        overrides_of(administration),
    )


def _check(check: dict[str, Any], path: str) -> DoubleCheck:
    return DoubleCheck(
        _person(check.get("first")), _person(check.get("second")), moment(check.get("at", ""), path), check.get("signed") is True
    )


def _kit(kit: dict[str, Any], items: frozenset[str], path: str) -> RescueKit:
    expires = day(kit["expires"], path) if "expires" in kit else None
    return RescueKit(day(kit.get("on", ""), path), _person(kit.get("by")), items, expires)


def _gate(result: GateResult) -> Resource:
    parts: list[Resource] = [{"url": "gate", "valueCode": result.gate.value}, {"url": "outcome", "valueCode": result.outcome.value}]
    if result.overridden_by:
        parts.append({"url": "overridden-by", **_who(result.overridden_by)})
    return extension("infusion-gate", extension=parts)


def _first(resource: Resource, name: str) -> dict[str, Any] | None:
    return next((_read(one) for one in extensions(resource, name)), None)


def _read(complex_extension: Resource) -> dict[str, Any]:
    parts = complex_extension.get("extension", ())
    return {part["url"]: next((value for key, value in part.items() if key.startswith("value")), None) for part in parts}


def _parts(name: str, **parts: Resource) -> Resource:
    return extension(name, extension=[{"url": key, **value} for key, value in parts.items()])


def _bool(value: bool) -> Resource:
    return {"valueBoolean": value}


def _on(on: date) -> Resource:
    return {"valueDate": on.isoformat()}


def _at(at: Any) -> Resource:
    return {"valueDateTime": instant(at)}


def _who(practitioner: str) -> Resource:
    return {"valueReference": reference("Practitioner", practitioner)}


def _person(element: Any) -> str:
    return reference_id(element, "Practitioner") or ""
