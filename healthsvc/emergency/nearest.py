"""就近医生 The nearest free doctor: on duty at this moment, with nobody at hand, and near enough by road to be there in minutes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from healthsvc.circle.policy import policy_values
from healthsvc.circle.resources import to_home
from healthsvc.circle.travel import TravelTimes
from healthsvc.emergency.rules import EmergencyPolicy
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.positions import to_coordinate
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store

ROLE: Final = "nearest-doctor"
"""Role in the chain of calls."""
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Near:
    """A doctor who could come: Practitioner id, and how many minutes away."""

    practitioner: str
    minutes: float


def nearest(store: Store, times: TravelTimes, patient: str, at: datetime, policy: EmergencyPolicy) -> list[Near]:
    """The free doctors within reach of a person's home, nearest first; none where the home has no position."""
    home = to_home(follow(store, patient))
    if home is None:
        return []
    busy = set(_busy(store, at))
    places = {who: place for who, place in _on_duty(store, at) if who not in busy}
    if not places:
        return []
    circle, order = policy_values(store.policy, today(store)), sorted(places)
    limit = policy.nearest_minutes * 60
    ways = times.matrix([places[who] for who in order], [(home.lon, home.lat)], circle.mode, limit)
    found = [Near(who, ways.travel(row, 0).seconds / 60) for row, who in enumerate(order)]
    near = sorted((one for one in found if one.minutes <= policy.nearest_minutes), key=lambda one: (one.minutes, one.practitioner))
    return near[: policy.nearest_count]


def _on_duty(store: Store, at: datetime) -> Iterable[tuple[str, tuple[float, float]]]:
    """Doctors whose role says that they work at this moment, with the place of their station."""
    local = at.astimezone(store.zone)
    active = {str(one["id"]) for one in store.select("Practitioner") if one.get("active") is not False}
    for role in store.select("PractitionerRole"):
        who = reference_id(role.get("practitioner"), "Practitioner")
        codes = {code.get("code") for key in ("code", "specialty") for one in role.get(key, ()) for code in one.get("coding", ())}
        if who not in active or role.get("active") is False or "doctor" not in codes or not works(role, local, _shift(store, local)):
            continue
        for one in role.get("location", ()):
            location = store.find("Location", reference_id(one, "Location") or "")
            place = to_coordinate(location.get("position", {})) if location else None
            if place is not None:
                yield who, (place.lon, place.lat)
                break


def works(role: Resource, local: datetime, shift: tuple[time, time]) -> bool:
    """Whether somebody works at a moment (in the site's zone): on duty by their hours, and not on leave."""
    clock = local.time()
    if not _covers(role.get("period"), local) or any(_covers(leave.get("during"), local) for leave in role.get("notAvailable", ())):
        return False
    hours = role.get("availableTime")
    if hours is None:
        return local.weekday() < 5 and shift[0] <= clock <= shift[1]
    return any(_within(one, local) for one in hours)


def _within(hours: Resource, local: datetime) -> bool:
    """Whether a moment lies in weekly hours; those that end before they begin are a night, which lasts into the next morning."""
    today, yesterday = _DAYS[local.weekday()], _DAYS[local.weekday() - 1]
    begins, ends = _time(hours.get("availableStartTime"), time.min), _time(hours.get("availableEndTime"), time.max)
    days, clock = hours.get("daysOfWeek", _DAYS), local.time()
    if hours.get("allDay") or begins < ends:
        return today in days and (bool(hours.get("allDay")) or begins <= clock <= ends)
    return (today in days and clock >= begins) or (yesterday in days and clock <= ends)


def _busy(store: Store, at: datetime) -> Iterable[str]:
    """Whoever is with somebody now, or is planned to be."""
    for encounter in store.select("Encounter", status=["planned", "arrived", "in-progress"], date=f"le{at.isoformat()}"):
        if encounter.get("status") == "planned" and not _covers(encounter.get("period"), at):
            continue
        for one in encounter.get("participant", ()):
            if who := reference_id(one.get("individual"), "Practitioner"):
                yield who


def _shift(store: Store, local: datetime) -> tuple[time, time]:
    begins, ends = store.policy.value("dayplan.shift", local.date())
    return time.fromisoformat(begins), time.fromisoformat(ends)


def _covers(period: Resource | None, at: datetime) -> bool:
    """Whether a period (whole days or moments; open where an end is missing) holds at a moment."""
    start, end = (period or {}).get("start"), (period or {}).get("end")
    return (not start or _moment(start, at) <= at) and (not end or at <= _moment(end, at, last=True))


def _moment(text: str, at: datetime, *, last: bool = False) -> datetime:
    if len(text) > 10:
        return datetime.fromisoformat(text)
    return datetime.combine(datetime.fromisoformat(text).date(), time.max if last else time.min, at.tzinfo)


def _time(text: str | None, otherwise: time) -> time:
    return time.fromisoformat(text) if text else otherwise
