"""A strict check of a plan against its problem, on its own code path: it shares no line with the solver.

It trusts nothing but the start and end times in the plan: skills, windows, ways, pairs really starting together, gaps, breaks, shifts, and
the price of every part of the objective are worked out anew.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from healthsvc.dayplan.plan import Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import FOREVER, Caregiver, Departure, Minutes, Problem, Visit, WindowMet

TOLERANCE: Minutes = 0.002
"""Published times are rounded to a thousandth of a minute; two of them may differ by two."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found: ``violations`` in words, ``parts`` of the objective (weighted) and their sum."""

    violations: tuple[str, ...]
    parts: dict[str, float]

    @property
    def cost(self) -> float:
        """The objective."""
        return sum(self.parts.values())

    @property
    def good(self) -> bool:
        """No rule is broken."""
        return not self.violations


@dataclass(slots=True)
class _Ledger:
    """What is added up while the routes are walked."""

    wrong: list[str] = field(default_factory=list)
    travel: float = 0.0
    late: float = 0.0
    latest: float = 0.0
    waiting: float = 0.0
    overtime: float = 0.0
    idle: float = 0.0
    preference: int = 0
    affinity: float = 0.0
    missed: float = 0.0
    begun_late: float = 0.0
    fine: frozenset[str] = frozenset()
    work: dict[str, float] = field(default_factory=dict)
    done: dict[tuple[str, str], list[tuple[str, Stop]]] = field(default_factory=lambda: defaultdict(list))


def check(problem: Problem, plan: Plan) -> Verdict:
    """Every broken rule and the price of the plan."""
    ledger = _Ledger(fine=plan.fine)
    visits = {visit.id: visit for visit in problem.visits}
    routes: dict[str, Route] = {}
    for route in plan.routes:
        if route.caregiver in routes:
            ledger.wrong.append(f"caregiver {route.caregiver} has two routes")
        routes[route.caregiver] = route
    for unknown in sorted(routes.keys() - {person.id for person in problem.caregivers}):
        ledger.wrong.append(f"caregiver {unknown} is not in the problem")
    for person in problem.caregivers:
        _walk(problem, visits, person, routes.get(person.id), ledger)
    skipped = sum(_visit(problem, visit, ledger) for visit in problem.visits)
    weights = problem.weights
    mean = sum(ledger.work.values()) / max(1, len(ledger.work))
    parts = {
        "travel": weights.travel * ledger.travel,
        "late": weights.late * ledger.late,
        "latest": weights.latest * ledger.latest,
        "waiting": weights.waiting * ledger.waiting + ledger.begun_late,
        "overtime": weights.overtime * ledger.overtime,
        "idle": weights.idle * ledger.idle,
        "balance": weights.balance * sum(math.ceil(abs(work - mean) - 1e-9) for work in ledger.work.values()) if weights.balance else 0.0,
        "preference": weights.preference * ledger.preference,
        "affinity": ledger.affinity,
        "skipped": skipped,
        "missed": ledger.missed,
    }
    return Verdict(tuple(ledger.wrong), parts)


