"""Batches and transactions over a real socket, our own and those that Microsoft tests its server with."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client

from healthsvc.store import Database

SYSTEM = "urn:example:ids"


@pytest.fixture
def database(new_database_url: Callable[[], str]) -> Iterator[Database]:
    opened = Database.open(new_database_url())
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path, bundle_limit=100) as opened:
        yield opened


def _bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def _entry(method: str, url: str, resource: dict[str, Any] | None = None, full_url: str | None = None, **request: str) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    if full_url is not None:
        made["fullUrl"] = full_url
    return made


def _patient(value: str = "1") -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], "name": [{"text": "曾国安"}]}


def _observation(subject: str, status: str = "final") -> dict[str, Any]:
    return {"resourceType": "Observation", "status": status, "code": {"text": "血压"}, "subject": {"reference": subject}}


def test_a_transaction_links_what_it_creates(client: httpx.Client) -> None:
    temporary = "urn:uuid:6f1c9a58-3f43-4b11-8f0a-05a3c4b5b001"
    narrative = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{temporary}">曾</a></div>'}
    bundle = _bundle(
        "transaction",
        _entry("GET", f"Patient?identifier={SYSTEM}|1"),
        _entry("POST", "Observation", {**_observation(temporary), "text": narrative}),
        _entry("POST", "Patient", _patient(), temporary),
        _entry("PUT", "Basic/b1", {"resourceType": "Basic", "id": "b1", "code": {"text": "x"}, "subject": {"reference": temporary}}),
    )
    answer = client.post("/", json=bundle, headers={"prefer": "return=representation"})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["type"] == "transaction-response"
    statuses = [entry["response"]["status"] for entry in made["entry"]]
    assert statuses == ["200 OK", "201 Created", "201 Created", "201 Created"]
    reference = f"Patient/{made['entry'][2]['resource']['id']}"
    observation = made["entry"][1]["resource"]
    assert observation["subject"]["reference"] == reference
    assert f'href="{reference}"' in observation["text"]["div"]
    assert made["entry"][3]["resource"]["subject"]["reference"] == reference
    assert made["entry"][0]["resource"]["total"] == 1
    assert made["entry"][2]["response"]["location"].endswith("/_history/1")
    assert made["entry"][2]["response"]["etag"] == 'W/"1"'
    assert client.get("/Observation", params={"subject": reference}).json()["total"] == 1


def test_a_transaction_that_fails_leaves_nothing(client: httpx.Client) -> None:
    bundle = _bundle(
        "transaction", _entry("POST", "Patient", _patient()), _entry("POST", "Observation", _observation("Patient/1", "nonsense"))
    )
    answer = client.post("/", json=bundle)
    assert answer.status_code in (400, 422)
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    assert client.get("/Patient").json()["total"] == 0
    assert client.get("/_history").json()["total"] == 0


def test_a_batch_does_what_it_can(client: httpx.Client) -> None:
    bundle = _bundle(
        "batch",
        _entry("POST", "Patient", _patient()),
        _entry("POST", "Observation", _observation("Patient/1", "nonsense")),
        _entry("GET", "Patient/nobody"),
        _entry("BREW", "Patient"),
        _entry("DELETE", "Patient/nobody"),
        _entry("GET", "Patient?_summary=count"),
    )
    answer = client.post("/", json=bundle)
    assert answer.status_code == 200
    entries = answer.json()["entry"]
    statuses = [entry["response"]["status"][:3] for entry in entries]
    assert statuses[0] == "201"
    assert statuses[1] in ("400", "422")
    assert statuses[2:] == ["404", "400", "204", "200"]
    assert entries[1]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    assert entries[5]["resource"]["total"] == 1


def test_conditions_inside_a_transaction(client: httpx.Client) -> None:
    known = client.post("/Patient", json=_patient("known")).json()
    bundle = _bundle(
        "transaction",
        _entry("POST", "Patient", _patient("known"), "urn:uuid:1", ifNoneExist=f"identifier={SYSTEM}|known"),
        _entry("POST", "Observation", _observation("urn:uuid:1")),
        _entry("POST", "Observation", _observation(f"Patient?identifier={SYSTEM}|known")),
        _entry("PUT", f"Patient?identifier={SYSTEM}|fresh", _patient("fresh"), "urn:uuid:2"),
        _entry("POST", "Observation", _observation("urn:uuid:2")),
    )
    answer = client.post("/", json=bundle)
    assert answer.status_code == 200, answer.text
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]] == ["200", "201", "201", "201", "201"]
    assert client.get("/Observation", params={"subject": f"Patient/{known['id']}"}).json()["total"] == 2
    assert client.get("/Patient").json()["total"] == 2
    nobody = client.post(
        "/", json=_bundle("transaction", _entry("POST", "Observation", _observation(f"Patient?identifier={SYSTEM}|nobody")))
    )
    assert nobody.status_code == 412
    stale = _entry("PUT", f"Patient/{known['id']}", {**_patient("x"), "id": known["id"]}, ifMatch='W/"9"')
    assert client.post("/", json=_bundle("transaction", stale)).status_code == 412


def test_patch_and_delete_inside_a_transaction(client: httpx.Client) -> None:
    one, other = (client.post("/Patient", json=_patient(value)).json() for value in ("one", "other"))
    operation = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "gender"},
    ]
    patch = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [*operation, {"name": "value", "valueCode": "male"}]}],
    }
    bundle = _bundle("transaction", _entry("PATCH", f"Patient/{one['id']}", patch), _entry("DELETE", f"Patient?identifier={SYSTEM}|other"))
    assert client.post("/", json=bundle).status_code == 200
    assert client.get(f"/Patient/{one['id']}").json()["gender"] == "male"
    assert client.get(f"/Patient/{other['id']}").status_code == 410


def test_the_same_resource_twice_and_too_many(client: httpx.Client) -> None:
    put = _entry("PUT", "Patient/p", {**_patient(), "id": "p"})
    assert client.post("/", json=_bundle("transaction", put, put)).status_code == 400
    assert client.post("/", json=_bundle("transaction", *[_entry("POST", "Patient", _patient())] * 101)).status_code == 413
    assert client.post("/", json=_bundle("collection")).status_code == 400
    assert client.post("/", json={"resourceType": "Patient"}).status_code == 400
    assert client.post("/Bundle", json={"resourceType": "Bundle", "type": "collection"}).status_code == 201


MICROSOFT = {
    "Normative/Bundle-BatchWithDuplicatedItems": 200,
    "Normative/Bundle-FhirPatch": 200,
    "Normative/Bundle-InvalidBundleType": 400,
    "Normative/Bundle-Transaction": 400,  # asks for ValueSet/$lookup, which no operation here answers
    "Normative/Bundle-TransactionForRollBack": 404,
    "Normative/Bundle-TransactionWithAllValidRoutes": 200,
    "Normative/Bundle-TransactionWithConditionalReferenceInResourceBody": 412,
    "Normative/Bundle-TransactionWithConditionalReferenceReferringToSameResource": 400,
    "Normative/Bundle-TransactionWithForeignReferenceInResourceBody": 200,
    "Normative/Bundle-TransactionWithInvalidBundleEntry": 400,
    "Normative/Bundle-TransactionWithInvalidProcessingRecord": 400,
    "Normative/Bundle-TransactionWithInvalidProcessingRoutes": 400,
    "Normative/Bundle-TransactionWithInvalidResourceType": 400,
    "Normative/Bundle-TransactionWithMetaHistory": 200,
    "Normative/Bundle-TransactionWithMultipleEntriesModifyingSameResource": 400,
    "Normative/Bundle-TransactionWithMultipleResourcesWithSameFullUrl": 400,
    "Normative/Bundle-TransactionWithPOSTFullUrlMatchesWithPUTRequestUrl": 200,
    "Normative/Bundle-TransactionWithValidBundleEntry": 200,
    "R4/Bundle-ChainingSortAndSearchValidation": 200,
    "R4/Bundle-TransactionWithReferenceInResourceBody": 412,  # its conditional reference wants a Patient that is there before
}
"""Status on an empty server of every bundle in Microsoft's test data."""


