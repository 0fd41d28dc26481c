"""The question that everyone asks of the circle: how long from here to there. One protocol, several answers.

Points are WGS-84 (longitude, latitude) in degrees, one row each. Times are unrounded seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from healthsvc.circle.rules import Basis, CirclePolicy, Doubt, Mode, Travel
from healthsvc.circle.rules import mode as read_mode
from healthsvc.errors import Invalid
from healthsvc.healthfile.datum import EARTH_RADIUS

Floats = NDArray[np.float64]

BASES = (Basis.ROAD, Basis.ESTIMATE, Basis.NO_PATH)
ROAD, ESTIMATE, NO_PATH = range(3)
"""How ``Matrix.basis`` writes a basis: the place in ``BASES``."""


@dataclass(frozen=True, slots=True)
class Snap:
    """How addresses were brought to the road: metres from each address to its road, and what is doubtful about it."""

    metres: Floats
    """NaN where the address was not snapped (an estimate needs no road)."""
    far: NDArray[np.bool_]
    outside: NDArray[np.bool_]

    def doubts(self, i: int) -> tuple[Doubt, ...]:
        """What is doubtful about address ``i``."""
        found = (Doubt.SNAPPED_FAR,) if self.far[i] else ()
        return (*found, Doubt.OUTSIDE_DATA) if self.outside[i] else found

    @staticmethod
    def none(count: int) -> "Snap":
        """Addresses that stay where they are."""
        return Snap(np.full(count, np.nan), np.zeros(count, bool), np.zeros(count, bool))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Ways from every origin (row) to every destination (column), and what they rest on.

    ``seconds`` and ``metres`` are infinite where there is no path (``NO_PATH``) and where the way is longer than the limit (``ROAD``).
    """

    seconds: Floats
    metres: Floats
    basis: NDArray[np.int8]
    origins: Snap
    destinations: Snap
    provenance: dict[str, Any] = field(default_factory=dict)
    """Mode, speed, engine, network hash, data date: kept with every answer that is stored."""

    def travel(self, i: int, j: int) -> Travel:
        """The way from origin ``i`` to destination ``j``."""
        return Travel(float(self.seconds[i, j]), float(self.metres[i, j]), BASES[self.basis[i, j]])


@dataclass(frozen=True, slots=True)
class Reach:
    """The ground that can be reached in some minutes: a drawing for the map. Membership never reads it."""

    geometry: dict[str, Any]
    """GeoJSON Polygon or MultiPolygon, WGS-84."""
    square_km: float
    basis: Basis
    provenance: dict[str, Any]
    snap_metres: float = float("nan")
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Which engine answers, on which data."""

    engine: str
    basis: Basis
    modes: tuple[str, ...]
    roads: dict[str, Any] | None
    """The manifest of the road data: file, bounding box, date, fingerprint, parts, attribution; None where there are none."""
    behind: "Status | None" = None
    """Who answers where the first cannot."""
    formula: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The status as plain values."""
        behind = self.behind.as_json() if self.behind else None
        return {
            "engine": self.engine,
            "basis": str(self.basis),
            "modes": list(self.modes),
            "roads": self.roads,
            "formula": self.formula,
            "outside_the_data": behind,
        }

    def __str__(self) -> str:
        if self.roads is None:
            return f"{self.engine}: {', '.join(self.modes)}"
        dated = self.roads.get("data_date") or "date unknown"
        invented = ", an invented town: load an extract with `healthsvc roads load FILE.osm.pbf`" if self.roads.get("invented") else ""
        return f"{self.engine}, {self.roads['file']} ({dated}), {self.roads['road_km']} km of road{invented}"


class TravelTimes(Protocol):
    """Whoever can say how long a way takes: our own road graph, a routing service, an estimate."""

    def matrix(self, origins: ArrayLike, destinations: ArrayLike, mode: str, limit: float | None = None) -> Matrix:
        """Ways from all origins to all destinations; ways beyond ``limit`` seconds may be left open (infinite)."""
        ...

    def reach(self, origin: tuple[float, float], mode: str, minutes: float) -> Reach:
        """The ground that can be reached from a place."""
        ...

    def status(self) -> Status:
        """Which engine answers, on which data, for which modes and area."""
        ...


