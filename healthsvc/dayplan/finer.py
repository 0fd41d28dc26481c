"""Times that people can read keep nobody out: where whole steps of the clock leave a visit over, the finest steps are tried.

Whole five minutes take two or three from every way, and a full day has no room for that: of 300 visits five or six were left over. So
the last part of the budget goes into a mild search on the finest steps. Its plan is taken only if it makes more; then every visit goes
back to a whole step where nothing is lost by it, the last of the day first.
"""

from typing import TYPE_CHECKING

import numpy as np

from healthsvc.dayplan import kernel, pricing
from healthsvc.dayplan import layout as at
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.problem import Minutes

if TYPE_CHECKING:
    from healthsvc.dayplan.search import Search

RESERVED = 0.8
"""Share of the budget after which it is looked whether anybody is left over for the sake of whole steps."""


def reserved(search: "Search") -> float:
    """The share of the budget that the search on whole steps may spend."""
    return RESERVED if _applies(search) else 1.0


def _applies(search: "Search") -> bool:
    return 0.0 < search.space.problem.finest < search.space.problem.grain


def make_more(search: "Search", heat: float) -> None:
    """Spend the rest of the budget from this heat (see :class:`Schedule`) on; the world holds the better plan of the two afterwards."""
    if not _applies(search):
        return
    w, n = search.world, len(search.space.nodes)
    search.relink()
    lost = _lost(search)
    before, best = (w.spec[:n, at.GRAIN].copy(), float(w.price[at.STEP])), search.best.copy()
    if lost > 0.0:
        finest_steps(w, search.space.problem.finest)
    search.fill_up()
    search.run(search.heat(heat), search.heat(search.schedule.cold), 1.0, 1.0)
    search.fill_up()
    if lost > 0.0 and _lost(search) > lost - 1e-6:
        w.spec[:n, at.GRAIN], w.price[at.STEP] = before
        search.best = best
        search.relink()
    _round_again(search)


def finest_steps(w: World, finest: Minutes) -> None:
    """Count in these steps from now on, whatever was to begin on larger ones."""
    n = int(w.flag[at.N])
    w.spec[:n, at.GRAIN] = np.minimum(w.spec[:n, at.GRAIN], finest)
    w.price[at.STEP] = finest
    pricing.rebuild(w)


def _lost(search: "Search") -> float:
    """The price of what is left over and of missed breaks."""
    w = search.world
    missed = (w.person[:, at.HAS_REST] > 0) & (w.route[:, at.MISS] >= w.route[:, at.REST_W])
    return float(w.total[at.SUM_SKIP] + w.route[missed, at.REST_W].sum())


def _round_again(search: "Search") -> None:
    """Move what begins on the finest steps back to whole ones, one visit after the other, where no promise is lost by it."""
    w = search.world
    lost, late = _lost(search), float(w.total[at.SUM_LATE])

    def kept() -> bool:
        pricing.rebuild(w)
        return bool(kernel.clean(w)) and _lost(search) <= lost + 1e-6 and w.total[at.SUM_LATE] <= late + 1e-6

    if w.price[at.STEP] != search.step:
        fine, w.price[at.STEP] = float(w.price[at.STEP]), search.step
        if not kept():
            w.price[at.STEP] = fine
    firsts, counts = w.job[:, at.FIRST], w.job[:, at.COUNT]
    for j in np.argsort(-w.time[firsts, at.S], kind="stable"):
        mine = np.arange(firsts[j], firsts[j] + counts[j])
        fine_steps = w.spec[mine, at.GRAIN].copy()
        if (fine_steps == search.steps[mine]).all():
            continue
        w.spec[mine, at.GRAIN] = search.steps[mine]
        if w.link[mine[0], at.RT] >= 0 and not kept():
            w.spec[mine, at.GRAIN] = fine_steps
    pricing.rebuild(w)
