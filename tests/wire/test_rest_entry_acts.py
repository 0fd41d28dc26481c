"""Operations inside batches and transactions: carried out as by themselves, under the same rights, each with its trace."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from fhirserver import fhir_client, token
from sqlalchemy import text

from healthsvc.config import Settings
from healthsvc.rest.entry_acts import CARRIED
from healthsvc.rest.router import router
from healthsvc.store import Database

NOT_CARRIED = {
    "$export",  # it goes on after its answer
    "$green-channel",  # the window's right, counted a call
    "$evaluate-measure",  # the right to figures
    "$status",
    "$events",  # the right to hand records on
    "$versions",
}
SYSTEM = "urn:example:ids"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path_factory.mktemp('acts')}/healthsvc.sqlite")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with fhir_client(database, Path(tmp_path_factory.mktemp("acts"))) as opened:
        opened.put(
            "/Patient/p1",
            json={
                "resourceType": "Patient",
                "id": "p1",
                "identifier": [{"system": SYSTEM, "value": "1"}],
                "name": [{"text": "曾国安", "family": "曾", "given": ["国安"]}],
                "birthDate": "1931-02-03",
                "gender": "male",
            },
        ).raise_for_status()
        yield opened


def posted(client: httpx.Client, kind: str, *entries: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    answer = client.post("", json={"resourceType": "Bundle", "type": kind, "entry": list(entries)}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entry"]
    return found


def entry(method: str, url: str, resource: dict[str, Any] | None = None, full_url: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url}}
    return made | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {})


def matching(value: str) -> dict[str, Any]:
    wanted = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}]}
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": wanted}]}


def test_each_operation_that_has_an_address_is_carried_or_left_out_knowingly(tmp_path: Path) -> None:
    def shape(path: str) -> tuple[str, str, str]:
        type, level, code = re.fullmatch(r"/(\{type:fhirtype\}|[A-Z]\w+)/(\{id:fhirid\}/)?\$([\w-]+)", path).groups()  # type: ignore[union-attr]
        return ("*" if type.startswith("{") else type), ("i" if level else "t"), code

    addressed: set[tuple[str, str, str, str]] = set()
    for route in router(Settings(data=tmp_path)).routes:
        found = route if isinstance(route, APIRoute) else None
        if found is None or "/$" not in found.path or found.path.startswith("/$"):
            continue
        type, level, code = shape(found.path)
        if f"${code}" not in NOT_CARRIED:
            addressed |= {(type, level, code, method) for method in found.methods or ()}
    carried = {(type, level, code, method) for (type, code), one in CARRIED.items() for level in one.levels for method in one.methods}
    assert carried ^ addressed == set() or carried - addressed == {("*", "t", "validate", "GET")}


def test_a_batch_carries_out_operations_and_one_that_fails_fails_alone(client: httpx.Client, database: Database) -> None:
    answers = posted(
        client,
        "batch",
        entry("POST", "Patient/$match", matching("1")),
        entry("GET", "Patient/p1/$everything?_count=5"),
        entry("GET", "Patient/nobody/$everything"),
        entry("POST", "Patient/$validate", {"resourceType": "Patient", "gender": "wrong"}),
        entry("GET", "Patient/$export"),
        entry("GET", "Patient/p1/$meta"),
        entry("POST", "ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender", {"resourceType": "Parameters"}),
    )
    assert [one["response"]["status"][:3] for one in answers] == ["200", "200", "404", "200", "400", "200", "200"]
    assert answers[0]["resource"]["entry"][0]["resource"]["id"] == "p1"
    assert answers[1]["resource"]["entry"][0]["resource"]["id"] == "p1"
    assert answers[3]["response"]["outcome"]["issue"][0]["severity"] == "error"
    assert {one["code"] for one in answers[6]["resource"]["expansion"]["contains"]} == {"male", "female", "other", "unknown"}
    database.reads.flush()
    with database.engine.connect() as connection:
        noted = {tuple(row) for row in connection.execute(text("SELECT action, subject, patient FROM audit WHERE door='rest'"))}
    assert {("everything", "Patient/p1", "p1"), ("read", "Patient/p1", "p1")} <= noted


def test_a_transaction_uses_what_it_has_just_made_and_undoes_all(client: httpx.Client) -> None:
    here = "urn:uuid:6f1c9a58-3f43-4b11-8f0a-05a3c4b5b009"
    new = {"resourceType": "Patient", "id": "p2", "identifier": [{"system": SYSTEM, "value": "2"}], "name": [{"text": "仇小玲"}]}
    made = posted(client, "transaction", entry("PUT", "Patient/p2", new, here), entry("GET", "Patient/p2/$everything"))
    assert made[1]["resource"]["entry"][0]["resource"]["name"] == [{"text": "仇小玲"}]
    broken = [entry("PUT", "Patient/p3", {**new, "id": "p3"}), entry("GET", "Patient/nobody/$everything")]
    answer = client.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": broken})
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert client.get("/Patient/p3").status_code == 404


@pytest.mark.parametrize("again", [False, True])
def test_who_may_only_read_sends_a_batch_of_reads_and_writes_nothing(client: httpx.Client, database: Database, again: bool) -> None:
    """The same whether the token was looked up just now (the short way) or not (the routes)."""
    headers = {"authorization": f"Bearer {token(database, 'bureau')}"}
    if again:
        client.get("/Organization", headers=headers)
    answers = posted(
        client,
        "batch",
        entry("GET", "Organization"),
        entry("GET", "Patient/p1/$everything"),
        entry("POST", "Patient/$match", matching("1")),
        entry("POST", "Patient/$validate", {"resourceType": "Patient"}),
        entry("POST", "Basic", {"resourceType": "Basic", "code": {"text": "x"}}),
        **headers,
    )
    assert [one["response"]["status"][:3] for one in answers] == ["200", "403", "403", "403", "403"]
