"""What a day's plan is made from, collected from the store: visits that can be made on the day, homes, staff, what is already planned."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from healthsvc.circle.resources import to_home
from healthsvc.circle.service import stations
from healthsvc.circle.travel import BASES, Matrix, TravelTimes
from healthsvc.dayplan import sources
from healthsvc.dayplan.day import DayPlan, plan_id
from healthsvc.dayplan.resources import not_by, pinned_tasks, to_plan
from healthsvc.dayplan.rules import Call, Day, DayPolicy, Duty, minutes_of
from healthsvc.dayplan.staffing import OnDuty, on_duty
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.visit.rules import Standing, Status
from healthsvc.visit.service import standings

NO_WAY = 1e5
"""Minutes that stand for "no way": longer than any shift."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One visit that waits, with the position of the home (longitude, latitude) where it has one.

    ``out``: the code of the reason why it cannot be routed at all on the day ("" where it can).
    """

    call: Call
    home: tuple[float, float] | None
    version: str
    out: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A snapshot of the day. ``under_way``: practitioners who are at a home now, where, and until when (minute of the day); ``stored``:
    the plan in force (None: nobody has planned the day), ``version`` of its List (0: there is none)."""

    on: date
    asked: tuple[Asked, ...]
    staff: tuple[OnDuty, ...]
    stations: dict[str, tuple[float, float]]
    under_way: dict[str, tuple[tuple[float, float], float]]
    not_earlier: float
    names: dict[str, str]
    stored: DayPlan | None = None
    version: int = 0


def people_of(gathered: Gathered) -> list[str]:
    """Ids of the Patients whose visits are in it."""
    return [one.call.task.person for one in gathered.asked]


@dataclass(slots=True)
class Places:
    """The places of one plan: each position once, with its row in the travel matrices."""

    points: list[tuple[float, float]] = field(default_factory=list)
    rows: dict[tuple[float, float], int] = field(default_factory=dict)

    def row(self, point: tuple[float, float]) -> int:
        """The row of a position."""
        if point not in self.rows:
            self.rows[point] = len(self.points)
            self.points.append(point)
        return self.rows[point]


def gather(
    store: Store,
    on: date,
    policy: DayPolicy,
    absent: Mapping[str, tuple[float, float]] | None = None,
    moving: Collection[str] = (),
    beside: Collection[str] | None = None,
) -> Gathered:
    """Collect the day: due and overdue visits, those planned for it, staff on duty, stations.

    ``absent``: people who are taken to be away (``Practitioner/x`` to minutes of the day), whatever is written. ``moving``: Task ids of
    visits that are planned on another day and may come to this one. ``beside``: only what the plan in force names is wanted, and these
    Task ids (None: every visit that can be made on the day).
    """
    known = store.get("List", plan_id(on))
    stored = to_plan(known.resource) if known and not known.deleted else None
    wanted = None if beside is None else {*beside, *(left.visit for left in (stored.left_over if stored else ()))}
    now = store.at.astimezone(store.zone)
    patients: dict[str, Resource | None] = {}
    held_by = sources.planned_on(store, on)
    pinned = pinned_tasks(store, on)
    last = sources.who_came_last(store, on, policy)
    teams = sources.teams(store)
    away = sources.in_hospital(store)
    busy = sources.appointments(store, on, policy)
    staff = tuple(on_duty(store, on, policy, absent))
    people = len({one.practitioner for one in staff})
    asked = []
    for task, standing in standings(store, on, begun=True):
        if standing not in (Standing.DUE, Standing.OVERDUE) or task.kind in policy.not_routed:
            continue
        held = held_by.get(task.id)
        if wanted is not None and held is None and task.id not in wanted:
            continue
        if task.status is Status.ACCEPTED and held is None and task.id not in moving and sources.planned_elsewhere(store, task, on):
            continue
        raw = store.read("Task", task.id)
        patient = patients.setdefault(task.person, store.find("Patient", task.person))
        home = to_home(patient) if patient else None
        preferred, apart = sources.wishes(raw)
        call = Call(
            task=task,
            place=0,
            overdue_days=sources.overdue_days(task, on, store) if standing is Standing.OVERDUE else 0,
            last_day=task.window.end.astimezone(store.zone).date() <= on,
            team=frozenset(last.get(task.person, ())) | teams.get(task.person, frozenset()),
            barred=not_by(raw),
            after=sources.earlier_visit(raw),
            not_before=sources.opens_at(store, raw, on),
            held=replace(held, pinned=task.id in pinned) if held else None,
            busy=busy.get(task.person, ()),
            preferred=preferred,
            apart=apart,
        )
        crowd = bool(people) and task.staff > people
        out = "in-hospital" if task.person in away else "no-position" if home is None else "too-many-staff" if crowd else ""
        if standing is Standing.OVERDUE and task.kind in policy.hard_kinds and held is None:
            out = "closed"
        asked.append(Asked(call, (home.lon, home.lat) if home else None, str(raw.get("meta", {}).get("versionId", "")), out))
    places = {f"Location/{one.id}": (one.lon, one.lat) for one in stations(store)}
    names = {f"Location/{one.id}": one.name for one in stations(store)}
    early = minutes_of(now, on) if now.date() == on else 0.0
    return Gathered(
        on=on,
        asked=tuple(asked),
        staff=staff,
        stations=places,
        under_way=sources.under_way(store, on),
        not_earlier=max(0.0, early),
        names=names,
        stored=stored,
        version=known.version if known and not known.deleted else 0,
    )


