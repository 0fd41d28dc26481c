"""Why a visit was left over, computed: the smallest set of constraints whose relaxation lets it into the plan."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import Space
from healthsvc.dayplan.insertion import NO_LIMIT, Insertion, best_place, load
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import FOREVER, Caregiver, Problem, Visit, Window

MORE_SHIFT = 120.0
"""Minutes by which shifts are stretched when it is asked whether the shift keeps a visit out."""

ANOTHER = "another like "
"""Beginning of the id of an additional caregiver of the relaxation "staff"; then whom they are like, and a number."""

TOGETHER = 2
"""Most constraints that are relaxed at once."""


@dataclass(frozen=True, slots=True)
class Why:
    """The constraints that keep a visit out: codes of :data:`RELAXATIONS`.

    Or "priority": there is a place, but it costs more than leaving the visit out; "unfit": relaxing two constraints is not enough. Empty:
    there is a place that pays, and the search ended before it was found. ``would`` is the cheapest place with the constraints relaxed.
    """

    constraints: tuple[str, ...]
    would: Insertion | None


def why_left(problem: Problem, plan: Plan, visits: Iterable[str]) -> dict[str, Why]:
    """For each visit the smallest set of constraints that keeps it out of the plan; no place counts that costs somebody the break."""
    wanted = [(j, visit) for j, visit in enumerate(problem.visits) if visit.id in set(visits)]
    if not wanted:
        return {}
    dear = 1.0 + max(visit.skip_cost for visit in problem.visits)
    staff = (replace(one, rest=replace(one.rest, weight=one.rest.weight + dear)) if one.rest else one for one in problem.caregivers)
    easier = replace(problem, caregivers=tuple(staff))
    widened = replace(easier, caregivers=(*easier.caregivers, *more_staff(easier)))
    space = load(widened, plan)
    return {visit.id: _why(space, len(problem.caregivers), j, visit) for j, visit in wanted}


def _why(space: Space, known: int, j: int, visit: Visit) -> Why:
    relevant = [*visit.relaxed, *(code for code in RELAXATIONS if applies(code, space.problem, visit))]
    for size in range(TOGETHER + 1):
        best: tuple[float, tuple[str, ...], Insertion] | None = None
        for codes in combinations(relevant, size):
            place = _relaxed(space, known, j, codes, best[0] if best else visit.skip_cost)
            if place is not None and place.cost < visit.skip_cost and (best is None or (place.cost, codes) < best[:2]):
                best = (place.cost, codes, place)
        if best:
            return Why(*best[1:])
    place = _relaxed(space, known, j, ())
    return Why(("unfit",), None) if place is None else Why(("priority",), place)


def _relaxed(space: Space, known: int, j: int, codes: tuple[str, ...], limit: float = NO_LIMIT) -> Insertion | None:
    """The best place for visit ``j`` with these constraints relaxed that costs at most ``limit``; everything is as before afterwards."""
    w = space.world
    touched = (w.win, w.kind, w.allow, w.route, w.person, w.gap)
    kept = [array.copy() for array in touched]
    w.allow[:, known:] = 0
    for code in codes:
        if code in RELAXATIONS:
            RELAXATIONS[code](space, known, j)
        else:
            _windows(space, j, space.problem.visits[j].relaxed[code])
    place = best_place(space, j, limit)
    for array, old in zip(touched, kept, strict=True):
        array[:] = old
    return place


def _nodes(space: Space, j: int) -> range:
    first = int(space.world.job[j, at.FIRST])
    return range(first, first + int(space.world.job[j, at.COUNT]))


def _window(space: Space, known: int, j: int) -> None:
    """It may be made at any time of the day."""
    for v in _nodes(space, j):
        space.world.win[v, :2] = (0.0, FOREVER)
        space.world.kind[v, at.NWIN] = 1


def _windows(space: Space, j: int, windows: tuple[Window, ...]) -> None:
    """It has these windows (at most as many as the world has room for; the widest are kept)."""
    w = space.world
    room = w.win.shape[1] // 2
    kept = sorted(sorted(windows, key=lambda one: one.start - one.end)[:room], key=lambda one: one.start)
    for v in _nodes(space, j):
        for k, window in enumerate(kept):
            w.win[v, 2 * k : 2 * k + 2] = (window.start, window.end)
        w.kind[v, at.NWIN] = len(kept)


def _after(space: Space, known: int, j: int) -> None:
    """It need not keep its distance from the visit before."""
    w = space.world
    for v in _nodes(space, j):
        w.gap[w.earlier_at[v] : w.earlier_at[v + 1]] = -FOREVER


def _shift(space: Space, known: int, j: int) -> None:
    """Shifts are longer."""
    space.world.route[:, at.SHIFT_E] += MORE_SHIFT


def _break(space: Space, known: int, j: int) -> None:
    """Nobody takes a break."""
    space.world.person[:, at.HAS_REST] = 0


def _staff(space: Space, known: int, j: int) -> None:
    """One more person a kind of skill is there all day."""
    _allow(space, range(known, len(space.problem.caregivers)), j, skilled=True)


def _together(space: Space, known: int, j: int) -> None:
    """The services need not go together."""
    for v in _nodes(space, j):
        space.world.kind[v, at.PARTNER] = -1


def _barred(space: Space, known: int, j: int) -> None:
    """Nobody is unwelcome."""
    for v in _nodes(space, j):
        service = space.problem.visits[j].services[space.nodes[v].service]
        for c in range(known):
            person = space.problem.caregivers[c]
            space.world.allow[v, c] |= service.skills <= person.skills and person.id not in space.problem.visits[j].far


def _ring(space: Space, known: int, j: int) -> None:
    """Somebody from outside the circle may come."""
    for v in _nodes(space, j):
        service = space.problem.visits[j].services[space.nodes[v].service]
        for c in range(known):
            person = space.problem.caregivers[c]
            space.world.allow[v, c] |= service.skills <= person.skills and person.id not in space.problem.visits[j].barred


def _skill(space: Space, known: int, j: int) -> None:
    """Everybody has the skills that it asks for."""
    _allow(space, range(known), j, skilled=False)


def _allow(space: Space, people: range, j: int, *, skilled: bool) -> None:
    visit = space.problem.visits[j]
    for v in _nodes(space, j):
        for c in people:
            person = space.problem.caregivers[c]
            able = not skilled or visit.services[space.nodes[v].service].skills <= person.skills
            space.world.allow[v, c] |= able and person.id not in visit.barred and like(person) not in visit.far


RELAXATIONS: dict[str, Callable[[Space, int, int], None]] = {
    "window": _window,
    "after": _after,
    "shift": _shift,
    "break": _break,
    "staff": _staff,
    "together": _together,
    "barred": _barred,
    "ring": _ring,
    "skill": _skill,
}


def applies(code: str, problem: Problem, visit: Visit) -> bool:
    """Whether relaxing it could change anything for this visit."""
    return {
        "after": visit.after is not None,
        "break": any(person.rest for person in problem.caregivers),
        "together": visit.gap is not None,
        "barred": bool(visit.barred),
        "ring": bool(visit.far),
    }.get(code, True)


def like(person: Caregiver) -> str:
    """Whom an additional caregiver is like; anybody else is like themselves."""
    return person.id.removeprefix(ANOTHER).rpartition(" ")[0] if person.id.startswith(ANOTHER) else person.id


def more_staff(problem: Problem) -> list[Caregiver]:
    """More people for every set of skills on duty, each like the one with the longest shift: as many as the largest visit asks for."""
    copies = max((len(visit.services) for visit in problem.visits), default=1)
    longest: dict[frozenset[str], Caregiver] = {}
    for person in problem.caregivers:
        known = longest.get(person.skills)
        if known is None or person.shift.end - person.shift.start > known.shift.end - known.shift.start:
            longest[person.skills] = person
    return [replace(person, id=f"{ANOTHER}{person.id} {copy}") for person in longest.values() for copy in range(copies)]
