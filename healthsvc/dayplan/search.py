"""One search: a few first plans are annealed quickly, the best of them slowly.

Some instances have several deep valleys: a cooling schedule falls into one of them early, and no patience later gets it out. So the budget
is split: short runs from different first plans choose the valley, one long run from a milder heat explores it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from healthsvc.dayplan import finer, jobs, kernel, pricing, watching
from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import Space
from healthsvc.dayplan.layout import World
from healthsvc.dayplan.plan import Plan
from healthsvc.dayplan.timing import INFINITE


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

    @property
    def proposals(self) -> int:
        """About how many proposals the budget holds; exact for an iteration budget."""
        return self.iterations if self.iterations is not None else int((self.seconds or 0.0) * NOMINAL_SPEED)


NOMINAL_SPEED = 1_500_000
"""Proposals a second that a time budget is taken for where it is divided up."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a budget is spent. Heats are shares of the mean price of one service in the first plan.

    ``mix``: shares of the moves (see :func:`kernel.propose`); ``hot``, ``warm``, ``cold``: first heat of a short run, first heat of
    the long run, last heat of both; ``mild``: first heat where a plan is given; ``scouts``: most short runs; ``scouting``: their share
    of the budget; ``scout_length``: least proposals a service in a short run, more where there are many services beside ``large``:
    valleys of large problems differ less, and patience pays.
    ``calm``: share of ``hot`` for a single run where no idle time is priced. ``soft_until``, ``hard_by``, ``warm_pressure``: see
    :meth:`Search.press`. ``skip_heat``: highest heat in prices of a visit that may be left out. ``optional``: how much more often such
    visits change between in and out.
    """

    mix: tuple[float, ...] = (0.30, 0.18, 0.12, 0.15, 0.15, 0.05, 0.05)
    hot: float = 6.0
    warm: float = 1.2
    mild: float = 0.3
    cold: float = 0.02
    scouts: int = 8
    scouting: float = 0.6
    scout_length: int = 20_000
    large: float = 300.0
    calm: float = 0.5
    stages: int = 60
    soft_until: float = 0.7
    skip_heat: float = 2.0
    hard_by: float = 0.7
    warm_pressure: float = 0.3
    optional: float = 6.0


HEAVY = 50.0
"""The prohibitive price of a minute past a hard limit, in light prices or in the dearest visit that may be left out."""

FAR = 1e4
"""Minutes from which a way is no way at all."""

PATIENCE = 1.0
"""Seconds after which a search looks whether it shall end."""

FIRST_STAGE = 10_000
"""Proposals of the first stage under a time budget, before the speed is known."""


@dataclass(slots=True)
class Best:
    """The best plan seen: its price, its links and where breaks are taken."""

    price: float
    link: npt.NDArray[np.int64]
    anchor: npt.NDArray[np.int64]

    @classmethod
    def none(cls, w: World) -> "Best":
        """Nothing seen yet."""
        return cls(INFINITE, np.zeros((len(w.link), 3), dtype=np.int64), np.zeros(len(w.person), dtype=np.int64))

    def copy(self) -> "Best":
        """What the search does from now on does not change it."""
        return Best(self.price, self.link.copy(), self.anchor.copy())


class Search:
    """The state of one search over one world."""

    def __init__(self, space: Space, stop: StopRule, schedule: Schedule, seed: int) -> None:
        self.space, self.world, self.stop, self.schedule = space, space.world, stop, schedule
        self.mix = self._mix()
        self.rng = np.random.default_rng(seed)
        self.clock = stop.clock
        self.begun = self.clock()
        self.light = float(self.world.price[at.W_HARD])
        self.heavy = max(HEAVY * self.light, HEAVY * float(self.world.skip[self.world.job[:, at.MUST] == 0].max(initial=0.0)))
        self.done = 0
        self.speed = 0.0
        self.best = Best.none(self.world)
        self.steps, self.step = self.world.spec[:, at.GRAIN].copy(), float(self.world.price[at.STEP])
        self.share = finer.reserved(self)

    def _mix(self) -> npt.NDArray[np.float64]:
        """The summed shares of the moves: the more visits may be left out, the more often they change between in and out."""
        shares = np.array(self.schedule.mix)
        w = self.world
        shares[5] *= 1.0 + self.schedule.optional * float(np.mean(w.job[:, at.MUST] == 0)) if len(w.job) else 1.0
        shares[6] *= bool((w.person[:, at.HAS_REST] > 0).any())
        summed: npt.NDArray[np.float64] = np.cumsum(shares / shares.sum())
        return summed

    def solve(self) -> float:
        """Spend the budget; the world holds the best plan afterwards. Returns its price (INFINITE: nothing clean was found)."""
        schedule, n = self.schedule, max(1, len(self.space.nodes))
        length = schedule.scout_length * n * (1.0 + (n / schedule.large) ** 2)
        scouts = round(min(schedule.scouts, schedule.scouting * self.stop.proposals / length))
        if scouts <= 1:
            self.first_plan(0)
            hot = schedule.hot * (1.0 if self.world.price[at.W_IDLE] > 0 else schedule.calm)
            self.run(self.heat(hot), self.heat(schedule.cold), self.share)
        else:
            for k in range(scouts):
                self.first_plan(k)
                self.run(self.heat(schedule.hot), self.heat(schedule.cold), self.share * schedule.scouting * (k + 1) / scouts)
            if self.best.price < INFINITE:
                restore(self.world, self.best)
                pricing.rebuild(self.world)
            self.run(self.heat(schedule.warm), self.heat(schedule.cold), self.share, schedule.warm_pressure)
        return self._finish(schedule.warm)

    def improve(self, plan: Plan) -> float:
        """Spend the budget on a plan that is there already: what it lacks is planned where it is cheapest, then a mild search."""
        from healthsvc.dayplan.linking import link

        w = self.world
        self.press(soft=False, pressure=1.0)
        if link(self.space, plan) >= INFINITE or not kernel.clean(w):
            self.first_plan(0)
        else:
            jobs.construct(w, np.argsort(-w.skip, kind="stable").astype(np.int64))
            pricing.rebuild(w)
        self.unit = self._unit()
        self._note()
        self.run(self.heat(self.schedule.mild), self.heat(self.schedule.cold), self.share, 1.0)
        return self._finish(self.schedule.mild)

    def _finish(self, heat: float) -> float:
        """Link the best plan again, plan whatever was left out and still pays, on finer steps of the clock if need be."""
        if self.best.price >= INFINITE:
            return INFINITE
        restore(self.world, self.best)
        self.fill_up()
        finer.make_more(self, heat)
        return float(pricing.rebuild(self.world))

    def fill_up(self) -> None:
        """Plan whatever the best plan leaves out and still pays."""
        w = self.world
        self.press(soft=False, pressure=1.0)
        while jobs.construct(w, np.argsort(-w.skip, kind="stable").astype(np.int64)):
            pricing.rebuild(w)
            self._note()
        self.relink()

    def relink(self) -> None:
        """Link the best plan again."""
        restore(self.world, self.best)
        pricing.rebuild(self.world)

    def first_plan(self, k: int) -> None:
        """Build a plan greedily: by the start of the windows, after the first one with growing disorder."""
        w = self.world
        clear(w)
        opens = np.array([visit.windows[0].start for visit in self.space.problem.visits])
        spread = float(np.ptp(opens)) if len(opens) else 0.0
        noise = self.rng.uniform(-1.0, 1.0, len(opens)) * spread * 0.15 * k
        self.press(soft=False, pressure=1.0)
        pinned = w.kind[w.job[:, at.FIRST], at.FIXED] > 0
        jobs.construct(w, np.lexsort((opens + noise, ~pinned)).astype(np.int64))
        pricing.rebuild(w)
        if k == 0:
            self.unit = self._unit()
        self._note()

    def press(self, soft: bool, pressure: float) -> None:
        """Price idle time by the 8-norm (soft) or by the maximum, and hard limits lightly (pressure 0) to prohibitively (1)."""
        prices, flag = self.world.price, self.world.flag
        prices[at.SOFT_IDLE] = float(soft and prices[at.W_IDLE] > 0)
        level = min(1.0, pressure / self.schedule.hard_by)
        prices[at.W_HARD] = self.light * (self.heavy / self.light) ** level
        if flag[at.OVER_HARD]:
            prices[at.W_OVER] = prices[at.W_HARD]
        pricing.rebuild(self.world)

    def _unit(self) -> float:
        """What travel to one service costs in the present plan (or waits of that length, where travel is free)."""
        w = self.world
        minute = w.price[at.W_TRAVEL] or w.price[at.W_WAIT] or 1.0
        planned = int((w.link[: len(self.space.nodes), at.RT] >= 0).sum())
        if planned * 2 < len(self.space.nodes):
            return max(1e-6, float(minute * w.way[w.way < FAR].mean()))
        return max(1e-6, float(minute * w.total[at.SUM_TRAVEL] / max(1, planned)))

    def heat(self, share: float) -> float:
        """A temperature in the unit of the objective, not so high that every visit that may be left out is."""
        optional = self.world.skip[self.world.job[:, at.MUST] == 0]
        most = float(np.median(optional)) * self.schedule.skip_heat if len(optional) else np.inf
        return min(share * self.unit, most * share / self.schedule.hot) if most > 0 else share * self.unit

    def _note(self) -> None:
        """Remember the present plan if it is the best."""
        w = self.world
        if kernel.clean(w) and w.total[at.TRUE_COST] < self.best.price:
            self.best.price = float(w.total[at.TRUE_COST])
            kernel.remember(w, self.best.link, self.best.anchor)

    def run(self, hot: float, cold: float, until: float, from_pressure: float = 0.0) -> None:
        """One annealing run that ends when ``until`` (a share) of the whole budget is spent."""
        stages = self.schedule.stages
        for k in range(stages):
            high, low = hot * (cold / hot) ** (k / stages), hot * (cold / hot) ** ((k + 1) / stages)
            steps = self._steps(until, stages - k)
            if steps <= 0:
                break
            self.press(self.schedule.soft_until * stages > k, from_pressure + (1.0 - from_pressure) * k / stages)
            self._anneal(steps, high, low)
            pricing.rebuild(self.world)

    def _anneal(self, steps: int, high: float, low: float) -> None:
        """One stage; under a time budget in pieces that are short enough for somebody who asks for an end."""
        pieces = max(1, round(steps / (self.speed * PATIENCE))) if self.speed and self.stop.iterations is None else 1
        begun, made = self.clock(), 0
        for k in range(pieces):
            if k and watching.enough():
                break
            hot, cold, piece = high * (low / high) ** (k / pieces), high * (low / high) ** ((k + 1) / pieces), steps // pieces
            self.best.price, _ = kernel.anneal(self.world, self.mix, piece, hot, cold, self.best.price, self.best.link, self.best.anchor)
            made += piece
        took = self.clock() - begun
        self.speed = made / took if took > 1e-4 else self.speed
        self.done += made
        watching.made(made)

    def _steps(self, until: float, stages: int) -> int:
        """Proposals of the next stage when ``stages`` are left."""
        if watching.enough():
            return 0
        if self.stop.iterations is not None:
            return max(0, int(self.stop.iterations * until) - self.done) // stages
        left = (self.stop.seconds or 0.0) * until - (self.clock() - self.begun)
        if left <= 0:
            return 0
        return max(kernel.STEP, int(self.speed * left / stages)) if self.speed else FIRST_STAGE


def clear(w: World) -> None:
    """Nobody planned: every route empty, every visit left out."""
    n, c_all = int(w.flag[at.N]), int(w.flag[at.C])
    w.link[:n, : at.STAMP] = -1
    heads, tails = np.arange(n, n + c_all), np.arange(n + c_all, n + 2 * c_all)
    w.link[heads, at.NXT], w.link[tails, at.PRV] = tails, heads
    w.person[:, at.ANCHOR] = heads
    list_out(w)


def restore(w: World, best: Best) -> None:
    """Link the best plan again; its times come with the next rebuild."""
    w.link[:, : at.STAMP] = best.link
    w.person[:, at.ANCHOR] = best.anchor
    list_out(w)


def list_out(w: World) -> None:
    """Make the list of visits left out agree with the links."""
    missing = np.flatnonzero(w.link[w.job[:, at.FIRST], at.RT] < 0)
    w.job[:, at.POS] = -1
    w.job[missing, at.POS] = np.arange(len(missing))
    w.out[: len(missing)] = missing
    w.flag[at.N_OUT] = len(missing)
