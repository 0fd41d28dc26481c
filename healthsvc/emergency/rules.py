"""一键通 The chain of calls: 亲友, 原单位联系人, 社区工作人员, 社区医生. Who is called when; time is an argument.

The whole alarm is its log: replaying the log gives the same state, and :func:`escalate` adds what is due at a moment. Asked twice for the
same moment it adds nothing the second time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation


@dataclass(frozen=True, slots=True)
class EmergencyPolicy:
    """The parameters ``emergency.*``."""

    kinds: tuple[str, ...]
    severe_kinds: tuple[str, ...]
    chain: tuple[str, ...]
    severe_at_once: tuple[str, ...]
    answer_seconds: dict[str, int]
    rounds: int
    join_seconds: int
    outcomes: tuple[str, ...]
    nearest_kinds: tuple[str, ...] = ()
    """Kinds of alarm for which the nearest free doctor is looked for."""
    nearest_minutes: float = 10
    nearest_count: int = 1


class Status(StrEnum):
    """Where an alarm stands."""

    RINGING = "ringing"
    TAKEN = "taken"
    EXHAUSTED = "exhausted"
    """Everybody has been called as often as the policy says, and nobody has answered; the centre must act."""
    CLOSED = "closed"


class Act(StrEnum):
    """One line of the log."""

    RAISE = "raise"
    REPEAT = "repeat"
    CALL = "call"
    NOT_REACHED = "not-reached"
    TAKE = "take"
    HAND_OVER = "hand-over"
    EXHAUST = "exhaust"
    CLOSE = "close"
    STANDBY = "standby"
    """Somebody who is near has been found and joins the chain; ``who`` is their key, ``text`` the Practitioner and the minutes away."""
    NOTE = "note"
    """Something to be remembered; changes nothing."""


TRANSITIONS: Final[dict[tuple[Status | None, Act], Status]] = {
    (None, Act.RAISE): Status.RINGING,
    **{(status, Act.REPEAT): status for status in (Status.RINGING, Status.TAKEN, Status.EXHAUSTED)},
    (Status.RINGING, Act.CALL): Status.RINGING,
    (Status.RINGING, Act.NOT_REACHED): Status.RINGING,
    **{(status, Act.NOT_REACHED): status for status in (Status.TAKEN, Status.EXHAUSTED)},
    **{(status, Act.TAKE): Status.TAKEN for status in (Status.RINGING, Status.EXHAUSTED)},
    (Status.TAKEN, Act.HAND_OVER): Status.TAKEN,
    (Status.RINGING, Act.EXHAUST): Status.EXHAUSTED,
    **{(status, Act.CLOSE): Status.CLOSED for status in (Status.RINGING, Status.TAKEN, Status.EXHAUSTED)},
    **{(status, Act.STANDBY): status for status in (Status.RINGING, Status.TAKEN, Status.EXHAUSTED)},
    **{(status, Act.NOTE): status for status in Status},
}


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody of the chain: the role and which one of that role (0, 1, ...)."""

    role: str
    index: int = 0

    @property
    def key(self) -> str:
        """Name in the log: ``family-0``."""
        return f"{self.role}-{self.index}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log, to the second (and finer where the clock is)."""

    act: Act
    at: datetime
    who: str = ""
    """The callee's key for calls; for the rest whoever acted."""
    round: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One call for help."""

    id: str
    patient: str
    kind: str
    source: str
    status: Status = Status.RINGING
    log: tuple[Line, ...] = field(default=())

    @property
    def raised(self) -> datetime:
        """When it came in."""
        return self.log[0].at

    def calls(self, round_: int) -> dict[str, datetime]:
        """Who has been called in a round, and when."""
        return {line.who: line.at for line in self.log if line.act is Act.CALL and line.round == round_}

    def missed(self, round_: int) -> frozenset[str]:
        """Who was called in a round and not reached."""
        return frozenset(line.who for line in self.log if line.act is Act.NOT_REACHED and line.round == round_)

    @property
    def taken_by(self) -> str | None:
        """Who has it in hand."""
        return next((line.who for line in reversed(self.log) if line.act in (Act.TAKE, Act.HAND_OVER)), None)


def add(alarm: Alarm, line: Line) -> Alarm:
    """Write one line; refuses what cannot follow, and a time before the last line."""
    before = alarm.status if alarm.log else None
    try:
        after = TRANSITIONS[before, line.act]
    except KeyError:
        raise RuleViolation(f"cannot {line.act} an alarm that is {before or 'new'}", reason="emergency-transition") from None
    if alarm.log and line.at < alarm.log[-1].at:
        raise RuleViolation("a line of the log cannot lie before the one above it", reason="emergency-time-order")
    return replace(alarm, status=after, log=(*alarm.log, line))


def groups(alarm: Alarm, callees: Sequence[Callee], policy: EmergencyPolicy) -> list[list[Callee]]:
    """Who is called together, in order: one role after the other; in a severe alarm some roles stand in the first group too.

    A role that is in the chain of the policy nowhere is called last.
    """
    others = [role for role in dict.fromkeys(callee.role for callee in callees) if role not in policy.chain]
    by_role = [[callee for callee in callees if callee.role == role] for role in (*policy.chain, *others)]
    ordered = [group for group in by_role if group]
    if alarm.kind in policy.severe_kinds and ordered:
        at_once = [callee for callee in callees if callee.role in policy.severe_at_once]
        rest = [[callee for callee in group if callee not in at_once] for group in ordered]
        ordered = [group for group in rest if group]
        first = [*(ordered[0] if ordered else []), *at_once]
        ordered = [first, *ordered[1:]]
    return ordered


def escalate(alarm: Alarm, callees: Sequence[Callee], policy: EmergencyPolicy, at: datetime) -> tuple[Line, ...]:
    """What is due at a moment: whoever has not answered in time is written off, and the next group is called.

    A group is over when nobody in it answers any more (time-out, or the notifier said so). After the last group the chain begins again,
    as often as the policy says; then the alarm is exhausted.
    """
    lines: list[Line] = []
    while alarm.status is Status.RINGING:
        due = _step(alarm, groups(alarm, callees, policy), policy, at)
        for line in due:
            alarm = add(alarm, line)
        lines += due
        if not due or due[0].act is Act.CALL:
            break
    return tuple(lines)


def next_look(alarm: Alarm, policy: EmergencyPolicy) -> datetime | None:
    """When the earliest call that is still open times out; None where nothing is open."""
    if alarm.status is not Status.RINGING:
        return None
    open_calls = [at + _patience(who, policy) for who, at in _open(alarm).items()]
    return min(open_calls, default=alarm.log[-1].at)


def _step(alarm: Alarm, ordered: list[list[Callee]], policy: EmergencyPolicy, at: datetime) -> list[Line]:
    current = max((line.round for line in alarm.log if line.act is Act.CALL), default=1)
    late = [
        Line(Act.NOT_REACHED, at, who, current, "timeout") for who, called in _open(alarm).items() if called + _patience(who, policy) <= at
    ]
    if late:
        return late
    called = alarm.calls(current)
    joining = next((group for group in ordered if any(callee.key in called for callee in group) and not _all_called(group, called)), ())
    if joining:  # whoever joins a group that is being called is called too
        return [Line(Act.CALL, at, callee.key, current) for callee in joining if callee.key not in called]
    if _open(alarm):
        return []
    waiting = next((group for group in ordered if any(callee.key not in called for callee in group)), None)
    if waiting is None and current < policy.rounds and ordered:
        current, waiting, called = current + 1, ordered[0], {}
    if waiting is None:
        return [Line(Act.EXHAUST, at, text="nobody answered" if ordered else "no contact on file")]
    return [Line(Act.CALL, at, callee.key, current) for callee in waiting if callee.key not in called]


def _all_called(group: Iterable[Callee], called: Iterable[str]) -> bool:
    return {callee.key for callee in group} <= set(called)


def _open(alarm: Alarm) -> dict[str, datetime]:
    current = max((line.round for line in alarm.log if line.act is Act.CALL), default=0)
    missed = alarm.missed(current)
    return {who: at for who, at in alarm.calls(current).items() if who not in missed}


def _patience(who: str, policy: EmergencyPolicy) -> timedelta:
    role = who.rpartition("-")[0]
    return timedelta(seconds=policy.answer_seconds.get(role, min(policy.answer_seconds.values())))


def joins(alarm: Alarm, at: datetime, policy: EmergencyPolicy) -> bool:
    """Whether a new press of the button belongs to this alarm: it is open, or was raised a moment ago."""
    if alarm.status is Status.CLOSED:
        return False
    return alarm.status is not Status.EXHAUSTED or at - alarm.log[-1].at <= timedelta(seconds=policy.join_seconds)


def replay(alarm: Alarm, log: Iterable[Line]) -> Alarm:
    """The alarm that a log gives; refuses a log that could not have happened."""
    state = replace(alarm, log=(), status=Status.RINGING)
    for line in log:
        state = add(state, line)
    return state
