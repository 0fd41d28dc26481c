"""The doses of a course as visits: with the time that the nurse is bound, the windows, the skills, and the gap after the dose before."""

from datetime import datetime, timedelta
from typing import Any

from healthsvc.fhir.elements import codes, concept, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import UCUM, code_system
from healthsvc.healthfile.service import follow
from healthsvc.infusion.records import given_id, is_given, to_given
from healthsvc.infusion.rules.bedside import Act
from healthsvc.infusion.rules.course import Dose, doses
from healthsvc.infusion.rules.order import Order
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id, is_visit, to_visit
from healthsvc.visit.rules import OPEN, Kind, Priority, Status, Visit, Window
from healthsvc.visit.service import cancel, open_visits, request

INPUT = code_system("infusion-input")
"""Task.input of a dose: ``dose-number``; ``after`` (the Task of the dose before) and ``gap`` (least minutes between the two starts)."""
ROUND = "infusion-round"


def lay_doses(store: Store, course: str, order: Order, policy: InfusionPolicy, nurse: str | None) -> list[Resource]:
    """Ask for one visit a dose."""
    laid: list[Resource] = []
    for dose in doses(order, policy, store.zone):
        visit = Visit(
            id=dose_id(course, dose),
            kind=Kind.HOME_INFUSION,
            person=order.patient,
            # the window holds the whole visit; when it may begin is said by the two times of day
            window=Window(dose.earliest, dose.latest + timedelta(minutes=dose.bound_minutes)),
            minutes=dose.bound_minutes,
            skills=frozenset({"nurse", "infusion"}),
            earliest=dose.earliest.astimezone(store.zone).time(),
            latest=dose.latest.astimezone(store.zone).time(),
            owner=f"Practitioner/{nurse or order.prescriber}",
            priority=Priority.URGENT,
            sources=(f"MedicationRequest/{course}",),
        )
        task = request(store, visit)
        wanted = _inputs(dose, str(laid[-1]["id"]) if laid else None)
        kept = [one for one in task["input"] if not codes(one.get("type"), INPUT)]
        laid.append(store.put(task | {"input": kept + wanted}))
    return laid


def dose_id(course: str, dose: Dose) -> str:
    """Task id of a dose."""
    return derived_id(f"dose{dose.number}", course)


def call_off(store: Store, patient: str, course: str, reason: str) -> int:
    """Call off the open visits of a course, except one that is under way; gives how many doses that were."""
    source = f"MedicationRequest/{course}"
    person = str(follow(store, patient)["id"])  # the visits have gone over where the file was merged
    gone = [one for one in open_visits(store, person) if source in one.sources and one.status is not Status.IN_PROGRESS]
    for visit in gone:
        cancel(store, visit.id, reason)
    return sum(visit.kind == Kind.HOME_INFUSION for visit in gone)


def ask_round(store: Store, order: Order, course: str, policy: InfusionPolicy) -> Resource | None:
    """A doctor sees the person within the days before an infusion: ask for a round before the first dose, unless one was made or is due."""
    first = doses(order, policy, store.zone)[0]
    since = store.at - timedelta(days=policy.round_within_days)
    for task in store.select("Task", patient=order.patient):
        if not is_visit(task):
            continue
        visit = to_visit(task)
        seen = "doctor" in visit.skills and visit.status is Status.COMPLETED and visit.window.end >= since
        coming = "doctor" in visit.skills and visit.status in OPEN and visit.window.end <= first.latest
        if seen or coming:
            return None
    return request(
        store,
        Visit(
            id=derived_id("round", course),
            kind=Kind.FOLLOW_UP,
            person=order.patient,
            window=Window(min(store.at, first.latest), first.latest),
            minutes=30,
            skills=frozenset({"doctor"}),
            owner=f"Practitioner/{order.prescriber}",
            priority=Priority.URGENT,
            sources=(f"MedicationRequest/{course}",),
            subtype=ROUND,
        ),
    )


def not_before(store: Store, task: Resource) -> datetime | None:
    """The earliest start that the gap after the dose before allows; None for a first dose or where the one before was not given."""
    after, gap = input_of(task, "after"), input_of(task, "gap")
    before = reference_id(after, "Task") if after else None
    if before is None or gap is None:
        return None
    record = store.find("MedicationAdministration", given_id(before))
    if record is None or not is_given(record):
        return None
    started = to_given(record).bedside.last(Act.PUNCTURE)
    return started.at + timedelta(minutes=int(gap["value"])) if started else None


def course_of(task: Resource) -> str | None:
    """Id of the course that a visit belongs to."""
    return next((id for one in task.get("basedOn", ()) if (id := reference_id(one, "MedicationRequest"))), None)


def input_of(task: Resource, name: str) -> Any:
    """One of our inputs on a Task."""
    found = (one for one in task.get("input", ()) if name in codes(one.get("type"), INPUT))
    return next((value for one in found for key, value in one.items() if key.startswith("value")), None)


def _inputs(dose: Dose, before: str | None) -> list[Resource]:
    found: list[Resource] = [{"type": concept(INPUT, "dose-number"), "valuePositiveInt": dose.number}]
    if before is not None:
        gap = {"value": dose.gap_minutes, "unit": "min", "system": UCUM, "code": "min"}
        found.append({"type": concept(INPUT, "after"), "valueReference": reference("Task", before)})
        found.append({"type": concept(INPUT, "gap"), "valueDuration": gap})
    return found
