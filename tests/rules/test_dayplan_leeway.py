"""How much later a visit could begin: so much is possible by hand without breaking a rule, a minute more is not."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.dayplan.hand import conflicts, settled
from healthsvc.dayplan.leeway import leeways
from healthsvc.dayplan.plan import Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import After, Break, Caregiver, Gap, Pin, Problem, Service, Visit, Weights, Window

NONE: frozenset[str] = frozenset()


@st.composite
def days(draw: st.DrawFn) -> tuple[Problem, Plan]:
    """Two people on a street, visits of one or both, some confirmed, with windows, breaks, gaps and an end of the shift, and a plan."""
    count = draw(st.integers(2, 7))
    places = [draw(st.integers(0, 12)) for _ in range(count)]
    travel = np.abs(np.subtract.outer([0, *places], [0, *places])) * 1.0
    rest = Break(Window(600.0, 720.0), 30.0, 100.0) if draw(st.booleans()) else None
    free, at = {"a": 480.0, "b": 480.0}, {"a": 0, "b": 0}
    stops: dict[str, list[Stop | Rest]] = {"a": [], "b": []}
    visits: list[Visit] = []
    for k in range(count):
        together = draw(st.integers(0, 3)) == 0
        gap = Gap(*draw(st.sampled_from(((0.0, 0.0), (10.0, 30.0))))) if together else None
        people = ("a", "b") if together else (draw(st.sampled_from("ab")),)
        for who in people:
            if rest and free[who] >= 600 and not any(isinstance(stop, Rest) for stop in stops[who]) and free[who] <= 720:
                stops[who].append(Rest(visits[at[who] - 1].id if at[who] else None, free[who], free[who] + 30))
                free[who] += 30
        ready = [free[who] + travel[at[who], k + 1] for who in people]
        after = After(visits[0].id, 60.0) if k and draw(st.integers(0, 4)) == 0 else None
        first = ready[0] + draw(st.integers(0, 30))
        if after:
            first = max(first, 60.0 + max(s.start for own in stops.values() for s in own if isinstance(s, Stop) and s.visit == "v0"))
        starts = [first]
        if gap:
            starts.append(max(ready[1], first + gap.least))
            starts[0] = max(first, starts[1] - gap.most)
        pinned = Pin(people, starts[0]) if not gap and draw(st.integers(0, 4)) == 0 else None
        window = (starts[0], starts[0]) if pinned else (480.0, max(starts) + draw(st.sampled_from((0, 10, 45, 2000))))
        services = tuple(Service(str(n), NONE, 20.0) for n in range(len(people)))
        visits.append(Visit(f"v{k}", k + 1, services, (Window(*window),), gap, hard=True, pinned=pinned, after=after))
        for service, who, start in zip(services, people, starts, strict=True):
            stops[who].append(Stop(f"v{k}", service.id, start, start, start + 20))
            free[who], at[who] = start + 20, k + 1
    ends = {who: free[who] + travel[at[who], 0] + draw(st.integers(0, 40)) for who in "ab"}
    due = {who: rest if any(isinstance(stop, Rest) for stop in stops[who]) else None for who in "ab"}
    staff = tuple(Caregiver(who, NONE, 0, 0, Window(480.0, ends[who]), due[who]) for who in "ab")
    problem = Problem(tuple(visits), staff, {"": travel}, Weights(), overtime_hard=True)
    return problem, settled(problem, Plan(tuple(Route(who, 480.0, tuple(stops[who]), 0.0) for who in "ab"), ()))


def delayed(problem: Problem, plan: Plan, who: str, visit: str, minutes: float) -> tuple[str, ...]:
    """The rules that break when one person begins a visit so much later and everybody goes on from there."""

    def moved(route: Route) -> Route:
        mine = [route.caregiver == who and isinstance(stop, Stop) and stop.visit == visit for stop in route.stops]
        by = [minutes if one else 0.0 for one in mine]
        stops = (replace(stop, start=stop.start + k, end=stop.end + k) for k, stop in zip(by, route.stops, strict=True))
        return replace(route, stops=tuple(stops))

    return tuple(one.code for one in conflicts(problem, settled(problem, replace(plan, routes=tuple(map(moved, plan.routes))))))


@settings(max_examples=80)
@given(days())
def test_so_much_and_not_a_minute_more(day: tuple[Problem, Plan]) -> None:
    problem, plan = day
    assert conflicts(problem, plan) == ()
    found = leeways(problem, plan)
    assert found.keys() == {(who, stop.visit) for who, stop in plan.stops()}
    for (who, visit), minutes in found.items():
        assert delayed(problem, plan, who, visit, min(minutes, 3000.0)) == ()
        if minutes < 2000:
            assert delayed(problem, plan, who, visit, minutes + 1.0)
