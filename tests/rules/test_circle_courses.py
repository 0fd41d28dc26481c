"""The line of a way on a map is the way whose time is counted: as long as it, from door to door, along the roads."""

import numpy as np
import pytest

from healthsvc.circle import town
from healthsvc.circle.courses import courses
from healthsvc.circle.network import Way, build
from healthsvc.circle.providers import site_roads
from healthsvc.circle.roads import Roads
from healthsvc.circle.travel import distances, points
from healthsvc.circle.ways import DRIVE, RIDE, RIDE_BACK, WALK, WALK_BACK

PLACES = [(one.lon, one.lat) for one in (*town.town().stations, *town.town().homes[:40])]


def roads() -> Roads:
    found = site_roads(None).roads
    assert isinstance(found, Roads)
    return found


def length(line: tuple[tuple[float, float], ...]) -> float:
    at = points(list(line))
    return float(distances(at[:-1], at[1:]).sum())


@pytest.mark.parametrize("mode", ["walk", "ebike", "drive"])
def test_a_line_is_as_long_as_the_way_that_is_counted(mode: str) -> None:
    here = roads()
    matrix = here.matrix(PLACES, PLACES, mode)
    lines = courses(here, PLACES, mode)
    compared = 0
    for k, line in enumerate(lines):
        counted = float(matrix.metres[k, k + 1])
        if not np.isfinite(counted):
            assert line is None
            continue
        assert line is not None
        assert (line[0], line[-1]) == (PLACES[k], PLACES[k + 1])
        # bends of less than two metres are left out; neighbours on one road may go straight, which the line does not
        assert counted * 0.97 - 8 <= length(line) <= counted * 1.01 + 25
        compared += 1
    assert compared > 20


def test_the_river_is_crossed_on_the_bridge() -> None:
    here = roads()
    stations = [(one.lon, one.lat) for one in town.town().stations]
    straight = float(distances(points(stations[:1]), points(stations[1:2])).item())
    line = courses(here, stations[:2], "ebike")[0]
    assert line is not None
    assert length(line) > straight
    assert len(line) > 2


ONE_WAY = build(
    [
        Way([(1, 0, 0), (2, 100_000, 0)], RIDE | WALK | WALK_BACK | DRIVE, "residential"),
        Way([(2, 100_000, 0), (3, 100_000, 50_000), (4, 0, 50_000), (1, 0, 0)], RIDE | RIDE_BACK | WALK | WALK_BACK | DRIVE, "residential"),
    ]
)


def test_a_one_way_street_is_left_the_way_round_and_walked_back() -> None:
    policy = roads().policy
    here = Roads(ONE_WAY, {"sha256": "test"}, policy)
    east, west = (0.008, 0.0), (0.002, 0.0)
    back, on_foot, along = (
        courses(here, [east, west], "drive")[0],
        courses(here, [east, west], "walk")[0],
        courses(here, [west, east], "drive")[0],
    )
    assert back is not None
    assert on_foot is not None
    assert along is not None
    assert max(lat for _, lat in back) == pytest.approx(0.005)
    assert [(east, west), (west, east)] == [(on_foot[0], on_foot[-1]), (along[0], along[-1])]
    assert len(on_foot) == len(along) == 2


def test_where_the_roads_end_there_is_no_line() -> None:
    far = (PLACES[0][0] + 3.0, PLACES[0][1])
    assert courses(roads(), [PLACES[0], far, PLACES[1]], "ebike") == [None, None]
    assert courses(roads(), [PLACES[0], PLACES[0]], "ebike") == [(PLACES[0], PLACES[0])]
    assert courses(roads(), PLACES[:1], "ebike") == []
