"""From a problem to flat arrays and back: the only place where names become numbers and numbers names again."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.grid import grain_of
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.problem import FOREVER, Caregiver, Departure, Matrix, Problem, Visit, WindowMet, pinned_start
from healthsvc.errors import Invalid

NEAR = 40
"""Length of the list of near services that moves draw from."""

WAIT_SHARE, LATE_SHARE = 0.2, 1.0
"""How much a minute of unavoidable waiting or lateness counts against a minute of travel when nearness is judged."""


@dataclass(frozen=True, slots=True)
class Node:
    """One service in the arrays."""

    visit: int
    service: int


@dataclass(slots=True)
class Space:
    """A problem as arrays, with the names that belong to the numbers."""

    problem: Problem
    nodes: tuple[Node, ...]
    world: World


def pack(problem: Problem, seed: int, hard_price: float, must_price: float) -> Space:
    """Lay the problem out with nobody planned yet.

    ``hard_price`` prices a minute past a hard window or shift while the search goes on, ``must_price`` leaving out a visit that
    must be made.

    :raises Invalid: a visit follows one that is not there, lasts less than no time or has no window; or a way to its own place takes time.
    """
    from healthsvc.dayplan.dice import seeded  # brings the compiler; pages that only show plans start without it

    if any(np.diagonal(matrix).any() for matrix in problem.travel.values()):
        raise Invalid("the way from a place to itself has to take no time")
    nodes = tuple(Node(j, k) for j, visit in enumerate(problem.visits) for k in range(len(visit.services)))
    n, c_all, j_all = len(nodes), len(problem.caregivers), len(problem.visits)
    size = n + 2 * c_all
    link = np.full((size, 4), -1, dtype=np.int64)
    time = np.zeros((size, 4))
    spec = np.zeros((size, at.SPEC_COLUMNS))
    kind = np.zeros((size, 8), dtype=np.int64)
    win = np.zeros((n, 2 * max((len(visit.windows) for visit in problem.visits), default=1)))
    allow = np.zeros((n, c_all), dtype=np.uint8)
    pref = np.zeros((n, c_all))
    job = np.zeros((j_all, 4), dtype=np.int64)
    skip = np.zeros(j_all)
    modes = {mode: k for k, mode in enumerate(sorted(problem.travel))}
    way = np.ascontiguousarray(np.stack([problem.travel[mode] for mode in modes]))
    first = 0
    for j, visit in enumerate(problem.visits):
        job[j] = (first, len(visit.services), j, visit.must)
        skip[j] = must_price if visit.must else visit.skip_cost
        for k in range(len(visit.services)):
            _service(problem, visit, j, k, first, (spec, kind, win, allow, pref))
        first += len(visit.services)
    _confine_pins(problem, nodes, allow)
    route, person = _routes(problem, n, modes, link, time, spec, kind)
    earlier_at, earlier, later_at, later, gap = _chains(problem, job)
    weights = problem.weights
    price = np.zeros(at.PRICES)
    price[[at.W_TRAVEL, at.W_LATEST, at.W_WAIT, at.W_IDLE, at.W_BALANCE]] = (
        weights.travel,
        weights.latest,
        weights.waiting,
        weights.idle,
        weights.balance,
    )
    price[at.W_OVER] = hard_price if problem.overtime_hard else weights.overtime
    price[at.W_HARD], price[at.W_MUST], price[at.STEP] = hard_price, must_price, problem.grain
    flag = np.zeros(at.FLAGS, dtype=np.int64)
    flag[[at.N, at.C, at.J, at.N_OUT]] = (n, c_all, j_all, j_all)
    flag[at.OVER_HARD], flag[at.SHIFT_START] = problem.overtime_hard, problem.departure is Departure.SHIFT_START
    near = _near(way, spec, kind, win, allow)
    flag[at.N_NEAR] = near.shape[1]
    world = World(
        link=link,
        time=time,
        spec=spec,
        kind=kind,
        win=win,
        route=route,
        person=person,
        allow=allow,
        pref=pref,
        way=way,
        near=near,
        job=job,
        skip=skip,
        out=np.arange(j_all, dtype=np.int64),
        earlier_at=earlier_at,
        earlier=earlier,
        later_at=later_at,
        later=later,
        gap=gap,
        total=np.zeros(at.TOTALS),
        price=price,
        flag=flag,
        dirty=np.zeros(16 * size + 64, dtype=np.int64),
        touched=np.zeros(size + 8, dtype=np.int64),
        routes=np.zeros(c_all + 8, dtype=np.int64),
        undo=np.zeros((64, 3), dtype=np.int64),
        dice=seeded(seed),
    )
    return Space(problem, nodes, world)


def _service(problem: Problem, visit: Visit, j: int, k: int, first: int, into: tuple[npt.NDArray[np.generic], ...]) -> None:
    """Enter service ``k`` of visit ``j``."""
    spec, kind, win, allow, pref = into
    service, v = visit.services[k], first + k
    paired = visit.gap is not None and len(visit.services) > 1
    if service.duration < 0 or (paired and not service.duration) or not visit.windows:
        raise Invalid(f"visit {visit.id}: a service lasts no less than no time (of a pair: some), and the visit needs a window")
    partner = first + (k + 1) % len(visit.services) if paired else -1
    least, most = (visit.gap.least, visit.gap.most) if visit.gap else (0.0, 0.0)
    spec[v] = (
        service.duration,
        0.0 if visit.hard else problem.weights.late * visit.late_weight,
        least,
        min(most, FOREVER),
        grain_of(problem, visit),
        0.0,
    )
    hard = visit.hard or visit.pinned is not None
    kind[v] = (visit.place, partner, (k + 1) if paired else 0, j, len(visit.windows), hard, visit.pinned is not None, visit.must)
    windows = [(window.start, window.end) for window in visit.windows]
    if visit.pinned:
        windows = [pinned_start(visit, k)]
        kind[v, at.NWIN] = 1
    shift = service.duration if problem.met is WindowMet.AT_END and not visit.pinned else 0.0
    for at_window, (opens, closes) in enumerate(windows):
        win[v, 2 * at_window : 2 * at_window + 2] = (opens, closes - shift)
    for c, person in enumerate(problem.caregivers):
        allow[v, c] = service.skills <= person.skills and person.id not in visit.barred and person.id not in visit.far
        pref[v, c] = visit.affinity.get(person.id, 0.0)
        if visit.preferred and person.id not in visit.preferred:
            pref[v, c] += problem.weights.preference


def _confine_pins(problem: Problem, nodes: tuple[Node, ...], allow: npt.NDArray[np.uint8]) -> None:
    """Only the pinned caregiver may make a pinned service."""
    rows = {person.id: c for c, person in enumerate(problem.caregivers)}
    for v, node in enumerate(nodes):
        pin = problem.visits[node.visit].pinned
        if pin:
            c = rows.get(pin.caregivers[node.service])
            if c is None:
                raise Invalid(f"visit {problem.visits[node.visit].id} is pinned to somebody who is not in the plan")
            allow[v] = 0
            allow[v, c] = 1


def _routes(
    problem: Problem,
    n: int,
    modes: dict[str, int],
    link: npt.NDArray[np.int64],
    time: Matrix,
    spec: Matrix,
    kind: npt.NDArray[np.int64],
) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """Empty routes: every head followed by its tail."""
    c_all = len(problem.caregivers)
    route = np.zeros((c_all, at.ROUTE_COLUMNS))
    person = np.full((c_all, 6), -1, dtype=np.int64)
    for c, who in enumerate(problem.caregivers):
        head, tail = n + c, n + c_all + c
        link[head, at.NXT], link[tail, at.PRV] = tail, head
        link[head, at.RT] = link[tail, at.RT] = c
        kind[head, at.PLACE], kind[tail, at.PLACE] = who.start_place, who.end_place
        kind[head, at.PARTNER] = kind[tail, at.PARTNER] = -1
        time[head, at.S] = who.shift.start
        route[c, at.SHIFT_S], route[c, at.SHIFT_E] = who.shift.start, who.shift.end
        if who.rest:
            route[c, at.REST_S : at.REST_F + 1] = _rest(problem, who)
        person[c, [at.ANCHOR, at.MODE, at.HAS_REST, at.BOUNDED]] = (head, modes[who.mode], who.rest is not None, who.shift.end < FOREVER)
    return route, person


def _rest(problem: Problem, who: Caregiver) -> tuple[float, float, float, float, float]:
    assert who.rest is not None
    closes = who.rest.window.end - (who.rest.duration if problem.met is WindowMet.AT_END else 0.0)
    return who.rest.window.start, closes, who.rest.duration, who.rest.weight, who.rest.first


def _chains(problem: Problem, job: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.generic], ...]:
    """Which services wait for which earlier ones, as two compressed lists (and the minutes between)."""
    rows = {visit.id: j for j, visit in enumerate(problem.visits)}
    n = int(job[:, at.COUNT].sum())
    before: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    behind: list[list[int]] = [[] for _ in range(n)]
    for j, visit in enumerate(problem.visits):
        if visit.after is None:
            continue
        if visit.after.visit not in rows or rows[visit.after.visit] == j:
            raise Invalid(f"visit {visit.id} has to come after {visit.after.visit}, which is not in the problem")
        i = rows[visit.after.visit]
        for v in range(job[j, at.FIRST], job[j, at.FIRST] + job[j, at.COUNT]):
            for u in range(job[i, at.FIRST], job[i, at.FIRST] + job[i, at.COUNT]):
                before[v].append((u, visit.after.least))
                behind[u].append(v)
    counts = np.cumsum([0, *(len(row) for row in before)], dtype=np.int64), np.cumsum([0, *(len(row) for row in behind)], dtype=np.int64)
    return (
        counts[0],
        np.array([u for row in before for u, _ in row], dtype=np.int64),
        counts[1],
        np.array([v for row in behind for v in row], dtype=np.int64),
        np.array([least for row in before for _, least in row], dtype=np.float64),
    )


def _near(way: Matrix, spec: Matrix, kind: npt.NDArray[np.int64], win: Matrix, allow: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """For every service the others that could stand beside it in a route, best first: near, at a fitting time, a caregiver in common."""
    n = len(win)
    if n == 0:
        return np.full((0, 1), -1, dtype=np.int64)
    places = kind[:n, at.PLACE]
    minutes = way.mean(axis=0)[np.ix_(places, places)]
    opens = win[:, 0]
    closes = win[np.arange(n), 2 * kind[:n, at.NWIN] - 1]
    done = spec[:n, at.DUR][:, None] + minutes
    waits = np.maximum(0.0, opens[None, :] - closes[:, None] - done)
    late = np.maximum(0.0, opens[:, None] + done - closes[None, :])
    follow = minutes + WAIT_SHARE * waits + LATE_SHARE * late
    beside = np.minimum(follow, follow.T)
    shared = (allow.astype(np.float64) @ allow.T.astype(np.float64)) > 0
    beside[~shared] = np.inf
    np.fill_diagonal(beside, np.inf)
    beside[(kind[:n, at.JOB][:, None] == kind[:n, at.JOB]) & (kind[:n, at.PARTNER] >= 0)] = np.inf
    length = max(1, min(NEAR, n - 1))
    order = np.argsort(beside, axis=1, kind="stable")[:, :length].astype(np.int64)
    order[~np.isfinite(np.take_along_axis(beside, order, axis=1))] = -1
    return np.ascontiguousarray(order)
