"""What the store knows that a day's plan must mind: visits already planned or under way, who came last, who is in hospital or away."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from healthsvc.circle.resources import to_home
from healthsvc.dayplan.resources import INPUT
from healthsvc.dayplan.rules import DayPolicy, Held, clock_minutes, minutes_of
from healthsvc.fhir.elements import codes, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import all_stays
from healthsvc.infusion.visits import input_of, not_before
from healthsvc.store import Store
from healthsvc.visit.encounters import under_way_on
from healthsvc.visit.resources import moment_of, to_visit
from healthsvc.visit.rules import Status, days_late
from healthsvc.visit.rules import Visit as Task

GONE = frozenset({"proposed", "cancelled", "noshow", "entered-in-error", "waitlist"})
"""States of an Appointment that keep nobody from home."""


def overdue_days(task: Task, on: date, store: Store) -> int:
    return max(1, days_late(task.window, on, store.zone))


def planned_on(store: Store, on: date) -> dict[str, Held]:
    """What is planned for the day: Task id to people and start."""
    found = {}
    planned = {str(one["id"]): one for one in store.select("Encounter", status="planned", date=on.isoformat())}
    for task in store.select("Task", status=[Status.ACCEPTED.value]):
        encounter = planned.get(reference_id(task.get("encounter"), "Encounter") or "")
        if encounter is not None:
            start = moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone)
            if start.date() == on:
                people = tuple(one["individual"]["reference"] for one in encounter.get("participant", ()) if "individual" in one)
                found[str(task["id"])] = Held(people, minutes_of(start, on))
    return found


def planned_elsewhere(store: Store, task: Task, on: date) -> bool:
    """Whether the visit already has its time on another day that is still to come."""
    encounter = store.find("Encounter", task.encounter.rpartition("/")[2]) if task.encounter else None
    if encounter is None or encounter.get("status") != "planned":
        return False
    return moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone).date() >= store.today


def under_way(store: Store, on: date) -> dict[str, tuple[tuple[float, float], float]]:
    """Who is at which home now, and until when, as far as the visit's length says."""
    found: dict[str, tuple[tuple[float, float], float]] = {}
    for encounter in under_way_on(store, on):
        task = next((one for one in store.select("Task", encounter=f"Encounter/{encounter['id']}")), None)
        patient = store.find("Patient", reference_id(encounter.get("subject"), "Patient") or "")
        home = to_home(patient) if patient else None
        if task is None or home is None:
            continue
        start: datetime = moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone)
        until = minutes_of(start, on) + to_visit(task).minutes
        for one in encounter.get("participant", ()):
            found[one.get("individual", {}).get("reference", "")] = ((home.lon, home.lat), until)
    return found


def who_came_last(store: Store, on: date, policy: DayPolicy) -> dict[str, tuple[str, ...]]:
    """Who made the last visit to each person, as far back as the policy asks."""
    since = (on - timedelta(days=policy.continuity_days)).isoformat()
    last: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in store.select("Encounter", status="finished", date=f"ge{since}"):
        person = reference_id(one.get("subject"), "Patient")
        start = one.get("period", {}).get("start", "")
        if one.get("class", {}).get("code") == "HH" and person and start > last.get(person, ("", ()))[0]:
            last[person] = (start, tuple(p["individual"]["reference"] for p in one.get("participant", ()) if "individual" in p))
    return {person: people for person, (_, people) in last.items()}


def teams(store: Store) -> dict[str, frozenset[str]]:
    """The care team of each person."""
    found: dict[str, frozenset[str]] = {}
    for team in store.select("CareTeam", status="active"):
        person = reference_id(team.get("subject"), "Patient")
        if person:
            members = {one.get("member", {}).get("reference", "") for one in team.get("participant", ())}
            found[person] = found.get(person, frozenset()) | members
    return found


def earlier_visit(task: Resource) -> tuple[str, float] | None:
    before, gap = input_of(task, "after"), input_of(task, "gap")
    earlier = reference_id(before, "Task") if before else None
    return (earlier, float(gap["value"])) if earlier and gap else None


def opens_at(store: Store, task: Resource, on: date) -> float | None:
    moment = not_before(store, task)
    return minutes_of(moment.astimezone(store.zone), on) if moment else None


def in_hospital(store: Store) -> frozenset[str]:
    """Patients with an open inpatient stay: nobody is at home."""
    return frozenset(id for one in all_stays(store) if (id := reference_id(one.get("subject"), "Patient")))


def appointments(store: Store, on: date, policy: DayPolicy) -> Mapping[str, tuple[tuple[float, float], ...]]:
    """When on the day each person is at a hospital or on the way: Patient id to minutes of the day, a margin around each Appointment."""
    midnight = datetime.combine(on, time(), store.zone)
    around = timedelta(minutes=policy.appointment_margin)
    found: dict[str, list[tuple[float, float]]] = {}
    for one in store.select("Appointment", date=[f"ge{(on - timedelta(days=1)).isoformat()}", f"le{on.isoformat()}"]):
        if one.get("status") in GONE or not one.get("start"):
            continue
        start = moment_of(one, "start", "Appointment").astimezone(store.zone)
        end = moment_of(one, "end", "Appointment").astimezone(store.zone) if one.get("end") else start
        if end + around <= midnight or start - around >= midnight + timedelta(days=1):
            continue
        for actor in one.get("participant", ()):
            person = reference_id(actor.get("actor"), "Patient")
            if person and actor.get("status") != "declined":
                found.setdefault(person, []).append((minutes_of(start - around, on), minutes_of(end + around, on)))
    return {person: tuple(sorted(times)) for person, times in found.items()}


def wishes(task: Resource) -> tuple[tuple[float | None, float | None], tuple[float, float]]:
    """What the visit asks of the planner: the time of day that the person would like, and how far apart two people begin."""
    said: dict[str, Resource] = {}
    for one in task.get("input", ()):
        for code in codes(one.get("type"), INPUT):
            said[code] = one
    begin, until = (clock_minutes(said[code]["valueTime"]) if "valueTime" in said.get(code, {}) else None for code in ("from", "until"))
    apart = said.get("apart", {}).get("valueRange", {})
    least = float(apart.get("low", {}).get("value", 0))
    return (begin, until), (least, float(apart.get("high", {}).get("value", least)))
