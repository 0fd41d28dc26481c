"""The planner as a site uses it: `python tests/bench/bench_day.py`; a day, a week, a large city, replanning, and PyVRP as a yardstick.

Seconds are processor seconds of one core, so that a busy machine does not change what is found. ``--only=day,week,replan,yardstick,city``;
``--into FILE`` adds every row to a file as soon as it is there. The city takes eleven minutes, the rest about five.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from healthsvc import policy as policies
from healthsvc.circle import town
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import warm
from healthsvc.dayplan.hand import settled
from healthsvc.dayplan.insertion import rank_insertions
from healthsvc.dayplan.model import problem_of, problem_of_days
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Caregiver, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.rules import Call, Day, DayPolicy, Duty, Held
from healthsvc.dayplan.solve import StopRule, solve
from healthsvc.visit.rules import Priority
from healthsvc.visit.rules import Visit as Task
from healthsvc.visit.rules import Window as Period

DATA = Path(__file__).resolve().parents[2].parent / "shared/data/hhcrsp/vrptw/solomon"
ON = date(2026, 11, 23)
POLICY = policies.load().fill(DayPolicy, "dayplan", ON)
DOCTOR, NURSE, DRIP = frozenset({"doctor"}), frozenset({"nurse"}), frozenset({"nurse", "infusion"})
Row = tuple[str, str]


def calls(count: int, places: int, first: int, days: int, seed: int = 1) -> list[Call]:
    """Visits as a district has them: checkups, rounds, infusions at their hours, some for a doctor and a nurse together."""
    rng = np.random.default_rng(seed)
    found = []
    midnight = datetime(ON.year, ON.month, ON.day, tzinfo=UTC)
    for k in range(count):
        kind = rng.choice(["quarterly-checkup", "home-bed-round", "home-infusion", "home-nursing"], p=[0.5, 0.25, 0.15, 0.1])
        skills = {"quarterly-checkup": DOCTOR, "home-bed-round": DOCTOR, "home-infusion": DRIP, "home-nursing": NURSE}[str(kind)]
        staff = 1
        if kind == "quarterly-checkup" and rng.random() < 0.2:
            skills, staff = DOCTOR | NURSE, 2
        day = int(rng.integers(days))
        opens, closes = (day, day) if kind == "home-infusion" else (-10, days + int(rng.integers(-1, 10)))
        window = Period(midnight + timedelta(days=opens), midnight + timedelta(days=max(0, closes), hours=23, minutes=59))
        hour = int(rng.integers(8, 14))
        task = Task(
            f"t{k:04d}",
            str(kind),
            f"p{k:04d}",
            window,
            {"quarterly-checkup": 40, "home-bed-round": 25, "home-infusion": 90, "home-nursing": 45}[str(kind)],
            skills,
            staff,
            earliest=datetime(2026, 1, 1, hour).time() if kind == "home-infusion" else None,  # noqa: DTZ001
            latest=datetime(2026, 1, 1, hour + 2).time() if kind == "home-infusion" else None,  # noqa: DTZ001
            priority=Priority.URGENT if kind == "home-infusion" else Priority.ROUTINE,
        )
        found.append(Call(task, first + int(rng.integers(places)), last_day=closes <= 0))
    return found


def duties(count: int, stations: int) -> tuple[Duty, ...]:
    """Half doctors, half nurses (two of three may give infusions), spread over the stations."""
    found = []
    for k in range(count):
        skills = DOCTOR if k % 2 else (NURSE if k % 6 == 0 else DRIP)
        station = (k // 2) % stations
        found.append(
            Duty(f"Practitioner/{k}", str(k), skills, f"Location/{station}", station, 480.0, 1020.0, (690.0, 810.0, 45.0), "ebike")
        )
    return tuple(found)


def district(visits: int, staff: int) -> Day:
    """The embedded town on its own roads."""
    place = town.town()
    points = [(one.lon, one.lat) for one in place.stations] + [(one.lon, one.lat) for one in place.homes]
    ways = np.asarray(travel_times(None).matrix(points, points, "ebike").seconds) / 60.0
    np.fill_diagonal(ways, 0.0)
    at = len(place.stations)
    return Day(ON, tuple(calls(visits, len(place.homes), at, 1)), duties(staff, at), {"ebike": ways})


def city(visits: int, staff: int, stations: int = 20, kilometres: float = 12.0) -> Day:
    """Neighbourhoods around stations in a square; e-bikes at 15 km/h, streets 1.4 times as long as the straight line."""
    rng = np.random.default_rng(7)
    centres = rng.uniform(0.0, kilometres, (stations, 2))
    homes = centres[rng.integers(stations, size=visits)] + rng.normal(0.0, kilometres / 14, (visits, 2))
    points = np.vstack([centres, homes])
    ways = np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1)) * 1.4 / 15.0 * 60.0
    asked = [replace(call, place=stations + k) for k, call in enumerate(calls(visits, 1, 0, 1))]
    return Day(ON, tuple(asked), duties(staff, stations), {"ebike": ways})


def found(problem: Problem, seconds: float, seed: int = 1) -> Plan:
    return solve(problem, StopRule(seconds=seconds, cpu=True), seed)


def compared(name: str, problem: Problem, short: float, long: float) -> Iterator[Row]:
    """A short answer beside a long one."""
    quick, slow = found(problem, short), found(problem, long)
    gap = (quick.cost / slow.cost - 1) * 100
    rate = slow.evaluations / long / 1e6
    yield (
        f"{name}, {len(problem.visits)} visits, {len(problem.caregivers)} routes",
        f"{short:g} s {quick.cost:.1f} (left over {len(quick.left_over)}), {long:g} s {slow.cost:.1f} (left over {len(slow.left_over)}), "
        f"gap {gap:+.2f} %, {rate:.1f} million proposals a second",
    )


def week(visits: int = 150, staff: int = 12, days: int = 5) -> Problem:
    """Five days of the town at once."""
    one = district(0, staff)
    asked = calls(visits, len(town.town().homes), len(town.town().stations), days)
    span = []
    for k in range(days):
        on = ON + timedelta(days=k)
        mine = tuple(call for call in asked if call.task.window.start.date() <= on <= call.task.window.end.date())
        span.append(replace(one, on=on, calls=mine))
    return problem_of_days(span, POLICY)


def replanned() -> Iterator[Row]:
    """300 planned visits: one more is ranked in; a nurse falls ill and the day is planned again."""
    day = city(301, 40, 8)
    problem = problem_of(day, POLICY)
    without = replace(problem, visits=problem.visits[1:])
    plan = found(without, 20)
    urgent = problem.visits[0].id
    rank_insertions(problem, plan, urgent)
    begun = time.process_time()
    places = rank_insertions(problem, plan, urgent)
    yield "one more visit ranked into 300", f"{time.process_time() - begun:.3f} s, {len(places)} places"
    gone = next(route.caregiver for route in plan.routes if len(route.visits) > 5)
    told = {stop.visit: stop.start for _, stop in plan.stops()}
    who: dict[str, tuple[str, ...]] = {}
    for caregiver, stop in plan.stops():
        who[stop.visit] = (*who.get(stop.visit, ()), caregiver)
    held = tuple(
        replace(call, held=Held(who[call.task.id], told[call.task.id]) if call.task.id in told else None)
        for call in day.calls
        if call.task.id != urgent
    )
    ill = problem_of(replace(day, calls=held, duties=tuple(one for one in day.duties if one.key != gone)), POLICY)
    begun = time.process_time()
    again = solve(ill, StopRule(iterations=300_000), 1, start=plan)
    took = time.process_time() - begun
    kept = {(stop.visit, person) for person, stop in plan.stops() if person != gone}
    same = len(kept & {(stop.visit, person) for person, stop in again.stops()})
    moved = sum(abs(stop.start - told[stop.visit]) > 20.1 for _, stop in again.stops() if stop.visit in told)
    exact = sum(abs(stop.start - told[stop.visit]) < 0.1 for _, stop in again.stops() if stop.visit in told)
    lost = len(again.left_over) - len(plan.left_over)
    yield (
        "a nurse of 40 falls ill, 300 visits planned again",
        f"{took:.2f} s, {same} of {len(kept)} services keep their person, {exact} their minute, {moved} move by more than 20 minutes, "
        f"{lost} more left over",
    )
    begun = time.process_time()
    settled(problem, plan)
    yield "a change by hand worked out beside 300", f"{time.process_time() - begun:.3f} s"


def yardstick(seconds: float = 20.0) -> Iterator[Row]:
    """Solomon's instances as home visits without partners (no loads): our distance beside PyVRP's, the same processor seconds."""
    gaps = []
    for name in ("R101", "R105", "R203", "R209", "RC101", "RC107", "RC205", "C101", "C205"):
        rows = [list(map(float, line.split())) for line in (DATA / f"{name}.txt").read_text().split("\n") if len(line.split()) == 7]
        vehicles = 25
        points = np.array([row[1:3] for row in rows])
        ways = np.floor(np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1)) * 10) / 10
        ours = _ours(rows, ways, vehicles, seconds)
        theirs = _pyvrp(rows, ways, vehicles, seconds)
        gaps.append((ours / theirs - 1) * 100)
        yield f"yardstick {name} without loads, {seconds:g} s", f"ours {ours:.1f}, PyVRP {theirs:.1f}, {gaps[-1]:+.2f} %"
    yield "yardstick", f"mean {np.mean(gaps):+.2f} %, worst {max(gaps):+.2f} %"


def _ours(rows: list[list[float]], ways: np.ndarray, vehicles: int, seconds: float) -> float:
    one = frozenset({"s"})
    visits = tuple(
        Visit(str(k), k, (Service("s", one, max(row[6], 1e-6)),), (Window(row[4], row[5]),), hard=True) for k, row in enumerate(rows) if k
    )
    staff = tuple(Caregiver(str(k), one, 0, 0, Window(rows[0][4], rows[0][5])) for k in range(vehicles))
    return found(Problem(visits, staff, {"": ways}, Weights(travel=1.0), overtime_hard=True), seconds).cost


def _pyvrp(rows: list[list[float]], ways: np.ndarray, vehicles: int, seconds: float) -> float:
    from pyvrp import Model

    begun = time.process_time()
    model = Model()
    places = [model.add_location(row[1], row[2]) for row in rows]
    depot = model.add_depot(places[0])
    model.add_vehicle_type(vehicles, start_depot=depot, end_depot=depot, tw_early=0, tw_late=int(rows[0][5] * 10))
    for place, row in zip(places[1:], rows[1:], strict=True):
        early, late, service = (round(row[k] * 10) for k in (4, 5, 6))
        model.add_client(place, tw_early=early, tw_late=late, service_duration=service)
    for i, one in enumerate(places):
        for j, other in enumerate(places):
            tenths = round(ways[i, j] * 10)
            model.add_edge(one, other, distance=tenths, duration=tenths)
    answer = model.solve(stop=lambda _: time.process_time() - begun > seconds, seed=1, display=False)
    return float(answer.cost()) / 10 if answer.is_feasible() else math.inf


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="day,week,replan,yardstick,city")
    parser.add_argument("--into", type=Path)
    asked = parser.parse_args()
    parts = {
        "day": lambda: compared("a day of the town", problem_of(district(62, 12), POLICY), 2, 60),
        "week": lambda: compared("a week of the town", week(), 10, 60),
        "replan": replanned,
        "yardstick": yardstick,
        "city": lambda: compared("a city's day", problem_of(city(1000, 100), POLICY), 60, 600),
    }
    warm()
    for name in asked.only.split(","):
        for what, figures in parts[name]():
            print(f"{what:60} {figures}", flush=True)  # noqa: T201
            if asked.into:
                with asked.into.open("a") as file:
                    file.write(json.dumps({"what": what, "figures": figures}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
