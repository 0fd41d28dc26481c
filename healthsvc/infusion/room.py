"""What every write of a course, a dose and a bedside record must pass, through whatever door."""

from datetime import timedelta
from typing import Final

from healthsvc.consent.service import require_care
from healthsvc.errors import Forbidden, Invalid, RuleViolation
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.closing import is_shut
from healthsvc.healthfile.inpatient import is_admitted
from healthsvc.healthfile.resources import is_deceased
from healthsvc.infusion import bedside, reaction, service, visits
from healthsvc.infusion.druglist import admit_list
from healthsvc.infusion.evidence import files_of, patient_in_hospital
from healthsvc.infusion.overrides import admit_override, report_overrides
from healthsvc.infusion.records import Given, given_id, is_given, status_of, to_given
from healthsvc.infusion.resources import is_course, is_proposal, nurse_id, to_order
from healthsvc.infusion.returns import ask_return
from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Bedside, Entry, Step, apply
from healthsvc.infusion.rules.course import doses
from healthsvc.infusion.rules.gates import GateResult
from healthsvc.infusion.signatures import admit_signature
from healthsvc.store import Room, Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Kind, Status

_STEPS: Final = {
    (None, "draft"),
    (None, "active"),
    ("draft", "active"),
    ("draft", "cancelled"),
    *(("active", status) for status in ("on-hold", "stopped", "completed", "cancelled")),
    *(("on-hold", status) for status in ("stopped", "cancelled")),
}
"""The life of a course. One that was held or stopped is not taken up again: it is ordered anew, and the gates are asked anew."""
_TO_BE_MADE: Final = frozenset({Status.DRAFT, Status.REQUESTED, Status.ACCEPTED, Status.IN_PROGRESS})
_FIXED: Final = ("subject", "medicationCodeableConcept", "dosageInstruction", "requester", "authoredOn", "extension")


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a write, and let follow what must follow in the same transaction."""
    kind = (new or old or {}).get("resourceType")
    if kind == "MedicationRequest":
        _admit_course(old, new, store)
    elif kind == "MedicationAdministration":
        _admit_given(old, new, store)
    elif kind == "DetectedIssue":
        admit_override(old, new, store)
    elif kind == "CodeSystem":
        admit_list(old, new, store)
    elif kind == "Provenance":
        admit_signature(old, new, store)
    elif kind == "Task":
        _admit_dose(old, new, store)
    elif kind == "Encounter" and new is not None and is_admitted(new, store) and not is_admitted(old, store):
        patient = reference_id(new.get("subject"), "Patient")
        if patient is not None and store.find("Patient", patient) is not None:
            service.stop_all(store, patient, "admitted")
    elif kind == "Patient" and old is not None and new is not None and is_deceased(new) and not is_deceased(old):
        service.stop_all(store, new["id"], "deceased")


def claim_of(course: str) -> str:
    """What an active course holds; a dose may only be asked for while it does."""
    return f"infusion-course:{course}"


def _admit_course(old: Resource | None, new: Resource | None, store: Store) -> None:
    if is_proposal(old) or is_proposal(new):
        _admit_proposal(old, new)
        return
    was = old if old is not None and is_course(old) else None
    if new is None or not is_course(new):
        if was is not None:
            raise RuleViolation("a course of infusions is stopped, not deleted or turned into something else", reason="infusion-keep")
        return
    before, after, id = was["status"] if was else None, new["status"], str(new.get("id"))
    if before != after and (before, after) not in _STEPS and after != "entered-in-error":
        raise RuleViolation(
            f"a course that is {before or 'new'} cannot become {after}; order it anew",
            reason="infusion-transition",
            path="MedicationRequest.status",
        )
    if was is not None and before != "draft" and any(was.get(key) != new.get(key) for key in _FIXED):
        raise RuleViolation("an order is not changed once it is in force; stop it and order anew", reason="infusion-order-fixed")
    if after == "active" and before != "active":
        _begin(new, id, store)
    if before == "active" and after != "active":
        store.release(claim_of(id), f"MedicationRequest/{id}")
        left = visits.call_off(store, to_order(new).patient, id, "course-" + after)
        ask_return(store, new, left)


def _admit_proposal(old: Resource | None, new: Resource | None) -> None:
    """A hospital's order waits, is answered, or is sent anew; it never turns into a course by being rewritten."""
    if not is_proposal(new) or (old is not None and not is_proposal(old)):
        raise RuleViolation(
            "a hospital's order is answered by ordering a course or by declining it; it is neither deleted nor turned into a course",
            reason="infusion-proposal",
            path="MedicationRequest.intent",
        )
    if new is not None and new["status"] not in ("draft", "completed", "cancelled", "entered-in-error"):
        raise RuleViolation(
            "a hospital's order is draft, completed, cancelled or entered in error",
            reason="infusion-proposal",
            path="MedicationRequest.status",
        )


