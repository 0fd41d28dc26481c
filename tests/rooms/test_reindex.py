"""After an upgrade: what an older release has indexed otherwise is indexed anew, whatever kills the process in between."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from healthsvc.fhir.registry import Registry
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.store import SYSTEM, Database, reindex
from healthsvc.store.search.ast import COMPARTMENT
from integrations.address import Address
from integrations.roles import Role
from integrations.serving import Serving

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def members(database: Database) -> list[str]:
    entries = "SELECT r.id FROM ix_reference x JOIN term t ON t.id=x.param JOIN resource r ON r.pk=x.pk"
    sql = f"{entries} WHERE t.text='Device.{COMPARTMENT}' ORDER BY 1"
    with database.engine.connect() as connection:
        return list(connection.execute(text(sql)).scalars())


def test_what_was_indexed_otherwise_is_indexed_anew(bare_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Database.open(bare_url)
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

    def killed(database: Database, reader: str, known: int, wanted: Collection[int], size: int) -> bool:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return portion(database, reader, known, wanted, size)

    monkeypatch.setattr(reindex, "_portion", killed)
    with pytest.raises(KeyboardInterrupt):
        Database.open(bare_url)
    opened = Database.open(bare_url)
    assert members(opened) == ["d0", "d1", "d2", "d3"]
    with opened.reading(SYSTEM, at=AT) as store:
        assert [one["id"] for one in store.select("Device", patient="p")] == ["d0", "d1", "d2", "d3"]
    opened.close()


def test_what_a_new_parameter_asks_is_found_in_what_was_stored_before(bare_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, ended in between and gone on with, beside somebody who writes."""
    monkeypatch.setattr(reindex, "PORTION", 2)
    registry = Registry.load()
    plan = registry.compile("Device")
    database = Database.open(bare_url)
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


def test_an_older_database_learns_what_its_resources_lack_and_what_stands_inside_of_names(bare_url: str) -> None:
    old = Database.open(bare_url)
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
    opened = Database.open(bare_url)
    assert found(opened, "gender:missing=true") == found(opened, "name:missing=true") == ["bare"]
    assert found(opened, "name:contains=国强") == ["named"]
    assert found(opened, "gender:missing=false") == ["named"]
    opened.close()


def as_release_1_left_it(database: Database) -> None:
    with database.plainly() as connection:
        for table, name in (("ix_token", "%:missing"), ("ix_string", "%:inside")):
            gone = text(f"DELETE FROM {table} WHERE param IN (SELECT id FROM term WHERE text LIKE :name)")
            connection.execute(gone, {"name": name})
        connection.execute(text("DELETE FROM reader_place WHERE reader LIKE 'index edition%'"))
        connection.execute(text("INSERT INTO reader_place (reader, seq) VALUES ('index edition', 1)"))


def test_a_large_older_database_opens_at_once_and_finds_the_same_before_meanwhile_and_after(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is only slower without its entries is looked for in the resources until a snapshot has all of them."""
    monkeypatch.setattr(reindex, "PORTION", 2)
    old = Database.open(bare_url)
    with old.writing(SYSTEM, at=AT) as store:
        for number in range(9):
            some = {"gender": "male"} if number % 2 else {"name": [{"text": "欧阳国强"}]}
            store.put({"resourceType": "Patient", "id": f"p{number}", **some})
    as_release_1_left_it(old)
    old.close()

    def found(database: Database) -> list[set[str]]:
        with database.reading(SYSTEM, at=AT) as store:
            asked = ("gender:missing=true", "name:missing=true", "name:contains=国强")
            return [{one.id for one in store.search("Patient", query).matches} for query in asked]

    even, odd = {f"p{number}" for number in range(0, 9, 2)}, {f"p{number}" for number in range(1, 9, 2)}
    expected = [even, odd, even]
    opened = Database.open(bare_url)
    assert not opened.index_is_current
    other = Database.open(bare_url)  # a second process, which was started meanwhile
    portions = 0
    with opened.reading(SYSTEM, at=AT) as before:
        before.search("Patient", "_id=p1")
        while True:
            assert found(opened) == found(other) == expected
            more = reindex.step((opened, other)[portions % 2], 2)
            portions += 1
            if not more:
                break
        assert not reindex.is_current(before), "this snapshot is older than the last portion"
        assert {one.id for one in before.search("Patient", "gender:missing=true").matches} == even
    assert portions > 2
    assert found(opened) == found(other) == expected
    with opened.reading(SYSTEM, at=AT) as store:
        assert reindex.is_current(store)
    with opened.engine.connect() as connection:
        kept = "SELECT count(*) FROM ix_token x JOIN term t ON t.id=x.param WHERE t.text='Patient.gender:missing'"
        assert connection.execute(text(kept)).scalar_one() == len(even)
    opened.close()
    other.close()
    again = Database.open(bare_url)
    assert again.index_is_current
    assert found(again) == expected
    again.close()


def test_whoever_keeps_the_timers_indexes_beside_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex, "PORTION", 1)
    here = open_installation(tmp_path)
    with here.database.writing(SYSTEM, at=AT) as store:
        for number in range(3):
            store.put({"resourceType": "Patient", "id": f"p{number}"})
    as_release_1_left_it(here.database)
    here.close()
    here = open_installation(tmp_path)
    assert not here.database.index_is_current
    running = Serving(here, Address("127.0.0.1", 0), Address("127.0.0.1", 0), [Role.TIMERS])
    running.start()
    try:
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            with here.database.reading(SYSTEM, at=AT) as store:
                if reindex.is_current(store):
                    break
            time.sleep(0.02)
        with here.database.reading(SYSTEM, at=AT) as store:
            assert reindex.is_current(store)
            assert len(store.search("Patient", "gender:missing=true").matches) == 3
    finally:
        running.stop()
        here.close()


@pytest.mark.long
def test_a_process_that_serves_indexes_beside_its_requests_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    old = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", validate=lambda resource: [])
    with old.writing(SYSTEM, at=AT) as store:
        for number in range(1200):
            store.put({"resourceType": "Patient", "id": f"p{number}", **({} if number % 400 else {"gender": "male"})})
    as_release_1_left_it(old)
    old.close()

    def how_far() -> tuple[int, int]:
        with closing(sqlite3.connect(f"file:{tmp_path}/healthsvc.sqlite?mode=ro", uri=True)) as looking:
            places = dict(looking.execute("SELECT reader, seq FROM reader_place WHERE reader LIKE 'index edition%'"))
        edition = places.get("index edition", 0)
        return edition, max((seq for reader, seq in places.items() if reader.startswith("index edition at index edition,")), default=0)

    serve = [sys.executable, "-m", "healthsvc.main", "serve", "--data", str(tmp_path), "--only", "timers"]
    reached = 0
    for _ in range(2):
        running = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ends = time.monotonic() + 60
            while time.monotonic() < ends and running.poll() is None:
                edition, at = how_far()
                if edition == max(reindex.EDITIONS) or (not reached and at):
                    break
                time.sleep(0.01)
        finally:
            running.kill()  # with -9, in the midst of it the first time
            running.wait(10)
        edition, at = how_far()
        assert at >= reached or edition == max(reindex.EDITIONS)
        reached = at
    assert edition == max(reindex.EDITIONS)
    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", validate=lambda resource: [])
    assert opened.index_is_current
    with opened.reading(SYSTEM, at=AT) as store:
        assert store.search("Patient", "gender:missing=true&_total=accurate").total == 1197
    opened.close()
