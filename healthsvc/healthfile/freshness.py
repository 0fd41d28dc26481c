"""台帐新: how recent what stands in a file is. 档案全 (completeness) says whether it is there; this says when it was last looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from healthsvc.fhir.elements import first_moment
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, code_system
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.store import Store

_FORMS: Final = {
    "personal-information": ("personal-information",),
    "health-check": ("health-check-full",),
}
_OBSERVED: Final = {"self-care": f"{code_system('self-care')}|total", "pressure": "85354-9"}
_RECORDED: Final = {"medicines": "MedicationStatement", "allergies": "AllergyIntolerance", "illnesses": "Condition"}
_DATES: Final = ("effectiveDateTime", "authored", "recordedDate", "dateAsserted", "onsetDateTime")
_YEARLY: Final = f"{code_system('visit-kind')}|quarterly-checkup"


@dataclass(frozen=True, slots=True)
class Looked:
    """When one part of a file was last looked at; ``due`` is the day from which it counts as old (None: it does not age)."""

    item: str
    last: date | None
    due: date | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Freshness:
    """Share of the parts that are there and recent, 0 to 100, and each part with its day; what is old or absent first."""

    score: int
    parts: tuple[Looked, ...]


def freshness(latest: Mapping[str, date | None], months: Mapping[str, int], on: date) -> Freshness:
    """Judge the parts of a file.

    Args:
        latest: when each part was last recorded; None: never.
        months: how long each part counts as recent (policy ``healthfile.fresh_months``); 0: for ever, once it is there.
        on: the day.
    """
    parts = []
    for item, age in months.items():
        last = latest.get(item)
        due = last + timedelta(days=round(age * 30.44)) if last is not None and age else None
        parts.append(Looked(item, last, due, last is None or (due is not None and due < on)))
    fresh = sum(not one.stale for one in parts)
    order = sorted(parts, key=lambda one: (not one.stale, one.last or date.min))
    return Freshness(round(100 * fresh / len(parts)) if parts else 100, tuple(order))


def freshness_of(store: Store, patient: str) -> Freshness:
    """How recent a person's file is."""
    file = follow(store, patient)
    files = [file["id"], *replaced(store, file["id"])]
    latest: dict[str, date | None] = {}
    answered = [one for one in store.select("QuestionnaireResponse", patient=files) if one.get("status") in ("completed", "amended")]
    for item, names in _FORMS.items():
        urls = {f"{BASE}/Questionnaire/{name}" for name in names}
        latest[item] = _last([one for one in answered if str(one.get("questionnaire", "")).partition("|")[0] in urls], store)
    made = [one for one in store.select("Task", patient=files, code=_YEARLY, status="completed") if _is_yearly(one)]
    ends = [day for one in made if (day := _day(one.get("executionPeriod", {}).get("end"), store)) is not None]
    latest["health-check"] = max([*ends, *([latest["health-check"]] if latest["health-check"] else [])], default=None)
    for item, code in _OBSERVED.items():
        latest[item] = _last(store.select("Observation", patient=files, code=code), store)
    for item, kind in _RECORDED.items():
        latest[item] = _last(store.select(kind, patient=files), store)
    return freshness(latest, store.policy.value("healthfile.fresh_months", today(store)), today(store))


def _last(found: list[Resource], store: Store) -> date | None:
    days = [
        day
        for one in found
        if one.get("status") != "entered-in-error"
        for text in [next((one[name] for name in _DATES if one.get(name)), one.get("meta", {}).get("lastUpdated"))]
        if (day := _day(text, store)) is not None
    ]
    return max(days, default=None)


def _day(text: object, store: Store) -> date | None:
    at = first_moment(text, store.zone)
    return None if at is None else at.astimezone(store.zone).date()


def _is_yearly(task: Resource) -> bool:
    return any(one.get("code") == "annual-full" for one in task.get("code", {}).get("coding", ()))
