"""The streets of the embedded town 澜湾镇: drawn by rule from one seed, so that everyone has the same.

The town is invented. It stands in the open water of Hangzhou Bay, where nobody lives: it can never answer for a real address. It has what
makes travel times hard: a river with one bridge for everyone and one for cars only, one-way streets, a pedestrian street, steps, a gated
lane, and a stub of path that hangs on nothing.
"""

import math
import random
from dataclasses import dataclass, field
from itertools import pairwise

from healthsvc.circle import ways
from healthsvc.circle.network import SCALE
from healthsvc.healthfile.datum import EARTH_RADIUS

SEED = 20_261_122
MIDDLE = (121.60, 30.45)
"""Longitude and latitude of the town's middle, WGS-84."""

WEST = (-1700, -1250, -800, -380, -20)
EAST = (560, 1000, 1450, 1800)
ROWS = (-1300, -950, -550, -150, 250, 650, 1050, 1400)
BRIDGE_ROW, CARS_ROW = 3, 6
RIVER_HALF = 70.0

_ROW_NAMES = ("南塘路", "枕波路", "青梧路", "望澜大道", "拾光路", "听松路", "澜湾大道", "北芦路")
_WEST_NAMES = ("西埂路", "栖云街", "问渠路", "藕香街", "澜西滨路")
_EAST_NAMES = ("澜东滨路", "采薇街", "东渚路", "东埂路")
_LANE_WORDS = (
    "竹溪",
    "梅坞",
    "橘井",
    "砚池",
    "柳荫",
    "荷风",
    "杏坛",
    "桂子",
    "云锦",
    "石榴",
    "白鹭",
    "知秋",
    "半亩",
    "松涛",
    "麦浪",
    "星回",
)
_LANE_WORDS_2 = ("里", "弄", "巷")


@dataclass(slots=True)
class Drawing:
    """What is drawn: nodes by number, ways as numbers with tags."""

    places: list[tuple[float, float]] = field(default_factory=list)
    """Metres east and north of the middle; the node's number is its place in the list plus one."""
    ways: list[tuple[list[int], dict[str, str]]] = field(default_factory=list)
    barriers: dict[int, dict[str, str]] = field(default_factory=dict)

    def node(self, x: float, y: float) -> int:
        """A new node."""
        self.places.append((x, y))
        return len(self.places)

    def way(self, nodes: list[int], highway: str, name: str, **tags: str) -> None:
        """A new way; ``one_way`` becomes ``oneway``, and so on."""
        self.ways.append((nodes, {"highway": highway, "name": name} | {key.replace("_", ""): value for key, value in tags.items()}))

    def degrees(self, number: int) -> tuple[int, int]:
        """A node's longitude and latitude in ten-millionths of a degree."""
        lon, lat = to_degrees(*self.places[number - 1])
        return round(lon * SCALE), round(lat * SCALE)


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """Metres about the town's middle to WGS-84 degrees."""
    lon = MIDDLE[0] + math.degrees(x / EARTH_RADIUS / math.cos(math.radians(MIDDLE[1])))
    return lon, MIDDLE[1] + math.degrees(y / EARTH_RADIUS)


def river(y: float) -> float:
    """How far east the middle of the river 澜江 lies at a northing, metres."""
    return 270.0 + 90.0 * math.sin(y / 600.0)


def draw(seed: int = SEED) -> Drawing:
    """Draw the town."""
    chance = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    town = Drawing()
    grids = {bank: _grid(town, chance, columns) for bank, columns in (("west", WEST), ("east", EAST))}
    middles: dict[tuple[int, int], int] = {}
    for bank, names in (("west", _WEST_NAMES), ("east", _EAST_NAMES)):
        grid = grids[bank]
        for j, row in enumerate(grid):
            _row(town, chance, middles, row, j)
        for i, name in enumerate(names):
            column = [grid[j][i] for j in range(len(ROWS))]
            kind = "secondary" if i == 1 else "tertiary" if i in (0, len(names) - 1) else "residential"
            town.way(_bent(town, chance, middles, column), kind, name)
    _bridges(town, grids)
    for bank in ("west", "east"):
        _lanes(town, chance, middles, grids[bank])
    _oddities(town, grids, middles)
    return town


def _grid(town: Drawing, chance: random.Random, columns: tuple[int, ...]) -> list[list[int]]:
    """Crossings, a little off the square."""
    return [[town.node(x + chance.uniform(-35, 35), y + chance.uniform(-30, 30)) for x in columns] for y in ROWS]


