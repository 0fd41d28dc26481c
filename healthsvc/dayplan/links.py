"""Compiled: taking nodes out of routes and putting them in, with a log that takes it all back."""

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled
from healthsvc.dayplan.dice import below
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.timing import mark_route, way


@compiled
def begin(w: World) -> None:
    """Start a move: nothing touched yet."""
    w.flag[at.MOVE] += 1
    w.flag[at.N_DIRTY] = 0
    w.flag[at.N_TOUCHED] = 0
    w.flag[at.N_ROUTES] = 0
    w.flag[at.N_UNDO] = 0


@compiled
def _log(w: World, act: int, v: int, p: int) -> None:
    k = w.flag[at.N_UNDO]
    w.undo[k, 0] = act
    w.undo[k, 1] = v
    w.undo[k, 2] = p
    w.flag[at.N_UNDO] = k + 1


@compiled
def _dirty(w: World, v: int) -> None:
    w.dirty[w.flag[at.N_DIRTY]] = v
    w.flag[at.N_DIRTY] += 1


@compiled
def unlink(w: World, v: int) -> None:
    """Take service ``v`` out of its route."""
    p, q, c = w.link[v, at.PRV], w.link[v, at.NXT], w.link[v, at.RT]
    mark_route(w, c)
    change = way(w, c, p, q) - way(w, c, p, v) - way(w, c, v, q)
    w.route[c, at.TRAVEL] += change
    w.route[c, at.WORK] -= w.spec[v, at.DUR]
    w.total[at.SUM_TRAVEL] += change
    w.total[at.SUM_AFFINITY] -= w.pref[v, c]
    if w.person[c, at.ANCHOR] == v:
        w.person[c, at.ANCHOR] = p
    w.link[p, at.NXT] = q
    w.link[q, at.PRV] = p
    w.link[v, at.RT] = -1
    _log(w, at.UNLINK, v, p)
    _dirty(w, q)
    for k in range(w.later_at[v], w.later_at[v + 1]):
        _dirty(w, w.later[k])


@compiled
def insert(w: World, v: int, p: int) -> None:
    """Put service ``v`` after node ``p``; where the break is taken there, before or after the break as the dice fall.

    On an empty day it goes before the break where a morning spent waiting has a price.
    """
    c = w.link[p, at.RT]
    at_break = w.person[c, at.ANCHOR] == p and w.person[c, at.HAS_REST] > 0
    alone = w.route[c, at.REST_F] > 0.0 and p >= w.flag[at.N] and w.link[p, at.NXT] >= w.flag[at.N] + w.flag[at.C]
    insert_at(w, v, p, at_break and (alone or below(w.dice, 2) == 0))


@compiled
def insert_at(w: World, v: int, p: int, early: bool) -> None:
    """Put service ``v`` after node ``p``; ``early``: before the break that is taken there."""
    q, c = w.link[p, at.NXT], w.link[p, at.RT]
    mark_route(w, c)
    if early:
        w.person[c, at.ANCHOR] = v
    change = way(w, c, p, v) + way(w, c, v, q) - way(w, c, p, q)
    w.route[c, at.TRAVEL] += change
    w.route[c, at.WORK] += w.spec[v, at.DUR]
    w.total[at.SUM_TRAVEL] += change
    w.total[at.SUM_AFFINITY] += w.pref[v, c]
    w.link[p, at.NXT] = v
    w.link[v, at.PRV] = p
    w.link[v, at.NXT] = q
    w.link[q, at.PRV] = v
    w.link[v, at.RT] = c
    _log(w, at.LINK, v, p)
    _dirty(w, v)
    _dirty(w, q)
    for k in range(w.later_at[v], w.later_at[v + 1]):
        _dirty(w, w.later[k])


@compiled
def _reroute(w: World, v: int, c: int) -> None:
    """The chain from ``v`` to the end belongs to caregiver ``c`` from now on."""
    tail = w.flag[at.N] + w.flag[at.C]
    while v < tail:
        w.link[v, at.RT] = c
        v = w.link[v, at.NXT]


@compiled
def _dirty_chain(w: World, v: int) -> None:
    """Every way from ``v`` on takes another time."""
    tail = w.flag[at.N] + w.flag[at.C]
    while v < tail:
        v = w.link[v, at.NXT]
        _dirty(w, v)


@compiled
def _measure(w: World, c: int) -> None:
    """Work out travel and work of route ``c`` anew."""
    tail = w.flag[at.N] + w.flag[at.C]
    v = w.flag[at.N] + c
    travel, work = 0.0, 0.0
    while v < tail:
        u = w.link[v, at.NXT]
        travel += way(w, c, v, u)
        work += w.spec[u, at.DUR]
        v = u
    w.total[at.SUM_TRAVEL] += travel - w.route[c, at.TRAVEL]
    w.route[c, at.TRAVEL] = travel
    w.route[c, at.WORK] = work


