"""Valhalla behind the protocol, against a real HTTP server that speaks its answer format: both matrix forms, nulls, parts, errors."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from healthsvc import policy
from healthsvc.circle.coverage import Home, Station, measure
from healthsvc.circle.policy import policy_values
from healthsvc.circle.providers import Composite, site_roads, travel_times, use
from healthsvc.circle.rules import Basis, Verdict
from healthsvc.circle.travel import ESTIMATE, NO_PATH, ROAD, Estimate, straight
from healthsvc.errors import Invalid, Unavailable
from integrations.roads.valhalla import Valhalla

POLICY = policy_values(policy.load(), date(2026, 1, 1))
RIVER = 121.6
"""West of this meridian and east of it there is no way over."""
EDGE = 122.0
"""East of this there are no roads."""


class Service(BaseHTTPRequestHandler):
    """Answers as Valhalla does: straight ways at the speed asked for, none across the river, nothing near beyond the edge."""

    verbose = False
    questions: list[tuple[str, dict[str, Any]]]
    broken: tuple[int, bytes] | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.path.strip("/").split("/")[-1]
        type(self).questions.append((action, body))
        if self.broken and action == "sources_to_targets":
            self._answer(*self.broken)
            return
        self._answer(200, json.dumps(getattr(self, action)(body)).encode())

    def status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"version": "3.9.1", "tileset_last_modified": 1_754_700_000}

    def locate(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for one in body["locations"]:
            edge = {"correlated_lat": one["lat"] + 1e-4, "correlated_lon": one["lon"], "way_id": 1}
            found.append({"input_lat": one["lat"], "input_lon": one["lon"], "nodes": None, "edges": None if one["lon"] > EDGE else [edge]})
        return found

    def sources_to_targets(self, body: dict[str, Any]) -> dict[str, Any]:
        start, end = ([(one["lon"], one["lat"]) for one in body[key]] for key in ("sources", "targets"))
        kilometres = straight(np.array(start), np.array(end)) / 1000
        seconds = kilometres * 3600 / body["costing_options"]["pedestrian"]["walking_speed"]
        cut = [[(a[0] < RIVER) != (b[0] < RIVER) for b in end] for a in start]

        def cells(values: np.ndarray, places: int) -> list[list[float | None]]:
            rows = zip(cut, values.tolist(), strict=True)
            return [[None if no else round(value, places) for no, value in zip(*row, strict=True)] for row in rows]

        times, ways = cells(seconds, 0), cells(kilometres, 3)
        found: Any = {"durations": times, "distances": ways}
        if self.verbose:
            found = [
                [{"time": times[i][j], "distance": ways[i][j], "from_index": i, "to_index": j} for j in range(len(end))]
                for i in range(len(start))
            ]
        return {"sources_to_targets": found, "units": "kilometers", "algorithm": "timedistancematrix"}

    def isochrone(self, body: dict[str, Any]) -> dict[str, Any]:
        (at,) = body["locations"]
        ring = [[at["lon"] + x / 100, at["lat"] + y / 100] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"contour": 10}, "geometry": shape}]}

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[tuple[type[Service], str]]:
    handler = type("Answering", (Service,), {"questions": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.mark.parametrize("verbose", [False, True])
def test_both_forms_of_a_matrix_are_read(service: tuple[type[Service], str], verbose: bool) -> None:
    handler, url = service
    handler.verbose = verbose
    found = Valhalla(url, POLICY).matrix([(121.59, 30.45)], [(121.58, 30.45), (121.61, 30.45), (123.0, 30.45)], "walk")
    assert found.basis[0].tolist() == [ROAD, NO_PATH, NO_PATH]
    assert found.metres[0, 0] == pytest.approx(958.6, abs=1)
    assert found.seconds[0, 0] == pytest.approx(958.6 * 3.6 / 4, abs=1)
    assert np.isinf(found.seconds[0, 1:]).all()
    assert found.destinations.outside.tolist() == [False, False, True]
    assert found.origins.metres[0] == pytest.approx(11.1, abs=0.1)
    assert found.provenance["engine"] == "valhalla 3.9.1 timedistancematrix"
    assert (found.provenance["data_date"], found.provenance["kmh"]) == ("2025-08-09", 4.0)


def test_large_questions_are_asked_in_parts(service: tuple[type[Service], str]) -> None:
    handler, url = service
    chance = np.random.default_rng(1)
    start, end = (np.column_stack([chance.uniform(121.5, 121.7, n), chance.uniform(30.4, 30.5, n)]) for n in (7, 11))
    whole = Valhalla(url, POLICY).matrix(start, end, "walk")
    handler.questions.clear()
    for pairs in (1, 5, 24):
        parts = Valhalla(url, POLICY, pairs=pairs).matrix(start, end, "walk")
        assert np.array_equal(parts.seconds, whole.seconds)
        assert np.array_equal(parts.basis, whole.basis)
    asked = [len(body["sources"]) * len(body["targets"]) for action, body in handler.questions if action == "sources_to_targets"]
    assert max(asked) <= 24
    assert np.isinf(Valhalla(url, POLICY).matrix(start, end, "walk", limit=60).seconds).sum() > np.isinf(whole.seconds).sum()


def test_behind_it_stands_the_estimate_and_the_circle_says_which(service: tuple[type[Service], str]) -> None:
    _, url = service
    times = Composite(Valhalla(url, POLICY), Estimate(POLICY))
    homes = [Home("near", 121.595, 30.45), Home("over", 121.601, 30.45), Home("away", 122.001, 30.45)]
    found = measure(times, homes, [Station("s", "站", 121.599, 30.45)], "walk", POLICY)
    assert [one.membership.verdict for one in found.answers] == [Verdict.INSIDE, Verdict.ASK, Verdict.ESTIMATED_OUTSIDE]
    assert times.matrix([(121.599, 30.45)], [(122.5, 30.45)], "walk").basis[0, 0] == ESTIMATE
    assert str(times.status()).startswith("valhalla 3.9.1")


def test_a_site_that_chose_it_is_answered_by_it_and_still_draws_its_own_roads(service: tuple[type[Service], str]) -> None:
    _, url = service
    use(partial(Valhalla, url))
    try:
        assert str(travel_times(None).status()).startswith("valhalla")
        assert site_roads(None).status().engine == "healthsvc roads"
    finally:
        use(None)
    assert travel_times(None).status().engine == "healthsvc roads"


def test_reach_is_the_isochrone(service: tuple[type[Service], str]) -> None:
    handler, url = service
    ground = Valhalla(url, POLICY).reach((121.59, 30.45), "ebike", 10)
    assert ground.basis is Basis.ROAD
    assert ground.square_km == pytest.approx(1.066, abs=0.01)
    (asked,) = (body for action, body in handler.questions if action == "isochrone")
    assert asked["contours"] == [{"time": 10}]
    assert asked["costing"] == "bicycle"
    assert Valhalla(url, POLICY).reach((123.0, 30.45), "walk", 10).basis is Basis.NO_PATH


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error_code":154,"error":"Path distance exceeds the max distance limit","status_code":400}', "error code 154"),
        (200, b"<html>", "no JSON"),
        (200, b'{"sources_to_targets":{"durations":[[1,2]],"distances":[[1,2]]}}', "instead of"),
        (200, b'{"trip":{}}', "without a matrix"),
    ],
)
def test_what_the_service_cannot_say_is_refused_in_words(service: tuple[type[Service], str], status: int, body: bytes, said: str) -> None:
    handler, url = service
    handler.broken = (status, body)
    with pytest.raises(Unavailable, match=said):
        Valhalla(url, POLICY).matrix([(121.59, 30.45)], [(121.58, 30.45)], "walk")


def test_a_service_that_is_not_there_says_so() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        Valhalla("http://127.0.0.1:9", POLICY, timeout=2).matrix([(121.59, 30.45)], [(121.58, 30.45)], "walk")


@pytest.mark.parametrize("url", ["http://routes.example", "https://127.0.0.1:8002", "http://192.0.2.7:8002", "file:///x", "127.0.0.1:8002"])
def test_homes_leave_for_no_other_machine(url: str) -> None:
    with pytest.raises(Invalid, match="this machine"):
        Valhalla(url, POLICY)
