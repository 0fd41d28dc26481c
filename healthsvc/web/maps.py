"""What the map draws: our own roads (no tile server), the ten-minute circles, and the day's ways. Addresses carry no personal data."""

import gzip
from collections.abc import Callable, Hashable
from datetime import date
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from healthsvc.access.door import Signed, StoreReading, needs
from healthsvc.circle import geojson, service, town
from healthsvc.circle.courses import courses
from healthsvc.circle.policy import policy_values
from healthsvc.circle.providers import site_roads, travel_times
from healthsvc.circle.roads import Roads
from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.service import policy_of
from healthsvc.dayplan.staffing import on_duty
from healthsvc.store import Store
from healthsvc.web import board as boards
from healthsvc.web.faces import NOBODY, Face, faces
from healthsvc.web.lanes import day_board
from healthsvc.web.lookup import Directory
from healthsvc.web.today import Day

router = APIRouter()
_MARGIN: Final = 0.012
"""Degrees (about a kilometre) around the stations within which roads are drawn."""
_WIDEST: Final = 0.35
"""Degrees; a town is not wider. Stations that lie further apart do not narrow the drawing."""
_DOTS: Final = 150
"""Waiting visits of each kind that are drawn, the most pressing ones: more would hide the roads."""
_EMPTY: Final[dict[str, Any]] = {"type": "FeatureCollection", "attribution": "", "bbox": None, "features": []}


@router.get("/map/roads.json", dependencies=[needs("directory")])
def roads(request: Request, store: StoreReading) -> Response:
    """Roads around the stations, and the ground of the embedded town, packed once."""
    drawn = site_roads(request.app.state.settings.data, request.app.state.database.policy).roads
    frame = _frame([(one.lon, one.lat) for one in service.stations(store)])
    if isinstance(drawn, Roads):
        packed = _packed(_Key(drawn, frame, partial(_drawing, drawn, frame)))
    else:
        packed = gzip.compress(orjson.dumps(_EMPTY))
    headers = {"content-encoding": "gzip", "vary": "accept-encoding", "cache-control": "private, max-age=3600"}
    return Response(packed, media_type="application/json", headers=headers)


@router.get("/map/circles.json", dependencies=[needs("directory")])
def circles(request: Request, store: StoreReading) -> Response:
    """The ten-minute circles 十分钟圈 around the stations, as drawn ground (membership itself comes from travel times)."""
    times = _times(request)
    places = tuple((one.lon, one.lat) for one in service.stations(store))
    policy = policy_values(store.policy, store.at.date())
    key = _Key(times, (places, policy.mode, policy.limit_minutes), lambda: _rings(times, places, policy.mode, policy.limit_minutes))
    return Response(_packed(key), media_type="application/json", headers={"content-encoding": "gzip", "vary": "accept-encoding"})


@router.get("/map/day.json")
def day(request: Request, store: StoreReading, day: Day, who: Signed, all: bool = False, board: bool = False) -> dict[str, Any]:
    """Stations, lanes and waiting visits of a day with their places; ``board``: with the colours of the coordinator's board."""
    on = day or store.today
    ways = _Ways(request, store, on)
    if board:
        return _of_board(store, on, ways)
    modes = {one.practitioner: one.mode for one in on_duty(store, on, policy_of(store.policy, on))}
    names = Directory(store)
    seen = boards.board(store, on, names, None if all or who.session is None else who.session.practitioner)
    planned = {stop.visit.id for lane in seen.lanes for stop in lane.stops}
    waiting = [
        (state, one.visit())
        for state, found in (("overdue", seen.overdue), ("due", seen.due))
        for one in found[:_DOTS]
        if one.id not in planned
    ]
    people = faces(store, (one.person for _, one in waiting), "list")
    return {
        "stations": [{"lon": one.lon, "lat": one.lat, "name": one.name} for one in service.stations(store)],
        "lanes": [
            {
                "number": lane.number,
                "name": lane.name,
                "stops": [_spot(s.visit.id, s.face, f"{s.start:%H:%M}", s.state) for s in lane.stops],
                "legs": ways.legs(modes.get(lane.practitioner, ""), None, [s.face for s in lane.stops]),
            }
            for lane in seen.lanes
        ],
        "waiting": [_spot(one.id, people.get(one.person, NOBODY), "", state) for state, one in waiting],
    }


