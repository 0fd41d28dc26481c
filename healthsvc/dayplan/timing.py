# mypy: disable-error-code="no-any-return"
"""Compiled: when every service starts.

A changed plan is worked out from its changed places only. Start times move along the routes and across pairs until nothing changes any
more; the walk ends early as soon as the price passes a limit. Tried times live beside the present ones (``TS`` beside ``S``), valid while
the node's stamp is the number of the move, so that a rejected move costs nothing to forget.
"""

from healthsvc.dayplan import grid
from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled
from healthsvc.dayplan.layout import World

INFINITE = 1e300

_up = compiled(grid.up)


@compiled
def start_of(w: World, v: int) -> float:
    """The start of a node: tried if this move has tried it, else the present one."""
    return w.time[v, at.TS] if w.link[v, at.STAMP] == w.flag[at.MOVE] else w.time[v, at.S]


@compiled
def way(w: World, c: int, u: int, v: int) -> float:
    """Travel minutes of caregiver ``c`` from node ``u`` to node ``v``."""
    return w.way[w.person[c, at.MODE], w.kind[u, at.PLACE], w.kind[v, at.PLACE]]


@compiled
def ready(w: World, v: int) -> float:
    """When the caregiver on whose route ``v`` lies can begin there, the break (if it lies between) included."""
    u = w.link[v, at.PRV]
    c = w.link[v, at.RT]
    free = start_of(w, u) + w.spec[u, at.DUR]
    minutes = way(w, c, u, v)
    if w.person[c, at.ANCHOR] == u and w.person[c, at.HAS_REST]:
        begin = _up(max(free + minutes, w.route[c, at.REST_S]), w.price[at.STEP], w.route[c, at.REST_E])
        if begin <= w.route[c, at.REST_E] and (v < w.flag[at.N] or w.kind[v, at.PLACE] == w.kind[w.flag[at.N] + c, at.PLACE]):
            return begin + w.route[c, at.REST_D]
        begin = _up(max(free, w.route[c, at.REST_S]), w.price[at.STEP], w.route[c, at.REST_E])
        if begin <= w.route[c, at.REST_E]:
            return begin + w.route[c, at.REST_D] + minutes
    return free + minutes


@compiled
def rest_taken(w: World, c: int) -> bool:
    """Whether the break at the caregiver's anchor still falls into its window."""
    u = w.person[c, at.ANCHOR]
    if u < 0 or not w.person[c, at.HAS_REST]:
        return False
    free = start_of(w, u) + w.spec[u, at.DUR]
    return max(free, w.route[c, at.REST_S]) <= w.route[c, at.REST_E]


@compiled
def earliest(w: World, v: int) -> float:
    """When ``v`` could begin if it had neither window nor partner: its caregiver is there, earlier visits are far enough behind."""
    time = ready(w, v)
    for k in range(w.earlier_at[v], w.earlier_at[v + 1]):
        u = w.earlier[k]
        if w.link[u, at.RT] >= 0:
            time = max(time, start_of(w, u) + w.gap[k])
    return time


@compiled
def into_window(w: World, v: int, time: float) -> float:
    """``time``, or the start of the window that is worth waiting for; on a whole step of the clock where there are steps."""
    k = 0
    last = w.kind[v, at.NWIN] - 1
    if time <= w.win[v, 0]:
        time = w.win[v, 0]
    else:
        while k < last and w.win[v, 2 * (k + 1)] <= time:
            k += 1
        late = time - w.win[v, 2 * k + 1]
        if late > 0.0 and k < last:
            wait = w.win[v, 2 * (k + 1)] - time
            if w.kind[v, at.HARD] or wait * w.price[at.W_WAIT] < late * (w.spec[v, at.LATEW] + w.price[at.W_LATEST]):
                k += 1
                time = w.win[v, 2 * k]
    if w.spec[v, at.GRAIN] > 0.0:
        closes = w.win[v, 2 * k + 1]
        return _up(time, w.spec[v, at.GRAIN], closes if w.kind[v, at.HARD] and time <= closes else INFINITE)
    return time


@compiled
def lateness(w: World, v: int, time: float) -> float:
    """Minutes after the end of the window in which (or after which) the service starts."""
    k = 0
    last = w.kind[v, at.NWIN] - 1
    while k < last and w.win[v, 2 * (k + 1)] <= time:
        k += 1
    late = time - w.win[v, 2 * k + 1]
    return late if late > 0.0 else 0.0


@compiled
def _push(w: World, v: int) -> None:
    n = w.flag[at.N_DIRTY]
    if n < len(w.dirty):
        w.dirty[n] = v
        w.flag[at.N_DIRTY] = n + 1


@compiled
def mark_route(w: World, c: int) -> None:
    """Note that the figures of route ``c`` may change; what they were is kept."""
    if w.person[c, at.RSTAMP] != w.flag[at.MOVE]:
        w.person[c, at.RSTAMP] = w.flag[at.MOVE]
        w.person[c, at.OLD_ANCHOR] = w.person[c, at.ANCHOR]
        w.route[c, at.OLD_TRAVEL] = w.route[c, at.TRAVEL]
        w.route[c, at.OLD_WORK] = w.route[c, at.WORK]
        w.routes[w.flag[at.N_ROUTES]] = c
        w.flag[at.N_ROUTES] += 1


