"""Quickest ways between hooks on one mode's graph: Dijkstra over junctions, with the stretches to and from them added exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healthsvc.circle.layer import Hooks, Indexes, Layer
from healthsvc.circle.travel import Floats

_CELLS = 1_000_000
"""Distances kept at once (sources x junctions): bounds the memory whatever the size of the question."""


@dataclass(frozen=True, slots=True)
class Side:
    """A graph read forwards, or backwards for questions with more origins than destinations."""

    graph: Any
    metres_graph: Any
    pace: float | None
    """Seconds a metre where the mode has one speed everywhere: lengths then follow from times. None: they are walked back."""
    ends: NDArray[np.int32]
    forward: Floats
    back: Floats
    metres: Floats


def quickest(layer: Layer, ends: NDArray[np.int32], origins: Hooks, destinations: Hooks, limit: float) -> tuple[Floats, Floats]:
    """Seconds and metres (infinite where there is no way within ``limit`` seconds) between all pairs of hooks."""
    turned = len(origins.edge) > len(destinations.edge)
    if turned:
        side = Side(layer.graph.T.tocsr(), layer.metres_graph.T.tocsr(), layer.pace, ends, layer.back, layer.forward, layer.metres)
        origins, destinations = destinations, origins
    else:
        side = Side(layer.graph, layer.metres_graph, layer.pace, ends, layer.forward, layer.back, layer.metres)
    shape = (len(origins.edge), len(destinations.edge))
    seconds, metres = np.full(shape, np.inf), np.full(shape, np.inf)
    rows, columns = np.flatnonzero(origins.edge >= 0), np.flatnonzero(destinations.edge >= 0)
    chunk = max(1, _CELLS // max(1, side.graph.shape[0]))
    for first in range(0, len(rows), chunk):
        some = rows[first : first + chunk]
        at = np.ix_(some, columns)
        seconds[at], metres[at] = _chunk(side, _pick(origins, some), _pick(destinations, columns), limit)
    far = seconds > limit
    seconds[far] = metres[far] = np.inf
    return (seconds.T, metres.T) if turned else (seconds, metres)


def spread(layer: Layer, ends: NDArray[np.int32], origin: Hooks, limit: float) -> Floats:
    """Seconds from one hook to every junction, infinite beyond ``limit``."""
    side = Side(layer.graph, layer.metres_graph, 1.0, ends, layer.forward, layer.back, layer.metres)
    return np.asarray(_search(side, origin, limit)[0][0])


def _pick(hooks: Hooks, some: Indexes) -> Hooks:
    return Hooks(hooks.edge[some], hooks.along[some], hooks.metres[some])


def _search(side: Side, origins: Hooks, limit: float) -> tuple[Floats, Floats]:
    """Seconds and metres by Dijkstra from every origin, each a source of its own beside the junctions, with streets to its edge's ends."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    size, count = side.graph.shape[0], len(origins.edge)
    to = side.ends[origins.edge]
    share = np.stack([origins.along, 1.0 - origins.along], axis=1)
    cost = stretch(share, np.stack([side.back[origins.edge], side.forward[origins.edge]], axis=1))
    length = share * side.metres[origins.edge][:, None]
    swapped = to[:, 0] > to[:, 1]
    for pair in (to, cost, length):
        pair[swapped] = pair[swapped, ::-1]
    loop = to[:, 0] == to[:, 1]  # a round way back to its own junction: only the quicker side may stand
    worse = np.where(cost[:, 0] <= cost[:, 1], 1, 0)
    cost[loop, worse[loop]] = np.inf
    there = np.isfinite(cost)
    degree = there.sum(axis=1)

    def with_sources(graph: Any, values: Floats) -> Any:
        """Rows for the sources below the rows of the junctions; nothing leads back to them."""
        pointers = np.concatenate([graph.indptr, graph.indptr[-1] + np.cumsum(degree)])
        columns = np.concatenate([graph.indices, to[there]])
        return csr_matrix((np.concatenate([graph.data, values[there]]), columns, pointers), shape=(size + count, size + count))

    graph = with_sources(side.graph, np.maximum(cost, 1e-9))
    sources = np.arange(size, size + count)
    if side.pace is not None:
        seconds = dijkstra(graph, directed=True, indices=sources, limit=limit)
        return seconds, seconds / side.pace
    seconds, before = dijkstra(graph, directed=True, indices=sources, limit=limit, return_predecessors=True)
    return seconds, _walked(seconds, before, with_sources(side.metres_graph, length))


def _chunk(side: Side, origins: Hooks, destinations: Hooks, limit: float) -> tuple[Floats, Floats]:
    """Seconds and metres from some origins to all destinations."""
    seconds, metres = _search(side, origins, limit)
    tail, head = side.ends[destinations.edge].T
    along, edge = destinations.along, destinations.edge
    by_tail = seconds[:, tail] + stretch(along, side.forward[edge])
    by_head = seconds[:, head] + stretch(1.0 - along, side.back[edge])
    tail_first = by_tail <= by_head
    best = np.where(tail_first, by_tail, by_head)
    length = np.where(tail_first, metres[:, tail] + along * side.metres[edge], metres[:, head] + (1.0 - along) * side.metres[edge])
    row, column = np.nonzero(origins.edge[:, None] == edge[None, :])
    step = along[column] - origins.along[row]
    pace = np.where(step >= 0, side.forward[edge[column]], side.back[edge[column]])
    direct = stretch(np.abs(step), pace)
    quicker = direct < best[row, column]
    row, column, direct, step = row[quicker], column[quicker], direct[quicker], step[quicker]
    best[row, column] = direct
    length[row, column] = np.abs(step) * side.metres[edge[column]]
    return best, length


def stretch(share: Floats, pace: Floats) -> Floats:
    """Part of an edge's seconds; no part costs nothing, even on a street closed in that direction (the place is its junction)."""
    return np.asarray(share * np.where(share == 0, 0.0, pace))


def _walked(seconds: Floats, before: NDArray[np.int32], lengths: Any) -> Floats:
    """Metres along the quickest ways: every node adds what its predecessor has, doubling the stretch covered at each turn.

    One origin at a time: its nodes fit into the processor's cache.
    """
    metres = np.full(seconds.shape, np.inf)
    every = np.arange(before.shape[1])
    for row in range(len(before)):
        reached = before[row] >= 0
        nodes = np.flatnonzero(reached)
        jump = np.where(reached, before[row], every).astype(np.intp)
        sums = np.zeros(len(every))
        if len(nodes):
            sums[nodes] = np.asarray(lengths[jump[nodes], nodes]).ravel()
        while True:
            further = jump[jump]
            sums += sums[jump]
            if np.array_equal(further, jump):
                break
            jump = further
        metres[row] = np.where(np.isfinite(seconds[row]), sums, np.inf)
    return metres
