"""A day, or several days at once, as a problem for the solver: services, windows, people, prices. Pure.

A week is one problem whose minutes run on from the first midnight: everybody has one route a day on duty, and a visit has a window on every
day on which it can be made. So the same search settles which day and which route at once, and visits to one street fall together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from healthsvc.dayplan.easing import eased
from healthsvc.dayplan.matching import matched
from healthsvc.dayplan.problem import After, Break, Caregiver, Gap, Matrix, Pin, Problem, Service, Visit, Weights, Window, WindowMet
from healthsvc.dayplan.rules import DAY, Call, Day, DayPolicy, Duty, is_soft, windows_of
from healthsvc.dayplan.spare import with_spare
from healthsvc.errors import Invalid
from healthsvc.visit.rules import Visit as Task


def services_of(task: Task) -> tuple[Service, ...]:
    """What each of the people who come has to be able to do.

    One person needs all the skills. Of several, the doctor brings what a doctor needs and the nurse the rest; where only one of the two is
    asked for, the first needs all. Whoever comes beyond that helps, and may be anybody.
    """
    length = float(task.minutes)
    if task.staff < 2:
        return (Service("1", task.skills, length),)
    both = {"doctor", "nurse"} <= task.skills
    needed = [frozenset({"doctor"}), task.skills - {"doctor"}] if both else [task.skills]
    needed += [frozenset()] * (task.staff - len(needed))
    return tuple(Service(str(number), skills, length) for number, skills in enumerate(needed, 1))


def skip_price(call: Call, policy: DayPolicy) -> float:
    """What leaving the visit out costs: tier 2."""
    if call.held and call.held.pinned:
        return policy.skip_pinned
    price = policy.skip_price.get(call.task.priority.value, policy.skip_price["routine"])
    if call.overdue_days:
        price += policy.skip_overdue + min(policy.skip_overdue_most, policy.skip_overdue_day * call.overdue_days)
    elif call.last_day:
        price += policy.skip_last_day
    if call.held or call.told is not None:
        price += policy.skip_told
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
            prices[duty.key] = price
    return prices


def name_of(duty: Duty, offset: int) -> str:
    """What the solver calls a duty that begins ``offset`` days after the first day of the plan."""
    return f"{duty.key}+{offset}" if offset else duty.key


def problem_of(day: Day, policy: DayPolicy) -> Problem:
    """The day as a problem. Visits without a window left are not in it (see :func:`windows_of`)."""
    return problem_of_days((day,), policy)


def problem_of_days(days: Sequence[Day], policy: DayPolicy) -> Problem:
    """Several days as one problem; they share their table of places and travel times.

    A call for one task may stand in several days; one that is held stays on its day.
    """
    first = days[0].on
    chances: dict[str, list[_Chance]] = {}
    for day in days:
        offset = (day.on - first).days
        for asked in day.calls:
            able = by_service(asked, services_of(asked.task), day.duties)
            call = asked
            if asked.held and not able:  # nobody of those who were to come can: all is open but what the person was told
                call = replace(asked, held=None, told=asked.held.start)
            windows = windows_of(call, day.on, policy)
            if windows or (call.held and call.held.pinned):
                chances.setdefault(call.task.id, []).append(_Chance(day, offset, call, windows))
    for task, found in chances.items():
        chances[task] = [one for one in found if one.call.held] or found
    staff = tuple(_caregiver(duty, policy, (day.on - first).days) for day in days for duty in day.duties)
    visits = tuple(_visit(found, days, policy, frozenset(chances)) for found in chances.values())
    weights = Weights(
        travel=1.0,
        late=policy.late_price,
        waiting=policy.waiting_price,
        balance=policy.fairness_price if len(staff) > 1 else 0.0,
        steady=policy.steady_price,
    )
    name = f"dayplan-{first.isoformat()}"
    grain, finest = _steps(policy)
    at_start = WindowMet.AT_START
    whole = Problem(visits, staff, days[0].travel, weights, at_start, overtime_hard=True, name=name, grain=grain, finest=finest)
    return eased(with_spare(whole, policy.way_slack))


def _steps(policy: DayPolicy) -> tuple[float, float]:
    """The steps of the clock, and the smaller ones that are taken where those would leave somebody out (0: none)."""
    grain, finest = policy.start_grain, policy.start_finest
    if grain < 0 or (grain and 60 % grain):
        raise Invalid(f"dayplan.start_grain has to divide an hour, or be 0; {grain:g} does not", path="dayplan.start_grain")
    if finest < 0 or (grain and finest and grain % finest):
        raise Invalid(f"dayplan.start_finest has to divide dayplan.start_grain, or be 0; {finest:g} does not", path="dayplan.start_finest")
    return grain, finest if finest < grain else 0.0


@dataclass(frozen=True, slots=True)
class _Chance:
    """A day on which a visit can be made."""

    day: Day
    offset: int
    call: Call
    windows: tuple[Window, ...]


def _visit(chances: list[_Chance], days: Sequence[Day], policy: DayPolicy, planned: frozenset[str]) -> Visit:
    one = chances[0]
    call = one.call
    services = services_of(call.task)
    people = by_service(call, services, one.day.duties)
    pin = None
    if call.held and call.held.pinned and people:
        names = {duty.key: name_of(duty, one.offset) for duty in one.day.duties}
        pin = Pin(tuple(names[who] for who in people), call.held.start + one.offset * DAY)
    told = call.held.start if call.held else call.told
    windows = tuple(Window(w.start + c.offset * DAY, w.end + c.offset * DAY) for c in chances for w in c.windows)
    soft = pin is None and is_soft(call, policy)
    prices, barred, far = _people(chances, policy)
    return Visit(
        id=call.task.id,
        place=call.place,
        services=services,
        windows=(Window(pin.start, pin.start),) if pin else windows,
        gap=Gap(*call.apart) if len(services) > 1 else None,
        must=False,
        skip_cost=max(skip_price(chance.call, policy) for chance in chances),
        hard=not soft,
        late_weight=policy.stay_price / policy.late_price if soft and call.held and policy.late_price else 1.0,
        barred=barred,
        far=far,
        affinity=prices,
        pinned=pin,
        after=After(*call.after) if call.after and call.after[0] in planned else None,
        told=told + one.offset * DAY if told is not None and pin is None else None,
        relaxed=_relaxed(chances, policy),
    )


def _people(chances: list[_Chance], policy: DayPolicy) -> tuple[dict[str, float], frozenset[str], frozenset[str]]:
    """What each duty costs for the visit, who must not come, and whose station is too far where the circle's promise is binding."""
    prices: dict[str, float] = {}
    barred, far = set(), set()
    for chance in chances:
        call, day = chance.call, chance.day
        costs = affinity(call, day.duties, day.travel, policy)
        wait = chance.offset * delay_price(chances[0].call, policy)
        if call.overdue_days and not chances[0].call.overdue_days:
            wait += policy.skip_overdue  # it would be made, but after its window
        for duty in day.duties:
            name = name_of(duty, chance.offset)
            price = costs.get(duty.key, 0.0) + wait
            if price:
                prices[name] = price
            if duty.practitioner in call.barred:
                barred.add(name)
            if call.task.kind in policy.ring_kinds and day.travel[duty.mode][duty.place, call.place] > policy.ring_minutes:
                far.add(name)
    return prices, frozenset(barred), frozenset(far)