def _walk(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route | None, ledger: _Ledger) -> None:
    """One caregiver's day: ways, waits, the break, the shift."""
    wrong, travel = ledger.wrong, problem.travel[person.mode]
    length = person.shift.end - person.shift.start
    stops = route.stops if route else ()
    rested = False
    here, free, waited, service, way = person.start_place, person.shift.start, 0.0, 0.0, 0.0
    for at, stop in enumerate(stops):
        there = person.start_place if isinstance(stop, Rest) and stop.visit is None else None
        if there is None:
            if stop.visit not in visits:
                wrong.append(f"{person.id} goes to {stop.visit}, which is not in the problem")
                continue
            there = visits[stop.visit].place
        minutes = float(travel[here, there])
        if at == 0 and problem.departure is Departure.JUST_IN_TIME:
            free = stop.start - minutes
            if free < person.shift.start - TOLERANCE:
                wrong.append(f"{person.id} leaves at {free:g}, before the shift begins at {person.shift.start:g}")
        arrival = free + minutes
        if stop.start < arrival - TOLERANCE:
            wrong.append(f"{person.id} begins at {stop.visit} at {stop.start:g} but arrives at {arrival:g}")
        wait = max(0.0, stop.start - arrival)
        way += minutes
        waited += wait
        if not (at == 1 and isinstance(stops[0], Rest)):
            ledger.waiting += wait
        if isinstance(stop, Rest):
            rested = _rest(problem, person, stop, rested, wrong) or rested
        else:
            service += stop.end - stop.start
            _stop(problem, visits[stop.visit], person, stop, ledger)
        here, free = there, stop.end
    if stops:
        home = float(travel[here, person.end_place])
        way += home
        back = free + home
        departure = stops[0].start - float(travel[person.start_place, _place(visits, person, stops[0])])
        begins = departure if problem.departure is Departure.JUST_IN_TIME else person.shift.start
        over = max(0.0, back - person.shift.end)
        idle = begins - person.shift.start + waited + max(0.0, person.shift.end - back)
        ledger.overtime += over
        if over > TOLERANCE and problem.overtime_hard:
            wrong.append(f"{person.id} comes back {over:g} minutes after the shift")
    else:
        idle = length
    if person.rest and not rested:
        ledger.missed += person.rest.weight
    first = next((stop for stop in stops if isinstance(stop, Stop) and stop.visit in visits), None)
    if person.rest and first and isinstance(stops[0], Rest):
        out = float(travel[person.start_place, visits[first.visit].place])
        ledger.begun_late += person.rest.first * max(0.0, first.start - out - person.shift.start)
    if person.shift.end < FOREVER:
        ledger.idle = max(ledger.idle, idle)
    ledger.travel += way
    ledger.work[person.id] = service + way


def _place(visits: dict[str, Visit], person: Caregiver, stop: Stop | Rest) -> int:
    return visits[stop.visit].place if stop.visit in visits else person.start_place


def _rest(problem: Problem, person: Caregiver, stop: Rest, rested: bool, wrong: list[str]) -> bool:
    """Whether this break counts as the caregiver's break."""
    if person.rest is None:
        wrong.append(f"{person.id} takes a break but is due none")
        return False
    if rested:
        wrong.append(f"{person.id} takes two breaks")
    moment = stop.start if problem.met is WindowMet.AT_START else stop.end
    if stop.start < person.rest.window.start - TOLERANCE or moment > person.rest.window.end + TOLERANCE:
        wrong.append(f"the break of {person.id} at {stop.start:g} is outside its window")
    if abs(stop.end - stop.start - person.rest.duration) > TOLERANCE:
        wrong.append(f"the break of {person.id} lasts {stop.end - stop.start:g} minutes instead of {person.rest.duration:g}")
    return True


def _stop(problem: Problem, visit: Visit, person: Caregiver, stop: Stop, ledger: _Ledger) -> None:
    """One service: who, how long, and how late."""
    wrong = ledger.wrong
    service = next((service for service in visit.services if service.id == stop.service), None)
    if service is None:
        wrong.append(f"visit {visit.id} asks for no service {stop.service}")
        return
    ledger.done[visit.id, service.id].append((person.id, stop))
    step = problem.finest if problem.finest and visit.id in ledger.fine else problem.grain
    if _odd(step, visit, stop):
        wrong.append(f"{visit.id} begins at {stop.start:g}, which is no whole step of {step:g} minutes")
    if not service.skills <= person.skills:
        wrong.append(f"{person.id} lacks the skill for {service.id} at {visit.id}")
    if person.id in visit.barred:
        wrong.append(f"{person.id} must not come to {visit.id}")
    if person.id in visit.far and not visit.pinned:
        wrong.append(f"{person.id} comes to {visit.id} from too far")
    if abs(stop.end - stop.start - service.duration) > TOLERANCE:
        wrong.append(f"{service.id} at {visit.id} lasts {stop.end - stop.start:g} minutes instead of {service.duration:g}")
    if not visit.pinned:
        _in_window(problem, visit, stop, ledger)
    if visit.preferred and person.id not in visit.preferred:
        ledger.preference += 1
    ledger.affinity += visit.affinity.get(person.id, 0.0)


