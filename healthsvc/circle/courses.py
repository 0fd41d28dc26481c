"""Where the quickest way runs: its line along the roads, for maps. :mod:`healthsvc.circle.paths` counts the times of the same ways."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from healthsvc.circle.layer import Hooks, Layer, both_ways, quickest
from healthsvc.circle.network import SCALE, Network
from healthsvc.circle.paths import stretch
from healthsvc.circle.roads import Roads
from healthsvc.circle.travel import Floats, points

Point = tuple[float, float]
Line = tuple[Point, ...]
"""Longitude and latitude in degrees, WGS-84."""

_NEAR: Final = 600.0
"""Seconds within which a way is looked for first; the bound doubles until it is found, so that a near one costs little in a large town."""
_FARTHEST: Final = 6 * 3600.0
_BENDS: Final = 1.5e-5
"""Degrees (under two metres) within which bends are left out: less than a line is wide on a map."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """Which edge leads quickest from one junction to another: keys (from, to) in order, the edge, and whether it is run as drawn."""

    keys: NDArray[np.int64]
    edge: NDArray[Any]
    as_drawn: NDArray[np.bool_]


def courses(roads: Roads, places: list[Point], mode: str) -> list[Line | None]:
    """The lines from each place (longitude, latitude) to the next one, ends included; None where the roads know no way.

    Raises:
        Invalid: nobody travels by ``mode``.
    """
    return [_course(roads, mode, here, there) for here, there in pairwise(places)]


@lru_cache(maxsize=8192)
def _course(roads: Roads, mode: str, here: Point, there: Point) -> Line | None:
    import shapely

    if here == there:
        return (here, there)
    hooks, _ = roads.hook(points([here, there]), mode)
    if (hooks.edge < 0).any():
        return None
    found = _along_roads(roads.network, roads.layer(mode), _steps(roads, mode), hooks)
    if found is None:
        return None
    line = shapely.get_coordinates(shapely.simplify(shapely.linestrings([here, *map(tuple, found), there]), _BENDS))
    return (here, *((round(float(lon), 6), round(float(lat), 6)) for lon, lat in line[1:-1]), there)


@lru_cache(maxsize=8)
def _steps(roads: Roads, mode: str) -> _Steps:
    here, network = roads.layer(mode), roads.network
    start, end, seconds, edge = both_ways(network.ends, here.forward, here.back, np.arange(len(network.ends)))
    some = quickest(start, end, seconds)
    keys = start[some].astype(np.int64) * len(network.junctions) + end[some]
    return _Steps(keys, edge[some], network.ends[edge[some], 0] == start[some])


def _along_roads(network: Network, here: Layer, steps: _Steps, hooks: Hooks) -> Floats | None:
    """The shape between the feet of two hooks, (n, 2) degrees; None where no way is found."""
    (first, last), (from_share, to_share) = hooks.edge, hooks.along
    out = stretch(np.array([from_share, 1.0 - from_share]), np.array([here.back[first], here.forward[first]]))
    into = stretch(np.array([to_share, 1.0 - to_share]), np.array([here.forward[last], here.back[last]]))
    beside = np.inf
    if first == last:
        step = to_share - from_share
        beside = float(stretch(abs(step), (here.forward if step >= 0 else here.back)[first]))
    bound = _NEAR
    while True:
        between, before = _from_ends(here, network.ends[first], bound)
        total = out[:, None] + between[:, network.ends[last]] + into[None, :]
        side, end = np.unravel_index(int(np.argmin(total)), (2, 2))
        quickest = float(total[side, end])
        if min(quickest, beside) <= bound or bound >= _FARTHEST:
            break
        bound *= 2
    if beside <= quickest:
        return _cut(network, first, from_share, to_share) if np.isfinite(beside) else None
    if not np.isfinite(quickest):
        return None
    junctions = _walked(before[side], int(network.ends[first, side]), int(network.ends[last, end]))
    pieces = [_cut(network, first, from_share, float(side))]
    pieces += [_edge(network, steps, one, two) for one, two in pairwise(junctions)]
    pieces.append(_cut(network, last, float(end), to_share))
    return np.concatenate(pieces)


def _from_ends(here: Layer, ends: NDArray[np.int32], bound: float) -> tuple[Floats, NDArray[np.int32]]:
    """Seconds from both ends of an edge to all junctions, and the junction before each on the way."""
    from scipy.sparse.csgraph import dijkstra

    seconds, before = dijkstra(here.graph, directed=True, indices=ends, limit=bound, return_predecessors=True)
    return np.asarray(seconds), np.asarray(before)


def _walked(before: NDArray[np.int32], start: int, end: int) -> list[int]:
    """The junctions from start to end."""
    found = [end]
    while found[-1] != start:
        found.append(int(before[found[-1]]))
    return found[::-1]


def _edge(network: Network, steps: _Steps, one: int, two: int) -> Floats:
    at = int(np.searchsorted(steps.keys, one * len(network.junctions) + two))
    shape = _shape(network, int(steps.edge[at]))
    return shape if steps.as_drawn[at] else shape[::-1]


def _shape(network: Network, edge: Any) -> Floats:
    return np.asarray(network.shape[network.starts[edge] : network.starts[edge + 1]] / SCALE)


def _cut(network: Network, edge: Any, begin: float, end: float) -> Floats:
    """The part of an edge between two shares of its length, in the direction from the one to the other."""
    shape = _shape(network, edge)
    flat = shape * [np.cos(np.radians(shape[0, 1])), 1.0]
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(flat, axis=0).T))])
    at = at / at[-1] if at[-1] > 0 else at
    low, high = min(begin, end), max(begin, end)
    inner = (at > low) & (at < high)
    ends = [[np.interp(share, at, shape[:, k]) for k in (0, 1)] for share in (low, high)]
    line = np.array([ends[0], *shape[inner], ends[1]])
    return line if begin <= end else line[::-1]
