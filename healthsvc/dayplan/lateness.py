"""How often a plan is late when ways and visits take longer than planned. Pure: arrays, a seed and a number of runs in, chances out.

A plan counts with the mean of every way and every visit. Here the day is lived through many times with drawn ones. Nobody begins before
the time that was told; whoever comes late is late at the next door, too, as far as the plan has no reserve on the way there; people who
come together wait for each other; a break keeps its length; a visit keeps its least gap to the one before.

What is carried along the routes is lateness (minutes behind the plan), so with nothing drawn every visit begins exactly as planned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

VISIT, REST, HOME = range(3)
"""What stands at the end of a way: a visit, the break, the station where the day ends."""
PASSES = 50
"""Most times that plans are gone through in which two people wait for each other in a circle; then whoever is ready begins."""
ROUNDING = 1e-6
"""Minutes by which sums of minutes differ and are still the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Timetable:
    """A day's plan as arrays, one row a leg (a way and what is done at its end). Rows of a route follow each other in order of time; the
    last is the way home. Times are minutes of the day.

    ``route`` (n): which route. ``kind`` (n): VISIT, REST or HOME. ``way``, ``work``, ``start`` (n): planned minutes of the way, of what
    follows, and its start (HOME: the arrival). ``closes`` (n): the latest start that keeps the promise; HOME: end of the shift; inf: none.
    ``departs``, ``ready`` (routes): when they set out, and from when on they could. ``way_spread``, ``work_spread`` (n): coefficients of
    variation. ``partner`` (n): the leg of the service before in the same visit, which this one begins ``least`` to ``most`` minutes
    after, or -1. ``after`` (k, 2) and ``apart`` (k): the first leg of a row begins so many minutes after the second one at the earliest.
    """

    route: Ints
    kind: Ints
    way: Floats
    work: Floats
    start: Floats
    closes: Floats
    departs: Floats
    ready: Floats
    way_spread: Floats
    work_spread: Floats
    partner: Ints
    least: Floats
    most: Floats
    after: Ints
    apart: Floats

    @property
    def before(self) -> Ints:
        """The leg before on the same route, -1 at its beginning: (n)."""
        found = np.arange(-1, len(self.route) - 1)
        found[: 1 if len(found) else 0] = -1
        found[1:][self.route[1:] != self.route[:-1]] = -1
        return found

    @property
    def reserve(self) -> Floats:
        """Minutes by which each way may take longer before anybody is late (n); below 0: the plan cannot be kept as it stands."""
        before = self.before
        free = np.where(before < 0, self.departs[self.route], self.start[before] + self.work[before])
        found = self.start - free - self.way
        return np.where(np.abs(found) < ROUNDING, 0.0, found)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """By how much ways and work differ from the plan: minutes, (n, runs)."""

    way: Floats
    work: Floats


def draw(plan: Timetable, runs: int, seed: int, day_spread: float = 0.0) -> Draws:
    """Ways and work, each log-normal around its planned mean with its coefficient of variation; ``day_spread`` is that of a factor which
    all ways of one run share (rain, a festival)."""
    dice = np.random.default_rng(seed)
    all_ways = _around_one(np.full(1, day_spread), dice.standard_normal((1, runs)))
    ways = _around_one(plan.way_spread, dice.standard_normal((len(plan.way), runs))) * all_ways
    work = _around_one(plan.work_spread, dice.standard_normal((len(plan.work), runs)))
    return Draws(plan.way[:, None] * (ways - 1.0), plan.work[:, None] * (work - 1.0))


def _around_one(spread: Floats, normal: Floats) -> Floats:
    """Log-normal numbers with mean 1 and a coefficient of variation of ``spread``."""
    sigma = np.sqrt(np.log1p(spread * spread))[:, None]
    return np.asarray(np.exp(sigma * normal - 0.5 * sigma * sigma))


def lived(plan: Timetable, draws: Draws) -> Floats:
    """Minutes behind the plan of every leg in every run: (n, runs). Nobody is before the plan, except on the way home."""
    late = np.zeros_like(draws.way)
    reserve, before = plan.reserve, plan.before
    groups, circular = _order(plan, before)
    bound = _bound(plan)
    for left in range(PASSES if circular else 1, 0, -1):
        was = late.copy() if circular else late
        for group in groups:
            for leg in group:
                came = draws.way[leg] - reserve[leg]
                if before[leg] >= 0:
                    came = came + late[before[leg]] + draws.work[before[leg]]
                if plan.kind[leg] != HOME:
                    came = np.maximum(came, 0.0)
                for row in bound.get(leg, ()):
                    one = plan.after[row, 1]
                    came = np.maximum(came, late[one] - (plan.start[leg] - plan.start[one] - plan.apart[row]))
                late[leg] = came
            _meet(plan, group, late, wait=left > 1 or not circular)
        if circular and np.array_equal(was, late):
            break
    return late


def _meet(plan: Timetable, group: list[int], late: Floats, *, wait: bool) -> None:
    """Whoever comes to one visit begins as far apart as they must; ``wait``: the first ones wait until the others can."""
    pairs = [(int(plan.partner[leg]), leg) for leg in group if plan.partner[leg] >= 0]
    for first, second in pairs:
        spare = plan.start[second] - plan.start[first] - plan.least[second]
        late[second] = np.maximum(late[second], late[first] - spare)
    for first, second in reversed(pairs) if wait else ():
        spare = plan.start[first] + plan.most[second] - plan.start[second]
        late[first] = np.maximum(late[first], late[second] - spare)


