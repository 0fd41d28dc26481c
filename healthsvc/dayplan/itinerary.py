"""The plan in force as the arrays in which a day is lived through: one row a way, with what is done at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import hypot, inf

import numpy as np

from healthsvc.circle.rules import Basis
from healthsvc.dayplan.gather import basis_of
from healthsvc.dayplan.lateness import HOME, REST, VISIT, Timetable
from healthsvc.dayplan.plan import Rest, Route, Stop
from healthsvc.dayplan.problem import Caregiver, Visit
from healthsvc.dayplan.rules import Call, Duty, windows_of
from healthsvc.dayplan.standing import Standing


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """Filled from ``policy/dayplan.toml``. Spreads are coefficients of variation."""

    way_spread: dict[str, float]
    estimate_spread: dict[str, float]
    day_spread: float
    work_spread: dict[str, float]
    late_minutes: float
    risk_chance: float
    risk_runs: int


@dataclass(frozen=True, slots=True)
class Leg:
    """What a row of the timetable stands for: whose duty, and the visit ("": the break or the way home)."""

    duty: Duty
    visit: str
    service: str
    estimated: bool


@dataclass(slots=True)
class _Rows:
    """The columns of a timetable while the routes are walked."""

    legs: list[Leg] = field(default_factory=list)
    route: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    way: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    closes: list[float] = field(default_factory=list)
    way_spread: list[float] = field(default_factory=list)
    work_spread: list[float] = field(default_factory=list)
    departs: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)


def timetable(now: Standing, policy: RiskPolicy) -> tuple[Timetable, list[Leg]]:
    """What is left of the day as it is planned, and what each of its rows stands for."""
    rows = _Rows()
    visits = {visit.id: visit for visit in now.problem.visits}
    calls = {call.task.id: call for call in now.told.calls}
    people = {person.id: person for person in now.problem.caregivers}
    duties = {duty.key: duty for duty in now.day.duties}
    for route in now.plan.routes:
        if route.visits:
            _walk(now, policy, rows, people[route.caregiver], duties[route.caregiver], route, visits, calls)
    at = {(leg.visit, leg.service): row for row, leg in enumerate(rows.legs) if leg.visit}
    partner, least, most = (np.full(len(rows.legs), fill) for fill in (-1, 0.0, 0.0))
    after, apart = [], []
    for visit in visits.values():
        mine = [at[visit.id, service.id] for service in visit.services if (visit.id, service.id) in at]
        if visit.gap:
            for first, second in pairwise(mine):
                partner[second], least[second], most[second] = first, visit.gap.least, visit.gap.most
        if visit.after and visit.after.visit in visits:
            earlier = [at[visit.after.visit, s.id] for s in visits[visit.after.visit].services if (visit.after.visit, s.id) in at]
            after += [(leg, one) for leg in mine for one in earlier]
            apart += [visit.after.least for _ in mine for _ in earlier]
    table = Timetable(
        route=np.array(rows.route, dtype=np.int64),
        kind=np.array(rows.kind, dtype=np.int64),
        way=np.array(rows.way),
        work=np.array(rows.work),
        start=np.array(rows.start),
        closes=np.array(rows.closes),
        departs=np.array(rows.departs),
        ready=np.array(rows.ready),
        way_spread=np.array(rows.way_spread),
        work_spread=np.array(rows.work_spread),
        partner=partner.astype(np.int64),
        least=least.astype(np.float64),
        most=most.astype(np.float64),
        after=np.array(after, dtype=np.int64).reshape(-1, 2),
        apart=np.array(apart),
    )
    return table, rows.legs


def _walk(
    now: Standing,
    policy: RiskPolicy,
    rows: _Rows,
    person: Caregiver,
    duty: Duty,
    route: Route,
    visits: Mapping[str, Visit],
    calls: Mapping[str, Call],
) -> None:
    """One person's day: every stop, then the way home."""
    here, number, before = person.start_place, len(rows.ready), len(rows.legs)
    minutes = now.day.travel[person.mode]
    for stop in route.stops:
        there = person.start_place if stop.visit is None else visits[stop.visit].place
        estimated = basis_of(now.ways[person.mode], here, there) == Basis.ESTIMATE
        kind = REST if isinstance(stop, Rest) else VISIT
        rows.legs.append(Leg(duty, "" if isinstance(stop, Rest) else stop.visit, "" if isinstance(stop, Rest) else stop.service, estimated))
        rows.kind.append(kind)
        rows.way.append(float(minutes[here, there]))
        rows.work.append(stop.end - stop.start)
        rows.start.append(stop.start)
        rows.closes.append(_closes(now, person, stop, calls))
        rows.way_spread.append(_spread(policy, person.mode, estimated=estimated))
        rows.work_spread.append(0.0 if isinstance(stop, Rest) else _work_spread(policy, calls[stop.visit].task.kind))
        here = there
    estimated = basis_of(now.ways[person.mode], here, person.end_place) == Basis.ESTIMATE
    home = float(minutes[here, person.end_place])
    rows.legs.append(Leg(duty, "", "", estimated))
    rows.kind.append(HOME)
    rows.way.append(home)
    rows.work.append(0.0)
    rows.start.append(route.stops[-1].end + home)
    rows.closes.append(person.shift.end)
    rows.way_spread.append(_spread(policy, person.mode, estimated=estimated))
    rows.work_spread.append(0.0)
    rows.route += [number] * (len(rows.legs) - before)
    rows.ready.append(person.shift.start)
    rows.departs.append(max(person.shift.start, rows.start[before] - rows.way[before]))


def _closes(now: Standing, person: Caregiver, stop: Stop | Rest, calls: Mapping[str, Call]) -> float:
    """The last moment at which it may begin."""
    if isinstance(stop, Rest):
        return person.rest.window.end if person.rest else inf
    call = calls[stop.visit]
    windows = windows_of(replace(call, held=None), now.day.on, now.policy)
    if not windows:
        return inf
    found = next((one.end for one in reversed(windows) if one.start <= stop.start), windows[0].end)
    return max(found, stop.start) if call.held and call.held.pinned else found  # what somebody confirmed outside of it is no delay


def _spread(policy: RiskPolicy, mode: str, *, estimated: bool) -> float:
    """The coefficient of variation of a way: of traffic, and where it is only an estimate of the estimate."""
    return hypot(policy.way_spread.get(mode, 0.0), policy.estimate_spread.get(mode, 0.0) if estimated else 0.0)


def _work_spread(policy: RiskPolicy, kind: str) -> float:
    return policy.work_spread.get(kind, policy.work_spread["other"])
