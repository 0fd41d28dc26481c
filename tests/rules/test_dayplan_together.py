"""Everything that a day may ask for at once: pins, pairs, three people, gaps, breaks, blocked hours, doses, continuity, whole minutes.

Two paths of our own that share no line judge every plan: the strict checker and what a change by hand is said to break.
"""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.hand import conflicts
from healthsvc.dayplan.insertion import rank_insertions
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import After, Break, Caregiver, Gap, Pin, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.solve import StopRule, solve

DOCTOR, NURSE, DRIP = frozenset({"doctor"}), frozenset({"nurse"}), frozenset({"nurse", "infusion"})
ANYBODY: frozenset[str] = frozenset()
SKILLS = (DOCTOR, NURSE, DRIP, DOCTOR | NURSE)


def busy_day(seed: int) -> Problem:
    """Eleven visits of every kind for five people in an odd little town."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.0, 25.0, (9, 2))
    apart = points[:, None, :] - points[None, :, :]
    ways = np.round(np.hypot(apart[:, :, 0], apart[:, :, 1]), 1)
    rest = Break(Window(215.0, 300.0), 40.0, 9000.0, 0.2)
    staff = tuple(
        Caregiver(f"p{k}", SKILLS[k % 4], k % 2, k % 2, Window(0.0, float(rng.choice([420.0, 540.0]))), rest if k != 1 else None)
        for k in range(5)
    )
    kinds = ["plain", "plain", "plain", "pair", "pair", "sequence", "three", "blocked", "blocked", "first dose", "second dose"]
    return Problem(
        tuple(_visit(rng, f"v{k}", kind) for k, kind in enumerate(kinds)),
        staff,
        {"": ways},
        Weights(travel=1.0, late=2.0, waiting=0.2, balance=0.1, steady=0.5),
        overtime_hard=True,
        grain=5.0,
        finest=1.0,
    )


def _visit(rng: np.random.Generator, name: str, kind: str) -> Visit:
    opens = float(rng.integers(0, 200))
    services: tuple[Service, ...] = (Service("1", SKILLS[int(rng.integers(3))], float(rng.integers(15, 40))),)
    windows: tuple[Window, ...] = (Window(opens, opens + float(rng.integers(60, 300))),)
    gap = after = None
    if kind in {"pair", "sequence"}:
        services = (Service("1", DOCTOR, 30.0), Service("2", NURSE, 20.0))
        gap = Gap(0.0, 0.0) if kind == "pair" else Gap(20.0, 45.0)
    elif kind == "three":
        services = (Service("1", DOCTOR, 30.0), Service("2", DRIP, 30.0), Service("3", ANYBODY, 15.0))
        gap = Gap(0.0, 0.0)
    elif kind == "blocked":  # the person is at the hospital in between
        windows = (Window(opens, opens + 40.0), Window(opens + 150.0, opens + 260.0))
    elif kind == "second dose":
        services, after = (Service("1", DRIP, 60.0),), After("v9", float(rng.integers(120, 240)))
        windows = (Window(0.0, 480.0),)
    elif kind == "first dose":
        services = (Service("1", DRIP, 60.0),)
    return Visit(
        name,
        int(rng.integers(2, 9)),
        services,
        windows,
        gap,
        must=False,
        skip_cost=float(rng.choice([600.0, 4000.0])),
        hard=kind in {"blocked", "first dose", "second dose"} or bool(rng.integers(2)),
        barred=frozenset({"p4"}) if rng.random() < 0.2 else frozenset(),
        far=frozenset({"p3"}) if rng.random() < 0.2 else frozenset(),
        affinity={f"p{k}": 15.0 for k in range(5) if rng.random() < 0.5},
        after=after,
    )


def proved(problem: Problem, plan: Plan) -> None:
    assert check(problem, plan).violations == ()
    serious = [one for one in conflicts(problem, plan) if one.code != "break"]  # a break may be missed at its price
    assert serious == []


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100_000))
def test_a_day_with_everything_in_it_keeps_every_rule_when_planned_and_when_planned_again(seed: int) -> None:
    problem = busy_day(seed)
    plan = solve(problem, StopRule(iterations=15_000), 1)
    proved(problem, plan)
    first = {stop.visit: stop.start for _, stop in reversed(list(plan.stops())) if stop.service == "1"}
    by = {(stop.visit, stop.service): who for who, stop in plan.stops()}
    again = []
    for k, visit in enumerate(problem.visits):
        if visit.id not in first:
            again.append(visit)
        elif k % 3 == 0:
            start = first[visit.id]
            people = tuple(by[visit.id, service.id] for service in visit.services)
            again.append(replace(visit, pinned=Pin(people, start), windows=(Window(start, start),)))
        else:
            again.append(replace(visit, told=first[visit.id] if visit.gap is None else None))
    ill = next((who for who in ("p0", "p1", "p2") if not any(one.pinned and who in one.pinned.caregivers for one in again)), None)
    staff = tuple(one for one in problem.caregivers if one.id != ill)
    kept = replace(problem, visits=tuple(again), caregivers=staff)
    new = solve(kept, StopRule(iterations=5_000), 1, start=plan)
    proved(kept, new)
    made = {stop.visit for _, stop in new.stops()}
    assert {one.id for one in again if one.pinned} <= made
    visits, skills = {one.id: one for one in again}, {one.id: one.skills for one in staff}
    for left in new.left_over[:2]:
        asked = visits[left.visit]
        for place in rank_insertions(kept, new, left.visit):
            assert len(set(place.caregivers)) == len(asked.services)
            assert not set(place.caregivers) & (asked.barred | asked.far)
            for service, who in zip(asked.services, place.caregivers, strict=True):
                assert service.skills <= skills[who]
