"""Datums: round trips, known shifts, where nothing is shifted, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from healthsvc.healthfile.datum import Datum, datum, distance, from_wgs84, place, to_wgs84
from healthsvc.healthfile.mainland import in_mainland

INLAND = [(121.47, 31.23), (114.055, 22.54), (87.6, 43.8), (109.5, 18.25), (126.6, 45.75), (91.1, 29.65), (75.99, 39.47), (118.1, 24.46)]
ABROAD = [(114.16, 22.28), (113.55, 22.19), (121.5, 25.05), (127.0, 37.55), (8.7, 49.4), (-83.7, 42.25), (106.9, 47.9), (105.85, 21.03)]


@given(lon=st.floats(76, 134), lat=st.floats(19, 53), system=st.sampled_from(Datum))
def test_a_round_trip_moves_a_place_by_less_than_two_centimetres(lon: float, lat: float, system: Datum) -> None:
    if not in_mainland(lon, lat):
        return
    there = from_wgs84(lon, lat, system)
    assert distance(lon, lat, *to_wgs84(*there, system)) <= 0.02


@given(lon=st.floats(76, 134), lat=st.floats(19, 53))
def test_the_shift_is_some_hundred_metres_and_baidus_about_a_kilometre(lon: float, lat: float) -> None:
    if not in_mainland(lon, lat):
        return
    assert 0 < distance(lon, lat, *from_wgs84(lon, lat, Datum.GCJ02)) < 1_000
    assert 200 < distance(lon, lat, *from_wgs84(lon, lat, Datum.BD09)) < 2_500


def test_reading_gcj02_as_wgs84_in_shanghai_is_wrong_by_481_metres() -> None:
    shown = from_wgs84(121.4737, 31.2304, Datum.GCJ02)
    assert distance(121.4737, 31.2304, *shown) == pytest.approx(481, abs=3)


@pytest.mark.parametrize(("lon", "lat"), ABROAD)
@pytest.mark.parametrize("system", list(Datum))
def test_outside_mainland_china_nothing_is_shifted(lon: float, lat: float, system: Datum) -> None:
    assert not in_mainland(lon, lat)
    assert from_wgs84(lon, lat, system) == (lon, lat)
    assert to_wgs84(lon, lat, system) == (lon, lat)


@pytest.mark.parametrize(("lon", "lat"), INLAND)
def test_cities_near_the_border_and_on_the_coast_are_inside(lon: float, lat: float) -> None:
    assert in_mainland(lon, lat)


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90), system=st.sampled_from(Datum))
def test_every_place_on_earth_converts_without_an_error(lon: float, lat: float, system: Datum) -> None:
    found = to_wgs84(lon, lat, system)
    assert distance(lon, lat, *found) < 3_000


@pytest.mark.parametrize("name", ["wgs84", "WGS-84", "gcj02", "GCJ-02", "bd09", "BD-09", "bd09ll", "EPSG:4326"])
def test_common_spellings_are_understood(name: str) -> None:
    assert datum(name) in Datum


@pytest.mark.parametrize("name", [None, "", "  ", "mars", "CGCS", "WGS"])
def test_an_undeclared_or_unknown_datum_is_refused(name: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        place(121.4, 31.2, name, "somebody")
    assert refused.value.reason == "datum-undeclared"


@pytest.mark.parametrize(("lon", "lat"), [(31.2, 121.4), (181.0, 0.0), (float("nan"), 31.0), (121.0, float("inf"))])
def test_what_is_no_place_on_earth_is_refused(lon: float, lat: float) -> None:
    with pytest.raises(Invalid) as refused:
        place(lon, lat, "WGS-84", "somebody")
    assert refused.value.reason == "not-on-earth"


@pytest.mark.parametrize("system", Datum)
@pytest.mark.parametrize(("lon", "lat"), [(121.47, 31.23), (87.62, 43.83), (75.99, 39.47), (91.13, 29.65), (73.9, 39.7)])
def test_an_exchanged_pair_is_refused_anywhere_in_the_mainland(lon: float, lat: float, system: Datum) -> None:
    with pytest.raises(Invalid, match="seem exchanged") as refused:
        place(lat, lon, system, "somebody")
    assert refused.value.reason == "not-on-earth"


@pytest.mark.parametrize(("lon", "lat"), [(15.63, 78.22), (23.68, 70.66), (102.5, 78.0), (-68.7, 76.53)])
def test_people_in_the_far_north_have_a_place(lon: float, lat: float) -> None:
    assert place(lon, lat, "WGS-84", "somebody").lat == lat


def test_what_was_given_is_kept_beside_what_it_became() -> None:
    shown = from_wgs84(121.47, 31.23, Datum.BD09)
    kept = place(*shown, "bd09", " Baidu ")
    assert (kept.given_lon, kept.given_lat) == shown
    assert (kept.datum, kept.source) == (Datum.BD09, "Baidu")
    assert distance(kept.lon, kept.lat, 121.47, 31.23) < 0.02
