"""At the bedside: each step that the nurse takes is written at once; the room checks it whatever the door."""

from collections.abc import Iterable
from dataclasses import replace

from healthsvc.errors import Conflict, NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.infusion.records import Given, OfTheDay, given_id, is_given, observations, to_administration, to_given
from healthsvc.infusion.resources import is_course
from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Bedside, Entry
from healthsvc.infusion.rules.gates import GateResult
from healthsvc.infusion.rules.order import Slot
from healthsvc.infusion.service import at_bedside, finish_if_done
from healthsvc.infusion.signatures import signed
from healthsvc.infusion.visits import course_of
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Kind, Status


def where(store: Store, task_id: str) -> Given:
    """Where a visit stands at the bedside; a visit that has not begun stands at ``planned``."""
    record = store.find("MedicationAdministration", given_id(task_id))
    if record is not None and is_given(record):
        return to_given(record)
    task = store.read("Task", task_id)
    course = course_of(task)
    if not is_visit(task) or to_visit(task).kind != Kind.HOME_INFUSION or course is None:
        raise NotFound("this visit is no infusion")
    return Given(to_visit(task).person, course, task_id, Bedside())


def gates(store: Store, task_id: str, nurse: str, of_the_day: OfTheDay, at: Entry) -> tuple[GateResult, ...]:
    """What the twelve gates say at the bedside at the moment of an entry; nothing is written."""
    given = where(store, task_id)
    request = store.read("MedicationRequest", given.course)
    return at_bedside(store, request, task_id, nurse, of_the_day, Slot(at.at, to_visit(store.read("Task", task_id)).minutes))


def take(store: Store, task_id: str, entry: Entry, of_the_day: OfTheDay | None = None) -> Resource:
    """Take one step at the bedside and give the MedicationAdministration.

    ``of_the_day``: companion, two-person check, rescue kit and overrides, needed by the step ``clear`` at the latest; what is given
    replaces what was given before. Taking the same step again (same act, time and person) changes nothing.

    Raises:
        RuleViolation: the step may not follow, or a gate stays shut; nothing is written.
    """
    given = where(store, task_id)
    if given.bedside.log and given.bedside.log[-1] == entry:
        return store.read("MedicationAdministration", given_id(task_id))
    request = store.read("MedicationRequest", given.course)
    if not is_course(request):
        raise NotFound("there is no such course of infusions")
    if (given.bedside.step, entry.act) not in TRANSITIONS:
        raise RuleViolation(
            f"cannot {entry.act} when the visit is {given.bedside.step}",
            reason="infusion-step-out-of-order",
            path="MedicationAdministration",
        )
    if entry.act is Act.ARRIVE:
        _arrive(store, task_id, entry)
    step = TRANSITIONS[given.bedside.step, entry.act]
    if entry.act is Act.CLEAR:
        of_the_day = of_the_day or given.evidence
        of_the_day = replace(of_the_day, double_check=signed(store, task_id, of_the_day.double_check))
    after = replace(given, bedside=Bedside(step, (*given.bedside.log, entry)), evidence=of_the_day or given.evidence)
    results = _results(store, after) if after.bedside.last(Act.CLEAR) else ()
    stored = store.put(to_administration(after, request["medicationCodeableConcept"], results))
    for observation in observations(after):
        store.put(observation)
    if entry.act is Act.LEAVE:
        _leave(store, after)
    return stored


def results_at_clearing(store: Store, given: Given) -> tuple[GateResult, ...]:
    """What the gates say for the moment at which the visit was cleared."""
    return _results(store, given)


def _results(store: Store, given: Given) -> tuple[GateResult, ...]:
    cleared = given.bedside.last(Act.CLEAR)
    assert cleared is not None
    request = store.read("MedicationRequest", given.course)
    minutes = to_visit(store.read("Task", given.task)).minutes
    return at_bedside(store, request, given.task, cleared.by, given.evidence, Slot(cleared.at, minutes))


def _arrive(store: Store, task_id: str, entry: Entry) -> None:
    visit = visits.read(store, task_id)
    if visit.status is Status.IN_PROGRESS:
        return
    if visit.status not in (Status.REQUESTED, Status.ACCEPTED):
        raise Conflict(f"the visit is {visit.status}; nothing is infused", reason="infusion-visit-not-open")
    visits.start(store, task_id, entry.at, [f"Practitioner/{entry.by}"])


def _leave(store: Store, given: Given) -> None:
    """Leaving ends the visit: completed where something ran, called off where nothing did."""
    log = given.bedside.log
    if not given.bedside.infused:
        refused = given.bedside.last(Act.REFUSE)
        visits.cancel(store, given.task, "infusion-refused" if refused else "infusion-not-given")
        finish_if_done(store, given.course)
        return
    window = visits.read(store, given.task).window
    findings = Findings(
        start=log[0].at,
        end=log[-1].at,
        adverse_reaction=given.bedside.reacted,
        late_reason="ended-late" if log[-1].at > window.end else None,
    )
    visits.complete(store, given.task, findings, _staff(log))
    finish_if_done(store, given.course)


def _staff(log: Iterable[Entry]) -> list[str]:
    return [f"Practitioner/{who}" for who in dict.fromkeys(entry.by for entry in log if entry.by)]
