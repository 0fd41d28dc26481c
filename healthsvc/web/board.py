"""The day as one sees it: lanes of staff with their visits in order, what is overdue, what is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import is_inpatient
from healthsvc.store import Store
from healthsvc.visit.encounters import encounters_on
from healthsvc.visit.pending import Pending, pending
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Visit, days_late
from healthsvc.web.faces import NOBODY, Face, faces
from healthsvc.web.lookup import Directory

_SHOWN: Final = frozenset({"planned", "arrived", "in-progress", "finished"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A visit that waits to be made."""

    visit: Visit
    face: Face
    owner: str
    due: date
    days: int
    """Days that it is overdue; negative: days that are left."""
    planned: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """A visit with its time in somebody's day."""

    visit: Visit
    face: Face
    start: datetime
    end: datetime
    state: str
    """planned, in-progress, finished, or late: the time is over and it has not been begun."""
    gap: int
    """Minutes on the way or waiting before it; 0 for the first."""
    staff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One member of the staff's day."""

    practitioner: str
    name: str
    number: int
    """Colour and mark on the map, 1 to 12."""
    stops: tuple[Stop, ...]

    @property
    def done(self) -> int:
        """How many have been made."""
        return sum(stop.state == "finished" for stop in self.stops)

    @property
    def minutes(self) -> int:
        """Minutes at people's doors."""
        return sum(stop.visit.minutes for stop in self.stops)


@dataclass(frozen=True, slots=True)
class Board:
    """A day."""

    on: date
    lanes: tuple[Lane, ...]
    overdue: Sequence[Pending]
    """Longest overdue first."""
    due: Sequence[Pending]
    """Most pressing first."""
    planned: int
    done: int


COLOURS: Final = 12


def board(store: Store, on: date, names: Directory, mine: str | None = None) -> Board:
    """The day, of everybody or of one member of the staff (``Practitioner/x``: their lane, and what they are responsible for)."""
    found = lanes(store, on, names, mine)
    overdue, due = pending(store, on, mine)
    shown = {stop.visit.id: stop for lane in found for stop in lane.stops}
    return Board(on, found, overdue, due, len(shown), sum(stop.state == "finished" for stop in shown.values()))


def lanes(store: Store, on: date, names: Directory, mine: str | None = None) -> tuple[Lane, ...]:
    """The ways of a day, of everybody or of one member of the staff."""
    stops = _stops(store, on)
    everybody = sorted({one for stop in stops for one in stop.staff}, key=lambda one: (names.staff(one), one))
    return tuple(
        _lane(practitioner, names.staff(practitioner), number % COLOURS + 1, stops)
        for number, practitioner in enumerate(everybody)
        if mine in (None, practitioner)
    )


def rows(waiting: Sequence[Pending], on: date, store: Store, names: Directory) -> list[Waiting]:
    """Visits as a page lists them, with the names behind them; ask only for those that it shows."""
    visits = [one.visit() for one in waiting]
    people = faces(store, (one.person for one in visits), "list")
    return [_waiting(visit, on, store, people.get(visit.person, NOBODY), names) for visit in visits]


def _waiting(visit: Visit, on: date, store: Store, face: Face, names: Directory) -> Waiting:
    last, late = visit.window.end.astimezone(store.zone).date(), days_late(visit.window, on, store.zone)
    return Waiting(visit, face, names.staff(visit.owner), last, late, visit.encounter is not None)


def _stops(store: Store, on: date) -> list[Stop]:
    encounters = {
        f"Encounter/{one['id']}": one
        for one in encounters_on(store, on)
        if one.get("status") in _SHOWN and not is_inpatient(one, store) and "period" in one
    }
    if not encounters:
        return []
    tasks = store.select("Task", encounter=list(encounters))
    made = [visit for visit in (to_visit(task) for task in tasks if is_visit(task)) if visit.encounter in encounters]
    people = faces(store, (visit.person for visit in made), "list")
    found = [_stop(visit, encounters[str(visit.encounter)], store, people.get(visit.person, NOBODY)) for visit in made]
    return sorted(found, key=lambda stop: (stop.start, stop.visit.id))


def _stop(visit: Visit, encounter: Resource, store: Store, face: Face) -> Stop:
    period = encounter["period"]
    start = datetime.fromisoformat(period["start"]).astimezone(store.zone)
    end = datetime.fromisoformat(period["end"]).astimezone(store.zone) if "end" in period else start + timedelta(minutes=visit.minutes)
    status = str(encounter["status"])
    state = "late" if status == "planned" and end < store.at else status
    staff = tuple(one["individual"]["reference"] for one in encounter.get("participant", []) if "individual" in one)
    return Stop(visit, face, start, end, state, 0, staff)


def _lane(practitioner: str, name: str, number: int, stops: Sequence[Stop]) -> Lane:
    own: list[Stop] = []
    before: datetime | None = None
    for stop in stops:
        if practitioner in stop.staff:
            gap = int((stop.start - before).total_seconds() // 60) if before else 0
            own.append(Stop(stop.visit, stop.face, stop.start, stop.end, stop.state, max(gap, 0), stop.staff))
            before = stop.end
    return Lane(practitioner, name, number, tuple(own))


def hours(lanes: Sequence[Lane], on: date) -> tuple[int, int]:
    """First and last hour that the lanes' strips must show; 8 to 18 at least."""
    first, last = 8, 18
    for lane in lanes:
        for stop in lane.stops:
            first = min(first, stop.start.hour)
            midnight = datetime.combine(on, time.min, stop.end.tzinfo)
            last = max(last, -int(-(stop.end - midnight).total_seconds() // 3600))
    return first, min(last, 24)


def strip(stop: Stop, first: int, last: int) -> tuple[float, float]:
    """Where a stop lies on a strip of 1000 units: left edge and width."""
    span = (last - first) * 60
    begin = stop.start.hour * 60 + stop.start.minute - first * 60
    length = max((stop.end - stop.start).total_seconds() / 60, 4)
    return round(1000 * begin / span, 1), round(1000 * length / span, 1)
