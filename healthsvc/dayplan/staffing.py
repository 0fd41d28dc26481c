"""Who is on duty on a day, read from PractitionerRole, Practitioner, Location, Schedule with Slot, and Device (vehicles).

A person with several roles may work at several stations: each stretch of duty at one station is a duty of its own, which starts and
ends there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from healthsvc.checkup.calendar import is_workday, site_calendar
from healthsvc.dayplan.day import DayPlan
from healthsvc.dayplan.hours import Stretch, covers, cut, rest_of, rostered, usual, without_leave
from healthsvc.dayplan.rules import DayPolicy
from healthsvc.errors import Conflict
from healthsvc.fhir.elements import codes, extensions, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

TRAVEL_MODE = code_system("travel-mode")
"""Code of the extension ``travel-mode`` of a role, and of the type of a Device that is a vehicle of a station."""
MODES = frozenset({"walk", "ebike", "drive"})
CAR = "drive"
BREAKS = 1
"""Holes that one duty may have: a second one ends it, and what follows is another duty."""


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Somebody who works on the day: minutes of the day, skills that hold on the day, the station's id.

    ``part`` counts the duties of one person on one day, from 0.
    """

    practitioner: str
    name: str
    skills: frozenset[str]
    station: str
    starts: float
    ends: float
    rest: tuple[float, float, float] | None
    mode: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of duty at one station. ``origin``: the hours that it was cut from."""

    stretch: Stretch
    origin: Stretch
    role: Resource
    skills: frozenset[str]
    station: str

    def without(self, start: float, end: float) -> "list[_Piece]":
        """What is left of it."""
        return [replace(self, stretch=left) for left in cut(self.stretch, start, end)]

    def goes_on(self, after: "_Piece") -> bool:
        """Whether both are one duty with a break between: the same role and station, and no leave lies between them."""
        same = (self.role["id"], self.station) == (after.role["id"], after.station)
        night = after.stretch[0] <= 0 and self.stretch[0] > after.stretch[1]  # what follows the end of a night is no break in it
        return same and not night and (self.origin != after.origin or self.stretch[0] == after.stretch[1])


@dataclass(slots=True)
class _Work:
    """What one person does on the day."""

    person: Resource
    pieces: list[_Piece] = field(default_factory=list)


def on_duty(store: Store, on: date, policy: DayPolicy, absent: Mapping[str, Stretch] | None = None) -> list[OnDuty]:
    """Everybody with an active role at a station who works on the day, by id.

    ``absent``: ``Practitioner/x`` who is taken to be away from minute to minute, whatever is written (a what-if).
    """
    people = {str(one["id"]): one for one in store.select("Practitioner") if one.get("active") is not False}
    before = on - timedelta(days=1)
    works = is_workday(on, site_calendar(store.policy, on)), is_workday(before, site_calendar(store.policy, before))
    rosters = _rosters(store, on)
    found: dict[str, _Work] = {}
    for role in sorted(store.select("PractitionerRole"), key=lambda one: str(one["id"])):
        who = reference_id(role.get("practitioner"), "Practitioner")
        if who in people and role.get("active") is not False and covers(role.get("period"), on):
            work = found.setdefault(who, _Work(people[who]))
            _add(work, role, rosters.get(who), on, works, policy, store)
    duties = [duty for who in sorted(found) for duty in _duties(found[who], policy, (absent or {}).get(f"Practitioner/{who}"))]
    return _with_vehicles(store, duties, policy)


def refuse_off_duty(store: Store, plan: DayPlan, stands: DayPlan | None, policy: DayPolicy) -> None:
    """Whoever is given a visit that they did not have has to be on duty still; what they have is theirs until somebody plans it anew.

    Raises:
        Conflict: somebody is not, who has left, is on leave or changed duty since the plan was worked out.
    """
    had = {stop.task: set(stop.staff) for stop in stands.stops()} if stands else {}
    given = {who for stop in plan.stops() for who in set(stop.staff) - had.get(stop.task, set())}
    if given and not given <= {one.practitioner for one in on_duty(store, plan.on, policy)}:
        raise Conflict("somebody whom the plan gives a visit is no longer on duty; plan again", reason="dayplan-staff-gone")


def _add(
    work: _Work,
    role: Resource,
    roster: dict[str, list[Resource]] | None,
    on: date,
    works: tuple[bool, bool],
    policy: DayPolicy,
    store: Store,
) -> None:
    """Enter the hours of one role. ``works``: whether the day and the one before it are worked.

    Where two roles overlap, the one with more skills counts.
    """
    stations = [id for one in role.get("location", ()) if (id := reference_id(one, "Location"))]
    written = {coding.get("code") for concept in role.get("code", ()) for coding in concept.get("coding", ())}
    written |= {coding.get("code") for concept in role.get("specialty", ()) for coding in concept.get("coding", ())}
    skills = frozenset(str(code) for code in written if code and not _expired(work.person, str(code), on))
    if not stations or not skills & {"doctor", "nurse"}:
        return
    if roster is None:
        hours = {stations[0]: usual(role, on, works[0], policy, worked=works[1])}
    else:
        hours = {}
        for station, slots in roster.items():
            if not station or station in stations:
                hours[station or stations[0]] = rostered(slots, on, store.zone)
    for station, stretches in hours.items():
        for stretch in stretches:
            work.pieces += [_Piece(left, stretch, role, skills, station) for left in without_leave([stretch], role, on, store.zone)]


def _duties(work: _Work, policy: DayPolicy, absent: Stretch | None) -> list[OnDuty]:
    taken: list[_Piece] = []
    for piece in sorted(work.pieces, key=lambda one: (-len(one.skills), one.stretch)):
        left = [piece] if absent is None else piece.without(*absent)
        for other in tuple(taken):
            left = [rest for one in left for rest in one.without(*other.stretch)]
        taken += left
    groups: list[list[_Piece]] = []
    for piece in sorted(taken, key=lambda one: one.stretch):
        if groups and piece.goes_on(groups[-1][-1]) and len(_joined([one.stretch for one in (*groups[-1], piece)])) <= BREAKS + 1:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_duty(work, group, part, policy) for part, group in enumerate(groups)]


def _duty(work: _Work, group: list[_Piece], part: int, policy: DayPolicy) -> OnDuty:
    hours = _joined([piece.stretch for piece in group])
    role, skills, station = group[0].role, group[0].skills, group[0].station
    person = work.person
    name = (person.get("name") or [{}])[0].get("text") or role.get("practitioner", {}).get("display") or str(person["id"])
    mode = next((str(one.get("valueCode")) for one in extensions(role, "travel-mode")), policy.mode)
    mode = mode if mode in MODES else policy.mode
    return OnDuty(f"Practitioner/{person['id']}", name, skills, station, hours[0][0], hours[-1][1], rest_of(hours, policy), mode, part)


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Stretches that touch as one."""
    joined = [stretches[0]]
    for stretch in stretches[1:]:
        if stretch[0] <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stretch[1]))
        else:
            joined.append(stretch)
    return joined