def _bent(town: Drawing, chance: random.Random, middles: dict[tuple[int, int], int], corners: list[int]) -> list[int]:
    """A street through its crossings with a slight bend in every block; the bend is where lanes begin."""
    found = [corners[0]]
    for a, b in pairwise(corners):
        (ax, ay), (bx, by) = town.places[a - 1], town.places[b - 1]
        middles[a, b] = town.node((ax + bx) / 2 + chance.uniform(-12, 12), (ay + by) / 2 + chance.uniform(-12, 12))
        found += [middles[a, b], b]
    return found


def _row(town: Drawing, chance: random.Random, middles: dict[tuple[int, int], int], row: list[int], j: int) -> None:
    nodes = _bent(town, chance, middles, row)
    name = _ROW_NAMES[j]
    if j == BRIDGE_ROW:
        town.way(nodes, "primary", name)
    elif j == CARS_ROW:
        town.way(nodes, "primary", name, maxspeed="60")
    elif j == 2:
        town.way(nodes, "tertiary", name, one_way="yes")
    elif j == 1:
        town.way(nodes, "tertiary", name, one_way="-1")
    elif j == 4 and len(row) == len(WEST):
        town.way(nodes[:4], "residential", name)
        town.way(nodes[3:6], "pedestrian", "拾光步行街")
        town.way(nodes[5:], "residential", name)
    else:
        town.way(nodes, "tertiary" if j in (0, len(ROWS) - 1) else "residential", name)


def _bridges(town: Drawing, grids: dict[str, list[list[int]]]) -> None:
    """望澜桥 carries everyone, the northern 澜湾大桥 cars only."""
    for j, name, kind, tags in (
        (BRIDGE_ROW, "望澜桥", "primary", {}),
        (CARS_ROW, "澜湾大桥", "trunk", {"foot": "no", "bicycle": "no", "maxspeed": "60"}),
    ):
        west, east = grids["west"][j][-1], grids["east"][j][0]
        y = town.places[west - 1][1]
        banks = [town.node(river(y) - RIVER_HALF - 15, y), town.node(river(y) + RIVER_HALF + 15, y)]
        town.way([west, banks[0]], kind, _ROW_NAMES[j], **tags)
        town.way(banks, kind, name, bridge="yes", **tags)
        town.way([banks[1], east], kind, _ROW_NAMES[j], **tags)


def _lanes(town: Drawing, chance: random.Random, middles: dict[tuple[int, int], int], grid: list[list[int]]) -> None:
    """One or two lanes into every block: through from south to north, or a dead end from the west."""
    for j in range(len(ROWS) - 1):
        for i in range(len(grid[0]) - 1):
            south, north = middles[grid[j][i], grid[j][i + 1]], middles[grid[j + 1][i], grid[j + 1][i + 1]]
            west = middles[grid[j][i], grid[j + 1][i]]
            (sx, sy), (nx, ny), (wx, wy) = (town.places[n - 1] for n in (south, north, west))
            name = chance.choice(_LANE_WORDS) + chance.choice(_LANE_WORDS_2)
            if chance.random() < 0.7:
                bend = town.node((sx + nx) / 2 + chance.uniform(-40, 40), (sy + ny) / 2)
                town.way([south, bend, north], chance.choice(("residential", "living_street", "residential")), name)
            if chance.random() < 0.6:
                deep = town.node(wx + chance.uniform(110, 170), wy + chance.uniform(-30, 30))
                town.way([west, deep], chance.choice(("footway", "living_street", "footway")), name + "支弄")


def _oddities(town: Drawing, grids: dict[str, list[list[int]]], middles: dict[tuple[int, int], int]) -> None:
    """What a careless reader trips over."""
    west, east = grids["west"], grids["east"]
    x, y = town.places[west[1][1] - 1]
    stub = [town.node(x + 70, y + 42), town.node(x + 130, y + 44)]
    town.way(stub, "footway", "断头小径")
    x, y = town.places[middles[west[5][2], west[5][3]] - 1]
    top = town.node(x + 5, y + 60)
    town.way([middles[west[5][2], west[5][3]], top], "steps", "听松台阶")
    town.way([top, town.node(x + 90, y + 75)], "footway", "听松台")
    gate = middles[east[1][1], east[2][1]]
    x, y = town.places[gate - 1]
    inner = [town.node(x + 25, y), town.node(x + 150, y + 8)]
    town.way([gate, *inner], "service", "东渚小区内路", access="private")
    lane = middles[east[4][0], east[5][0]]
    x, y = town.places[lane - 1]
    post = town.node(x + 60, y + 4)
    town.barriers[post] = {"barrier": "bollard"}
    town.way([lane, post, town.node(x + 160, y)], "living_street", "隐泉弄")


def rights(town: Drawing) -> list[tuple[list[int], dict[str, str], int]]:
    """The ways with who may use them."""
    return [(nodes, tags, ways.rights(tags)) for nodes, tags in town.ways]
