"""A day as a problem for the solver, and the solver's plan as reasons: what was left out, and what would let it in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from healthsvc.dayplan import problem as model
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Break, Caregiver, Gap, Matrix, Pin, Problem, Service, Weights, Window
from healthsvc.dayplan.rules import DayPlanPolicy, Duty, LeftOut, Wanted, Why, clock, left_out, price, starts

UNREACHABLE: Final = 100_000.0
"""Minutes that stand for "no path": longer than any shift, so the solver never goes there."""


@dataclass(frozen=True, slots=True)
class Day:
    """Everything about one day, in plain values."""

    on: date
    wanted: tuple[Wanted, ...]
    staff: tuple[Duty, ...]
    places: Mapping[str, int]
    """Row of the travel matrices by Location id of a station or by Patient id."""
    travel: Mapping[str, Matrix]
    """Minutes between places by mode; infinite where there is no path."""
    policy: DayPlanPolicy


def compose(day: Day) -> tuple[Problem, list[LeftOut]]:
    """The day as a problem, and the visits that no plan can hold, with the reason."""
    out: list[LeftOut] = []
    possible: list[tuple[float, Wanted]] = []
    for wanted in day.wanted:
        why = impossible(day, wanted)
        if why is None:
            possible.append((price(wanted, day.on, day.policy), wanted))
        else:
            out.append(left_out(wanted, why, _skills(wanted) if why is Why.NO_STAFF else ""))
    possible.sort(key=lambda pair: (pair[1].fixed is None, -pair[0], pair[1].visit.id))
    most = day.policy.candidates_per_staff * max(1, len(day.staff))
    chosen, later = possible[:most], possible[most:]
    out += [left_out(wanted, Why.CAN_WAIT, wanted.visit.window.end.date().isoformat()) for _, wanted in later]
    visits = tuple(_visit(day, wanted, cost) for cost, wanted in chosen)
    weights = Weights(
        travel=day.policy.travel_price,
        waiting=day.policy.waiting_price,
        balance=day.policy.balance_price,
        preference=float(day.policy.continuity_price),
    )
    travel = {mode: np.where(np.isfinite(matrix), matrix, UNREACHABLE) for mode, matrix in day.travel.items()}
    people = tuple(_caregiver(day, one) for one in day.staff)
    return Problem(visits, people, travel, weights, overtime_hard=True, name=day.on.isoformat()), out


def impossible(day: Day, wanted: Wanted) -> Why | None:
    """The constraint that keeps a visit out of any plan of the day, or None."""
    visit = wanted.visit
    if visit.person not in day.places:
        return Why.NO_POSITION
    able = [one for one in day.staff if visit.skills <= one.skills]
    if len(able) < 1 or len(day.staff) < visit.staff:
        return Why.NO_STAFF
    home = day.places[visit.person]
    reaching = [one for one in able if np.isfinite(day.travel[one.mode][day.places[one.station], home])]
    if not reaching:
        return Why.NO_PATH
    window = starts(wanted, day.on)
    if window is None or not any(_meets(day, one, window, home, visit.minutes) for one in reaching):
        return Why.NO_TIME
    return None


def why_left(day: Day, plan: Plan) -> list[LeftOut]:
    """For each visit that the solver left out: whether it can wait, or how many minutes are missing in the fullest day that could take it."""
    wanted = {one.visit.id: one for one in day.wanted}
    found = []
    for left in plan.left_over:
        one = wanted[left.visit]
        if one.visit.window.end.date() > day.on and not one.visit.priority.value != "routine":
            found.append(left_out(one, Why.CAN_WAIT, one.visit.window.end.date().isoformat()))
        else:
            found.append(left_out(one, Why.NO_ROOM, f"{missing_minutes(day, plan, one):.0f}"))
    return found


def missing_minutes(day: Day, plan: Plan, wanted: Wanted) -> float:
    """How many minutes of somebody's shift are missing to take one more visit: the best over all who could come and all places in their day."""
    home, need = day.places[wanted.visit.person], wanted.visit.minutes
    stops = {route.caregiver: route.visits for route in plan.routes}
    where = {one.visit.id: day.places[one.visit.person] for one in day.wanted if one.visit.person in day.places}
    best = UNREACHABLE
    for person in day.staff:
        if not wanted.visit.skills <= person.skills:
            continue
        matrix, station = day.travel[person.mode], day.places[person.station]
        route = stops.get(person.id, ())
        rows = [station, *(where[stop.visit] for stop in route), station]
        busy = sum(stop.end - stop.start for stop in route) + sum(float(matrix[a, b]) for a, b in zip(rows, rows[1:], strict=False))
        free = person.shift.end - person.shift.start - busy - day.policy.rest_minutes
        detour = min(float(matrix[a, home] + matrix[home, b] - matrix[a, b]) for a, b in zip(rows, rows[1:], strict=False))
        best = min(best, need + detour - free)
    return max(1.0, float(np.ceil(best)))


def _meets(day: Day, person: Duty, window: Window, home: int, length: float) -> bool:
    way = float(day.travel[person.mode][day.places[person.station], home])
    back = float(day.travel[person.mode][home, day.places[person.station]])
    return max(window.start, person.shift.start + way) <= min(window.end, person.shift.end - length - back)


def _skills(wanted: Wanted) -> str:
    return "、".join(sorted(wanted.visit.skills))


def _visit(day: Day, wanted: Wanted, cost: float) -> model.Visit:
    visit = wanted.visit
    window = starts(wanted, day.on)
    assert window is not None
    services = tuple(Service(str(n + 1), visit.skills if n == 0 else frozenset(), float(visit.minutes)) for n in range(visit.staff))
    fixed = wanted.fixed
    return model.Visit(
        id=visit.id,
        place=day.places[visit.person],
        services=services,
        windows=(Window(fixed.start, fixed.start) if fixed else window,),
        gap=Gap(0, 0) if visit.staff == 2 else None,
        must=fixed is not None,
        skip_cost=0.0 if fixed else cost,
        hard=True,
        preferred=wanted.preferred & {one.id for one in day.staff},
        pinned=Pin(fixed.staff, fixed.start) if fixed else None,
    )


def _caregiver(day: Day, one: Duty) -> Caregiver:
    place, policy = day.places[one.station], day.policy
    rest = None
    window = Window(max(one.shift.start, clock(policy.rest_from)), min(one.shift.end, clock(policy.rest_to)))
    if policy.rest_minutes and window.start < window.end:
        rest = Break(window, float(policy.rest_minutes), float(policy.rest_price))
    return Caregiver(one.id, one.skills, place, place, one.shift, rest, one.mode)