def delay_price(call: Call, policy: DayPolicy) -> float:
    """What each day costs by which a visit that cannot well wait is made later in the week: tier 2."""
    priority = policy.delay_price.get(call.task.priority.value, 0.0)
    return priority + (policy.delay_price.get("overdue", 0.0) if call.overdue_days else 0.0)


def _relaxed(chances: list[_Chance], policy: DayPolicy) -> dict[str, tuple[Window, ...]]:
    """The windows without the appointments that keep the person away, for the explanation of a visit that is left over."""
    if not any(chance.call.busy for chance in chances):
        return {}
    at_home = [(c.offset * DAY, windows_of(c.call, c.day.on, policy, mind_busy=False)) for c in chances]
    return {"appointment": tuple(Window(w.start + shift, w.end + shift) for shift, windows in at_home for w in windows)}


def by_service(call: Call, services: tuple[Service, ...], duties: tuple[Duty, ...]) -> tuple[str, ...]:
    """The duties (their keys) of the people whom the visit already has, one a service in its order.

    Empty where somebody is not on duty any more, lacks what the service needs, or must not come.
    """
    start = call.held.start if call.held else 0.0
    mine: dict[str, Duty] = {}
    for duty in duties:
        if duty.practitioner not in call.barred and (duty.practitioner not in mine or duty.starts <= start):
            mine[duty.practitioner] = duty
    people = call.held.staff if call.held else ()
    if len(set(people)) != len(services) or len(people) != len(services):
        return ()

    def able(service: int, who: str) -> bool:
        return who in mine and services[service].skills <= mine[who].skills

    found = matched(len(services), people, able)
    return tuple(mine[who].key for who in found) if all(able(k, who) for k, who in enumerate(found)) else ()


def _caregiver(duty: Duty, policy: DayPolicy, offset: int) -> Caregiver:
    later = offset * DAY
    rest = None
    if duty.rest:
        rest = Break(Window(duty.rest[0] + later, duty.rest[1] + later), duty.rest[2], policy.rest_price, policy.waiting_price)
    begins = duty.place if duty.begins_at is None else duty.begins_at
    shift = Window(duty.starts + later, duty.ends + later)
    return Caregiver(name_of(duty, offset), duty.skills, begins, duty.place, shift, rest, duty.mode)
