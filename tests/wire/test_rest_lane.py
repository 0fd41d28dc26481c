"""The short way for everyday interactions: the same answers, the same audit, and trouble stays with the one who made it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
from fhirserver import fhir_client, token
from sqlalchemy import text

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.rest import lane
from healthsvc.store import Database, Room, Store
from healthsvc.store.audit import verify

NAME = "王小二"


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A room that refuses some, and fails on others with a text that must not get out."""
    code = (new or {}).get("code", {}).get("text")
    if code == "refuse":
        raise RuleViolation("not today", reason="not-today")
    if code == "fail":
        raise RuntimeError(f"{NAME} 330299193012179014")
    if code == "follow" and new is not None:
        store.once({"resourceType": "Basic", "id": f"after-{new['id']}", "code": {"text": "followed"}})


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url: str = embedded.made(tmp_path) if request.param == "sqlite" else request.getfixturevalue("migrated_url")
    opened = Database.open(url, rooms=(Room("test", frozenset({"Basic"}), admit),))
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path) as opened:
        opened.get("/Patient").raise_for_status()  # from now on the token is known
        yield opened


def _basic(code: str) -> dict[str, Any]:
    return {"resourceType": "Basic", "code": {"text": code}}


def test_writes_that_share_a_commit_fail_alone(client: httpx.Client) -> None:
    wanted = {"follow": 201, "refuse": 422, "fail": 500, "plain": 201}
    codes = [code for code in wanted for _ in range(10)]

    def create(code: str) -> tuple[str, int, str]:
        answer = client.post("/Basic", json=_basic(code))
        return code, answer.status_code, answer.text

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, codes))
    assert [(code, status) for code, status, _ in answers] == [(code, wanted[code]) for code in codes]
    for code, _, said in answers:
        assert NAME not in said
        assert "330299" not in said
        if code == "refuse":
            assert "not-today" in said
    assert client.get("/Basic", params={"_summary": "count"}).json()["total"] == 30


def test_a_long_search_ends_in_a_thread(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(40):
        client.post("/Basic", json=_basic("plain")).raise_for_status()
    plain = client.get("/Basic", params={"code:text": "pl", "_count": "100"}).json()
    monkeypatch.setattr(lane, "STEPS", 1)
    long = client.get("/Basic", params={"code:text": "pl", "_count": "100"}).json()
    assert [one["resource"]["id"] for one in long["entry"]] == [one["resource"]["id"] for one in plain["entry"]]
    assert long["total"] == 40


def test_a_value_that_no_database_keeps_is_refused(client: httpx.Client, database: Database) -> None:
    auditor = {"authorization": f"Bearer {token(database, 'auditor')}"}
    people = ("name", "_id", "identifier", "general-practitioner.name", "_has:Observation:patient:code")
    for type, name in (*(("Patient", name) for name in people), ("AuditEvent", "agent"), ("AuditEvent", "_id")):
        answer = client.get(f"/{type}", params={name: "王\0"}, headers=auditor if type == "AuditEvent" else {})
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, [name])
        assert "NUL" in answer.text


def test_what_only_looks_like_a_number_is_none(client: httpx.Client, database: Database) -> None:
    auditor = {"authorization": f"Bearer {token(database, 'auditor')}"}
    for value in ("²", "9" * 5000):
        answer = client.get("/Patient", params={"_count": value})
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["_count"])
        for name in ("_count", "_before"):
            assert client.get("/AuditEvent", params={name: value}, headers=auditor).json()["type"] == "searchset"


def test_everything_is_audited_without_values(client: httpx.Client, database: Database) -> None:
    patient = client.post("/Patient", json={"resourceType": "Patient", "name": [{"text": NAME}], "birthDate": "1930-12-17"}).json()
    client.get(f"/Patient/{patient['id']}").raise_for_status()
    client.get("/Patient", params={"name": NAME, "birthdate": "1930-12-17"}).raise_for_status()
    client.get("/Observation", params={"patient": patient["id"]}).raise_for_status()
    client.get(f"/Patient/{patient['id']}/_history").raise_for_status()
    database.reads.close()  # a batch may be on its way in the audit's own thread
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT action, subject, patient FROM audit WHERE door='rest' ORDER BY seq")).all()
        assert list(verify(connection)) == []
    noted = {(row.action, row.subject, row.patient) for row in rows}
    whole = f"Patient/{patient['id']}"
    assert {
        ("create", whole, patient["id"]),
        ("read", whole, patient["id"]),
        ("search", "Patient?birthdate&name", None),
        ("search", "Observation?patient", patient["id"]),
        ("history", whole, patient["id"]),
    } <= noted
    assert NAME not in str(rows)
    assert "1930-12" not in str(rows)