def _bound(plan: Timetable) -> dict[int, list[int]]:
    """Rows of ``after`` by the leg that they hold back."""
    found: dict[int, list[int]] = {}
    for row, leg in enumerate(plan.after[:, 0]):
        found.setdefault(int(leg), []).append(row)
    return found


def _order(plan: Timetable, before: Ints) -> tuple[list[list[int]], bool]:
    """The legs, those of one visit together, each after all that it waits for; and whether that was impossible (then by time)."""
    behind = {int(partner): leg for leg, partner in enumerate(plan.partner) if partner >= 0}
    groups: dict[int, list[int]] = {}
    head: dict[int, int] = {}
    for leg in range(len(plan.route)):
        if plan.partner[leg] < 0:
            groups[leg] = [leg]
            while groups[leg][-1] in behind:
                groups[leg].append(behind[groups[leg][-1]])
            head |= dict.fromkeys(groups[leg], leg)
    edges = {(head[a], head[b]) for a, b in _waits(plan, before) if head[a] != head[b]}
    follows: dict[int, list[int]] = {}
    missing = dict.fromkeys(groups, 0)
    for first, second in edges:
        follows.setdefault(first, []).append(second)
        missing[second] += 1
    ready = [one for one in groups if not missing[one]]
    ordered = []
    while ready:
        one = ready.pop()
        ordered.append(one)
        for other in follows.get(one, ()):
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    circular = len(ordered) < len(groups)
    if circular:
        ordered = sorted(groups, key=lambda one: float(plan.start[one]))
    return [groups[one] for one in ordered], circular


def _waits(plan: Timetable, before: Ints) -> Iterator[tuple[int, int]]:
    """Which leg has to be known before which."""
    yield from ((int(before[leg]), leg) for leg in range(len(before)) if before[leg] >= 0)
    yield from ((int(earlier), int(leg)) for leg, earlier in plan.after)


def with_slack(plan: Timetable, slack: float) -> Timetable:
    """The same routes with at least ``slack`` minutes of reserve on every way: whoever can sets out earlier in the morning, then starts
    move back as far as they must. Where a way has that reserve already, nothing moves."""
    if slack <= 0:
        return plan
    first = plan.before < 0
    departs = np.maximum(np.minimum(plan.ready, plan.departs), plan.departs - slack)
    early = np.where(first, (plan.departs - departs)[plan.route], 0.0)
    # by how much a day is behind on which every way takes so much longer is by how much the plan has to move back
    longer = np.where((plan.kind == HOME) | (plan.way <= 0), 0.0, slack - early)[:, None]
    later = lived(plan, Draws(longer, np.zeros_like(longer)))[:, 0]
    return replace(plan, start=plan.start + later, departs=departs)


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What so many runs came to. By leg (n): ``past`` the chance to begin after its promise closes (HOME: after the shift ends), ``late``
    the chance to begin more than so many minutes after the plan, ``usually`` minutes behind the plan that nine of ten runs keep below.
    Of the whole day: ``visits_kept``, ``shifts_kept``, ``breaks_kept`` and ``all_kept``."""

    past: Floats
    late: Floats
    usually: Floats
    visits_kept: float
    shifts_kept: float
    breaks_kept: float
    all_kept: float


def chances(plan: Timetable, late: Floats, minutes: float) -> Chances:
    """The chances from what was lived; ``minutes``: from how many minutes behind the plan a visit is late."""
    past = plan.start[:, None] + late > plan.closes[:, None] + ROUNDING
    behind = (late > minutes + ROUNDING) & (plan.kind == VISIT)[:, None]
    wrong = past | behind
    kept = [~wrong[plan.kind == kind].any(axis=0) for kind in (VISIT, HOME, REST)]
    usually = np.quantile(late, 0.9, axis=1) if late.shape[0] else np.zeros(0)
    visits, shifts, breaks = (float(one.mean()) for one in kept)
    return Chances(past.mean(axis=1), behind.mean(axis=1), usually, visits, shifts, breaks, float(np.logical_and.reduce(kept).mean()))


def cause(plan: Timetable, draws: Draws, late: Floats, leg: int, when: npt.NDArray[np.bool_]) -> str:
    """What makes a leg late in the runs ``when``, most of all: ``partner`` (others of the visit come late), ``after`` (the least gap to
    the visit before), ``plan`` (there was too little time from the start), ``carried`` (late from the leg before), ``work`` (the leg
    before takes longer), ``way`` (the way does)."""
    before, reserve = int(plan.before[leg]), float(plan.reserve[leg])
    carried = late[before][when] if before >= 0 else np.zeros(int(when.sum()))
    work = draws.work[before][when] if before >= 0 else np.zeros_like(carried)
    way = draws.way[leg][when]
    held = late[leg][when] > np.maximum(carried + work + way - reserve, 0.0) + ROUNDING
    if held.mean() > 0.5:
        return "after" if leg in plan.after[:, 0] and plan.partner[leg] < 0 and leg not in plan.partner else "partner"
    parts = {"way": way.mean(), "work": work.mean(), "carried": carried.mean(), "plan": max(0.0, -reserve)}
    return max(parts, key=lambda one: float(parts[one]))
