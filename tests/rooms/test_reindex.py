"""After an upgrade: what an older release has indexed otherwise is indexed anew, whatever kills the process in between."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from healthsvc.fhir.registry import Registry
from healthsvc.main import cli
from healthsvc.store import SYSTEM, Database, reindex
from healthsvc.store.search.ast import COMPARTMENT

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def members(database: Database) -> list[str]:
    entries = "SELECT r.id FROM ix_reference x JOIN term t ON t.id=x.param JOIN resource r ON r.pk=x.pk"
    sql = f"{entries} WHERE t.text='Device.{COMPARTMENT}' ORDER BY 1"
    with database.engine.connect() as connection:
        return list(connection.execute(text(sql)).scalars())


def test_what_was_indexed_otherwise_is_indexed_anew(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Database.open(engine_url)
    with old.writing(SYSTEM, at=AT) as store:
        for number in range(5):
            store.put({"resourceType": "Device", "id": f"d{number}", "patient": {"reference": "Patient/p"}})
        store.delete("Device", "d4")
    with old.plainly() as connection:
        connection.execute(text(f"DELETE FROM ix_reference WHERE param IN (SELECT id FROM term WHERE text='Device.{COMPARTMENT}')"))
        connection.execute(text("DELETE FROM reader_place"))
    assert members(old) == []
    old.close()
    monkeypatch.setattr(reindex, "PORTION", 2)
    portion, calls = reindex._portion, iter(range(9))

    def killed(database: Database, newest: int) -> bool:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return portion(database, newest)

    monkeypatch.setattr(reindex, "_portion", killed)
    with pytest.raises(KeyboardInterrupt):
        Database.open(engine_url)
    opened = Database.open(engine_url)
    assert members(opened) == ["d0", "d1", "d2", "d3"]
    with opened.reading(SYSTEM, at=AT) as store:
        assert [one["id"] for one in store.select("Device", patient="p")] == ["d0", "d1", "d2", "d3"]
    opened.close()


def test_what_a_new_parameter_asks_is_found_in_what_was_stored_before(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, ended in between and gone on with, beside somebody who writes."""
    monkeypatch.setattr(reindex, "PORTION", 2)
    registry = Registry.load()
    plan = registry.compile("Device")
    database = Database.open(engine_url)
    with monkeypatch.context() as older, database.writing(SYSTEM, at=AT) as store:
        older.setitem(registry._plans, "Device", lambda resource, sink: None)  # a release that knew no parameter of Device
        for number in range(5):
            store.put({"resourceType": "Device", "id": f"d{number}", "manufacturer": "Acme", "lotNumber": f"{number}"})
        store.delete("Device", "d1")
    assert registry._plans["Device"] is plan

    def found() -> list[str]:
        with database.reading(SYSTEM, at=AT) as store:
            return [one["id"] for one in store.select("Device", manufacturer="acme")]

    assert found() == []
    assert reindex.how_many(database, ["Device"]) == 4
    ended = reindex.steps(database, ["Device"])
    assert next(ended) == (2, False)
    ended.close()
    assert found() == ["d0", "d2"]
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Device", "id": "d4", "manufacturer": "Other"})
        store.put({"resourceType": "Device", "id": "d5", "manufacturer": "Acme"})
    assert [one.done for one in reindex.steps(database, ["Device"])] == [2, 1]
    assert found() == ["d0", "d2", "d3", "d5"]
    assert sum(one.done for one in reindex.steps(database, [])) == 5, "a run that has ended begins anew"
    assert found() == ["d0", "d2", "d3", "d5"]
    database.close()


def test_the_command_indexes_anew_and_says_how_many(tmp_path: Path) -> None:
    command = CliRunner()
    refused = command.invoke(cli, ["fhir", "reindex", "--data", str(tmp_path), "--type", "Nothing"])
    assert refused.exit_code == 1
    done = command.invoke(cli, ["fhir", "reindex", "--data", str(tmp_path), "--type", "Patient", "--anew", "--json"])
    assert json.loads(done.stdout) == {"indexed": 0, "types": ["Patient"]}


def test_an_older_database_learns_what_its_resources_lack_and_what_stands_inside_of_names(engine_url: str) -> None:
    old = Database.open(engine_url)
    with old.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Patient", "id": "named", "name": [{"text": "欧阳国强"}], "gender": "male"})
        store.put({"resourceType": "Patient", "id": "bare"})
    with old.plainly() as connection:  # as release 1 of the index left it
        for table, name in (("ix_token", "%:missing"), ("ix_string", "%:inside")):
            gone = text(f"DELETE FROM {table} WHERE param IN (SELECT id FROM term WHERE text LIKE :name)")
            connection.execute(gone, {"name": name})
        connection.execute(text("UPDATE reader_place SET seq=1 WHERE reader='index edition'"))

    def found(database: Database, query: str) -> list[str]:
        with database.reading(SYSTEM, at=AT) as store:
            return [one.id for one in store.search("Patient", query).matches]

    assert found(old, "gender:missing=true") == []
    old.close()
    opened = Database.open(engine_url)
    assert found(opened, "gender:missing=true") == found(opened, "name:missing=true") == ["bare"]
    assert found(opened, "name:contains=国强") == ["named"]
    assert found(opened, "gender:missing=false") == ["named"]
    opened.close()
