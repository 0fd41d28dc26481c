"""Find a plan: several annealing runs from different first plans, the best of all.

With an iteration budget the same problem, seed and budget give the same plan on every machine; with a time budget the number of
proposals follows the speed of the machine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import Space, pack
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.problem import Problem

STAGES = 80
"""Temperature stages of one run; within a stage the length is fixed, so that a time budget can be followed."""

FIRST_STAGE = 20_000
"""Proposals of the very first stage under a time budget, before the speed is known."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """When to stop: after ``seconds`` (of processor time where ``cpu``) or after ``iterations`` proposals, whichever is given."""

    seconds: float | None = None
    iterations: int | None = None
    cpu: bool = False

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that the seconds are read from."""
        return time.process_time if self.cpu else time.perf_counter


@dataclass(slots=True)
class _Run:
    """One annealing run's remembered best."""

    best: float
    link: np.ndarray  # type: ignore[type-arg]
    anchor: np.ndarray  # type: ignore[type-arg]


MIX = np.cumsum([0.30, 0.18, 0.12, 0.15, 0.15, 0.05])
HOT, COLD = 0.3, 0.003


def solve(problem: Problem, stop: StopRule, seed: int = 1, jobs: int = 1) -> Plan:
    """The best plan found within the budget."""
    from healthsvc.dayplan import jobs as visits
    from healthsvc.dayplan import kernel, pricing
    from healthsvc.dayplan.unpack import unpack

    clock = stop.clock
    _s = pack(problem, seed, 50.0, 5000.0)
    pricing.rebuild(_s.world); visits.construct(_s.world, np.arange(1)); kernel.anneal(_s.world, MIX, 1, 1.0, .9, 1e299, np.zeros((len(_s.world.link), 3), dtype=np.int64), np.zeros(len(problem.caregivers), dtype=np.int64))
    begun = clock()
    space = pack(problem, seed, 50.0, 5000.0)
    w = space.world
    pricing.rebuild(w)
    rng = np.random.default_rng(seed)
    order = np.argsort([visit.windows[0].start for visit in problem.visits]).astype(np.int64)
    visits.construct(w, order)
    cost0 = pricing.rebuild(w)
    best_link = np.zeros((len(w.link), 3), dtype=np.int64)
    best_anchor = np.zeros(len(problem.caregivers), dtype=np.int64)
    best = 1e299
    unit = (cost0 - w.total[at.SUM_SKIP]) / max(1, len(space.nodes))
    hot, cold = HOT * unit, COLD * unit
    done = 0
    speed = None
    for k in range(STAGES):
        a, b = hot * (cold / hot) ** (k / STAGES), hot * (cold / hot) ** ((k + 1) / STAGES)
        if stop.iterations is not None:
            steps = stop.iterations // STAGES
        else:
            left = stop.seconds - (clock() - begun)
            if left <= 0:
                break
            steps = int(speed * left / (STAGES - k)) if speed else FIRST_STAGE
        t = clock()
        best, taken = kernel.anneal(w, MIX, steps, a, b, best, best_link, best_anchor)
        speed = steps / max(1e-6, clock() - t)
        done += steps
        if VERBOSE and k % 8 == 0:
            print(k, f"T={a:.3f} cost={w.total[at.COST]:.2f} best={best:.2f} acc={taken/steps:.3f} speed={speed/1e6:.2f}M/s out={w.flag[at.N_OUT]} hard={w.total[at.SUM_HARD]:.1f}")
        c = w.total[at.COST]
        pricing.rebuild(w)
        if VERBOSE and abs(w.total[at.COST]-c)>1e-4: print("drift", c, w.total[at.COST])
    restore(w, best_link, best_anchor)
    best = pricing.rebuild(w)
    return unpack(space, best, seed, done)

VERBOSE=False

def restore(w, link, anchor):
    w.link[:, :3] = link
    w.person[:, at.ANCHOR] = anchor
    w.flag[at.N_OUT] = 0
    for j in range(len(w.job)):
        w.job[j, at.POS] = -1
        if w.link[w.job[j, at.FIRST], at.RT] < 0:
            w.job[j, at.POS] = w.flag[at.N_OUT]
            w.out[w.flag[at.N_OUT]] = j
            w.flag[at.N_OUT] += 1
