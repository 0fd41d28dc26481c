"""The protocol at the bedside 床边流程: one table of what may follow what, one function that walks it.

There is no way to a running drip that does not pass identification, all twelve gates and vital signs; and after a reaction there is
no way back to the drip: stop, alarm, referral, report, and only then leave. The whole protocol is its log, so replaying the log gives
the same state again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.infusion.rules.gates import Gate, GateResult
from healthsvc.infusion.rules.parameters import InfusionPolicy


class Step(StrEnum):
    """Where the visit stands."""

    PLANNED = "planned"
    ARRIVED = "arrived"
    IDENTIFIED = "identified"
    CLEARED = "cleared"
    MEASURED = "measured"
    RUNNING = "running"
    ENDED = "ended"
    OBSERVED = "observed"
    REFUSED = "refused"
    REACTING = "reacting"
    STOPPED = "stopped"
    ALARMED = "alarmed"
    REFERRED = "referred"
    REPORTED = "reported"
    LEFT = "left"


class Act(StrEnum):
    """What the nurse does."""

    ARRIVE = "arrive"
    IDENTIFY = "identify"
    CLEAR = "clear"
    MEASURE = "measure"
    PUNCTURE = "puncture"
    CHECK = "check"
    END = "end"
    OBSERVE = "observe"
    REFUSE = "refuse"
    REACT = "react"
    STOP = "stop"
    ALARM = "alarm"
    REFER = "refer"
    REPORT = "report"
    LEAVE = "leave"


TRANSITIONS: Final[dict[tuple[Step, Act], Step]] = {
    (Step.PLANNED, Act.ARRIVE): Step.ARRIVED,
    (Step.ARRIVED, Act.IDENTIFY): Step.IDENTIFIED,
    (Step.IDENTIFIED, Act.CLEAR): Step.CLEARED,
    (Step.CLEARED, Act.MEASURE): Step.MEASURED,
    (Step.MEASURED, Act.MEASURE): Step.MEASURED,
    (Step.MEASURED, Act.PUNCTURE): Step.RUNNING,
    (Step.RUNNING, Act.CHECK): Step.RUNNING,
    (Step.RUNNING, Act.END): Step.ENDED,
    (Step.ENDED, Act.CHECK): Step.ENDED,
    (Step.ENDED, Act.OBSERVE): Step.OBSERVED,
    (Step.OBSERVED, Act.LEAVE): Step.LEFT,
    **{(step, Act.REFUSE): Step.REFUSED for step in (Step.ARRIVED, Step.IDENTIFIED, Step.CLEARED, Step.MEASURED)},
    (Step.REFUSED, Act.LEAVE): Step.LEFT,
    **{(step, Act.REACT): Step.REACTING for step in (Step.RUNNING, Step.ENDED, Step.OBSERVED)},
    (Step.REACTING, Act.STOP): Step.STOPPED,
    (Step.STOPPED, Act.ALARM): Step.ALARMED,
    (Step.ALARMED, Act.REFER): Step.REFERRED,
    (Step.REFERRED, Act.REPORT): Step.REPORTED,
    (Step.REPORTED, Act.LEAVE): Step.LEFT,
}

IDENTIFIERS_NEEDED: Final = 2
"""A person is identified by two things that agree (name, birth date, file number, citizen id card), never by the room alone."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Vital signs: mm[Hg], mm[Hg], /min, Cel, %."""

    systolic: int
    diastolic: int
    pulse: int
    temperature: Decimal
    spo2: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    act: Act
    at: datetime
    by: str
    text: str = ""
    vitals: Vitals | None = None
    matched: tuple[str, ...] = ()
    """What agreed when the person was identified: name, birth-date, file-number, citizen-id, ..."""


