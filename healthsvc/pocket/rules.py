"""随身: whether a visit that was written down without network is stored, asked about, or put aside. Values in, a decision out.

The phone keeps what it knew of a visit when it took it along (``then``); the server knows what is (``now``). Where nothing that matters
has changed, the visit is stored. Where something has, whoever made it decides; and what they saw when they decided must still be so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final


class Clash(StrEnum):
    """What has changed since the visit was taken along, in the order in which it is told."""

    FINISHED = "finished"
    """Somebody else (or another telephone) has written it down as made."""
    CANCELLED = "cancelled"
    MISSED = "missed"
    """It was written off."""
    ADMITTED = "admitted"
    """The person is in hospital."""
    AWAY = "away"
    """It was put on hold for another reason."""
    MOVED = "moved"
    """It was planned for another day or other staff."""
    FORM = "form"
    """A form asks something else by now."""
    STEPS = "steps"
    """Somebody else has recorded steps at the bedside."""
    CLOCK = "clock"
    """The telephone's clock was changed on the way: its times cannot be told from wrong ones."""


class Choice(StrEnum):
    """What whoever made the visit may decide."""

    MINE = "mine"
    THEIRS = "theirs"
    DESK = "desk"


class Way(StrEnum):
    """How a visit is stored."""

    COMPLETE = "complete"
    REOPEN = "reopen"
    """It had been cancelled: it is asked for again, then completed."""
    RESUME = "resume"
    """It was on hold: it is taken up again, then completed."""
    BESIDE = "beside"
    """The visit is over already: mine becomes one of its own beside it."""


class Verb(StrEnum):
    """What happens to a record that has come in."""

    STORE = "store"
    ASK = "ask"
    KEEP = "keep"
    """Theirs stands; mine is put aside, readable, and nothing follows from it."""
    DESK = "desk"
    """A coordinator looks at both."""


_ENDED: Final = {"completed": Clash.FINISHED, "cancelled": Clash.CANCELLED, "entered-in-error": Clash.CANCELLED, "failed": Clash.MISSED}
_FINAL: Final = frozenset({"deceased", "person-deceased"})
"""Reasons of a cancellation that no visit takes back."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What matters of a visit: where it stands, for when and whom it is planned, which forms it asks, how far the bedside has come."""

    status: str
    reason: str = ""
    day: date | None = None
    staff: frozenset[str] = frozenset()
    admitted: datetime | None = None
    """Since when the person is in hospital."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Name of a form -> digest of what it asks."""
    steps: tuple[str, ...] = ()
    """Digests of the entries of the bedside log."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came in of a visit: when it ended, which forms it answers, what the telephone's clock said."""

    start: datetime | None = None
    end: datetime | None = None
    forms: frozenset[str] = frozenset()
    steps: tuple[str, ...] = ()
    """Digests of the steps that were recorded at the bedside."""
    drip: bool = False
    missed: bool = False
    """Nobody was met, or the visit was refused: it is written off."""
    skew_then: timedelta = timedelta(0)
    """Server's time less the telephone's when the visit was taken along or last in contact."""
    skew_now: timedelta = timedelta(0)
    """The same now."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and the digest of what was seen then."""

    choice: Choice
    seen: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens, and why."""

    verb: Verb
    way: Way = Way.COMPLETE
    clashes: tuple[Clash, ...] = ()
    choices: tuple[Choice, ...] = ()


def clashes(then: Facts, now: Facts, made: Made, tolerance: timedelta) -> tuple[Clash, ...]:
    """What has changed that whoever made the visit must know. A change of the time of day among the same staff is none: it was made."""
    found: set[Clash] = set()
    if made.drip:
        if _foreign_steps(then, now, made):
            found.add(Clash.STEPS)
    elif now.status != then.status:
        if now.status in _ENDED:
            found.add(_ENDED[now.status])
        elif now.status == "on-hold":
            found.add(Clash.ADMITTED if now.reason == "admitted" else Clash.AWAY)
    open_now = now.status not in _ENDED
    if open_now and now.admitted is not None and then.admitted is None:
        found.add(Clash.ADMITTED)
    if open_now and now.status != "on-hold" and then.day is not None and not made.drip and (now.day, now.staff) != (then.day, then.staff):
        found.add(Clash.MOVED)
    if any(then.forms.get(name) != now.forms.get(name) for name in made.forms):
        found.add(Clash.FORM)
    if abs(made.skew_now - made.skew_then) > tolerance:
        found.add(Clash.CLOCK)
    return tuple(one for one in Clash if one in found)


def choices(found: tuple[Clash, ...], now: Facts, made: Made) -> tuple[Choice, ...]:
    """What may be decided. Theirs and the desk are always open; mine wherever it can be true.

    Nobody is visited at home after the moment of admission, or after death; and steps at the bedside are not mixed from two logs.
    """
    mine = True
    if Clash.ADMITTED in found and (now.admitted is None or made.end is None or made.end > now.admitted):
        mine = False
    if Clash.CANCELLED in found and now.reason in _FINAL:
        mine = False
    if made.missed and (not {Clash.FINISHED, Clash.CANCELLED, Clash.MISSED}.isdisjoint(found)):
        mine = False
    if Clash.ADMITTED in found and made.missed:
        mine = False
    if Clash.STEPS in found or (made.drip and Clash.ADMITTED in found and not made.steps):
        mine = False
    return (Choice.MINE, Choice.THEIRS, Choice.DESK) if mine else (Choice.THEIRS, Choice.DESK)


def way(now: Facts) -> Way:
    """How a visit is stored that stands as it does now."""
    if now.status in ("completed", "failed", "entered-in-error"):
        return Way.BESIDE
    return {"cancelled": Way.REOPEN, "on-hold": Way.RESUME}.get(now.status, Way.COMPLETE)


def judge(then: Facts, now: Facts, seen: str, made: Made, decision: Decision | None, tolerance: timedelta) -> Verdict:
    """Say what happens to a record that has come in.

    Args:
        then: what the telephone knew.
        now: what is.
        seen: digest of ``now``; a decision that was made on another state is asked again.
        made: what came in.
        decision: what was decided, where it was asked before.
        tolerance: how far the clock may drift on the way.
    """
    found = clashes(then, now, made, tolerance)
    open_choices = choices(found, now, made)
    if decision is None:
        return Verdict(Verb.ASK, way(now), found, open_choices) if found else Verdict(Verb.STORE, way(now))
    if decision.choice is Choice.DESK:
        return Verdict(Verb.DESK, way(now), found, open_choices)
    if decision.seen != seen or (decision.choice not in open_choices):
        return Verdict(Verb.ASK, way(now), found, open_choices)
    return Verdict(Verb.KEEP if decision.choice is Choice.THEIRS else Verb.STORE, way(now), found, open_choices)


def unsent(steps: tuple[str, ...], now: tuple[str, ...], then: tuple[str, ...]) -> int:
    """How many of my first steps the server has already (it stored them and its answer was lost)."""
    known = now[len(then) :]
    count = 0
    while count < min(len(known), len(steps)) and known[count] == steps[count]:
        count += 1
    return count


def _foreign_steps(then: Facts, now: Facts, made: Made) -> bool:
    """Whether the log at the bedside holds anything that neither was there then nor is mine."""
    if now.steps[: len(then.steps)] != then.steps:
        return True
    return unsent(made.steps, now.steps, then.steps) != len(now.steps) - len(then.steps)