def _of_board(store: Store, on: date, ways: "_Ways") -> dict[str, Any]:
    """The day as the board has it: everybody's way from the station and back, and what found no place."""
    seen = day_board(store, on)
    places = {f"Location/{one.id}": one for one in service.stations(store)}
    home = {route.practitioner: places.get(route.station) for route in (seen.plan.routes if seen.plan else ())}
    left = seen.plan.left_over[:_DOTS] if seen.plan else ()
    people = faces(store, (one.person for one in left))
    lanes = []
    for lane in seen.lanes:
        station = home.get(lane.practitioner)
        stops = [_spot(one.visit.id, one.face, one.starts, one.state) for one in lane.blocks]
        lanes.append(
            {
                "id": lane.practitioner,
                "number": lane.number,
                "name": lane.name,
                "legs": ways.legs(lane.mode, (station.lon, station.lat) if station else None, [one.face for one in lane.blocks]),
                "stops": stops,
            }
        )
    return {
        "stations": [{"lon": one.lon, "lat": one.lat, "name": one.name} for one in places.values()],
        "lanes": lanes,
        "waiting": [_spot(one.visit, people[one.person], "", "overdue") for one in left if one.person in people],
    }


def _spot(visit: str, face: Face, label: str, state: str) -> dict[str, Any]:
    where = {"lon": face.lon, "lat": face.lat} if face.lon is not None else {}
    return {"visit": visit, "name": face.name, "address": face.address, "label": label, "state": state, **where}


class _Ways:
    """How the people of a day go: along the site's roads where they know a way, straight where only an estimate counts."""

    def __init__(self, request: Request, store: Store, on: date) -> None:
        self._roads = site_roads(request.app.state.settings.data, request.app.state.database.policy, on).roads
        self._usual = policy_of(store.policy, on).mode

    def legs(self, mode: str, station: tuple[float, float] | None, stops: list[Face]) -> list[dict[str, Any]]:
        """The lines of somebody's day in order (latitude, longitude); ``road``: along the roads. Without ``mode``: by the usual one."""
        places = [(face.lon, face.lat) for face in stops if face.lon is not None and face.lat is not None]
        if station and places:
            places = [station, *places, station]
        lines = courses(self._roads, places, mode or self._usual) if isinstance(self._roads, Roads) else [None] * (len(places) - 1)
        pairs = zip(lines, pairwise(places), strict=True)
        return [{"road": line is not None, "line": [(lat, lon) for lon, lat in line or straight]} for line, straight in pairs]


def _times(request: Request) -> TravelTimes:
    return travel_times(request.app.state.settings.data, request.app.state.database.policy)


def _frame(places: list[tuple[float, float]]) -> geojson.Bbox | None:
    if not places:
        return None
    lons, lats = [p[0] for p in places], [p[1] for p in places]
    if max(lons) - min(lons) > _WIDEST or max(lats) - min(lats) > _WIDEST:
        return None
    return min(lons) - _MARGIN, min(lats) - _MARGIN, max(lons) + _MARGIN, max(lats) + _MARGIN


def _drawing(roads: Roads, frame: geojson.Bbox | None) -> dict[str, Any]:
    drawn = geojson.roads(roads.network, roads.manifest, frame)
    under = geojson.town(town.town())["features"] if roads.manifest.get("invented") else []
    return {**drawn, "bbox": frame or drawn["bbox"], "features": [*under, *drawn["features"]]}


def _rings(times: TravelTimes, places: tuple[tuple[float, float], ...], mode: str, minutes: float) -> dict[str, Any]:
    found = [times.reach(place, mode, minutes) for place in places]
    features = [{"type": "Feature", "properties": {"basis": str(ring.basis)}, "geometry": ring.geometry} for ring in found]
    return {"type": "FeatureCollection", "features": features}


class _Key:
    """The key of a kept drawing: whose roads, which part of them; and how it is made where it is not kept yet."""

    def __init__(self, whose: object, part: Hashable, make: Callable[[], dict[str, Any]]) -> None:
        self.whose, self.part, self.make = whose, part, make

    def __hash__(self) -> int:
        return hash((id(self.whose), self.part))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.whose is self.whose and other.part == self.part


@lru_cache(maxsize=8)
def _packed(key: _Key) -> bytes:
    return gzip.compress(orjson.dumps(key.make(), option=orjson.OPT_SERIALIZE_NUMPY), 6, mtime=0)