@compiled
def _set(w: World, v: int, time: float) -> float:
    """Try ``time`` for ``v``; return what that adds to the price of lateness of the tried nodes."""
    late = lateness(w, v, time)
    worth = w.price[at.W_HARD] if w.kind[v, at.HARD] else w.spec[v, at.LATEW]
    added = late * worth
    if w.link[v, at.STAMP] == w.flag[at.MOVE]:
        added -= w.time[v, at.TLATE] * worth
    else:
        w.link[v, at.STAMP] = w.flag[at.MOVE]
        w.touched[w.flag[at.N_TOUCHED]] = v
        w.flag[at.N_TOUCHED] += 1
    w.time[v, at.TS] = time
    w.time[v, at.TLATE] = late
    c = w.link[v, at.RT]
    if w.person[c, at.ANCHOR] == v or w.link[w.link[v, at.PRV], at.PRV] < 0:
        mark_route(w, c)  # whether the break is missed depends on it, though nothing behind it may move: the next window opens later
    for k in range(w.later_at[v], w.later_at[v + 1]):
        if w.link[w.later[k], at.RT] >= 0:
            _push(w, w.later[k])
    return added


@compiled
def _pair(w: World, v: int, p: int) -> tuple[float, float]:
    """Starts of ``v`` and its partner ``p``, both as early as the gap between them allows."""
    first = w.kind[v, at.ROLE] == 1
    i, j = (v, p) if first else (p, v)
    least, most = w.spec[i, at.GAPMIN], w.spec[i, at.GAPMAX]
    own_j = into_window(w, j, earliest(w, j))
    start_i = into_window(w, i, max(earliest(w, i), own_j - most))
    start_j = into_window(w, j, max(own_j, start_i + least))
    for _ in range(4):
        if start_j - start_i <= most + 1e-9:
            break
        start_i = into_window(w, i, start_j - most)
        start_j = into_window(w, j, max(start_j, start_i + least))
    return (start_i, start_j) if first else (start_j, start_i)


@compiled
def _together(w: World, v: int) -> None:
    """Starts (in HOLD) of all planned services of the visit of ``v``, three or more, each as early as the gaps between them allow."""
    first = w.job[w.kind[v, at.JOB], at.FIRST]
    count = w.job[w.kind[v, at.JOB], at.COUNT]
    for x in range(first, first + count):
        if w.link[x, at.RT] >= 0:
            w.spec[x, at.HOLD] = into_window(w, x, earliest(w, x))
    least, most = w.spec[v, at.GAPMIN], w.spec[v, at.GAPMAX]
    for _ in range(2 * count + 4):
        settled = True
        u = -1
        for x in range(first, first + count):
            if w.link[x, at.RT] < 0:
                continue
            if u >= 0 and w.spec[x, at.HOLD] < w.spec[u, at.HOLD] + least * (x - u) - 1e-9:
                w.spec[x, at.HOLD] = into_window(w, x, w.spec[u, at.HOLD] + least * (x - u))
                settled = False
            u = x
        u = -1
        for x in range(first + count - 1, first - 1, -1):
            if w.link[x, at.RT] < 0:
                continue
            if u >= 0 and w.spec[u, at.HOLD] - w.spec[x, at.HOLD] > most * (u - x) + 1e-9:
                w.spec[x, at.HOLD] = into_window(w, x, w.spec[u, at.HOLD] - most * (u - x))
                settled = False
            u = x
        if settled:
            break


@compiled
def _try_together(w: World, v: int) -> float:
    """Try the starts that :func:`_together` found for the others of the visit of ``v``; what that adds to the price of lateness."""
    _together(w, v)
    price = 0.0
    x = w.kind[v, at.PARTNER]
    while x != v:
        if w.link[x, at.RT] >= 0 and w.spec[x, at.HOLD] != start_of(w, x):
            price += _set(w, x, w.spec[x, at.HOLD])
            _push(w, w.link[x, at.NXT])
        x = w.kind[x, at.PARTNER]
    return price


@compiled
def settle(w: World, room: float) -> float:
    """Move start times until nothing changes; return the price of lateness of the tried nodes, INFINITE once it passes ``room``.

    ``room`` is what lateness may cost before the move is rejected in any case. A plan whose pairs wait for each other in a circle never
    settles: its times grow until the price passes, or until the steps run out.
    """
    n = w.flag[at.N]
    c = w.flag[at.C]
    price = 0.0
    steps = 0
    limit = 6 * n + 200 if room < 1e200 else 200 * n + 1000
    at_dirty = 0
    while at_dirty < w.flag[at.N_DIRTY]:
        v = w.dirty[at_dirty]
        at_dirty += 1
        if w.link[v, at.RT] < 0:
            continue
        while True:
            steps += 1
            if steps > limit or w.flag[at.N_DIRTY] >= len(w.dirty):
                return INFINITE
            if v >= n + c:
                w.time[v, at.TS] = ready(w, v)
                w.link[v, at.STAMP] = w.flag[at.MOVE]
                mark_route(w, w.link[v, at.RT])
                break
            p = w.kind[v, at.PARTNER]
            if p >= 0 and w.kind[p, at.PARTNER] != v:
                price += _try_together(w, v)
                start = w.spec[v, at.HOLD]
            elif p >= 0 and w.link[p, at.RT] >= 0:
                start, other = _pair(w, v, p)
                if other != start_of(w, p):
                    price += _set(w, p, other)
                    _push(w, w.link[p, at.NXT])
            else:
                start = into_window(w, v, earliest(w, v))
            if start == start_of(w, v):
                break
            price += _set(w, v, start)
            if price > room:
                return INFINITE
            v = w.link[v, at.NXT]
    return price
