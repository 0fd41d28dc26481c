"""Figures as FHIR MeasureReport, and what the measures need of Tasks."""

from datetime import datetime

from healthsvc.fhir.elements import concept, instant
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import BASE, code_system
from healthsvc.indicators.facts import Facts
from healthsvc.indicators.rules import Figure
from healthsvc.visit.resources import to_visit
from healthsvc.visit.rules import Status

MEASURE = f"{BASE}/Measure"
_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
_GROUP = code_system("indicator-group")


def made_at(task: Resource, at: datetime) -> datetime | None:
    """When a visit was made; None where it was not made by a moment."""
    if to_visit(task).status is not Status.COMPLETED:
        return None
    text = task.get("executionPeriod", {}).get("end") or task.get("meta", {}).get("lastUpdated")
    done = datetime.fromisoformat(text) if text else None
    return done if done is not None and done.tzinfo is not None and done <= at else None


def to_measure_report(figure: Figure, facts: Facts) -> Resource:
    """One figure as a summary MeasureReport; counts only, no people."""
    populations = [{"code": concept(_POPULATION, "numerator"), "count": figure.numerator}]
    if figure.denominator is not None:
        populations.append({"code": concept(_POPULATION, "denominator"), "count": figure.denominator})
    group: Resource = {"code": concept(_GROUP, figure.group.value), "population": populations}
    if figure.rate is not None:
        group["measureScore"] = {"value": Lexical(f"{figure.rate:.4f}"), "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
    return {
        "resourceType": "MeasureReport",
        "id": f"{figure.code}-{figure.group}-{facts.on.isoformat()}",
        "status": "complete",
        "type": "summary",
        "measure": f"{MEASURE}/{figure.code}",
        "date": instant(facts.at),
        "period": {"start": facts.quarter[0].isoformat(), "end": facts.on.isoformat()},
        "group": [group],
    }
