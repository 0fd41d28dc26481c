"""The coordinator's board: try a change by hand, see what it costs and breaks, keep it; find a place for one more; ask why.

Nothing is stored by trying. Keeping a trial is refused where the plan, or a visit in it, has changed since.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.checker import check
from healthsvc.dayplan.compose import compose, tiers
from healthsvc.dayplan.day import DayPlan
from healthsvc.dayplan.difference import Change, difference
from healthsvc.dayplan.hand import CLOSE, SERIOUS, Conflict, Edit, conflicts, edited, settled
from healthsvc.dayplan.matching import matched
from healthsvc.dayplan.model import problem_of, services_of
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.rules import Duty, minutes_of
from healthsvc.dayplan.service import accept, check_version
from healthsvc.dayplan.standing import Standing, standing
from healthsvc.errors import NotFound, RuleViolation
from healthsvc.store import Actor, Database, Store

if TYPE_CHECKING:  # the search and its compiler are loaded when somebody plans, not when a process starts
    from healthsvc.dayplan.insertion import Insertion


ROUNDING = timedelta(minutes=CLOSE)
"""By how much a time may differ and still be the same."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change by hand: the visit, who comes (``Practitioner/x``; nobody: it waits again), and when (None: as planned, or soonest)."""

    task: str
    staff: tuple[str, ...]
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change would bring: the plan then, the rules that it breaks anew, the price of each tier before and after, every difference.

    ``version`` is the version of the plan that it was tried on (0: the day had none).
    """

    plan: DayPlan
    conflicts: tuple[Conflict, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]
    changes: tuple[Change, ...]
    version: int

    @property
    def serious(self) -> tuple[Conflict, ...]:
        """Conflicts that nobody may overrule."""
        return tuple(one for one in self.conflicts if is_serious(one))

    def with_conflicts(self, *more: Conflict) -> "Trial":
        """The same with further conflicts."""
        return replace(self, conflicts=(*self.conflicts, *more))


def is_serious(conflict: Conflict) -> bool:
    """Whether nobody may overrule it."""
    return conflict.code in SERIOUS or conflict.code == "off-duty"


def try_moves(
    database: Database,
    actor: Actor,
    on: date,
    travel: TravelTimes,
    moves: Sequence[Move],
    *,
    at: datetime,
    moving: Collection[str] = (),
) -> Trial:
    """Try changes by hand on the plan of a day. Visits that are not moved keep their people and, as far as the way allows, their times.

    ``moving``: visits that come from another day (see :mod:`healthsvc.dayplan.board.days`, which takes them out there).

    Raises:
        NotFound: a visit cannot be made on that day, or its home has no position on the map.
    """
    now = standing(database, actor, on, travel, at=at, extra=[move.task for move in moves], moving=moving)
    known = {call.task.id for call in now.day.calls}
    solvable = {visit.id for visit in now.problem.visits}
    for move in moves:
        if move.task not in known or (move.staff and move.task not in solvable):
            raise NotFound("the visit cannot be made on that day, or its home has no position on the map", reason="dayplan-not-that-day")
    broken: list[Conflict] = []
    edits = []
    plan = now.plan
    for move in moves:
        edit = _edit(now, plan, move, broken)
        if edit is not None:
            edits.append(edit)
            plan = edited(now.problem, plan, [edit])
    return _trial(now, edited(now.problem, now.plan, edits), tuple(broken))


def _trial(now: Standing, plan: Plan, broken: tuple[Conflict, ...]) -> Trial:
    """What a changed plan brings, beside what stands."""
    as_it_is = settled(now.problem, now.plan)
    old = {(one.code, one.visit, one.caregiver): one.minutes for one in conflicts(now.problem, as_it_is)}
    fresh = tuple(one for one in conflicts(now.problem, plan) if one.minutes > old.get((one.code, one.visit, one.caregiver), -1.0) + 0.05)
    before = now.gathered.stored or compose(now.gathered, now.day, now.out, now.ways, now.problem, as_it_is, now.at, {})
    known = {left.visit: left.codes for left in before.left_over}
    explained = {left.visit: known.get(left.visit, ("by-hand",)) for left in plan.left_over}
    after = compose(now.gathered, now.day, now.out, now.ways, now.problem, plan, now.at, explained)
    after = replace(_steady(before, after), seed=before.seed, evaluations=before.evaluations, later=before.later)
    return Trial(
        after,
        (*broken, *fresh),
        tiers(check(now.problem, as_it_is)),
        tiers(check(now.problem, plan)),
        difference(before, after),
        now.gathered.version,
    )


def _steady(before: DayPlan, after: DayPlan) -> DayPlan:
    """The plan with every stop where it was that has moved by no more than rounding: stored times are whole seconds."""
    was = {(route.practitioner, stop.task): stop for route in before.routes for stop in route.stops}
    routes = []
    for route in after.routes:
        stops = []
        for stop in route.stops:
            old = was.get((route.practitioner, stop.task))
            same = old is not None and abs(stop.start - old.start) <= ROUNDING
            stops.append(replace(stop, arrival=old.arrival, start=old.start, end=old.end) if old is not None and same else stop)
        routes.append(replace(route, stops=tuple(stops)))
    return replace(after, routes=tuple(routes))


def _edit(now: Standing, plan: Plan, move: Move, broken: list[Conflict]) -> Edit | None:
    """A move as an edit; None (and a conflict) where somebody is not on duty or too few come."""
    call = next(one for one in now.day.calls if one.task.id == move.task)
    services = services_of(call.task)
    start = minutes_of(move.start.astimezone(now.at.tzinfo), now.day.on) if move.start else None
    if not move.staff:
        return Edit(move.task, (), 0.0)
    if len(move.staff) != len(services) or len(set(move.staff)) != len(services):
        broken.append(Conflict("two-people", move.task, move.staff[0]))
        return None
    duties: dict[str, Duty] = {}
    for who in move.staff:
        duty = _duty(now, who, start)
        if duty is None:
            broken.append(Conflict("off-duty", move.task, who))
            return None
        duties[who] = duty
    order = matched(len(services), move.staff, lambda k, who: services[k].skills <= duties[who].skills)
    keys = tuple(duties[who].key for who in order)
    if start is None:
        start = _soonest(now, plan, move.task, keys)
    return Edit(move.task, keys, start)


def _duty(now: Standing, who: str, start: float | None) -> Duty | None:
    mine = [duty for duty in now.day.duties if duty.practitioner == who]
    begun = [duty for duty in mine if start is None or duty.starts <= start]
    return (begun or mine)[-1 if start is not None and begun else 0] if mine else None


def _soonest(now: Standing, plan: Plan, task: str, keys: tuple[str, ...]) -> float:
    """When it would best be made by these people: the cheapest place in their routes, else the time at which it is planned now."""
    from healthsvc.dayplan.insertion import rank_insertions

    everybody = frozenset(person.id for person in now.problem.caregivers)
    only = replace(
        now.problem,
        visits=tuple(replace(one, barred=one.barred | (everybody - set(keys))) if one.id == task else one for one in now.problem.visits),
    )
    found = rank_insertions(only, plan, task, 1)
    if found:
        return min(found[0].starts)
    planned = [stop.start for _, stop in plan.stops() if stop.visit == task]
    shifts = [person.shift.start for person in now.problem.caregivers if person.id in keys]
    return min(planned) if planned else max(shifts)


def keep(store: Store, trial: Trial, if_match: int | None = None, *, force: bool = False) -> None:
    """Make a tried plan the plan of the day.

    ``force`` takes on conflicts that a coordinator may take on (overtime, a late start, no break); serious ones stay refused.

    Raises:
        RuleViolation: the change breaks a rule.
        PreconditionFailed, Conflict: the plan or a visit in it has changed since.
    """
    refuse_broken(trial.conflicts, force=force)
    check_version(store, trial.plan.on, if_match if if_match is not None else trial.version)
    accept(store, trial.plan)


def refuse_broken(conflicts: Sequence[Conflict], *, force: bool) -> None:
    """Refuse what breaks a rule; with ``force`` only what nobody may overrule.

    Raises:
        RuleViolation: with the codes of the rules.
    """
    serious = [one for one in conflicts if is_serious(one)]
    refused = serious if force else list(conflicts)
    if refused:
        codes = ", ".join(sorted({one.code for one in refused}))
        hint = "" if serious else "; send force to take it on"
        raise RuleViolation(f"the change breaks {len(refused)} rules ({codes}){hint}", reason="dayplan-conflict")


def reassign(
    database: Database, actor: Actor, on: date, travel: TravelTimes, who: str, to: str, *, at: datetime, tasks: Sequence[str] = ()
) -> Trial:
    """Give everything that somebody has left on a day (or only ``tasks``) to somebody else, at the same times where the way allows it.

    Confirmed visits and those already begun stay.

    Raises:
        NotFound: they have nothing planned on that day.
    """
    now = standing(database, actor, on, travel, at=at)
    moves = []
    for call in now.told.calls:
        if call.held is None or call.held.pinned or who not in call.held.staff or (tasks and call.task.id not in tasks):
            continue
        staff = tuple(to if one == who else one for one in call.held.staff)
        starts = [stop.start for _, stop in now.plan.stops() if stop.visit == call.task.id]
        moves.append((min(starts, default=call.held.start), call.task.id, staff))
    if not moves:
        raise NotFound("nothing is planned for them on that day that could go to somebody else")
    broken: list[Conflict] = []
    edits = []
    for start, task, staff in sorted(moves):
        duties = [_duty(now, one, start) for one in staff]
        if any(duty is None for duty in duties):
            broken.append(Conflict("off-duty", task, to))
        else:
            edits.append(Edit(task, tuple(duty.key for duty in duties if duty), start))
    return _trial(now, edited(now.problem, now.plan, edits), tuple(broken))


def find_places(
    database: Database, actor: Actor, on: date, task: str, travel: TravelTimes, *, at: datetime, most: int = 5
) -> "tuple[Insertion, ...]":
    """Where one more visit could go in the plan of a day that otherwise stays as it is, best first (an emergency, a late request).

    Raises:
        NotFound: the visit cannot be made on that day, or its home has no position.
    """
    from healthsvc.dayplan.insertion import rank_insertions

    now = standing(database, actor, on, travel, at=at, extra=[task])
    if all(call.task.id != task for call in now.day.calls):
        raise NotFound("the visit cannot be made on that day, or its home has no position on the map")
    told = replace(now.told, calls=tuple(replace(call, held=None) if call.task.id == task else call for call in now.told.calls))
    return rank_insertions(problem_of(told, now.policy), now.plan, task, most)
