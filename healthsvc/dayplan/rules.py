"""What a day's plan has to weigh, in plain words, and how it becomes a problem for the solver. Pure.

The objective has tiers, each priced so that a lower one never outweighs a higher one within a day:

1. Safety and hard promises: skills, shifts, infusion windows and gaps, two people where two are needed, confirmed visits. Never broken.
2. As many visits as possible, the overdue and the pressing first.
3. Continuity: the responsible doctor or nurse, then the care team or who came last; somebody from within the ten-minute circle.
4. Travel and waiting; no later than the person's time of day.
5. Fairness: working time spread evenly.

All prices are policy parameters (``dayplan.*``) in minutes of travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from healthsvc.dayplan.problem import Matrix, Window
from healthsvc.visit.rules import Visit as Task

DAY = 24 * 60.0


@dataclass(frozen=True, slots=True)
class DayPolicy:
    """Filled from ``policy/dayplan.toml``; prices in minutes of travel."""

    mode: str
    shift: tuple[str, str]
    rest: tuple[str, str]
    rest_minutes: float
    rest_price: float
    skip_price: dict[str, float]
    skip_overdue: float
    skip_overdue_day: float
    skip_overdue_most: float
    skip_last_day: float
    skip_pinned: float
    skip_told: float
    stranger_price: float
    teammate_price: float
    ring_minutes: float
    ring_price: float
    waiting_price: float
    late_price: float
    fairness_price: float
    hard_kinds: tuple[str, ...]
    not_routed: tuple[str, ...]
    stay_minutes: float
    stay_price: float
    stay_person_price: float
    steady_price: float
    proposals_a_second: int
    continuity_days: int
    holidays_worked: bool
    appointment_margin: float
    ring_kinds: tuple[str, ...]
    delay_price: dict[str, float]
    start_grain: float
    start_finest: float
    way_slack: float


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody on duty on the day: who, what they can do, from which station (a place), from when until when (minutes of the day)."""

    practitioner: str
    """``Practitioner/x``."""
    name: str
    skills: frozenset[str]
    station: str
    """``Location/x``."""
    place: int
    starts: float
    ends: float
    rest: tuple[float, float, float] | None = None
    """A break: begins from, begins until, minutes."""
    mode: str = ""
    begins_at: int | None = None
    """The place where they are when the plan begins, if not the station (a visit under way)."""
    part: int = 0
    """Which of the person's duties of the day it is (several stations, leave in between)."""

    @property
    def key(self) -> str:
        """What the solver calls it."""
        return f"{self.practitioner}#{self.part + 1}" if self.part else self.practitioner


@dataclass(frozen=True, slots=True)
class Held:
    """A visit that already has a time and people: ``pinned`` ones stay to the minute, others may move a little for a price."""

    staff: tuple[str, ...]
    start: float
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A visit to be planned on the day, with what the planner has to know about the person."""

    task: Task
    place: int
    overdue_days: int = 0
    last_day: bool = False
    team: frozenset[str] = frozenset()
    """Practitioners of the care team, and who came last."""
    barred: frozenset[str] = frozenset()
    after: tuple[str, float] | None = None
    """Task id of the visit before, and the least minutes between the two starts."""
    not_before: float | None = None
    held: Held | None = None
    told: float | None = None
    """The start that the person was told, where nobody holds the visit any more."""
    busy: tuple[tuple[float, float], ...] = ()
    """When the person is not at home (an appointment at a hospital, the way there and back): minutes of the day."""
    preferred: tuple[float | None, float | None] = (None, None)
    """Between when and when the person would like it to begin: soft, where no ``latest`` binds."""
    apart: tuple[float, float] = (0.0, 0.0)
    """Of a double visit: how many minutes (least, most) the second person begins after the first; (0, 0) is together."""


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that one day's plan is made from."""

    on: date
    calls: tuple[Call, ...]
    duties: tuple[Duty, ...]
    travel: Mapping[str, Matrix]
    names: Mapping[str, str] = field(default_factory=dict)


def minutes_of(moment: datetime, on: date) -> float:
    """Minutes from midnight of ``on`` (in the moment's own zone) to the moment; negative before."""
    midnight = datetime.combine(on, time(), moment.tzinfo)
    return (moment - midnight) / timedelta(minutes=1)


def clock_minutes(text: str | time) -> float:
    """A time of day as minutes."""
    at = time.fromisoformat(text) if isinstance(text, str) else text
    return at.hour * 60.0 + at.minute + at.second / 60.0


def windows_of(call: Call, on: date, policy: DayPolicy, *, mind_busy: bool = True) -> tuple[Window, ...]:
    """When on the day the visit may begin: its window, its time of day, the gap to what was done before, without the times when the
    person is not at home (``mind_busy``).

    An overdue visit may be made all day. Empty where nothing is left of the day.
    """
    task = call.task
    opens, closes = 0.0, DAY
    if not call.overdue_days:
        opens, closes = max(opens, minutes_of(task.window.start, on)), min(closes, minutes_of(task.window.end, on))
    opens = max(opens, clock_minutes(task.earliest) if task.earliest else clock_minutes(policy.shift[0]), call.not_before or 0.0)
    if task.latest:
        closes = min(closes, clock_minutes(task.latest))
    found = [Window(opens, closes)] if opens <= closes else []
    for start, end in call.busy if mind_busy else ():
        found = [piece for window in found for piece in _around(window, start - task.minutes, end)]
    if call.held and not call.held.pinned and task.kind not in policy.hard_kinds:
        near = [
            Window(max(one.start, call.held.start - policy.stay_minutes), min(one.end, call.held.start + policy.stay_minutes))
            for one in found
        ]
        return tuple(one for one in near if one.start <= one.end) or tuple(found)
    return tuple(_preferred(call, found)) if not call.held else tuple(found)


def _around(window: Window, last: float, first: float) -> list[Window]:
    """A window of starts without those after ``last`` and before ``first``."""
    if last >= window.end or first <= window.start:
        return [window]
    pieces = (Window(window.start, max(window.start, last)) if last >= window.start else None, Window(first, window.end))
    return [piece for piece in pieces if piece is not None and piece.start <= piece.end]


def _preferred(call: Call, windows: list[Window]) -> list[Window]:
    """The windows narrowed to the time that the person would like, where that leaves anything."""
    begin, until = call.preferred
    begin, until = begin if begin is not None else 0.0, until if until is not None else DAY
    liked = [Window(max(one.start, begin), min(one.end, until)) for one in windows]
    return [one for one in liked if one.start <= one.end] or windows


def is_soft(call: Call, policy: DayPolicy) -> bool:
    """Whether its window may be overrun for a price: only a wish or an announced time limits it, nothing else does."""
    if call.task.kind in policy.hard_kinds or call.task.latest is not None or call.busy:
        return False
    return (call.held is not None and not call.held.pinned) or (call.held is None and call.preferred[1] is not None)
