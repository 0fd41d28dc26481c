"""Draw the ground that can be reached from a place in some minutes: for the eye only, membership is never read from it."""

from typing import Any

import numpy as np

from healthsvc.circle import paths
from healthsvc.circle.layer import Hooks, Layer
from healthsvc.circle.network import Network

_SIMPLER_METRES = 5.0
_ROUND = 6


def draw(network: Network, layer: Layer, origin: Hooks, limit: float, width: float) -> tuple[dict[str, Any], float]:
    """A GeoJSON MultiPolygon about every stretch of road reached within ``limit`` seconds, ``width`` metres to each side; its km2."""
    import shapely

    stretches = _stretches(network, layer, origin, limit) if origin.edge[0] >= 0 else []
    if not stretches:
        return {"type": "MultiPolygon", "coordinates": []}, 0.0
    beside = shapely.union_all(shapely.buffer(np.array(stretches, dtype=object), width, quad_segs=4)).simplify(_SIMPLER_METRES)
    ground = shapely.orient_polygons(beside)  # RFC 7946: rims run anticlockwise, holes clockwise
    area = float(ground.area) / 1e6
    pieces = [piece for piece in shapely.get_parts(ground) if not piece.is_empty]
    polygons = [[_ring(layer, ring) for ring in (piece.exterior, *piece.interiors)] for piece in pieces]
    return {"type": "MultiPolygon", "coordinates": polygons}, area


def _stretches(network: Network, layer: Layer, origin: Hooks, limit: float) -> list[Any]:
    """Every usable edge, or the piece of it, that is reached in time from either end (and along the edge of the origin itself)."""
    import shapely
    from shapely.ops import substring

    seconds = paths.spread(layer, network.ends, origin, limit)
    place = np.full(len(network.ends), -1, np.intp)
    place[layer.line_edge] = np.arange(len(layer.line_edge))
    edges = layer.line_edge
    tail, head = network.ends[edges].T
    with np.errstate(invalid="ignore"):  # infinity minus infinity: an end that is not reached, on a street closed from there
        from_tail = np.nan_to_num((limit - seconds[tail]) / layer.forward[edges], nan=0.0, neginf=0.0).clip(0.0, 1.0)
        from_head = np.nan_to_num((limit - seconds[head]) / layer.back[edges], nan=0.0, neginf=0.0).clip(0.0, 1.0)
    whole = from_tail + from_head >= 1.0
    found = list(layer.lines[np.flatnonzero(whole)])
    for i in np.flatnonzero(~whole & ((from_tail > 0) | (from_head > 0))):
        line = layer.lines[i]
        if from_tail[i] > 0:
            found.append(substring(line, 0.0, float(from_tail[i]), normalized=True))
        if from_head[i] > 0:
            found.append(substring(line, 1.0 - float(from_head[i]), 1.0, normalized=True))
    edge, along = int(origin.edge[0]), float(origin.along[0])
    low, high = along - limit / layer.back[edge], along + limit / layer.forward[edge]
    found.append(substring(layer.lines[place[edge]], max(0.0, float(low)), min(1.0, float(high)), normalized=True))
    return [line for line in found if not shapely.is_empty(line)]


def _ring(layer: Layer, ring: Any) -> list[list[float]]:
    import shapely

    return [[round(float(x), _ROUND), round(float(y), _ROUND)] for x, y in layer.projection.degrees(shapely.get_coordinates(ring))]
