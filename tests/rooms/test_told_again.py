"""A person told the same again is not compared anew; whatever differs is compared: the file, the word, its purpose."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import embedded
import pytest

from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from integrations.effects import person
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.worker import Worker

AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
SHELF = shelf()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(embedded.made(tmp_path), rooms=ROOMS)
    yield opened
    opened.close()


def tell(database: Database, number: int, address: str, event: str = "A08") -> None:
    head = f"MSH|^~\\&|HIS|H1|C|C|202611200801{number:02}||ADT^{event}|T{number}|P|2.4\rEVN||202611200801{number:02}\r"
    raw = f"{head}PID|1||MR1^^^^MR||测试甲||19300101|M|||{address}\rPV1|1|O|门诊||||||||||||||||V{number}\r".encode()
    inbox, worker = Inbox(database, SHELF), Worker(database, SHELF, "test")
    assert [arrival.code.value for arrival in inbox.take_all([raw], "127.0.0.1:1", "127.0.0.1")] == ["AA"]
    assert worker.drain() == 1


def file(database: Database) -> tuple[str, str]:
    with database.reading(SYSTEM, at=AT) as store:
        (found,) = store.select("Patient")
        return found["address"][0]["text"], found["meta"]["versionId"]


def test_the_same_word_again_changes_nothing_and_is_not_compared_anew(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(database, 1, "一号")
    tell(database, 2, "一号")
    compared: list[str] = []
    real = person.to_person
    monkeypatch.setattr(person, "to_person", lambda known: compared.append(known["id"]) or real(known))
    tell(database, 3, "一号")
    assert not compared
    assert file(database) == ("一号", "1")


def test_a_word_that_was_overtaken_counts_again(database: Database) -> None:
    for number, address in enumerate(("一号", "二号", "一号", "一号", "二号"), start=1):
        tell(database, number, address)
        assert file(database)[0] == address


def test_a_word_that_only_fills_gaps_does_not_stand_for_one_that_counts(database: Database) -> None:
    tell(database, 1, "一号")
    tell(database, 2, "二号", event="A04")
    assert file(database)[0] == "一号", "an admission only fills gaps"
    tell(database, 3, "二号")
    assert file(database)[0] == "二号"


def test_a_file_that_was_changed_here_is_told_again(database: Database) -> None:
    tell(database, 1, "一号")
    tell(database, 2, "一号")
    with database.writing(SYSTEM, at=AT) as store:
        (found,) = store.select("Patient")
        store.put(found | {"address": [{"use": "home", "text": "此处改过"}]})
    tell(database, 3, "一号")
    assert file(database)[0] == "一号"
