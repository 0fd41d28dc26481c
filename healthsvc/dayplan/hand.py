"""Plans changed by hand: a visit goes to somebody else or to another time; what follows from it, and which rules it breaks. Pure.

Whoever was told a time keeps it as long as the way allows: nothing is pulled forward, what is in the way is pushed back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from healthsvc.dayplan.grid import grain_of, up
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import FOREVER, NO_WAY, Caregiver, Minutes, Problem, Visit

CLOSE: Minutes = 0.05
"""Three seconds: times are stored to the second."""

SERIOUS = frozenset({"skill", "barred", "two-people", "apart", "gap", "pinned", "no-way", "circle"})
"""Conflicts that nobody may overrule; the others (late, overtime, break, ring, before-shift) a coordinator may take on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is done to one visit: these people (one a service) from this minute on; nobody: it is taken out."""

    visit: str
    caregivers: tuple[str, ...]
    start: Minutes


@dataclass(frozen=True, slots=True)
class Conflict:
    """A rule that a plan breaks: its code, the visit (None: it concerns the whole route), the caregiver, and by how many minutes."""

    code: str
    visit: str | None
    caregiver: str | None
    minutes: Minutes = 0.0


def edited(problem: Problem, plan: Plan, edits: Sequence[Edit]) -> Plan:
    """The plan with the edits made and every start time worked out again."""
    visits = {visit.id: visit for visit in problem.visits}
    routes = {person.id: [] for person in problem.caregivers}  # type: dict[str, list[Stop | Rest]]
    gone = {edit.visit for edit in edits}
    changed = {caregiver for edit in edits for caregiver in edit.caregivers}
    for route in plan.routes:
        routes[route.caregiver] = [stop for stop in route.stops if isinstance(stop, Rest) or stop.visit not in gone]
        changed |= {route.caregiver} if len(routes[route.caregiver]) < len(route.stops) else set()
    for edit in edits:
        for caregiver, service in zip(edit.caregivers, visits[edit.visit].services, strict=False):
            new = Stop(edit.visit, service.id, edit.start, edit.start, edit.start + service.duration)
            routes[caregiver] = sorted([*routes[caregiver], new], key=lambda stop: (stop.start, isinstance(stop, Rest)))
    homes = {visit.id: visit.place for visit in problem.visits}
    for person in problem.caregivers:
        if person.id in changed:
            begins = next((stop.start for stop in routes[person.id] if isinstance(stop, Rest)), None)
            made_stops = [stop for stop in routes[person.id] if isinstance(stop, Stop)]
            routes[person.id] = list(with_rest(problem, person, made_stops, homes, begins))
    planned = {stop.visit for stops in routes.values() for stop in stops if isinstance(stop, Stop)}
    left = tuple(LeftOver(visit.id) for visit in problem.visits if visit.id not in planned)
    made = tuple(Route(person.id, person.shift.start, tuple(routes[person.id]), person.shift.start) for person in problem.caregivers)
    return settled(problem, replace(plan, routes=made, left_over=left))


def settled(problem: Problem, plan: Plan) -> Plan:
    """The same routes; every start as planned, or later where the way, a partner or an earlier visit needs it: then on a whole step of
    the clock, where there are steps."""
    visits = {visit.id: visit for visit in problem.visits}
    people = {person.id: person for person in problem.caregivers}
    starts = {_key(route, stop): _opening(visits, stop) for route in plan.routes for stop in route.stops}
    where = {(stop.visit, stop.service): _key(route, stop) for route in plan.routes for stop in route.visits}
    for _ in range(4 * len(starts) + 8):
        before = dict(starts)
        for route in plan.routes:
            _forward(problem, visits, people[route.caregiver], route, starts)
        for visit in problem.visits:
            _bind(problem, visit, visits, where, starts)
        if all(abs(starts[key] - before[key]) < 1e-9 for key in starts):
            break
    return replace(plan, routes=tuple(_timed(problem, visits, people[route.caregiver], route, starts) for route in plan.routes))


def with_rest(
    problem: Problem, person: Caregiver, stops: Sequence[Stop], homes: Mapping[str, int], begins: Minutes | None
) -> tuple[Stop | Rest, ...]:
    """The visits of one person in order of time with the break that is due, at ``begins`` (None: as early as its window allows).

    It is taken after the way to the next home where it can still begin there in its window, else before setting out.
    """
    ordered = sorted(stops, key=lambda stop: stop.start)
    if person.rest is None:
        return tuple(ordered)
    begins = person.rest.window.start if begins is None else begins
    if not ordered and max(begins, person.shift.start) > person.rest.window.end:
        return ()  # whoever has no visits and comes after the midday break takes none
    before = [stop for stop in ordered if stop.start <= begins]
    after = ordered[len(before) :]
    name = before[-1].visit if before else None
    free = before[-1].end if before else person.shift.start
    if after:
        place = homes[name] if name else person.start_place
        arrival = free + float(problem.travel[person.mode][place, homes[after[0].visit]])
        if max(begins, arrival) <= person.rest.window.end:
            name, free = after[0].visit, arrival
    start = max(begins, free)
    return (*before, Rest(name, start, start + person.rest.duration), *after)


_Key = tuple[str, str, str]


def _key(route: Route, stop: Stop | Rest) -> _Key:
    return (route.caregiver, "", "") if isinstance(stop, Rest) else (route.caregiver, stop.visit, stop.service)


def _opening(visits: dict[str, Visit], stop: Stop | Rest) -> Minutes:
    return stop.start if isinstance(stop, Rest) else max(stop.start, visits[stop.visit].windows[0].start)


def _place(visits: dict[str, Visit], person: Caregiver, stop: Stop | Rest) -> int:
    return person.start_place if stop.visit is None else visits[stop.visit].place


def _forward(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route, starts: dict[_Key, Minutes]) -> None:
    way = problem.travel[person.mode]
    here, free = person.start_place, person.shift.start
    for stop in route.stops:
        there = _place(visits, person, stop)
        key = _key(route, stop)
        visit = None if stop.visit is None or isinstance(stop, Rest) else visits[stop.visit]
        starts[key] = _later(problem, visit, starts[key], free + float(way[here, there]))
        here, free = there, starts[key] + (stop.end - stop.start)


def _later(problem: Problem, visit: Visit | None, start: Minutes, free: Minutes) -> Minutes:
    """``start``, or where it cannot be kept the next one from ``free`` on that people can read; ``visit``: None for a break."""
    if free <= start + CLOSE:
        return max(start, free)
    if visit is None:
        return up(free, problem.grain, FOREVER)
    closes = (window.end for window in visit.windows if visit.hard and window.start <= free <= window.end)
    return up(free, grain_of(problem, visit), max(closes, default=FOREVER))


def _bind(
    problem: Problem, visit: Visit, visits: dict[str, Visit], where: dict[tuple[str, str], _Key], starts: dict[_Key, Minutes]
) -> None:
    """Partners and the least gap after an earlier visit."""
    mine = [where[visit.id, service.id] for service in visit.services if (visit.id, service.id) in where]
    for first, second in pairwise(mine) if visit.gap and len(mine) == len(visit.services) else ():
        assert visit.gap is not None
        starts[second] = _later(problem, visit, starts[second], starts[first] + visit.gap.least)
        starts[first] = _later(problem, visit, starts[first], starts[second] - visit.gap.most)
    if visit.after and visit.after.visit in visits:
        named = [(visit.after.visit, service.id) for service in visits[visit.after.visit].services]
        earlier = [where[name] for name in named if name in where]
        for key in mine if earlier else ():
            starts[key] = _later(problem, visit, starts[key], max(starts[one] for one in earlier) + visit.after.least)


def _timed(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route, starts: dict[_Key, Minutes]) -> Route:
    if not route.stops:
        return route
    way = problem.travel[person.mode]
    here = person.start_place
    departure = free = starts[_key(route, route.stops[0])] - float(way[here, _place(visits, person, route.stops[0])])
    stops: list[Stop | Rest] = []
    for stop in route.stops:
        there, start = _place(visits, person, stop), starts[_key(route, stop)]
        end = start + (stop.end - stop.start)
        arrival = free + float(way[here, there])
        stops.append(
            replace(stop, start=start, end=end) if isinstance(stop, Rest) else replace(stop, arrival=arrival, start=start, end=end)
        )
        here, free = there, end
    return replace(route, departure=departure, stops=tuple(stops), back=free + float(way[here, person.end_place]))


def conflicts(problem: Problem, plan: Plan) -> tuple[Conflict, ...]:
    """Every rule that the plan breaks."""
    people = {person.id: person for person in problem.caregivers}
    visits = {visit.id: visit for visit in problem.visits}
    found = [one for route in plan.routes for one in _of_route(problem, visits, people[route.caregiver], route)]
    made: dict[str, list[tuple[str, Stop]]] = {}
    for caregiver, stop in plan.stops():
        made.setdefault(stop.visit, []).append((caregiver, stop))
    for visit, stops in made.items():
        found += _of_visit(visits[visit], sorted(stops, key=lambda one: one[1].service), made)
    return tuple(found)


def _of_route(problem: Problem, visits: dict[str, Visit], person: Caregiver, route: Route) -> Iterator[Conflict]:
    if not route.visits:
        return
    way = problem.travel[person.mode]
    here, free = person.start_place, None
    for stop in route.stops:
        there = _place(visits, person, stop)
        if float(way[here, there]) >= NO_WAY:
            yield Conflict("no-way", stop.visit, person.id)
        elif free is not None and stop.start < free + float(way[here, there]) - CLOSE:
            yield Conflict("circle", stop.visit, person.id, free + float(way[here, there]) - stop.start)
        here, free = there, stop.end
        if isinstance(stop, Stop):
            yield from _of_stop(visits[stop.visit], person, stop)
    early = person.shift.start - route.departure
    if early > CLOSE:
        yield Conflict("before-shift", route.visits[0].visit, person.id, early)
    if route.back > person.shift.end + CLOSE:
        yield Conflict("overtime", None, person.id, route.back - person.shift.end)
    rest = next((stop for stop in route.stops if isinstance(stop, Rest)), None)
    if person.rest and (rest is None or rest.start > person.rest.window.end + CLOSE):
        yield Conflict("break", None, person.id, person.rest.duration)


def _of_stop(visit: Visit, person: Caregiver, stop: Stop) -> Iterator[Conflict]:
    service = next(one for one in visit.services if one.id == stop.service)
    if not service.skills <= person.skills:
        yield Conflict("skill", visit.id, person.id)
    if person.id in visit.barred:
        yield Conflict("barred", visit.id, person.id)
    if person.id in visit.far:
        yield Conflict("ring", visit.id, person.id)
    window = next((one for one in reversed(visit.windows) if one.start <= stop.start + CLOSE), visit.windows[0])
    if visit.pinned and not -CLOSE <= stop.start - visit.pinned.start <= visit.pinned.late + CLOSE:
        yield Conflict("pinned", visit.id, person.id, stop.start - visit.pinned.start)  # its only window is that minute: not late as well
    elif visit.hard and stop.start > window.end + CLOSE:
        yield Conflict("late", visit.id, person.id, stop.start - window.end)


def _of_visit(visit: Visit, stops: list[tuple[str, Stop]], made: dict[str, list[tuple[str, Stop]]]) -> Iterator[Conflict]:
    who = [caregiver for caregiver, _ in stops]
    if visit.gap and len(set(who)) < len(visit.services):
        yield Conflict("two-people", visit.id, who[0])
    for (_, first), (later, second) in pairwise(stops) if visit.gap and len(stops) == len(visit.services) else ():
        assert visit.gap is not None
        between = second.start - first.start
        if not visit.gap.least - CLOSE <= between <= visit.gap.most + CLOSE:
            yield Conflict("apart", visit.id, later, between)
    if visit.pinned and set(who) != set(visit.pinned.caregivers):
        yield Conflict("pinned", visit.id, who[0])
    earlier = made.get(visit.after.visit, []) if visit.after else []
    if visit.after and earlier:
        lacks = max(stop.start for _, stop in earlier) + visit.after.least - min(stop.start for _, stop in stops)
        if lacks > CLOSE:
            yield Conflict("gap", visit.id, who[0], lacks)
