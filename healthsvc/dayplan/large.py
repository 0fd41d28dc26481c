"""A day too large for one search alone: after a first search of the whole, routes that lie near each other are searched again together.

A search of the whole finds what is made and what is left over, but spends most proposals on people at opposite ends of the city. Parts of
some hundred services are searched well in seconds, and several at once on several cores. Each round divides all routes anew, so that no
border stays, and keeps what makes the whole cheaper. Parts from the start were tried: scarce people are then badly shared out between them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.neighbours import neighbourhoods, within_reach
from healthsvc.dayplan.parts import part_of_plan, put_back
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.searched import Schedule, StopRule, searched
from healthsvc.dayplan.watching import searchers
from healthsvc.errors import RuleViolation

LARGE = 600
"""Services from which a day is searched in parts."""


@dataclass(frozen=True, slots=True)
class Division:
    """``size``: about how many services a part has; ``first``: share of the budget for the first search of the whole; ``rounds``: how
    often all routes are divided anew and searched again."""

    size: int = 400
    first: float = 0.5
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class _Order:
    """One search to be made."""

    problem: Problem
    stop: StopRule
    seed: int
    schedule: Schedule
    start: Plan | None = None


def is_large(problem: Problem) -> bool:
    """Whether it pays to search in parts: many services, and no price that only the whole can see (the largest delay or idle time)."""
    return _services(problem) >= LARGE and not problem.weights.idle and not problem.weights.latest and len(problem.caregivers) > 1


def solve_in_parts(
    problem: Problem, stop: StopRule, seed: int, jobs: int = 1, schedule: Schedule | None = None, division: Division | None = None
) -> Plan:
    """The best plan found within the budget; ``jobs``: parts searched beside each other.

    :raises RuleViolation: no plan was found that keeps every hard limit and makes every visit that must be made.
    """
    with _workers(jobs) as search:
        budget = _Budget(stop, _services(problem), schedule or Schedule(), division or Division(), search)
        rng = np.random.default_rng(seed)
        plan = searched(problem, budget.portion(budget.division.first, problem), seed, budget.schedule)
        cost = check(problem, plan).cost
        for k in range(budget.division.rounds):
            plan, cost = _round(problem, plan, cost, seed + 7919 * (k + 1), budget, rng, max(1, jobs))
    return replace(plan, seed=seed)


@dataclass(frozen=True, slots=True)
class _Budget:
    """What may be spent, and how: every part gets proposals or seconds by its services."""

    stop: StopRule
    services: int
    schedule: Schedule
    division: Division
    search: Callable[[list[_Order]], Iterator[Plan | None]]

    def portion(self, share: float, mine: Problem) -> StopRule:
        """The share of the whole budget that falls to one part."""
        factor = share * _services(mine) / self.services
        seconds, iterations = self.stop.seconds, self.stop.iterations
        return replace(
            self.stop,
            seconds=None if seconds is None else seconds * factor,
            iterations=None if iterations is None else max(1, round(iterations * factor)),
        )


def _services(problem: Problem) -> int:
    return sum(len(visit.services) for visit in problem.visits)


def _run(order: _Order) -> Plan | None:
    """One part searched; None where it has no plan that keeps every hard limit."""
    try:
        return searched(order.problem, order.stop, order.seed, order.schedule, order.start)
    except RuleViolation:
        return None


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[[list[_Order]], Iterator[Plan | None]]]:
    """A function that makes searches, one after the other or ``jobs`` beside each other; answers come in the order asked."""
    if jobs <= 1:
        yield partial(map, _run)
        return
    with searchers(jobs) as pool:
        yield partial(pool.map, _run)


def _round(
    problem: Problem, plan: Plan, cost: float, seed: int, budget: "_Budget", rng: np.random.Generator, jobs: int
) -> tuple[Plan, float]:
    """All routes once more, in new groups; a group's new routes stay where the whole is cheaper for them."""
    groups = neighbourhoods(problem, plan, budget.division.size, rng)
    waiting = within_reach(problem, plan, groups)
    share = (1.0 - budget.division.first) / budget.division.rounds * jobs  # parts beside each other share no time
    orders = []
    for k, (people, more) in enumerate(zip(groups, waiting, strict=True)):
        mine = part_of_plan(problem, plan, people, more)
        orders.append(_Order(mine.problem, budget.portion(share, mine.problem), seed + 104_729 * k, budget.schedule, mine.start))
    for found in budget.search(orders):
        if found is None:
            continue
        changed = put_back(problem, plan, found)
        verdict = check(problem, changed)
        if verdict.good and verdict.cost < cost:
            plan, cost = changed, verdict.cost
        else:
            plan = replace(plan, evaluations=changed.evaluations)
    return plan, cost
