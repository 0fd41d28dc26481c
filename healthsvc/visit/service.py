"""上门服务: request, plan, start, complete, suspend, resume, cancel and miss a visit; what is due and what is overdue."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from healthsvc.errors import Issue, NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import follow
from healthsvc.store import Store
from healthsvc.visit import findings as rules_of_findings
from healthsvc.visit.findings import Findings
from healthsvc.visit.observations import observations_of, outputs_of
from healthsvc.visit.policy import VisitPolicy, in_force
from healthsvc.visit.resources import encounter_of, is_visit, to_task, to_visit
from healthsvc.visit.rules import OPEN, WAITING, Act, Priority, Standing, Status, Visit, Window, apply, is_late, resumed_window, standing

_SUSPENDABLE: Final = frozenset({Status.REQUESTED, Status.ACCEPTED, Status.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Completed:
    """A visit that has been made: the Task, the finished Encounter, its Observations, and warnings about unusual numbers."""

    task: Resource
    encounter: Resource
    observations: tuple[Resource, ...]
    warnings: tuple[Issue, ...]


def policy_of(store: Store, on: date | None = None) -> VisitPolicy:
    """The visit policy in force on a day (the day of the transaction unless told otherwise)."""
    return in_force(store.policy, on or store.today)


def request(store: Store, visit: Visit, extensions: Sequence[Resource] = ()) -> Resource:
    """Ask for a visit, once: asking again under the same id gives back what is there, unchanged.

    A person whose file has been merged into another is visited under the surviving file. ``extensions`` are FHIR extensions of the Task.
    """
    known = store.find("Task", visit.id)
    if known is not None:
        return known
    survivor = follow(store, visit.person)["id"]
    titled = visit.title or policy_of(store).title(visit.kind)
    task = to_task(replace(visit, person=survivor, title=titled, status=Status.REQUESTED))
    if extensions:
        task["extension"] = [*task.get("extension", []), *extensions]
    return store.put(task | {"authoredOn": store.at.isoformat(timespec="seconds")})


def read(store: Store, task_id: str) -> Visit:
    """One visit by its Task id; refuses where the Task is something else."""
    return to_visit(_task(store, task_id))


def open_visits(store: Store, patient: str, kind: str | None = None) -> list[Visit]:
    """All visits of a person that are not over, soonest due first."""
    found = store.select("Task", patient=patient, status=[status.value for status in OPEN])
    visits = [to_visit(task) for task in found if is_visit(task)]
    return sorted((one for one in visits if kind in (None, one.kind)), key=_urgency)


def standings(store: Store, when: date | datetime, *, begun: bool = False) -> list[tuple[Visit, Standing]]:
    """Every visit that still waits to be made, with how it stands at a moment or on a day; most pressing first.

    On a day a visit is due when its window touches the day, and overdue when the window closed before the day began. ``begun`` leaves out
    (in the database, hence quickly) those whose window opens later.
    """
    limits = {"window": f"lt{dusk(when, store).isoformat()}"} if begun else {}
    found = store.select("Task", status=[status.value for status in WAITING], **limits)
    visits = sorted((to_visit(task) for task in found if is_visit(task)), key=_urgency)
    return [(visit, standing(visit, decisive_moment(visit.window, when, store))) for visit in visits]


def due(store: Store, on: date | datetime) -> list[Visit]:
    """The visits that may be made on a day (or at a moment) and are not overdue."""
    return [visit for visit, stands in standings(store, on, begun=True) if stands is Standing.DUE]


def overdue(store: Store, on: date | datetime) -> list[Visit]:
    """The visits whose window has closed without their having been made."""
    return [visit for visit, stands in standings(store, on, begun=True) if stands is Standing.OVERDUE]


def plan(store: Store, visit: Visit | str, start: datetime, end: datetime, staff: Sequence[str]) -> Resource:
    """Give a visit its time and staff (``Practitioner/x``); returns the planned Encounter. Planning anew moves it."""
    task = _task(store, visit if isinstance(visit, str) else visit.id)
    current = to_visit(task)
    if Window(start, end).start < current.window.start:
        raise RuleViolation("the visit is planned before its window opens; choose a later time", reason="visit-plan-too-early")
    if len(set(staff)) < current.staff:
        raise RuleViolation(f"the visit needs {current.staff} members of staff at the same time", reason="visit-plan-staff")
    planned = apply(current, Act.PLAN)
    encounter = _put_encounter(store, encounter_of(planned, "planned", start, end, staff))
    store.put(to_task(replace(planned, encounter=f"Encounter/{encounter['id']}"), task))
    return encounter


def unplan(store: Store, task_id: str) -> Resource:
    """Take a planned visit out of the plan: it waits again, its planned Encounter is cancelled."""
    return _step(store, task_id, Act.UNPLAN)


def start(store: Store, task_id: str, at: datetime, staff: Sequence[str]) -> Resource:
    """The staff have come to the door: the visit is under way. Returns the Encounter."""
    task = _task(store, task_id)
    visit = to_visit(task)
    begun = apply(visit, Act.START)
    encounter = encounter_of(begun, "in-progress", at, at, staff)
    del encounter["period"]["end"]
    stored = _put_encounter(store, encounter)
    under_way = to_task(replace(begun, encounter=f"Encounter/{stored['id']}"), task)
    store.put(under_way | {"executionPeriod": {"start": at.isoformat()}})
    return stored


def complete(store: Store, task_id: str, findings: Findings, by: Sequence[str] | str, noted: Sequence[Resource] = ()) -> Completed:
    """A visit has been made: finish its Encounter, write what was found as Observations, complete the Task.

    Args:
        store: an open writing transaction.
        task_id: the visit.
        findings: what was found, with the times in and out.
        by: who made it, ``Practitioner/x``, one or several.
        noted: Observations that are on file already (from a form) and belong to the visit.

    Raises:
        Invalid: a number that no human being can have, or an end that is still to come; nothing is written.
        RuleViolation: the visit is over or suspended, or was made late and no reason is given.
    """
    staff = (by,) if isinstance(by, str) else tuple(by)
    task = _task(store, task_id)
    visit = to_visit(task)
    done = apply(visit, Act.COMPLETE, reason=findings.late_reason)
    policy = policy_of(store)
    rules_of_findings.check_made(findings, store.at, timedelta(minutes=policy.clock_ahead_minutes))
    warnings = rules_of_findings.check(findings, rules_of_findings.ranges(policy.ranges))
    if is_late(visit.window.end, findings.end) and findings.late_reason is None:
        raise RuleViolation("the visit was made after its window; give the reason", reason="visit-late-reason", path="late_reason")
    finished = encounter_of(done, "finished", findings.start, findings.end, staff, findings.mode, findings.complaints)
    encounter = _put_encounter(store, finished)
    reference = f"Encounter/{encounter['id']}"
    observations = [*noted, *(store.put(one) for one in observations_of(done, findings, reference, staff))]
    outputs = outputs_of(findings, observations)
    completed = to_task(replace(done, encounter=reference), task)
    completed["executionPeriod"] = {"start": findings.start.isoformat(), "end": findings.end.isoformat()}
    completed["output"] = [*task.get("output", []), *outputs]
    if findings.advice:
        completed["note"] = [*task.get("note", []), {"time": findings.end.isoformat(), "text": findings.advice}]
    return Completed(store.put(completed), encounter, tuple(observations), warnings)


def suspend(store: Store, patient: str, reason: str, cause: str | None = None, *, keep: Collection[str] = ()) -> list[Visit]:
    """Put all open visits of a person on hold (``admitted``, ``away``), except kinds in ``keep``. Twice changes nothing.

    ``cause`` is a reference to what did it.
    """
    held = []
    for visit in open_visits(store, patient):
        if visit.status in _SUSPENDABLE and visit.kind not in keep:
            task = _task(store, visit.id)
            held.append(replace(apply(visit, Act.SUSPEND, reason), cause=cause))
            store.put(to_task(held[-1], task))
    return held


def resume(store: Store, patient: str, at: datetime, reason: str | None = None) -> list[Visit]:
    """Take up the suspended visits of a person again (only those held for ``reason``, where one is named).

    A window that has closed meanwhile, or is about to, is kept open for the days of grace of the policy.
    """
    grace = policy_of(store).resume_grace_days
    taken_up = []
    for visit in open_visits(store, patient):
        if visit.status is Status.ON_HOLD and reason in (None, visit.reason):
            again = replace(apply(visit, Act.RESUME), cause=None, encounter=None, window=resumed_window(visit.window, at, grace))
            store.put(to_task(again, _task(store, visit.id)))
            taken_up.append(again)
    return taken_up


def cancel(store: Store, task_id: str, reason: str) -> Resource:
    """Call a visit off, with a stable reason code."""
    return _step(store, task_id, Act.CANCEL, reason)


def cancel_all(store: Store, patient: str, reason: str, source: str | None = None) -> list[str]:
    """Call off all open visits of a person (only those asked for by ``source``, where one is named); gives their ids."""
    gone = [one.id for one in open_visits(store, patient) if source is None or source in one.sources]
    for task_id in gone:
        cancel(store, task_id, reason)
    return gone


def miss(store: Store, task_id: str, reason: str) -> Resource:
    """Write a visit off as missed, with a stable reason code (``not-at-home``, ``refused``, ``no-staff``)."""
    return _step(store, task_id, Act.MISS, reason)


def reopen(store: Store, task_id: str) -> Resource:
    """Ask again for a visit that had been cancelled; it keeps its id and its history."""
    return _step(store, task_id, Act.REOPEN)


def reassign(
    store: Store,
    task_id: str,
    owner: str | None = None,
    *,
    person: str | None = None,
    sources: Sequence[str] = (),
    window: Window | None = None,
) -> Resource:
    """Give an open visit another responsible doctor, the surviving file of a merge, another contract or another window."""
    task = _task(store, task_id)
    visit = to_visit(task)
    changed = replace(
        visit,
        owner=owner or visit.owner,
        person=person or visit.person,
        sources=tuple(sources) or visit.sources,
        window=window or visit.window,
    )
    return store.put(to_task(changed, task))


def hasten(store: Store, task_id: str, priority: Priority, by: datetime) -> Resource:
    """A visit that still waits has become more pressing: at least this priority, made by then at the latest. Nothing is ever put off."""
    task = _task(store, task_id)
    visit = to_visit(task)
    rank = list(Priority).index
    sooner = Window(min(visit.window.start, by), min(visit.window.end, by))
    changed = replace(visit, priority=max(visit.priority, priority, key=rank), window=sooner)
    return task if visit.status not in WAITING or changed == visit else store.put(to_task(changed, task))


def _step(store: Store, task_id: str, act: Act, reason: str | None = None) -> Resource:
    task = _task(store, task_id)
    return store.put(to_task(replace(apply(to_visit(task), act, reason), encounter=None, cause=None), task))


def _put_encounter(store: Store, encounter: Resource) -> Resource:
    """Write a visit's Encounter over what stands there; what others have noted in it stays."""
    return store.put((store.find("Encounter", encounter["id"]) or {}) | encounter)


def _task(store: Store, task_id: str) -> Resource:
    task = store.read("Task", task_id)
    if not is_visit(task):
        raise NotFound("this Task is not a visit")
    return task


def _urgency(visit: Visit) -> tuple[datetime, str]:
    return visit.window.end, visit.id


def dusk(when: date | datetime, store: Store) -> datetime:
    """The first moment after a day, or just after a moment."""
    if isinstance(when, datetime):
        return when + timedelta(seconds=1)
    return datetime.combine(when + timedelta(days=1), time.min, store.zone)


def decisive_moment(window: Window, when: date | datetime, store: Store) -> datetime:
    """The moment that decides for a day: the window's opening, moved into the day."""
    if isinstance(when, datetime):
        return when
    dawn = datetime.combine(when, time.min, store.zone)
    return min(max(window.start, dawn), dawn + timedelta(days=1, microseconds=-1))
