"""Where a further station 增设站点 brings most people inside: solved to a proven optimum, or with the gap stated.

Maximal covering location (Church and ReVelle 1974) as a mixed integer program for HiGHS. Homes that the same places reach are one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healthsvc.circle.coverage import Home, Station
from healthsvc.circle.rules import CirclePolicy
from healthsvc.circle.rules import mode as read_mode
from healthsvc.circle.travel import ESTIMATE, Floats, TravelTimes, distances
from healthsvc.errors import Invalid

Reached = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Choice:
    """The best set of places as plain numbers."""

    places: tuple[int, ...]
    """Rows of the reach table, best first."""
    gained: float
    bound: float
    """No set of that many places can gain more."""
    proven: bool
    seconds: float

    @property
    def gap(self) -> float:
        """How much better another set could at most be, as a share of the gain; 0 where proven."""
        return 0.0 if self.proven or self.bound <= self.gained else (self.bound - self.gained) / max(self.gained, 1.0)


@dataclass(frozen=True, slots=True)
class Siting:
    """The answer to where one more (or several more) stations should stand."""

    mode: str
    limit_seconds: float
    places: tuple[Station, ...]
    already_inside: int
    gained: tuple[str, ...]
    """Homes that come inside."""
    estimated: tuple[str, ...]
    """Those among them for which only an estimate says so."""
    outside: tuple[str, ...]
    """Homes still outside, though some other candidate could reach them."""
    unreachable: tuple[str, ...]
    """Homes that no candidate and no station reaches in time."""
    proven: bool
    gap: float
    seconds: float
    provenance: dict[str, Any] = field(default_factory=dict)


def study(
    times: TravelTimes,
    homes: Sequence[Home],
    stations: Sequence[Station],
    candidates: Sequence[Station],
    mode: str,
    policy: CirclePolicy,
    count: int = 1,
) -> Siting:
    """Choose ``count`` of the candidates so that most homes come inside.

    Raises:
        Invalid: no home, no candidate, or fewer candidates than stations wanted.
    """
    how = read_mode(mode)
    if not homes or not candidates:
        raise Invalid("a siting study needs at least one home and one candidate place", reason="siting-empty")
    at = [(home.lon, home.lat) for home in homes]
    limit = policy.limit_seconds
    inside = np.zeros(len(homes), bool)
    if stations:
        now = times.matrix([(s.lon, s.lat) for s in stations], at, how, limit)
        inside = np.asarray(((now.seconds <= limit) & (now.basis != ESTIMATE)).any(axis=0))
    table = times.matrix([(c.lon, c.lat) for c in candidates], at, how, limit)
    reached = np.asarray(table.seconds <= limit)
    choice = choose(reached[:, ~inside], count, policy.siting_seconds)
    chosen = list(choice.places)
    gains = reached[chosen].any(axis=0) & ~inside
    measured = (reached & (table.basis != ESTIMATE))[chosen].any(axis=0)
    hopeless = ~inside & ~reached.any(axis=0)
    return Siting(
        mode=str(how),
        limit_seconds=limit,
        places=tuple(candidates[i] for i in chosen),
        already_inside=int(inside.sum()),
        gained=_ids(homes, gains),
        estimated=_ids(homes, gains & ~measured),
        outside=_ids(homes, ~inside & ~gains & ~hopeless),
        unreachable=_ids(homes, hopeless),
        proven=choice.proven,
        gap=choice.gap,
        seconds=choice.seconds,
        provenance=table.provenance,
    )


def candidates(homes: Sequence[Home], count: int) -> tuple[Station, ...]:
    """Candidate places among the homes themselves, each next one as far as possible from those taken: no home is far from one.

    The place names no person: it is called by its number, and stands where somebody lives, which is where a road leads.
    """
    at = np.unique(np.round(np.array([(home.lon, home.lat) for home in homes]).reshape(-1, 2), 6), axis=0)
    if len(at) > count:
        taken = [int(np.argmin(distances(at, np.broadcast_to(at.mean(axis=0), at.shape))))]
        near = distances(at, np.broadcast_to(at[taken[0]], at.shape))
        while len(taken) < count:
            taken.append(int(np.argmax(near)))
            near = np.minimum(near, distances(at, np.broadcast_to(at[taken[-1]], at.shape)))
        at = at[sorted(taken)]
    return tuple(Station(f"candidate-{i + 1}", f"候选点 {i + 1}", float(lon), float(lat)) for i, (lon, lat) in enumerate(at))


def choose(reached: Reached, count: int, time_limit: float, weights: Floats | None = None) -> Choice:
    """Choose ``count`` rows of a (places, homes) table that together reach most homes.

    Args:
        reached: whether a place reaches a home.
        count: how many places.
        time_limit: seconds after which the best found so far is given with its bound.
        weights: what each home counts; None: one each. Whole numbers let the bound be rounded down.

    Raises:
        Invalid: fewer places than wanted, or none wanted.
    """
    begun = perf_counter()
    places, homes = reached.shape
    if not 1 <= count <= places:
        raise Invalid(
            f"{count} further stations are to be chosen from {places} candidates; ask for 1 to {places}",
            path="count",
            reason="siting-few-places",
        )
    worth = np.ones(homes) if weights is None else np.asarray(weights, np.float64)
    columns, first, inverse = np.unique(reached, axis=1, return_index=True, return_inverse=True)
    grouped: Floats = np.bincount(inverse.ravel(), weights=worth, minlength=len(first)).astype(np.float64)
    open_ = columns.any(axis=0) & (grouped > 0)
    columns, grouped = columns[:, open_], grouped[open_]
    quick = _greedy(columns, grouped, count)
    best, bound, proven = quick, float(grouped.sum()), False
    if count == 1 or _gain(columns, grouped, quick) >= bound:
        bound, proven = _gain(columns, grouped, quick), True  # the best single place, or every home that any place reaches
    elif columns.size:
        best, bound, proven = _solve(columns, grouped, count, max(0.1, time_limit - (perf_counter() - begun)), quick)
    ordered = _by_gain(columns, grouped, best)
    gained = _gain(columns, grouped, best)
    if np.all(worth == np.round(worth)):
        bound = float(np.floor(bound + 1e-6))
    proven = proven or gained >= bound
    return Choice(tuple(ordered), gained, gained if proven else max(bound, gained), proven, perf_counter() - begun)


def _solve(columns: Reached, worth: Floats, count: int, time_limit: float, quick: list[int]) -> tuple[list[int], float, bool]:
    """HiGHS: x per place, y per group of homes; y <= sum of the x that reach it, sum of x = count."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix, hstack, identity

    places, groups = columns.shape
    cover = hstack([csr_matrix(columns.T.astype(np.float64)), -identity(groups)], format="csr")
    total = csr_matrix(np.concatenate([np.ones(places), np.zeros(groups)])[None, :])
    solved = milp(
        c=np.concatenate([np.zeros(places), -worth]),
        constraints=[LinearConstraint(cover, 0.0, np.inf), LinearConstraint(total, count, count)],
        integrality=np.concatenate([np.ones(places), np.zeros(groups)]),
        bounds=Bounds(0.0, 1.0),
        options={"time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    bound = -float(solved.mip_dual_bound) if solved.mip_dual_bound is not None else float(worth.sum())
    if solved.x is None:
        return quick, bound, False
    found = [int(i) for i in np.argsort(-solved.x[:places], kind="stable")[:count]]
    better = found if _gain(columns, worth, found) >= _gain(columns, worth, quick) else quick
    return better, bound, solved.status == 0


def _greedy(columns: Reached, worth: Floats, count: int) -> list[int]:
    """One place after the other, each time the one that gains most: a start, and the answer when time runs out."""
    left = worth.copy()
    chosen: list[int] = []
    for _ in range(count):
        gains = columns @ left
        gains[chosen] = -1.0
        chosen.append(int(np.argmax(gains)))
        left[columns[chosen[-1]]] = 0.0
    return chosen


def _by_gain(columns: Reached, worth: Floats, chosen: Sequence[int]) -> list[int]:
    """The chosen places in the order in which one would open them."""
    picked = sorted(chosen)
    return [picked[i] for i in _greedy(columns[picked], worth, len(picked))]


def _gain(columns: Reached, worth: Floats, chosen: Sequence[int]) -> float:
    return float(worth[columns[list(chosen)].any(axis=0)].sum())


def _ids(homes: Sequence[Home], which: Reached) -> tuple[str, ...]:
    return tuple(home.id for home, chosen in zip(homes, which.tolist(), strict=True) if chosen)
