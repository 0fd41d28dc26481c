"""What no search can plan, named before one begins: the visit, what stands in its way, and how to mend it. Pure."""

from collections.abc import Iterator

import numpy as np

from healthsvc.dayplan.matching import matched
from healthsvc.dayplan.problem import FOREVER, Caregiver, Matrix, Problem, Service, Visit, WindowMet
from healthsvc.errors import RuleViolation


def refuse_impossible(problem: Problem) -> None:
    """Refuse at once what no search can plan.

    :raises RuleViolation: a visit that must be made needs something that nobody can do, or a time at which nobody can be there.
    """
    shortest = {mode: _shortest(matrix) for mode, matrix in problem.travel.items()} if _timed(problem) else {}
    for visit in problem.visits:
        if visit.must and visit.pinned is None:
            for wrong in _wrong(problem, visit, shortest):
                raise RuleViolation(f"visit {visit.id}: {wrong}", reason="plan-not-found")


def _wrong(problem: Problem, visit: Visit, shortest: dict[str, Matrix]) -> Iterator[str]:
    able = [[person for person in problem.caregivers if service.skills <= person.skills] for service in visit.services]
    welcome = [[person for person in people if person.id not in visit.barred | visit.far] for people in able]
    for service, skilled, people in zip(visit.services, able, welcome, strict=True):
        if not skilled:
            yield f"nobody can do what it needs ({', '.join(sorted(service.skills))}); add somebody who can, or make it optional"
        elif not people:
            yield f"everybody who can do {service.id} must not come; allow one of {len(skilled)}, or make it optional"
        elif _timed(problem) and not any(_in_time(problem, visit, service, person, shortest[person.mode]) for person in people):
            yield f"nobody can do {service.id} within its windows and the shifts; widen one of them, or make it optional"
    if visit.gap and all(welcome) and not _different(visit, welcome):
        yield f"it needs {len(visit.services)} different people and has fewer; add somebody, or make it optional"


def _timed(problem: Problem) -> bool:
    return problem.overtime_hard or any(visit.hard for visit in problem.visits)


def _in_time(problem: Problem, visit: Visit, service: Service, person: Caregiver, ways: Matrix) -> bool:
    """Whether somebody could do it if it were the only visit of their day."""
    there = person.shift.start + float(ways[person.start_place, visit.place])
    before = service.duration if problem.met is WindowMet.AT_END else 0.0
    last = max(window.end for window in visit.windows) - before if visit.hard else FOREVER
    begins = min((max(there, window.start) for window in visit.windows if there <= window.end - before), default=there)
    back = begins + service.duration + float(ways[visit.place, person.end_place])
    return there <= last and (not problem.overtime_hard or back <= person.shift.end)


def _different(visit: Visit, welcome: list[list[Caregiver]]) -> bool:
    """Whether as many different people as services can do all of them."""
    names = sorted({person.id for people in welcome for person in people})
    wanted = len(visit.services)
    if len(names) < wanted:
        return False
    able = [{person.id for person in people} for people in welcome]
    everybody = matched(len(names), names, lambda k, who: k >= wanted or who in able[k])
    return all(who in able[k] for k, who in enumerate(everybody[:wanted]))


def _shortest(ways: Matrix) -> Matrix:
    """The least time between any two places, over others where that is quicker (Floyd 1962): published times need be no metric."""
    least = np.array(ways)
    for by in range(len(least)):
        np.minimum(least, least[:, by, None] + least[by], out=least)
    return least
