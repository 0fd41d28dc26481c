"""Siting against brute force, and what is said where no optimum can be proven in time."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.circle.coverage import Home
from healthsvc.circle.siting import candidates, choose
from healthsvc.errors import Invalid


@settings(max_examples=40, deadline=None)
@given(
    places=st.integers(1, 7),
    homes=st.integers(0, 14),
    count=st.integers(1, 3),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 10_000),
    weighted=st.booleans(),
)
def test_the_choice_is_the_best_of_all(places: int, homes: int, count: int, share: float, seed: int, weighted: bool) -> None:
    count = min(count, places)
    chance = np.random.default_rng(seed)
    reached = chance.random((places, homes)) < share
    worth = chance.integers(0, 5, homes).astype(float) if weighted else np.ones(homes)
    best = max(float(worth[reached[list(some)].any(axis=0)].sum()) for some in combinations(range(places), count))
    found = choose(reached, count, 20.0, worth)
    assert found.proven
    assert found.gap == 0
    assert found.gained == best == float(worth[reached[list(found.places)].any(axis=0)].sum())
    assert len(set(found.places)) == count


def test_greed_alone_would_be_wrong_here() -> None:
    reached = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1]], bool)
    found = choose(reached, 2, 20.0)
    assert set(found.places) == {1, 2}
    assert found.gained == 6


def test_out_of_time_the_gap_is_stated() -> None:
    chance = np.random.default_rng(1)
    at, to = chance.random((400, 2)), chance.random((4_000, 2))
    reached = ((at[:, None] - to[None]) ** 2).sum(axis=2) < 0.004
    found = choose(reached, 25, 0.1)
    assert found.seconds < 10
    assert found.bound >= found.gained > 0
    assert found.proven or found.gap > 0


def test_fewer_places_than_wanted_are_refused() -> None:
    with pytest.raises(Invalid, match="ask for 1 to 2"):
        choose(np.ones((2, 3), bool), 3, 1.0)


def test_candidates_stand_among_the_homes_and_no_home_is_far_from_one() -> None:
    chance = np.random.default_rng(2)
    homes = [Home(str(i), float(lon), float(lat)) for i, (lon, lat) in enumerate(chance.normal((121.6, 30.45), 0.01, (300, 2)))]
    few = candidates(homes, 40)
    assert len(few) == 40
    assert {(one.lon, one.lat) for one in few} <= {(round(h.lon, 6), round(h.lat, 6)) for h in homes}
    assert candidates(homes, 40) == few
    assert len(candidates(homes[:5], 40)) == 5