def _begin(request: Resource, id: str, store: Store) -> None:
    order = to_order(request)
    person = store.find("Patient", order.patient)
    if person is None:
        raise Invalid("MedicationRequest.subject names a person who has no health file here", path="MedicationRequest.subject")
    if is_deceased(person):
        raise RuleViolation("the file says that the person has died", reason="infusion-deceased", path="MedicationRequest.subject")
    if is_shut(person):
        raise RuleViolation("the file is closed; open it again first", reason="infusion-file-closed", path="MedicationRequest.subject")
    require_care(store, order.patient)
    if patient_in_hospital(store, files_of(store, order.patient)):
        raise RuleViolation("the person is in hospital", reason="infusion-in-hospital", path="MedicationRequest.subject")
    policy = service.policy_of(store, order.start)
    if not set(policy.order_roles) & store.actor.roles:
        raise Forbidden("an infusion is ordered from a doctor's account; ask the doctor to order it", reason="infusion-order-role")
    first = doses(order, policy, store.zone)[0]
    if first.latest < store.at:
        raise RuleViolation(
            "the first dose lies in the past; let the course begin on a day to come",
            reason="infusion-start-past",
            path="MedicationRequest.dosageInstruction",
        )
    results = service.at_order(store, request)
    service.must_be_open(results)
    store.claim(claim_of(id), f"MedicationRequest/{id}")
    report_overrides(store, results, id, order.patient)
    visits.lay_doses(store, id, order, policy, nurse_id(request))
    visits.ask_round(store, order, id, policy)


def _admit_dose(old: Resource | None, new: Resource | None, store: Store) -> None:
    """No infusion is scheduled without a course that has passed its gates, and none is done without its bedside record."""
    if new is None or not is_visit(new) or to_visit(new).kind != Kind.HOME_INFUSION:
        return
    visit, course = to_visit(new), visits.course_of(new)
    before = old if old is not None and is_visit(old) else None
    was = to_visit(before).status if before is not None else None
    moved = before is not None and visits.course_of(before) != course
    asked = before is None or (was is not visit.status and visit.status in _TO_BE_MADE)
    if moved or (asked and (course is None or store.holder(claim_of(course)) != f"MedicationRequest/{course}")):
        raise RuleViolation(
            "an infusion is asked for by ordering a course, and keeps it; Task.basedOn names a MedicationRequest in force",
            reason="infusion-no-course",
            path="Task.basedOn",
        )
    if visit.status is Status.COMPLETED and was is not Status.COMPLETED:
        record = store.find("MedicationAdministration", given_id(visit.id))
        if record is None or not is_given(record) or to_given(record).bedside.step is not Step.LEFT:
            raise RuleViolation(
                "an infusion is completed by going through the bedside protocol to its end", reason="infusion-no-record", path="Task.status"
            )


def _admit_given(old: Resource | None, new: Resource | None, store: Store) -> None:
    was = to_given(old) if old is not None and is_given(old) else None
    if new is None or not is_given(new):
        if was is not None:
            raise RuleViolation("a bedside record is kept; it is neither deleted nor turned into something else", reason="infusion-keep")
        return
    given = to_given(new)
    log = was.bedside.log if was else ()
    if new.get("id") != given_id(given.task) or given.bedside.log[: len(log)] != log:
        raise RuleViolation("a bedside record is only added to, under the id of its visit", reason="infusion-log-changed")
    if was is not None and was.bedside.last(Act.CLEAR) and was.evidence != given.evidence:
        raise RuleViolation("the evidence stands once the gates have been asked", reason="infusion-evidence-fixed")
    task = store.read("Task", given.task)
    if visits.course_of(task) != given.course or to_visit(task).person != given.patient:
        raise RuleViolation("person, course and visit do not belong together", reason="infusion-other-visit")
    if new.get("status") != status_of(given.bedside):
        raise RuleViolation(
            f"the log says that the status is {status_of(given.bedside)}", reason="infusion-status", path="MedicationAdministration.status"
        )
    request = store.read("MedicationRequest", given.course)
    _replay(given, len(log), task, request, store)


def _replay(given: Given, known: int, task: Resource, request: Resource, store: Store) -> None:
    """Walk the new entries through the protocol; the gates are asked here, not believed."""
    policy = service.policy_of(store, given.bedside.log[-1].at.astimezone(store.zone).date())
    state = _after(given.bedside.log[:known])
    for entry in given.bedside.log[known:]:
        if entry.act in (Act.ARRIVE, Act.CLEAR, Act.PUNCTURE) and request["status"] != "active":
            raise RuleViolation("the course is no longer in force; nothing is infused", reason="infusion-course-not-active")
        results: tuple[GateResult, ...] = ()
        if entry.act is Act.CLEAR:
            results = bedside.results_at_clearing(store, given)
            service.must_be_open(results)
            report_overrides(store, results, given.course, given.patient)
        gap = visits.not_before(store, task) if entry.act is Act.PUNCTURE else None
        latest = to_visit(task).window.end - timedelta(minutes=to_visit(task).minutes)
        state = apply(state, entry, policy, results=results, not_before=gap, not_after=latest, now=store.at)
        reaction.follow_up(store, given, entry, request["medicationCodeableConcept"])


def _after(log: tuple[Entry, ...]) -> Bedside:
    """The state after entries that have been admitted before."""
    step = Step.PLANNED
    for entry in log:
        step = TRANSITIONS[step, entry.act]
    return Bedside(step, log)


ROOM: Final = Room(
    "infusion",
    frozenset(
        {"MedicationRequest", "MedicationAdministration", "Task", "Encounter", "Patient", "DetectedIssue", "Provenance", "CodeSystem"}
    ),
    admit,
)
