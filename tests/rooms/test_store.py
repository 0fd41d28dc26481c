"""The store against both real engines: versions, refusals, claims, races, the audit chain."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from healthsvc.errors import Conflict, Gone, NotFound, PreconditionFailed, RuleViolation, Unavailable
from healthsvc.fhir.index import Entries, ReferenceEntry, TokenEntry
from healthsvc.fhir.json import dumps, loads
from healthsvc.store import SYSTEM, Database, Room, Store
from healthsvc.store.audit import verify

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


class Names:
    """A small language of two types, so that these tests are about the store alone."""

    def is_type(self, name: str) -> bool:
        return name in {"Patient", "Task", "Contract"}

    def extract(self, resource: dict[str, Any]) -> Entries:
        entries = Entries()
        if "status" in resource:
            entries.tokens.append(TokenEntry("status", None, resource["status"]))
        if "for" in resource:
            entries.references.append(ReferenceEntry("patient", "Patient", resource["for"], None))
            entries.patients.append(resource["for"])
        return entries


def one_active(old: dict[str, Any] | None, new: dict[str, Any] | None, store: Store) -> None:
    if new is None:
        raise RuleViolation("a contract is never deleted", reason="contract-kept")
    store.claim(f"contract-active:{new['for']}", new["id"])
    store.once({"resourceType": "Task", "id": f"first-{new['id']}", "for": new["for"], "status": "requested"})


@pytest.fixture
def database(engine_url: str) -> Iterator[Database]:
    rooms = [Room("contract", frozenset({"Contract"}), one_active)]
    opened = Database.open(engine_url, rooms=rooms, language=Names(), validate=lambda _: [])
    yield opened
    opened.close()


def test_a_resource_comes_back_as_it_was_written_with_id_and_meta(database: Database) -> None:
    body = loads('{"resourceType":"Patient","id":"p1","x":0.40,"meta":{"tag":[{"code":"a"}]},"y":[1.0E2,12345678901234567890123]}')
    with database.writing(SYSTEM, at=AT) as store:
        store.put(body)
    with database.reading(SYSTEM, at=AT) as store:
        back = store.read("Patient", "p1")
    assert back["meta"] == {"tag": [{"code": "a"}], "versionId": "1", "lastUpdated": "2026-11-22T09:00:00.000+08:00"}
    assert dumps({**back, "meta": body["meta"]}, sort_keys=True) == dumps(body, sort_keys=True)


def test_the_same_content_makes_no_version_and_a_change_keeps_the_former(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Task", "id": "t", "status": "requested", "for": "p1"})
        again = store.put({"resourceType": "Task", "id": "t", "for": "p1", "status": "requested", "meta": {"versionId": "9"}})
        assert again["meta"]["versionId"] == "1"
        assert store.put({"resourceType": "Task", "id": "t", "status": "completed"})["meta"]["versionId"] == "2"
        assert [v.version for v in store.history("Task", "t")] == [2, 1]
        former = store.version("Task", "t", 1)
        assert former is not None
        assert former.resource["status"] == "requested"
        codes = store.connection.execute(text("SELECT code FROM ix_token")).scalars().all()
        assert codes == ["completed"]


def test_deleting_says_gone_keeps_history_and_can_be_undone(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Task", "id": "t", "status": "requested"})
        store.delete("Task", "t")
        with pytest.raises(Gone):
            store.read("Task", "t")
        with pytest.raises(NotFound):
            store.read("Task", "never")
        assert store.once({"resourceType": "Task", "id": "t", "status": "requested"})["meta"]["versionId"] == "3"
        assert [v.deleted for v in store.history("Task", "t")] == [False, True, False]


def test_if_match_protects_against_a_concurrent_edit(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Task", "id": "t", "status": "requested"})
        with pytest.raises(PreconditionFailed):
            store.put({"resourceType": "Task", "id": "t", "status": "completed"}, if_match=2)
        assert store.put({"resourceType": "Task", "id": "t", "status": "completed"}, if_match=1)["meta"]["versionId"] == "2"


def test_an_exception_undoes_everything_the_room_wrote_too(database: Database) -> None:
    def fail_late() -> None:
        with database.writing(SYSTEM, at=AT) as store:
            store.put({"resourceType": "Contract", "id": "c", "for": "p1"})
            assert store.find("Task", "first-c")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    with database.reading(SYSTEM, at=AT) as store:
        assert store.find("Contract", "c") is None
        assert store.find("Task", "first-c") is None
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Task", "id": "t", "status": "new-status-code"})


def test_a_savepoint_fails_alone(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Contract", "id": "c1", "for": "p1"})
        with pytest.raises(Conflict), store.savepoint():
            store.put({"resourceType": "Contract", "id": "c2", "for": "p1"})
        store.put({"resourceType": "Contract", "id": "c3", "for": "p3"})
    with database.reading(SYSTEM, at=AT) as store:
        assert store.find("Contract", "c2") is None
        assert store.find("Contract", "c3") is not None


def test_one_of_many_racing_writers_gets_the_claim(database: Database) -> None:
    outcomes: list[str] = []

    def sign(number: int) -> None:
        try:
            with database.writing(SYSTEM, at=AT) as store:
                store.put({"resourceType": "Contract", "id": f"c{number}", "for": "p1"})
            outcomes.append("signed")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=sign, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 19 + ["signed"]


def test_a_reading_transaction_cannot_write(database: Database) -> None:
    with database.reading(SYSTEM, at=AT) as store, pytest.raises(Unavailable):
        store.put({"resourceType": "Task", "id": "t"})


def test_writes_and_reads_stand_in_the_audit_and_a_change_to_it_is_found(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Task", "id": "t", "status": "requested", "for": "p1"})
    with database.reading(SYSTEM, at=AT) as store:
        store.audit("read", "Task/t", patient="p1", purpose="TREAT")
    database.reads.flush()
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT action, subject, patient FROM audit ORDER BY seq")).all()
        assert [tuple(r) for r in rows] == [("create", "Task/t", "p1"), ("read", "Task/t", "p1")]
        assert list(verify(connection)) == []
    with database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE audit SET patient = 'p2' WHERE seq = 1")
        connection.commit()
    with database.engine.connect() as connection:
        assert list(verify(connection)) == ["audit row 1: its content was changed"]
    with database.engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE seq = 1")
        connection.commit()
    with database.engine.connect() as connection:
        assert list(verify(connection)) == ["audit row 2: a row before it was removed or moved"]


def test_an_error_of_the_database_carries_no_value(database: Database) -> None:
    with database.engine.connect() as connection, pytest.raises(DBAPIError) as failed:
        connection.execute(text("INSERT INTO nowhere (name) VALUES (:name)"), {"name": "某某某"})
    assert "某某某" not in str(failed.value)
