"""Patches over a real socket: JSON Patch, FHIRPath Patch, JSON Merge Patch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
from fhirserver import fhir_client

from healthsvc.store import Database

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "name": [{"text": "单田芳", "family": "单", "given": ["田芳"]}],
    "birthDate": "1934-12-17",
}
SYSTEM = "urn:example:ids"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The language alone: no room's rules."""
    opened = Database.open(embedded.made(tmp_path))
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


def test_json_patch(client: httpx.Client) -> None:
    patient = _created(client, PATIENT)
    url, headers = f"/Patient/{patient['id']}", {"content-type": "application/json-patch+json"}

    def patch(*operations: dict[str, Any], **more: str) -> httpx.Response:
        return client.patch(url, content=json.dumps(operations), headers={**headers, **more})

    done = patch({"op": "add", "path": "/gender", "value": "male"}, {"op": "test", "path": "/birthDate", "value": "1934-12-17"})
    assert (done.status_code, done.json()["gender"], done.headers["etag"]) == (200, "male", 'W/"2"')
    assert patch({"op": "test", "path": "/gender", "value": "female"}).status_code == 422
    assert patch({"op": "remove", "path": "/nothing"}).status_code == 422
    assert patch({"op": "replace", "path": "/id", "value": "else"}).status_code == 422
    assert patch({"op": "replace", "path": "/gender", "value": "xx"}).status_code in (400, 422)
    assert patch({"op": "remove", "path": "/gender"}, **{"if-match": 'W/"1"'}).status_code == 412
    assert (
        client.patch(
            "/Patient", params={"name": "单"}, content=json.dumps([{"op": "remove", "path": "/gender"}]), headers=headers
        ).status_code
        == 200
    )
    assert client.patch("/Patient/nobody", content=b"[]", headers=headers).status_code == 404


def _operation(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    listed = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    for name, value in parts.items():
        if name == "value":
            listed.append({"name": "value", **value})
        else:
            listed.append({"name": name, "valueInteger" if isinstance(value, int) else "valueString": value})
    return {"name": "operation", "part": listed}


def test_fhirpath_patch(client: httpx.Client) -> None:
    contact = {"relationship": [{"text": "女儿"}], "telecom": [{"system": "phone", "value": "0574-0001"}]}
    patient = _created(client, {**PATIENT, "contact": [contact, {**contact, "relationship": [{"text": "单位"}]}]})

    def patch(*operations: dict[str, Any]) -> httpx.Response:
        return client.patch(f"/Patient/{patient['id']}", json={"resourceType": "Parameters", "parameter": list(operations)})

    done = patch(
        _operation("replace", "Patient.birthDate", value={"valueDate": "1934-12-18"}),
        _operation("add", "Patient", name="deceased", value={"valueBoolean": False}),
        _operation("add", "Patient", name="identifier", value={"valueIdentifier": {"system": SYSTEM, "value": "1"}}),
        _operation("insert", "Patient.identifier", index=0, value={"valueIdentifier": {"system": SYSTEM, "value": "0"}}),
        _operation("move", "Patient.identifier", source=1, destination=0),
        _operation("replace", "Patient.contact.where(relationship.text = '女儿').telecom[0].value", value={"valueString": "0574-0002"}),
        _operation("delete", "Patient.contact[1]"),
        _operation(
            "add",
            "Patient",
            name="communication",
            value={"part": [{"name": "language", "valueCodeableConcept": {"text": "宁波话"}}, {"name": "preferred", "valueBoolean": True}]},
        ),
    )
    assert done.status_code == 200, done.text
    body = done.json()
    assert body["birthDate"] == "1934-12-18"
    assert body["deceasedBoolean"] is False
    assert [one["value"] for one in body["identifier"]] == ["1", "0"]
    assert [one["telecom"][0]["value"] for one in body["contact"]] == ["0574-0002"]
    assert body["communication"] == [{"language": {"text": "宁波话"}, "preferred": True}]
    assert patch(_operation("delete", "Patient.photo")).status_code == 200
    assert patch(_operation("replace", "Patient.photo[0]", value={"valueString": "x"})).status_code == 422
    assert patch(_operation("add", "Patient", name="birthDate", value={"valueDate": "1934"})).status_code == 422
    assert patch(_operation("add", "Patient", name="nonsense", value={"valueDate": "1934"})).status_code == 422
    assert patch(_operation("shake", "Patient.photo")).status_code == 400
    fhir = {"content-type": "application/fhir+json"}
    assert client.patch(f"/Patient/{patient['id']}", content=b'{"resourceType": "Patient"}', headers=fhir).status_code == 400


def test_merge_patch(client: httpx.Client) -> None:
    patient = _created(client, {**PATIENT, "gender": "male", "maritalStatus": {"text": "丧偶"}})
    headers = {"content-type": "application/merge-patch+json"}
    changes = {"gender": None, "maritalStatus": {"text": "再婚"}, "active": True}
    done = client.patch(f"/Patient/{patient['id']}", content=json.dumps(changes), headers=headers).json()
    assert "gender" not in done
    assert (done["maritalStatus"], done["active"], done["birthDate"]) == ({"text": "再婚"}, True, "1934-12-17")
    assert client.patch(f"/Patient/{patient['id']}", content=b'{"id": null}', headers=headers).status_code == 422
