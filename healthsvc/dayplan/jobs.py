# mypy: disable-error-code="no-any-return"
"""Compiled: moves of whole visits: both halves of a double visit together, in and out of the plan, and the greedy first plan."""

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled, entry
from healthsvc.dayplan.dice import below
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.links import begin, insert, insert_at, move_anchor, undo, unlink
from healthsvc.dayplan.moves import finish, may_join, near_node, spot
from healthsvc.dayplan.pricing import accept, evaluate, fixed_price
from healthsvc.dayplan.timing import INFINITE

TRIES = 6


@compiled
def _spot_at(w: World, v: int, time: float) -> int:
    """A node after which ``v`` could go so that it would start about ``time``."""
    found, best = -1, INFINITE
    for _ in range(TRIES):
        u = near_node(w, v)
        if u < 0 or not may_join(w, v, w.link[u, at.RT]):
            continue
        if w.time[u, at.S] > time:
            u = w.link[u, at.PRV]
        apart = abs(time - w.time[u, at.S])
        if u >= w.flag[at.N]:
            apart *= 0.5
        if apart < best:
            found, best = u, apart
    if found < 0:
        # nobody near may take it: somebody whose way is still empty stands near nothing
        c = below(w.dice, w.flag[at.C])
        if may_join(w, v, c):
            found = w.flag[at.N] + c
    if found >= 0:
        q = w.link[found, at.NXT]
        while q < w.flag[at.N] and w.time[q, at.S] < time:
            found = q
            q = w.link[q, at.NXT]
    return found


@compiled
def _place(w: World, j: int, lead: int, first: int) -> bool:
    """Link all services of visit ``j``: number ``lead`` (-1: any) after ``first`` (-1: anywhere), its partners where they start in time.

    Of three or more, now and then one goes anywhere: all may have to wait until somebody has made another visit first.
    """
    v = w.job[j, at.FIRST]
    count = w.job[j, at.COUNT]
    if lead < 0:
        lead = below(w.dice, count)
    for k in range(count):
        x = v + (lead + k) % count
        p = v + (x - v + count - 1) % count if w.kind[x, at.PARTNER] >= 0 else -1
        if k == 0 or p < 0 or w.link[p, at.RT] < 0:
            q = first if k == 0 and first >= 0 else spot(w, x)
            if q >= 0 and not may_join(w, x, w.link[q, at.RT]):
                q = -1
        else:
            neighbour = w.link[p, at.PRV]
            time = w.time[neighbour, at.S] + w.spec[neighbour, at.DUR] if neighbour < w.flag[at.N] else w.win[p, 0]
            time = max(time, w.win[p, 0])
            least = w.spec[x, at.GAPMIN]
            time += least * (x - p)
            q = spot(w, x) if count > 2 and below(w.dice, 4) == 0 else _spot_at(w, x, time)
        if q < 0:
            return False
        insert(w, x, q)
    return True


@compiled
def _lift(w: World, j: int) -> float:
    """Unlink every service of visit ``j``; the price of the lateness that goes with them."""
    dropped = 0.0
    for x in range(w.job[j, at.FIRST], w.job[j, at.FIRST] + w.job[j, at.COUNT]):
        dropped += w.time[x, at.LATE] * (w.price[at.W_HARD] if w.kind[x, at.HARD] else w.spec[x, at.LATEW])
        unlink(w, x)
    return dropped


@compiled
def take_out(w: World, j: int) -> None:
    """Enter visit ``j`` in the list of those left out."""
    w.job[j, at.POS] = w.flag[at.N_OUT]
    w.out[w.flag[at.N_OUT]] = j
    w.flag[at.N_OUT] += 1


@compiled
def take_in(w: World, j: int) -> None:
    """Strike visit ``j`` from the list of those left out."""
    k = w.job[j, at.POS]
    last = w.out[w.flag[at.N_OUT] - 1]
    w.out[k] = last
    w.job[last, at.POS] = k
    w.job[j, at.POS] = -1
    w.flag[at.N_OUT] -= 1


@compiled
def move_visit(w: World, j: int, limit: float) -> bool:
    """Take all services of a visit out and put them in elsewhere."""
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    _lift(w, j)
    if not _place(w, j, -1, -1):
        undo(w, travel, affinity, skip)
        return False
    return finish(w, limit, 0.0, -1, travel, affinity, skip)


@compiled
def bring_in(w: World, j: int, limit: float) -> bool:
    """Plan a visit that is left out."""
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    if not _place(w, j, -1, -1):
        undo(w, travel, affinity, skip)
        return False
    w.total[at.SUM_SKIP] -= w.skip[j]
    if not finish(w, limit, 0.0, -1, travel, affinity, skip):
        return False
    take_in(w, j)
    return True


@compiled
def leave_out(w: World, j: int, limit: float) -> bool:
    """Leave out a visit that is planned."""
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    dropped = _lift(w, j)
    w.total[at.SUM_SKIP] += w.skip[j]
    if not finish(w, limit, dropped, j, travel, affinity, skip):
        return False
    take_out(w, j)
    return True


@compiled
def _pinned(w: World, j: int) -> bool:
    """Whether a service of visit ``j`` stays where it is."""
    pinned = False
    for v in range(w.job[j, at.FIRST], w.job[j, at.FIRST] + w.job[j, at.COUNT]):
        pinned |= w.kind[v, at.FIXED] > 0
    return pinned


