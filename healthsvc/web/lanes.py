"""The coordinator's day: a lane for everybody on duty, with hours, break, leave and visits; what is confirmed, begun and done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from healthsvc.circle.service import stations
from healthsvc.dayplan.day import DayPlan, DayStop, plan_id
from healthsvc.dayplan.hours import leave_of
from healthsvc.dayplan.resources import to_plan
from healthsvc.dayplan.rules import minutes_of
from healthsvc.dayplan.service import policy_of
from healthsvc.dayplan.staffing import OnDuty, on_duty
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import is_inpatient
from healthsvc.store import Store
from healthsvc.visit.encounters import BEGUN, encounters_on
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Visit
from healthsvc.web.board import COLOURS
from healthsvc.web.faces import NOBODY, Face, faces
from healthsvc.web.lookup import name_of

_SHOWN: Final = frozenset({"planned", *BEGUN, "finished"})
_DAY: Final = 24 * 60
Span = tuple[int, int]
"""From minute to minute of the day."""


@dataclass(frozen=True, slots=True)
class Block:
    """One visit in somebody's lane. ``state``: planned, late (its time is over and nobody began), in-progress, finished."""

    visit: Visit
    face: Face
    span: Span
    state: str
    staff: tuple[str, ...]
    pinned: bool
    way: DayStop | None
    """How it stands in the plan (way, slack, why); None where it was arranged without a plan."""

    @property
    def movable(self) -> bool:
        """Whether it may still be given to others or another time."""
        return self.state in ("planned", "late") and not self.pinned

    @property
    def starts(self) -> str:
        """09:05."""
        return clock(self.span[0])

    @property
    def ends(self) -> str:
        """09:30."""
        return clock(self.span[1])


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody's day."""

    practitioner: str
    name: str
    number: int
    """Colour and mark on the map, 1 to 12."""
    skills: tuple[str, ...]
    station: str
    mode: str
    """How they travel; empty where somebody has visits without being on duty."""
    duty: tuple[Span, ...]
    """When on duty; empty where somebody has visits without being on duty."""
    rests: tuple[Span, ...]
    away: tuple[Span, ...]
    """Leave."""
    blocks: tuple[Block, ...]
    travel: int
    """Minutes on the way."""

    @property
    def busy(self) -> int:
        """Minutes at people's doors."""
        return sum(one.span[1] - one.span[0] for one in self.blocks)

    @property
    def hours(self) -> int:
        """Minutes on duty."""
        return sum(end - start for start, end in self.duty) - sum(end - start for start, end in self.rests)

    @property
    def load(self) -> int:
        """How much of the time on duty is taken, per cent."""
        return round(100 * (self.busy + self.travel) / self.hours) if self.hours > 0 else 0


@dataclass(frozen=True, slots=True)
class DayBoard:
    """The whole day. ``version``: of the plan's List (0: the day has no plan); ``first`` and ``last``: the hours that are drawn."""

    on: date
    version: int
    plan: DayPlan | None
    lanes: tuple[Lane, ...]
    first: int
    last: int
    now: int | None = None
    """The present minute where the day is today."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every visit once, by time."""
        seen = {block.visit.id: block for lane in self.lanes for block in lane.blocks}
        return tuple(sorted(seen.values(), key=lambda one: (one.span, one.visit.id)))

    @property
    def names(self) -> dict[str, str]:
        """Of everybody who has a lane."""
        return {lane.practitioner: lane.name for lane in self.lanes}


def day_board(store: Store, on: date) -> DayBoard:
    """The day as it stands."""
    known = store.get("List", plan_id(on))
    plan = to_plan(known.resource) if known and not known.deleted else None
    duties = on_duty(store, on, policy_of(store.policy, on))
    blocks = _blocks(store, on, plan)
    away = _away(store, on)
    names = {one.practitioner: one.name for one in duties}
    others = ({who for block in blocks for who in block.staff} | set(away)) - set(names)
    names |= {who: _name(store, who) for who in sorted(others)}
    places = {one.id: one.name for one in stations(store)}
    mine = {who: [one for one in duties if one.practitioner == who] for who in names}
    ordered = sorted(names, key=lambda who: (_rank(mine[who]), names[who], who))
    lanes = tuple(_lane(who, number, names[who], mine[who], places, away.get(who, ()), blocks, plan) for number, who in enumerate(ordered))
    first, last = _hours(lanes)
    at = store.at.astimezone(store.zone)
    now = int(minutes_of(at, on)) if at.date() == on else None
    return DayBoard(on, known.version if known and not known.deleted else 0, plan, lanes, first, last, now)


