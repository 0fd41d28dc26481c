"""A quarter's checkup as a visit; the self-care score and a follow-up class as Observations."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from healthsvc.checkup.followup import Disease, FollowUp, Result
from healthsvc.checkup.rules import Form, Quarter, task_id
from healthsvc.checkup.selfcare import Item, Level, SelfCare
from healthsvc.fhir.elements import is_active
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system, extension
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import Kind, Visit, Window

PROVISIONAL: Final = extension("calendar-provisional")
SELF_CARE: Final = code_system("self-care")
SELF_CARE_LEVEL: Final = code_system("self-care-level")
FOLLOW_UP: Final = code_system("follow-up-rule")
FOLLOW_UP_RESULT: Final = code_system("follow-up-result")
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_TITLES: Final = {Form.ANNUAL_FULL: "每季上门体检（年度全面体检）", Form.QUARTERLY_BASIC: "每季上门体检"}
_DISEASES: Final = {Disease.HYPERTENSION: "高血压随访分类", Disease.DIABETES: "2型糖尿病随访分类"}

ICD10_HYPERTENSION: Final = ("I10", "I11", "I12", "I13", "I15")
ICD10_DIABETES: Final = ("E10", "E11", "E12", "E13", "E14")


def window_of(quarter: Quarter, zone: ZoneInfo) -> Window:
    """The window of a quarter as moments: from the first midnight to the last second of its last day."""
    return Window(datetime.combine(quarter.opens, time.min, zone), datetime.combine(quarter.closes, time(23, 59, 59), zone))


def checkup_visit(patient: str, quarter: Quarter, minutes: int, doctor: str | None, source: str, zone: ZoneInfo) -> Visit:
    """The visit that makes a quarter's checkup."""
    return Visit(
        id=task_id(patient, quarter.name),
        kind=Kind.QUARTERLY_CHECKUP,
        person=patient,
        window=window_of(quarter, zone),
        minutes=minutes,
        skills=frozenset({"doctor"}),
        owner=doctor,
        sources=(source,),
        subtype=quarter.form.value,
        title=_TITLES[quarter.form],
    )


def self_care_observation(score: SelfCare, patient: str, visit: str, encounter: str | None, at: datetime) -> Resource:
    """The self-care assessment as one Observation: the total as value, the level as interpretation, each answer as a component."""
    written: Resource = {
        "resourceType": "Observation",
        "id": derived_id("self-care", visit),
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "survey"}]}],
        "code": {"coding": [{"system": SELF_CARE, "code": "total"}], "text": "老年人生活自理能力评估"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at.isoformat(),
        "valueInteger": score.total,
        "interpretation": [{"coding": [{"system": SELF_CARE_LEVEL, "code": score.level.value}]}],
        "component": [
            {"code": {"coding": [{"system": SELF_CARE, "code": item.value}]}, "valueInteger": points} for item, points in score.answers
        ],
    }
    if encounter:
        written["encounter"] = {"reference": encounter}
    return written


def to_self_care(observation: Resource) -> SelfCare:
    """Read a self-care assessment back."""
    answers = tuple((Item(part["code"]["coding"][0]["code"]), int(part["valueInteger"])) for part in observation["component"])
    return SelfCare(answers, int(observation["valueInteger"]), Level(observation["interpretation"][0]["coding"][0]["code"]))


def class_observation(decision: FollowUp, base: str, person: str, encounter: str | None, at: datetime, basis: Iterable[str]) -> Resource:
    """A follow-up class as Observation: the class as value, rule and version as method, the reasons as note, what it rests on."""
    written: Resource = {
        "resourceType": "Observation",
        "id": derived_id(f"class-{decision.disease}", base),
        "status": "final",
        "code": {"coding": [{"system": FOLLOW_UP, "code": decision.disease.value}], "text": _DISEASES[decision.disease]},
        "subject": {"reference": f"Patient/{person}"},
        "effectiveDateTime": at.isoformat(),
        "valueCodeableConcept": {"coding": [{"system": FOLLOW_UP_RESULT, "code": decision.result.value}]},
        "method": {"coding": [{"system": FOLLOW_UP, "code": decision.rule}], "text": f"{decision.rule} → {decision.next}"},
    }
    if decision.reasons:
        written["note"] = [{"text": "; ".join(decision.reasons)}]
    if encounter:
        written["encounter"] = {"reference": encounter}
    derived = [{"reference": one} for one in basis]
    if derived:
        written["derivedFrom"] = derived
    return written


def to_result(observation: Resource) -> Result:
    """The class that a follow-up Observation carries."""
    return Result(observation["valueCodeableConcept"]["coding"][0]["code"])


def has_code(condition: Resource, prefixes: tuple[str, ...]) -> bool:
    """Whether a Condition is active and coded in ICD-10 (whichever version) under one of these categories."""
    if not is_active(condition):
        return False
    codes = [c.get("code", "") for c in condition.get("code", {}).get("coding", []) if "icd" in str(c.get("system", "")).lower()]
    return any(code.upper().startswith(prefixes) for code in codes)