@pytest.mark.shared
def test_microsofts_bundles(tmp_path: Path, shared: Path) -> None:
    folder = shared / "fhir" / "microsoft-fhir-server"
    assert {str(path.relative_to(folder).with_suffix("")) for path in folder.glob("*/Bundle-*.json")} == set(MICROSOFT)
    for number, (name, status) in enumerate(MICROSOFT.items()):
        database = Database.open(f"sqlite:///{tmp_path}/{number}.sqlite")
        with fhir_client(database, tmp_path) as client:
            body = (folder / f"{name}.json").read_bytes()
            answer = client.post("/", content=body, headers={"content-type": "application/fhir+json"})
            assert answer.status_code == status, (name, answer.text)
            if status != 200:
                assert answer.json()["resourceType"] == "OperationOutcome"
                assert client.get("/_history").json()["total"] == 0, f"{name} left something behind"
        database.close()


@pytest.mark.shared
def test_references_of_microsofts_transaction(client: httpx.Client, shared: Path) -> None:
    """With the Patient that it refers to by a condition, the transaction links all of its resources."""
    path = shared / "fhir" / "microsoft-fhir-server" / "R4" / "Bundle-TransactionWithReferenceInResourceBody.json"
    bundle = json.loads(path.read_text(encoding="utf-8-sig"))
    text = json.dumps(bundle)
    criteria = text.partition("Patient?")[2].partition('"')[0]
    value = criteria.partition("=")[2].rpartition("|")[2]
    system = criteria.partition("=")[2].rpartition("|")[0]
    identifier = {"value": value, **({"system": system} if system else {})}
    client.post("/Patient", json={"resourceType": "Patient", "identifier": [identifier]}).raise_for_status()
    answer = client.post("/", json=bundle, headers={"prefer": "return=representation"})
    assert answer.status_code == 200, answer.text
    assert "urn:uuid" not in json.dumps([entry.get("resource") for entry in answer.json()["entry"]])
