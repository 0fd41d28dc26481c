# mypy: disable-error-code="no-any-return"
"""Compiled: the price of a changed plan, exact, and a bound below it that needs no times."""

import math

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled, entry
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.timing import INFINITE, mark_route, rest_taken, settle, start_of, way

__all__ = ["INFINITE", "accept", "evaluate", "fixed_price", "mark_route", "rebuild"]


@compiled
def balance(w: World) -> float:
    """Sum over caregivers of the difference to the mean working time, each rounded up."""
    c_all = w.flag[at.C]
    mean = 0.0
    for c in range(c_all):
        mean += w.route[c, at.TRAVEL] + w.route[c, at.WORK]
    mean /= c_all
    total = 0.0
    for c in range(c_all):
        total += math.ceil(abs(w.route[c, at.TRAVEL] + w.route[c, at.WORK] - mean) - 1e-9)
    return total


@compiled
def _least_idle_of(w: World, c: int) -> float:
    """Unused shift time of one caregiver if no break is missed and no overtime worked: never above the true one."""
    if not w.person[c, at.BOUNDED]:
        return 0.0
    idle = w.route[c, at.SHIFT_E] - w.route[c, at.SHIFT_S] - w.route[c, at.TRAVEL] - w.route[c, at.WORK]
    if w.person[c, at.HAS_REST]:
        idle -= w.route[c, at.REST_D]
    return max(0.0, idle)


@compiled
def _idle_of(w: World, c: int) -> float:
    """Unused shift time of one caregiver with the tried figures."""
    return w.route[c, at.T_IDLE] if w.person[c, at.RSTAMP] == w.flag[at.MOVE] else w.route[c, at.IDLE]


@compiled
def least_idle(w: World) -> float:
    """The idle part of the objective from below."""
    worst, powers = 0.0, 0.0
    for c in range(w.flag[at.C]):
        idle = _least_idle_of(w, c)
        worst = max(worst, idle)
        if w.price[at.SOFT_IDLE] > 0.0:
            powers += _eighth(idle)
    return math.sqrt(math.sqrt(math.sqrt(powers))) if w.price[at.SOFT_IDLE] > 0.0 else worst


@compiled
def _eighth(x: float) -> float:
    """The eighth power."""
    x *= x
    x *= x
    return x * x


@compiled
def soft_idle(w: World) -> float:
    """The idle part of the objective with the tried figures.

    A maximum has no slope: a move that helps anybody but the idlest is worth nothing. So while it is warm the maximum is replaced by the
    8-norm, which every idle caregiver pushes a little; in the end by the maximum itself.
    """
    worst, powers = 0.0, 0.0
    for c in range(w.flag[at.C]):
        idle = _idle_of(w, c)
        worst = max(worst, idle)
        if w.price[at.SOFT_IDLE] > 0.0:
            powers += _eighth(idle)
    return math.sqrt(math.sqrt(math.sqrt(powers))) if w.price[at.SOFT_IDLE] > 0.0 else worst


@compiled
def fixed_price(w: World) -> float:
    """What the plan costs at least, whatever the times: travel, who comes, what is left out, idle and balance from below."""
    price = w.price[at.W_TRAVEL] * w.total[at.SUM_TRAVEL] + w.total[at.SUM_AFFINITY] + w.total[at.SUM_SKIP]
    if w.price[at.W_IDLE] > 0.0:
        price += w.price[at.W_IDLE] * least_idle(w)
    if w.price[at.W_BALANCE] > 0.0:
        price += w.price[at.W_BALANCE] * balance(w)
    return price


