"""Every search parameter that the CapabilityStatement claims can be searched, sorted by, asked whether it is missing, and included."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from healthsvc import clock
from healthsvc.fhir.registry import Registry, SearchParameter
from healthsvc.store import SYSTEM, Database
from healthsvc.store.search import search
from healthsvc.store.search.parse import NOT_OFFERED

VALUES = {
    "token": "http://example.org|x",
    "string": "x",
    "date": "ge2026-01",
    "reference": "x",
    "quantity": "gt5.4|http://unitsofmeasure.org|mg",
    "number": "5",
    "uri": "http://example.org/x",
    "special": "29.8|121.5|5|km",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("store")
    opened = Database.open(f"sqlite:///{path}/healthsvc.sqlite")
    with opened.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Patient", "id": "p", "name": [{"text": "王"}]})
    yield opened
    opened.close()


def _value(one: SearchParameter) -> str:
    return "$".join(VALUES[kind] for _, kind, _ in one.components) if one.components else VALUES[one.type]


def test_every_claimed_parameter_is_understood(database: Database) -> None:
    registry = Registry.load()
    tried = 0
    with database.reading(SYSTEM, at=clock.now()) as store:
        for type in sorted(registry.types):
            for code, one in registry.parameters(type).items():
                if code in NOT_OFFERED:
                    continue
                query = [(code, "2020" if code == "_lastUpdated" else _value(one))]
                if code not in ("_id", "_lastUpdated"):
                    query.append((f"{code}:missing", "false"))
                if one.type == "reference":
                    query += [("_include", f"{type}:{code}"), ("_revinclude", f"{type}:{code}")]
                if one.type not in ("composite", "special"):
                    query += [("_sort", f"-{code}")]
                page = search(store, type, query, strict=True)
                assert page.matches == []
                tried += 1
    assert tried > 2000
