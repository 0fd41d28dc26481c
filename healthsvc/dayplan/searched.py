"""One search of one problem: packed, searched, unpacked. No times are polished and nothing is proved yet."""

from healthsvc.dayplan.plan import LeftOver, Plan
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.search import Schedule, Search, StopRule
from healthsvc.errors import RuleViolation

__all__ = ["Schedule", "StopRule", "searched"]

HARD_SHARE, MUST_SHARE = 0.3, 400.0
"""Price of a minute past a hard limit, and of a visit that must be made and is not, in mean prices of one service. The dearest optional
visit comes on top: leaving it out must be cheaper than breaking a limit for it."""


def searched(problem: Problem, stop: StopRule, seed: int, schedule: Schedule, start: Plan | None = None) -> Plan:
    """The best plan that one search finds; with ``start`` it begins there and stays near.

    :raises Invalid: the problem contradicts itself.
    :raises RuleViolation: no plan was found that keeps every hard limit and makes every visit that must be made.
    """
    from healthsvc.dayplan.arrays import pack
    from healthsvc.dayplan.unpack import unpack

    if not problem.visits or not problem.caregivers:
        return _nobody(problem, seed)
    unit = _unit(problem)
    dearest = max((visit.skip_cost for visit in problem.visits), default=0.0)
    space = pack(problem, seed, HARD_SHARE * unit + dearest, MUST_SHARE * (unit + dearest))
    search = Search(space, stop, schedule, seed)
    if (search.improve(start) if start is not None else search.solve()) >= 1e290:
        raise RuleViolation(
            "no plan was found that keeps every hard limit and makes every visit that must be made; give it more seconds, more people, "
            "wider windows, or visits that may be left out",
            reason="plan-not-found",
        )
    return unpack(space, 0.0, seed, search.done)


def _unit(problem: Problem) -> float:
    """A rough price of one service: what travelling a typical way costs, or one minute of whatever is priced."""
    weights = problem.weights
    ways = [float(matrix.mean()) for matrix in problem.travel.values()]
    return max(weights.travel * sum(ways) / len(ways), weights.late, weights.waiting, weights.overtime, weights.idle, weights.balance, 1.0)


def _nobody(problem: Problem, seed: int) -> Plan:
    """The plan without visits or without anybody to make them."""
    if any(visit.must for visit in problem.visits):
        raise RuleViolation("there are visits that must be made and nobody to make them", reason="plan-not-found")
    return Plan((), tuple(LeftOver(visit.id) for visit in problem.visits), 0.0, seed, 0)