def _in_window(problem: Problem, visit: Visit, stop: Stop, ledger: _Ledger) -> None:
    """A visit that nobody has confirmed begins (or ends) in its window, or is late at a price."""
    wrong = ledger.wrong
    if stop.start < visit.windows[0].start - TOLERANCE:
        wrong.append(f"{visit.id} is begun at {stop.start:g}, before {visit.windows[0].start:g}")
    window = next((window for window in reversed(visit.windows) if window.start <= stop.start + TOLERANCE), visit.windows[0])
    late = max(0.0, (stop.start if problem.met is WindowMet.AT_START else stop.end) - window.end)
    if visit.hard:
        if late > TOLERANCE:
            wrong.append(f"{visit.id} is {late:g} minutes late")
    else:
        ledger.late += visit.late_weight * late
        ledger.latest = max(ledger.latest, late)


def _odd(step: Minutes, visit: Visit, stop: Stop) -> bool:
    """Whether a service begins between two whole steps of the clock without need."""
    if not step or visit.pinned or (visit.told is not None and abs(stop.start - visit.told) <= TOLERANCE):
        return False
    after = -stop.start % step
    if after <= TOLERANCE or step - after <= TOLERANCE:
        return False
    if visit.gap and all(step * k < visit.gap.least or step * k > visit.gap.most for k in range(int(visit.gap.most // step) + 1)):
        return False
    return not visit.hard or any(window.start <= stop.start and stop.start + after <= window.end for window in visit.windows)


def _visit(problem: Problem, visit: Visit, ledger: _Ledger) -> float:
    """All services once or none at all; pairs, gaps and pins. Returns what leaving it out costs."""
    wrong = ledger.wrong
    made = [ledger.done.get((visit.id, service.id), []) for service in visit.services]
    if not any(made):
        if visit.must:
            wrong.append(f"{visit.id} must be visited and is not")
        return visit.skip_cost
    for service, by in zip(visit.services, made, strict=True):
        if len(by) != 1:
            wrong.append(f"{service.id} at {visit.id} is done {len(by)} times")
    if not all(len(by) == 1 for by in made):
        return 0.0
    who, when = [by[0][0] for by in made], [by[0][1].start for by in made]
    if visit.gap:
        if len(set(who)) != len(who):
            wrong.append(f"{visit.id} needs {len(who)} different people")
        for earlier, later in pairwise(when):
            between = later - earlier
            if between < visit.gap.least - TOLERANCE or between > visit.gap.most + TOLERANCE:
                wrong.append(f"the services at {visit.id} start {between:g} minutes apart, not {visit.gap.least:g} to {visit.gap.most:g}")
    if visit.pinned and (tuple(who) != visit.pinned.caregivers or not _as_pinned(visit, when)):
        wrong.append(f"{visit.id} is pinned to {', '.join(visit.pinned.caregivers)} at {visit.pinned.start:g}")
    if visit.after:
        before = [by[0][1].start for (name, _), by in ledger.done.items() if name == visit.after.visit]
        if before and min(when) < max(before) + visit.after.least - TOLERANCE:
            wrong.append(f"{visit.id} begins less than {visit.after.least:g} minutes after {visit.after.visit}")
    return 0.0


def _as_pinned(visit: Visit, starts: list[float]) -> bool:
    """Whether the services begin when they were confirmed: the first as pinned (no later than it must), the others after their gaps."""
    assert visit.pinned is not None
    for number, start in enumerate(starts):
        least, most = (number * visit.gap.least, number * visit.gap.most) if visit.gap else (0.0, 0.0)
        if not visit.pinned.start + least - TOLERANCE <= start <= visit.pinned.start + most + visit.pinned.late + TOLERANCE:
            return False
    return True
