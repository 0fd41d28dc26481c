"""What a hospital's word means for the care at home: visits are held, taken up, asked for and called off."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.service import replaced, responsible_doctor
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit import ward
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import OPEN, Priority, Visit, Window

ORIGIN = {"tag": [{"system": code_system("origin"), "code": "hospital-directory"}]}
"""Marks a hospital's own departments and staff, so that they are never taken for ours."""


@dataclass(frozen=True, slots=True)
class HospitalPolicy:
    """Filled from ``policy/hospital.toml``."""

    admission_visit_days: int
    discharge_followup_days: int
    abnormal_followup_days: int
    critical_followup_days: int
    inpatient_classes: tuple[str, ...]
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


def hold(store: Store, patient: str, encounter: str, outcome: Outcome) -> None:
    """Suspend the person's open visits at home, except those made because of the admission."""
    outcome.made += [f"Task/{visit.id}" for visit in ward.hold(store, patient, encounter)]


def take_up(store: Store, patient: str, at: datetime, outcome: Outcome) -> None:
    """Take the suspended visits up again, unless another hospital still has the person."""
    if ward.in_a_ward(store, (patient, *replaced(store, patient))) is not None:
        outcome.remarks.append("another stay is still open; the visits at home stay suspended")
        return
    outcome.made += [f"Task/{visit.id}" for visit in visits.resume(store, patient, max(at, store.at), ward.ADMITTED)]


def ask(
    store: Store,
    patient: str,
    kind: str,
    source: str,
    at: datetime,
    days: int,
    *,
    type: str = "Encounter",
    priority: Priority = Priority.ROUTINE,
    key: str = "",
) -> Resource:
    """Ask for a visit because of a stay or a report: once for each (or for each ``key``), owned by the responsible doctor.

    One that waits already is hastened where this is more pressing.
    """
    task_id = derived_id(kind, key or source)
    known = store.find("Task", task_id)
    start = max(at, store.at - timedelta(days=days))
    if known is not None:
        known = visits.reopen(store, task_id) if known["status"] == "cancelled" else known
        return known if priority is Priority.ROUTINE else visits.hasten(store, task_id, priority, start + timedelta(days=days))
    policy = visits.policy_of(store)
    visit = Visit(
        id=task_id,
        kind=kind,
        person=patient,
        window=Window(start, start + timedelta(days=days)),
        minutes=policy.length(kind),
        skills=policy.skills_of(kind),
        owner=responsible_doctor(store, patient),
        priority=priority,
        sources=(f"{type}/{source}",),
    )
    return visits.request(store, visit)


def call_off(store: Store, task_id: str, reason: str, outcome: Outcome) -> None:
    task = store.find("Task", task_id)
    if task is not None and task["status"] in {status.value for status in OPEN} - {"in-progress"}:
        outcome.wrote(visits.cancel(store, task_id, reason))
