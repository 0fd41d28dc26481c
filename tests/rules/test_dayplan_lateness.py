"""How often a plan is late: equal to the plan with nothing drawn, to a slow simulation run by run, the same for the same seed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.lateness import HOME, REST, VISIT, Draws, Timetable, cause, chances, draw, lived, with_slack

FAR = float("inf")


@dataclass
class Row:
    """One leg, for building a plan."""

    route: int
    kind: int
    way: float
    work: float
    start: float
    closes: float = FAR
    partner: int = -1
    gap: tuple[float, float] = (0.0, 0.0)
    spread: float = 0.3


def table(rows: list[Row], after: list[tuple[int, int, float]] = [], ready: float = 480.0) -> Timetable:  # noqa: B006
    """Rows in any order of time as a timetable: routes one after the other."""
    order = sorted(range(len(rows)), key=lambda k: (rows[k].route, rows[k].start, k))
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    mine = [rows[k] for k in order]
    routes = sorted({row.route for row in mine})
    first = {route: next(row for row in mine if row.route == route) for route in routes}
    return Timetable(
        route=np.array([routes.index(row.route) for row in mine], dtype=np.int64),
        kind=np.array([row.kind for row in mine], dtype=np.int64),
        way=np.array([row.way for row in mine]),
        work=np.array([row.work for row in mine]),
        start=np.array([row.start for row in mine]),
        closes=np.array([row.closes for row in mine]),
        departs=np.array([max(ready, first[route].start - first[route].way) for route in routes]),
        ready=np.full(len(routes), ready),
        way_spread=np.array([row.spread for row in mine]),
        work_spread=np.array([row.spread if row.kind == VISIT else 0.0 for row in mine]),
        partner=np.array([place[row.partner] for row in mine], dtype=np.int64),
        least=np.array([row.gap[0] for row in mine]),
        most=np.array([row.gap[1] for row in mine]),
        after=np.array([(place[a], place[b]) for a, b, _ in after], dtype=np.int64).reshape(-1, 2),
        apart=np.array([least for _, _, least in after]),
    )


@st.composite
def plans(draw: st.DrawFn, linked: bool = True, waits: int = 40) -> Timetable:
    """A plan that can be kept: visits of one to three people one after the other, breaks, least gaps, ways home."""
    count = draw(st.integers(1, 4))
    free = dict.fromkeys(range(count), 480.0)
    rows: list[Row] = []
    after = []
    minutes = st.integers(0, 30).map(float)
    for _ in range(draw(st.integers(1, 9))):
        people = draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=min(count, 3) if linked else 1, unique=True))
        rest = len(people) == 1 and draw(st.integers(0, 4)) == 0
        least = float(draw(st.sampled_from((0, 0, 10))))
        most = least + draw(st.sampled_from((0, 20)))
        ways = [draw(minutes) for _ in people]
        starts = [free[who] + way for who, way in zip(people, ways, strict=True)]
        starts[0] += draw(st.integers(0, waits))
        earlier = draw(st.none() | st.integers(0, len(rows) - 1)) if linked and rows else None
        if earlier is not None and rows[earlier].kind == VISIT:
            starts[0] = max(starts[0], rows[earlier].start + 60)
        for k in range(1, len(starts)):
            starts[k] = max(starts[k], starts[k - 1] + least)
        for k in range(len(starts) - 1, 0, -1):
            starts[k - 1] = max(starts[k - 1], starts[k] - most)
        work = float(draw(st.integers(5, 60)))
        for k, (who, way, start) in enumerate(zip(people, ways, starts, strict=True)):
            if earlier is not None and rows[earlier].kind == VISIT and not rest:
                after.append((len(rows), earlier, 60.0))
            closes = start + draw(st.sampled_from((0.0, 15.0, FAR)))
            rows.append(
                Row(who, REST if rest else VISIT, way, work, start, closes, len(rows) - 1 if k else -1, (least, most) if k else (0, 0))
            )
            free[who] = start + work
    for who in {row.route for row in rows}:
        way = draw(minutes)
        rows.append(Row(who, HOME, way, 0.0, free[who] + way, free[who] + way + draw(st.integers(0, 30))))
    return table(rows, after)


def slowly(plan: Timetable, way: list[float], work: list[float]) -> list[float]:
    """One run in plain Python: actual starts, pushed back again and again until every rule holds."""
    n = len(plan.route)
    start = [float(one) for one in plan.start]
    for k in range(n):
        if plan.kind[k] == HOME:
            start[k] = -1e9
    for _ in range(3 * n + 3):
        for k in range(n):
            here = k > 0 and plan.route[k] == plan.route[k - 1]
            free = start[k - 1] + plan.work[k - 1] + work[k - 1] if here else float(plan.departs[plan.route[k]])
            start[k] = max(start[k], free + plan.way[k] + way[k])
        for second in range(n):
            first = int(plan.partner[second])
            if first >= 0:
                start[second] = max(start[second], start[first] + plan.least[second])
                start[first] = max(start[first], start[second] - plan.most[second])
        for (later, earlier), least in zip(plan.after, plan.apart, strict=True):
            start[later] = max(start[later], start[earlier] + least)
    return start


@settings(max_examples=80)
@given(plans())
def test_with_nothing_drawn_the_day_is_the_plan(plan: Timetable) -> None:
    still = replace(plan, way_spread=np.zeros(len(plan.way)), work_spread=np.zeros(len(plan.way)))
    late = lived(still, draw(still, 3, 1))
    assert np.allclose(late, 0.0, atol=1e-9)
    found = chances(still, late, 0.0)
    assert (found.all_kept, found.visits_kept, found.shifts_kept, found.breaks_kept) == (1.0, 1.0, 1.0, 1.0)
    assert not found.late.any()


@settings(max_examples=80)
@given(plans(), st.integers(0, 1000))
def test_every_run_is_what_a_slow_simulation_finds(plan: Timetable, seed: int) -> None:
    draws = draw(plan, 4, seed, day_spread=0.2)
    late = lived(plan, draws)
    for run in range(4):
        starts = slowly(plan, list(draws.way[:, run]), list(draws.work[:, run]))
        assert np.allclose(plan.start + late[:, run], starts, atol=1e-6)


@settings(max_examples=40)
@given(plans(), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_day(plan: Timetable, seed: int) -> None:
    first, again, other = (lived(plan, draw(plan, 5, one, 0.1)) for one in (seed, seed, seed + 1))
    assert np.array_equal(first, again)
    if (plan.way > 0).any():
        assert not np.array_equal(draw(plan, 5, seed).way, draw(plan, 5, seed + 1).way)
    assert first.shape == other.shape


@settings(max_examples=60)
@given(plans(linked=False, waits=0), st.integers(0, 1000), st.integers(0, 20), st.integers(0, 20))
def test_more_slack_is_never_more_late(plan: Timetable, seed: int, one: int, other: int) -> None:
    """On routes without waits, run by run: then every way has less to spare than either slack."""
    less, more = sorted((float(one), float(other)))
    draws = draw(plan, 20, seed, 0.2)
    tight, loose = with_slack(plan, less), with_slack(plan, more)
    visits = plan.kind != HOME
    assert (lived(loose, draws)[visits] <= lived(tight, draws)[visits] + 1e-6).all()


@settings(max_examples=60)
@given(plans(), st.integers(0, 1000), st.integers(1, 20))
def test_delays_up_to_the_slack_make_nobody_late(plan: Timetable, seed: int, slack: int) -> None:
    """Whatever is linked with whatever: every way has its slack, no start has moved forward, and no more than it needs."""
    loose = with_slack(plan, float(slack))
    assert (loose.start >= plan.start - 1e-9).all()
    ways = (plan.kind != HOME) & (plan.way > 0)
    assert (loose.reserve[ways] >= slack - 1e-6).all()
    dice = np.random.default_rng(seed)
    delay = np.where(ways[:, None], dice.uniform(-5.0, float(slack), (len(ways), 10)), 0.0)
    assert (lived(loose, Draws(delay, np.zeros_like(delay)))[plan.kind != HOME] <= 1e-6).all()
    assert with_slack(plan, 0.0) is plan


@settings(max_examples=60)
@given(plans(), st.integers(0, 1000))
def test_longer_ways_never_make_anybody_earlier(plan: Timetable, seed: int) -> None:
    draws = draw(plan, 10, seed)
    longer = Draws(draws.way + np.random.default_rng(seed).uniform(0, 10, draws.way.shape), draws.work)
    assert (lived(plan, longer) >= lived(plan, draws) - 1e-9).all()


def test_ways_have_the_planned_mean_and_the_spread_asked_for() -> None:
    plan = table([Row(0, VISIT, 20.0, 30.0, 500.0), Row(0, HOME, 10.0, 0.0, 540.0)])
    found = draw(plan, 10_000, 3)
    assert found.way[0].mean() == pytest.approx(0.0, abs=0.3)
    assert found.way[0].std() == pytest.approx(6.0, rel=0.05)
    assert (20.0 + found.way[0] > 0).all()


def test_two_pairs_that_cross_between_two_people() -> None:
    """The first half of each is made by one, the second by the other: nobody can be put first, and the day is lived all the same."""
    rows = [
        Row(0, VISIT, 5, 10, 500), Row(0, VISIT, 5, 10, 530, partner=2, gap=(10, 60)),
        Row(1, VISIT, 5, 10, 500), Row(1, VISIT, 5, 10, 530, partner=0, gap=(10, 60)),
    ]  # fmt: skip
    plan = table([*rows, Row(0, HOME, 5, 0, 545), Row(1, HOME, 5, 0, 545)])
    way = np.zeros((6, 2))
    way[0] = (0.0, 40.0)
    late = lived(plan, Draws(way, np.zeros_like(way)))
    assert late[:, 0].tolist() == [0.0] * 6
    starts = slowly(plan, list(way[:, 1]), [0.0] * 6)
    assert np.allclose(plan.start + late[:, 1], starts)


@pytest.mark.parametrize(
    ("delay", "code"),
    [({"way": {1: 30.0}}, "way"), ({"work": {0: 30.0}}, "work"), ({"way": {0: 30.0}}, "carried"), ({"way": {3: 30.0}}, "partner")],
)
def test_what_makes_a_visit_late(delay: dict[str, dict[int, float]], code: str) -> None:
    """Two go to the second visit together; one of them comes from a first one."""
    plan = table([
        Row(0, VISIT, 5, 20, 500), Row(0, VISIT, 10, 20, 530), Row(0, HOME, 5, 0, 555),
        Row(1, VISIT, 10, 20, 530, partner=1), Row(1, HOME, 5, 0, 555),
    ])  # fmt: skip
    draws = Draws(np.zeros((5, 1)), np.zeros((5, 1)))
    for name, rows in delay.items():
        for row, minutes in rows.items():
            getattr(draws, name)[row, 0] = minutes
    late = lived(plan, draws)
    assert late[1, 0] > 0
    assert cause(plan, draws, late, 1, late[1] > 0) == code


def test_a_person_who_cannot_be_there_in_time_is_late_from_the_start() -> None:
    plan = table([Row(0, VISIT, 20, 20, 500), Row(0, HOME, 5, 0, 525, closes=540)], ready=510.0)
    draws = Draws(np.zeros((2, 3)), np.zeros((2, 3)))
    late = lived(plan, draws)
    assert late[0].tolist() == [30.0] * 3
    assert cause(plan, draws, late, 0, late[0] > 0) == "plan"
    found = chances(plan, late, 20.0)
    assert (found.visits_kept, found.shifts_kept, found.all_kept) == (0.0, 0.0, 0.0)


def test_chances_count_runs() -> None:
    plan = table([Row(0, VISIT, 5, 20, 500, closes=510), Row(0, REST, 0, 45, 720, closes=740), Row(0, HOME, 5, 0, 770, closes=775)])
    late = np.array([[0.0, 11.0, 25.0, 0.0], [0.0, 0.0, 21.0, 0.0], [0.0, 0.0, 21.0, 6.0]])
    found = chances(plan, late, 20.0)
    assert found.past.tolist() == [0.5, 0.25, 0.5]
    assert found.late.tolist() == [0.25, 0.0, 0.0]
    assert (found.visits_kept, found.breaks_kept, found.shifts_kept, found.all_kept) == (0.5, 0.75, 0.5, 0.25)


def test_a_day_of_nobody_is_kept() -> None:
    plan = table([])
    late = lived(plan, draw(plan, 4, 1, 0.1))
    assert chances(plan, late, 20.0).all_kept == 1.0
