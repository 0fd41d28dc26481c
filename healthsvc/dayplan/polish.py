"""The last step of a search: who goes where in which order stays, every start time is set anew so that the plan costs least.

The search begins everything as early as it may. Where waiting is priced, it can pay to set out later: with the order fixed every part of
the objective that depends on times is linear in the starts, so a linear program (HiGHS) finds the best times exactly.

Where starts lie on whole steps of the clock, every variable moves in steps from its own odd minutes (0, but for what is confirmed), and
every bound is rounded to one. All rows are differences of two starts, so the best corner of the program lies on whole steps by itself.
"""

import math
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise

from scipy.optimize import linprog
from scipy.sparse import coo_array

from healthsvc.dayplan.grid import HAIR, grain_of, is_round
from healthsvc.dayplan.plan import Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Caregiver, Departure, Problem, Visit, Window, WindowMet, pinned_start

EARLY = 1e-6
"""Price of a minute by which anything starts later: of times that cost the same the earliest are taken."""


@dataclass(slots=True)
class _Program:
    """A linear program that is written row by row: least ``price @ x``, ``low <= x <= high``, every row ``at most`` its bound.

    ``grain``: the step of all starts (0: none); ``odd``: by how much each variable is off the whole steps.
    """

    grain: float = 0.0
    odd: list[float] = field(default_factory=list)
    price: list[float] = field(default_factory=list)
    bounds: list[tuple[float | None, float | None]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def variable(self, low: float | None, high: float | None, price: float = 0.0) -> int:
        """A new variable; its number."""
        self.odd.append(0.0)
        self.price.append(price)
        self.bounds.append((low, high))
        return len(self.price) - 1

    def moment(self, low: float, high: float | None, price: float = 0.0, odd: float = 0.0) -> int:
        """A new start; its number. ``odd``: a start that it may have."""
        at = self.variable(None, None, price)
        self.odd[at] = math.fmod(odd, self.grain) if self.grain else 0.0
        self.bounds[at] = (self.rounded(at, low, math.ceil), None if high is None else self.rounded(at, high, math.floor))
        return at

    def rounded(self, at: int, time: float, way: Callable[[float], int]) -> float:
        """A time moved to a step of one variable: up (ceil), down (floor) or to the nearest (round)."""
        if not self.grain:
            return time
        hair = -HAIR if way is math.ceil else HAIR if way is math.floor else 0.0
        return self.odd[at] + self.grain * way((time - self.odd[at]) / self.grain + hair)

    def at_most(self, terms: dict[int, float], bound: float) -> None:
        """The weighted sum of variables stays at or below ``bound``."""
        for column, factor in terms.items():
            self.rows.append(len(self.most))
            self.columns.append(column)
            self.factors.append(factor)
        self.most.append(bound)

    def apart(self, earlier: int, later: int, minutes: float) -> None:
        """``later`` is at least ``minutes`` after ``earlier``."""
        self.at_most({earlier: 1.0, later: -1.0}, self.odd[earlier] - self.rounded(later, self.odd[earlier] + minutes, math.ceil))

    def solve(self) -> list[float] | None:
        """The values of the variables, or None where none fit."""
        shape = (len(self.most), len(self.price))
        matrix = coo_array((self.factors, (self.rows, self.columns)), shape=shape).tocsr()
        found = linprog(self.price, A_ub=matrix, b_ub=self.most, bounds=self.bounds, method="highs")
        return [float(value) for value in found.x] if found.status == 0 else None

    def on_steps(self, values: list[float], starts: Iterable[int]) -> bool:
        """Move the starts to the steps that they lie on but for the last digits; False where one lies on none."""
        for at in starts:
            nearest = self.rounded(at, values[at], round)
            if abs(values[at] - nearest) > 1e-4:
                return False
            values[at] = nearest
        return True


def polish(problem: Problem, plan: Plan) -> Plan:
    """The same routes with the best start times (see also ``Weights.steady``); the plan itself where no time can be better than the
    earliest.

    A time that people were told and that is not round is kept or becomes a round one, it does not move to another odd one.
    """
    told = {visit.id: visit.told for visit in problem.visits if visit.told is not None and problem.weights.steady > 0.0}
    if not (told or problem.weights.waiting > 0.0) or not any(route.stops for route in plan.routes):
        return plan
    odd = {name for name, time in told.items() if not is_round(time, problem.grain)}
    while True:
        better = _polished(problem, plan, odd)
        moved = (
            {stop.visit for _, stop in better.stops() if stop.visit in odd and abs(stop.start - told[stop.visit]) > 1e-3} if better else odd
        )
        if not moved:
            return better or plan
        odd = odd - moved


def _polished(problem: Problem, plan: Plan, odd: Set[str]) -> Plan | None:
    """The best times, with steps counted from what people were told for the visits ``odd``; None where there are none."""
    program = _Program(problem.grain)
    visits = {visit.id: visit for visit in problem.visits}
    people = {person.id: person for person in problem.caregivers}
    starts: dict[tuple[str, str], int] = {}
    latest = program.variable(0.0, None, problem.weights.latest)
    idlest = program.variable(0.0, None, problem.weights.idle)
    times: list[list[int]] = []
    for route in plan.routes:
        person = people[route.caregiver]
        mine = [
            _rest(program, person, problem.met, stop)
            if isinstance(stop, Rest)
            else _start(program, problem, visits[stop.visit], stop, latest, stop.visit in odd)
            for stop in route.stops
        ]
        starts |= {(stop.visit, stop.service): at for stop, at in zip(route.stops, mine, strict=True) if isinstance(stop, Stop)}
        times.append(mine)
        if mine:
            _route(program, problem, visits, person, route, mine, idlest)
    _across(program, problem, starts)
    values = program.solve()
    if values is None or not program.on_steps(values, (at for mine in times for at in mine)):
        return None
    routes = tuple(
        _moved(problem, visits, people[route.caregiver], route, [values[at] for at in mine])
        for route, mine in zip(plan.routes, times, strict=True)
    )
    return replace(plan, routes=routes)


def unsteady(problem: Problem, plan: Plan) -> float:
    """The price of all differences to the times that people were told."""
    told = {visit.id: visit.told for visit in problem.visits if visit.told is not None}
    return problem.weights.steady * sum(abs(stop.start - told[stop.visit]) for _, stop in plan.stops() if stop.visit in told)


def _start(program: _Program, problem: Problem, visit: Visit, stop: Stop, latest: int, odd: bool) -> int:
    """The start of one service, bounded by the window in which (or after which) it starts now; the price of its lateness.

    ``odd``: it moves in steps from what people were told.
    """
    if visit.pinned:
        if problem.grain:
            return program.moment(stop.start, stop.start, odd=stop.start)
        number = next(k for k, one in enumerate(visit.services) if one.id == stop.service)
        return program.variable(*pinned_start(visit, number), EARLY)
    if problem.grain and not odd and not (grain_of(problem, visit) and is_round(stop.start, problem.grain)):
        return program.moment(stop.start, stop.start, odd=stop.start)  # no round start is possible
    length = stop.end - stop.start
    window = next((one for one in reversed(visit.windows) if one.start <= stop.start + 1e-6), visit.windows[0])
    closes = window.end - (length if problem.met is WindowMet.AT_END else 0.0)
    last = max(closes, stop.start) if visit.hard else None
    at = program.moment(window.start, last, EARLY, visit.told if odd and visit.told is not None else 0.0)
    if visit.told is not None and problem.weights.steady > 0.0:
        away = program.variable(0.0, None, problem.weights.steady)
        told = program.rounded(at, visit.told, round)
        program.at_most({at: 1.0, away: -1.0}, told)
        program.at_most({at: -1.0, away: -1.0}, -told)
    weight = problem.weights.late * visit.late_weight
    if not visit.hard and (weight > 0.0 or problem.weights.latest > 0.0):
        late = program.variable(0.0, None, weight)
        program.at_most({at: 1.0, late: -1.0}, program.rounded(at, closes, math.floor))
        program.at_most({late: 1.0, latest: -1.0}, 0.0)
    return at


def _rest(program: _Program, person: Caregiver, met: WindowMet, stop: Rest) -> int:
    assert person.rest is not None
    if not is_round(stop.start, program.grain):
        return program.moment(stop.start, stop.start, odd=stop.start)
    window = person.rest.window
    return program.moment(window.start, window.end - (person.rest.duration if met is WindowMet.AT_END else 0.0), EARLY)


def _place(visits: dict[str, Visit], person: Caregiver, stop: Stop | Rest) -> int:
    return person.start_place if stop.visit is None else visits[stop.visit].place


def _route(
    program: _Program, problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route, times: list[int], idlest: int
) -> None:
    """The order of one route, its waiting, overtime and idle time."""
    way, weights = problem.travel[person.mode], problem.weights
    shift: Window = person.shift
    out = float(way[person.start_place, _place(visits, person, route.stops[0])])
    program.at_most({times[0]: -1.0}, -program.rounded(times[0], shift.start + out, math.ceil))
    inner = work = 0.0
    for k, stop in enumerate(route.stops):
        work += stop.end - stop.start
        if k + 1 < len(times):
            minutes = float(way[_place(visits, person, stop), _place(visits, person, route.stops[k + 1])])
            inner += minutes
            program.apart(times[k], times[k + 1], stop.end - stop.start + minutes)
    last = route.stops[-1]
    home = float(way[_place(visits, person, last), person.end_place])
    ends = last.end - last.start + home
    if problem.departure is Departure.SHIFT_START:
        program.price[times[-1]] += weights.waiting
    else:
        first = times[1] if isinstance(route.stops[0], Rest) and len(times) > 1 else times[0]
        program.price[times[-1]] += weights.waiting
        program.price[first] -= weights.waiting
    over = program.variable(0.0, 0.0 if problem.overtime_hard else None, weights.overtime)
    program.at_most({times[-1]: 1.0, over: -1.0}, program.rounded(times[-1], shift.end - ends, math.floor))
    if weights.idle > 0.0 and shift.end < 1e6:
        program.at_most({over: 1.0, idlest: -1.0}, work + inner + out + home - (shift.end - shift.start))


def _across(program: _Program, problem: Problem, starts: dict[tuple[str, str], int]) -> None:
    """What binds services on different routes: pairs, sequences, least gaps between visits."""
    by_visit: dict[str, list[int]] = {}
    for (name, _), at in starts.items():
        by_visit.setdefault(name, []).append(at)
    for visit in problem.visits:
        if visit.gap and visit.id in by_visit:
            for first, second in pairwise(starts[visit.id, service.id] for service in visit.services):
                program.apart(first, second, visit.gap.least)
                program.apart(second, first, -visit.gap.most)
        for earlier in by_visit.get(visit.after.visit, ()) if visit.after else ():
            for later in by_visit.get(visit.id, ()):
                program.apart(earlier, later, visit.after.least if visit.after else 0.0)


def _moved(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route, starts: list[float]) -> Route:
    """The route with new times: it leaves so as not to wait at the first stop, unless everybody leaves when the shift begins."""
    if not starts:
        return route
    way = problem.travel[person.mode]
    here, free = person.start_place, person.shift.start
    just_in_time = problem.departure is Departure.JUST_IN_TIME
    departure = free
    if just_in_time:
        departure = free = starts[0] - float(way[here, _place(visits, person, route.stops[0])])
    stops: list[Stop | Rest] = []
    for stop, start in zip(route.stops, starts, strict=True):
        there = _place(visits, person, stop)
        arrival = free + float(way[here, there])
        if not problem.grain:
            start = max(start, arrival)  # the program keeps its rows to a ten-millionth
        end = start + (stop.end - stop.start)
        stops.append(
            replace(stop, start=start, end=end) if isinstance(stop, Rest) else replace(stop, arrival=arrival, start=start, end=end)
        )
        here, free = there, end
    return replace(route, departure=departure, stops=tuple(stops), back=free + float(way[here, person.end_place]))
