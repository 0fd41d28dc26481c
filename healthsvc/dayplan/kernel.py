"""Compiled: the annealing itself. Worse plans are kept with a chance that falls as it gets colder; the best plan seen is remembered."""

import math

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled, entry
from healthsvc.dayplan.dice import below, unit
from healthsvc.dayplan.jobs import bring_in, leave_out, move_visit, replace, rest_instead
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.moves import exchange, move_chain, relocate, shift_rest, swap_rest

STEP = 128
"""Proposals between two changes of temperature."""


@compiled
def propose(w: World, mix: object, limit: float) -> bool:
    """Draw one move and try it. ``mix`` holds the summed shares: relocate, exchange, rest of day, chain, visit, in or out, break."""
    share = unit(w.dice)
    if share >= mix[5]:  # type: ignore[index]
        return _break(w, limit)
    if share >= mix[4]:  # type: ignore[index]
        return _in_or_out(w, limit)
    v = below(w.dice, w.flag[at.N])
    if w.link[v, at.RT] < 0 or w.kind[v, at.FIXED]:
        return False
    if share < mix[0]:  # type: ignore[index]
        return relocate(w, v, limit)
    if share < mix[1]:  # type: ignore[index]
        return exchange(w, v, limit)
    if share < mix[2]:  # type: ignore[index]
        return swap_rest(w, v, limit)
    if share < mix[3]:  # type: ignore[index]
        return move_chain(w, v, limit)
    return move_visit(w, w.kind[v, at.JOB], limit)


@compiled
def _break(w: World, limit: float) -> bool:
    """A break moves, or makes a visit give way."""
    c = below(w.dice, w.flag[at.C])
    if not w.person[c, at.HAS_REST]:
        return False
    if w.route[c, at.MISS] >= w.route[c, at.REST_W] and below(w.dice, 2) == 0:
        return rest_instead(w, c, limit)
    return shift_rest(w, c, limit)


@compiled
def _in_or_out(w: World, limit: float) -> bool:
    """Visits change between planned and left out."""
    if w.flag[at.N_OUT] > 0:
        j = w.out[below(w.dice, w.flag[at.N_OUT])]
        kind = below(w.dice, 4)
        if kind <= 1:
            return bring_in(w, j, limit)
        if kind == 2:
            return replace(w, j, limit)
    j = below(w.dice, w.flag[at.J])
    v = w.job[j, at.FIRST]
    if w.link[v, at.RT] < 0 or w.job[j, at.MUST] or w.kind[v, at.FIXED]:
        return False
    return leave_out(w, j, limit)


@entry
def remember(w: World, best_link: object, best_anchor: object) -> None:
    """Copy the present plan."""
    for v in range(len(w.link)):
        best_link[v, 0] = w.link[v, at.PRV]  # type: ignore[index]
        best_link[v, 1] = w.link[v, at.NXT]  # type: ignore[index]
        best_link[v, 2] = w.link[v, at.RT]  # type: ignore[index]
    for c in range(w.flag[at.C]):
        best_anchor[c] = w.person[c, at.ANCHOR]  # type: ignore[index]


@entry
def clean(w: World) -> bool:
    """No hard window and no hard shift is overrun, and no visit that must be made is left out."""
    if w.total[at.SUM_HARD] > 1e-6 or (w.flag[at.OVER_HARD] and w.total[at.SUM_OVER] > 1e-6):
        return False
    missing = 0
    for k in range(w.flag[at.N_OUT]):
        missing += w.job[w.out[k], at.MUST]
    return missing == 0


@entry
def anneal(
    w: World, mix: object, steps: int, hot: float, cold: float, best: float, best_link: object, best_anchor: object
) -> tuple[float, int]:
    """``steps`` proposals while the temperature falls geometrically from ``hot`` to ``cold``; the best price and the acceptances."""
    heat = hot
    rounds = max(1, steps // STEP)
    fall = (cold / hot) ** (1.0 / rounds)
    taken = 0
    for _ in range(rounds):
        for _ in range(STEP):
            limit = w.total[at.COST] - heat * math.log(1.0 - unit(w.dice))
            if propose(w, mix, limit):
                taken += 1
                if w.total[at.TRUE_COST] < best - 1e-7 and clean(w):
                    best = w.total[at.TRUE_COST]
                    remember(w, best_link, best_anchor)
        heat *= fall
    return best, taken
