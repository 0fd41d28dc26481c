"""人工放行 Gates that a doctor let pass: each is kept with gate, doctor and reason, confirmed by that doctor, and counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.elements import codes, concept, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.infusion.rules.checks import Outcome
from healthsvc.infusion.rules.gates import REASONS, GateResult
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

ISSUE = code_system("infusion-override")
_CONFIRMED = "final"


@dataclass(frozen=True, slots=True)
class Overridden:
    """One gate that was let pass."""

    id: str
    patient: str
    course: str
    gate_reason: str
    """The gate's reason code: infusion-no-companion and so on."""
    text: str
    doctor: str
    """Practitioner id."""
    why: str
    at: datetime
    confirmed: bool
    """Whether the doctor has stood by it from an account of their own."""


@dataclass(frozen=True, slots=True)
class Count:
    """The report to whoever answers for the centre: how many, by gate, by doctor, and how many no doctor has confirmed."""

    total: int
    by_gate: dict[str, int]
    by_doctor: dict[str, int]
    unconfirmed: int


def is_override(resource: Resource | None) -> bool:
    """Whether a DetectedIssue is a gate that was overridden."""
    if resource is None or resource.get("resourceType") != "DetectedIssue":
        return False
    return bool(codes(resource.get("code"), ISSUE))


def report_overrides(store: Store, results: Iterable[GateResult], course: str, patient: str) -> list[Resource]:
    """An overridden gate is never silent: it becomes a DetectedIssue that names gate, doctor and reason.

    It is final where the doctor has written it; preliminary where somebody else wrote it down (on the phone), until the doctor confirms.
    """
    return [_detected(store, one, course, patient) for one in results if one.outcome is Outcome.OVERRIDDEN]


def overridden(store: Store, patient: str | None = None) -> list[Resource]:
    """All overrides on record (of one person), latest first."""
    found = store.select("DetectedIssue", **({"patient": patient} if patient else {}))
    return sorted((one for one in found if is_override(one)), key=lambda one: str(one.get("identifiedDateTime")), reverse=True)


def to_overridden(issue: Resource) -> Overridden:
    """Read one."""
    mitigation: Resource = next(iter(issue.get("mitigation", ())), {})
    return Overridden(
        id=str(issue["id"]),
        patient=reference_id(issue.get("patient"), "Patient") or "",
        course=next((id for one in issue.get("implicated", ()) if (id := reference_id(one, "MedicationRequest"))), ""),
        gate_reason=next(iter(codes(issue.get("code"), ISSUE)), ""),
        text=issue.get("detail", ""),
        doctor=reference_id(mitigation.get("author"), "Practitioner") or "",
        why=mitigation.get("action", {}).get("text", ""),
        at=moment(issue["identifiedDateTime"], "DetectedIssue.identifiedDateTime"),
        confirmed=issue.get("status") == _CONFIRMED,
    )


def confirm(store: Store, id: str) -> Resource:
    """The doctor who is named stands by an override, from an account of their own; twice changes nothing.

    Raises:
        NotFound: there is no such override. RuleViolation: somebody else tries.
    """
    issue = store.find("DetectedIssue", id)
    if issue is None or not is_override(issue):
        raise NotFound("there is no such override")
    if issue["status"] == _CONFIRMED:
        return issue
    return store.put(issue | {"status": _CONFIRMED})


def count(store: Store, start: date, end: date) -> Count:
    """How many gates were overridden from a day to a day (both included)."""
    first, last = datetime.combine(start, time.min, store.zone), datetime.combine(end, time.max, store.zone)
    found = [one for one in map(to_overridden, overridden(store)) if first <= one.at <= last]
    return Count(
        total=len(found),
        by_gate=dict(Counter(one.gate_reason for one in found).most_common()),
        by_doctor=dict(Counter(one.doctor for one in found).most_common()),
        unconfirmed=sum(not one.confirmed for one in found),
    )


def admit_override(old: Resource | None, new: Resource | None, store: Store) -> None:
    """An override is kept as it was written; only the doctor who is named confirms it."""
    if old is None:
        if is_override(new) and new is not None and new.get("status") == _CONFIRMED and not _is_author(new, store):
            raise RuleViolation("only the doctor who is named confirms an override", reason="infusion-override-other-doctor")
        return
    if not is_override(old):
        if is_override(new):
            raise RuleViolation("an override is written by the gate that was overridden", reason="infusion-override-kept")
        return
    if new is None or {**new, "meta": None, "status": None} != {**old, "meta": None, "status": None}:
        raise RuleViolation("an override is kept as it was written", reason="infusion-override-kept", path="DetectedIssue")
    if new["status"] != old["status"] and not (new["status"] == _CONFIRMED and _is_author(old, store)):
        raise RuleViolation("only the doctor who is named confirms an override", reason="infusion-override-other-doctor")


def _is_author(issue: Resource, store: Store) -> bool:
    return store.actor.id == f"Practitioner/{to_overridden(issue).doctor}"


def _detected(store: Store, result: GateResult, course: str, patient: str) -> Resource:
    own = store.actor.id == f"Practitioner/{result.overridden_by}"
    return store.once(
        {
            "resourceType": "DetectedIssue",
            "id": derived_id(f"override-{result.gate.value}"[:20], f"{course}-{store.at:%m%d}"),
            "status": _CONFIRMED if own else "preliminary",
            "code": {**concept(ISSUE, REASONS[result.gate]), "text": result.text},
            "severity": "high",
            "patient": reference("Patient", patient),
            "identifiedDateTime": store.at.isoformat(),
            "implicated": [reference("MedicationRequest", course)],
            "detail": result.text,
            "mitigation": [
                {
                    "action": {"text": result.override_reason or ""},
                    "date": store.at.isoformat(),
                    "author": reference("Practitioner", result.overridden_by or ""),
                }
            ],
        }
    )
