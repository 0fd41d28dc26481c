"""A plan: who is where and when, and what was left over and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from healthsvc.dayplan.problem import Minutes


@dataclass(frozen=True, slots=True)
class Stop:
    """One service at one visit: reached at ``arrival``, begun at ``start``, done at ``end`` (minutes)."""

    visit: str
    service: str
    arrival: Minutes
    start: Minutes
    end: Minutes


@dataclass(frozen=True, slots=True)
class Rest:
    """A break: ``visit`` names the visit at whose place it is taken (None: where the day starts)."""

    visit: str | None
    start: Minutes
    end: Minutes


@dataclass(frozen=True, slots=True)
class Route:
    """One caregiver's day in order of time."""

    caregiver: str
    departure: Minutes
    stops: tuple[Stop | Rest, ...]
    back: Minutes

    @property
    def visits(self) -> tuple[Stop, ...]:
        """The stops without the breaks."""
        return tuple(stop for stop in self.stops if isinstance(stop, Stop))


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A visit that is not in the plan, and the constraints that kept it out (codes; the day plan's rules put them into words)."""

    visit: str
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes, what was left over, and how the plan was found (``evaluations`` and ``seed`` give the same plan again).

    ``fine``: visits that begin on a step of ``Problem.finest`` only, since whole steps would have left somebody out.
    """

    routes: tuple[Route, ...]
    left_over: tuple[LeftOver, ...]
    cost: float = 0.0
    seed: int = 0
    evaluations: int = 0
    fine: frozenset[str] = frozenset()

    def stops(self) -> Iterator[tuple[str, Stop]]:
        """Every service with the caregiver who makes it."""
        for route in self.routes:
            for stop in route.visits:
                yield route.caregiver, stop
