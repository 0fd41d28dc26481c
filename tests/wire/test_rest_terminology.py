"""Terminology over our own value sets, matching of persons, and the newest Observations of each code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client

from healthsvc.fhir.systems import BASE, code_system
from healthsvc.installation import publish_conformance
from healthsvc.store import Database

LIVING = code_system("living-arrangement")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The language and what we publish, without the rooms' rules."""
    folder: Path = tmp_path_factory.mktemp("terminology")
    database = Database.open(f"sqlite:///{folder}/healthsvc.sqlite")
    publish_conformance(database)
    with fhir_client(database, folder) as opened:
        yield opened
    database.close()


def values(parameters: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: next((v for k, v in one.items() if k.startswith("value")), one.get("part")) for one in parameters["parameter"]}


def test_expand_our_value_sets(client: httpx.Client) -> None:
    by_id = client.get("/ValueSet/living-arrangement/$expand").json()
    assert [one["display"] for one in by_id["expansion"]["contains"]][:2] == ["独居", "夫妻空巢"]
    assert by_id["expansion"]["total"] == 5
    url = f"{BASE}/ValueSet/living-arrangement"
    english = client.get("/ValueSet/$expand", params={"url": url, "displayLanguage": "en-GB", "filter": "spouse"}).json()
    assert [(one["code"], one["display"]) for one in english["expansion"]["contains"]] == [("couple-alone", "With the spouse only")]
    page = client.get("/ValueSet/$expand", params={"url": url, "offset": "1", "count": "2", "includeDesignations": "true"}).json()
    assert [one["code"] for one in page["expansion"]["contains"]] == ["couple-alone", "with-family"]
    assert page["expansion"]["contains"][0]["designation"][0]["language"] == "en"
    assert client.get("/ValueSet/$expand", params={"url": "http://nobody.example/x"}).status_code == 404
    assert client.get("/ValueSet/$expand").status_code == 404
    assert client.get("/ValueSet/$expand", params={"url": url, "nonsense": "1"}).status_code == 400
    for one in client.get("/ValueSet", params={"_count": "500", "url:below": BASE}).json()["entry"]:
        assert client.get(f"/ValueSet/{one['resource']['id']}/$expand").status_code == 200, one["resource"]["id"]


def test_value_sets_that_are_put_together(client: httpx.Client) -> None:
    def stored(id: str, **compose: Any) -> None:
        made = {"resourceType": "ValueSet", "id": id, "url": f"http://x.example/{id}", "status": "active", "compose": compose}
        client.put(f"/ValueSet/{id}", json=made).raise_for_status()

    stored("some", include=[{"system": LIVING, "concept": [{"code": "alone"}, {"code": "institution", "display": "养老院"}]}])
    stored("rest", include=[{"valueSet": [f"{BASE}/ValueSet/living-arrangement"]}], exclude=[{"valueSet": ["http://x.example/some"]}])
    stored("loop", include=[{"valueSet": ["http://x.example/loop"]}])
    stored("loinc", include=[{"system": "http://loinc.org"}])
    stored("filtered", include=[{"system": LIVING, "filter": [{"property": "concept", "op": "regex", "value": "alone"}]}])

    def codes(id: str) -> list[tuple[str, str]]:
        found = client.get(f"/ValueSet/{id}/$expand").json()["expansion"]["contains"]
        return [(one["code"], one["display"]) for one in found]

    assert codes("some") == [("alone", "独居"), ("institution", "养老院")]
    assert [code for code, _ in codes("rest")] == ["couple-alone", "with-family", "with-carer"]
    for id in ("loop", "loinc", "filtered"):
        refused = client.get(f"/ValueSet/{id}/$expand")
        assert (refused.status_code, refused.json()["issue"][0]["code"]) == (400, "not-supported"), id


