"""Tags read as rights of way."""

import pytest

from healthsvc.circle.ways import DRIVE, DRIVE_BACK, PUSH, PUSH_BACK, RIDE, RIDE_BACK, WALK, WALK_BACK, blocked, maxspeed, passing, rights

ON_FOOT, BY_BIKE, PUSHED, BY_CAR = WALK | WALK_BACK, RIDE | RIDE_BACK, PUSH | PUSH_BACK, DRIVE | DRIVE_BACK


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "residential"}, ON_FOOT | BY_BIKE | BY_CAR),
        ({"highway": "footway"}, ON_FOOT | PUSHED),
        ({"highway": "footway", "bicycle": "designated"}, ON_FOOT | BY_BIKE),
        ({"highway": "footway", "bicycle": "no"}, ON_FOOT),
        ({"highway": "steps"}, ON_FOOT),
        ({"highway": "pedestrian"}, ON_FOOT | PUSHED),
        ({"highway": "cycleway"}, ON_FOOT | BY_BIKE),
        ({"highway": "path", "bicycle": "dismount"}, ON_FOOT | PUSHED),
        ({"highway": "motorway"}, DRIVE),
        ({"highway": "motorway", "oneway": "no"}, BY_CAR),
        ({"highway": "trunk", "foot": "no", "bicycle": "no"}, BY_CAR),
        ({"highway": "trunk", "motorroad": "yes"}, BY_CAR),
        ({"highway": "primary", "oneway": "yes"}, ON_FOOT | RIDE | DRIVE),
        ({"highway": "primary", "oneway": "-1"}, ON_FOOT | RIDE_BACK | DRIVE_BACK),
        ({"highway": "primary", "oneway": "yes", "oneway:bicycle": "no"}, ON_FOOT | BY_BIKE | DRIVE),
        ({"highway": "primary", "oneway": "yes", "cycleway:left": "opposite_lane"}, ON_FOOT | BY_BIKE | DRIVE),
        ({"highway": "tertiary", "junction": "roundabout"}, ON_FOOT | RIDE | DRIVE),
        ({"highway": "service", "access": "private"}, 0),
        ({"highway": "service", "access": "private", "foot": "yes"}, ON_FOOT),
        ({"highway": "residential", "access": "no", "foot": "designated"}, ON_FOOT),
        ({"highway": "residential", "motor_vehicle": "no"}, ON_FOOT | BY_BIKE),
        ({"highway": "residential", "motor_vehicle": "destination"}, ON_FOOT | BY_BIKE | BY_CAR),
        ({"highway": "track"}, ON_FOOT | BY_BIKE),
        ({"highway": "track", "access": "yes"}, ON_FOOT | BY_BIKE),
        ({"highway": "track", "motor_vehicle": "agricultural;forestry"}, ON_FOOT | BY_BIKE),
        ({"highway": "construction"}, 0),
        ({"highway": "proposed"}, 0),
        ({"highway": "raceway"}, 0),
        ({"highway": "pedestrian", "area": "yes"}, 0),
        ({"barrier": "gate"}, 0),
    ],
)
def test_rights(tags: dict[str, str], expected: int) -> None:
    assert rights(tags) == expected


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("50", 50), ("30 mph", 48), ("walk", 0), ("none", 0), ("", 0), ("CN:urban", 0), ("999", 250), ("50 km/h", 50), ("²", 0)],
)
def test_speed_limits(text: str, kmh: int) -> None:
    assert maxspeed({"maxspeed": text}) == kmh


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        ({}, 0),
        ({"barrier": "gate"}, 0),
        ({"barrier": "bollard"}, BY_CAR),
        ({"barrier": "gate", "access": "private"}, ON_FOOT | PUSHED | BY_BIKE | BY_CAR),
        ({"barrier": "gate", "access": "private", "foot": "yes"}, BY_BIKE | BY_CAR),
        ({"barrier": "stile"}, BY_BIKE | BY_CAR),
        ({"highway": "crossing"}, 0),
    ],
)
def test_barriers(tags: dict[str, str], taken: int) -> None:
    assert blocked(tags) == taken


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "residential"}, False),
        ({"highway": "residential", "bridge": "yes"}, True),
        ({"highway": "residential", "bridge": "no"}, False),
        ({"highway": "primary", "tunnel": "yes"}, True),
        ({"highway": "footway", "tunnel": "building_passage"}, False),
        ({"highway": "motorway"}, True),
    ],
)
def test_where_one_only_passes(tags: dict[str, str], expected: bool) -> None:
    assert passing(tags) is expected
