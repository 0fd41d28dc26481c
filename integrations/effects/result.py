"""A laboratory's report as FHIR DiagnosticReport and Observations, every number as precise as it was written."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo

from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import LOINC, code_system, hospital_number
from healthsvc.store import Store
from integrations.effects.stay import opaque
from integrations.hl7v2.numbers import Quantity
from integrations.hl7v2.oru import Report, Result
from integrations.hl7v2.values import Coded, moment

_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_KNOWN_FLAGS = frozenset({"N", "A", "AA", "H", "HH", "HU", "L", "LL", "LU", "POS", "NEG", "IND"}) | frozenset(
    {"<", ">", "U", "D", "B", "W", "S", "R", "I", "DET", "ND"}
)
REPORT_STATUS = {
    "F": "final",
    "P": "preliminary",
    "C": "corrected",
    "A": "partial",
    "R": "partial",
    "X": "cancelled",
    "I": "registered",
    "O": "registered",
    "S": "registered",
}
RESULT_STATUS = {
    "A": "amended",
    "F": "final",
    "U": "final",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "C": "corrected",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "X": "cancelled",
    "I": "registered",
    "O": "registered",
}
SETTLED = frozenset({"final", "corrected", "amended", "appended"})


def report_id(report: Report, hospital: str, fallback: str) -> str:
    """The id of a report: by the laboratory's number, else the orderer's, else the message that brought it."""
    number = f"filler:{report.filler}" if report.filler else f"placer:{report.placer}" if report.placer else f"message:{fallback}"
    return f"report-{opaque(hospital, number, report.code.code or report.code.text)}"


def status_of(report: Report) -> str:
    """FHIR status of a report: OBR-25, else what its results say."""
    if report.status in REPORT_STATUS:
        return REPORT_STATUS[report.status]
    each = {RESULT_STATUS.get(result.status, "unknown") for result in report.results}
    if not each or each <= {"final"}:
        return "final"
    return "corrected" if "corrected" in each and each <= SETTLED else "preliminary" if "preliminary" in each else "final"


def write_report(
    store: Store,
    patient: str,
    report: Report,
    hospital: str,
    id: str,
    sent: datetime,
    encounter: str | None,
    specimens: Sequence[Resource] = (),
    order: str | None = None,
) -> tuple[Resource, list[Resource]]:
    """Write one report and its results; a correction becomes a new version under the same ids."""
    subject = {"reference": f"Patient/{patient}"}
    stay = {"reference": f"Encounter/{encounter}"} if encounter else None
    effective = (report.observed.fhir if report.observed else None) or (report.issued.fhir if report.issued else sent.isoformat())
    observations = []
    seen: Counter[str] = Counter()
    for result in report.results:
        key = f"{result.code.code or result.code.text}|{result.sub_id}"
        seen[key] += 1
        observation = _observation(result, f"result-{opaque(id, key, str(seen[key]))}", hospital, effective, store.zone)
        observation |= {"subject": subject, **({"encounter": stay} if stay else {})}
        if len(specimens) == 1:
            observation["specimen"] = {"reference": f"Specimen/{specimens[0]['id']}"}
        observations.append(store.put(observation))
    issued = report.issued.at if report.issued and report.issued.precision in ("minute", "second") else sent
    written: Resource = {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": status_of(report),
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                        "code": report.section if report.section.isalnum() and len(report.section) <= 4 else "LAB",
                    }
                ]
            }
        ],
        "code": _concept(report.code, hospital),
        "subject": subject,
        "effectiveDateTime": effective,
        "issued": issued.isoformat(),
        "result": [{"reference": f"Observation/{one['id']}"} for one in observations],
    }
    numbers = [
        {"type": {"coding": [{"system": _V2_0203, "code": kind}]}, "system": f"{hospital_number(hospital)}/order", "value": value}
        for kind, value in (("FILL", report.filler), ("PLAC", report.placer))
        if value
    ]
    if numbers:
        written["identifier"] = numbers
    if stay:
        written["encounter"] = stay
    if specimens:
        written["specimen"] = [{"reference": f"Specimen/{one['id']}"} for one in specimens]
    if order:
        written["basedOn"] = [{"reference": f"ServiceRequest/{order}"}]
    if report.notes:
        written["conclusion"] = "\n".join(report.notes)
    if report.author:
        written["resultsInterpreter"] = [{"display": report.author.text or report.author.code}]
    if not written["result"]:
        del written["result"]
    return store.put(written), observations


def _observation(result: Result, id: str, hospital: str, effective: str, zone: tzinfo) -> Resource:
    observation: Resource = {
        "resourceType": "Observation",
        "id": id,
        "status": RESULT_STATUS.get(result.status, "unknown"),
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": _concept(result.code, hospital),
        "effectiveDateTime": result.observed.fhir if result.observed else effective,
    }
    observation |= result.more | _value(result, hospital, zone)
    flags = [flag for flag in result.flags if flag]
    if flags:
        observation["interpretation"] = [_interpretation(flag) for flag in flags]
    reference: Resource = {}
    for bound, value in (("low", result.low), ("high", result.high)):
        if value is not None:
            reference[bound] = {"value": Lexical(str(value)), **({"unit": result.unit} if result.unit else {})}
    if result.range_text:
        reference["text"] = result.range_text
    if reference:
        observation["referenceRange"] = [reference]
    if result.notes:
        observation["note"] = [{"text": note} for note in result.notes]
    return observation


def _value(result: Result, hospital: str, zone: tzinfo) -> Resource:
    if result.quantity is not None:
        return {"valueQuantity": _measured(result.quantity, result.unit)}
    if result.span is not None:
        low, high = (_measured(Quantity(text), result.unit) for text in (result.span.low, result.span.high))
        return {"valueRange": {"low": low, "high": high}}
    if result.share is not None:
        return {
            "valueRatio": {
                "numerator": _measured(result.share.numerator, result.unit),
                "denominator": _measured(Quantity(result.share.denominator), ""),
            }
        }
    if result.coded and len(result.texts) > 1:  # several answers are no one code
        return {"valueCodeableConcept": {"text": "；".join(result.words)}}
    if result.coded:
        return {"valueCodeableConcept": _concept(result.coded, hospital)}
    if result.kind in ("DT", "TS", "DTM") and result.texts:
        read = moment(result.texts[0], zone)
        return {"valueDateTime": read.fhir} if read else {"valueString": result.texts[0]}
    if result.kind in ("ED", "RP"):
        return {"dataAbsentReason": {"text": "attachment kept with the message"}}
    text = "\n".join(result.texts)
    if text:
        return {"valueString": text}
    return {"dataAbsentReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}}


def _measured(number: Quantity, unit: str) -> Resource:
    quantity: Resource = {"value": Lexical(number.text)}
    if number.comparator:
        quantity["comparator"] = number.comparator
    return quantity | ({"unit": unit} if unit else {})


def _interpretation(flag: str) -> Resource:
    return {"coding": [{"system": _INTERPRETATION, "code": flag}]} if flag in _KNOWN_FLAGS else {"text": flag}


def _concept(code: Coded, hospital: str) -> Resource:
    words = code.text or code.code or "未注明"
    if not code.code:
        return {"text": words}
    system = LOINC if code.system.upper() in ("LN", "LOINC") else code_system(f"hospital/{hospital}")
    return {"coding": [{"system": system, "code": code.code, **({"display": code.text} if code.text else {})}], "text": words}
