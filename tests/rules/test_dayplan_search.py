"""The search prices a change from its changed places only: that is always the price of the whole plan worked out anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dayplan_grid import day

from healthsvc.dayplan import kernel, pricing
from healthsvc.dayplan import layout as at
from healthsvc.dayplan.arrays import pack
from healthsvc.dayplan.search import Best, Schedule, Search, StopRule


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from((0.0, 5.0)), st.booleans())
def test_the_price_kept_along_the_way_is_the_price_worked_out_anew(seed: int, grain: float, waiting_windows: bool) -> None:
    problem = replace(day(seed, 14, 4), grain=grain)
    if waiting_windows:  # behind a break the next window opens late: nothing moves there, but the break may be missed
        problem = replace(problem, visits=tuple(replace(one, hard=True, after=None) for one in problem.visits))
    space = pack(problem, seed, 300.0, 5_000.0)
    search = Search(space, StopRule(iterations=1), Schedule(), seed)
    search.first_plan(0)
    world, best = space.world, Best.none(space.world)
    for heat in (300.0, 100.0, 30.0, 10.0, 3.0) * 4:
        kernel.anneal(world, search.mix, 256, heat, heat, 1e300, best.link, best.anchor)
        kept, missed = float(world.total[at.COST]), float(world.total[at.SUM_MISS])
        starts = world.time[: len(space.nodes), at.S].copy()
        assert pricing.rebuild(world) == pytest.approx(kept, abs=1e-6)
        assert world.total[at.SUM_MISS] == pytest.approx(missed, abs=1e-6)
        planned = world.link[: len(space.nodes), at.RT] >= 0
        assert np.allclose(world.time[: len(space.nodes), at.S][planned], starts[planned])
