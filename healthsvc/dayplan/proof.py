"""What would let a left-over visit in: the smallest set of constraints whose relaxation does, proved by solving again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.explain import MORE_SHIFT, RELAXATIONS, applies, like, more_staff
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import FOREVER, Minutes, Problem, Visit, Window
from healthsvc.dayplan.solve import Schedule, StopRule, solve


@dataclass(frozen=True, slots=True)
class Proof:
    """The smallest set of constraints whose relaxation lets a visit in beside all that is planned, found by solving again.

    ``caregivers`` and ``starts`` say who would then come and when; ``tried`` counts the problems that were solved. Every smaller set was
    among them and did not let it in, or lacks a constraint without whose relaxation not even that of all the others does.
    ``constraints`` ("priority",): it fits, but what that costs is more than leaving it out; ("unfit",): no set of at most
    :data:`PROVED_TOGETHER` lets it in; empty: it fits as things are.
    """

    visit: str
    constraints: tuple[str, ...]
    caregivers: tuple[str, ...]
    starts: tuple[Minutes, ...]
    tried: int


PROVED_TOGETHER = 3
"""Most constraints that are relaxed at once in a proof, unless more than these are each indispensable."""
HEATS = (0.3, 3.0)
"""How far each search may leave the plan that it begins with (see :class:`Schedule`): nearby first, then anywhere."""
DEMANDED = 1e6
"""Price of leaving out what is planned, or the visit that is asked about: above every other price together."""


@dataclass(slots=True)
class _Asking:
    """One visit beside what is planned; nothing else competes for the room that a relaxation makes."""

    problem: Problem
    asked: Visit
    base: Plan
    kept: frozenset[str]
    iterations: int
    seed: int
    tried: int = 1
    fits: tuple[tuple[str, Minutes], ...] = ()
    """Who would come and when as things are, whatever it costs."""

    def lets_in(self, codes: Sequence[str]) -> tuple[float, list[tuple[str, Minutes]]] | None:
        """What the plan costs with these constraints relaxed, and who comes when; None where it does not come in at a price that pays."""
        easier = relax(self.problem, self.asked, codes)
        self.tried += 1
        for heat in HEATS:
            stop = StopRule(iterations=self.iterations)
            answer = solve(_demanding(easier), stop, self.seed, schedule=Schedule(mild=heat), start=self.base)
            made = [(caregiver, stop.start) for caregiver, stop in answer.stops() if stop.visit == self.asked.id]
            if made and self.kept <= {stop.visit for _, stop in answer.stops()}:
                break
        else:
            return None
        now, before = check(easier, answer), check(easier, self.base)
        if not codes and not _breaks_missed(easier, answer) > _breaks_missed(easier, self.base):
            self.fits = tuple(made)
        return (now.cost, made) if now.cost < before.cost else None


def prove_left(problem: Problem, plan: Plan, visit: str, iterations: int = 60_000, seed: int = 1, listed: tuple[str, ...] = ()) -> Proof:
    """Solve the problem again with constraints relaxed, more and more at a time, until the visit fits beside all that is planned.

    Each search begins with the plan and spends ``iterations`` proposals, once near it and once further away; its answer passes the strict
    checker. Of several sets that are as small the one that was ``listed`` with the plan is named, else the cheapest.
    """
    asked = next(one for one in problem.visits if one.id == visit)
    relevant = [*asked.relaxed, *(code for code in RELAXATIONS if applies(code, problem, asked))]
    asking = _asking(problem, plan, asked, iterations, seed)
    indispensable: set[str] = set()
    for size in range(max(PROVED_TOGETHER, len(relevant)) + 1):
        if size > max(PROVED_TOGETHER, len(indispensable)):
            break
        if size == 2:
            indispensable = {code for code in relevant if asking.lets_in([one for one in relevant if one != code]) is None}
        sets = [codes for codes in combinations(relevant, size) if indispensable <= set(codes)]
        found = [(cost, codes, made) for codes in sets if (answer := asking.lets_in(codes)) for cost, made in (answer,)]
        if found:
            _, codes, made = min(found, key=lambda one: (one[1] != listed, one[:2]))
            return Proof(visit, codes, tuple(who for who, _ in made), tuple(start for _, start in made), asking.tried)
    who = asking.fits
    return Proof(visit, ("priority",) if who else ("unfit",), tuple(one for one, _ in who), tuple(start for _, start in who), asking.tried)


def _asking(problem: Problem, plan: Plan, asked: Visit, iterations: int, seed: int) -> _Asking:
    """The question without the other visits that are left over; what is planned, as far as no hard limit stands against it, is kept."""
    planned = {stop.visit for _, stop in plan.stops()} - {asked.id}
    beside, without = _only(problem, planned | {asked.id}), _only(problem, planned)
    base = solve(_demanding(without), StopRule(iterations=iterations), seed, start=replace(plan, left_over=()))
    kept = frozenset(stop.visit for _, stop in base.stops())
    return _Asking(beside, next(one for one in beside.visits if one.id == asked.id), base, kept, iterations, seed)


def _only(problem: Problem, names: Collection[str]) -> Problem:
    """The problem with these visits only; where the one before is not among them, no gap to it is kept."""
    visits = (one for one in problem.visits if one.id in names)
    bound = (one if one.after is None or one.after.visit in names else replace(one, after=None) for one in visits)
    return replace(problem, visits=tuple(bound))


def _demanding(problem: Problem) -> Problem:
    """The same with such prices that every visit is made, and nobody loses the break for it, wherever that is possible."""
    visits = tuple(replace(one, skip_cost=DEMANDED) for one in problem.visits)
    staff = tuple(replace(one, rest=replace(one.rest, weight=10 * DEMANDED)) if one.rest else one for one in problem.caregivers)
    return replace(problem, visits=visits, caregivers=staff)


def _breaks_missed(problem: Problem, plan: Plan) -> int:
    resting = {route.caregiver for route in plan.routes if len(route.visits) < len(route.stops)}
    return sum(1 for person in problem.caregivers if person.rest and person.id not in resting)


def relax(problem: Problem, visit: Visit, codes: Sequence[str]) -> Problem:
    """The problem without some constraints (codes of the explanations) for one visit."""
    eased, staff, others = visit, problem.caregivers, problem.visits
    for code in sorted(codes, key="staff".__eq__):  # last: whoever comes along has the longer shifts, too
        if code in visit.relaxed:
            eased = replace(eased, windows=visit.relaxed[code])
        elif code == "window":
            eased = replace(eased, windows=(Window(0.0, FOREVER),))
        elif code == "after":
            eased = replace(eased, after=None)
        elif code == "together":
            eased = replace(eased, gap=None)
        elif code == "barred":
            eased = replace(eased, barred=frozenset())
        elif code == "ring":
            eased = replace(eased, far=frozenset())
        elif code == "skill":
            eased = replace(eased, services=tuple(replace(service, skills=frozenset()) for service in eased.services))
        elif code == "shift":
            staff = tuple(replace(one, shift=Window(one.shift.start, one.shift.end + MORE_SHIFT)) for one in staff)
        elif code == "break":
            staff = tuple(replace(one, rest=None) for one in staff)
        elif code == "staff":
            more = more_staff(replace(problem, caregivers=staff))
            staff = (*staff, *more)
            eased = replace(eased, far=eased.far | {person.id for person in more if like(person) in eased.far})
            others = tuple(replace(one, barred=one.barred | {person.id for person in more}) for one in others)
    return replace(problem, visits=tuple(eased if one.id == visit.id else one for one in others), caregivers=staff)
