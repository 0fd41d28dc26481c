"""Who is on duty on a day, read from PractitionerRole, Practitioner and Location."""

from dataclasses import dataclass
from datetime import date, datetime, time

from healthsvc.dayplan.rules import DayPolicy, clock_minutes
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.store import Store

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Somebody who works on the day: minutes of the day, skills that hold on the day, the station's id."""

    practitioner: str
    name: str
    skills: frozenset[str]
    station: str
    starts: float
    ends: float
    rest: tuple[float, float, float] | None
    mode: str


def on_duty(store: Store, on: date, policy: DayPolicy) -> list[OnDuty]:
    """Everybody with an active role at a station who works on the day, by id."""
    people = {str(one["id"]): one for one in store.select("Practitioner") if one.get("active") is not False}
    found: dict[str, OnDuty] = {}
    for role in store.select("PractitionerRole"):
        who = reference_id(role.get("practitioner"), "Practitioner")
        if who in people and role.get("active") is not False and _covers(role.get("period"), on):
            one = _read(role, people[who], on, policy)
            if one is not None and (one.practitioner not in found or one.skills > found[one.practitioner].skills):
                found[one.practitioner] = one
    return [found[key] for key in sorted(found)]


def _read(role: Resource, person: Resource, on: date, policy: DayPolicy) -> OnDuty | None:
    stations = [id for one in role.get("location", ()) if (id := reference_id(one, "Location"))]
    codes = {coding.get("code") for concept in role.get("code", ()) for coding in concept.get("coding", ())}
    codes |= {coding.get("code") for concept in role.get("specialty", ()) for coding in concept.get("coding", ())}
    skills = frozenset(str(code) for code in codes if code and not _expired(person, str(code), on))
    hours = _hours(role, on, policy)
    if not stations or not skills & {"doctor", "nurse"} or hours is None:
        return None
    names = person.get("name") or [{}]
    name = names[0].get("text") or role.get("practitioner", {}).get("display") or str(person["id"])
    rest = _rest(hours, policy)
    return OnDuty(f"Practitioner/{person['id']}", name, skills, stations[0], hours[0][0], hours[-1][1], rest, policy.mode)


def _expired(person: Resource, skill: str, on: date) -> bool:
    """A qualification is written down for the skill, and none of them holds on the day."""
    written = [
        one
        for one in person.get("qualification", ())
        if any(coding.get("code") == skill for coding in one.get("code", {}).get("coding", ()))
    ]
    return bool(written) and not any(_covers(one.get("period"), on) for one in written)


def _covers(period: Resource | None, on: date) -> bool:
    start, end = (period or {}).get("start"), (period or {}).get("end")
    return (not start or start[:10] <= on.isoformat()) and (not end or end[:10] >= on.isoformat())


def _hours(role: Resource, on: date, policy: DayPolicy) -> list[tuple[float, float]] | None:
    """The stretches of work on the day, leave taken out; None: not on duty."""
    times = role.get("availableTime")
    if times is None:
        stretches = [(clock_minutes(policy.shift[0]), clock_minutes(policy.shift[1]))] if on.weekday() < 5 else []
    else:
        stretches = sorted(_stretch(one) for one in times if WEEKDAYS[on.weekday()] in one.get("daysOfWeek", WEEKDAYS))
    for leave in role.get("notAvailable", ()):
        stretches = [left for stretch in stretches for left in _without(stretch, leave.get("during") or {}, on)]
    return stretches or None


def _stretch(one: Resource) -> tuple[float, float]:
    if one.get("allDay"):
        return 0.0, 24 * 60.0
    return clock_minutes(one.get("availableStartTime", "00:00:00")), clock_minutes(one.get("availableEndTime", "23:59:00"))


def _without(stretch: tuple[float, float], leave: Resource, on: date) -> list[tuple[float, float]]:
    """What a leave (whole days or moments) leaves of a stretch of work."""
    if not _covers(leave, on):
        return [stretch]
    start, end = _edge(leave.get("start"), on, 0.0), _edge(leave.get("end"), on, 24 * 60.0)
    left = [(stretch[0], min(stretch[1], start)), (max(stretch[0], end), stretch[1])]
    return [(begin, stop) for begin, stop in left if stop - begin > 0]


def _edge(written: str | None, on: date, otherwise: float) -> float:
    """The minute of the day at which a leave begins or ends; a whole day or another day is ``otherwise``."""
    if not written or len(written) <= 10 or written[:10] != on.isoformat():
        return otherwise
    moment: time = datetime.fromisoformat(written).time()
    return clock_minutes(moment)


def _rest(hours: list[tuple[float, float]], policy: DayPolicy) -> tuple[float, float, float] | None:
    """The break: the hole between two stretches, or the midday break where the stretch covers it."""
    if len(hours) > 1:
        widest = max(range(len(hours) - 1), key=lambda k: hours[k + 1][0] - hours[k][1])
        ends, begins = hours[widest][1], hours[widest + 1][0]
        return ends, ends, begins - ends
    opens, closes = clock_minutes(policy.rest[0]), clock_minutes(policy.rest[1])
    starts, ends = hours[0]
    if starts <= opens and ends >= closes + policy.rest_minutes:
        return opens, closes, policy.rest_minutes
    return None