@dataclass(frozen=True, slots=True)
class Bedside:
    """One visit at the bedside: where it stands and how it came there."""

    step: Step = Step.PLANNED
    log: tuple[Entry, ...] = field(default=())

    def last(self, act: Act) -> Entry | None:
        """The latest entry of one act."""
        return next((entry for entry in reversed(self.log) if entry.act is act), None)

    @property
    def infused(self) -> bool:
        """Whether anything has run into the vein."""
        return self.last(Act.PUNCTURE) is not None

    @property
    def reacted(self) -> bool:
        """Whether there was a reaction."""
        return self.last(Act.REACT) is not None


def possible(bedside: Bedside) -> tuple[Act, ...]:
    """What may be done next, in the usual order."""
    return tuple(act for act in Act if (bedside.step, act) in TRANSITIONS)


def apply(
    bedside: Bedside,
    entry: Entry,
    policy: InfusionPolicy,
    *,
    results: Iterable[GateResult] = (),
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    now: datetime | None = None,
) -> Bedside:
    """Take one step.

    ``now``: the moment at which it is written down; a step lies behind it, but for a device whose clock is a little fast.

    ``results``: the twelve gates, asked at the bedside. ``not_before``: the
    earliest moment that the gap after the dose before allows. ``not_after``: the latest start of this dose; a dose is never made up for.

    Raises:
        RuleViolation: the step may not follow, or what it needs is missing; the reason code says which.
    """
    try:
        after = TRANSITIONS[bedside.step, entry.act]
    except KeyError:
        raise RuleViolation(
            f"cannot {entry.act} when the visit is {bedside.step}; possible: {', '.join(possible(bedside)) or 'nothing more'}",
            reason="infusion-step-out-of-order",
        ) from None
    if bedside.log and entry.at < bedside.log[-1].at:
        raise RuleViolation("a step cannot lie before the one it follows; mend its time", reason="infusion-time-order")
    if now is not None and entry.at > now + timedelta(minutes=policy.clock_ahead_minutes):
        raise RuleViolation("a step is written down when it is done; it cannot lie in the future", reason="infusion-time-future")
    if entry.act is Act.IDENTIFY and len(set(entry.matched)) < IDENTIFIERS_NEEDED:
        raise RuleViolation("identify the person by two things that agree", reason="infusion-not-identified")
    if entry.act is Act.CLEAR:
        _all_open(results)
    if entry.act in {Act.MEASURE, Act.END} and entry.vitals is None:
        raise RuleViolation(f"{entry.act} needs the vital signs", reason="infusion-vitals-missing")
    if entry.act is Act.PUNCTURE:
        _may_start(bedside, entry, policy, not_before, not_after)
    if entry.act is Act.OBSERVE:
        _observed(bedside, entry.at, policy)
    if entry.act in {Act.REFUSE, Act.REACT, Act.REFER, Act.REPORT} and not entry.text.strip():
        raise RuleViolation(f"{entry.act} needs a few words: what was seen or done", reason="infusion-text-missing")
    return replace(bedside, step=after, log=(*bedside.log, entry))


def out_of_limits(vitals: Vitals, limits: Mapping[str, Iterable[float]]) -> tuple[str, ...]:
    """Names of the vital signs outside the limits within which an infusion may begin."""
    found = []
    for name, (low, high) in ((name, tuple(pair)) for name, pair in limits.items()):
        value = getattr(vitals, name)
        if value is not None and not Decimal(str(low)) <= value <= Decimal(str(high)):
            found.append(name)
    return tuple(found)


def next_check(bedside: Bedside, policy: InfusionPolicy) -> datetime | None:
    """When the nurse must look again; None where no drip runs."""
    if bedside.step is not Step.RUNNING:
        return None
    return bedside.log[-1].at + timedelta(minutes=policy.check_minutes)


@dataclass(frozen=True, slots=True)
class Due:
    """What must be done next at the bedside by a moment, and whether a reaction is going on."""

    act: Act
    at: datetime
    reaction: bool = False


