"""The circle by command on the embedded town: figures as people read them and as JSON, the study kept, the ground drawn."""

import json
from pathlib import Path

import pytest
from test_circle_room import HEAD, person, station
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.installation import open_installation
from healthsvc.main import cli


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stations and thirty people."""
    folder = tmp_path_factory.mktemp("circle") / "data"
    here = open_installation(folder)
    with here.database.writing(HEAD, at=clock.now()) as store:
        for index in (0, 3):
            station(store, index)
        for index in range(30):
            person(store, index)
    here.close()
    return folder


def told(data: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, ["circle", *words, "--data", str(data)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_coverage_says_who_lives_inside_and_where_the_gaps_are(data: Path) -> None:
    found = json.loads(told(data, "coverage", "--mode", "walk", "--json"))
    assert found["total"]["people"] == 30
    assert sum(one["people"] for one in found["by_community"]) == 30
    assert "homes" not in found, "counts only"
    shown = told(data, "coverage", "--mode", "walk", "--keep")
    assert "gaps" in shown
    here = open_installation(data)
    with here.database.reading(HEAD, at=clock.now()) as store:
        assert len(store.select("MeasureReport")) == 1
    here.close()


def test_the_study_is_proven_and_kept(data: Path) -> None:
    before = json.loads(told(data, "coverage", "--mode", "walk", "--json"))["total"]["inside"]
    found = json.loads(told(data, "siting", "--count", "2", "--mode", "walk", "--keep", "--json"))
    assert found["proven"]
    assert (found["already_inside"], len(found["places"])) == (before, 2)
    assert found["gained"] > 0
    assert "proven: no choice brings more inside" in told(data, "siting", "--mode", "walk")


def test_the_ground_reached_is_a_feature_and_the_engine_is_named(data: Path, tmp_path: Path) -> None:
    name = json.loads(told(data, "siting", "--json"))["provenance"]
    assert name
    here = open_installation(data)
    with here.database.reading(HEAD, at=clock.now()) as store:
        first = sorted(one["id"] for one in store.select("Location"))[0]
    here.close()
    told(data, "reach", first, "--minutes", "5", "--out", str(tmp_path / "reach.geojson"))
    drawn = json.loads((tmp_path / "reach.geojson").read_text())
    assert drawn["geometry"]["type"] in {"Polygon", "MultiPolygon"}
    assert drawn["properties"]["basis"] == "road"
    assert "limit 10 minutes" in told(data, "status")
    refused = CliRunner().invoke(cli, ["circle", "reach", "nowhere", "--data", str(data)])
    assert "no such station" in str(refused.exception)
