"""Why a visit was left over, computed: the smallest set of constraints whose relaxation lets it into the plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

from healthsvc.dayplan.insertion import Insertion, rank_insertions
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import FOREVER, Caregiver, Problem, Visit, Window

MORE_SHIFT = 120.0
"""Minutes by which shifts are stretched when it is asked whether the shift keeps a visit out."""

ANOTHER = "another"
"""Id of the additional caregiver of the relaxation "staff"."""


@dataclass(frozen=True, slots=True)
class Why:
    """The constraints that keep a visit out (codes of :data:`RELAXATIONS`; "unfit" where relaxing all of them is not enough).

    ``would`` is the cheapest place if they were relaxed.
    """

    constraints: tuple[str, ...]
    would: Insertion | None


def _window(problem: Problem, visit: Visit) -> Problem:
    """It may be made at any time of the day."""
    opens = min(person.shift.start for person in problem.caregivers)
    return _with(problem, replace(visit, windows=(Window(opens, FOREVER),), after=None))


def _after(problem: Problem, visit: Visit) -> Problem:
    """It need not keep its distance from the visit before."""
    return _with(problem, replace(visit, after=None))


def _skill(problem: Problem, visit: Visit) -> Problem:
    """Everybody has the skills that it asks for."""
    return _with(problem, replace(visit, services=tuple(replace(one, skills=frozenset()) for one in visit.services)))


def _barred(problem: Problem, visit: Visit) -> Problem:
    """Nobody is unwelcome."""
    return _with(problem, replace(visit, barred=frozenset()))


def _together(problem: Problem, visit: Visit) -> Problem:
    """The two services need not go together."""
    return _with(problem, replace(visit, gap=None))


def _shift(problem: Problem, visit: Visit) -> Problem:
    """Shifts are longer."""
    staff = tuple(replace(person, shift=replace(person.shift, end=person.shift.end + MORE_SHIFT)) for person in problem.caregivers)
    return replace(problem, caregivers=staff)


def _break(problem: Problem, visit: Visit) -> Problem:
    """Nobody takes a break."""
    return replace(problem, caregivers=tuple(replace(person, rest=None) for person in problem.caregivers))


def _staff(problem: Problem, visit: Visit) -> Problem:
    """One more person a service, with the skills of somebody on duty, is there all day."""
    more: list[Caregiver] = []
    for k, service in enumerate(visit.services):
        like = [one for one in problem.caregivers if service.skills <= one.skills and one.id not in visit.barred]
        if like:
            longest = max(like, key=lambda one: one.shift.end - one.shift.start)
            more.append(replace(longest, id=f"{ANOTHER}-{k}"))
    return replace(problem, caregivers=(*problem.caregivers, *more))


RELAXATIONS: dict[str, Callable[[Problem, Visit], Problem]] = {
    "window": _window,
    "after": _after,
    "shift": _shift,
    "break": _break,
    "staff": _staff,
    "together": _together,
    "barred": _barred,
    "skill": _skill,
}


def why_left(problem: Problem, plan: Plan, visit: str) -> Why:
    """The smallest set of constraints that keeps ``visit`` out, at most two together.

    ``()`` means that a place exists but was not worth its price: the objective, not a constraint, left it out.
    """
    one = next(found for found in problem.visits if found.id == visit)
    relevant = [code for code in RELAXATIONS if _applies(code, problem, one)]
    for size in range(3):
        found = [(codes, places[0]) for codes in combinations(relevant, size) if (places := _places(problem, plan, one, codes))]
        if found:
            codes, would = min(found, key=lambda pair: pair[1].cost)
            return Why(codes, would)
    return Why(("unfit",), None)


def _places(problem: Problem, plan: Plan, visit: Visit, codes: tuple[str, ...]) -> tuple[Insertion, ...]:
    """The best place with these constraints relaxed, if there is one."""
    relaxed = problem
    for code in codes:
        relaxed = RELAXATIONS[code](relaxed, next(one for one in relaxed.visits if one.id == visit.id))
    return rank_insertions(relaxed, plan, visit.id, most=1)


def _applies(code: str, problem: Problem, visit: Visit) -> bool:
    """Whether relaxing it could change anything for this visit."""
    return {
        "after": visit.after is not None,
        "break": any(person.rest for person in problem.caregivers),
        "together": visit.gap is not None,
        "barred": bool(visit.barred),
    }.get(code, True)


def _with(problem: Problem, visit: Visit) -> Problem:
    """The problem with one visit changed."""
    return replace(problem, visits=tuple(visit if one.id == visit.id else one for one in problem.visits))
