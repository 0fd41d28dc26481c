"""What every write of a visit Task must pass, through whatever door it comes."""

from typing import Final

from healthsvc.errors import Conflict, Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import is_same_person
from healthsvc.store import Room, Store
from healthsvc.visit.policy import in_force
from healthsvc.visit.resources import is_record, is_visit, moment_of, to_visit
from healthsvc.visit.rules import OPEN, Status, Visit, Window, check_record_step, check_step, is_late, quarter_of

_CALLED_OFF: Final = frozenset({Status.REQUESTED, Status.ON_HOLD, Status.CANCELLED, Status.FAILED, Status.ENTERED_IN_ERROR})

_KEPT: Final = frozenset({Status.IN_PROGRESS, Status.COMPLETED})
_RECORD_KEPT: Final = frozenset({"in-progress", "onleave", "finished"})


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a visit: a step that its life has, one open visit for a person, kind and quarter, a reason where it is late; or its record."""
    if (new or old or {}).get("resourceType") == "Encounter":
        _admit_record(old, new, store.is_undoing)
        return
    before = to_visit(old) if old is not None and is_visit(old) else None
    if new is None or not is_visit(new):
        if before is not None and new is not None:
            raise RuleViolation("a visit stays a visit: keep its code of CodeSystem visit-kind", reason="visit-kind", path="Task.code")
        if before is not None:
            if before.status in _KEPT:
                raise RuleViolation("a visit that was begun or made is kept; enter it in error", reason="visit-keep", path="Task")
            _settle(before, None, store)
        return
    after = to_visit(new)
    if store.is_undoing:
        _settle_quarter(before, after, store)
        return
    check_step(before.status if before else None, after.status)
    if before is None:
        _check_new(after, store)
    else:
        _check_change(before, after, store)
    if after.status is Status.COMPLETED and (before is None or before.status is not Status.COMPLETED):
        _check_completion(new, after, store)
    _settle(before, after, store)


def _admit_record(old: Resource | None, new: Resource | None, undoing: bool) -> None:
    """The Encounter of a visit: a step that a visit makes; what was begun or made stays on file."""
    was = old if old is not None and is_record(old) else None
    if new is None or not is_record(new):
        if was is not None and (new is not None or was.get("status") in _RECORD_KEPT):
            raise RuleViolation("the record of a visit is kept; enter it in error", reason="visit-keep", path="Encounter")
        return
    if undoing:
        return
    check_record_step(was.get("status") if was is not None else None, new.get("status", ""))


def quarter_key(visit: Visit, store: Store) -> str:
    """What one open visit of a once-a-quarter kind holds: person, kind and the calendar quarter in which its window opens."""
    quarter = quarter_of(visit.window.start.astimezone(store.zone).date())
    return f"visit:{visit.person}:{visit.kind}:{quarter}"


def _check_new(visit: Visit, store: Store) -> None:
    person = store.find("Patient", visit.person)
    if person is None:
        raise Invalid("the visit is for a person who has no health file here; register the person first", path="Task.for")
    if person.get("deceasedDateTime") or person.get("deceasedBoolean") is True:
        raise RuleViolation("nobody can be visited after death", reason="visit-person-deceased", path="Task.for")


def _check_change(before: Visit, after: Visit, store: Store) -> None:
    if after.kind != before.kind:
        raise RuleViolation("a visit keeps its kind; cancel it and request another", reason="visit-kind", path="Task.code")
    if after.person != before.person and not is_same_person(store, before.person, after.person):
        raise RuleViolation("a visit keeps its person; cancel it and request another", reason="visit-person", path="Task.for")


def _check_completion(task: Resource, visit: Visit, store: Store) -> None:
    """Late is allowed, late without a reason is not: the bureau counts both."""
    period = task.get("executionPeriod", {})
    done = store.at
    if period.get("start") and period.get("end"):
        done = _window(period).end
    if is_late(visit.window.end, done) and visit.reason is None:
        raise RuleViolation(
            "the visit was made after its window; say why in statusReason (CodeSystem visit-reason)",
            reason="visit-late-reason",
            path="Task.statusReason",
        )


def _window(period: Resource) -> Window:
    return Window(moment_of(period, "start", "Task.executionPeriod"), moment_of(period, "end", "Task.executionPeriod"))


def _settle(before: Visit | None, after: Visit | None, store: Store) -> None:
    """Take or give back the claim on the quarter, and call off the planned Encounter of a visit that will not take place."""
    _settle_quarter(before, after, store)
    if before and before.encounter and before.status is not (after.status if after else None):
        _call_off(before, after, store)


def _settle_quarter(before: Visit | None, after: Visit | None, store: Store) -> None:
    once = in_force(store.policy, store.today).once_a_quarter
    visit = after or before
    assert visit is not None
    held = quarter_key(before, store) if before and before.status in OPEN and before.kind in once else None
    wanted = quarter_key(after, store) if after and after.status in OPEN and after.kind in once else None
    if held and held != wanted:
        store.release(held, f"Task/{visit.id}")
    if wanted and held != wanted:
        try:
            store.claim(wanted, f"Task/{visit.id}")
        except Conflict:
            raise Conflict(
                "the person already has an open visit of this kind in this quarter; complete or cancel that one", reason="visit-open-twice"
            ) from None


def _call_off(before: Visit, after: Visit | None, store: Store) -> None:
    if after is not None and after.status not in _CALLED_OFF:
        return
    kind, _, id = (before.encounter or "").partition("/")
    encounter = store.find(kind, id) if kind == "Encounter" else None
    if encounter is not None and encounter.get("status") in ("planned", "in-progress"):
        store.put(encounter | {"status": "cancelled"})


ROOM: Final = Room("visit", frozenset({"Task", "Encounter"}), admit)