@compiled
def _swap_chains(w: World, u: int, v: int) -> None:
    a, b = w.link[u, at.RT], w.link[v, at.RT]
    n, c_all = w.flag[at.N], w.flag[at.C]
    tail_a, tail_b = n + c_all + a, n + c_all + b
    x, y = w.link[u, at.NXT], w.link[v, at.NXT]
    last_a, last_b = w.link[tail_a, at.PRV], w.link[tail_b, at.PRV]
    if y != tail_b:
        w.link[u, at.NXT] = y
        w.link[y, at.PRV] = u
        w.link[last_b, at.NXT] = tail_a
        w.link[tail_a, at.PRV] = last_b
    else:
        w.link[u, at.NXT] = tail_a
        w.link[tail_a, at.PRV] = u
    if x != tail_a:
        w.link[v, at.NXT] = x
        w.link[x, at.PRV] = v
        w.link[last_a, at.NXT] = tail_b
        w.link[tail_b, at.PRV] = last_a
    else:
        w.link[v, at.NXT] = tail_b
        w.link[tail_b, at.PRV] = v
    _reroute(w, w.link[u, at.NXT], a)
    _reroute(w, w.link[v, at.NXT], b)


@compiled
def swap_tails(w: World, u: int, v: int) -> None:
    """Exchange what comes after ``u`` with what comes after ``v``, two nodes on different routes."""
    a, b = w.link[u, at.RT], w.link[v, at.RT]
    mark_route(w, a)
    mark_route(w, b)
    tail = w.flag[at.N] + w.flag[at.C]
    x = w.link[u, at.NXT]
    while x < tail:
        w.total[at.SUM_AFFINITY] += w.pref[x, b] - w.pref[x, a]
        if w.person[a, at.ANCHOR] == x:
            w.person[a, at.ANCHOR] = u
            _dirty(w, w.link[x, at.NXT])  # no break before it any more
        x = w.link[x, at.NXT]
    y = w.link[v, at.NXT]
    while y < tail:
        w.total[at.SUM_AFFINITY] += w.pref[y, a] - w.pref[y, b]
        if w.person[b, at.ANCHOR] == y:
            w.person[b, at.ANCHOR] = v
            _dirty(w, w.link[y, at.NXT])  # no break before it any more
        y = w.link[y, at.NXT]
    _swap_chains(w, u, v)
    _measure(w, a)
    _measure(w, b)
    _log(w, at.TAILS, u, v)
    _dirty(w, w.link[u, at.NXT])
    _dirty(w, w.link[v, at.NXT])
    if w.person[a, at.MODE] != w.person[b, at.MODE]:
        _dirty_chain(w, w.link[u, at.NXT])
        _dirty_chain(w, w.link[v, at.NXT])
    _dirty(w, tail + a)
    _dirty(w, tail + b)


@compiled
def move_anchor(w: World, c: int, u: int) -> None:
    """Caregiver ``c`` takes the break after node ``u`` instead (-1: not at all)."""
    mark_route(w, c)
    if w.person[c, at.ANCHOR] >= 0:
        _dirty(w, w.link[w.person[c, at.ANCHOR], at.NXT])
    if u >= 0:
        _dirty(w, w.link[u, at.NXT])
    w.person[c, at.ANCHOR] = u


@compiled
def undo(w: World, travel: float, affinity: float, skip: float) -> None:
    """Take the whole move back; the three sums are what they were before it."""
    for k in range(w.flag[at.N_UNDO] - 1, -1, -1):
        act, v, p = w.undo[k, 0], w.undo[k, 1], w.undo[k, 2]
        if act == at.UNLINK:
            q = w.link[p, at.NXT]
            w.link[p, at.NXT] = v
            w.link[v, at.PRV] = p
            w.link[v, at.NXT] = q
            w.link[q, at.PRV] = v
            w.link[v, at.RT] = w.link[p, at.RT]
        elif act == at.LINK:
            q = w.link[v, at.NXT]
            w.link[p, at.NXT] = q
            w.link[q, at.PRV] = p
            w.link[v, at.RT] = -1
        else:
            _swap_chains(w, v, p)
    for k in range(w.flag[at.N_ROUTES]):
        c = w.routes[k]
        w.route[c, at.TRAVEL] = w.route[c, at.OLD_TRAVEL]
        w.route[c, at.WORK] = w.route[c, at.OLD_WORK]
        w.person[c, at.ANCHOR] = w.person[c, at.OLD_ANCHOR]
    w.total[at.SUM_TRAVEL] = travel
    w.total[at.SUM_AFFINITY] = affinity
    w.total[at.SUM_SKIP] = skip
