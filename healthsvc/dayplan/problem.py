"""What is to be planned, in plain numbers: visits, the people who can make them, and how long the ways between take.

Nothing here knows FHIR, a calendar or a clock: times are minutes from the start of the day's horizon, places are row numbers of the
travel matrices. The product's day and the published benchmark instances are both written as a :class:`Problem`, so what is
benchmarked is what users run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Minutes = float
Matrix = npt.NDArray[np.float64]

FOREVER: Minutes = 1e7
"""Stands for "no end": longer than any horizon (about nineteen years in minutes), short enough to add and subtract exactly."""
NO_WAY: Minutes = 1e4
"""Minutes from which a way is no way at all."""


class WindowMet(StrEnum):
    """Which moment of the service has to fall into the window."""

    AT_START = "at_service_start"
    AT_END = "at_service_end"


class Departure(StrEnum):
    """When somebody leaves the starting place: so as to arrive without waiting, or when the shift begins."""

    JUST_IN_TIME = "just_in_time"
    SHIFT_START = "shift_start"


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to ``end``, minutes. Nobody may begin before the start."""

    start: Minutes
    end: Minutes


@dataclass(frozen=True, slots=True)
class Gap:
    """Each service starts at least ``least`` and at most ``most`` minutes after the one before it starts; (0, 0) is together."""

    least: Minutes
    most: Minutes

    @property
    def together(self) -> bool:
        """All services start at the same moment."""
        return self.least == 0 and self.most == 0


@dataclass(frozen=True, slots=True)
class Service:
    """What one person does at a visit: needs every one of ``skills`` and binds that person for ``duration`` minutes."""

    id: str
    skills: frozenset[str]
    duration: Minutes


@dataclass(frozen=True, slots=True)
class Pin:
    """A visit already confirmed: these caregivers (one a service), this start. The solver never moves it.

    The start is that of the first service; a gap sets the second's.
    ``late`` is by how many minutes it begins later than confirmed because the pinned visits before it allow no other way (see
    :func:`healthsvc.dayplan.easing.eased`).
    """

    caregivers: tuple[str, ...]
    start: Minutes
    late: Minutes = 0.0


@dataclass(frozen=True, slots=True)
class After:
    """This visit starts at least ``least`` minutes after the start of an earlier visit (a 12-hourly infusion, say)."""

    visit: str
    least: Minutes


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to one person: made whole or not at all.

    ``gap`` binds the services of a visit for two or more in time, by as many different people; without it services are independent.
    ``hard`` windows must be kept; soft ones may be overrun at a cost per minute. ``must``: leaving it out breaks a promise;
    otherwise leaving it out costs ``skip_cost``. ``preferred`` (if any) costs ``Weights.preference`` a service when somebody else
    comes; ``affinity`` adds a cost for one caregiver; ``barred`` must not come; ``far`` would come from too far. ``told`` is
    the start that people already know (see ``Weights.steady``). ``relaxed`` says
    for the explanations what the windows would be without one of the reasons for them (code to windows).
    """

    id: str
    place: int
    services: tuple[Service, ...]
    windows: tuple[Window, ...]
    gap: Gap | None = None
    must: bool = True
    skip_cost: float = 0.0
    hard: bool = False
    late_weight: float = 1.0
    preferred: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    far: frozenset[str] = frozenset()
    affinity: Mapping[str, float] = field(default_factory=dict)
    pinned: Pin | None = None
    after: After | None = None
    told: Minutes | None = None
    relaxed: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)


def pinned_start(visit: Visit, number: int) -> tuple[Minutes, Minutes]:
    """Between when and when service ``number`` of a pinned visit begins."""
    assert visit.pinned is not None
    least, most = (visit.gap.least, visit.gap.most) if visit.gap and number else (0.0, 0.0)
    return visit.pinned.start + number * least, visit.pinned.start + number * most + visit.pinned.late


@dataclass(frozen=True, slots=True)
class Break:
    """A rest of ``duration`` minutes that starts (or ends, as the window rule says) inside ``window``; missing it costs ``weight``.

    ``first`` prices a minute of the shift that is over before somebody sets out to their first visit with the break behind them: nobody is
    to sit through a morning that has work for them.
    """

    window: Window
    duration: Minutes
    weight: float
    first: float = 0.0


@dataclass(frozen=True, slots=True)
class Caregiver:
    """Somebody who makes visits: skills, the shift, where the day starts and ends, how they travel."""

    id: str
    skills: frozenset[str]
    start_place: int
    end_place: int
    shift: Window = Window(0.0, FOREVER)
    rest: Break | None = None
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """Price of one unit of each part of the objective. Units: minutes, except preference, which is per service.

    ``late`` prices the sum of minutes past soft windows, ``latest`` the largest single one; ``waiting`` the minutes between two visits
    with nothing to do; ``overtime`` minutes after the shift; ``idle`` the largest unused shift time of one person; ``balance`` the sum
    over people of the difference to the mean working time, each rounded up. ``steady`` is no part of the objective: of all times that a
    plan's routes allow, those near what people were told are chosen, a minute of difference at this price.
    """

    travel: float = 1.0
    late: float = 0.0
    latest: float = 0.0
    waiting: float = 0.0
    overtime: float = 0.0
    idle: float = 0.0
    balance: float = 0.0
    preference: float = 0.0
    steady: float = 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One day (or one published instance) to be solved. ``travel`` maps a mode to minutes between places, from row to column.

    ``grain``: visits and breaks begin on whole steps of so many minutes from the start of the horizon (0: at any moment). A window that is
    narrower than a step, a pinned visit and a pair whose gap holds no whole step keep their own minute. ``finest``: the smaller step that
    is taken where whole steps of ``grain`` would leave a visit out or cost somebody the break (0: none; it has to divide ``grain``).
    """

    visits: tuple[Visit, ...]
    caregivers: tuple[Caregiver, ...]
    travel: Mapping[str, Matrix]
    weights: Weights
    met: WindowMet = WindowMet.AT_START
    departure: Departure = Departure.JUST_IN_TIME
    overtime_hard: bool = False
    name: str = ""
    grain: Minutes = 0.0
    finest: Minutes = 0.0
