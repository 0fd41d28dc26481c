"""五必到 Put on the list what is due, call off what is no longer, and note who has come."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from healthsvc.consent.rules import Purpose
from healthsvc.consent.service import forbids
from healthsvc.emergency.resources import EMERGENCY, to_alarm
from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import all_stays
from healthsvc.healthfile.resources import is_deceased, links, to_person
from healthsvc.healthfile.rules import ContactRole, Person
from healthsvc.mustvisit import rules
from healthsvc.mustvisit.resources import OCCASION, MustVisit, done, is_must_visit, task_id, to_must_visit, to_task
from healthsvc.mustvisit.rules import Due, MustVisitPolicy, Occasion
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import WAITING, Kind

MODES: Final = ("visit", "phone", "other")


def policy_of(store: Store, on: date) -> MustVisitPolicy:
    """The policy in force on a day."""
    return store.policy.fill(MustVisitPolicy, "mustvisit", on)


def refresh(store: Store, on: date) -> list[str]:
    """Put everything that is due on the list; gives the new ones. Asking twice changes nothing: each is made of its cause.

    What was asked for somebody who has died, or whose cause was taken back (an admission that never was), is called off.
    """
    policy = policy_of(store, on)
    people = {str(one["id"]): to_person(one) for one in store.select("Patient") if _counts(one)}
    people = {id: person for id, person in people.items() if person.category is not None}
    made = []
    for due in _all(store, people, on, policy):
        id = task_id(due)
        if store.get("Task", id) is None:
            person = people[due.patient]
            due = _wanted(store, due)
            store.put(to_task(due, person.doctor if due.who == "community-doctor" else None, store.at, store.zone))
            made.append(id)
    _call_off(store, people)
    return made


def _wanted(store: Store, due: Due) -> Due:
    """A community worker goes to nobody who does not want one to be told; the community doctor goes instead."""
    if due.who != ContactRole.COMMUNITY_WORKER or forbids(store, due.patient, Purpose.COMMUNITY_WORKER) is None:
        return due
    return replace(due, who=ContactRole.COMMUNITY_DOCTOR.value)


def listed(
    store: Store, on: date, *, open_only: bool = True, occasion: Occasion | None = None, patient: str | None = None
) -> list[MustVisit]:
    """What is on the list on a day (begun, and not past its last day by more than is still open), the most pressing first."""
    params: dict[str, Any] = {"code": f"{OCCASION}|{occasion}" if occasion else [f"{OCCASION}|{one}" for one in Occasion]}
    if patient is not None:
        params["patient"] = patient
    if open_only:
        params["status"] = "requested"
    found = (to_must_visit(one, store.zone) for one in store.select("Task", **params))
    return sorted((one for one in found if one.first <= on), key=lambda one: (one.status != "requested", one.last, one.id))


def come(store: Store, id: str, by: str, *, at: datetime | None = None, mode: str = "visit", note: str = "") -> Resource:
    """Somebody has come, or has called; telling it twice changes nothing.

    Raises:
        NotFound: there is no such must-visit. RuleViolation: it was called off, lies ahead, or the mode is none that is known.
    """
    task = store.find("Task", id)
    if task is None or not is_must_visit(task):
        raise NotFound("there is no such must-visit")
    if task["status"] == "completed":
        return task
    if task["status"] != "requested":
        raise RuleViolation("this must-visit was called off", reason="mustvisit-over", path="Task.status")
    if mode not in MODES:
        raise RuleViolation(f"somebody comes by {', '.join(MODES)}", reason="mustvisit-mode", path="mode")
    if not by.strip():
        raise RuleViolation("say who came", reason="mustvisit-who", path="by")
    when = at or store.at
    if when > store.at:
        raise RuleViolation("what is noted as done lies in the past", reason="mustvisit-ahead", path="at")
    return store.put(done(task, when, by.strip(), mode, note.strip()))


def _all(store: Store, people: dict[str, Person], on: date, policy: MustVisitPolicy) -> Iterable[Due]:
    for id, person in people.items():
        if person.birth is not None:
            yield from rules.of_birthday(id, person.birth, on, policy)
        if person.category in policy.festival_categories:
            yield from rules.of_festivals(id, on, policy, lunar)
    for stay in all_stays(store):
        patient, start = _person(stay.get("subject")), stay.get("period", {}).get("start")
        if patient in people and start and stay.get("serviceProvider"):
            where = str(stay["serviceProvider"].get("display") or "")
            yield rules.of_cause(patient, Occasion.ADMISSION, f"Encounter/{stay['id']}", _day(store, start), policy, where)
    for task in store.select("Task", code=[str(Kind.QUARTERLY_CHECKUP)], status=[one.value for one in WAITING]):
        visit = to_visit(task) if is_visit(task) else None
        if visit is not None and visit.person in people and visit.window.start <= store.at:
            since = visit.window.start.astimezone(store.zone).date()
            due = rules.of_cause(visit.person, Occasion.CHECKUP, f"Task/{visit.id}", since, policy)
            last = visit.window.end.astimezone(store.zone).date()
            yield Due(due.patient, due.occasion, due.key, due.first, max(due.last, last), due.who, due.about, due.title)
    for task in store.select("Task", code=f"{EMERGENCY}|alarm", status=["requested", "in-progress", "failed", "completed"]):
        alarm = to_alarm(task)
        if alarm.patient in people and alarm.kind != "drill" and not _nothing(alarm.log[-1].text):
            since = alarm.raised.astimezone(store.zone).date()
            if (on - since).days <= policy.lead_days[Occasion.TROUBLE]:
                yield rules.of_cause(alarm.patient, Occasion.TROUBLE, f"Task/{alarm.id}", since, policy, alarm.kind)


def _call_off(store: Store, people: dict[str, Person]) -> None:
    for task in store.select("Task", code=[f"{OCCASION}|{one}" for one in Occasion], status="requested"):
        known = to_must_visit(task, store.zone)
        cause = task.get("focus", {}).get("reference", "")
        kind, _, id = cause.partition("/")
        taken_back = bool(cause) and (store.find(kind, id) or {}).get("status") in (None, "cancelled", "entered-in-error")
        if known.patient not in people or taken_back:
            store.put(task | {"status": "cancelled", "statusReason": {"text": "去世、迁出或事由已撤销"}})


def _counts(patient: Resource) -> bool:
    return patient.get("active") is not False and not is_deceased(patient) and not links(patient, "replaced-by")


def _nothing(outcome: str) -> bool:
    return outcome in ("false-alarm", "drill")


def _person(element: Resource | None) -> str:
    return str((element or {}).get("reference", "")).rpartition("/")[2]


def _day(store: Store, text: str) -> date:
    return datetime.fromisoformat(text).astimezone(store.zone).date() if len(text) > len("2026-01-01") else date.fromisoformat(text[:10])


@lru_cache(maxsize=256)
def lunar(feast: str, year: int) -> date | None:
    """The day of a feast of the lunar calendar, by its name in the ``holidays`` package (lunar_new_year, mid_autumn, double_ninth ...)."""
    from holidays.calendars.chinese import _ChineseLunisolar

    find = getattr(_ChineseLunisolar(), f"{feast}_date", None)
    if find is None:
        raise RuleViolation(f"mustvisit.festivals names no feast that is known: {feast!r}", reason="mustvisit-festival")
    day: date | None = find(year)[0]
    return day
