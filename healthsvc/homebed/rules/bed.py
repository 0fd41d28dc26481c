"""A bed's life: from establishment to discharge, never beyond its last day, and what must be done before it ends."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.refusal import Finding, refuse


class BedKind(StrEnum):
    """治疗型, 康复型, 舒缓照顾型."""

    TREATMENT = "treatment"
    REHABILITATION = "rehabilitation"
    PALLIATIVE = "palliative"


BED_KIND_NAMES: Final = {BedKind.TREATMENT: "治疗型", BedKind.REHABILITATION: "康复型", BedKind.PALLIATIVE: "舒缓照顾型"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis in ICD-10 (with the site's extension, for example I69.300) and in words."""

    code: str
    text: str


class Status(StrEnum):
    """Where a bed stands (FHIR episode-of-care-status)."""

    ACTIVE = "active"
    ONHOLD = "onhold"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"


TRANSITIONS: Final = {
    (None, Status.ACTIVE),
    (Status.ACTIVE, Status.ONHOLD),
    (Status.ONHOLD, Status.ACTIVE),
    (Status.ACTIVE, Status.FINISHED),
    (Status.ONHOLD, Status.FINISHED),
    (Status.ACTIVE, Status.CANCELLED),
    *((status, Status.ENTERED_IN_ERROR) for status in (Status.ACTIVE, Status.ONHOLD, Status.FINISHED, Status.CANCELLED)),
}
OPEN: Final = frozenset({Status.ACTIVE, Status.ONHOLD})


@dataclass(frozen=True, slots=True)
class Discharge:
    """How a bed ended."""

    on: date
    reason: str
    outcome: str
    diagnosis: Diagnosis | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Bed:
    """One home bed, from establishment to discharge. ``last_day`` is the hard limit."""

    id: str
    patient: str
    status: Status
    kind: BedKind
    start: date
    last_day: date
    doctor: str
    nurse: str
    diagnosis: Diagnosis | None
    assessment: str
    consent: str
    stable: bool = False
    round_days: int = 7
    held_for: str | None = None
    """Why it is on hold: ``admitted``, ``away``, ``term-ended``, ``file-closed``, ``merged``."""
    previous: str | None = None
    """Id of the bed that this one carries on after a new application."""
    discharge: Discharge | None = None


def move(bed: Bed, to: Status) -> Bed:
    """Change a bed's status; refuses what the table does not have."""
    check_step(bed.status, to)
    return replace(bed, status=to)


def check_step(old: Status | None, new: Status) -> None:
    """Refuse a change of status that the table does not have."""
    if old is not new and (old, new) not in TRANSITIONS:
        raise RuleViolation(
            f"a home bed that is {old or 'new'} cannot become {new}", reason="homebed-transition", path="EpisodeOfCare.status"
        )


def last_day(start: date, policy: HomeBedPolicy) -> date:
    """The last day of a bed that is established on a day: day one counts. To go on: discharge, settle, apply again."""
    return start + timedelta(days=policy.max_days - 1)


def days_left(bed: Bed, on: date) -> int:
    """Days that remain, today included; 0 or less when the limit has passed."""
    return (bed.last_day - on).days + 1


@dataclass(frozen=True, slots=True)
class Loose:
    """What is still open when a bed is to be discharged."""

    open_courses: int = 0
    open_orders: int = 0
    """Lines of the treatment plan that are neither over nor stopped, and orders that name the bed."""
    unanswered: int = 0
    """Orders of a hospital for home that no doctor has answered."""
    unconfirmed_returns: int = 0
    """Drugs left over at home whose return nobody has confirmed."""


def blockers(bed: Bed, loose: Loose, discharge: Discharge, policy: HomeBedPolicy) -> tuple[Finding, ...]:
    """Everything that still stands against a discharge, with stable codes. Death is not blocked by papers, but must carry its outcome."""
    dead = discharge.reason == "death"
    found = [
        (bed.status not in OPEN, "homebed-not-open", "the bed is already closed"),
        (not bed.start <= discharge.on, "homebed-discharge-before-start", "the bed cannot end before it began"),
        (
            discharge.reason not in policy.discharge_reasons,
            "homebed-unknown-reason",
            f"the reason is one of {', '.join(policy.discharge_reasons)}",
        ),
        (discharge.outcome not in policy.outcomes, "homebed-unknown-outcome", f"the outcome is one of {', '.join(policy.outcomes)}"),
        (dead != (discharge.outcome == "death"), "homebed-outcome-contradicts", "reason and outcome must both say death, or neither"),
        (loose.open_courses > 0 and not dead, "homebed-open-infusion-course", "stop or finish the infusion course first"),
        (
            loose.open_orders > 0 and not dead,
            "homebed-open-orders",
            f"stop or end the open orders of the treatment plan first ({loose.open_orders})",
        ),
        (loose.unanswered > 0 and not dead, "homebed-unanswered-hospital-order", "answer the hospital's order for home first"),
        (loose.unconfirmed_returns > 0 and not dead, "homebed-unconfirmed-returns", "confirm the return of the drugs that are left over"),
        (bed.diagnosis is None and not dead, "homebed-no-diagnosis", "the diagnosis at establishment is missing"),
        (discharge.diagnosis is None and not dead, "homebed-no-discharge-diagnosis", "the diagnosis at discharge is missing"),
    ]
    return tuple((code, text) for holds, code, text in found if holds)


def must_be_free(found: Iterable[Finding]) -> None:
    """Refuse a discharge that something blocks; the refusal lists all of it."""
    refuse("the home bed cannot be discharged yet", tuple(found))
