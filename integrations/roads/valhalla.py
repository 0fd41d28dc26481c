"""Valhalla behind the circle's travel times, for sites that want turn restrictions and car times as it computes them.

It runs as a service of its own on this machine; homes' positions leave for no other, so only loopback addresses are taken. Configure the
service with ``thor.source_to_target_algorithm = "timedistancematrix"``: its default choice took 194 s for 1,000 x 1,000 ways on foot.
Which one answered stands in the provenance. API: Valhalla 3.x, ``/sources_to_targets``, ``/locate``, ``/isochrone``, ``/status``.
"""

import http.client
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike, NDArray

from healthsvc.circle.rules import Basis, CirclePolicy, Mode
from healthsvc.circle.rules import mode as read_mode
from healthsvc.circle.travel import NO_PATH, ROAD, Floats, Matrix, Reach, Snap, Status, distances, points
from healthsvc.config_values import is_here
from healthsvc.errors import Invalid, Unavailable
from healthsvc.healthfile.datum import EARTH_RADIUS

_COSTING = {Mode.WALK: "pedestrian", Mode.EBIKE: "bicycle", Mode.DRIVE: "auto"}


class Valhalla:
    """A Valhalla service on this machine.

    Args:
        url: for example ``http://127.0.0.1:8002``.
        policy: speeds and snap limits.
        pairs: ways in one request (the service's ``max_matrix_location_pairs``).
        timeout: seconds to wait for one answer.

    Raises:
        Invalid: the address is not a plain HTTP address of this machine.
    """

    def __init__(self, url: str, policy: CirclePolicy, *, pairs: int = 2_500, timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not is_here(parts.hostname or ""):
            raise Invalid("the Valhalla address must be http:// on this machine (127.0.0.1, ::1 or localhost): homes stay here", path="url")
        self.host, self.port, self.prefix = parts.hostname or "", parts.port or 80, parts.path.rstrip("/")
        self.policy, self.pairs, self.timeout = policy, pairs, timeout

    def matrix(self, origins: ArrayLike, destinations: ArrayLike, mode: str, limit: float | None = None) -> Matrix:
        """Ways as Valhalla finds them (whole seconds); ``NO_PATH`` where it finds none or an address has no road near.

        Raises:
            Unavailable: the service does not answer, or answers with an error.
        """
        how = read_mode(mode)
        start, end = points(origins), points(destinations)
        from_snap, to_snap = self._snap(start, how), self._snap(end, how)
        seconds, metres = np.full((len(start), len(end)), np.inf), np.full((len(start), len(end)), np.inf)
        rows, columns = np.flatnonzero(~from_snap.outside), np.flatnonzero(~to_snap.outside)
        algorithm: set[str] = set()
        width = max(1, min(len(columns), self.pairs)) if len(columns) else 1
        height = max(1, self.pairs // width)
        for top in range(0, len(rows), height):
            for left in range(0, len(columns), width):
                some, others = rows[top : top + height], columns[left : left + width]
                table = self._ask("sources_to_targets", self._question(start[some], end[others], how))
                seconds[np.ix_(some, others)], metres[np.ix_(some, others)] = _read(table, len(some), len(others))
                algorithm.add(str(table.get("algorithm", "unknown")))
        basis = np.where(np.isfinite(seconds), ROAD, NO_PATH).astype(np.int8)
        if limit is not None:
            seconds[seconds > limit] = metres[seconds > limit] = np.inf
        return Matrix(seconds, metres, basis, from_snap, to_snap, self._provenance(how, sorted(algorithm)))

    def reach(self, origin: tuple[float, float], mode: str, minutes: float) -> Reach:
        """Valhalla's isochrone."""
        import shapely

        how = read_mode(mode)
        place = points([origin])
        snap = self._snap(place, how)
        if snap.outside[0]:
            nothing: dict[str, Any] = {"type": "MultiPolygon", "coordinates": []}
            return Reach(nothing, 0.0, Basis.NO_PATH, self._provenance(how, []), float(snap.metres[0]), snap.doubts(0))
        question = {**self._costing(how), "locations": _locations(place), "contours": [{"time": minutes}], "polygons": True}
        found = self._ask("isochrone", question)
        geometry = next((one["geometry"] for one in found.get("features", []) if one["geometry"]["type"].endswith("Polygon")), None)
        if geometry is None:
            raise Unavailable("the Valhalla service gave no polygon for the reach")
        shape = shapely.transform(shapely.from_geojson(json.dumps(geometry)), lambda xy: _flat(xy, place[0]))
        return Reach(geometry, float(shape.area) / 1e6, Basis.ROAD, self._provenance(how, []), float(snap.metres[0]), snap.doubts(0))

    def status(self) -> Status:
        """What the service says of itself and its tiles; it tells no road lengths."""
        told = self._ask("status", {})
        return Status(f"valhalla {told.get('version', '')}".strip(), Basis.ROAD, tuple(_COSTING), None)

    def _question(self, start: Floats, end: Floats, how: Mode) -> dict[str, Any]:
        return {**self._costing(how), "sources": _locations(start), "targets": _locations(end), "units": "kilometers", "verbose": False}

    def _costing(self, how: Mode) -> dict[str, Any]:
        if how is Mode.WALK:
            return {"costing": "pedestrian", "costing_options": {"pedestrian": {"walking_speed": self.policy.walk_kmh}}}
        if how is Mode.EBIKE:
            return {"costing": "bicycle", "costing_options": {"bicycle": {"cycling_speed": self.policy.ebike_kmh, "bicycle_type": "City"}}}
        return {"costing": _COSTING[how]}

    def _snap(self, places: Floats, how: Mode) -> Snap:
        """How far each address is from the road that Valhalla puts it on."""
        metres = np.full(len(places), np.inf)
        if len(places):
            found: Any = self._ask("locate", {**self._costing(how), "locations": _locations(places), "verbose": False})
            for i, one in enumerate(found):
                spots = [(edge["correlated_lon"], edge["correlated_lat"]) for edge in one.get("edges") or []]
                if spots:
                    metres[i] = distances(np.repeat(places[i : i + 1], len(spots), axis=0), np.array(spots)).min()
        return Snap(metres, metres > self.policy.snap_flag_metres, metres > self.policy.snap_limit_metres)

    def _ask(self, action: str, question: dict[str, Any]) -> Any:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request("POST", f"{self.prefix}/{action}", json.dumps(question), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the Valhalla service does not answer ({type(error).__name__}); start it, or use the loaded roads") from None
        finally:
            connection.close()
        try:
            told = json.loads(body)
        except ValueError:
            raise Unavailable(f"the Valhalla service answered {action} with something that is no JSON (HTTP {answer.status})") from None
        if answer.status != http.client.OK:
            code = told.get("error_code", "") if isinstance(told, dict) else ""
            raise Unavailable(f"the Valhalla service refused {action}: HTTP {answer.status}, error code {code}")
        return told

    def _provenance(self, how: Mode, algorithm: list[str]) -> dict[str, Any]:
        told = self._ask("status", {})
        changed = told.get("tileset_last_modified")  # the day the tiles were made: the nearest to a data date that the service tells
        return {
            "engine": " ".join(["valhalla", str(told.get("version", "")), *algorithm]),
            "mode": str(how),
            "kmh": self.policy.speed(how),
            "network": f"tileset {changed}" if changed else None,
            "data_date": datetime.fromtimestamp(changed, UTC).date().isoformat() if changed else None,
        }


def _locations(places: Floats) -> list[dict[str, float]]:
    return [{"lon": float(lon), "lat": float(lat)} for lon, lat in places]


def _read(table: Any, rows: int, columns: int) -> tuple[Floats, Floats]:
    """Seconds and metres of an answer, in either of its two forms; a null is no path."""
    found = table.get("sources_to_targets") if isinstance(table, dict) else None
    if isinstance(found, dict):
        seconds, kilometres = found.get("durations"), found.get("distances")
    elif isinstance(found, list):
        seconds = [[cell.get("time") for cell in row] for row in found]
        kilometres = [[cell.get("distance") for cell in row] for row in found]
    else:
        raise Unavailable("the Valhalla service answered without a matrix")
    return _table(seconds, rows, columns), _table(kilometres, rows, columns) * 1000.0


def _table(values: Any, rows: int, columns: int) -> Floats:
    read = np.array([[np.inf if cell is None else cell for cell in row] for row in values or []], dtype=np.float64)
    if read.shape != (rows, columns):
        raise Unavailable(f"the Valhalla service answered a matrix of {read.shape} instead of {(rows, columns)}")
    return read


def _flat(degrees: NDArray[np.float64], about: Floats) -> NDArray[np.float64]:
    """Degrees to metres about a place, for an area."""
    scale = np.radians(EARTH_RADIUS) * np.array([np.cos(np.radians(about[1])), 1.0])
    return np.asarray((degrees - about) * scale)