def test_validate_and_look_up_codes(client: httpx.Client) -> None:
    url = f"{BASE}/ValueSet/living-arrangement"
    ask = {"url": url, "system": LIVING, "code": "alone"}
    assert values(client.get("/ValueSet/$validate-code", params=ask).json()) == {"result": True, "display": "独居"}
    assert values(client.get("/ValueSet/$validate-code", params={**ask, "display": "Alone"}).json())["result"] is True
    assert values(client.get("/ValueSet/$validate-code", params={**ask, "display": "别的"}).json())["result"] is False
    assert values(client.get("/ValueSet/$validate-code", params={**ask, "code": "nonsense"}).json())["result"] is False
    concept = {"coding": [{"system": "http://other", "code": "x"}, {"system": LIVING, "code": "with-carer"}]}
    body = {"resourceType": "Parameters", "parameter": [{"name": "codeableConcept", "valueCodeableConcept": concept}]}
    assert values(client.post("/ValueSet/living-arrangement/$validate-code", json=body).json())["result"] is True
    in_system = client.get("/CodeSystem/$validate-code", params={"url": LIVING, "code": "alone"})
    assert values(in_system.json())["result"] is True
    assert client.get("/ValueSet/$validate-code", params={"url": url}).status_code == 400
    coding = {"resourceType": "Parameters", "parameter": [{"name": "coding", "valueCoding": {"system": LIVING, "code": "alone"}}]}
    found = values(client.post("/CodeSystem/$lookup", json=coding).json())
    assert (found["display"], found["designation"][1]["valueString"]) == ("独居", "Alone")
    assert client.get("/CodeSystem/$lookup", params={"system": LIVING, "code": "nonsense"}).status_code == 404
    assert client.get("/CodeSystem/$lookup", params={"system": "http://loinc.org", "code": "8480-6"}).status_code == 404


def test_match(client: httpx.Client) -> None:
    def person(name: str, born: str, **more: Any) -> dict[str, Any]:
        return {"resourceType": "Patient", "name": [{"text": name}], "gender": "male", "birthDate": born, **more}

    phone = [{"system": "phone", "value": "13800000000"}]
    same = client.post("/Patient", json=person("王珊珊", "1934-05-01", telecom=phone)).json()["id"]
    near = client.post("/Patient", json=person("王姗姗", "1934-05-01")).json()["id"]
    client.post("/Patient", json=person("李国安", "1934-05-02"))
    ask = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": person("王珊珊", "1934-05-01", telecom=phone)}]}

    def grades(answer: httpx.Response) -> list[tuple[str, str]]:
        assert answer.status_code == 200, answer.text
        return [(one["resource"]["id"], one["search"]["extension"][0]["valueCode"]) for one in answer.json().get("entry", ())]

    found = grades(client.post("/Patient/$match", json=ask))
    assert found == [(same, "probable"), (near, "possible")]
    scores = [one["search"]["score"] for one in client.post("/Patient/$match", json=ask).json()["entry"]]
    assert scores == sorted(scores, reverse=True)
    certain = {"name": "onlyCertainMatches", "valueBoolean": True}
    assert grades(client.post("/Patient/$match", json={**ask, "parameter": [*ask["parameter"], certain]})) == []
    assert (
        len(grades(client.post("/Patient/$match", json={**ask, "parameter": [*ask["parameter"], {"name": "count", "valueInteger": 1}]})))
        == 1
    )
    assert client.post("/Patient/$match", json={"resourceType": "Patient", "gender": "x"}).status_code == 422


def test_the_newest_of_each_code(client: httpx.Client) -> None:
    patient = client.post("/Patient", json={"resourceType": "Patient", "name": [{"text": "周"}]}).json()["id"]
    for number in range(6):
        code = {"coding": [{"system": "http://loinc.org", "code": ("8480-6", "8462-4")[number % 2]}]}
        made = {"resourceType": "Observation", "status": "final", "code": code, "effectiveDateTime": f"2026-03-0{number + 1}"}
        client.post("/Observation", json={**made, "subject": {"reference": f"Patient/{patient}"}}).raise_for_status()

    def days(**asked: str) -> list[str]:
        answer = client.get("/Observation/$lastn", params={"patient": patient, **asked})
        return sorted(one["resource"]["effectiveDateTime"][-2:] for one in answer.json().get("entry", ()))

    assert days() == ["05", "06"]
    assert days(max="2") == ["03", "04", "05", "06"]
    assert days(code="http://loinc.org|8480-6") == ["05"]
    assert client.get("/Observation/$lastn").status_code == 400
    assert client.get("/Observation/$lastn", params={"patient": patient, "nonsense": "1"}).status_code == 400


