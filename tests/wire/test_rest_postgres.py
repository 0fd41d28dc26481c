"""The FHIR API on PostgreSQL: several writers at once, and still one resource for one condition."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fhirserver import fhir_client, working

from healthsvc.store import Database

pytestmark = pytest.mark.postgres
KNOWN = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "one"}], "name": [{"text": "解晓东"}]}


@pytest.fixture
def client(migrated_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    database = Database.open(migrated_url)
    with working(database, tmp_path), fhir_client(database, tmp_path) as opened:
        yield opened
    database.close()


def test_concurrent_conditional_creates_make_one(client: httpx.Client) -> None:
    def create(_: int) -> int:
        return client.post("/Patient", json=KNOWN, headers={"if-none-exist": "identifier=urn:x|one"}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(16)))
    assert statuses == [200] * 15 + [201]


def test_concurrent_updates_keep_every_version(client: httpx.Client) -> None:
    client.put("/Patient/p", json={**KNOWN, "id": "p"}).raise_for_status()

    def update(number: int) -> int:
        return client.put("/Patient/p", json={**KNOWN, "id": "p", "name": [{"text": f"解晓东{number}"}]}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(update, range(16)))
    kept = sum(status == 200 for status in statuses)
    assert all(status in (200, 409, 412, 503) for status in statuses)
    history = client.get("/Patient/p/_history").json()
    assert [entry["response"]["etag"] for entry in history["entry"]] == [f'W/"{number}"' for number in range(kept + 1, 0, -1)]


def test_a_transaction_that_fails_leaves_nothing(client: httpx.Client) -> None:
    entries = [
        {"resource": KNOWN, "request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "GET", "url": "Patient/nobody"}},
    ]
    answer = client.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (404, ["Bundle.entry[1]"])
    assert client.get("/Patient", params={"name": "解", "_sort": "-birthdate"}).json()["total"] == 0


def test_bulk_export(client: httpx.Client) -> None:
    """Kicked off, polled, fetched and removed, as a bulk client does it."""
    for number in range(3):
        client.put(f"/Patient/p{number}", json={**KNOWN, "id": f"p{number}"}).raise_for_status()
        seen = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": f"Patient/p{number}"}}
        client.post("/Observation", json=seen).raise_for_status()
    begun = client.get("/Patient/$export", params={"_type": "Patient,Observation"}, headers={"prefer": "respond-async"})
    assert begun.status_code == 202, begun.text
    address = begun.headers["content-location"]
    for _ in range(600):
        if (state := client.get(address)).status_code != 202:
            break
        time.sleep(0.02)
    assert state.status_code == 200, state.text
    files = {file["type"]: client.get(file["url"]).text.splitlines() for file in state.json()["output"]}
    assert {type: len(lines) for type, lines in files.items()} == {"Patient": 3, "Observation": 3}
    assert {json.loads(line)["id"] for line in files["Patient"]} == {"p0", "p1", "p2"}
    assert client.delete(address).status_code == 202
    assert client.get(address).status_code == 404
