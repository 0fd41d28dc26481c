"""Numbers of Observations as one reads them: name, value, unit, and whether they are out of range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from healthsvc.circle.resources import TRAVEL_CODES
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.fhir.flags import ABNORMAL, CRITICAL, HIGH, LOW
from healthsvc.fhir.json import Resource
from healthsvc.visit.vital_names import DIASTOLIC, NAMES, SYSTOLIC

_MARKS: Final = dict.fromkeys(HIGH, "high") | dict.fromkeys(LOW, "low")


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value."""

    name: str
    text: str
    mark: str
    """``high``, ``low`` or empty."""


def codes(observation: Resource) -> list[str]:
    """All codes of an Observation or of one of its components."""
    return [one["code"] for one in observation.get("code", {}).get("coding", []) if "code" in one]


def value_of(observation: Resource) -> Value:
    """An Observation in one line; a blood pressure as 135/80."""
    parts = {code: part for part in observation.get("component", []) for code in codes(part)}
    if SYSTOLIC in parts and DIASTOLIC in parts:
        text = f"{_bare(parts[SYSTOLIC])}/{_bare(parts[DIASTOLIC])} mmHg"
    elif parts:
        text = "，".join(f"{name_of(part)} {_text(part)}" for part in observation["component"])
    else:
        text = _text(observation)
    return Value(name_of(observation), text, _mark(observation))


def name_of(observation: Resource) -> str:
    """What the value is called."""
    known = next((NAMES[code] for code in codes(observation) if code in NAMES), None)
    concept = observation.get("code", {})
    first: Resource = next(iter(concept.get("coding", [])), {})
    return known or concept.get("text") or first.get("display") or first.get("code") or ""


def number_of(element: Resource) -> float | None:
    """The number of a quantity, for drawing."""
    value = element.get("valueQuantity", {}).get("value")
    return None if value is None else float(value)


def _bare(element: Resource) -> str:
    return str(element.get("valueQuantity", {}).get("value", "–"))


def _text(element: Resource) -> str:
    if "valueQuantity" in element:
        quantity = element["valueQuantity"]
        return f"{_number(quantity)} {quantity.get('unit') or quantity.get('code') or ''}".strip()
    if "valueRange" in element:
        low, high = element["valueRange"].get("low", {}), element["valueRange"].get("high", {})
        return f"{_number(low)} – {_number(high)} {high.get('unit') or low.get('unit') or ''}".strip()
    if "valueRatio" in element:
        above, below = element["valueRatio"].get("numerator", {}), element["valueRatio"].get("denominator", {})
        return f"{_number(above)} : {_number(below)} {above.get('unit') or below.get('unit') or ''}".strip()
    if "valueCodeableConcept" in element:
        concept = element["valueCodeableConcept"]
        return concept.get("text") or next((c.get("display") or _word(c) for c in concept.get("coding", [])), "")
    for key in ("valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueTime"):
        if key in element:
            return str(element[key])
    absent = element.get("dataAbsentReason", {})
    return absent.get("text") or "未得出"


def _number(quantity: Resource) -> str:
    return f"{quantity.get('comparator', '')}{quantity.get('value', '–')}"


def _word(coding: Resource) -> str:
    """A code of one of our own code systems in words; any other as it is."""
    code = str(coding.get("code", ""))
    table = CODE_TABLES.get(str(coding.get("system", "")).rpartition("/")[2])
    return next((one.zh for one in table.codes if one.code == code), code) if table else code


def is_measured(observation: Resource) -> bool:
    """Whether it is a number that somebody has measured on the person: not a judgement, and not how far the station is."""
    return not TRAVEL_CODES & set(codes(observation)) and any(
        "valueQuantity" in one for one in (observation, *observation.get("component", ()))
    )


def flags_of(observation: Resource) -> list[str]:
    """The flags of a value, as its laboratory set them."""
    return [str(code.get("code", "")) for concept in observation.get("interpretation", []) for code in concept.get("coding", [])]


def foremost(results: Sequence[Resource], most: int) -> Sequence[Resource]:
    """As many as there is room for: in their own order where all fit, else what is critical first, then what is abnormal."""
    if len(results) <= most:
        return results
    return sorted(results, key=lambda one: (CRITICAL.isdisjoint(flags_of(one)), ABNORMAL.isdisjoint(flags_of(one))))[:most]


def _mark(observation: Resource) -> str:
    return next((_MARKS[code] for code in flags_of(observation) if code in _MARKS), "")
