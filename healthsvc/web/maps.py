"""What the map draws: our own roads (no tile server), the ten-minute circles, and the day's ways. Addresses carry no personal data."""

import gzip
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response

from healthsvc.access.door import Signed, StoreReading
from healthsvc.circle import ways
from healthsvc.circle.network import Network
from healthsvc.circle.policy import policy_values
from healthsvc.circle.providers import Composite, travel_times
from healthsvc.circle.roads import Roads
from healthsvc.fhir.json import Resource
from healthsvc.policy import Policy
from healthsvc.store import Store
from healthsvc.web import board as boards
from healthsvc.web.today import Day

router = APIRouter()

_WEIGHT: Final = {
    **dict.fromkeys(("motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link"), "major"),
    **dict.fromkeys(("secondary", "secondary_link", "tertiary", "tertiary_link"), "middle"),
    **dict.fromkeys(("footway", "path", "steps", "pedestrian", "cycleway", "bridleway", "corridor", "track"), "path"),
}
_MARGIN: Final = 0.012
"""Degrees (about a kilometre) around stations and homes within which roads are drawn."""
_PLACES: Final = 5
"""Decimals of a drawn coordinate: about a metre."""
_WIDEST: Final = 0.35
"""Degrees; a town is not wider. Homes that lie further away do not widen the map."""


@router.get("/map/roads.json")
def roads(request: Request, who: Signed, store: StoreReading) -> Response:
    """The roads around the stations as GeoJSON, packed once."""
    places = [(lon, lat) for lon, lat, _ in stations(store)]
    engine = travel_times(request.app.state.settings.data, store.policy, store.at.date())
    drawn = engine.roads if isinstance(engine, Composite) and isinstance(engine.roads, Roads) else None
    packed = _packed(_Held(drawn), _frame(places)) if drawn is not None else gzip.compress(b'{"attribution":"","features":[]}')
    headers = {"content-encoding": "gzip", "vary": "accept-encoding", "cache-control": "private, max-age=3600"}
    return Response(packed, media_type="application/json", headers=headers)


@router.get("/map/circles.json")
def circles(request: Request, store: StoreReading) -> Response:
    """The ten-minute circles 十分钟圈 around the stations, as drawn ground (membership itself comes from travel times)."""
    places = tuple((lon, lat) for lon, lat, _ in stations(store))
    rings = _circles(_Shared(request.app.state.settings.data, store.policy, store.at.date()), places)
    return Response(rings, media_type="application/json")


@router.get("/map/day.json")
def day(store: StoreReading, day: Day, who: Signed, all: bool = False) -> dict[str, Any]:
    """Stations, lanes and waiting visits of a day with their places."""
    on = day or store.at.astimezone(store.zone).date()
    seen = boards.board(store, on, None if all or who.session is None else who.session.practitioner)
    planned = {stop.visit.id for lane in seen.lanes for stop in lane.stops}
    return {
        "stations": [{"lon": lon, "lat": lat, "name": name} for lon, lat, name in stations(store)],
        "lanes": [
            {
                "number": lane.number,
                "name": lane.name,
                "stops": [_dot(s.visit.id, s.person, f"{s.start:%H:%M}", s.state) for s in lane.stops],
            }
            for lane in seen.lanes
        ],
        "waiting": [
            _dot(one.visit.id, one.person, "", state)
            for state, rows in (("overdue", seen.overdue), ("due", seen.due))
            for one in rows
            if one.visit.id not in planned
        ],
    }


def stations(store: Store) -> list[tuple[float, float, str]]:
    """Stations with their place, longitude first."""
    found = (one for one in store.select("Location") if _place(one) is not None)
    return sorted((*place, str(one.get("name", ""))) for one in found if (place := _place(one)) is not None)


def _place(location: Resource) -> tuple[float, float] | None:
    position = location.get("position", {})
    if "longitude" not in position or "latitude" not in position:
        return None
    return float(position["longitude"]), float(position["latitude"])


def _dot(visit: str, person: Any, label: str, state: str) -> dict[str, Any]:
    at = person.position
    where = {"lon": at.longitude, "lat": at.latitude} if at is not None else {}
    return {"visit": visit, "name": person.name, "address": person.address, "label": label, "state": state, **where}


class _Held:
    """Roads as the key of a cache: the same object is the same key."""

    def __init__(self, roads: Roads) -> None:
        self.roads = roads

    def __hash__(self) -> int:
        return id(self.roads)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.roads is self.roads


def _frame(places: list[tuple[float, float]]) -> tuple[float, float, float, float] | None:
    if not places:
        return None
    lons, lats = [p[0] for p in places], [p[1] for p in places]
    if max(lons) - min(lons) > _WIDEST or max(lats) - min(lats) > _WIDEST:
        return None
    return min(lons) - _MARGIN, min(lats) - _MARGIN, max(lons) + _MARGIN, max(lats) + _MARGIN


@lru_cache(maxsize=4)
def _packed(held: _Held, frame: tuple[float, float, float, float] | None) -> bytes:
    roads = held.roads
    document = {
        "attribution": roads.manifest.get("attribution", ""),
        "bounds": frame or roads.network.bounds(),
        "features": [
            {"type": "Feature", "properties": {"weight": weight}, "geometry": {"type": "MultiLineString", "coordinates": lines}}
            for weight, lines in drawn_lines(roads.network, frame).items()
        ],
    }
    return gzip.compress(orjson.dumps(document), 6, mtime=0)


def drawn_lines(network: Network, frame: tuple[float, float, float, float] | None) -> dict[str, list[list[list[float]]]]:
    """Lines of the network inside a frame, by weight: major, middle, minor, path."""
    found: dict[str, list[list[list[float]]]] = {"path": [], "minor": [], "middle": [], "major": []}
    degrees = np.round(network.degrees, _PLACES)
    inside = np.ones(len(degrees), dtype=bool)
    if frame is not None:
        west, south, east, north = frame
        inside = (degrees[:, 0] >= west) & (degrees[:, 0] <= east) & (degrees[:, 1] >= south) & (degrees[:, 1] <= north)
    for edge, kind in enumerate(network.kind):
        start, end = int(network.starts[edge]), int(network.starts[edge + 1])
        if inside[start:end].any():
            found[_WEIGHT.get(ways.CLASSES[kind], "minor")].append(degrees[start:end].tolist())
    return found


class _Shared:
    """Everything that the circles depend on besides the stations, as the key of a cache."""

    def __init__(self, data: Path, policy: Policy, on: date) -> None:
        self.engine = travel_times(data, policy, on)
        self.policy = policy_values(policy, on)

    def __hash__(self) -> int:
        return hash((id(self.engine), repr(self.policy)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shared) and self.engine is other.engine and self.policy == other.policy


@lru_cache(maxsize=4)
def _circles(shared: _Shared, places: tuple[tuple[float, float], ...]) -> bytes:
    policy = shared.policy
    rings = [shared.engine.reach(place, policy.mode, policy.limit_minutes) for place in places]
    features = [{"type": "Feature", "properties": {"basis": str(ring.basis)}, "geometry": ring.geometry} for ring in rings]
    return orjson.dumps({"type": "FeatureCollection", "features": features}, option=orjson.OPT_SERIALIZE_NUMPY)
