"""兑现 Was a right honoured? Judged by the window's word, else by how long others waited at the same hospital, else by a target. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from statistics import median

from healthsvc.greenchannel.rules import Right


class Told(StrEnum):
    """Who tells of a use."""

    WINDOW = "window"
    """Somebody at the hospital's window said whether priority was given."""
    EVENTS = "events"
    """The hospital's own events: registered, seen, settled, dispensed."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of one right, or the wait of somebody without it: whether the hospital gave priority, and how long the person waited."""

    patient: str
    right: Right
    at: datetime
    """When the waiting ended: seen, settled, dispensed."""
    hospital: str
    """Organization id, or the hospital's name or code where there is no Organization."""
    honoured: bool | None = None
    """As the window told it; None: to be judged."""
    wait_minutes: int | None = None
    told: Told = Told.WINDOW
    entitled: bool = True
    """Whether the person had the right on that day; waits of those who had not are what others are compared with."""
    encounter: str | None = None
    why: str = ""
    """Why priority was not given, as the window told it (CodeSystem green-channel-why)."""


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """The parameters ``greenchannel.*`` of the judgement."""

    compare_from: int
    """Fewest waits of others at a hospital that are compared with, and shown."""
    target_minutes: dict[str, int]
    """By right: what counts as honoured where there is nobody to compare with, minutes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A use and the judgement on it; ``honoured`` None: it cannot be judged, ``why`` says for what reason."""

    use: Use
    honoured: bool | None
    why: str = ""
    bound: float | None = None
    """Minutes that the wait was held against."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits at one hospital for one right; None where too few are behind a figure."""

    hospital: str
    right: Right
    entitled: int
    median: float | None
    p90: float | None
    others: int
    others_median: float | None
    others_p90: float | None


def judge(told: Sequence[Use], policy: WaitPolicy) -> list[Judged]:
    """Judge every use by somebody entitled; the same uses give the same judgement.

    The window's word counts. What the hospital's events tell is honoured if the wait was no longer than the median of the others' at the
    same hospital in the same span of time; where there are too few others, if it was within the target.
    """
    others = _by_place(one for one in told if not one.entitled)
    return [_judge(one, others.get((one.hospital, one.right), []), policy) for one in told if one.entitled]


def _judge(use: Use, others: list[int], policy: WaitPolicy) -> Judged:
    if use.honoured is not None:
        return Judged(use, use.honoured, "" if use.honoured else use.why or "window")
    if use.wait_minutes is None:
        return Judged(use, None, "no-clock")
    if len(others) >= policy.compare_from:
        bound, why = float(median(others)), "longer-than-others"
    elif use.right.value in policy.target_minutes:
        bound, why = float(policy.target_minutes[use.right.value]), "over-target"
    else:
        return Judged(use, None, "no-comparison")
    honoured = use.wait_minutes <= bound
    return Judged(use, honoured, "" if honoured else why, bound)


def waits(told: Iterable[Use], policy: WaitPolicy) -> list[Waits]:
    """Median and ninetieth percentile of the waits, of those with the right and of everybody else, by hospital and right."""
    known = list(told)
    ours, others = _by_place(one for one in known if one.entitled), _by_place(one for one in known if not one.entitled)
    found = []
    for hospital, right in sorted({*ours, *others}):
        mine, theirs = ours.get((hospital, right), []), others.get((hospital, right), [])
        found.append(
            Waits(hospital, right, len(mine), *_spread(mine, policy.compare_from), len(theirs), *_spread(theirs, policy.compare_from))
        )
    return found


def percentile(values: Sequence[int], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return float(ordered[max(0, ceil(share * len(ordered)) - 1)])


def _spread(values: list[int], least: int) -> tuple[float | None, float | None]:
    if len(values) < least:
        return None, None
    return float(median(values)), percentile(values, 0.9)


def _by_place(told: Iterable[Use]) -> dict[tuple[str, Right], list[int]]:
    found: dict[tuple[str, Right], list[int]] = {}
    for one in told:
        if one.wait_minutes is not None:
            found.setdefault((one.hospital, one.right), []).append(one.wait_minutes)
    return found
