"""Networks: joining ways, barriers, parts, snapping, one-way streets; quickest ways against a plain search on random streets."""

import heapq
import math
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc import policy
from healthsvc.circle import ways
from healthsvc.circle.network import Network, Way, build, read, save
from healthsvc.circle.policy import policy_values
from healthsvc.circle.roads import Roads
from healthsvc.circle.rules import CirclePolicy, Mode
from healthsvc.circle.travel import NO_PATH, ROAD
from healthsvc.errors import Malformed

POLICY: CirclePolicy = policy_values(policy.load(), date(2026, 1, 1))
EVERYONE = ways.WALK | ways.WALK_BACK | ways.RIDE | ways.RIDE_BACK | ways.DRIVE | ways.DRIVE_BACK
LON, LAT = 121.6, 30.45
EAST, NORTH = 1e-5 / math.cos(math.radians(LAT)), 1e-5
"""About 1.11 m in degrees."""


def spot(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place on a drawing whose unit is about 1.11 m."""
    return LON + x * EAST, LAT + y * NORTH


def way(bits: int, *nodes: tuple[int, float, float], kind: str = "residential", name: str = "") -> Way:
    def degrees(x: float, y: float) -> tuple[int, int]:
        lon, lat = spot(x, y)
        return round(lon * 1e7), round(lat * 1e7)

    return Way([(number, *degrees(x, y)) for number, x, y in nodes], bits, kind, name=name)


def roads(*drawn: Way, barriers: dict[int, int] | None = None, **changes: Any) -> Roads:
    network = build(drawn, barriers)
    return Roads(network, {"sha256": network.sha256()}, replace(POLICY, **{"part_min_metres": 50.0, **changes}))


def seconds(engine: Roads, start: tuple[float, float], end: tuple[float, float], mode: str = "walk") -> float:
    return float(engine.matrix([start], [end], mode).seconds[0, 0])


CROSS = (way(EVERYONE, (1, -300, 0), (2, 0, 0), (3, 300, 0)), way(EVERYONE, (4, 0, -300), (2, 0, 0), (5, 0, 300)))


def test_ways_are_cut_where_they_meet_and_bends_are_kept() -> None:
    network = build([way(EVERYONE, (1, 0, 0), (2, 100, 50), (3, 200, 0)), way(EVERYONE, (3, 200, 0), (4, 300, 0))])
    assert len(network.ends) == 2
    assert len(network.junctions) == 3
    assert len(network.shape) == 5
    bent = 2 * math.hypot(100, 50) * 1.112
    assert network.metres()[0] == pytest.approx(bent, rel=0.001)


def test_a_bridge_that_crosses_without_a_common_node_does_not_join() -> None:
    engine = roads(way(EVERYONE, (1, -300, 0), (3, 300, 0)), way(EVERYONE, (4, 0, -300), (5, 0, 300)))
    found = engine.matrix([spot(-200, 0)], [spot(0, 200)], "walk")
    assert found.basis[0, 0] == NO_PATH
    assert math.isinf(found.seconds[0, 0])


def test_the_time_is_the_way_along_the_streets_and_to_them() -> None:
    engine = roads(*CROSS)
    assert seconds(engine, spot(-200, 0), spot(0, 200)) == pytest.approx(400 * 1.112 * 3.6 / 4, rel=0.002)
    assert seconds(engine, spot(-200, 30), spot(0, 200)) == pytest.approx(430 * 1.112 * 3.6 / 4, rel=0.002)
    assert seconds(engine, spot(-200, 0), spot(-150, 0)) == pytest.approx(50 * 1.112 * 3.6 / 4, rel=0.002)
    assert seconds(engine, spot(-200, 30), spot(-200, 30)) == 0.0


def test_one_way_streets_bind_wheels_and_not_feet() -> None:
    along = way(ways.WALK | ways.WALK_BACK | ways.RIDE, (1, 0, 0), (2, 300, 0))
    back = way(EVERYONE, (2, 300, 0), (3, 300, 300), (4, 0, 300), (1, 0, 0))
    engine = roads(along, back)
    start, end = spot(200, 0), spot(100, 0)
    assert seconds(engine, start, end) == pytest.approx(100 * 1.112 * 3.6 / 4, rel=0.003)
    assert seconds(engine, end, start, "ebike") == pytest.approx(100 * 1.112 * 3.6 / 15, rel=0.003)
    assert seconds(engine, start, end, "ebike") == pytest.approx(1_100 * 1.112 * 3.6 / 15, rel=0.003)


def test_a_barrier_stops_whom_it_stops() -> None:
    lane = way(EVERYONE, (1, -300, 0), (2, 0, 0), (3, 300, 0))
    engine = roads(lane, barriers={2: ways.DRIVE | ways.DRIVE_BACK})
    start, end = spot(-100, 0), spot(100, 0)
    assert seconds(engine, start, end) == pytest.approx(200 * 1.112 * 3.6 / 4, rel=0.003)
    assert engine.matrix([start], [end], "drive").basis[0, 0] == NO_PATH
    assert engine.matrix([start], [end], "ebike").basis[0, 0] == ROAD
    walled = roads(*CROSS, barriers={2: 255})
    assert walled.matrix([spot(-100, 0)], [spot(0, 100)], "walk").basis[0, 0] == NO_PATH


def test_an_address_is_not_brought_to_a_dead_stub() -> None:
    stub = way(EVERYONE, (8, 50, 20), (9, 60, 20))
    engine = roads(*CROSS, stub)
    found = engine.matrix([spot(55, 25)], [spot(0, 100)], "walk")
    assert found.basis[0, 0] == ROAD
    assert found.origins.metres[0] == pytest.approx(25 * 1.112, rel=0.01)
    assert engine.reach(spot(55, 25), "walk", 10).square_km > 0.1


def test_an_address_beside_a_bridge_is_brought_to_the_bank_and_may_cross_it() -> None:
    bank, other = (way(EVERYONE, (n, x, -300), (n + 1, x, 0), (n + 2, x, 300)) for n, x in ((1, -60), (4, 60)))
    bridge = replace(way(EVERYONE, (2, -60, 0), (5, 60, 0)), passing=True)
    engine = roads(bank, other, bridge)
    found = engine.matrix([spot(-40, 5)], [spot(60, 100)], "walk")
    assert found.origins.metres[0] == pytest.approx(20 * 1.112, rel=0.01)
    assert found.metres[0, 0] == pytest.approx((20 + 5 + 120 + 100) * 1.112, rel=0.01)


def test_far_addresses_are_flagged_and_those_outside_the_data_too() -> None:
    engine = roads(*CROSS)
    found = engine.matrix([spot(150, 120), spot(150, 60), spot(900, 0)], [spot(0, 0)], "walk")
    assert found.origins.far.tolist() == [True, False, True]
    assert found.origins.outside.tolist() == [False, False, True]
    assert found.basis[:, 0].tolist() == [ROAD, ROAD, NO_PATH]


def test_a_way_beyond_the_limit_is_not_no_path() -> None:
    engine = roads(*CROSS, way(EVERYONE, (10, 200, 200), (11, 290, 290)))
    found = engine.matrix([spot(-300, 0)], [spot(300, 0), spot(-290, 0), spot(250, 250)], "walk", limit=60)
    assert found.basis[0].tolist() == [ROAD, ROAD, NO_PATH]
    assert np.isfinite(found.seconds[0]).tolist() == [False, True, False]


def test_the_same_roads_have_the_same_fingerprint_on_disk_and_anew(tmp_path: Path) -> None:
    network = build(CROSS)
    save(network, {"format": "healthsvc-roads-1", "file": "x"}, tmp_path)
    again, manifest = read(tmp_path / "network.npz")
    assert again.sha256() == network.sha256() == build(CROSS).sha256()
    assert manifest["file"] == "x"
    assert build([*CROSS, way(EVERYONE, (5, 0, 300), (6, 10, 400))]).sha256() != network.sha256()
    (tmp_path / "network.npz").write_bytes(b"PK damaged")
    with pytest.raises(Malformed, match="load the extract again"):
        read(tmp_path / "network.npz")


def test_no_usable_way_is_refused() -> None:
    with pytest.raises(Malformed, match="no road"):
        build([way(0, (1, 0, 0), (2, 1, 1))])


def _plain(network: Network, engine: Roads, how: str, start: tuple[int, float], end: tuple[int, float]) -> tuple[float, float]:
    """Dijkstra over dictionaries, with the two places as nodes of their own: the reference."""
    layer = engine.layer(how)
    streets: dict[Any, list[tuple[Any, float, float]]] = {}

    def add(a: Any, b: Any, part: float, edge: int, pace: float) -> None:
        pace = 0.0 if part == 0 else pace
        if math.isfinite(pace):
            streets.setdefault(a, []).append((b, part * pace, part * float(layer.metres[edge])))

    for edge, (u, v) in enumerate(network.ends.tolist()):
        stops = [(0.0, u), (1.0, v), *((along, name) for name, (e, along) in (("s", start), ("t", end)) if e == edge)]
        for (here, a), (there, b) in pairwise(sorted(stops, key=lambda stop: stop[0])):
            add(a, b, there - here, edge, float(layer.forward[edge]))
            add(b, a, there - here, edge, float(layer.back[edge]))
    best = {"s": (0.0, 0.0)}
    queue: list[tuple[float, int, Any, float]] = [(0.0, 0, "s", 0.0)]
    count = 0
    while queue:
        cost, _, node, length = heapq.heappop(queue)
        if best[node][0] < cost:
            continue
        for other, more, step in streets.get(node, []):
            if cost + more < best.get(other, (math.inf, 0.0))[0] - 1e-12:
                best[other] = (cost + more, length + step)
                count += 1
                heapq.heappush(queue, (cost + more, count, other, length + step))
    return best.get("t", (math.inf, math.inf))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1_000_000), how=st.sampled_from(list(Mode)), turned=st.booleans())
def test_quickest_ways_agree_with_a_plain_search(seed: int, how: Mode, turned: bool) -> None:
    chance = np.random.default_rng(seed)
    size = int(chance.integers(4, 12))
    at = chance.uniform(-400, 400, (size, 2))
    drawn = []
    for _ in range(int(chance.integers(size, 3 * size))):
        run = chance.choice(size, int(chance.integers(2, 4)), replace=False)
        bits = EVERYONE if chance.random() < 0.4 else int(chance.integers(1, 256))
        drawn.append(way(bits, *((int(n), *at[n]) for n in run), kind=str(chance.choice(["residential", "primary", "footway"]))))
    engine = roads(*drawn, part_min_metres=0.0, part_min_share=0.0, snap_limit_metres=2_000.0)
    network = engine.network
    starts = [spot(*chance.uniform(-400, 400, 2)) for _ in range(5 if turned else 2)]
    ends = [spot(*chance.uniform(-400, 400, 2)) for _ in range(2 if turned else 5)]
    if not engine.layer(how).usable.any():
        return
    hooks, _ = engine.hook(np.array(starts), how)
    others, _ = engine.hook(np.array(ends), how)
    found = engine.matrix(starts, ends, how)
    for i in range(len(starts)):
        for j in range(len(ends)):
            if hooks.edge[i] < 0 or others.edge[j] < 0:
                continue
            here, there = ((int(h.edge[k]), float(h.along[k])) for h, k in ((hooks, i), (others, j)))
            time, metres = _plain(network, engine, how, here, there)
            off = float(hooks.metres[i] + others.metres[j])
            if hooks.edge[i] == others.edge[j]:
                assert found.seconds[i, j] <= time + off * 0.9 + 1e-6
                continue
            assert found.seconds[i, j] == pytest.approx(time + off * 3.6 / 4, abs=0.05)
            assert (found.basis[i, j] == NO_PATH) == math.isinf(time)
            if how is Mode.WALK:
                assert found.metres[i, j] == pytest.approx(metres + off, abs=0.05)
