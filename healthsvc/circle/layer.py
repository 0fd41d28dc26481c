"""One mode's view of a network: speeds, usable connected parts, and bringing addresses to its roads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healthsvc.circle import ways
from healthsvc.circle.network import Network
from healthsvc.circle.rules import CirclePolicy, Mode
from healthsvc.circle.travel import Floats, distances
from healthsvc.healthfile.datum import EARTH_RADIUS

Indexes = NDArray[np.intp]

_LEAST_SECONDS = 1e-3
"""A step of no length still costs something: a sparse graph reads an exact zero as no edge."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Degrees to metres about the middle of the data; true enough for finding the nearest road, lengths come from the sphere."""

    lon: float
    lat: float

    def metres(self, degrees: Floats) -> Floats:
        """(n, 2) degrees to (n, 2) metres east and north."""
        scale = np.array([np.cos(np.radians(self.lat)), 1.0]) * np.radians(EARTH_RADIUS)
        return np.asarray((degrees - [self.lon, self.lat]) * scale)

    def degrees(self, metres: Floats) -> Floats:
        """The way back."""
        scale = np.array([np.cos(np.radians(self.lat)), 1.0]) * np.radians(EARTH_RADIUS)
        return np.asarray(metres / scale + [self.lon, self.lat])


@dataclass(frozen=True, slots=True)
class Hooks:
    """Addresses brought to the road: the edge, how far along it (0 to 1), metres to it; edge -1 where there is none."""

    edge: Indexes
    along: Floats
    metres: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """Edges as one mode uses them. All arrays are as long as the network has edges, unless said otherwise."""

    mode: Mode
    metres: Floats
    forward: Floats
    """Seconds along the drawing; infinite where the mode may not."""
    back: Floats
    part: NDArray[np.int32]
    """(junctions) the connected part a junction belongs to; for wheels: everywhere from everywhere, one-way streets obeyed."""
    usable: NDArray[np.bool_]
    """Edges to which an address may be brought: both ends in one part that is large enough, and no bridge, tunnel or motorway."""
    part_metres: Floats
    """(parts) road length inside each part."""
    large: NDArray[np.bool_]
    """(parts) whether the part is large enough."""
    graph: Any
    """scipy CSR of seconds between junctions."""
    metres_graph: Any
    """The same entries in metres."""
    pace: float | None
    """Seconds a metre where the mode has one speed everywhere."""
    passable: NDArray[np.bool_]
    """(parts, parts) whether the second large part can be reached from the first; small parts are never asked."""
    lines: Any
    """Shapely lines of the usable edges, projected, and the tree that finds them."""
    tree: Any
    line_edge: Indexes
    projection: Projection

    def hook(self, places: Floats) -> Hooks:
        """Bring (n, 2) places in degrees to the nearest usable edge."""
        import shapely

        count = len(places)
        edge, along, metres = np.full(count, -1, np.intp), np.zeros(count), np.full(count, np.inf)
        if count == 0 or len(self.line_edge) == 0:
            return Hooks(edge, along, metres)
        dots: Any = shapely.points(self.projection.metres(places))
        asked, found = self.tree.query_nearest(dots, all_matches=False)
        lines = self.lines[found]
        edge[asked] = self.line_edge[found]
        along[asked] = shapely.line_locate_point(lines, dots[asked], normalized=True)
        feet = shapely.line_interpolate_point(lines, along[asked], normalized=True)
        foot = self.projection.degrees(shapely.get_coordinates(feet))
        metres[asked] = distances(places[asked], foot)
        return Hooks(edge, along, metres)


