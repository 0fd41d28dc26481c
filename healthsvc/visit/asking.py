"""A visit that something calls for (a stay, a report): asked for once, taken up again, hastened or called off."""

from datetime import datetime, timedelta

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import responsible_doctor
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import OPEN, Priority, Status, Visit, Window

_MAY_BE_CALLED_OFF = frozenset(status.value for status in OPEN - {Status.IN_PROGRESS})


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
        known = visits.reopen(store, task_id) if known["status"] == Status.CANCELLED.value else known
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


def call_off(store: Store, task_id: str, reason: str) -> Resource | None:
    """Call a visit off that has not begun; None where there is none."""
    task = store.find("Task", task_id)
    if task is None or task["status"] not in _MAY_BE_CALLED_OFF:
        return None
    return visits.cancel(store, task_id, reason)
