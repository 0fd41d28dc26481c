"""The circle's geography for map pages: roads, homes and stations as GeoJSON (RFC 7946, WGS-84, longitude first)."""

from typing import Any

import numpy as np

from healthsvc.circle import ways
from healthsvc.circle.coverage import Coverage, Station
from healthsvc.circle.network import Network
from healthsvc.circle.town import Town
from healthsvc.errors import Invalid

_PLACES = 5
"""Decimal places: about a metre."""
_RANK = {kind: min(place // 2, 6) for place, kind in enumerate(ways.CLASSES)}
"""0 motorway, 1 trunk, 2 primary, 3 secondary, 4 tertiary, 5 residential, 6 and the rest: what a page draws thick or thin."""

Bbox = tuple[float, float, float, float]


def bbox(text: str | None) -> Bbox | None:
    """Read ``west,south,east,north`` in degrees.

    Raises:
        Invalid: not four numbers, or an empty box.
    """
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise Invalid("bbox is west,south,east,north in degrees", path="bbox") from None
    if not (west < east and south < north):
        raise Invalid("bbox is west,south,east,north: west lies before east and south before north", path="bbox")
    return west, south, east, north


def roads(network: Network, manifest: dict[str, Any], box: Bbox | None = None, detail: int = 6) -> dict[str, Any]:
    """A FeatureCollection of lines; one MultiLineString for each name and class keeps it small.

    Args:
        network: the roads.
        manifest: its manifest; the attribution goes with the drawing and must be shown.
        box: only edges that touch it.
        detail: the greatest rank drawn, 0 (motorways) to 6 (everything).
    """
    low, high = network.starts[:-1], network.starts[1:]
    drawn = np.array([_RANK[kind] for kind in ways.CLASSES])[network.kind] <= detail
    drawn &= network.metres() > 0
    if box is not None:
        west, south, east, north = (round(side * 1e7) for side in box)
        lon, lat = network.shape[:, 0], network.shape[:, 1]
        drawn &= (np.minimum.reduceat(lon, low) <= east) & (np.maximum.reduceat(lon, low) >= west)
        drawn &= (np.minimum.reduceat(lat, low) <= north) & (np.maximum.reduceat(lat, low) >= south)
    degrees = network.degrees.round(_PLACES)
    gathered: dict[tuple[str, str], list[list[list[float]]]] = {}
    for edge in np.flatnonzero(drawn):
        kind, name = ways.CLASSES[network.kind[edge]], network.names[network.name[edge]]
        gathered.setdefault((kind, name), []).append(degrees[low[edge] : high[edge]].tolist())
    features = [
        {
            "type": "Feature",
            "properties": {"kind": kind, "rank": _RANK[kind], **({"name": name} if name else {})},
            "geometry": {"type": "MultiLineString", "coordinates": lines},
        }
        for (kind, name), lines in sorted(gathered.items(), key=lambda item: -_RANK[item[0][0]])
    ]
    return {
        "type": "FeatureCollection",
        "attribution": manifest["attribution"],
        "bbox": list(network.bounds()),
        "network": manifest["sha256"],
        "features": features,
    }


def town(place: Town) -> dict[str, Any]:
    """The embedded town's river and communities, to lie under its roads."""
    river = {"type": "Feature", "properties": {"kind": "river", "name": "澜江"}, "geometry": _polygon(place.river)}
    communities = [
        {"type": "Feature", "properties": {"kind": "community", "id": one.id, "name": one.name}, "geometry": _polygon(one.ring)}
        for one in place.communities
    ]
    return {"type": "FeatureCollection", "features": [*communities, river]}


def points(found: Coverage, stations: list[Station]) -> dict[str, Any]:
    """Stations, and homes by verdict. Homes carry the Patient's id and nothing else of the person."""
    homes = [
        {
            "type": "Feature",
            "id": answer.home.id,
            "properties": {
                "kind": "home",
                "verdict": str(answer.membership.verdict),
                "basis": str(answer.membership.travel.basis),
                "seconds": finite(answer.membership.travel.seconds),
                "station": answer.station.id if answer.station else None,
                "community": answer.home.community,
            },
            "geometry": {"type": "Point", "coordinates": [answer.home.lon, answer.home.lat]},
        }
        for answer in found.answers
    ]
    places = [
        {
            "type": "Feature",
            "id": one.id,
            "properties": {"kind": "station", "name": one.name},
            "geometry": {"type": "Point", "coordinates": [one.lon, one.lat]},
        }
        for one in stations
    ]
    return {"type": "FeatureCollection", "features": [*homes, *places]}


def finite(value: float) -> float | None:
    """JSON has no infinity: what is not known is null."""
    return float(value) if np.isfinite(value) else None


def _polygon(ring: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in ring]]}