@compiled
def _figures(w: World, c: int) -> None:
    """Waiting, overtime, missed break and idle time of route ``c`` from the tried times."""
    n = w.flag[at.N]
    head, tail = n + c, n + w.flag[at.C] + c
    taken = rest_taken(w, c)
    rest = w.route[c, at.REST_D] if taken else 0.0
    back = start_of(w, tail)
    over = max(0.0, back - w.route[c, at.SHIFT_E])
    first = w.link[head, at.NXT]
    wait, out = 0.0, 0.0
    if first != tail:
        home = way(w, c, w.link[tail, at.PRV], tail)
        out = way(w, c, head, first)
        if w.flag[at.SHIFT_START]:
            wait = back - home - w.route[c, at.SHIFT_S] - w.route[c, at.WORK] - (w.route[c, at.TRAVEL] - home) - rest
        else:
            wait = back - home - start_of(w, first) - w.route[c, at.WORK] - (w.route[c, at.TRAVEL] - home - out)
            if w.person[c, at.ANCHOR] != head:
                wait -= rest
    w.route[c, at.T_WAIT] = wait
    w.route[c, at.T_OVER] = over
    w.route[c, at.T_MISS] = w.route[c, at.REST_W] if w.person[c, at.HAS_REST] and not taken else 0.0
    if taken and first != tail and w.person[c, at.ANCHOR] == head:
        w.route[c, at.T_MISS] += w.route[c, at.REST_F] * max(0.0, start_of(w, first) - out - w.route[c, at.SHIFT_S])
    idle = w.route[c, at.SHIFT_E] - w.route[c, at.SHIFT_S] - w.route[c, at.TRAVEL] - w.route[c, at.WORK] - rest + over
    w.route[c, at.T_IDLE] = max(0.0, idle) if w.person[c, at.BOUNDED] else 0.0


@compiled
def evaluate(w: World, fixed: float, dropped: float, limit: float) -> float:
    """The price of the plan as it is linked now; INFINITE as soon as it is sure to pass ``limit``.

    ``fixed`` comes from :func:`fixed_price`; ``dropped`` is the price of the lateness of nodes that the move took out.
    """
    w.flag[at.N_TOUCHED] = 0
    tried = settle(w, limit - fixed)
    if tried >= INFINITE:
        return INFINITE
    old, late, hard, latest = 0.0, 0.0, 0.0, 0.0
    for k in range(w.flag[at.N_TOUCHED]):
        v = w.touched[k]
        if w.kind[v, at.HARD]:
            hard += w.time[v, at.TLATE] - w.time[v, at.LATE]
        else:
            late += w.spec[v, at.LATEW] * (w.time[v, at.TLATE] - w.time[v, at.LATE])
            latest = max(latest, w.time[v, at.TLATE])
    late += w.total[at.SUM_LATE]
    hard += w.total[at.SUM_HARD]
    old = fixed + late + w.price[at.W_HARD] * hard - dropped
    if w.price[at.W_LATEST] > 0.0:
        if old + w.price[at.W_LATEST] * latest > limit:
            return INFINITE
        if latest < w.total[at.MAX_LATE]:
            latest = _latest(w, latest)
    price = old + w.price[at.W_LATEST] * latest
    wait, over, miss = w.total[at.SUM_WAIT], w.total[at.SUM_OVER], w.total[at.SUM_MISS]
    for k in range(w.flag[at.N_ROUTES]):
        c = w.routes[k]
        _figures(w, c)
        wait += w.route[c, at.T_WAIT] - w.route[c, at.WAIT]
        over += w.route[c, at.T_OVER] - w.route[c, at.OVER]
        miss += w.route[c, at.T_MISS] - w.route[c, at.MISS]
    price += w.price[at.W_WAIT] * wait + w.price[at.W_OVER] * over + miss
    if w.price[at.W_IDLE] > 0.0:
        price += w.price[at.W_IDLE] * (soft_idle(w) - least_idle(w))
    return price


@compiled
def _latest(w: World, latest: float) -> float:
    """The largest lateness with the tried times, given the largest among the tried nodes."""
    for v in range(w.flag[at.N]):
        if w.link[v, at.STAMP] != w.flag[at.MOVE] and w.link[v, at.RT] >= 0 and not w.kind[v, at.HARD] and w.time[v, at.LATE] > latest:
            latest = w.time[v, at.LATE]
    return latest


