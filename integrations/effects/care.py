"""What a message came to, and the policy for a hospital's word."""

from dataclasses import dataclass, field
from datetime import datetime

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store
from healthsvc.visit.asking import call_off as calling_off

ORIGIN = {"tag": [{"system": code_system("origin"), "code": "hospital-directory"}]}
"""Marks a hospital's own departments and staff, so that they are never taken for ours."""


@dataclass(frozen=True, slots=True)
class HospitalPolicy:
    """Filled from ``policy/hospital.toml``."""

    abnormal_followup_days: int
    critical_followup_days: int
    visit_hours: dict[str, int]
    """By class of visit; a class that is not named lasts until it is ended."""
    report_apart_hours: int
    report_open_days: int
    appointment_minutes: int
    attempts: int
    clock_ahead_hours: int


@dataclass(slots=True)
class Outcome:
    """What a message came to."""

    patient: str | None = None
    made: list[str] = field(default_factory=list)
    """References of what it wrote, in order."""
    remarks: list[str] = field(default_factory=list)
    """What an operator should know: stale, doubtful fields, warnings. No person's particulars."""
    happened: datetime | None = None

    def wrote(self, *resources: Resource) -> None:
        """Note what was written."""
        for resource in resources:
            reference = f"{resource['resourceType']}/{resource['id']}"
            if reference not in self.made:
                self.made.append(reference)


def follows(store: Store, mark: int, outcome: Outcome) -> None:
    """Note the visits that have changed since a mark (``len(store.acts)``) because of what was written: held, taken up, asked for."""
    outcome.made += dict.fromkeys(
        subject
        for act in store.acts[mark:]
        if (subject := act.subject or "").startswith("Task/") and act.action in ("create", "update") and subject not in outcome.made
    )


def call_off(store: Store, task_id: str, reason: str, outcome: Outcome) -> None:
    """Call a visit off that has not begun."""
    if (cancelled := calling_off(store, task_id, reason)) is not None:
        outcome.wrote(cancelled)
