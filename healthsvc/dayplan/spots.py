"""Compiled: what every place in a plan would cost for one service, for ranked insertions."""

from typing import Any

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled, entry
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.links import begin, insert_at, undo
from healthsvc.dayplan.moves import may_join
from healthsvc.dayplan.pricing import accept, evaluate, fixed_price
from healthsvc.dayplan.timing import INFINITE


@entry
def price_spots(w: World, v: int, prices: Any, limit: float, best: Any) -> None:
    """Fill ``prices[p]`` with the price of the plan with service ``v`` after node ``p``; INFINITE where it cannot go.

    ``prices[size + p]`` is the same before the break, where one is taken after ``p``. What costs more than ``limit`` counts as INFINITE;
    where ``best`` has room for some of the cheapest prices, so does what is dearer than as many found before. Most places are rejected by
    their travel alone, or after a few of the starts that they would move.
    """
    room = len(best)
    for k in range(room):
        best[k] = limit
    n = w.flag[at.N]
    size = len(w.link)
    for p in range(len(prices)):
        prices[p] = INFINITE
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
                price = evaluate(w, fixed, 0.0, limit) if fixed <= limit else INFINITE
                undo(w, travel, affinity, skip)
                if price <= limit:
                    prices[size * early + p] = price
                    if room > 0:
                        limit = _among(best, price)
            p = w.link[p, at.NXT]


@compiled
def _among(best: Any, price: float) -> float:
    """Put a price among the cheapest, which are in order; the last of them then."""
    k = len(best) - 1
    while k > 0 and best[k - 1] > price:
        best[k] = best[k - 1]
        k -= 1
    best[k] = price
    return float(best[len(best) - 1])


@entry
def put(w: World, v: int, p: int) -> float:
    """Put service ``v`` into place ``p`` (as in :func:`price_spots`) whatever it costs.

    Returns the price; INFINITE where pairs would wait for each other in a circle, and nothing was changed.
    """
    size = len(w.link)
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    insert_at(w, v, p % size, p >= size)
    fixed = fixed_price(w)
    price = evaluate(w, fixed, 0.0, 1e290)
    if price >= INFINITE:
        undo(w, travel, affinity, skip)
        return INFINITE
    accept(w, price, fixed, -1)
    return price
