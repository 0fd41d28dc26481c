"""Who is inside: unrounded seconds, marks that never get lost, and when a person has to look."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.circle.rules import Basis, Doubt, Membership, Travel, Verdict, decide, estimate, mode
from healthsvc.circle.words import VERDICT_NAMES
from healthsvc.errors import Invalid

LIMIT = 600.0
QUICK = 4.0
NOWHERE = Travel(math.inf, math.inf, Basis.NO_PATH)


def road(seconds: float) -> Travel:
    return Travel(seconds, seconds * 4 / 3.6, Basis.ROAD)


def guess(seconds: float) -> Travel:
    return Travel(seconds, seconds * 4 / 3.6, Basis.ESTIMATE)


def verdict(*ways: Travel, straight: float = 10_000.0) -> Membership:
    return decide(ways, [straight] * len(ways), LIMIT, QUICK)


def test_the_unrounded_time_decides() -> None:
    assert verdict(road(600.0)).verdict is Verdict.INSIDE
    assert verdict(road(math.nextafter(600.0, 601.0))).verdict is Verdict.OUTSIDE
    assert verdict(road(600.4)).verdict is Verdict.OUTSIDE


def test_the_quickest_station_decides() -> None:
    made = verdict(road(900.0), road(300.0), NOWHERE)
    assert (made.station, made.verdict) == (1, Verdict.INSIDE)
    assert not made.asks_a_person


def test_an_estimate_keeps_its_mark() -> None:
    for seconds, expected in ((10.0, Verdict.ESTIMATED_INSIDE), (601.0, Verdict.ESTIMATED_OUTSIDE)):
        made = verdict(guess(seconds))
        assert made.verdict is expected
        assert Doubt.ESTIMATED in made.doubts
        assert "估算" in VERDICT_NAMES[made.verdict][0]


def test_a_way_by_road_that_suffices_goes_before_a_quicker_estimate() -> None:
    assert verdict(guess(100.0), road(590.0)).verdict is Verdict.INSIDE
    assert verdict(guess(100.0), road(610.0)).verdict is Verdict.ESTIMATED_INSIDE


def test_where_there_is_no_path_a_person_is_asked() -> None:
    made = verdict(NOWHERE, NOWHERE)
    assert (made.station, made.verdict, made.doubts) == (None, Verdict.ASK, (Doubt.NO_PATH,))
    assert made.asks_a_person


def test_a_station_across_the_water_that_is_near_asks_too() -> None:
    near = decide([NOWHERE, road(900.0)], [200.0, 900.0], LIMIT, QUICK)
    assert near.verdict is Verdict.OUTSIDE
    assert near.doubts == (Doubt.NO_PATH_TO_NEARER,)
    assert near.asks_a_person
    far = decide([NOWHERE, road(900.0)], [2_000.0, 900.0], LIMIT, QUICK)
    assert not far.asks_a_person
    served = decide([NOWHERE, road(500.0)], [200.0, 400.0], LIMIT, QUICK)
    assert (served.verdict, served.asks_a_person) == (Verdict.INSIDE, False)


def test_a_way_beyond_the_limit_of_the_question_is_outside_without_a_station() -> None:
    made = verdict(Travel(math.inf, math.inf, Basis.ROAD), NOWHERE)
    assert (made.station, made.verdict) == (None, Verdict.OUTSIDE)


def test_doubts_about_the_address_stay() -> None:
    made = decide([road(100.0)], [90.0], LIMIT, QUICK, (Doubt.SNAPPED_FAR,))
    assert (made.verdict, made.doubts, made.asks_a_person) == (Verdict.INSIDE, (Doubt.SNAPPED_FAR,), True)


def test_without_a_station_there_is_no_circle() -> None:
    with pytest.raises(Invalid, match="no station"):
        decide([], [], LIMIT, QUICK)


ways = st.one_of(st.builds(road, st.floats(0, 5_000)), st.builds(guess, st.floats(0, 5_000)), st.just(NOWHERE))


@given(st.lists(ways, min_size=1, max_size=6))
def test_inside_without_a_mark_only_by_road(found: list[Travel]) -> None:
    made = verdict(*found)
    if made.verdict is Verdict.INSIDE:
        assert made.travel.basis is Basis.ROAD
        assert made.travel.seconds <= LIMIT
    if any(way.basis is Basis.ROAD and way.seconds <= LIMIT for way in found):
        assert made.verdict is Verdict.INSIDE
    if all(way.basis is Basis.NO_PATH for way in found):
        assert made.verdict is Verdict.ASK


def test_the_estimates_formula() -> None:
    on_foot = estimate(500.0, 30.0, 1.30, 4.0)
    assert on_foot == Travel(30.0 + 650.0 * 3.6 / 4.0, 650.0, Basis.ESTIMATE)
    by_ebike = estimate(1_000.0, 60.0, 1.50, 15.0)
    assert by_ebike.seconds == pytest.approx(420.0)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(Invalid, match="walk, ebike, drive"):
        mode("sedan chair")