def day_of(gathered: Gathered, times: TravelTimes, policy: DayPolicy) -> tuple[Day, dict[str, str], dict[str, Matrix]]:
    """The snapshot as a day with travel times; tasks that cannot be routed with the code of the reason; the raw matrices by mode."""
    days, outs, ways = days_of((gathered,), times, policy)
    return days[0], outs[0], ways


def days_of(
    gathered: Sequence[Gathered], times: TravelTimes, policy: DayPolicy
) -> tuple[tuple[Day, ...], tuple[dict[str, str], ...], dict[str, Matrix]]:
    """As :func:`day_of` for several days that share one table of places."""
    places = Places()
    duties = [_duties(one, places) for one in gathered]
    calls = [[replace(a.call, place=places.row(a.home)) for a in one.asked if a.home is not None and not a.out] for one in gathered]
    modes = sorted({duty.mode for of_day in duties for duty in of_day}) or [policy.mode]
    ways = {mode: times.matrix(places.points, places.points, mode) for mode in modes} if places.points else {}
    travel = {mode: _minutes(way) for mode, way in ways.items()} or {policy.mode: np.zeros((1, 1))}
    days, outs = [], []
    for one, staff, wanted in zip(gathered, duties, calls, strict=True):
        out = {asked.call.task.id: asked.out for asked in one.asked if asked.out}
        reachable = []
        for call in wanted:
            if not staff:
                out[call.task.id] = "no-staff"
            elif all(travel[duty.mode][duty.place, call.place] >= NO_WAY for duty in staff):
                out[call.task.id] = "no-path"
            else:
                reachable.append(call)
        days.append(Day(one.on, tuple(reachable), tuple(staff), travel, one.names))
        outs.append(out)
    return tuple(days), tuple(outs), ways


def _duties(gathered: Gathered, places: Places) -> list[Duty]:
    """Everybody whose station is on the map and who has something left of the day, from the moment when they are free."""
    duties = []
    for one in gathered.staff:
        station = f"Location/{one.station}"
        if station not in gathered.stations:
            continue
        busy = gathered.under_way.get(one.practitioner)
        starts = max(one.starts, gathered.not_earlier, busy[1] if busy else 0.0)
        if starts < one.ends:
            place = places.row(gathered.stations[station])
            at = places.row(busy[0]) if busy else None
            duties.append(Duty(one.practitioner, one.name, one.skills, station, place, starts, one.ends, one.rest, one.mode, at, one.part))
    return duties


def _minutes(way: Matrix) -> np.ndarray:
    # whole seconds, as times are written: a start that was read back must still be within reach
    minutes = np.ceil(np.asarray(way.seconds, dtype=np.float64)) / 60.0
    minutes = np.where(np.isfinite(minutes), minutes, NO_WAY)
    np.fill_diagonal(minutes, 0.0)
    return minutes


def basis_of(way: Matrix, i: int, j: int) -> str:
    """What a way rests on."""
    return "road" if i == j else str(BASES[way.basis[i, j]])
