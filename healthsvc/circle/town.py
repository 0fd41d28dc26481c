"""The embedded town 澜湾镇: its road network, communities 社区, five stations, a hospital and some 600 homes, all invented."""

import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from healthsvc.circle import town_plan, ways
from healthsvc.circle.network import FORMAT, Network, Way, build
from healthsvc.circle.town_plan import EAST, RIVER_HALF, ROWS, SEED, WEST, Drawing, to_degrees

ATTRIBUTION = "澜湾镇：虚构城镇 (an invented town)"
DATA_DATE = "2026-01-01"
HOMES = 600
_HOME_KINDS = frozenset({"residential", "living_street", "footway", "tertiary"})

# Column and row ranges of blocks, bank, weight of the homes: the east bank's north has many homes, no station, and only the cars' bridge.
_COMMUNITIES = (
    ("lw-01", "南塘社区", WEST, (0, 2), (0, 2), 11),
    ("lw-02", "藕香社区", WEST, (2, 4), (0, 2), 13),
    ("lw-03", "青梧社区", WEST, (0, 2), (2, 4), 12),
    ("lw-04", "拾光社区", WEST, (2, 4), (2, 4), 16),
    ("lw-05", "栖云社区", WEST, (0, 2), (4, 7), 8),
    ("lw-06", "听松社区", WEST, (2, 4), (4, 7), 11),
    ("lw-07", "采薇社区", EAST, (0, 3), (0, 2), 9),
    ("lw-08", "东渚社区", EAST, (0, 3), (2, 4), 10),
    ("lw-09", "北芦社区", EAST, (0, 3), (4, 7), 10),
)
# Metres east and north of the middle. The first stands beside the stub of path that leads nowhere.
_STATIONS = (
    ("lw-s1", "南塘社区卫生服务站", "lw-01", -1150.0, -900.0),
    ("lw-s2", "藕香社区卫生服务站", "lw-02", -420.0, -960.0),
    ("lw-s3", "澜湾镇社区卫生服务中心", "lw-04", -400.0, -120.0),
    ("lw-s4", "听松社区卫生服务站", "lw-06", -700.0, 690.0),
    ("lw-s5", "东渚社区卫生服务站", "lw-08", 1030.0, -120.0),
)
_HOSPITAL = ("lw-h1", "澜湾医院", "lw-04", -90.0, 230.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A station, a hospital or a home: WGS-84 degrees, the community's number, the address as written on a letter."""

    id: str
    name: str
    lon: float
    lat: float
    community: str
    address: str


@dataclass(frozen=True, slots=True)
class Community:
    """A community 社区 and its ground (closed ring of WGS-84 longitude and latitude)."""

    id: str
    name: str
    ring: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Town:
    """The whole town."""

    communities: tuple[Community, ...]
    stations: tuple[Place, ...]
    hospital: Place
    homes: tuple[Place, ...]
    river: tuple[tuple[float, float], ...]
    """Closed ring."""


@lru_cache(maxsize=1)
def network() -> tuple[Network, dict[str, Any]]:
    """The town's roads, ready for :class:`healthsvc.circle.roads.Roads`, and their manifest."""
    drawing = town_plan.draw()
    drawn = [
        Way([(n, *drawing.degrees(n)) for n in nodes], bits, tags["highway"], ways.maxspeed(tags), tags["name"], ways.passing(tags))
        for nodes, tags, bits in town_plan.rights(drawing)
    ]
    roads = build(drawn, {number: ways.blocked(tags) for number, tags in drawing.barriers.items()})
    manifest = {
        "format": FORMAT,
        "file": "澜湾镇",
        "bbox": roads.bounds(),
        "data_date": DATA_DATE,
        "date_source": "drawn",
        "ways": len(drawn),
        "cut_ways": 0,
        "barriers": len(drawing.barriers),
        "junctions": len(roads.junctions),
        "edges": len(roads.ends),
        "road_km": round(float(roads.metres().sum()) / 1000, 1),
        "sha256": roads.sha256(),
        "attribution": ATTRIBUTION,
        "invented": True,
    }
    return roads, manifest


@lru_cache(maxsize=1)
def town() -> Town:
    """The town's places. The same on every machine."""
    drawing = town_plan.draw()
    communities = tuple(Community(number, name, _ring(columns, across, up)) for number, name, columns, across, up, _ in _COMMUNITIES)
    stations = tuple(_place(number, name, community, x, y, name) for number, name, community, x, y in _STATIONS)
    number, name, community, x, y = _HOSPITAL
    left = [(town_plan.river(y) - RIVER_HALF, y) for y in range(-1500, 1601, 100)]
    right = [(x + 2 * RIVER_HALF, y) for x, y in reversed(left)]
    water = tuple(_rounded(*to_degrees(x, y)) for x, y in (*left, *right, left[0]))
    return Town(communities, stations, _place(number, name, community, x, y, name), _homes(drawing), water)


def _place(number: str, name: str, community: str, x: float, y: float, address: str) -> Place:
    lon, lat = _rounded(*to_degrees(x, y))
    return Place(number, name, lon, lat, community, f"澜湾镇{address}")


def _ring(columns: tuple[int, ...], across: tuple[int, int], up: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """The rectangle of a community's blocks."""
    west, east, south, north = columns[across[0]], columns[across[1]], ROWS[up[0]], ROWS[up[1]]
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return tuple(_rounded(*to_degrees(x, y)) for x, y in corners)


def _homes(drawing: Drawing) -> tuple[Place, ...]:
    """Homes along the smaller streets, 8 to 35 m off the road, numbered by street."""
    chance = random.Random(SEED + 1)  # noqa: S311 - a drawing, not a secret
    stretches: dict[str, list[tuple[int, int, str]]] = {number: [] for number, *_ in _COMMUNITIES}
    for nodes, tags in drawing.ways:
        if tags["highway"] in _HOME_KINDS and tags["name"] != "断头小径":
            for a, b in pairwise(nodes):
                (ax, ay), (bx, by) = drawing.places[a - 1], drawing.places[b - 1]
                community = _community((ax + bx) / 2, (ay + by) / 2)
                if community is not None:
                    stretches[community].append((a, b, tags["name"]))
    weights = [weight for *_, weight in _COMMUNITIES]
    doors: dict[str, int] = {}
    homes: list[Place] = []
    while len(homes) < HOMES:
        community = chance.choices([number for number, *_ in _COMMUNITIES], weights)[0]
        a, b, street = chance.choice(stretches[community])
        (ax, ay), (bx, by) = drawing.places[a - 1], drawing.places[b - 1]
        along, off = chance.uniform(0.08, 0.92), chance.uniform(8, 35) * chance.choice((-1, 1))
        length = max(1.0, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
        x, y = ax + along * (bx - ax) - off * (by - ay) / length, ay + along * (by - ay) + off * (bx - ax) / length
        if _community(x, y) != community:
            continue
        doors[street] = doors.get(street, 0) + 1
        floor = f"{chance.randint(1, 6)}0{chance.randint(1, 4)}室"
        homes.append(_place(f"lw-{len(homes) + 1:04d}", "", community, x, y, f"{street}{doors[street] * 2 - 1}号{floor}"))
    return tuple(homes)


def _community(x: float, y: float) -> str | None:
    for number, _, columns, across, up, _ in _COMMUNITIES:
        if columns[across[0]] - 40 <= x < columns[across[1]] + 40 and ROWS[up[0]] - 40 <= y < ROWS[up[1]] + 40:
            return number
    return None


def _rounded(lon: float, lat: float) -> tuple[float, float]:
    return round(lon, 7), round(lat, 7)
