"""Compiled: what every place in a plan would cost for one service, for ranked insertions."""

from typing import Any

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.compiled import compiled
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.links import begin, insert, undo
from healthsvc.dayplan.moves import may_join
from healthsvc.dayplan.pricing import accept, evaluate, fixed_price
from healthsvc.dayplan.timing import INFINITE


@compiled
def price_spots(w: World, v: int, prices: Any) -> None:
    """Fill ``prices[p]`` with the price of the plan with service ``v`` after node ``p``; INFINITE where it cannot go."""
    n = w.flag[at.N]
    for p in range(len(prices)):
        prices[p] = INFINITE
    for c in range(w.flag[at.C]):
        if not may_join(w, v, c):
            continue
        p = n + c
        while p < n + w.flag[at.C]:
            travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
            begin(w)
            insert(w, v, p)
            prices[p] = evaluate(w, fixed_price(w), 0.0, 1e290)
            undo(w, travel, affinity, skip)
            p = w.link[p, at.NXT]


@compiled
def put(w: World, v: int, p: int) -> float:
    """Put service ``v`` after node ``p`` whatever it costs; the price (INFINITE: pairs would wait for each other, nothing was changed)."""
    travel, affinity, skip = w.total[at.SUM_TRAVEL], w.total[at.SUM_AFFINITY], w.total[at.SUM_SKIP]
    begin(w)
    insert(w, v, p)
    fixed = fixed_price(w)
    price = evaluate(w, fixed, 0.0, 1e290)
    if price >= INFINITE:
        undo(w, travel, affinity, skip)
        return INFINITE
    accept(w, price, fixed, -1)
    return price
