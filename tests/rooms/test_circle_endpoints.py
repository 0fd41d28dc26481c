"""The circle over a real socket: every route answers, datums are asked for, roles are kept, nothing infinite reaches JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from serving import NO_TLS, serving

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.circle import service, town
from healthsvc.circle.endpoints import router
from healthsvc.config import Settings
from healthsvc.errors import Refusal
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.datum import Datum, from_wgs84
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TOWN = town.town()


@pytest.fixture
def people(database: Database) -> list[str]:
    """Three stations and twenty people."""
    found = []
    with database.writing(SYSTEM, at=AT) as store:
        for place in TOWN.stations[:3]:
            kind = {"coding": [{"system": code_system("service-point"), "code": "station"}]}
            store.put({"resourceType": "Location", "id": place.id, "status": "active", "name": place.name, "type": [kind]})
            service.locate_station(store, place.id, place.lon, place.lat, "WGS-84", "test")
        for place in TOWN.homes[:20]:
            person = Person(name="测试", category=Category.TUIXIU, residence_area=place.community)
            id = str(register(store, person, "urn:test").patient["id"])
            service.locate_home(store, id, place.lon, place.lat, "WGS-84", "test")
            found.append(id)
    return found


@pytest.fixture
def client(database: Database, people: list[str], tmp_path: Path) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.database, app.state.settings, app.state.policy = database, Settings(data=tmp_path), database.policy
    app.include_router(router)

    @app.exception_handler(Refusal)
    def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"text": refusal.text, "reason": refusal.reason}, status_code=refusal.status)

    with database.writing(SYSTEM, at=clock.now()) as store:
        secret = tokens.issue_token(store, "coordinator", "test", 2)
    with (
        serving(app) as base,
        httpx.Client(base_url=base, headers={"authorization": f"Bearer {secret}"}, timeout=30, verify=NO_TLS) as opened,
    ):
        yield opened


def test_status_names_the_engine_the_data_and_who_stands_behind(client: httpx.Client) -> None:
    told = client.get("/api/circle/status").json()
    assert told["engine"] == "healthsvc roads"
    assert told["roads"]["invented"] is True
    assert told["roads"]["attribution"]
    assert told["outside_the_data"]["engine"] == "estimate"
    assert (told["limit_minutes"], told["mode"]) == (10, "walk")


def test_a_matrix_in_gcj02_is_the_matrix_in_wgs84(client: httpx.Client) -> None:
    start, ends = TOWN.stations[0], [*TOWN.homes[:4], TOWN.hospital]
    wgs = {"origins": [[start.lon, start.lat]], "destinations": [[p.lon, p.lat] for p in ends], "mode": "ebike", "datum": "WGS-84"}
    shown = {
        **wgs,
        "datum": "gcj02",
        "origins": [from_wgs84(start.lon, start.lat, Datum.GCJ02)],
        "destinations": [from_wgs84(p.lon, p.lat, Datum.GCJ02) for p in ends],
    }
    plain, converted = (client.post("/api/circle/matrix", json=body).json() for body in (wgs, shown))
    assert plain["basis"] == [["road"] * 5]
    assert converted["seconds"][0] == pytest.approx(plain["seconds"][0], abs=0.1)
    assert plain["provenance"]["network"] == town.network()[1]["sha256"]
    refused = client.post("/api/circle/matrix", json={**wgs, "datum": None})
    assert (refused.status_code, refused.json()["reason"]) == (422, "datum-undeclared")


def test_a_matrix_to_far_away_is_an_estimate_and_unknown_numbers_are_null(client: httpx.Client) -> None:
    start = TOWN.stations[0]
    body = {
        "origins": [[start.lon, start.lat]],
        "destinations": [[121.47, 31.23], [start.lon, start.lat]],
        "mode": "walk",
        "datum": "WGS-84",
    }
    told = client.post("/api/circle/matrix", json=body).json()
    assert told["basis"] == [["estimate", "road"]]
    assert told["destinations"][0]["doubts"] == ["snapped-far", "outside-data"]
    assert told["provenance"]["estimate"]["formula"] == "30 s + 1.3 d at 4 km/h"
    limited = client.post(
        "/api/circle/matrix", json={**body, "destinations": [[p.lon, p.lat] for p in TOWN.homes[:30]], "limit_seconds": 60}
    )
    assert None in limited.json()["seconds"][0]


def test_coverage_is_measured_kept_and_read_back(client: httpx.Client, people: list[str]) -> None:
    now = client.get("/api/circle/coverage", params={"homes": True}).json()
    assert now["total"]["people"] == len(now["homes"]) == 20
    assert sum(one["people"] for one in now["by_community"]) == 20
    assert [one["key"] for one in now["by_group"]] == ["tuixiu"]
    before = client.get("/api/circle/coverage", params={"kept": True}).json()
    assert before["not_measured"] == 20
    assert client.post("/api/circle/coverage").json()["total"] == now["total"]
    after = client.get("/api/circle/coverage", params={"kept": True}).json()
    assert (after["not_measured"], after["total"], after["gaps"]) == (0, now["total"], now["gaps"])
    one = client.get(f"/api/circle/home/{people[0]}").json()
    assert one["provenance"]["engine"] == "healthsvc roads"
    assert one["verdict"] in {"inside", "outside"}
    drawn = client.get("/api/circle/coverage.geojson").json()
    assert {feature["properties"]["kind"] for feature in drawn["features"]} == {"home", "station"}
    assert not any("name" in feature["properties"] for feature in drawn["features"] if feature["properties"]["kind"] == "home")


def test_a_move_is_measured_at_once(client: httpx.Client, people: list[str]) -> None:
    away = TOWN.homes[400]
    shown = from_wgs84(away.lon, away.lat, Datum.BD09)
    moved = {"longitude": shown[0], "latitude": shown[1], "datum": "BD-09", "source": "Baidu"}
    told = client.put(f"/api/circle/home/{people[0]}", json=moved)
    assert told.status_code == 200
    assert told.json()["measured"] is True
    assert client.get(f"/api/circle/home/{people[0]}").json()["seconds"] == told.json()["seconds"]
    assert client.put(f"/api/circle/home/{people[0]}", json={**moved, "datum": None}).status_code == 422
    assert client.put(f"/api/circle/home/{people[0]}", json={**moved, "source": ""}).json()["reason"] == "source-undeclared"


def test_siting_reach_and_roads(client: httpx.Client) -> None:
    study = client.post("/api/circle/siting", json={"count": 1, "keep": True}).json()
    assert study["proven"] is True
    assert study["gap"] == 0
    assert study["kept_as"].startswith("List/siting-walk-1-")
    total = client.get("/api/circle/coverage").json()["total"]
    assert study["already_inside"] == total["inside"]
    assert study["already_inside"] + len(study["gained"]) + len(study["outside"]) + len(study["unreachable"]) == total["people"]
    wanted = [{"name": "甲", "longitude": TOWN.hospital.lon, "latitude": TOWN.hospital.lat}]
    given = client.post("/api/circle/siting", json={"candidates": wanted, "datum": "WGS-84"}).json()
    assert [one["name"] for one in given["places"]] == ["甲"]
    assert client.post("/api/circle/siting", json={"candidates": wanted}).status_code == 422
    ground = client.get("/api/circle/reach", params={"station": TOWN.stations[0].id, "minutes": 10}).json()
    assert ground["geometry"]["type"] == "MultiPolygon"
    assert 0.2 < ground["properties"]["square_km"] < 3
    assert client.get("/api/circle/reach", params={"station": "nowhere"}).status_code == 404
    lines = client.get("/api/circle/roads.geojson").json()
    assert lines["attribution"]
    assert {"river", "community"} <= {feature["properties"]["kind"] for feature in lines["features"]}
    part = client.get("/api/circle/roads.geojson", params={"bbox": "121.59,30.445,121.60,30.455", "detail": 3}).json()
    assert 0 < len(part["features"]) < len(lines["features"])
    assert client.get("/api/circle/roads.geojson", params={"bbox": "1,2,3"}).status_code == 422


def test_the_bureau_sees_roads_and_no_homes(client: httpx.Client, database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        secret = tokens.issue_token(store, "bureau", "test", 2)
    bureau = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/circle/roads.geojson", headers=bureau).status_code == 200
    for path in ("/api/circle/coverage", "/api/circle/coverage.geojson"):
        assert client.get(path, headers=bureau).status_code == 403
    assert client.post("/api/circle/siting", headers=bureau, json={}).status_code == 403
