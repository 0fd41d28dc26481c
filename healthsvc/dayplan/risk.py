"""How well a day's plan holds: chances by visit, by person and for the whole day, in words and times that a coordinator reads."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import words
from healthsvc.dayplan.compose import moment
from healthsvc.dayplan.itinerary import Leg, RiskPolicy, timetable
from healthsvc.dayplan.lateness import HOME, REST, Chances, Draws, Floats, Timetable, cause, chances, draw, lived, with_slack
from healthsvc.dayplan.standing import Standing, standing
from healthsvc.errors import NotFound
from healthsvc.policy import Policy
from healthsvc.store import Actor, Database

MOST_RUNS = 10_000
"""Most times that a day is lived through: all of them are held in memory at once (300 visits: about 100 MB)."""
MOST_SLACK = 120.0
"""Most minutes to spare on every way that are worth asking for."""
MOVED = 0.5
"""Minutes from which a start counts as moved: what is read are whole minutes."""


@dataclass(frozen=True, slots=True)
class VisitRisk:
    """One visit: ``late`` the chance that it begins more than the policy's minutes after ``start``, ``past`` after ``closes`` (the end of
    its window, None: open), ``usually``: nine times of ten it has begun by then. ``reserve``: minutes to spare on the way there.

    ``risky``: it should be looked at; then ``code`` says what makes it late most of all. ``moved``: minutes that the slack asked for moves
    its start.
    """

    task: str
    person: str
    kind: str
    title: str
    staff: tuple[str, ...]
    start: datetime
    closes: datetime | None
    late: float
    past: float
    usually: datetime
    reserve: float
    risky: bool
    code: str
    moved: float

    @property
    def words(self) -> tuple[str, str]:
        """What makes it late, in Chinese and English ("" where it is not at risk)."""
        return words.late(self.code, self.reserve) if self.code else ("", "")


@dataclass(frozen=True, slots=True)
class StaffRisk:
    """One person's duty: the chance to come back after ``ends``, minutes over it in the mean of all runs, nine times of ten back by
    ``usually``; ``no_break``: the chance that the break cannot begin in its time."""

    practitioner: str
    name: str
    ends: datetime
    back: datetime
    usually: datetime
    overtime: float
    overtime_minutes: float
    no_break: float


@dataclass(frozen=True, slots=True)
class DayRisk:
    """The whole day. ``all_kept``: the chance that every visit, break and shift is kept; ``late_visits``: late ones in the mean of the
    runs; ``chance``, ``minutes``: from which chance a visit is at risk, and from how many minutes late."""

    on: date
    runs: int
    seed: int
    slack: float
    minutes: float
    chance: float
    visits: tuple[VisitRisk, ...]
    staff: tuple[StaffRisk, ...]
    all_kept: float
    visits_kept: float
    shifts_kept: float
    breaks_kept: float
    late_visits: float

    @property
    def risky(self) -> tuple[VisitRisk, ...]:
        """The visits that should be looked at, the most endangered first."""
        return tuple(sorted((one for one in self.visits if one.risky), key=lambda one: (-max(one.late, one.past), one.start)))

    @property
    def moved(self) -> tuple[VisitRisk, ...]:
        """The visits whose start the slack moves."""
        return tuple(one for one in self.visits if one.moved >= MOVED)

    def as_json(self) -> dict[str, Any]:
        """The chances as plain values."""
        names = ("runs", "seed", "slack", "minutes", "chance")
        day = ("all_kept", "visits_kept", "shifts_kept", "breaks_kept", "late_visits")
        return {
            "on": self.on.isoformat(),
            **{name: getattr(self, name) for name in names},
            "day": {name: round(getattr(self, name), 4) for name in day},
            "visits": [_visit_json(one) for one in self.visits],
            "staff": [
                {
                    "practitioner": one.practitioner,
                    "name": one.name,
                    "ends": one.ends.isoformat(),
                    "back": one.back.isoformat(),
                    "usually": one.usually.isoformat(),
                    "overtime": round(one.overtime, 4),
                    "overtime_minutes": round(one.overtime_minutes, 1),
                    "no_break": round(one.no_break, 4),
                }
                for one in self.staff
            ],
        }


def _visit_json(one: VisitRisk) -> dict[str, Any]:
    zh, en = one.words
    return {
        "task": one.task,
        "kind": one.kind,
        "title": one.title,
        "staff": list(one.staff),
        "start": one.start.isoformat(),
        "closes": one.closes.isoformat() if one.closes else None,
        "late": round(one.late, 4),
        "past": round(one.past, 4),
        "usually": one.usually.isoformat(),
        "reserve": round(one.reserve, 1),
        "risky": one.risky,
        "code": one.code,
        "zh": zh,
        "en": en,
        "moved": round(one.moved, 1),
    }


def risk_policy(policy: Policy, on: date) -> RiskPolicy:
    """The parameters of the risk in force on a day."""
    return policy.fill(RiskPolicy, "dayplan", on)


def day_risk(
    database: Database,
    actor: Actor,
    on: date,
    travel: TravelTimes,
    *,
    at: datetime,
    slack: float = 0.0,
    runs: int | None = None,
    seed: int = 1,
) -> DayRisk:
    """Live through what is left of a planned day many times. Nothing is stored; the same plan, seed and runs give the same chances.

    ``slack``: at least so many minutes to spare on every way; starts move back as far as that needs (see :func:`with_slack`).

    Raises:
        NotFound: nobody has planned that day.
    """
    now = standing(database, actor, on, travel, at=at)
    if now.gathered.stored is None and not any(route.visits for route in now.plan.routes):
        raise NotFound("nobody has planned that day; plan it first")
    policy = risk_policy(database.policy, on)
    table, legs = timetable(now, policy)
    moved = with_slack(table, slack)
    count = runs if runs is not None else policy.risk_runs
    draws = draw(moved, count, seed, policy.day_spread)
    late = lived(moved, draws)
    found = chances(moved, late, policy.late_minutes)
    visits = _visits(now, policy, _Lived(table, moved, legs, draws, late, found))
    staff = _staff(now, _Lived(table, moved, legs, draws, late, found))
    behind = np.zeros(count)
    for task in {leg.visit for leg in legs if leg.visit}:
        mine = [row for row, leg in enumerate(legs) if leg.visit == task]
        behind += ((late[mine] > policy.late_minutes) | (moved.start[mine, None] + late[mine] > moved.closes[mine, None])).any(axis=0)
    return DayRisk(
        on=on,
        runs=count,
        seed=seed,
        slack=slack,
        minutes=policy.late_minutes,
        chance=policy.risk_chance,
        visits=visits,
        staff=staff,
        all_kept=found.all_kept,
        visits_kept=found.visits_kept,
        shifts_kept=found.shifts_kept,
        breaks_kept=found.breaks_kept,
        late_visits=float(behind.mean()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Lived:
    """A day as it was lived: the plan in force, the plan with the slack asked for, what its rows stand for, what was drawn, what came."""

    plan: Timetable
    moved: Timetable
    legs: list[Leg]
    draws: Draws
    late: Floats
    found: Chances


def _visits(now: Standing, policy: RiskPolicy, day: _Lived) -> tuple[VisitRisk, ...]:
    """Every visit once; of one for several people the row that is worst counts."""
    rows: dict[str, list[int]] = {}
    for row, leg in enumerate(day.legs):
        if leg.visit:
            rows.setdefault(leg.visit, []).append(row)
    tasks = {call.task.id: call.task for call in now.told.calls}
    reserve, found = day.moved.reserve, day.found
    told = []
    for task, mine in rows.items():
        first = min(mine, key=lambda row: float(day.moved.start[row]))
        worst = max(mine, key=lambda row: (float(max(found.late[row], found.past[row])), float(found.usually[row])))
        late, past = float(found.late[worst]), float(found.past[worst])
        risky = max(late, past) >= policy.risk_chance
        closes = float(day.moved.closes[worst])
        told.append(
            VisitRisk(
                task=task,
                person=tasks[task].person,
                kind=tasks[task].kind,
                title=tasks[task].title or tasks[task].kind,
                staff=tuple(dict.fromkeys(day.legs[row].duty.practitioner for row in mine)),
                start=moment(now.day.on, float(day.moved.start[first]), now.at),
                closes=moment(now.day.on, closes, now.at) if np.isfinite(closes) else None,
                late=late,
                past=past,
                usually=moment(now.day.on, float(day.moved.start[worst] + found.usually[worst]), now.at),
                reserve=float(reserve[worst]),
                risky=risky,
                code=_code(day, policy, worst) if risky else "",
                moved=float(day.moved.start[first] - day.plan.start[first]),
            )
        )
    return tuple(sorted(told, key=lambda one: (one.start, one.task)))


def _code(day: _Lived, policy: RiskPolicy, row: int) -> str:
    """What makes the visit late most of all."""
    late = day.late[row]
    when = (late > policy.late_minutes) | (day.moved.start[row] + late > day.moved.closes[row])
    code = cause(day.moved, day.draws, day.late, row, when)
    return "estimate" if code == "way" and day.legs[row].estimated else code


def _staff(now: Standing, day: _Lived) -> tuple[StaffRisk, ...]:
    told = []
    for row in np.flatnonzero(day.moved.kind == HOME):
        duty = day.legs[row].duty
        back, ends = float(day.moved.start[row]), float(day.moved.closes[row])
        breaks = (day.moved.route == day.moved.route[row]) & (day.moved.kind == REST)
        over = np.maximum(back + day.late[row] - ends, 0.0)
        told.append(
            StaffRisk(
                practitioner=duty.practitioner,
                name=duty.name,
                ends=moment(now.day.on, ends, now.at),
                back=moment(now.day.on, back, now.at),
                usually=moment(now.day.on, back + float(day.found.usually[row]), now.at),
                overtime=float(day.found.past[row]),
                overtime_minutes=float(over.mean()),
                no_break=float(day.found.past[breaks].max(initial=0.0)),
            )
        )
    return tuple(told)