def _rosters(store: Store, on: date) -> dict[str, dict[str, list[Resource]]]:
    """The roster of everybody who has one for the day: Practitioner id to Location id ("" where it names none) to Slots.

    A night that began the day before counts, too: whoever has one has no other duty on the day than what a roster says.
    """
    before = on - timedelta(days=1)
    written = [one for one in store.select("Schedule") if one.get("active") is not False and one.get("planningHorizon")]
    schedules = {str(one["id"]): one for one in written if covers(one["planningHorizon"], on)}
    of_before = {str(one["id"]): one for one in written if covers(one["planningHorizon"], before)}
    if not schedules and not of_before:
        return {}
    found: dict[str, dict[str, list[Resource]]] = {}
    for one in schedules.values():
        _enter(found, one, [])
    for day, mine in ((on, schedules), (before, of_before)):
        for slot in store.select("Slot", start=day.isoformat()):
            schedule = mine.get(reference_id(slot.get("schedule"), "Schedule") or "")
            if schedule is not None and (day == on or _reaches(slot, on, store)):
                _enter(found, schedule, [slot])
    return found


def _enter(found: dict[str, dict[str, list[Resource]]], schedule: Resource, slots: list[Resource]) -> None:
    """Enter slots of a schedule for its people, at the station that it names."""
    actors = schedule.get("actor", ())
    station = next((id for one in actors if (id := reference_id(one, "Location"))), "")
    for who in (id for one in actors if (id := reference_id(one, "Practitioner"))):
        found.setdefault(who, {}).setdefault(station, []).extend(slots)


def _reaches(slot: Resource, on: date, store: Store) -> bool:
    """Whether a slot that began the day before goes on after midnight."""
    end = datetime.fromisoformat(str(slot["end"])).astimezone(store.zone)
    return end > datetime.combine(on, time(), store.zone)


def _with_vehicles(store: Store, duties: list[OnDuty], policy: DayPolicy) -> list[OnDuty]:
    """Whoever drives needs a car of the station: where a station names its cars and has fewer, the rest go as policy says."""
    cars: dict[str, int] = {}
    for device in store.select("Device"):
        kinds = codes(device.get("type"), TRAVEL_MODE)
        station = reference_id(device.get("location"), "Location")
        if CAR in kinds and station:
            cars[station] = cars.get(station, 0) + (device.get("status", "active") == "active")
    given: dict[str, int] = {}
    placed = []
    for duty in duties:
        if duty.mode == CAR and duty.station in cars:
            given[duty.station] = given.get(duty.station, 0) + 1
            duty = duty if given[duty.station] <= cars[duty.station] else replace(duty, mode=policy.mode)
        placed.append(duty)
    return placed


def _expired(person: Resource, skill: str, on: date) -> bool:
    """A qualification is written down for the skill, and none of them holds on the day."""
    written = [
        one
        for one in person.get("qualification", ())
        if any(coding.get("code") == skill for coding in one.get("code", {}).get("coding", ()))
    ]
    return bool(written) and not any(covers(one.get("period"), on) for one in written)
