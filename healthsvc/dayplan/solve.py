"""Find a plan for a problem: pack it into arrays, search, unpack, prove.

With an iteration budget the same problem, seed and budget give the same plan on every machine; with a time budget the number of
proposals follows the speed of the machine.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from healthsvc.dayplan import warm
from healthsvc.dayplan.checker import check
from healthsvc.dayplan.plan import LeftOver, Plan
from healthsvc.dayplan.polish import polish, unsteady
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.search import Schedule, Search, StopRule
from healthsvc.errors import RuleViolation

__all__ = ["Schedule", "StopRule", "solve"]

HARD_SHARE, MUST_SHARE = 0.3, 400.0
"""Price of a minute past a hard limit, and of a visit that must be made and is not, in mean prices of one service. The dearest optional
visit comes on top: leaving it out must be cheaper than breaking a limit for it."""


def solve(
    problem: Problem, stop: StopRule, seed: int = 1, jobs: int = 1, schedule: Schedule | None = None, start: Plan | None = None
) -> Plan:
    """The best plan found within the budget; with ``jobs`` above 1 as many searches with neighbouring seeds run beside each other.

    ``start``: the plan in force; the search begins with it and stays near it, so that little time is enough (replanning).

    :raises Invalid: the problem contradicts itself.
    :raises RuleViolation: no plan was found that keeps every hard limit and makes every visit that must be made.
    """
    schedule = schedule or Schedule()
    if jobs <= 1:
        return _one(problem, stop, seed, schedule, start)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=warm) as pool:
        running = [pool.submit(_one, problem, stop, seed + 1_000_003 * k, schedule, start) for k in range(jobs)]
        plans = [future.result() for future in running]
    best = min(plans, key=lambda plan: plan.cost)
    return replace(best, seed=seed, evaluations=sum(plan.evaluations for plan in plans))


def _one(problem: Problem, stop: StopRule, seed: int, schedule: Schedule, start: Plan | None = None) -> Plan:
    """One search in this process."""
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
            "no plan was found that keeps every hard limit and makes every visit that must be made", reason="plan-not-found"
        )
    plan = unpack(space, 0.0, seed, search.done)
    verdict = check(problem, plan)
    if not verdict.good:
        raise AssertionError(f"the solver broke a rule: {verdict.violations[0]}")
    polished = polish(problem, plan)
    again = check(problem, polished)
    if again.good and again.cost + unsteady(problem, polished) < verdict.cost + unsteady(problem, plan):
        plan, verdict = polished, again
    return replace(plan, cost=verdict.cost)


def _unit(problem: Problem) -> float:
    """A rough price of one service: what travelling a typical way costs, or one minute of whatever is priced."""
    weights = problem.weights
    ways = [float(matrix.mean()) for matrix in problem.travel.values()]
    return max(weights.travel * sum(ways) / len(ways), weights.late, weights.waiting, weights.overtime, weights.idle, weights.balance, 1.0)


def _nobody(problem: Problem, seed: int) -> Plan:
    """The plan without visits or without anybody to make them."""
    if any(visit.must for visit in problem.visits):
        raise RuleViolation("there are visits that must be made and nobody to make them", reason="plan-not-found")
    plan = Plan((), tuple(LeftOver(visit.id) for visit in problem.visits), 0.0, seed, 0)
    return replace(plan, cost=check(problem, plan).cost)
