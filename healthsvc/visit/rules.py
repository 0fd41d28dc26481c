"""上门服务: what a visit is, which steps its life may take, and when it is due or overdue."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation


class Kind(StrEnum):
    """What a visit is for. Rooms above may add kinds of their own: a kind is a code of CodeSystem visit-kind."""

    QUARTERLY_CHECKUP = "quarterly-checkup"
    HOME_BED_ROUND = "home-bed-round"
    HOME_INFUSION = "home-infusion"
    FOLLOW_UP = "follow-up"
    ADMISSION_VISIT = "admission-visit"
    HOME_NURSING = "home-nursing"
    MEDICINE_DELIVERY = "medicine-delivery"
    CONDOLENCE_VISIT = "condolence-visit"
    PHONE_FOLLOW_UP = "phone-follow-up"


class Priority(StrEnum):
    """How pressing a visit is (FHIR request-priority), least first."""

    ROUTINE = "routine"
    URGENT = "urgent"
    ASAP = "asap"
    STAT = "stat"


class Status(StrEnum):
    """Where a visit stands (FHIR task-status). There is no "overdue": that is computed, never stored."""

    DRAFT = "draft"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    """Planned: it has a time and staff."""
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    """Suspended: the person is in hospital or away."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """Missed: written off without having been done."""
    ENTERED_IN_ERROR = "entered-in-error"


class Act(StrEnum):
    """What can be done to a visit."""

    REQUEST = "request"
    PLAN = "plan"
    UNPLAN = "unplan"
    START = "start"
    COMPLETE = "complete"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    MISS = "miss"
    REOPEN = "reopen"
    VOID = "void"


TRANSITIONS: Final[dict[tuple[Status, Act], Status]] = {
    (Status.DRAFT, Act.REQUEST): Status.REQUESTED,
    (Status.DRAFT, Act.CANCEL): Status.CANCELLED,
    (Status.REQUESTED, Act.PLAN): Status.ACCEPTED,
    (Status.REQUESTED, Act.START): Status.IN_PROGRESS,
    (Status.REQUESTED, Act.COMPLETE): Status.COMPLETED,
    (Status.REQUESTED, Act.SUSPEND): Status.ON_HOLD,
    (Status.REQUESTED, Act.CANCEL): Status.CANCELLED,
    (Status.REQUESTED, Act.MISS): Status.FAILED,
    (Status.ACCEPTED, Act.PLAN): Status.ACCEPTED,
    (Status.ACCEPTED, Act.UNPLAN): Status.REQUESTED,
    (Status.ACCEPTED, Act.START): Status.IN_PROGRESS,
    (Status.ACCEPTED, Act.COMPLETE): Status.COMPLETED,
    (Status.ACCEPTED, Act.SUSPEND): Status.ON_HOLD,
    (Status.ACCEPTED, Act.CANCEL): Status.CANCELLED,
    (Status.ACCEPTED, Act.MISS): Status.FAILED,
    (Status.IN_PROGRESS, Act.COMPLETE): Status.COMPLETED,
    (Status.IN_PROGRESS, Act.SUSPEND): Status.ON_HOLD,
    (Status.IN_PROGRESS, Act.CANCEL): Status.CANCELLED,
    (Status.ON_HOLD, Act.RESUME): Status.REQUESTED,
    (Status.ON_HOLD, Act.CANCEL): Status.CANCELLED,
    (Status.ON_HOLD, Act.MISS): Status.FAILED,
    (Status.CANCELLED, Act.REOPEN): Status.REQUESTED,
    **{(status, Act.VOID): Status.ENTERED_IN_ERROR for status in Status if status is not Status.ENTERED_IN_ERROR},
}
"""The whole life of a visit. What is not here cannot happen, through whatever door it is tried."""

FIRST: Final = frozenset({Status.DRAFT, Status.REQUESTED})
"""How a visit may begin."""

OPEN: Final = frozenset({Status.DRAFT, Status.REQUESTED, Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD})
"""Not yet over."""

WAITING: Final = frozenset({Status.REQUESTED, Status.ACCEPTED})
"""Still to be done, and doable: these can be planned, become due and become overdue."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when a visit may take place; both moments are inside. ``end`` is when it is due."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a window that ends before it starts or does not know its zone."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise RuleViolation("a visit's window needs a time zone at both ends", reason="visit-window-zone")
        if self.end < self.start:
            raise RuleViolation("a visit's window ends before it starts; swap or mend the two times", reason="visit-window-order")


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to be made to one person."""

    id: str
    """Task id, made of meaning: ``checkup-{patient}-2026Q1``."""
    kind: str
    person: str
    """Patient id."""
    window: Window
    minutes: int
    """How long it takes at the door, minutes."""
    skills: frozenset[str] = frozenset()
    """What the staff must be able to do: doctor, nurse, infusion ..."""
    staff: int = 1
    """How many must come at the same time."""
    earliest: time | None = None
    latest: time | None = None
    """Between which times of day it may begin (local); None: whenever the shift allows."""
    owner: str | None = None
    """``Practitioner/x`` who is responsible."""
    priority: Priority = Priority.ROUTINE
    sources: tuple[str, ...] = ()
    """What asks for it: ``Contract/x``, ``EpisodeOfCare/x``, ``MedicationRequest/x``, ``ServiceRequest/x``, ``Encounter/x``."""
    status: Status = Status.REQUESTED
    reason: str | None = None
    """Stable code of why it is suspended, cancelled or missed, or why it was done late."""
    cause: str | None = None
    """Reference to what suspended it (an inpatient ``Encounter/x``)."""
    encounter: str | None = None
    """``Encounter/x``: the visit as planned or made."""
    subtype: str | None = None
    """A finer code under the kind: ``annual-full`` or ``quarterly-basic`` for a checkup."""
    title: str = ""

    def __post_init__(self) -> None:
        """Refuse what no planner could place."""
        if self.minutes < 1 or self.staff < 1:
            raise RuleViolation("a visit needs at least one minute and one member of staff", reason="visit-size")
        if self.earliest is not None and self.latest is not None and self.latest < self.earliest:
            raise RuleViolation("a visit's latest time of day lies before its earliest", reason="visit-time-of-day")


class Standing(StrEnum):
    """How a visit stands at a moment, computed from its status and window."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    UNDER_WAY = "under-way"
    SUSPENDED = "suspended"
    DONE = "done"
    CLOSED = "closed"


