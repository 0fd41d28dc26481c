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
from itertools import permutations

from healthsvc.dayplan.problem import After, Break, Caregiver, Gap, Matrix, Pin, Problem, Service, Visit, Weights, Window, WindowMet
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
    proposals_a_second: int
    continuity_days: int


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


def windows_of(call: Call, on: date, policy: DayPolicy) -> tuple[Window, ...]:
    """When on the day the visit may begin: its window, its time of day, and the gap to what was done before.

    An overdue visit may be made all day. Empty where nothing is left of the day.
    """
    task = call.task
    opens, closes = 0.0, DAY
    if not call.overdue_days:
        opens, closes = max(opens, minutes_of(task.window.start, on)), min(closes, minutes_of(task.window.end, on))
    opens = max(opens, clock_minutes(task.earliest) if task.earliest else clock_minutes(policy.shift[0]), call.not_before or 0.0)
    if task.latest:
        closes = min(closes, clock_minutes(task.latest))
    if call.held and not call.held.pinned:
        near = max(opens, call.held.start - policy.stay_minutes), min(closes, call.held.start + policy.stay_minutes)
        if near[0] <= near[1] and task.kind not in policy.hard_kinds:
            return (Window(*near),)
    return (Window(opens, closes),) if opens <= closes else ()


def services_of(task: Task) -> tuple[Service, ...]:
    """What each of the people who come has to be able to do.

    One person needs all the skills. Of two, the doctor brings what a doctor needs and the nurse the rest; where only one of the two
    is asked
    for, the first needs all and the second may be anybody.
    """
    length = float(task.minutes)
    if task.staff < 2:
        return (Service("1", task.skills, length),)
    if {"doctor", "nurse"} <= task.skills:
        return (Service("1", frozenset({"doctor"}), length), Service("2", task.skills - {"doctor"}, length))
    return (Service("1", task.skills, length), Service("2", frozenset(), length))


def skip_price(call: Call, policy: DayPolicy) -> float:
    """What leaving the visit out costs: tier 2."""
    if call.held and call.held.pinned:
        return policy.skip_pinned
    price = policy.skip_price.get(call.task.priority.value, policy.skip_price["routine"])
    if call.overdue_days:
        price += policy.skip_overdue + min(policy.skip_overdue_most, policy.skip_overdue_day * call.overdue_days)
    elif call.last_day:
        price += policy.skip_last_day
    return price


def affinity(call: Call, duties: tuple[Duty, ...], travel: Mapping[str, Matrix], policy: DayPolicy) -> dict[str, float]:
    """What it costs that this and not another comes: tier 3, and the price of a change where somebody was already announced."""
    owner = call.task.owner
    prices = {}
    for duty in duties:
        price = 0.0
        if duty.practitioner != owner:
            price += policy.teammate_price if duty.practitioner in call.team else policy.stranger_price
        if travel[duty.mode][duty.place, call.place] > policy.ring_minutes:
            price += policy.ring_price
        if call.held and duty.practitioner not in call.held.staff:
            price += policy.stay_person_price
        if price:
            prices[duty.practitioner] = price
    return prices


def problem_of(day: Day, policy: DayPolicy) -> Problem:
    """The day as a problem: services, windows, prices. Visits without a window left are not in it (see :func:`windows_of`)."""
    planned = {call.task.id for call in day.calls if windows_of(call, day.on, policy)}
    visits = tuple(_visit(call, day, policy, planned) for call in day.calls if call.task.id in planned)
    staff = tuple(_caregiver(duty, policy) for duty in day.duties)
    weights = Weights(
        travel=1.0, late=policy.late_price, waiting=policy.waiting_price, balance=policy.fairness_price if len(staff) > 1 else 0.0
    )
    return Problem(visits, staff, day.travel, weights, WindowMet.AT_START, overtime_hard=True, name=f"dayplan-{day.on.isoformat()}")


def _visit(call: Call, day: Day, policy: DayPolicy, planned: set[str]) -> Visit:
    services = services_of(call.task)
    people = by_service(call, services, day.duties)
    pin = Pin(people, call.held.start) if call.held and call.held.pinned and people else None
    windows = (Window(pin.start, pin.start),) if pin else windows_of(call, day.on, policy)
    moved = call.held is not None and pin is None
    return Visit(
        id=call.task.id,
        place=call.place,
        services=services,
        windows=windows,
        gap=Gap(0.0, 0.0) if len(services) == 2 else None,
        must=False,
        skip_cost=skip_price(call, policy),
        hard=call.task.kind in policy.hard_kinds or call.task.latest is not None or not moved,
        late_weight=policy.stay_price / policy.late_price if moved and policy.late_price else 1.0,
        barred=call.barred,
        affinity=affinity(call, day.duties, day.travel, policy),
        pinned=pin,
        after=After(*call.after) if call.after and call.after[0] in planned else None,
    )


def by_service(call: Call, services: tuple[Service, ...], duties: tuple[Duty, ...]) -> tuple[str, ...]:
    """The people whom the visit already has, one a service in its order.

    Empty where somebody is not on duty any more, lacks what the service needs, or must not come.
    """
    skills = {duty.practitioner: duty.skills for duty in duties if duty.practitioner not in call.barred}
    for people in permutations(call.held.staff if call.held else ()):
        able = all(who in skills and service.skills <= skills[who] for service, who in zip(services, people, strict=False))
        if able and len(people) == len(services):
            return people
    return ()


def _caregiver(duty: Duty, policy: DayPolicy) -> Caregiver:
    rest = Break(Window(duty.rest[0], duty.rest[1]), duty.rest[2], policy.rest_price) if duty.rest else None
    begins = duty.place if duty.begins_at is None else duty.begins_at
    return Caregiver(duty.practitioner, duty.skills, begins, duty.place, Window(duty.starts, duty.ends), rest, duty.mode)
