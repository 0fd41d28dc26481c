"""Find a plan for a problem: pack it into arrays, search, unpack, prove.

With an iteration budget the same problem, seed and budget give the same plan on every machine; with a time budget the number of
proposals follows the speed of the machine.
"""

from dataclasses import replace

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.large import is_large, solve_in_parts
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.polish import polish, unsteady
from healthsvc.dayplan.problem import Problem
from healthsvc.dayplan.searched import Schedule, StopRule, searched
from healthsvc.dayplan.watching import searchers

__all__ = ["Schedule", "StopRule", "solve"]


def solve(
    problem: Problem, stop: StopRule, seed: int = 1, jobs: int = 1, schedule: Schedule | None = None, start: Plan | None = None
) -> Plan:
    """The best plan found within the budget; with ``jobs`` above 1 as many searches with neighbouring seeds run beside each other.

    ``start``: the plan in force; the search begins with it and stays near it, so that little time is enough (replanning).

    :raises Invalid: the problem contradicts itself.
    :raises RuleViolation: no plan was found that keeps every hard limit and makes every visit that must be made.
    """
    schedule = schedule or Schedule()
    if start is None and is_large(problem):
        return polished(problem, solve_in_parts(problem, stop, seed, jobs, schedule))
    if jobs <= 1:
        return _one(problem, stop, seed, schedule, start)
    with searchers(jobs) as pool:
        running = [pool.submit(_one, problem, stop, seed + 1_000_003 * k, schedule, start) for k in range(jobs)]
        plans = [future.result() for future in running]
    best = min(plans, key=lambda plan: plan.cost)
    return replace(best, seed=seed, evaluations=sum(plan.evaluations for plan in plans))


def _one(problem: Problem, stop: StopRule, seed: int, schedule: Schedule, start: Plan | None = None) -> Plan:
    """One search in this process, with the best times for its routes."""
    return polished(problem, searched(problem, stop, seed, schedule, start))


def polished(problem: Problem, plan: Plan) -> Plan:
    """The plan with its times set anew where that is better, and its price."""
    verdict = check(problem, plan)
    if not verdict.good:
        raise AssertionError(f"the solver broke a rule: {verdict.violations[0]}")
    better = polish(problem, plan)
    again = check(problem, better)
    if again.good and again.cost + unsteady(problem, better) < verdict.cost + unsteady(problem, plan):
        plan, verdict = better, again
    return replace(plan, cost=verdict.cost)
