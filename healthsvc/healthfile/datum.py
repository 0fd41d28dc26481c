"""Which datum a coordinate is in 坐标系, and how it becomes WGS-84 once, on entry.

A phone's raw position and OpenStreetMap are WGS-84; Chinese map services publish GCJ-02 (some hundred metres off) and Baidu BD-09 on top
of that. Reading one as another moves a home across a river, so a coordinate without a declared datum is refused.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from healthsvc.errors import Invalid
from healthsvc.healthfile.mainland import in_mainland, near_mainland

EARTH_RADIUS = 6_371_008.8
"""Mean radius in metres (IUGG)."""

# Krasovsky 1940, the ellipsoid in which GCJ-02 defines its shift.
_AXIS = 6_378_245.0
_ECCENTRICITY_2 = 0.006_693_421_622_965_943
_NOBODY_LIVES = 73.0
"""Latitude beyond which there are no towns east of 17 E and west of 54 E: where exchanged pairs of western China would lie."""
_BAIDU_LON, _BAIDU_LAT = 0.0065, 0.006
_BAIDU_WAVE = math.pi * 3000.0 / 180.0


class Datum(StrEnum):
    """The datums that coordinates of homes in China come in."""

    WGS84 = "WGS-84"
    GCJ02 = "GCJ-02"
    BD09 = "BD-09"


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A place on the ground in WGS-84 degrees, and how we came to know it."""

    lon: float
    lat: float
    datum: Datum
    """The datum in which it was given."""
    source: str
    """Who says so, for example ``AMap geocoder`` or ``nurse's phone``."""
    given_lon: float
    given_lat: float
    """The pair as it was given, before conversion."""


def datum(name: str | None) -> Datum:
    """Read a declared datum; common spellings (``wgs84``, ``GCJ02``, ``bd-09``, ``EPSG:4326``) are understood.

    Raises:
        Invalid: none was declared, or one that we cannot convert.
    """
    spelled = (name or "").strip().upper().replace("-", "").replace("_", "").replace(" ", "")
    known = {"WGS84": Datum.WGS84, "EPSG:4326": Datum.WGS84, "GCJ02": Datum.GCJ02, "BD09": Datum.BD09, "BD09LL": Datum.BD09}
    if spelled in known:
        return known[spelled]
    told = "no datum is declared" if not spelled else f"the datum {name!r} is not known"
    raise Invalid(f"coordinate refused: {told}; declare one of WGS-84, GCJ-02, BD-09", path="datum", reason="datum-undeclared")


def place(lon: float, lat: float, declared: str | None, source: str) -> Coordinate:
    """Take a coordinate in, converted to WGS-84.

    Args:
        lon: longitude in degrees, in the declared datum.
        lat: latitude in degrees.
        declared: the datum's name, see :func:`datum`.
        source: where the pair comes from; must not be empty.

    Raises:
        Invalid: no datum, no source, or numbers that are no place on earth (exchanged pairs included, where that shows).
    """
    system = datum(declared)
    if not source.strip():
        raise Invalid(
            "coordinate refused: its source is not stated; name the geocoder, device or person", path="source", reason="source-undeclared"
        )
    if not (math.isfinite(lon) and math.isfinite(lat)) or abs(lat) > 90 or abs(lon) > 180:
        hint = "; longitude and latitude seem exchanged" if abs(lat) <= 180 and abs(lon) <= 90 and abs(lat) > 90 else ""
        raise Invalid(
            f"coordinate refused: longitude lies within -180..180 and latitude within -90..90{hint}", path="position", reason="not-on-earth"
        )
    if lat > _NOBODY_LIVES and near_mainland(lat, lon):
        raise Invalid(
            "coordinate refused: it lies in the Arctic Ocean; longitude and latitude seem exchanged", path="position", reason="not-on-earth"
        )
    there = to_wgs84(lon, lat, system)
    return Coordinate(there[0], there[1], system, source.strip(), lon, lat)


def to_wgs84(lon: float, lat: float, system: Datum) -> tuple[float, float]:
    """Convert to WGS-84 degrees; a round trip moves the place by less than 0.02 m. Outside mainland China nothing is shifted.

    A shifted pair within some hundred metres of the mainland's border has two originals; the one inside is taken.
    """
    if system is Datum.WGS84 or not near_mainland(lon, lat):
        return lon, lat
    found_lon, found_lat = _unshift(*(_from_baidu(lon, lat) if system is Datum.BD09 else (lon, lat)))
    return (found_lon, found_lat) if in_mainland(found_lon, found_lat) else (lon, lat)


def from_wgs84(lon: float, lat: float, system: Datum) -> tuple[float, float]:
    """Convert WGS-84 degrees to another datum, for example to open a home in a Chinese map application."""
    if system is Datum.WGS84 or not in_mainland(lon, lat):
        return lon, lat
    shifted = _shift(lon, lat)
    return _to_baidu(*shifted) if system is Datum.BD09 else shifted


def distance(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Metres as the crow flies between two places given in one datum (haversine on the mean sphere)."""
    phi, other_phi = math.radians(lat), math.radians(other_lat)
    half = math.sin((other_phi - phi) / 2) ** 2 + math.cos(phi) * math.cos(other_phi) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))


def _shift(lon: float, lat: float) -> tuple[float, float]:
    """WGS-84 to GCJ-02: the published series about (105 E, 35 N), metres turned into degrees on the Krasovsky ellipsoid."""
    x, y = lon - 105.0, lat - 35.0
    ripple = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    root = math.sqrt(abs(x))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + ripple
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + ripple
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = math.radians(lat)
    curve = 1.0 - _ECCENTRICITY_2 * math.sin(phi) ** 2
    metres_per_lat = _AXIS * (1.0 - _ECCENTRICITY_2) / (curve * math.sqrt(curve)) * math.pi / 180.0
    metres_per_lon = _AXIS / math.sqrt(curve) * math.cos(phi) * math.pi / 180.0
    return lon + east / metres_per_lon, lat + north / metres_per_lat


def _unshift(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 to WGS-84 by fixed-point iteration: the shift changes slowly, so a few steps reach a micrometre."""
    guess_lon, guess_lat = lon, lat
    for _ in range(12):
        seen_lon, seen_lat = _shift(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + lon - seen_lon, guess_lat + lat - seen_lat
        if abs(lon - seen_lon) + abs(lat - seen_lat) < 1e-11:
            break
    return guess_lon, guess_lat


def _to_baidu(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 to BD-09: a small turn and stretch about the origin, then a fixed offset."""
    radius = math.hypot(lon, lat) + 0.000_02 * math.sin(lat * _BAIDU_WAVE)
    angle = math.atan2(lat, lon) + 0.000_003 * math.cos(lon * _BAIDU_WAVE)
    return radius * math.cos(angle) + _BAIDU_LON, radius * math.sin(angle) + _BAIDU_LAT


def _from_baidu(lon: float, lat: float) -> tuple[float, float]:
    """BD-09 to GCJ-02 by the same iteration."""
    guess_lon, guess_lat = lon - _BAIDU_LON, lat - _BAIDU_LAT
    for _ in range(12):
        seen_lon, seen_lat = _to_baidu(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + lon - seen_lon, guess_lat + lat - seen_lat
        if abs(lon - seen_lon) + abs(lat - seen_lat) < 1e-11:
            break
    return guess_lon, guess_lat
