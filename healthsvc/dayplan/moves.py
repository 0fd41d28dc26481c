# mypy: disable-error-code="no-any-return"
"""Compiled: the small changes that the search tries. Each returns True when it was accepted.

A move is refused as early as possible: first by the travel it adds (no link is touched), then by the price that needs no times, then while
times settle.
"""

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled
from healthsvc.dayplan.dice import below
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.links import begin, insert, move_anchor, swap_tails, undo, unlink
from healthsvc.dayplan.pricing import accept, evaluate, fixed_price
from healthsvc.dayplan.timing import way


@compiled
def finish(w: World, limit: float, dropped: float, job: int, travel: float, affinity: float, skip: float) -> bool:
    """Keep the linked move if its price is within ``limit``; else take it back."""
    fixed = fixed_price(w)
    if fixed <= limit:
        price = evaluate(w, fixed, dropped, limit)
        if price <= limit:
            accept(w, price, fixed, job)
            return True
    undo(w, travel, affinity, skip)
    return False


@compiled
def bound(w: World, change: float, a: int, b: int) -> float:
    """The price after a change of travel (priced) on routes ``a`` and ``b``, from below, without touching a link."""
    price = w.price[at.W_TRAVEL] * w.total[at.SUM_TRAVEL] + w.total[at.SUM_AFFINITY] + w.total[at.SUM_SKIP] + change
    if w.price[at.W_IDLE] > 0.0:
        c = w.flag[at.IDLEST]
        if c != a and c != b:
            idle = w.route[c, at.SHIFT_E] - w.route[c, at.SHIFT_S] - w.route[c, at.TRAVEL] - w.route[c, at.WORK]
            if w.person[c, at.HAS_REST]:
                idle -= w.route[c, at.REST_D]
            price += w.price[at.W_IDLE] * max(0.0, idle)
    return price


@compiled
def may_join(w: World, v: int, c: int) -> bool:
    """Whether caregiver ``c`` may make ``v``: allowed, and not already there for somebody else's part."""
    return w.allow[v, c] > 0 and not comes_too(w, v, c, -1)


@compiled
def comes_too(w: World, v: int, c: int, but: int) -> bool:
    """Whether caregiver ``c`` makes another service that goes together with ``v`` (``but`` does not count)."""
    p = w.kind[v, at.PARTNER]
    while p >= 0 and p != v:
        if p != but and w.link[p, at.RT] == c:
            return True
        p = w.kind[p, at.PARTNER]
    return False


@compiled
def near_node(w: World, v: int) -> int:
    """A planned service near ``v`` in place and time; -1 when the one drawn is not planned. Nearer ones are drawn more often."""
    n_near = w.flag[at.N_NEAR]
    k = min(below(w.dice, n_near), below(w.dice, n_near))
    u = w.near[v, k]
    if u < 0 or w.link[u, at.RT] < 0:
        return -1
    return u


@compiled
def spot(w: World, v: int) -> int:
    """A node after which ``v`` could go: beside a near service, or (rarely) first on somebody's route; -1 for none."""
    if below(w.dice, 32) == 0:
        c = below(w.dice, w.flag[at.C])
        return w.flag[at.N] + c if may_join(w, v, c) else -1
    u = near_node(w, v)
    if u < 0 or not may_join(w, v, w.link[u, at.RT]):
        return -1
    return u if below(w.dice, 2) == 0 else w.link[u, at.PRV]


@compiled
def relocate(w: World, v: int, limit: float) -> bool:
    """Move one service to another place, on this route or another."""
    p = spot(w, v)
    before = w.link[v, at.PRV]
    if p < 0 or p in (v, before):
        return False
    a, c = w.link[v, at.RT], w.link[p, at.RT]
    after, q = w.link[v, at.NXT], w.link[p, at.NXT]
    change = way(w, a, before, after) - way(w, a, before, v) - way(w, a, v, after)
    change += way(w, c, p, v) + way(w, c, v, q) - way(w, c, p, q)
    price = w.price[at.W_TRAVEL] * change + w.pref[v, c] - w.pref[v, a]
    if bound(w, price, a, c) > limit:
        return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    unlink(w, v)
    insert(w, v, p)
    return finish(w, limit, 0.0, -1, travel, affinity, skip)


@compiled
def exchange(w: World, v: int, limit: float) -> bool:
    """Two services change places."""
    near = near_node(w, v)
    if near < 0:
        return False
    u = w.link[near, at.NXT] if below(w.dice, 2) == 0 else w.link[near, at.PRV]
    if u >= w.flag[at.N] or u == v or w.kind[u, at.FIXED]:
        return False
    a, b = w.link[v, at.RT], w.link[u, at.RT]
    pv, pu = w.link[v, at.PRV], w.link[u, at.PRV]
    if pv == u or pu == v:
        return False
    if not (w.allow[v, b] and w.allow[u, a]):
        return False
    if a != b and (comes_too(w, v, b, u) or comes_too(w, u, a, v)):
        return False
    nv, nu = w.link[v, at.NXT], w.link[u, at.NXT]
    change = way(w, a, pv, u) + way(w, a, u, nv) - way(w, a, pv, v) - way(w, a, v, nv)
    change += way(w, b, pu, v) + way(w, b, v, nu) - way(w, b, pu, u) - way(w, b, u, nu)
    price = w.price[at.W_TRAVEL] * change + w.pref[v, b] - w.pref[v, a] + w.pref[u, a] - w.pref[u, b]
    if bound(w, price, a, b) > limit:
        return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    unlink(w, v)
    unlink(w, u)
    insert(w, u, pv)
    insert(w, v, pu)
    return finish(w, limit, 0.0, -1, travel, affinity, skip)