@compiled
def accept(w: World, price: float, fixed: float, job: int) -> None:
    """Make the tried times the present ones. ``job`` is the visit that the move took out (-1: none)."""
    total = w.total
    for k in range(w.flag[at.N_TOUCHED]):
        v = w.touched[k]
        change = w.time[v, at.TLATE] - w.time[v, at.LATE]
        if w.kind[v, at.HARD]:
            total[at.SUM_HARD] += change
        else:
            total[at.SUM_LATE] += w.spec[v, at.LATEW] * change
        w.time[v, at.S] = w.time[v, at.TS]
        w.time[v, at.LATE] = w.time[v, at.TLATE]
    if job >= 0:
        forget(w, job)
    n, c_all = w.flag[at.N], w.flag[at.C]
    for k in range(w.flag[at.N_ROUTES]):
        c = w.routes[k]
        total[at.SUM_WAIT] += w.route[c, at.T_WAIT] - w.route[c, at.WAIT]
        total[at.SUM_OVER] += w.route[c, at.T_OVER] - w.route[c, at.OVER]
        total[at.SUM_MISS] += w.route[c, at.T_MISS] - w.route[c, at.MISS]
        w.route[c, at.WAIT] = w.route[c, at.T_WAIT]
        w.route[c, at.OVER] = w.route[c, at.T_OVER]
        w.route[c, at.MISS] = w.route[c, at.T_MISS]
        w.route[c, at.IDLE] = w.route[c, at.T_IDLE]
        w.time[n + c_all + c, at.S] = start_of(w, n + c_all + c)
    idle = w.price[at.W_IDLE] * soft_idle(w) if w.price[at.SOFT_IDLE] > 0.0 else 0.0
    total[at.COST] = price
    total[at.FIXED_COST] = fixed
    if w.price[at.W_LATEST] > 0.0:
        latest = 0.0
        for v in range(n):
            if w.link[v, at.RT] >= 0 and not w.kind[v, at.HARD] and w.time[v, at.LATE] > latest:
                latest = w.time[v, at.LATE]
        total[at.MAX_LATE] = latest
    if w.price[at.W_IDLE] > 0.0:
        worst = -1.0
        for c in range(c_all):
            if w.route[c, at.IDLE] > worst:
                worst = w.route[c, at.IDLE]
                w.flag[at.IDLEST] = c
        total[at.MAX_IDLE] = max(0.0, worst)
    total[at.TRUE_COST] = price - idle + w.price[at.W_IDLE] * total[at.MAX_IDLE] if w.price[at.SOFT_IDLE] > 0.0 else price


@compiled
def forget(w: World, job: int) -> None:
    """The services of a visit that is out of the plan are not late any more."""
    for v in range(w.job[job, at.FIRST], w.job[job, at.FIRST] + w.job[job, at.COUNT]):
        if w.link[v, at.RT] < 0:
            if w.kind[v, at.HARD]:
                w.total[at.SUM_HARD] -= w.time[v, at.LATE]
            else:
                w.total[at.SUM_LATE] -= w.spec[v, at.LATEW] * w.time[v, at.LATE]
            w.time[v, at.LATE] = 0.0
            w.time[v, at.S] = -1e9


@entry
def rebuild(w: World) -> float:
    """Work out every time and figure from the links alone; the price, or INFINITE where pairs wait for each other in a circle."""
    n, c_all = w.flag[at.N], w.flag[at.C]
    w.flag[at.MOVE] += 1
    w.flag[at.N_DIRTY] = 0
    w.flag[at.N_TOUCHED] = 0
    w.flag[at.N_ROUTES] = 0
    total = w.total
    for k in range(at.COST):
        total[k] = 0.0
    for j in range(w.flag[at.J]):
        if w.link[w.job[j, at.FIRST], at.RT] < 0:
            total[at.SUM_SKIP] += w.skip[j]
    for v in range(n):
        w.time[v, at.S] = -1e9
        w.time[v, at.LATE] = 0.0
        if w.link[v, at.RT] >= 0:
            total[at.SUM_AFFINITY] += w.pref[v, w.link[v, at.RT]]
    for c in range(c_all):
        for column in range(at.IDLE + 1):
            w.route[c, column] = 0.0
        v = n + c
        while v < n + c_all:
            u = w.link[v, at.NXT]
            w.route[c, at.TRAVEL] += way(w, c, v, u)
            w.route[c, at.WORK] += w.spec[u, at.DUR]
            w.dirty[w.flag[at.N_DIRTY]] = u
            w.flag[at.N_DIRTY] += 1
            if u >= n + c_all:
                break
            v = u
        total[at.SUM_TRAVEL] += w.route[c, at.TRAVEL]
        mark_route(w, c)
    fixed = fixed_price(w)
    price = evaluate(w, fixed, 0.0, 1e290)
    if price < INFINITE:
        accept(w, price, fixed, -1)
    return price
