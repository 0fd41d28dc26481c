"""What a day's plan is made from, collected from the store: visits that can be made on the day, homes, staff, what is already planned."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from healthsvc.circle.resources import to_home
from healthsvc.circle.service import stations
from healthsvc.circle.travel import BASES, Matrix, TravelTimes
from healthsvc.dayplan.resources import not_by, pinned_tasks
from healthsvc.dayplan.rules import Call, Day, DayPolicy, Duty, Held, minutes_of
from healthsvc.dayplan.staffing import OnDuty, on_duty
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.infusion.visits import input_of, not_before
from healthsvc.store import Store
from healthsvc.visit.resources import moment_of
from healthsvc.visit.rules import Standing, Status
from healthsvc.visit.rules import Visit as Task
from healthsvc.visit.service import standings

NO_WAY = 1e5
"""Minutes that stand for "no way": longer than any shift."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One visit that waits, with the position of the home (longitude, latitude) where it has one."""

    call: Call
    home: tuple[float, float] | None
    version: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """A snapshot of the day. ``under_way``: practitioners who are at a home now, where, and until when (minute of the day)."""

    on: date
    asked: tuple[Asked, ...]
    staff: tuple[OnDuty, ...]
    stations: dict[str, tuple[float, float]]
    under_way: dict[str, tuple[tuple[float, float], float]]
    not_earlier: float
    names: dict[str, str]


def gather(store: Store, on: date, policy: DayPolicy) -> Gathered:
    """Collect the day: due and overdue visits, those planned for it, staff on duty, stations."""
    now = store.at.astimezone(store.zone)
    patients: dict[str, Resource | None] = {}
    held_by = _encounters(store, on)
    pinned = pinned_tasks(store, on)
    last = _who_came_last(store, on, policy)
    teams = _teams(store)
    asked = []
    for task, standing in standings(store, on):
        if standing not in (Standing.DUE, Standing.OVERDUE) or task.kind in policy.not_routed:
            continue
        held = held_by.get(task.id)
        if task.status is Status.ACCEPTED and held is None and _planned_elsewhere(store, task, on):
            continue
        raw = store.read("Task", task.id)
        patient = patients.setdefault(task.person, store.find("Patient", task.person))
        home = to_home(patient) if patient else None
        call = Call(
            task=task,
            place=0,
            overdue_days=_overdue_days(task, on, store) if standing is Standing.OVERDUE else 0,
            last_day=task.window.end.astimezone(store.zone).date() <= on,
            team=frozenset(last.get(task.person, ())) | teams.get(task.person, frozenset()),
            barred=not_by(raw),
            after=_after(raw),
            not_before=_not_before(store, raw, on),
            held=replace(held, pinned=task.id in pinned) if held else None,
        )
        asked.append(Asked(call, (home.lon, home.lat) if home else None, str(raw.get("meta", {}).get("versionId", ""))))
    places = {f"Location/{one.id}": (one.lon, one.lat) for one in stations(store)}
    names = {f"Location/{one.id}": one.name for one in stations(store)}
    early = minutes_of(now, on) if now.date() == on else 0.0
    staff = tuple(on_duty(store, on, policy))
    return Gathered(on, tuple(asked), staff, places, _under_way(store, on), max(0.0, early), names)


def day_of(gathered: Gathered, times: TravelTimes, policy: DayPolicy) -> tuple[Day, dict[str, str], dict[str, Matrix]]:
    """The snapshot as a day with travel times; tasks that cannot be routed with the code of the reason; the raw matrices by mode."""
    out: dict[str, str] = {}
    staff = [one for one in gathered.staff if f"Location/{one.station}" in gathered.stations]
    points: list[tuple[float, float]] = []
    rows: dict[tuple[float, float], int] = {}

    def row(point: tuple[float, float]) -> int:
        if point not in rows:
            rows[point] = len(points)
            points.append(point)
        return rows[point]

    duties = []
    for one in staff:
        busy = gathered.under_way.get(one.practitioner)
        starts = max(one.starts, gathered.not_earlier, busy[1] if busy else 0.0)
        if starts < one.ends:
            station = f"Location/{one.station}"
            place = row(gathered.stations[station])
            at = row(busy[0]) if busy else None
            duties.append(Duty(one.practitioner, one.name, one.skills, station, place, starts, one.ends, one.rest, one.mode, at))
    calls = []
    for asked in gathered.asked:
        if asked.home is None:
            out[asked.call.task.id] = "no-position"
        elif asked.call.task.staff > 2:
            out[asked.call.task.id] = "too-many-staff"
        else:
            calls.append(replace(asked.call, place=row(asked.home)))
    modes = sorted({duty.mode for duty in duties}) or [policy.mode]
    ways = {mode: times.matrix(points, points, mode) for mode in modes} if points else {}
    travel = {mode: _minutes(way) for mode, way in ways.items()} or {policy.mode: np.zeros((1, 1))}
    reachable = []
    for call in calls:
        if not duties:
            out[call.task.id] = "no-staff"
        elif all(travel[duty.mode][duty.place, call.place] >= NO_WAY for duty in duties):
            out[call.task.id] = "no-path"
        else:
            reachable.append(call)
    return Day(gathered.on, tuple(reachable), tuple(duties), travel, gathered.names), out, ways


