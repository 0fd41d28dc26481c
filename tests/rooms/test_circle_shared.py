"""Real road data: agreement with recorded Valhalla times, parts, datum traps, and what an estimate is worth."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from healthsvc import policy
from healthsvc.circle import osm
from healthsvc.circle.coverage import Home, Station, measure
from healthsvc.circle.network import build
from healthsvc.circle.policy import policy_values
from healthsvc.circle.roads import Roads
from healthsvc.circle.rules import Verdict
from healthsvc.circle.travel import NO_PATH, Estimate
from healthsvc.healthfile.datum import Datum, from_wgs84

POLICY = policy_values(policy.load(), date(2026, 1, 1))
EXTRACTS = {
    "shanghai": "shanghai_center_2025-08-09",
    "shenzhen_futian": "shenzhen_futian_from_transbigdata",
    "heidelberg": "heidelberg",
}

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module", params=list(EXTRACTS))
def city(request: pytest.FixtureRequest, shared: Path) -> tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]:
    extract = osm.read(shared / "osm" / f"{EXTRACTS[request.param]}.osm.pbf")
    network = build(extract.ways, extract.barriers)
    places = np.array(json.loads((shared / "osm" / f"pts_{request.param}.json").read_text()))
    with np.load(shared / "osm" / f"valhalla_{request.param}.npz") as stored:
        recorded = {name: stored[name].astype(float) for name in stored}
    return request.param, Roads(network, {"sha256": network.sha256()}, POLICY), places, recorded


def test_walking_agrees_with_the_recorded_times(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    _, engine, places, recorded = city
    found = engine.matrix(places[:150], places[:150], "walk")
    known = np.isfinite(recorded["walk"]) & np.isfinite(found.seconds) & ~np.eye(150, dtype=bool)
    assert np.median(found.seconds[known] / recorded["walk"][known]) == pytest.approx(1.0, abs=0.03)
    assert np.median(found.metres[known] / recorded["walk_km"][known] / 1000) == pytest.approx(1.0, abs=0.03)
    assert ((found.basis == NO_PATH) == np.isnan(recorded["walk"])).mean() > 0.995


def test_wheels_are_within_the_range_of_the_recorded_times(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    """Valhalla counts crossings and surfaces for bicycles and free streets for cars; ours are set by policy: the ratio is steady, not 1."""
    _, engine, places, recorded = city
    for mode, name, low, high in (("ebike", "ebike", 0.8, 1.1), ("drive", "car", 1.1, 2.1)):
        found = engine.matrix(places[:150], places[:150], mode)
        known = np.isfinite(recorded[name]) & np.isfinite(found.seconds) & (recorded[name] > 30)
        assert low < np.median(found.seconds[known] / recorded[name][known]) < high
        assert np.median(found.metres[known] / recorded[f"{name}_km"][known] / 1000) == pytest.approx(1.0, abs=0.06)


def test_the_river_splits_shanghai_for_walkers(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    name, engine, places, _ = city
    if name != "shanghai":
        return
    found = engine.matrix(places[:100], places, "walk")
    assert 0.2 < (found.basis == NO_PATH).mean() < 0.4
    homes = [Home(str(i), *place) for i, place in enumerate(places.tolist())]
    circle = measure(engine, homes, [Station("s", "站", *places[0].tolist())], "walk", POLICY)
    assert circle.total.ask > 100
    assert all(one.membership.asks_a_person for one in circle.answers if one.membership.verdict is Verdict.ASK)


def test_gcj02_read_as_wgs84_loses_most_of_the_circle(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    name, engine, places, _ = city
    if name != "shanghai":
        return
    stations = places[:20]
    true = engine.matrix(stations, places, "walk", POLICY.limit_seconds).seconds <= POLICY.limit_seconds
    shifted = np.array([from_wgs84(lon, lat, Datum.GCJ02) for lon, lat in places.tolist()])
    wrong = engine.matrix(stations, shifted, "walk", POLICY.limit_seconds).seconds <= POLICY.limit_seconds
    lost = (true & ~wrong).sum() / true.sum()
    assert 0.5 < lost < 0.75


def test_an_estimate_is_wrong_often_enough_to_need_its_mark(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    _, _, places, recorded = city
    guess = Estimate(POLICY).matrix(places[:150], places[:150], "walk").seconds
    off = ~np.eye(150, dtype=bool)
    called_inside = (guess <= 600) & off
    not_inside = called_inside & ~(recorded["walk"] <= 600)
    assert 0.03 < not_inside.sum() / called_inside.sum() < 0.45
    known = off & np.isfinite(recorded["walk"])
    error = np.abs(guess[known] / recorded["walk"][known] - 1)
    assert np.median(error) < 0.13


def test_nobody_is_brought_to_a_part_that_leads_nowhere(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    _, engine, places, _ = city
    layer = engine.layer("walk")
    hooks, snap = engine.hook(places, "walk")
    parts = layer.part[engine.network.ends[hooks.edge[hooks.edge >= 0], 0]]
    assert layer.large[parts].all()
    assert (snap.metres < 100).mean() > 0.97
    for place in places[:5].tolist():
        assert engine.reach((place[0], place[1]), "walk", 10).square_km > 0.1


def test_the_order_of_the_question_does_not_change_the_answer(city: tuple[str, Roads, np.ndarray, dict[str, np.ndarray]]) -> None:
    _, engine, places, _ = city
    for mode in ("walk", "ebike", "drive"):
        whole = engine.matrix(places[:12], places[:30], mode)
        for i in (0, 7):
            one = engine.matrix(places[i : i + 1], places[:30], mode)
            assert np.allclose(one.seconds[0], whole.seconds[i], atol=1e-6, equal_nan=True)
        column = engine.matrix(places[:12], places[3:5], mode)
        assert np.allclose(column.seconds, whole.seconds[:, 3:5], atol=1e-6)
        assert np.allclose(column.metres, whole.metres[:, 3:5], atol=1.0)
