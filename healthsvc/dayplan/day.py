"""A day's plan as people read it: routes with times, what was left over and why, what it weighs."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DayStop:
    """One visit on somebody's route. ``travel_minutes`` and ``basis`` (road or estimate) are of the way there; ``slack`` is how many
    minutes later it could begin with everything after it still made in time (windows, confirmed visits, break, whoever comes along, shift).
    """

    task: str
    person: str
    kind: str
    title: str
    staff: tuple[str, ...]
    arrival: datetime
    start: datetime
    end: datetime
    travel_minutes: float
    basis: str
    slack: float
    pinned: bool = False
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DayRoute:
    """One person's day: from the station and back, with a break."""

    practitioner: str
    name: str
    station: str
    departure: datetime
    back: datetime
    stops: tuple[DayStop, ...]
    rest: tuple[datetime, datetime] | None = None
    part: int = 0
    """Which of the person's duties of the day it is (several stations, leave in between)."""

    @property
    def staff(self) -> str:
        """Whose route it is: the Practitioner's id."""
        return self.practitioner.rpartition("/")[2]

    def title(self) -> str:
        """A heading for the route."""
        return f"{self.name}  {self.departure:%H:%M}-{self.back:%H:%M}"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Arrival, start, end and what, one row a visit; an estimated way is marked with ~."""
        return [
            (
                f"{'~' if stop.basis != 'road' else ''}{stop.arrival:%H:%M}",
                f"{stop.start:%H:%M}",
                f"{stop.end:%H:%M}",
                f"{stop.title} {stop.task}",
            )
            for stop in self.stops
        ]


@dataclass(frozen=True, slots=True)
class DayLeft:
    """A visit that is not in the plan: ``code`` is the constraint that kept it out (the first of ``codes``), ``reason`` says it in
    Chinese."""

    visit: str
    person: str
    kind: str
    title: str
    codes: tuple[str, ...]
    reason: str
    reason_en: str

    @property
    def zh(self) -> str:
        """The reason in Chinese."""
        return self.reason

    @property
    def en(self) -> str:
        """The reason in English."""
        return self.reason_en

    @property
    def code(self) -> str:
        """The constraint that kept it out."""
        return self.codes[0]


@dataclass(frozen=True, slots=True)
class DayPlan:
    """The plan of a day. ``figures``: the price of each tier, and ``travel-minutes`` as minutes; ``versions``: the version of each
    Task that the plan was made from."""

    on: date
    made_at: datetime
    routes: tuple[DayRoute, ...]
    left_over: tuple[DayLeft, ...]
    figures: dict[str, float] = field(default_factory=dict)
    seed: int = 1
    evaluations: int = 0
    later: int = 0
    """Visits whose windows are open but that another day of their windows will do."""
    base: int = 0
    """Version of the plan in force from which this one was worked out (0: there was none)."""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the List that holds the plan."""
        return plan_id(self.on)

    @property
    def estimated(self) -> bool:
        """Whether any way in the plan is only an estimate."""
        return any(stop.basis != "road" for route in self.routes for stop in route.stops)

    def stops(self) -> list[DayStop]:
        """Every visit once, by start; one that two people begin one after the other lasts from the first start to the last end."""
        seen: dict[str, DayStop] = {}
        for stop in (stop for route in self.routes for stop in route.stops):
            known = seen.setdefault(stop.task, stop)
            if known is not stop:
                first = known if known.start <= stop.start else stop
                seen[stop.task] = replace(first, end=max(known.end, stop.end))
        return sorted(seen.values(), key=lambda stop: (stop.start, stop.task))

    def as_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "id": self.id,
            "on": self.on.isoformat(),
            "made_at": self.made_at.isoformat(),
            "planned": len(self.stops()),
            "later": self.later,
            "estimated": self.estimated,
            "seed": self.seed,
            "evaluations": self.evaluations,
            "figures": {name: round(value, 2) for name, value in self.figures.items()},
            "routes": [_route(route) for route in self.routes],
            "left_over": [
                {
                    "visit": left.visit,
                    "kind": left.kind,
                    "title": left.title,
                    "code": left.code,
                    "codes": list(left.codes),
                    "reason": left.reason,
                    "reason_en": left.reason_en,
                }
                for left in self.left_over
            ],
        }


def plan_id(on: date) -> str:
    """Id of the List that holds the plan of a day."""
    return f"dayplan-{on.isoformat()}"


def _route(route: DayRoute) -> dict[str, Any]:
    return {
        "practitioner": route.practitioner,
        "name": route.name,
        "station": route.station,
        "departure": route.departure.isoformat(),
        "back": route.back.isoformat(),
        "rest": [moment.isoformat() for moment in route.rest] if route.rest else None,
        "stops": [
            {
                "task": stop.task,
                "kind": stop.kind,
                "title": stop.title,
                "staff": list(stop.staff),
                "arrival": stop.arrival.isoformat(),
                "start": stop.start.isoformat(),
                "end": stop.end.isoformat(),
                "travel_minutes": round(stop.travel_minutes, 2),
                "basis": stop.basis,
                "slack": round(stop.slack, 1),
                "pinned": stop.pinned,
                "why": list(stop.why),
            }
            for stop in route.stops
        ],
    }