def layer(network: Network, mode: Mode, policy: CirclePolicy, projection: Projection) -> Layer:
    """Prepare one mode."""
    import shapely
    from scipy.sparse.csgraph import connected_components

    metres = network.metres()
    forward, back = _seconds(network, metres, mode, policy)
    ends = network.ends
    graph, metres_graph = join(len(network.junctions), *both_ways(ends, forward, back, metres))
    _, part = connected_components(graph, directed=True, connection="strong")
    within = (np.isfinite(forward) | np.isfinite(back)) & (part[ends[:, 0]] == part[ends[:, 1]])
    part_metres: Floats = np.bincount(part[ends[within, 0]], weights=metres[within], minlength=int(part.max()) + 1).astype(np.float64)
    enough = min(policy.part_min_metres, policy.part_min_share * float(part_metres.max()))
    large = (part_metres > 0) & (part_metres >= enough)
    usable = within & large[part[ends[:, 0]]] & (metres > 0) & ~network.passing
    line_edge = np.flatnonzero(usable)
    flat = projection.metres(network.degrees)
    lengths = np.diff(network.starts)[line_edge]
    offsets = (
        np.repeat(network.starts[line_edge] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        if len(line_edge)
        else np.empty(0, int)
    )
    take = np.arange(int(lengths.sum())) + offsets
    lines = shapely.linestrings(flat[take], indices=np.repeat(np.arange(len(line_edge)), lengths))
    return Layer(
        mode=mode,
        metres=metres,
        forward=forward,
        back=back,
        part=part,
        usable=usable,
        part_metres=part_metres,
        large=large,
        graph=graph,
        metres_graph=metres_graph,
        pace=3.6 / policy.walk_kmh if mode is Mode.WALK else None,
        passable=_passable(graph, part, large),
        lines=lines,
        tree=shapely.STRtree(lines),
        line_edge=line_edge,
        projection=projection,
    )


def both_ways(
    ends: NDArray[np.int32], forward: Floats, back: Floats, values: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], Floats, NDArray[Any]]:
    """Edges in both directions as from, to, seconds, and each edge's own value (its metres, its number); closed directions left out."""
    start = np.concatenate([ends[:, 0], ends[:, 1]])
    end = np.concatenate([ends[:, 1], ends[:, 0]])
    cost = np.concatenate([forward, back])
    open_ = np.isfinite(cost)
    return start[open_], end[open_], cost[open_], np.concatenate([values, values])[open_]


def quickest(start: NDArray[Any], end: NDArray[Any], seconds: Floats) -> Indexes:
    """Which entries count: the quickest from each junction to each next one, in order of both."""
    order = np.lexsort((seconds, end, start))
    start, end = start[order], end[order]
    first = np.ones(len(order), bool)
    first[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
    return order[first]


def join(size: int, start: NDArray[Any], end: NDArray[Any], seconds: Floats, metres: Floats) -> tuple[Any, Any]:
    """CSR matrices of seconds and metres in which the quickest of parallel edges counts (scipy on its own would add them up)."""
    from scipy.sparse import csr_matrix

    some = quickest(start, end, seconds)
    columns, pointers = end[some], np.searchsorted(start[some], np.arange(size + 1))
    quick = csr_matrix((np.maximum(seconds[some], _LEAST_SECONDS), columns, pointers), shape=(size, size))
    return quick, csr_matrix((metres[some], columns, pointers), shape=(size, size))


def _passable(graph: Any, part: NDArray[np.int32], large: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Follow the streets from one junction of every large part: which other large parts do they lead to?"""
    from scipy.sparse.csgraph import breadth_first_order

    parts = np.flatnonzero(large)
    reached = np.zeros((len(large), len(large)), bool) if len(parts) else np.zeros((0, 0), bool)
    for one in parts:
        seen = breadth_first_order(graph, int(np.flatnonzero(part == one)[0]), directed=True, return_predecessors=False)
        reached[one, np.unique(part[seen])] = True
    return reached


def _seconds(network: Network, metres: Floats, mode: Mode, policy: CirclePolicy) -> tuple[Floats, Floats]:
    """Seconds along and against the drawing."""
    bits = network.bits
    if mode is Mode.WALK:
        pace = metres * 3.6 / policy.walk_kmh
        return _open(bits, ways.WALK, pace), _open(bits, ways.WALK_BACK, pace)
    if mode is Mode.EBIKE:
        ride, push = metres * 3.6 / policy.ebike_kmh, metres * 3.6 / policy.push_kmh
        along = np.minimum(_open(bits, ways.RIDE, ride), _open(bits, ways.PUSH, push))
        return along, np.minimum(_open(bits, ways.RIDE_BACK, ride), _open(bits, ways.PUSH_BACK, push))
    by_class = np.array([policy.drive_kmh.get(kind, policy.drive_kmh["residential"]) for kind in ways.CLASSES])
    kmh = by_class[network.kind]
    signed = network.maxspeed * policy.drive_maxspeed_share
    drive = metres * 3.6 / np.where(network.maxspeed > 0, np.minimum(kmh, np.maximum(signed, 5.0)), kmh)
    return _open(bits, ways.DRIVE, drive), _open(bits, ways.DRIVE_BACK, drive)


def _open(bits: NDArray[np.uint8], right: int, seconds: Floats) -> Floats:
    return np.asarray(np.where(bits & right, seconds, np.inf))
