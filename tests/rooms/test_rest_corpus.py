"""What a client stored comes back as it was: the whole open corpus, value by value, number by number as it was written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import embedded
import pytest
from fhirserver import fhir_client

from healthsvc import clock
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource, dumps, loads
from healthsvc.store import SYSTEM, Database

pytestmark = pytest.mark.shared

REFUSED_AT_MOST = 0.005
"""Share of the published examples that are not valid R4 by their own definitions (wrong targets, missing elements)."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(embedded.made(tmp_path))
    yield opened
    opened.close()


def _documents(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("hl7-r4-examples/*.json")):
        yield path.read_bytes()
    for path in sorted(folder.glob("synthea-bulk-ndjson/*.ndjson")):
        yield from path.read_bytes().splitlines()


def _bare(resource: Resource) -> bytes:
    """What must be the same: everything but id and the store's own part of meta."""
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in ("versionId", "lastUpdated")}
    kept = {key: value for key, value in resource.items() if key not in ("id", "meta")}
    return dumps({**kept, "meta": meta}, sort_keys=True)


def test_the_corpus_comes_back_value_identical(database: Database, shared: Path) -> None:
    stored = refused = 0
    batch: list[tuple[Resource, str]] = []
    documents = [loads(raw) for raw in _documents(shared / "fhir") if raw.strip()]
    for start in range(0, len(documents), 500):
        with database.writing(SYSTEM, at=clock.now()) as store:
            for document in documents[start : start + 500]:
                try:
                    with store.savepoint():
                        batch.append((document, store.create(document)["id"]))
                except Invalid:
                    refused += 1
    with database.reading(SYSTEM, at=clock.now()) as store:
        for document, id in batch:
            kept = store.get(document["resourceType"], id)
            assert kept is not None
            assert _bare(loads(kept.body)) == _bare(document), f"{document['resourceType']}/{document.get('id')} came back changed"
            stored += 1
    assert stored > 8000
    assert refused <= REFUSED_AT_MOST * len(documents)


def test_synthea_bundles_over_the_wire(database: Database, tmp_path: Path, shared: Path) -> None:
    """Transactions as Synthea writes them: every resource is created, every temporary reference is resolved, the rest is untouched."""
    paths = sorted((shared / "fhir" / "synthea-bundles-smart").glob("*.json"), key=lambda path: path.stat().st_size)[:3]
    with fhir_client(database, tmp_path) as client:
        for path in paths:
            raw = path.read_bytes()
            bundle = loads(raw)
            answer = client.post("/", content=raw, headers={"content-type": "application/fhir+json", "prefer": "return=representation"})
            assert answer.status_code == 200, answer.text[:500]
            made = loads(answer.content)["entry"]
            assert len(made) == len(bundle["entry"])
            addresses = {
                sent["fullUrl"]: f"{got['resource']['resourceType']}/{got['resource']['id']}"
                for sent, got in zip(bundle["entry"], made, strict=True)
            }
            for sent, got in zip(bundle["entry"], made, strict=True):
                text = dumps(sent["resource"]).decode()
                for temporary, address in addresses.items():
                    text = text.replace(temporary, address)
                assert _bare(got["resource"]) == _bare(_conditional(loads(text), got["resource"]))


def _conditional(sent: Any, got: Any) -> Any:
    """The sent value with conditional references as they were resolved."""
    if isinstance(sent, dict) and isinstance(got, dict):
        if isinstance(sent.get("reference"), str) and "?" in sent["reference"] and "reference" in got:
            assert got["reference"].startswith(sent["reference"].partition("?")[0] + "/")
            return {**sent, "reference": got["reference"]}
        return {key: _conditional(value, got.get(key)) for key, value in sent.items()}
    if isinstance(sent, list) and isinstance(got, list):
        return [_conditional(one, other) for one, other in zip(sent, got, strict=True)]
    return sent


def test_numbers_keep_their_writing(database: Database, tmp_path: Path) -> None:
    written = (b"1.0E2", b"-0.00", b"12345678901234567890.5", b"7")
    components = b",".join(b'{"code":{"text":"y"},"valueQuantity":{"value":%b}}' % number for number in written)
    head = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":0.40,"unit":"mg"}'
    body = b'%b,"component":[%b]}' % (head, components)
    with fhir_client(database, tmp_path) as client:
        made = client.post("/Observation", content=body, headers={"content-type": "application/fhir+json"})
        assert made.status_code == 201, made.text
        again = client.get(f"/Observation/{json.loads(made.content)['id']}").text
    for number in ("0.40", "1.0E2", "-0.00", "12345678901234567890.5"):
        assert number in again
