"""When somebody works on a day: weekly hours, a duty roster, leave, public holidays and the Saturdays that make up for them.

Minutes of the day throughout. FHIR has three places for it: ``PractitionerRole.availableTime`` (the week as it usually is),
``PractitionerRole.notAvailable`` (leave) and ``Schedule`` with ``Slot`` (the roster of one day, which overrules the usual week:
``free`` is duty, anything ``busy`` is taken).
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from healthsvc.dayplan.rules import DAY, DayPolicy, clock_minutes
from healthsvc.fhir.json import Resource

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
STAND_IN = "mon"
"""Whose hours hold on a Saturday or Sunday that makes up for a bridge day."""

Stretch = tuple[float, float]


def usual(role: Resource, on: date, works: bool, policy: DayPolicy, *, worked: bool = False) -> list[Stretch]:
    """The hours that the role says for the day. ``works``: whether the day is worked at all (holidays, make-up days); ``worked``: whether
    the day before was: a night that began then lasts into this morning."""
    today = [(start, min(end, DAY)) for start, end in _written(role, on, works, policy)]
    night = [(0.0, end - DAY) for _, end in _written(role, on - timedelta(days=1), worked, policy) if end > DAY]
    return sorted(night + today)


def _written(role: Resource, on: date, works: bool, policy: DayPolicy) -> list[Stretch]:
    """The hours that begin on a day; those of a night end after midnight."""
    times = role.get("availableTime")
    if times is None:
        return [(clock_minutes(policy.shift[0]), clock_minutes(policy.shift[1]))] if works else []
    weekday = WEEKDAYS[on.weekday()]
    if on.weekday() < 5 and not works and not policy.holidays_worked:
        return []
    stretches = [_stretch(one) for one in times if weekday in one.get("daysOfWeek", WEEKDAYS)]
    if not stretches and on.weekday() >= 5 and works:
        stretches = [_stretch(one) for one in times if STAND_IN in one.get("daysOfWeek", WEEKDAYS)]
    return stretches


def rostered(slots: Iterable[Resource], on: date, zone: tzinfo) -> list[Stretch]:
    """The duty of a day by its roster: free slots, what is busy taken out; slots that touch are one stretch."""
    free: list[Stretch] = []
    for slot in sorted(slots, key=lambda one: str(one.get("start", ""))):
        span = _span(slot, on, zone)
        if slot.get("status") == "free" and span[1] > span[0]:
            if free and span[0] <= free[-1][1]:
                free[-1] = (free[-1][0], max(free[-1][1], span[1]))
            else:
                free.append(span)
    for slot in slots:
        if str(slot.get("status", "")).startswith("busy"):
            free = [left for stretch in free for left in cut(stretch, *_span(slot, on, zone))]
    return free


def without_leave(stretches: list[Stretch], role: Resource, on: date, zone: tzinfo) -> list[Stretch]:
    """Take the leave that the role notes (whole days or moments) out of the hours."""
    for start, end in leave_of(role, on, zone):
        stretches = [left for stretch in stretches for left in cut(stretch, start, end)]
    return stretches


def leave_of(role: Resource, on: date, zone: tzinfo) -> list[Stretch]:
    """The leave that a role notes for a day, in minutes of the day."""
    noted = [leave.get("during") or {} for leave in role.get("notAvailable", ())]
    return [
        (_edge(during.get("start"), on, zone, 0.0), _edge(during.get("end"), on, zone, 24 * 60.0)) for during in noted if covers(during, on)
    ]


def cut(stretch: Stretch, start: float, end: float) -> list[Stretch]:
    """What is left of a stretch without what lies between ``start`` and ``end``."""
    if end <= stretch[0] or start >= stretch[1]:
        return [stretch]
    return [left for left in ((stretch[0], start), (end, stretch[1])) if left[1] - left[0] > 0]


def covers(period: Resource | None, on: date) -> bool:
    """Whether a FHIR period (open ends reach for ever) touches a day."""
    start, end = (period or {}).get("start"), (period or {}).get("end")
    return (not start or start[:10] <= on.isoformat()) and (not end or end[:10] >= on.isoformat())


def rest_of(hours: list[Stretch], policy: DayPolicy) -> tuple[float, float, float] | None:
    """The break (begins from, begins until, minutes): the widest hole between stretches, or the midday break where one covers it."""
    if len(hours) > 1:
        widest = max(range(len(hours) - 1), key=lambda k: hours[k + 1][0] - hours[k][1])
        ends, begins = hours[widest][1], hours[widest + 1][0]
        return ends, ends, begins - ends
    opens, closes = clock_minutes(policy.rest[0]), clock_minutes(policy.rest[1])
    starts, ends = hours[0]
    if starts <= opens and ends >= closes + policy.rest_minutes:
        return opens, closes, policy.rest_minutes
    return None


def _stretch(one: Resource) -> Stretch:
    if one.get("allDay"):
        return 0.0, 24 * 60.0
    begins, ends = clock_minutes(one.get("availableStartTime", "00:00:00")), clock_minutes(one.get("availableEndTime", "23:59:00"))
    return begins, ends + DAY if ends <= begins else ends


def _span(slot: Resource, on: date, zone: tzinfo) -> Stretch:
    return _edge(slot.get("start"), on, zone, 0.0), _edge(slot.get("end"), on, zone, 24 * 60.0)


def _edge(written: str | None, on: date, zone: tzinfo, otherwise: float) -> float:
    """The minute of the day at which something begins or ends; a whole day or another day is ``otherwise``."""
    if not written or len(written) <= 10:
        return otherwise
    moment = datetime.fromisoformat(written)
    moment = moment.astimezone(zone) if moment.tzinfo else moment
    if moment.date() != on:
        return otherwise
    of_day: time = moment.time()
    return clock_minutes(of_day)