def is_late(closes: datetime, at: datetime) -> bool:
    """Whether a window that closes at a moment has closed by another: the one test of lateness, for what waits and for what was made."""
    return at > closes


def days_late(window: Window, on: date, zone: tzinfo) -> int:
    """Whole days from the last day of a window to a day; negative: so many days are left."""
    return (on - window.end.astimezone(zone).date()).days


def standing(visit: Visit, at: datetime) -> Standing:
    """Say whether a visit is upcoming, due, overdue, under way, suspended, done or closed at a moment.

    The one function that knows what "overdue" means; every list, figure and page asks it.
    """
    if visit.status in WAITING:
        if is_late(visit.window.end, at):
            return Standing.OVERDUE
        return Standing.DUE if at >= visit.window.start else Standing.UPCOMING
    return {
        Status.IN_PROGRESS: Standing.UNDER_WAY,
        Status.ON_HOLD: Standing.SUSPENDED,
        Status.COMPLETED: Standing.DONE,
        Status.DRAFT: Standing.UPCOMING,
    }.get(visit.status, Standing.CLOSED)


def apply(visit: Visit, act: Act, reason: str | None = None) -> Visit:
    """Take one step in a visit's life; refuses with ``visit-transition`` where the table has no such step."""
    try:
        return replace(visit, status=TRANSITIONS[visit.status, act], reason=reason)
    except KeyError:
        raise RuleViolation(f"cannot {act} a visit that is {visit.status}", reason="visit-transition", path="Task.status") from None


def check_step(old: Status | None, new: Status) -> None:
    """Refuse a change of status that no act makes (``old`` None: the visit is new)."""
    if old is new:
        return
    if old is None:
        if new not in FIRST:
            raise RuleViolation(
                f"a visit begins as requested, not as {new}; write it as requested first", reason="visit-transition", path="Task.status"
            )
        return
    if new not in {after for (before, _), after in TRANSITIONS.items() if before is old}:
        raise RuleViolation(f"a visit that is {old} cannot become {new}", reason="visit-transition", path="Task.status")


RECORD_STEPS: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset({"planned", "arrived", "in-progress", "finished"}),
    "planned": frozenset({"arrived", "in-progress", "finished", "cancelled", "entered-in-error"}),
    "arrived": frozenset({"in-progress", "finished", "cancelled", "entered-in-error"}),
    "in-progress": frozenset({"onleave", "finished", "cancelled", "entered-in-error"}),
    "onleave": frozenset({"in-progress", "finished", "cancelled", "entered-in-error"}),
    "cancelled": frozenset({"planned", "in-progress", "finished", "entered-in-error"}),
    "finished": frozenset({"entered-in-error"}),
}
"""The life of a visit's record (FHIR encounter-status); a visit that is asked for again takes up its cancelled record."""


def check_record_step(old: str | None, new: str) -> None:
    """Refuse a change of a record's status that no visit makes (``old`` None: the record is new)."""
    if old != new and new not in RECORD_STEPS.get(old, ()):
        raise RuleViolation(
            f"the record of a visit that is {old or 'new'} cannot become {new}", reason="visit-transition", path="Encounter.status"
        )


def quarter_of(day: date) -> str:
    """The calendar quarter of a day: ``2026Q1``."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def resumed_window(window: Window, at: datetime, grace_days: int) -> Window:
    """Give a visit that is taken up again at least ``grace_days`` to be made; a window that lasts longer anyway stays as it is."""
    return replace(window, end=max(window.end, at + timedelta(days=grace_days)))
