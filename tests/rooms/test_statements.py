"""How many statements a hospital message costs: on a server each is a way there and back. Counted, not timed."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from healthsvc import clock
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, lookup
from healthsvc.store.search import ast
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.sql import Writer
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.worker import Worker

MOST = 21
"""The admission of somebody whom the hospital has announced before takes 19.6, its share of the round and of the commit included."""


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    opened = Database.open(migrated_url, rooms=ROOMS)
    yield opened
    opened.close()


def admission(number: int) -> bytes:
    head = f"MSH|^~\\&|HIS|H1|C|C|2026010517{number:02d}24||ADT^A01|N{number}|P|2.4\rEVN||2026010517{number:02d}24\r"
    return f"{head}PID|1||K{number % 2}^^^^MR||测试甲||19300101|M\rPV1|1|I|5A^512^03\r".encode()


@pytest.mark.postgres
def test_a_message_costs_few_statements(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, worker = Inbox(database, shelf()), Worker(database, shelf(), "test")
    inbox.start()
    for number in range(4):
        inbox.take_now(admission(number), "127.0.0.1:1", "127.0.0.1")
    worker.drain()
    for number in range(4, 14):
        inbox.take_now(admission(number), "127.0.0.1:1", "127.0.0.1")
    counted: Counter[str] = Counter()
    execute = psycopg.Cursor.execute

    def count(self: psycopg.Cursor, query: object, *args: object, **more: object) -> object:  # type: ignore[type-arg]
        counted[str(query)[:60]] += 1
        return execute(self, query, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(psycopg.Cursor, "execute", count)
    assert worker.drain() == 10
    monkeypatch.undo()
    inbox.stop()
    assert counted.total() / 10 <= MOST, counted.most_common(12)
    assert not [one for one in counted if one.startswith("INSERT INTO ix_")], "index rows of a write go together"


def test_what_is_told_again_is_read_once_and_writes_nothing_but_that_it_was_told(tmp_path: Path) -> None:
    """An A08 with nothing new on an embedded database: the person and the stay are found by their numbers, and not read a second time."""
    database = Database.open(f"sqlite:///{tmp_path}/h.sqlite", rooms=ROOMS)
    inbox, worker, ran = Inbox(database, shelf()), Worker(database, shelf(), "test"), list[str]()
    inbox.start()
    said = "PID|1||C1^^^^IDCard||测试甲||19300101|M\rPV1|1|I|5A^512^03||||||||||||||||V1\r"
    for number in range(12):
        head = f"MSH|^~\\&|HIS|H1|C|C|20260105170024||ADT^A08|N{number}|P|2.4\rEVN||20260105170024\r"
        inbox.take_now(f"{head}{said}".encode(), "127.0.0.1:1", "127.0.0.1")
        if number == 1:
            worker.drain()
            event.listen(database.engine, "checkout", lambda driver, *_: driver.set_trace_callback(ran.append))
    assert worker.drain() == 10
    inbox.stop()
    database.close()
    counted = Counter(re.sub(r"'[^']*'|\d+|X'\w*'", "?", one)[:48] for one in ran)
    assert not [one for one in counted if one.startswith("SELECT pk, version")], "what a look-up has found is not read again"
    assert not [one for one in counted if re.match(r"(INSERT INTO|UPDATE|DELETE FROM) (resource|history|ix_|audit)", one)]
    assert len(ran) / 10 <= 20, counted.most_common(20)


def test_an_embedded_database_too_begins_at_the_person_and_not_at_a_number_that_everybody_has(tmp_path: Path) -> None:
    embedded = Database.open(f"sqlite:///{tmp_path}/h.sqlite")
    with embedded.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {lookup._HOLDING_OF.format(files='?, ?')}", (1, "p7", "p9", 2, 3, "1")).all()
    embedded.close()
    steps = [str(step[3]) for step in plan]
    assert steps[0] == "SEARCH x USING PRIMARY KEY (param=? AND target=?)", steps
    assert re.match(r"SEARCH t USING .*\(pk=\?", steps[1]), steps


@pytest.mark.postgres
def test_a_stay_under_a_number_that_everybody_has_is_looked_for_among_the_persons_stays(database: Database) -> None:
    """A hospital may number each person's stays from 1: the statement begins at the person, however many others have had a first stay."""
    with database.writing(SYSTEM, at=clock.now()) as store:
        for number in range(300):
            store.put({"resourceType": "Patient", "id": f"p{number}", "name": [{"text": "测试甲"}]})
            store.put(
                {
                    "resourceType": "Encounter", "id": f"e{number}", "status": "finished", "class": {"code": "IMP"},
                    "identifier": [{"system": "urn:x", "value": "1"}], "subject": {"reference": f"Patient/p{number}"},
                }
            )  # fmt: skip
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    with database.reading(SYSTEM, at=clock.now()) as store:
        found = lookup.holding_of(store, "Encounter", ("urn:x", "1"), ["p7", "p9"])
        assert [one["id"] for one in found] == ["e7", "e9"]
        known = store.terms.find("Encounter.patient"), ["p7", "p9"], *(lookup._term(store, "Encounter", "urn:x", "1") or ())
        sql = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {lookup._HOLDING_OF_THERE}"
        told = str(store.connection.exec_driver_sql(sql, known).scalar_one())
        writer = Writer(Rows(store), None)
        writer.walks()
        chained = writer.test(ast.Chained(("Encounter.patient",), "Patient", ast.Present("string", ("Patient.name",))), "r")
        store.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        asked = f"EXPLAIN SELECT r.pk FROM resource r WHERE {chained.sql.replace('?', '%s')}"
        plan = "\n".join(store.connection.exec_driver_sql(asked, chained.args).scalars())
    assert max(int(rows) for rows in re.findall(r"'Actual Rows': (\d+)", told)) <= 2
    by_key = re.search(r"Index Cond: .*\(id\)::text = \(x\d+\.target\)", plan)
    assert by_key, f"a person is found by the key of the table, though ids and targets are collated differently:\n{plan}"