@compiled
def tails_may_swap(w: World, u: int, q: int) -> bool:
    """Whether everybody after ``u`` may be seen by the caregiver of ``q`` and the other way round."""
    n, tail = w.flag[at.N], w.flag[at.N] + w.flag[at.C]
    for _ in range(2):
        x = w.link[u, at.NXT]
        other = w.link[q, at.RT]
        first = w.link[q, at.NXT]
        while x < tail:
            if not w.allow[x, other]:
                return False
            p = w.kind[x, at.PARTNER]
            while p >= 0 and p != x:
                if w.link[p, at.RT] == other and (first >= n or w.time[p, at.S] < w.time[first, at.S]):
                    return False
                p = w.kind[p, at.PARTNER]
            x = w.link[x, at.NXT]
        u, q = q, u
    return True


@compiled
def swap_rest(w: World, v: int, limit: float) -> bool:
    """Two caregivers exchange the rest of their days, so that ``v`` follows a near service."""
    u = near_node(w, v)
    if u < 0:
        return False
    a, b = w.link[u, at.RT], w.link[v, at.RT]
    if a == b:
        return False
    q = w.link[v, at.PRV]
    x = w.link[u, at.NXT]
    n = w.flag[at.N]
    tail = n + w.flag[at.C]
    if (
        w.person[a, at.MODE] == w.person[b, at.MODE]
        and w.kind[tail + a, at.PLACE] == w.kind[tail + b, at.PLACE]
        and w.price[at.W_IDLE] == 0.0
    ):
        change = way(w, a, u, v) + way(w, a, q, x) - way(w, a, u, x) - way(w, a, q, v)
        if bound(w, w.price[at.W_TRAVEL] * change, a, b) - w.total[at.SUM_AFFINITY] > limit:
            return False
    if not tails_may_swap(w, u, q):
        return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    swap_tails(w, u, q)
    return finish(w, limit, 0.0, -1, travel, affinity, skip)


@compiled
def move_chain(w: World, v: int, limit: float) -> bool:
    """Move two or three services that follow each other to another place together."""
    n = w.flag[at.N]
    p = spot(w, v)
    if p < 0:
        return False
    a, c = w.link[v, at.RT], w.link[p, at.RT]
    x = w.link[v, at.NXT]
    length = 2 + below(w.dice, 2)
    last = v
    count = 1
    while count < length and x < n and not w.kind[x, at.FIXED]:
        if x == p or (a != c and not may_join(w, x, c)):
            return False
        last = x
        count += 1
        x = w.link[x, at.NXT]
    before = w.link[v, at.PRV]
    if count < 2 or p in (v, before):
        return False
    q = w.link[p, at.NXT]
    if w.person[a, at.MODE] == w.person[c, at.MODE]:
        change = way(w, a, before, x) - way(w, a, before, v) - way(w, a, last, x)
        change += way(w, c, p, v) + way(w, c, last, q) - way(w, c, p, q)
        if bound(w, w.price[at.W_TRAVEL] * change, a, c) - w.total[at.SUM_AFFINITY] > limit:
            return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    x = v
    for _ in range(count):
        nxt = w.link[x, at.NXT]
        unlink(w, x)
        insert(w, x, p)
        p = x
        x = nxt
    return finish(w, limit, 0.0, -1, travel, affinity, skip)


@compiled
def shift_rest(w: World, c: int, limit: float) -> bool:
    """Caregiver ``c`` takes the break at another point of the day."""
    n = w.flag[at.N]
    u = w.person[c, at.ANCHOR]
    steps = 1 + below(w.dice, 3)
    if u < 0:
        u = n + c
        steps = below(w.dice, 16)
        while steps > 0 and w.link[u, at.NXT] < n:
            u = w.link[u, at.NXT]
            steps -= 1
    elif below(w.dice, 8) == 0:
        u = -1
    elif below(w.dice, 2) == 0:
        while steps > 0 and w.link[u, at.NXT] < n:
            u = w.link[u, at.NXT]
            steps -= 1
    else:
        while steps > 0 and u < n:
            u = w.link[u, at.PRV]
            steps -= 1
    if u == w.person[c, at.ANCHOR]:
        return False
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    move_anchor(w, c, u)
    return finish(w, limit, 0.0, -1, travel, affinity, skip)
