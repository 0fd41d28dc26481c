"""How many statements a hospital message costs on a server: each is a way there and back. Counted, not timed."""

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from healthsvc.rooms import ROOMS
from healthsvc.store import Database
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.worker import Worker

MOST = 24
"""The admission of somebody whom the hospital has announced before takes 21, its share of the round and of the commit included."""


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database.open(postgres_url, rooms=ROOMS)
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