DEVICES = "urn:example:devices"
ORDERED = {
    "resourceType": "CodeSystem",
    "id": "devices",
    "url": DEVICES,
    "status": "active",
    "content": "complete",
    "hierarchyMeaning": "is-a",
    "concept": [
        {"code": "monitor", "concept": [{"code": "cuff", "concept": [{"code": "wrist-cuff"}]}, {"code": "oximeter"}]},
        {"code": "watch", "property": [{"code": "parent", "valueCode": "oximeter"}, {"code": "child", "valueCode": "ring"}]},
        {"code": "ring"},
    ],
}


@pytest.fixture(scope="module")
def ordered(client: httpx.Client) -> httpx.Client:
    client.put("/CodeSystem/devices", json=ORDERED).raise_for_status()
    client.put(
        "/CodeSystem/parts", json={**ORDERED, "id": "parts", "url": "urn:example:parts", "hierarchyMeaning": "part-of"}
    ).raise_for_status()
    for code in ("monitor", "cuff", "wrist-cuff", "oximeter", "watch", "ring"):
        said = {"coding": [{"system": DEVICES, "code": code}]}
        client.put(f"/Basic/{code}", json={"resourceType": "Basic", "id": code, "code": said}).raise_for_status()
    return client


@pytest.mark.parametrize(
    ("modifier", "code", "wanted"),
    [
        ("below", "monitor", {"monitor", "cuff", "wrist-cuff", "oximeter", "watch", "ring"}),
        ("below", "cuff", {"cuff", "wrist-cuff"}),
        ("below", "oximeter", {"oximeter", "watch", "ring"}),
        ("above", "ring", {"ring", "watch", "oximeter", "monitor"}),
        ("above", "monitor", {"monitor"}),
    ],
)
def test_a_code_is_searched_with_what_stands_above_or_below_it(ordered: httpx.Client, modifier: str, code: str, wanted: set[str]) -> None:
    found = ordered.get("/Basic", params={f"code:{modifier}": f"{DEVICES}|{code}"}).raise_for_status().json()
    assert {one["resource"]["id"] for one in found["entry"]} == wanted


@pytest.mark.parametrize("value", ["monitor", "urn:nobody|x", "urn:example:parts|monitor", "|monitor", f"{DEVICES}|"])
def test_what_is_not_known_of_a_hierarchy_is_said_and_not_searched(ordered: httpx.Client, value: str) -> None:
    answer = ordered.get("/Basic", params={"code:below": value})
    assert answer.status_code == 400
    assert "the code of the search" in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("monitor", "ring", "subsumes"),
        ("ring", "monitor", "subsumed-by"),
        ("cuff", "cuff", "equivalent"),
        ("cuff", "ring", "not-subsumed"),
    ],
)
def test_one_code_subsumes_another(ordered: httpx.Client, first: str, second: str, outcome: str) -> None:
    asked = {"system": DEVICES, "codeA": first, "codeB": second}
    assert values(ordered.get("/CodeSystem/$subsumes", params=asked).json())["outcome"] == outcome
    codings = [{"name": f"coding{side}", "valueCoding": {"system": DEVICES, "code": code}} for side, code in (("A", first), ("B", second))]
    body = {"resourceType": "Parameters", "parameter": codings}
    assert values(ordered.post("/CodeSystem/$subsumes", json=body).json())["outcome"] == outcome
    by_id = ordered.get("/CodeSystem/devices/$subsumes", params={"codeA": first, "codeB": second}).json()
    assert values(by_id)["outcome"] == outcome
    assert ordered.get("/CodeSystem/$subsumes", params={**asked, "codeB": "nothing"}).status_code == 404


def test_a_value_set_chooses_by_the_hierarchy(ordered: httpx.Client) -> None:
    def chosen(op: str) -> list[str]:
        part = {"system": DEVICES, "filter": [{"property": "concept", "op": op, "value": "oximeter"}]}
        made = {"resourceType": "ValueSet", "id": "some", "url": "urn:example:some", "status": "active", "compose": {"include": [part]}}
        ordered.put("/ValueSet/some", json=made).raise_for_status()
        answer = ordered.get("/ValueSet/some/$expand")
        return (
            sorted(one["code"] for one in answer.json()["expansion"]["contains"])
            if answer.status_code == 200
            else [str(answer.status_code)]
        )

    assert chosen("is-a") == ["oximeter", "ring", "watch"]
    assert chosen("descendent-of") == ["ring", "watch"]
    assert chosen("regex") == ["400"]
