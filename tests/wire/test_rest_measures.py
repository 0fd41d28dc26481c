"""Measures published and reckoned over FHIR: by type, by id, as summary, as a list of people, for one person; the bureau sees no names."""

from datetime import date
from pathlib import Path

import httpx
import pytest
from fhirserver import fhir_client

from healthsvc import clock
from healthsvc.contract import service as contracts
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.indicators.rules import MEASURES
from healthsvc.installation import publish_conformance
from healthsvc.store import SYSTEM, Database


def today() -> date:
    return clock.now().astimezone(clock.zone(clock.DEFAULT_ZONE)).date()


@pytest.fixture
def people(database: Database) -> list[str]:
    publish_conformance(database)
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Practitioner", "id": "d1"})
        names = ("测试甲", "测试乙", "测试丙")
        found = [str(register(store, Person(name, category=Category.LIXIU), "urn:test").patient["id"]) for name in names]
        contracts.sign(store, found[0], "Practitioner/d1", None, today())
        return found


def report(answer: httpx.Response) -> dict[str, object]:
    assert answer.status_code == 200, answer.text
    made: dict[str, object] = answer.json()
    assert [one.text for one in validate(made, Registry.load()) if one.severity == "error"] == []
    return made


def counts(made: dict[str, object]) -> dict[str, int]:
    populations = made["group"][0]["population"]  # type: ignore[index]
    return {one["code"]["coding"][0]["code"]: one["count"] for one in populations}


def test_measures_are_published_and_reckoned(database: Database, tmp_path: Path, people: list[str]) -> None:
    with fhir_client(database, tmp_path, role="doctor") as client:
        published = client.get("/Measure", params={"_count": 100}).json()
        assert {one["resource"]["id"] for one in published["entry"]} == {one.code for one in MEASURES}
        summary = report(client.get("/Measure/signing/$evaluate-measure"))
        assert counts(summary) == {"initial-population": 3, "denominator": 3, "denominator-exclusion": 0, "numerator": 1}
        url = client.get("/Measure/signing").json()["url"]
        days = {"periodStart": today().replace(day=1).isoformat(), "periodEnd": today().isoformat()}
        by_type = report(client.get("/Measure/$evaluate-measure", params={"measure": f"{url}|1", **days}))
        assert by_type["group"] == summary["group"]
        listed = report(client.get("/Measure/signing/$evaluate-measure", params={"reportType": "subject-list"}))
        named = {one["id"]: [it["item"]["reference"] for it in one.get("entry", ())] for one in listed["contained"]}  # type: ignore[attr-defined]
        assert named["numerator"] == [f"Patient/{people[0]}"]
        body = {"resourceType": "Parameters", "parameter": [
            {"name": "reportType", "valueCode": "subject"}, {"name": "subject", "valueString": f"Patient/{people[1]}"},
            {"name": "periodEnd", "valueDate": today().isoformat()}]}  # fmt: skip
        alone = report(client.post("/Measure/signing/$evaluate-measure", json=body))
        assert alone["type"] == "individual"
        assert counts(alone)["numerator"] == 0
        assert counts(alone)["denominator"] == 1
        for wrong, status in (({"reportType": "gossip"}, 422), ({"reportType": "subject"}, 422), ({"periodEnd": "yesterday"}, 422)):
            assert client.get("/Measure/signing/$evaluate-measure", params=wrong).status_code == status
        assert client.get("/Measure/$evaluate-measure").status_code == 422
        assert client.get("/Measure/happiness/$evaluate-measure").status_code == 404
        statement = client.get("/metadata").json()
        measure = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Measure")
        assert "evaluate-measure" in {one["name"] for one in measure["operation"]}


def test_the_bureau_reckons_and_names_nobody(database: Database, tmp_path: Path, people: list[str]) -> None:
    with fhir_client(database, tmp_path, role="bureau") as client:
        assert client.get("/Measure/signing").status_code == 200
        answer = client.get("/Measure/signing/$evaluate-measure")
        assert counts(report(answer))["denominator"] == 3
        for kind in ({"reportType": "subject-list"}, {"reportType": "subject", "subject": f"Patient/{people[0]}"}):
            assert client.get("/Measure/signing/$evaluate-measure", params=kind).status_code == 403
        for id in people:
            assert id not in answer.text
    with fhir_client(database, tmp_path, role="hospital-window") as client:
        assert client.get("/Measure/signing/$evaluate-measure").status_code == 403
