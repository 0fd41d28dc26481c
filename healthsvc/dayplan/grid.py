"""Times that people can read: starts lie on whole steps of the clock (five minutes, say). Plain Python, and compiled in the search."""

import math

from healthsvc.dayplan.problem import Minutes, Problem, Visit

HAIR = 1e-9
"""Share of a step by which a time may be past a step and still lie on it: sums of minutes are not exact."""


def up(time: float, grain: float, last: float) -> float:
    """``time``, or the next whole step of ``grain`` minutes after it (0: no steps) where that is no later than ``last``.

    A window may be narrower than a step: rather an odd minute inside than a round one outside.
    """
    if grain <= 0.0:
        return time
    rounded = grain * math.ceil(time / grain - HAIR)
    return rounded if rounded <= last else time


def grain_of(problem: Problem, visit: Visit) -> Minutes:
    """The step for the starts of a visit; 0 where they are not free to be rounded.

    What is confirmed keeps its minute; where two people start one after the other and no whole step lies between the least and the most,
    their starts cannot both be round.
    """
    grain = problem.grain
    if grain <= 0.0 or visit.pinned:
        return 0.0
    if visit.gap and grain * math.floor(visit.gap.most / grain + HAIR) < visit.gap.least - HAIR:
        return 0.0
    return grain


def is_round(time: Minutes, grain: Minutes) -> bool:
    """Whether a time lies on a whole step, to a thousandth of a minute."""
    return grain <= 0.0 or abs(time - grain * round(time / grain)) < 1e-3
