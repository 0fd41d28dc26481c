"""Compiling the search ahead of time, so that the first plan of the day does not wait for it."""

import time
from dataclasses import replace

import numpy as np

from healthsvc.dayplan.insertion import rank_insertions
from healthsvc.dayplan.problem import Break, Caregiver, Gap, Problem, Service, Visit, Weights, Window
from healthsvc.dayplan.search import StopRule
from healthsvc.dayplan.solve import solve


def warm() -> float:
    """Solve a problem of three visits once and look for a place for one of them, so that every compiled function exists; the seconds."""
    begun = time.perf_counter()
    problem = _small()
    rank_insertions(problem, solve(problem, StopRule(iterations=20_000), seed=1), "c")
    return time.perf_counter() - begun


def _small() -> Problem:
    """Three visits, one of them double, one that may be left out; two caregivers, one with a break."""
    nurse, doctor = frozenset({"nurse"}), frozenset({"doctor"})
    one = Visit("a", 1, (Service("n", nurse, 20.0), Service("d", doctor, 20.0)), (Window(0.0, 240.0),), Gap(0.0, 0.0))
    two = Visit("b", 2, (Service("n", nurse, 30.0),), (Window(30.0, 120.0),))
    three = replace(two, id="c", place=3, must=False, skip_cost=50.0)
    shift = Window(0.0, 480.0)
    staff = (
        Caregiver("x", nurse, 0, 0, shift, Break(Window(100.0, 200.0), 30.0, 20.0)),
        Caregiver("y", doctor | nurse, 0, 0, shift),
    )
    ways = np.array([[0.0, 5.0, 8.0, 9.0], [5.0, 0.0, 4.0, 6.0], [8.0, 4.0, 0.0, 3.0], [9.0, 6.0, 3.0, 0.0]])
    weights = Weights(travel=1.0, late=1.0, latest=1.0, waiting=0.5, overtime=2.0, idle=0.1, balance=0.1)
    return Problem((one, two, three), staff, {"": ways}, weights)
