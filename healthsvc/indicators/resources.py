"""Measures and figures as FHIR Measure and MeasureReport, and what the measures need of Tasks."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, tzinfo
from typing import Final

from healthsvc.fhir.conformance.publish import canonical
from healthsvc.fhir.elements import concept, instant, reference
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import BASE, code_system
from healthsvc.indicators.figure import By, Figure, Item, Measure
from healthsvc.visit.rules import Status

MEASURE: Final = f"{BASE}/Measure"
TRAIT: Final = code_system("indicator-trait")
_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
_SCORING: Final = "http://terminology.hl7.org/CodeSystem/measure-scoring"
_IMPROVEMENT: Final = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
_WORDS: Final = {
    "initial-population": ("所考察的全部事项", "Everything that was looked at"),
    "denominator": ("分母及不计入的事项", "What was asked for, and what is excluded"),
    "denominator-exclusion": ("不计入的事项", "Excluded"),
    "numerator": ("达到要求的", "What was met"),
}


def made_at(task: Resource, status: Status) -> datetime | None:
    """When a visit was made; None where it was not."""
    if status is not Status.COMPLETED:
        return None
    text = task.get("executionPeriod", {}).get("end") or task.get("meta", {}).get("lastUpdated")
    done = datetime.fromisoformat(text) if text else None
    return done if done is not None and done.tzinfo is not None else None


def to_measure(one: Measure) -> Resource:
    """A measure as it is published: its names, its rule, its populations, its version."""
    populations = tuple(_WORDS) if one.rate else ("initial-population",)
    made = canonical("Measure", one.code, one.name_zh, one.name_en)
    return made | {
        "version": one.version,
        "scoring": concept(_SCORING, "proportion" if one.rate else "cohort"),
        "improvementNotation": concept(_IMPROVEMENT, "increase" if one.good else "decrease"),
        "rationale": one.rule_zh,
        "clinicalRecommendationStatement": one.rule_en,
        "group": [
            {
                "code": concept(TRAIT, "all"),
                "description": f"{one.rule_zh} {one.rule_en}",
                "population": [{"code": concept(_POPULATION, code), "description": " ".join(_WORDS[code]), "criteria": _criteria(one, code)}
                               for code in populations],
                "stratifier": [{"code": concept(TRAIT, by.value), "criteria": {"language": "text/plain", "expression": by.value}}
                               for by in By],
            }
        ],
    }  # fmt: skip


def to_report(
    whole: Figure, parts: Sequence[Figure], zone: tzinfo, at: datetime, *, subject: str | None = None, people: bool = False
) -> Resource:
    """A figure as MeasureReport.

    Args:
        parts: the same figure by traits; they become strata.
        at: when it was reckoned.
        subject: Patient id: an individual report about this person alone.
        people: a subject-list: contained Lists name the people of each population.
    """
    kind = "individual" if subject else "subject-list" if people else "summary"
    group = {"code": concept(TRAIT, "all"), **_counts(whole, "all" if people else None)}
    by_trait: dict[By, list[Figure]] = {}
    for one in parts:
        if one.part.by is not None:
            by_trait.setdefault(one.part.by, []).append(one)
    if by_trait:
        group["stratifier"] = [
            {
                "code": [concept(TRAIT, by.value)],
                "stratum": [{"value": {"text": one.part.value or "-"}, **_counts(one, None)} for one in found],
            }
            for by, found in by_trait.items()
        ]
    report: Resource = {
        "resourceType": "MeasureReport",
        "id": report_id(whole),
        "status": "complete",
        "type": kind,
        "measure": f"{MEASURE}/{whole.code}|{whole.measure.version}",
        "date": instant(at),
        "period": {"start": _start(whole.period[0], zone), "end": _end(whole.period[1], zone)},
        "improvementNotation": concept(_IMPROVEMENT, "increase" if whole.measure.good else "decrease"),
        "group": [group],
    }
    if subject:
        report["subject"] = reference("Patient", subject)
    if people:
        report["contained"] = [_list(name, members) for name, members in _named(whole).items()]
    return report


def report_id(one: Figure) -> str:
    """An id made of meaning: the measure, the first and the last day."""
    return f"{one.code}-{one.period[0]:%Y%m%d}-{one.period[1]:%Y%m%d}"


def _counts(one: Figure, named: str | None) -> Resource:
    """Populations with their counts, and the score."""
    out = sum(one.excluded.values())
    if one.denominator is None:
        counts = {"initial-population": one.numerator}
    else:
        counts = {
            "initial-population": one.denominator + out,
            "denominator": one.denominator + out,
            "denominator-exclusion": out,
            "numerator": one.numerator,
        }
    lists = _named(one) if named else {}
    made: Resource = {
        "population": [
            {"code": concept(_POPULATION, code), "count": count, **({"subjectResults": {"reference": f"#{code}"}} if code in lists else {})}
            for code, count in counts.items()
        ]
    }
    if one.rate is not None:
        made["measureScore"] = {"value": Lexical(f"{one.rate:.4f}"), "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
    return made


def _named(one: Figure) -> dict[str, list[str]]:
    """Who is in which population: whoever has at least one item there."""
    counted: list[Item] = [item for item in one.items if not item.out]
    everybody = sorted({item.person for item in one.items})
    if one.denominator is None:
        return {"initial-population": everybody}
    return {
        "initial-population": everybody,
        "denominator": everybody,
        "denominator-exclusion": sorted({item.person for item in one.items if item.out}),
        "numerator": sorted({item.person for item in counted if item.met}),
    }


def _list(name: str, members: Iterable[str]) -> Resource:
    entries = [{"item": reference("Patient", one)} for one in members]
    return {"resourceType": "List", "id": name, "status": "current", "mode": "snapshot", **({"entry": entries} if entries else {})}


def _criteria(one: Measure, code: str) -> Resource:
    return {"language": "text/plain", "description": f"{one.rule_zh} {one.rule_en}", "expression": f"{one.code}/{one.version}/{code}"}


def _start(day: date, zone: tzinfo) -> str:
    return datetime.combine(day, time.min, zone).isoformat()


def _end(day: date, zone: tzinfo) -> str:
    return datetime.combine(day, time(23, 59, 59), zone).isoformat()