def clock(minute: int) -> str:
    """A minute of the day as one reads it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _rank(duties: Sequence[OnDuty]) -> int:
    skills = frozenset[str]().union(*(one.skills for one in duties))
    return 0 if "doctor" in skills else 1 if "nurse" in skills else 2


def _lane(
    who: str,
    number: int,
    name: str,
    duties: Sequence[OnDuty],
    places: Mapping[str, str],
    away: Sequence[Span],
    blocks: Sequence[Block],
    plan: DayPlan | None,
) -> Lane:
    own = tuple(one for one in blocks if who in one.staff)
    routes = [route for route in plan.routes if route.practitioner == who] if plan else []
    rests = [_span(route.rest[0], route.rest[1], plan.on) for route in routes if route.rest and plan]
    if not rests:  # nobody has planned yet: the break as the roster has it
        rests = [(int(one.rest[0]), int(one.rest[0] + one.rest[2])) for one in duties if one.rest]
    skills = sorted(frozenset[str]().union(*(one.skills for one in duties)))
    return Lane(
        practitioner=who,
        name=name,
        number=number % COLOURS + 1,
        skills=tuple(skills),
        station="、".join(dict.fromkeys(places.get(one.station, "") for one in duties)),
        mode=next((one.mode for one in duties), ""),
        duty=tuple((int(one.starts), int(one.ends)) for one in duties),
        rests=tuple(rests),
        away=tuple(away),
        blocks=own,
        travel=round(sum(stop.travel_minutes for route in routes for stop in route.stops)),
    )


def _blocks(store: Store, on: date, plan: DayPlan | None) -> list[Block]:
    encounters = {
        f"Encounter/{one['id']}": one
        for one in encounters_on(store, on)
        if one.get("status") in _SHOWN and not is_inpatient(one, store) and "start" in one.get("period", {})
    }
    if not encounters:
        return []
    kept = {stop.task: stop for stop in (plan.stops() if plan else ())}
    made = [to_visit(task) for task in store.select("Task", encounter=list(encounters)) if is_visit(task)]
    made = [one for one in made if one.encounter in encounters]
    people = faces(store, (one.person for one in made))
    found = [_block(one, encounters[str(one.encounter)], people.get(one.person, NOBODY), kept.get(one.id), store) for one in made]
    return sorted(found, key=lambda one: (one.span, one.visit.id))


def _block(visit: Visit, encounter: Resource, face: Face, way: DayStop | None, store: Store) -> Block:
    period = encounter["period"]
    start = datetime.fromisoformat(period["start"]).astimezone(store.zone)
    end = datetime.fromisoformat(period["end"]).astimezone(store.zone) if "end" in period else start + timedelta(minutes=visit.minutes)
    status = str(encounter["status"])
    if status in BEGUN and start.date() == store.today:
        end = max(end, store.at.astimezone(store.zone))  # still there, longer than planned
    state = "late" if status == "planned" and end < store.at else "in-progress" if status in BEGUN else status
    staff = tuple(one["individual"]["reference"] for one in encounter.get("participant", ()) if "individual" in one)
    pinned = way is not None and way.pinned and status == "planned"
    return Block(visit, face, _span(start, end, start.date()), state, staff, pinned, way)


def _span(start: datetime, end: datetime, on: date) -> Span:
    """Whole minutes as a clock shows them; at least five, so that one can see it."""
    first = int(max(0.0, minutes_of(start, on)))
    return first, max(first + 5, min(_DAY, int(minutes_of(end, on))))


def _away(store: Store, on: date) -> dict[str, tuple[Span, ...]]:
    """Whoever is on leave for a part of the day."""
    found: dict[str, set[Span]] = {}
    for role in store.select("PractitionerRole"):
        who = reference_id(role.get("practitioner"), "Practitioner")
        for start, end in leave_of(role, on, store.zone) if who and role.get("active") is not False else ():
            found.setdefault(f"Practitioner/{who}", set()).add((int(start), int(end)))
    return {who: tuple(sorted(spans)) for who, spans in found.items()}


def _name(store: Store, who: str) -> str:
    person = store.find("Practitioner", who.rpartition("/")[2])
    return name_of(person) if person else who.rpartition("/")[2]


def _hours(lanes: Sequence[Lane]) -> tuple[int, int]:
    """First and last hour that must be drawn; 8 to 18 at least."""
    spans = [span for lane in lanes for span in (*lane.duty, *(block.span for block in lane.blocks))]
    first = min([8, *(start // 60 for start, _ in spans)])
    last = max([18, *(-(-end // 60) for _, end in spans)])
    return first, min(last, 24)