def _minutes(way: Matrix) -> np.ndarray:
    minutes = np.asarray(way.seconds, dtype=np.float64) / 60.0
    minutes = np.where(np.isfinite(minutes), minutes, NO_WAY)
    np.fill_diagonal(minutes, 0.0)
    return minutes


def basis_of(way: Matrix, i: int, j: int) -> str:
    """What a way rests on."""
    return "road" if i == j else str(BASES[way.basis[i, j]])


def _overdue_days(task: Task, on: date, store: Store) -> int:
    return max(1, (on - task.window.end.astimezone(store.zone).date()).days)


def _encounters(store: Store, on: date) -> dict[str, Held]:
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


def _planned_elsewhere(store: Store, task: Task, on: date) -> bool:
    """Whether the visit already has its time on another day that is still to come."""
    encounter = store.find("Encounter", task.encounter.rpartition("/")[2]) if task.encounter else None
    if encounter is None or encounter.get("status") != "planned":
        return False
    return (
        moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone).date()
        >= store.at.astimezone(store.zone).date()
    )


def _under_way(store: Store, on: date) -> dict[str, tuple[tuple[float, float], float]]:
    """Who is at which home now, and until when, as far as the visit's length says."""
    found: dict[str, tuple[tuple[float, float], float]] = {}
    for encounter in store.select("Encounter", status="in-progress", date=on.isoformat()):
        task = next((one for one in store.select("Task", encounter=f"Encounter/{encounter['id']}")), None)
        patient = store.find("Patient", reference_id(encounter.get("subject"), "Patient") or "")
        home = to_home(patient) if patient else None
        if task is None or home is None:
            continue
        from healthsvc.visit.resources import to_visit

        start: datetime = moment_of(encounter.get("period", {}), "start", "Encounter.period").astimezone(store.zone)
        until = minutes_of(start, on) + to_visit(task).minutes
        for one in encounter.get("participant", ()):
            found[one.get("individual", {}).get("reference", "")] = ((home.lon, home.lat), until)
    return found


def _who_came_last(store: Store, on: date, policy: DayPolicy) -> dict[str, tuple[str, ...]]:
    """Who made the last visit to each person, as far back as the policy asks."""
    since = (on - timedelta(days=policy.continuity_days)).isoformat()
    last: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in store.select("Encounter", status="finished", date=f"ge{since}"):
        person = reference_id(one.get("subject"), "Patient")
        start = one.get("period", {}).get("start", "")
        if one.get("class", {}).get("code") == "HH" and person and start > last.get(person, ("", ()))[0]:
            last[person] = (start, tuple(p["individual"]["reference"] for p in one.get("participant", ()) if "individual" in p))
    return {person: people for person, (_, people) in last.items()}


def _teams(store: Store) -> dict[str, frozenset[str]]:
    """The care team of each person."""
    found: dict[str, frozenset[str]] = {}
    for team in store.select("CareTeam", status="active"):
        person = reference_id(team.get("subject"), "Patient")
        if person:
            members = {one.get("member", {}).get("reference", "") for one in team.get("participant", ())}
            found[person] = found.get(person, frozenset()) | members
    return found


def _after(task: Resource) -> tuple[str, float] | None:
    before, gap = input_of(task, "after"), input_of(task, "gap")
    earlier = reference_id(before, "Task") if before else None
    return (earlier, float(gap["value"])) if earlier and gap else None


def _not_before(store: Store, task: Resource, on: date) -> float | None:
    moment = not_before(store, task)
    return minutes_of(moment.astimezone(store.zone), on) if moment else None
