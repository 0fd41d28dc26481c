"""Each FHIR interaction over a real socket, as the standard words it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client

from healthsvc.fhir.systems import profile
from healthsvc.store import Database

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "name": [{"text": "单田芳", "family": "单", "given": ["田芳"]}],
    "birthDate": "1934-12-17",
}
SYSTEM = "urn:example:ids"


@pytest.fixture
def database(new_database_url: Callable[[], str]) -> Iterator[Database]:
    """The language alone: no room's rules."""
    opened = Database.open(new_database_url())
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path, page_size=10, page_size_max=100, bundle_limit=50, request_limit=1 << 20) as opened:
        yield opened


def _created(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _issue(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"].startswith("application/fhir+json")
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return outcome["issue"][0]


def test_create_read_vread_and_conditional_read(client: httpx.Client) -> None:
    answer = client.post("/Patient", json=PATIENT)
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"].endswith(f"/fhir/Patient/{body['id']}/_history/1")
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    again = client.get(f"/Patient/{body['id']}")
    assert again.json() == body
    assert again.headers["last-modified"].endswith("GMT")
    assert client.get(f"/Patient/{body['id']}/_history/1").json() == body
    assert client.get(f"/Patient/{body['id']}", headers={"if-none-match": 'W/"1"'}).status_code == 304
    assert client.get(f"/Patient/{body['id']}", headers={"if-none-match": 'W/"2"'}).status_code == 200
    assert client.get(f"/Patient/{body['id']}", headers={"if-modified-since": again.headers["last-modified"]}).status_code == 304
    assert client.head(f"/Patient/{body['id']}").status_code == 200


def test_what_is_not_there_says_so(client: httpx.Client) -> None:
    assert _issue(client.get("/Patient/nobody"))["code"] == "not-found"
    assert client.get("/Patient/nobody").status_code == 404
    assert client.get("/NoType/1").status_code == 404
    assert _issue(client.get("/NoType/1"))["severity"] == "error"
    assert client.get("/Patient/nobody/_history/1").status_code == 404
    assert client.get("/Patient/nobody/_history").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"/Patient/{'a' * 65}", "1 to 64"),
        ("/Patient/a_b", "1 to 64"),
        ("/patient/1", "R4 resource type"),
        ("/NoType/1", "R4 resource type"),
        ("/Patient/$nonsense", "no such operation"),
        ("/$nonsense", "no such operation"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_with_it(client: httpx.Client, method: str, path: str, words: str) -> None:
    answer = client.request(method, path, json=PATIENT if method in ("PUT", "PATCH") else None)
    assert answer.status_code == 404
    assert words in _issue(answer)["diagnostics"]


def test_update_makes_versions_and_guards_them(client: httpx.Client) -> None:
    first = _created(client, PATIENT)
    url = f"/Patient/{first['id']}"
    changed = {**first, "gender": "male"}
    assert client.put(url, json=changed, headers={"if-match": 'W/"1"'}).json()["meta"]["versionId"] == "2"
    stale = client.put(url, json={**changed, "gender": "other"}, headers={"if-match": 'W/"1"'})
    assert stale.status_code == 412
    same = client.put(url, json=changed)
    assert (same.status_code, same.headers["etag"]) == (200, 'W/"2"')
    assert client.put("/Patient/made-here", json={**PATIENT, "id": "made-here"}).status_code == 201
    assert client.put("/Patient/other", json={**PATIENT, "id": "made-here"}).status_code == 400
    assert client.put("/Patient/other", json=PATIENT).status_code == 400
    assert client.put(url, json={"resourceType": "Observation"}).status_code == 400
    assert client.put(url, json=changed, headers={"if-match": "nonsense"}).status_code == 400
    assert client.get(f"{url}/_history/1").json()["meta"]["versionId"] == "1"


def test_prefer_says_what_comes_back(client: httpx.Client) -> None:
    minimal = client.post("/Patient", json=PATIENT, headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert "location" in minimal.headers
    outcome = client.post("/Patient", json=PATIENT, headers={"prefer": "return=OperationOutcome"})
    assert _issue(outcome)["severity"] == "information"


def test_delete_and_coming_back(client: httpx.Client) -> None:
    patient = _created(client, PATIENT)
    url = f"/Patient/{patient['id']}"
    assert client.delete(url, headers={"if-match": 'W/"7"'}).status_code == 412
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 410
    assert _issue(client.get(url))["code"] == "deleted"
    assert client.get(f"{url}/_history/1").status_code == 200
    assert client.put(url, json=patient, headers={"if-none-match": "*"}).status_code == 201
    assert client.put(url, json=patient, headers={"if-none-match": "*"}).status_code == 412
    history = client.get(f"{url}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "DELETE", "POST"]
    assert "resource" not in history["entry"][1]


def test_conditional_create_update_delete(client: httpx.Client) -> None:
    known = {**PATIENT, "identifier": [{"system": SYSTEM, "value": "a,b|c"}]}
    condition = r"identifier=urn:example:ids|a\,b\|c"
    first = client.post("/Patient", json=known, headers={"if-none-exist": condition})
    second = client.post("/Patient", json=known, headers={"if-none-exist": condition})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    params = {"identifier": r"urn:example:ids|a\,b\|c"}
    updated = client.put("/Patient", params=params, json={**known, "gender": "male"})
    assert (updated.status_code, updated.json()["id"]) == (200, first.json()["id"])
    fresh = client.put(
        "/Patient", params={"identifier": "urn:example:ids|new"}, json={**PATIENT, "identifier": [{"system": SYSTEM, "value": "new"}]}
    )
    assert fresh.status_code == 201
    assert client.put("/Patient", params={"name": "单"}, json=PATIENT).status_code == 412
    assert client.put("/Patient", json=PATIENT).status_code == 412
    assert client.put("/Patient", params={"nonsense": "1"}, json=PATIENT).status_code == 400
    assert client.delete("/Patient", params={"name": "单"}).status_code == 412
    assert client.delete("/Patient", params=params).status_code == 204
    assert client.get("/Patient", params=params).json()["total"] == 0
    assert client.delete("/Patient", params={"name": "单", "_count": "5"}).status_code == 204
    assert client.get("/Patient").json()["total"] == 0


def test_concurrent_conditional_creates_make_one(client: httpx.Client) -> None:
    known = {**PATIENT, "identifier": [{"system": SYSTEM, "value": "one"}]}

    def create(_: int) -> int:
        return client.post("/Patient", json=known, headers={"if-none-exist": "identifier=urn:example:ids|one"}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(24)))
    assert statuses == [200] * 23 + [201]
    assert client.get("/Patient", params={"identifier": "urn:example:ids|one"}).json()["total"] == 1


def test_invalid_resources_name_every_path(client: httpx.Client) -> None:
    answer = client.post("/Patient", json={"resourceType": "Patient", "gender": "xx", "birthDate": "yesterday", "nonsense": 1})
    assert answer.status_code in (400, 422)
    expressions = {tuple(issue["expression"]) for issue in answer.json()["issue"]}
    assert {("Patient.gender",), ("Patient.birthDate",)} <= expressions
    assert client.get("/Patient").json()["total"] == 0


def test_bodies_that_cannot_be_read(client: httpx.Client) -> None:
    headers = {"content-type": "application/fhir+json"}
    assert client.post("/Patient", content=b"{", headers=headers).status_code == 400
    assert client.post("/Patient", content=b"[]", headers=headers).status_code == 400
    assert client.post("/Patient", content=b"", headers=headers).status_code == 400
    assert client.post("/Patient", content=b'{"resourceType":"Patient","name":[{"text":"\xff"}]}', headers=headers).status_code == 400
    assert client.post("/Patient", content=b"<Patient/>", headers={"content-type": "application/fhir+xml"}).status_code == 415
    assert client.get("/Patient", headers={"accept": "application/fhir+xml"}).status_code == 406
    assert client.get("/Patient", params={"_format": "xml"}).status_code == 406
    assert client.get("/Patient", params={"_format": "application/fhir+json"}).status_code == 200
    assert client.get("/Patient", headers={"accept": "application/fhir+json; fhirVersion=5.0"}).status_code == 406
    large = client.post("/Patient", json={**PATIENT, "name": [{"text": "x" * (1 << 20)}]})
    assert (large.status_code, _issue(large)["code"]) == (413, "too-long")
    pretty = client.get("/Patient", params={"_pretty": "true"})
    assert pretty.text.startswith("{\n")


def test_nothing_is_open_but_the_statement(client: httpx.Client) -> None:
    nobody = {"authorization": ""}
    assert client.get("/Patient", headers=nobody).status_code == 401
    assert _issue(client.get("/Patient", headers=nobody))["code"] == "login"
    assert client.get("/metadata", headers=nobody).status_code == 200


def test_history_of_one_type_and_all(client: httpx.Client) -> None:
    patient = _created(client, PATIENT)
    middle = client.put(f"/Patient/{patient['id']}", json={**patient, "gender": "male"}).json()["meta"]["lastUpdated"]
    for number in range(4):
        _created(client, {"resourceType": "Basic", "code": {"text": str(number)}})
    one = client.get(f"/Patient/{patient['id']}/_history").json()
    assert (one["type"], one["total"]) == ("history", 2)
    assert [entry["response"]["etag"] for entry in one["entry"]] == ['W/"2"', 'W/"1"']
    assert client.get(f"/Patient/{patient['id']}/_history", params={"_since": middle}).json()["total"] == 1
    assert client.get("/Basic/_history").json()["total"] == 4
    seen, page = [], client.get("/_history", params={"_count": 4}).json()
    while True:
        seen += [(entry["fullUrl"], entry["response"]["etag"]) for entry in page["entry"]]
        following = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        if following is None:
            break
        page = client.get(following).json()
    assert len(seen) == len(set(seen)) == 6
    at = client.get(f"/Patient/{patient['id']}/_history", params={"_at": patient["meta"]["lastUpdated"]}).json()
    assert 'W/"1"' in [entry["response"]["etag"] for entry in at["entry"]]
    assert client.get("/_history", params={"_since": "soon"}).status_code == 400
    assert _issue(client.get("/_history", params={"nonsense": "1"}))["expression"] == ["nonsense"]
    narrow = client.get(f"/Patient/{patient['id']}/_history", params={"_elements": "gender", "_sort": "-_lastUpdated"}).json()
    assert [sorted(set(entry["resource"]) - {"meta"}) for entry in narrow["entry"]] == [
        ["gender", "id", "resourceType"], ["id", "resourceType"],
    ]  # fmt: skip


def test_validate_says_what_a_write_would(client: httpx.Client) -> None:
    good = client.post("/Patient/$validate", json=PATIENT)
    assert (good.status_code, _issue(good)["severity"]) == (200, "information")
    bad = client.post(
        "/Patient/$validate",
        json={"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": {**PATIENT, "gender": "x"}}]},
    )
    assert (bad.status_code, _issue(bad)["expression"]) == (200, ["Patient.gender"])
    assert client.get("/Patient").json()["total"] == 0
    stored = _created(client, PATIENT)
    assert client.get(f"/Patient/{stored['id']}/$validate").status_code == 200
    assert client.get(f"/Patient/{stored['id']}/$meta").json()["parameter"][0]["valueMeta"]["versionId"] == "1"


@pytest.mark.parametrize("by_body", [False, True])
@pytest.mark.parametrize(
    ("url", "severity"),
    [(profile("cadre-patient"), "error"), ("http://hl7.org/fhir/StructureDefinition/Patient", "information"), ("http://x", "warning")],
)
def test_validate_against_a_profile(client: httpx.Client, by_body: bool, url: str, severity: str) -> None:
    nameless = {"resourceType": "Patient", "birthDate": "1934-12-17"}
    given = [{"name": "profile", "valueUri": url}, {"name": "mode", "valueCode": "profile"}, {"name": "resource", "resource": nameless}]
    if by_body:
        answer = client.post("/Patient/$validate", json={"resourceType": "Parameters", "parameter": given})
    else:
        answer = client.post("/Patient/$validate", params={"profile": url, "mode": "profile"}, json=nameless)
    assert _issue(answer)["severity"] == severity
    assert client.post("/Patient/$validate", params={"mode": "nonsense"}, json=nameless).status_code == 400


def test_everything_of_a_patient(client: httpx.Client) -> None:
    practitioner = _created(client, {"resourceType": "Practitioner", "name": [{"text": "陈一"}]})
    patient = _created(client, {**PATIENT, "generalPractitioner": [{"reference": f"Practitioner/{practitioner['id']}"}]})
    stranger = _created(client, PATIENT)
    for number in range(6):
        day = f"2026-0{number + 1}-01"
        for who in (patient, stranger):
            observation = {"resourceType": "Observation", "status": "final", "code": {"text": "体重"}, "effectiveDateTime": day}
            _created(client, {**observation, "subject": {"reference": f"Patient/{who['id']}"}})
    whole = client.get(f"/Patient/{patient['id']}/$everything").json()
    types = sorted(entry["resource"]["resourceType"] for entry in whole["entry"])
    assert types == ["Observation"] * 6 + ["Patient", "Practitioner"]
    assert not any(stranger["id"] in json.dumps(entry) for entry in whole["entry"])
    some = client.get(
        f"/Patient/{patient['id']}/$everything", params={"start": "2026-03-01", "end": "2026-04-30", "_type": "Observation"}
    ).json()
    assert len(some["entry"]) >= 2
    assert {entry["resource"]["effectiveDateTime"] for entry in some["entry"] if entry["resource"]["resourceType"] == "Observation"} == {
        "2026-03-01",
        "2026-04-01",
    }
    count, page = 0, client.get(f"/Patient/{patient['id']}/$everything", params={"_count": 2}).json()
    while True:
        count += sum(entry["resource"]["resourceType"] == "Observation" for entry in page["entry"])
        following = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        if following is None:
            break
        page = client.get(following).json()
    assert count == 6
    assert client.get("/Patient/nobody/$everything").status_code == 404
    assert client.get(f"/Patient/{patient['id']}/$everything", params={"_typ": "x"}).status_code == 400


def test_the_statement_claims_what_is_routed(client: httpx.Client) -> None:
    statement = client.get("/metadata").json()
    assert statement["fhirVersion"] == "4.0.1"
    rest = statement["rest"][0]
    patient = next(one for one in rest["resource"] if one["type"] == "Patient")
    assert {one["code"] for one in patient["interaction"]} == {
        "read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type",
    }  # fmt: skip
    assert {one["code"] for one in rest["interaction"]} == {"transaction", "batch", "search-system", "history-system"}
    assert {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"} in patient["operation"]
