"""What clients do that nobody here wrote: each of these was met with the HAPI client, fhir-kit-client or curl."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client

from healthsvc.store import Database

PATIENT: dict[str, Any] = {"resourceType": "Patient", "name": [{"text": "单田芳"}], "identifier": [{"system": "urn:x", "value": "1"}]}
LIMIT = 1 << 16


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, new_database_url: Callable[[], str]) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("strangers")
    database = Database.open(new_database_url())
    with fhir_client(database, folder, request_limit=LIMIT) as opened:
        yield opened
    database.close()


def _made(client: httpx.Client, resource: dict[str, Any] = PATIENT) -> dict[str, Any]:
    answer = client.post(f"/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_if_match_may_name_several_versions(client: httpx.Client) -> None:
    one = _made(client)
    path = f"/Patient/{one['id']}"
    assert client.put(path, json={**one, "active": True}, headers=[("If-Match", 'W/"1"'), ("If-Match", 'W/"7"')]).status_code == 200
    assert client.put(path, json={**one, "active": False}, headers={"If-Match": 'W/"1", W/"7"'}).status_code == 412
    assert client.put(path, json={**one, "active": False}, headers={"If-Match": 'W/"1", x'}).status_code == 400
    assert client.delete(path, headers={"If-Match": 'W/"9", "2"'}).status_code == 204


def test_if_match_any_wants_something_to_be_there(client: httpx.Client) -> None:
    assert client.put("/Patient/nobody", json={**PATIENT, "id": "nobody"}, headers={"If-Match": "*"}).status_code == 412
    one = _made(client)
    assert client.put(f"/Patient/{one['id']}", json={**one, "active": True}, headers={"If-Match": "*"}).status_code == 200


def test_a_search_address_takes_get_too(client: httpx.Client) -> None:
    one = _made(client)
    by_get, by_form = client.get(f"/Patient/_search?_id={one['id']}"), client.post("/Patient/_search", data={"_id": one["id"]})
    assert [entry["resource"] for entry in by_get.json()["entry"]] == [one] == [entry["resource"] for entry in by_form.json()["entry"]]
    assert client.get(f"/_search?_type=Patient&_id={one['id']}").json()["entry"][0]["resource"] == one


def test_tags_are_put_on_and_taken_off(client: httpx.Client) -> None:
    path = f"/Patient/{_made(client, {**PATIENT, 'meta': {'tag': [{'system': 'urn:t', 'code': 'a'}]}})['id']}"

    def change(name: str, **meta: Any) -> httpx.Response:
        return client.post(f"{path}/${name}", json={"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})

    more = change("meta-add", tag=[{"system": "urn:t", "code": "a"}, {"system": "urn:t", "code": "b"}], profile=["http://x.example/p"])
    assert more.status_code == 200, more.text
    meta = more.json()["parameter"][0]["valueMeta"]
    assert [one["code"] for one in meta["tag"]] == ["a", "b"]
    assert (meta["profile"], meta["versionId"]) == (["http://x.example/p"], "2")
    less = change(
        "meta-delete", tag=[{"system": "urn:t", "code": "a"}, {"system": "urn:other", "code": "b"}], profile=["http://x.example/p"]
    )
    assert [one["code"] for one in less.json()["parameter"][0]["valueMeta"]["tag"]] == ["b"]
    assert client.get(path).json()["meta"]["versionId"] == "3"
    assert "profile" not in client.get(path).json()["meta"]
    assert change("meta-delete", tag=[{"code": "z"}]).json()["parameter"][0]["valueMeta"]["versionId"] == "3"
    assert client.post(f"{path}/$meta-add", json={"resourceType": "Parameters"}).status_code == 400
    nothing = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {}}]}
    assert client.post("/Patient/nobody/$meta-add", json=nothing).status_code == 404


def test_a_binary_is_sent_and_fetched_as_its_bytes(client: httpx.Client) -> None:
    said = "你好".encode()
    made = client.post("/Binary", content=said, headers={"Content-Type": "text/plain; charset=utf-8", "X-Security-Context": "Patient/p1"})
    assert made.status_code == 201, made.text
    path = f"/Binary/{made.json()['id']}"
    assert made.json()["contentType"] == "text/plain; charset=utf-8"
    assert made.json()["securityContext"] == {"reference": "Patient/p1"}
    for accept in ("text/plain", "image/png, text/plain;q=0.5"):
        plain = client.get(path, headers={"Accept": accept})
        assert (plain.content, plain.headers["content-type"]) == (said, "text/plain; charset=utf-8")
        assert plain.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert plain.headers["content-disposition"] == "attachment"
        assert plain.headers["etag"] == 'W/"1"'
    assert client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}).json()["resourceType"] == "Binary"
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert client.get("/Patient", headers={"Accept": "text/plain"}).status_code in (200, 406)
    again = client.put(path, content=b"\x00\xff", headers={"Content-Type": "application/octet-stream"})
    assert again.status_code == 200, again.text
    assert again.json()["securityContext"] == {"reference": "Patient/p1"}, "new bytes are seen by whom the old were"
    assert client.get(path, headers={"Accept": "application/octet-stream"}).content == b"\x00\xff"
    assert client.get(f"{path}/_history/1", headers={"Accept": "text/plain"}).content == said
    assert client.post("/Binary", content=b"<x/>", headers={"Content-Type": "application/fhir+xml"}).status_code == 415
    assert client.post("/Binary", content=b"x", headers={"Content-Type": "nonsense"}).status_code == 400
    assert client.post("/Patient", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_a_body_may_come_packed(client: httpx.Client) -> None:
    def send(body: bytes, encoding: str = "gzip") -> httpx.Response:
        return client.post("/Patient", content=body, headers={"Content-Type": "application/fhir+json", "Content-Encoding": encoding})

    whole = httpx.Request("POST", "http://x", json=PATIENT).content
    assert send(gzip.compress(whole)).json()["name"] == PATIENT["name"]
    assert send(whole, "identity").status_code == 201
    assert send(whole).status_code == 400
    assert send(gzip.compress(whole)[:-12]).status_code == 400
    assert send(whole, "br").status_code == 415
    assert send(gzip.compress(b" " * (LIMIT + 1) + whole)).status_code == 413


def test_the_statement_says_what_a_conditional_delete_does(client: httpx.Client) -> None:
    rest = client.get("/metadata").json()["rest"][0]
    assert {one["conditionalDelete"] for one in rest["resource"] if one["type"] != "AuditEvent"} == {"single"}
    for _ in range(2):
        _made(client, {"resourceType": "Basic", "code": {"text": "x"}, "identifier": [{"value": "twice"}]})
    assert client.delete("/Basic?identifier=twice").status_code == 412
    assert client.delete("/Basic?identifier=twice&_count=5").status_code == 204


def test_a_search_may_name_a_value_set(client: httpx.Client) -> None:
    value_set = {
        "resourceType": "ValueSet",
        "id": "pressures",
        "url": "http://x.example/ValueSet/pressures",
        "status": "active",
        "compose": {"include": [{"system": "http://loinc.org", "concept": [{"code": "8480-6"}, {"code": "8462-4"}]}]},
    }
    assert client.put("/ValueSet/pressures", json=value_set).status_code == 201
    ids = {}
    for code, status in (("8480-6", "final"), ("8462-4", "amended"), ("8867-4", "final")):
        coding = {"system": "http://loinc.org", "code": code}
        made = {"resourceType": "Observation", "status": status, "code": {"coding": [coding]}, "subject": {"reference": "Patient/in"}}
        ids[_made(client, made)["id"]] = code
    client.put("/Patient/in", json={**PATIENT, "id": "in", "gender": "male"})

    def found(query: str) -> set[str]:
        answer = client.get(f"/Observation?subject=Patient/in&{query}")
        assert answer.status_code == 200, answer.text
        assert query.partition("=")[0].replace(":", "%3A") in answer.json()["link"][0]["url"], "what was applied is told"
        return {ids[one["resource"]["id"]] for one in answer.json().get("entry", ())}

    for name in ("http://x.example/ValueSet/pressures", "ValueSet/pressures"):
        assert found(f"code:in={name}") == {"8480-6", "8462-4"}
        assert found(f"code:not-in={name}") == {"8867-4"}
    standard = "http://hl7.org/fhir/ValueSet/observation-status"
    assert len(found(f"status:in={standard}")) == 3
    assert found(f"status:not-in={standard}") == set()
    assert len(found("subject:Patient.gender:in=http://hl7.org/fhir/ValueSet/administrative-gender")) == 3
    assert client.get(f"/ValueSet/$expand?url={standard}").json()["expansion"]["total"] == 8
    unknown = client.get("/Observation?code:in=http://x.example/ValueSet/none")
    assert (unknown.status_code, unknown.json()["issue"][0]["code"]) == (400, "value")


def test_a_quantity_is_found_by_what_its_unit_is_called(client: httpx.Client) -> None:
    quantity = {"value": 140, "unit": "毫米汞柱", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    bare = {"value": 140, "unit": "滴"}
    made = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "identifier": [{"value": "unit"}]}
    first, second = _made(client, {**made, "valueQuantity": quantity})["id"], _made(client, {**made, "valueQuantity": bare})["id"]

    def found(value: str) -> list[str]:
        answer = client.get("/Observation", params={"identifier": "unit", "value-quantity": value})
        return [one["resource"]["id"] for one in answer.json().get("entry", ())]

    assert found("140") == [first, second]
    assert found("140||毫米汞柱") == found("gt139||mm[Hg]") == found("140|http://unitsofmeasure.org|mm[Hg]") == [first]
    assert found("140||滴") == [second]
    assert found("140|http://unitsofmeasure.org|毫米汞柱") == found("140||kg") == found("150||毫米汞柱") == []
