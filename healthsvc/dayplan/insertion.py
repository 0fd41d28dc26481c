"""Where one more visit could go in a plan that stays as it is: ranked places, each with what it costs and whom it delays."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import Space, pack
from healthsvc.dayplan.grid import is_round
from healthsvc.dayplan.plan import Plan, Rest
from healthsvc.dayplan.problem import Minutes, Problem
from healthsvc.errors import NotFound

FIRST_HALVES = 12
"""How many places of the first half of a double visit are tried with every place of the second."""
NEXT = 3
"""How many places of the next service are looked at for each place of the ones before it."""
NO_LIMIT = 1e290
"""More than any plan costs, less than what counts as INFINITE."""
MIDDLES = 24
"""How many places of the first services of a visit for three and more are tried with every place of the next."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """One place for a visit: who comes, when each of them starts, what it adds to the price, and who starts how many minutes later."""

    visit: str
    caregivers: tuple[str, ...]
    starts: tuple[Minutes, ...]
    cost: float
    later: tuple[tuple[str, Minutes], ...]


def load(problem: Problem, plan: Plan, hard_price: float = 1e4) -> Space:
    """The problem as arrays with the plan linked in; visits that the plan does not hold stay out."""
    from healthsvc.dayplan.linking import link

    space = pack(problem, 1, hard_price, 1e6)
    link(space, plan)
    return space


def rank_insertions(problem: Problem, plan: Plan, visit: str, most: int = 5) -> tuple[Insertion, ...]:
    """The cheapest places for a visit that is in the problem but not in the plan, best first; only places that keep every hard limit.

    The rest of the plan keeps its order and its people; only start times may move. Where no place begins on a whole step of the clock, or
    the visit has none now, places on the finest steps count.

    :raises NotFound: the problem has no such visit.
    """
    j = next((j for j, one in enumerate(problem.visits) if one.id == visit), None)
    if j is None:
        raise NotFound("the visit to insert is not in the problem")
    others = tuple(
        replace(route, stops=tuple(stop for stop in route.stops if isinstance(stop, Rest) or stop.visit != visit)) for route in plan.routes
    )
    space = load(problem, replace(plan, routes=others))
    whole = all(is_round(stop.start, problem.grain) for _, stop in plan.stops() if stop.visit == visit)
    found = _ranked(space, j, most) if whole or not problem.finest else ()
    if not found and problem.finest:
        from healthsvc.dayplan.finer import finest_steps

        finest_steps(space.world, problem.finest)
        found = _ranked(space, j, most)
    return found


def best_place(space: Space, j: int, limit: float = NO_LIMIT) -> Insertion | None:
    """The cheapest place for visit ``j``, which is not linked, that keeps every hard limit; the plan is as before afterwards.

    Only places that cost no more than ``limit`` count.
    """
    from healthsvc.dayplan import pricing

    pricing.rebuild(space.world)
    return next(iter(_ranked(space, j, 1, limit)), None)


def _ranked(space: Space, j: int, most: int, limit: float = NO_LIMIT) -> tuple[Insertion, ...]:
    w = space.world
    before = w.time[: len(space.nodes), at.S].copy()
    price, hard = float(w.total[at.COST]), _overrun(space)
    tries = _by_person(space, _candidates(space, j, min(NO_LIMIT, price + limit)), most)
    found: list[Insertion] = []
    for places in tries:
        one = _try(space, j, places, before, price, hard)
        if one is not None:
            found.append(one)
        if len(found) == most:
            break
    return tuple(found)


def _overrun(space: Space) -> float:
    """Minutes past hard windows and hard shifts."""
    total = space.world.total
    return float(total[at.SUM_HARD] + (total[at.SUM_OVER] if space.problem.overtime_hard else 0.0))


def _candidates(space: Space, j: int, limit: float) -> list[tuple[float, tuple[int, ...]]]:
    """Places for all services of visit ``j`` with the price of the plan then, cheapest first; none dearer than ``limit``."""
    from healthsvc.dayplan import spots

    w = space.world
    first, count = int(w.job[j, at.FIRST]), int(w.job[j, at.COUNT])
    prices = np.zeros(2 * len(w.link))
    spots.price_spots(w, first, prices, NO_LIMIT if count > 1 else limit, np.empty(0))
    places = [int(p) for p in np.argsort(prices, kind="stable") if prices[p] < NO_LIMIT]
    found: list[tuple[float, tuple[int, ...]]] = [(float(prices[p]), (p,)) for p in places]
    tried = _spread(space, places) if count > 1 else []
    for number in range(1, count):
        heads = [(p,) for p in tried] if number == 1 else [place for _, place in found[:MIDDLES]]
        found = sorted(one for head in heads for one in _next(space, first, head, limit))
    return found


def _next(space: Space, first: int, head: tuple[int, ...], limit: float) -> list[tuple[float, tuple[int, ...]]]:
    """The cheapest places of the next service, the ones before it being at ``head``."""
    from healthsvc.dayplan import spots

    w = space.world
    kept = _keep(space)
    found: list[tuple[float, tuple[int, ...]]] = []
    if all(spots.put(w, first + number, p) < NO_LIMIT for number, p in enumerate(head)):
        prices = np.zeros(2 * len(w.link))
        spots.price_spots(w, first + len(head), prices, limit, np.empty(NEXT))
        found = [(float(prices[q]), (*head, int(q))) for q in np.argsort(prices, kind="stable")[:NEXT] if prices[q] < NO_LIMIT]
    _put_back(space, kept)
    return found


def _spread(space: Space, places: list[int]) -> list[int]:
    """The best places, but not all of one person: the partner may be free only when somebody else is."""
    per: dict[int, int] = {}
    chosen = []
    for p in places:
        c = int(space.world.link[p % len(space.world.link), at.RT])
        if per.get(c, 0) < 4:
            per[c] = per.get(c, 0) + 1
            chosen.append(p)
    return chosen[: FIRST_HALVES * 4]


def _by_person(space: Space, candidates: list[tuple[float, tuple[int, ...]]], most: int) -> list[tuple[int, ...]]:
    """The cheapest places, at most two for the same people."""
    link = space.world.link
    per: dict[tuple[int, ...], int] = {}
    chosen: list[tuple[int, ...]] = []
    for _, places in candidates:
        who = tuple(int(link[p % len(link), at.RT]) for p in places)
        per[who] = per.get(who, 0) + 1
        if per[who] <= 2:
            chosen.append(places)
        if len(chosen) >= 4 * most:
            break
    return chosen


def _try(space: Space, j: int, places: tuple[int, ...], before: npt.NDArray[np.float64], price: float, hard: float) -> Insertion | None:
    """Make the insertion, read off what it does, take it back; None where it breaks a hard limit that held before."""
    from healthsvc.dayplan import spots

    w, problem = space.world, space.problem
    first = int(w.job[j, at.FIRST])
    kept = _keep(space)
    cost = price
    for k, p in enumerate(places):
        cost = float(spots.put(w, first + k, p))
        if cost >= NO_LIMIT:
            break
    found = None
    if cost < NO_LIMIT and _overrun(space) <= hard + 1e-6:
        mine = range(first, first + len(places))
        later = [
            (problem.visits[space.nodes[v].visit].id, float(w.time[v, at.S] - before[v]))
            for v in range(len(before))
            if v not in mine and w.link[v, at.RT] >= 0
        ]
        found = Insertion(
            problem.visits[j].id,
            tuple(problem.caregivers[int(w.link[v, at.RT])].id for v in mine),
            tuple(float(w.time[v, at.S]) for v in mine),
            cost - price,
            tuple((name, minutes) for name, minutes in later if minutes > 1e-6),
        )
    _put_back(space, kept)
    return found


def _keep(space: Space) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return space.world.link.copy(), space.world.person[:, at.ANCHOR].copy()


def _put_back(space: Space, kept: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]) -> None:
    from healthsvc.dayplan import pricing

    stamps = space.world.link[:, at.STAMP].copy()
    space.world.link[:] = kept[0]
    space.world.link[:, at.STAMP] = stamps
    space.world.person[:, at.ANCHOR] = kept[1]
    pricing.rebuild(space.world)