def due_next(bedside: Bedside, policy: InfusionPolicy) -> Due | None:
    """What is due next, and when; None before the puncture and after leaving.

    While the drip runs: the next look. After its end: the end of the observation, then leaving. After a reaction: the next of its steps,
    at once.
    """
    step, last = bedside.step, bedside.log[-1].at if bedside.log else None
    if last is None:
        return None
    if step is Step.RUNNING:
        return Due(Act.CHECK, last + timedelta(minutes=policy.check_minutes))
    if step is Step.ENDED:
        ended = bedside.last(Act.END)
        assert ended is not None
        return Due(Act.OBSERVE, ended.at + timedelta(minutes=policy.observe_minutes))
    follows = {Step.REACTING: Act.STOP, Step.STOPPED: Act.ALARM}.get(step)
    return Due(follows, last, reaction=True) if follows else None


def runs_out(bedside: Bedside, drip_minutes: int) -> datetime | None:
    """When the drip that runs will be through at the ordered rate; None where none runs."""
    started = bedside.last(Act.PUNCTURE)
    if bedside.step is not Step.RUNNING or started is None:
        return None
    return started.at + timedelta(minutes=drip_minutes)


def late_checks(bedside: Bedside, policy: InfusionPolicy) -> tuple[datetime, ...]:
    """Moments at which a look was due and came late: a deviation that is recorded, never hidden and never smoothed."""
    longest = timedelta(minutes=policy.check_minutes + policy.check_grace_minutes)
    late, last = [], None
    for entry in bedside.log:
        if last is not None and entry.at - last > longest:
            late.append(last + timedelta(minutes=policy.check_minutes))
        if last is not None and entry.act in {Act.END, Act.REACT}:
            break
        last = entry.at if entry.act in {Act.PUNCTURE, Act.CHECK} else None
    return tuple(late)


def _all_open(results: Iterable[GateResult]) -> None:
    by_gate = {result.gate: result for result in results}
    for gate in Gate:
        result = by_gate.get(gate)
        if result is None:
            raise RuleViolation(f"gate {gate} was not asked at the bedside", reason="infusion-gate-not-asked")
        if not result.open:
            raise RuleViolation(f"gate {gate} is shut: {result.text}", reason=result.reason)


def _may_start(bedside: Bedside, entry: Entry, policy: InfusionPolicy, not_before: datetime | None, not_after: datetime | None) -> None:
    cleared, measured, at = bedside.last(Act.CLEAR), bedside.last(Act.MEASURE), entry.at
    if cleared is not None and cleared.by != entry.by:
        raise RuleViolation(
            "the gates were asked for another nurse; who punctures is who was found qualified", reason="infusion-other-nurse"
        )
    if cleared is None or at - cleared.at > timedelta(minutes=policy.clear_valid_minutes):
        raise RuleViolation(
            f"the gates were asked more than {policy.clear_valid_minutes} minutes ago; refuse this visit or begin it anew",
            reason="infusion-gates-too-old",
        )
    if measured is None or measured.vitals is None:
        raise RuleViolation("take the vital signs first", reason="infusion-vitals-missing")
    if wrong := out_of_limits(measured.vitals, policy.start_limits):
        raise RuleViolation(
            f"{', '.join(wrong)} outside the limits within which an infusion may begin; measure again or call the doctor",
            reason="infusion-vitals-out-of-limits",
        )
    if not_before is not None and at < not_before:
        raise RuleViolation(
            f"the gap after the dose before ends at {not_before.isoformat(timespec='minutes')}; wait", reason="infusion-gap-too-short"
        )
    if not_after is not None and at > not_after:
        raise RuleViolation(
            "the time for this dose has passed; leave it out, the next one comes at its own time, and tell the doctor",
            reason="infusion-dose-too-late",
        )


def _observed(bedside: Bedside, at: datetime, policy: InfusionPolicy) -> None:
    ended = bedside.last(Act.END)
    if ended is None or at - ended.at < timedelta(minutes=policy.observe_minutes):
        raise RuleViolation(f"stay and watch for {policy.observe_minutes} minutes after the end", reason="infusion-observation-too-short")