def points(places: ArrayLike | Sequence[tuple[float, float]]) -> Floats:
    """Read places as an (n, 2) array of longitude and latitude.

    Raises:
        Invalid: it is no list of pairs, or a pair is no place on earth.
    """
    try:
        found = np.asarray(places, dtype=np.float64)
    except (TypeError, ValueError):
        raise Invalid("places are a list of [longitude, latitude] pairs in WGS-84 degrees", path="places") from None
    if found.size == 0:
        return np.empty((0, 2))
    if found.ndim != 2 or found.shape[1] != 2:
        raise Invalid("places are a list of [longitude, latitude] pairs in WGS-84 degrees", path="places")
    bad = ~np.isfinite(found).all(axis=1) | (np.abs(found[:, 0]) > 180) | (np.abs(found[:, 1]) > 90)
    if bad.any():
        raise Invalid(
            f"place number {int(bad.argmax()) + 1} is not on earth: longitude comes first, then latitude, in degrees", path="places"
        )
    return found


def straight(origins: Floats, destinations: Floats) -> Floats:
    """Metres as the crow flies from every origin (row) to every destination (column)."""
    lon, lat = np.radians(origins).T[:, :, None]
    to_lon, to_lat = np.radians(destinations).T[:, None, :]
    half = np.sin((to_lat - lat) / 2) ** 2 + np.cos(lat) * np.cos(to_lat) * np.sin((to_lon - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def distances(places: Floats, others: Floats) -> Floats:
    """Metres as the crow flies between places pair by pair."""
    lon, lat = np.radians(places).T
    to_lon, to_lat = np.radians(others).T
    half = np.sin((to_lat - lat) / 2) ** 2 + np.cos(lat) * np.cos(to_lat) * np.sin((to_lon - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


class Estimate:
    """Travel times from the distance as the crow flies: always there, always marked.

    Measured against routed times on foot its error is 8 to 11 % (median) and 29 to 44 % (95th percentile), and of the homes that it calls
    inside the walking circle 15 to 38 % are not.
    """

    def __init__(self, policy: CirclePolicy) -> None:
        self.policy = policy

    def matrix(self, origins: ArrayLike, destinations: ArrayLike, mode: str, limit: float | None = None) -> Matrix:
        """Ways by formula: fixed seconds + detour x distance at the mode's speed; ``limit`` changes nothing."""
        how = read_mode(mode)
        start, end = points(origins), points(destinations)
        fixed, detour, kmh = self.policy.estimate(how)
        metres = detour * straight(start, end)
        basis = np.full(metres.shape, ESTIMATE, np.int8)
        return Matrix(fixed + metres * 3.6 / kmh, metres, basis, Snap.none(len(start)), Snap.none(len(end)), self._provenance(how))

    def reach(self, origin: tuple[float, float], mode: str, minutes: float) -> Reach:
        """A circle whose rim the formula reaches in the time given."""
        how = read_mode(mode)
        lon, lat = points([origin])[0]
        fixed, detour, kmh = self.policy.estimate(how)
        radius = max(0.0, minutes * 60.0 - fixed) * kmh / 3.6 / detour
        angle = np.append(np.linspace(0.0, 2 * np.pi, 72, endpoint=False), 0.0)
        rim_lat = lat + np.degrees(radius / EARTH_RADIUS) * np.sin(angle)
        rim_lon = lon + np.degrees(radius / EARTH_RADIUS / np.cos(np.radians(lat))) * np.cos(angle)
        ring = [[round(float(x), 6), round(float(y), 6)] for x, y in zip(rim_lon, rim_lat, strict=True)]
        area = np.pi * radius * radius / 1e6
        return Reach(
            {"type": "Polygon", "coordinates": [ring]}, float(area), Basis.ESTIMATE, self._provenance(how), doubts=(Doubt.ESTIMATED,)
        )

    def status(self) -> Status:
        """The formula's parameters."""
        formula = {str(how): self._formula(how) for how in Mode}
        return Status("estimate", Basis.ESTIMATE, tuple(formula), None, formula=formula)

    def _formula(self, how: Mode) -> str:
        fixed, detour, kmh = self.policy.estimate(how)
        return f"{fixed:g} s + {detour:g} d at {kmh:g} km/h"

    def _provenance(self, how: Mode) -> dict[str, Any]:
        _, _, kmh = self.policy.estimate(how)
        return {"engine": "estimate", "mode": str(how), "kmh": kmh, "formula": self._formula(how), "network": None, "data_date": None}
