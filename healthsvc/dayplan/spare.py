"""Time to spare on every way, as a limit of the search: who is a little late at one door is not late at the next. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from healthsvc.dayplan.easing import Begins, Held, chains, earliest
from healthsvc.dayplan.problem import NO_WAY, Caregiver, Matrix, Minutes, Problem


def with_spare(problem: Problem, minutes: Minutes) -> Problem:
    """The problem in which every way to a visit is planned so many minutes longer; the way home is not, nor one within a house.

    Between what is confirmed there is as much to spare as that leaves beside the break: a confirmed visit never moves for it.
    """
    if minutes <= 0:
        return problem
    homes = sorted({visit.place for visit in problem.visits})
    travel = {mode: _longer(way, homes, minutes) for mode, way in problem.travel.items()}
    pinned = [visit for visit in problem.visits if visit.pinned]
    confirmed = chains(problem, pinned)
    begins = earliest(problem, pinned, confirmed)
    for person in problem.caregivers:
        _bounded(travel[person.mode], problem.travel[person.mode], person, confirmed[person.id], begins)
    return replace(problem, travel=travel)


def _longer(way: Matrix, homes: Sequence[int], minutes: Minutes) -> Matrix:
    longer = way.copy()
    longer[:, homes] += minutes
    longer = np.where(way >= NO_WAY, way, longer)
    np.fill_diagonal(longer, np.diag(way))
    return longer


def _bounded(longer: Matrix, way: Matrix, person: Caregiver, chain: Sequence[Held], begins: Begins) -> None:
    """Ways between what one person has confirmed take no longer than there is time for them."""
    here, free = person.start_place, person.shift.start
    for one in chain:
        start, there = begins[one.key], one.visit.place
        least = float(way[here, there])
        room = start - free
        if person.rest and room - least >= person.rest.duration:
            room -= person.rest.duration
        longer[here, there] = min(longer[here, there], max(least, room))
        here, free = there, start + one.service.duration
