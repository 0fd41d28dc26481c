"""What a visit found, as FHIR Observations (LOINC, UCUM) and as outputs of its Task."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import LOINC, SNOMED, UCUM, code_system
from healthsvc.visit.findings import FASTING_GLUCOSE, GLUCOSE, VITALS, Adherence, Findings, Pressure, Vital
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import Visit

VISIT_OUTPUT: Final = code_system("visit-output")
BP_PANEL: Final = "85354-9"
SYSTOLIC: Final = "8480-6"
DIASTOLIC: Final = "8462-4"
_PULSE_OXIMETRY: Final = {"system": LOINC, "code": "59408-5", "display": "Oxygen saturation in Arterial blood by Pulse oximetry"}
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_ARMS: Final = {
    "left": ("368208006", "Left upper arm structure", "血压（左臂）"),
    "right": ("368209003", "Right upper arm structure", "血压（右臂）"),
}


def observations_of(visit: Visit, findings: Findings, encounter: str, performers: tuple[str, ...]) -> list[Resource]:
    """The Observations of one visit: blood pressure of each arm as panel 85354-9, and one for each other number.

    Args:
        visit: whose visit it was; ids are derived from its id, so that writing twice changes nothing.
        findings: what was measured.
        encounter: ``Encounter/x``.
        performers: references to the Practitioners.
    """
    made: list[Resource] = []
    for arm, pressure in (("left", findings.bp_left), ("right", findings.bp_right)):
        if pressure is not None:
            made.append(_frame(visit, findings, encounter, performers, f"bp-{arm}", "vital-signs") | _panel(arm, pressure))
    for vital in VITALS:
        value = getattr(findings, vital.field)
        if value is not None:
            made.append(_frame(visit, findings, encounter, performers, vital.field, "vital-signs") | _number(vital, value))
    if findings.glucose is not None:
        kind = FASTING_GLUCOSE if findings.glucose_fasting else GLUCOSE
        made.append(_frame(visit, findings, encounter, performers, "glucose", "laboratory") | _number(kind, findings.glucose))
    return made


def outputs_of(findings: Findings, observations: list[Resource]) -> list[Resource]:
    """What goes into Task.output: the coded findings that are no numbers, and a reference to each Observation."""
    values: list[tuple[str, str, Any]] = [("mode", "valueCode", findings.mode.value)]
    if findings.adherence is not None:
        values.append(("adherence", "valueCode", findings.adherence.value))
    if findings.adverse_reaction:
        values.append(("adverse-reaction", "valueBoolean", True))
    if findings.complication:
        values.append(("complication", "valueBoolean", True))
    values += [("danger-sign", "valueCode", sign) for sign in findings.danger_signs]
    if findings.next_on is not None:
        values.append(("next-on", "valueDate", findings.next_on.isoformat()))
    values += [("observation", "valueReference", {"reference": f"Observation/{one['id']}"}) for one in observations]
    return [{"type": {"coding": [{"system": VISIT_OUTPUT, "code": name}]}, key: value} for name, key, value in values]


def findings_of(task: Resource, observations: list[Resource], at: datetime) -> Findings:
    """Read the numbers and coded findings of a completed visit back (``at`` stands for both times where the Task has none)."""
    found: dict[str, Any] = {}
    danger: list[str] = []
    for output in task.get("output", []):
        name = next((one.get("code") for one in output.get("type", {}).get("coding", []) if one.get("system") == VISIT_OUTPUT), None)
        if name == "adherence":
            found["adherence"] = Adherence(output["valueCode"])
        elif name == "adverse-reaction":
            found["adverse_reaction"] = bool(output["valueBoolean"])
        elif name == "complication":
            found["complication"] = bool(output["valueBoolean"])
        elif name == "danger-sign":
            danger.append(output["valueCode"])
    if danger:
        found["danger_signs"] = tuple(danger)
    for observation in observations:
        found |= _read(observation)
    period = task.get("executionPeriod", {})
    start, end = (datetime.fromisoformat(period[end]) if period.get(end) else at for end in ("start", "end"))
    return Findings(start, end, **found)


def _read(observation: Resource) -> dict[str, Any]:
    codes = {one.get("code") for one in observation.get("code", {}).get("coding", []) if one.get("system") == LOINC}
    if BP_PANEL in codes:
        parts = {
            one.get("code"): part.get("valueQuantity", {}).get("value")
            for part in observation.get("component", [])
            for one in part.get("code", {}).get("coding", [])
        }
        if parts.get(SYSTOLIC) is None or parts.get(DIASTOLIC) is None:
            return {}
        sites = {one.get("code") for one in observation.get("bodySite", {}).get("coding", [])}
        arm = "right" if _ARMS["right"][0] in sites else "left"
        return {f"bp_{arm}": Pressure(int(parts[SYSTOLIC]), int(parts[DIASTOLIC]))}
    value = observation.get("valueQuantity", {}).get("value")
    if value is None:
        return {}
    if codes & {FASTING_GLUCOSE.loinc, GLUCOSE.loinc}:
        return {"glucose": Decimal(value), "glucose_fasting": FASTING_GLUCOSE.loinc in codes}
    for vital in VITALS:
        if vital.loinc in codes:
            return {vital.field: int(value) if vital.field in ("pulse", "respiration", "spo2") else Decimal(value)}
    return {}


def _frame(visit: Visit, findings: Findings, encounter: str, performers: tuple[str, ...], part: str, category: str) -> Resource:
    frame: Resource = {
        "resourceType": "Observation",
        "id": derived_id(part, visit.id),
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
        "subject": {"reference": f"Patient/{visit.person}"},
        "encounter": {"reference": encounter},
        "effectiveDateTime": findings.end.isoformat(),
    }
    if performers:
        frame["performer"] = [{"reference": one} for one in performers]
    return frame


def _panel(arm: str, pressure: Pressure) -> Resource:
    site, display, title = _ARMS[arm]
    return {
        "code": {
            "coding": [{"system": LOINC, "code": BP_PANEL, "display": "Blood pressure panel with all children optional"}],
            "text": title,
        },
        "bodySite": {"coding": [{"system": SNOMED, "code": site, "display": display}]},
        "component": [
            {"code": {"coding": [{"system": LOINC, "code": code, "display": name}]}, "valueQuantity": _quantity(value, "mmHg", "mm[Hg]")}
            for code, name, value in (
                (SYSTOLIC, "Systolic blood pressure", pressure.systolic),
                (DIASTOLIC, "Diastolic blood pressure", pressure.diastolic),
            )
        ],
    }


def _number(vital: Vital, value: int | Decimal) -> Resource:
    coding = [{"system": LOINC, "code": vital.loinc, "display": vital.display}]
    if vital.field == "spo2":
        coding.append(dict(_PULSE_OXIMETRY))
    return {"code": {"coding": coding, "text": vital.title}, "valueQuantity": _quantity(value, vital.unit, vital.ucum)}


def _quantity(value: int | Decimal, unit: str, ucum: str) -> Resource:
    written = value if isinstance(value, int) else Lexical(format(value, "f"))
    return {"value": written, "unit": unit, "system": UCUM, "code": ucum}