@compiled
def _before(w: World, v: int) -> int:
    """The node before ``v`` on its route that belongs to another visit, or the head of the route."""
    p = w.link[v, at.PRV]
    while p < w.flag[at.N] and w.kind[p, at.JOB] == w.kind[v, at.JOB]:
        p = w.link[p, at.PRV]
    return p


@compiled
def rest_instead(w: World, c: int, limit: float) -> bool:
    """Caregiver ``c``, who misses the break, takes it in place of a visit, which goes elsewhere or is left out.

    A full day has no room for a break that was once given up, and leaving a visit out alone does not pay: only both together do.
    """
    n = w.flag[at.N]
    v = w.link[n + c, at.NXT]
    steps = below(w.dice, 16)
    while steps > 0 and v < n and w.link[v, at.NXT] < n:
        v = w.link[v, at.NXT]
        steps -= 1
    if v >= n:
        return False
    j = w.kind[v, at.JOB]
    if _pinned(w, j):
        return False
    p = _before(w, v)
    elsewhere = w.job[j, at.MUST] or below(w.dice, 2) == 0
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    dropped = _lift(w, j)
    move_anchor(w, c, p)
    if elsewhere:
        if not _place(w, j, -1, -1):
            undo(w, travel, affinity, skip)
            return False
        return finish(w, limit, 0.0, -1, travel, affinity, skip)
    w.total[at.SUM_SKIP] += w.skip[j]
    if not finish(w, limit, dropped, j, travel, affinity, skip):
        return False
    take_out(w, j)
    return True


@compiled
def replace(w: World, j: int, limit: float) -> bool:
    """Plan visit ``j``, which is left out, in the place of a visit near any of its services, which is left out instead."""
    lead = below(w.dice, w.job[j, at.COUNT]) if w.job[j, at.COUNT] > 1 else 0
    v = w.job[j, at.FIRST] + lead
    u = near_node(w, v)
    if u < 0:
        return False
    i = w.kind[u, at.JOB]
    if _pinned(w, i):
        return False
    p, c = _before(w, u), w.link[u, at.RT]
    if not w.allow[v, c]:
        return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    dropped = _lift(w, i)
    w.total[at.SUM_SKIP] += w.skip[i] - w.skip[j]
    if not _place(w, j, lead, p):
        undo(w, travel, affinity, skip)
        return False
    if not finish(w, limit, dropped, i, travel, affinity, skip):
        return False
    take_in(w, j)
    take_out(w, i)
    return True


@compiled
def best_spot(w: World, v: int) -> tuple[int, bool]:
    """The cheapest place for ``v``: the node before it (-1: none) and whether before the break that is taken there."""
    found, before_break, best = -1, False, INFINITE
    n = w.flag[at.N]
    for c in range(w.flag[at.C]):
        if not may_join(w, v, c):
            continue
        p = n + c
        while p < n + w.flag[at.C]:
            for early in range(2 if w.person[c, at.HAS_REST] and w.person[c, at.ANCHOR] == p else 1):
                travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
                begin(w)
                insert_at(w, v, p, early == 1)
                fixed = fixed_price(w)
                if fixed < best:
                    price = evaluate(w, fixed, 0.0, best)
                    if price < best:
                        found, before_break, best = p, early == 1, price
                undo(w, travel, affinity, skip)
            p = w.link[p, at.NXT]
    return found, before_break


@compiled
def plan_visit(w: World, j: int) -> bool:
    """Put the services of visit ``j`` where they are cheapest; False, and nothing changed, where there is no place or none that pays."""
    first = w.job[j, at.FIRST]
    count = w.job[j, at.COUNT]
    out = w.total[at.COST]
    for k in range(count):
        p, early = best_spot(w, first + k)
        done = False
        if p >= 0:
            begin(w)
            insert_at(w, first + k, p, early)
            fixed = fixed_price(w)
            price = evaluate(w, fixed, 0.0, 1e290)
            if price < INFINITE:
                accept(w, price, fixed, -1)
                done = True
            else:
                undo(w, w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP])
        if not done:
            _withdraw(w, first, k, j)
            return False
    if not w.job[j, at.MUST] and w.total[at.COST] - w.skip[j] >= out:
        _withdraw(w, first, count, j)
        return False
    w.total[at.SUM_SKIP] -= w.skip[j]
    w.total[at.COST] -= w.skip[j]
    w.total[at.FIXED_COST] -= w.skip[j]
    w.total[at.TRUE_COST] -= w.skip[j]
    take_in(w, j)
    return True


@compiled
def _withdraw(w: World, first: int, count: int, j: int) -> None:
    """Take the first ``count`` services of visit ``j`` out again."""
    begin(w)
    dropped = 0.0
    for x in range(first, first + count):
        dropped += w.time[x, at.LATE] * (w.price[at.W_HARD] if w.kind[x, at.HARD] else w.spec[x, at.LATEW])
        unlink(w, x)
    fixed = fixed_price(w)
    accept(w, evaluate(w, fixed, dropped, 1e290), fixed, j)


@entry
def construct(w: World, order: object) -> int:
    """Plan the visits that are left out, in the given order, each where it is cheapest; how many found a place."""
    planned = 0
    for k in range(len(order)):  # type: ignore[arg-type]
        if w.job[order[k], at.POS] >= 0:  # type: ignore[index]
            planned += plan_visit(w, order[k])  # type: ignore[index]
    return planned
