"""A line is mended and its messages are tried again: under the profile that fits them now, never under one that knows another."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital import AT, Hospital

from healthsvc.errors import Conflict
from healthsvc.fhir.systems import hospital_number
from healthsvc.store import SYSTEM, Database
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.operating.desk import Desk
from integrations.worker import Worker

OUTSIDE = "10.1.2.3:2575"
PROFILE = """
extends = "default"
profile = "renmin"
version = 1
title = "测试医院"
hospital = "rm"
charset = "GB18030"
unknown_person = "{unknown}"
[match]
sending_facility = "RMYY"
listen = ["10.1.2.3:*", "127.0.0.1:*"]
"""


class Line:
    """A service that is started anew after its profiles were changed."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.start()

    def start(self) -> None:
        self.shelf = shelf(self.folder)
        self.inbox = Inbox(self.database, self.shelf)
        self.inbox.start()
        self.worker = Worker(self.database, self.shelf, "test")

    def gets(self, raw: bytes, listen: str) -> str:
        answer = self.inbox.take_now(raw, listen, "10.1.9.20")
        self.worker.drain()
        return answer.split(b"\r")[1].split(b"|")[1].decode()

    def mended(self, unknown: str = "register") -> None:
        self.inbox.stop()
        (self.folder / "renmin.toml").write_text(PROFILE.format(unknown=unknown))
        self.start()

    def retry(self, id: int) -> None:
        with self.database.writing(SYSTEM, at=AT) as store:
            Desk(self.shelf).again(store, id)
        self.worker.drain()

    def rows(self) -> list[tuple[str, str, str | None]]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return [(row.link, row.state, row.reason) for row in store.connection.execute(INBOX.select().order_by(INBOX.c.id))]

    def people(self, number: str, hospital: str) -> list[str]:
        with self.database.reading(SYSTEM, at=AT) as store:
            found = store.select("Patient", identifier=f"{hospital_number(hospital)}|{number}")
        return [one["name"][0]["text"] for one in found]


@pytest.fixture
def line(database: Database, tmp_path: Path) -> Iterator[Line]:
    made = Line(database, tmp_path)
    yield made
    made.inbox.stop()


def adt(event: str = "ADT^A28", id: str = "1", name: str = "测试甲") -> bytes:
    text = f"MSH|^~\\&|HIS|RMYY|C|C|20260302090000||{event}|{id}|P|2.4\rPID|1||C7^^^^IDCard||{name}||19300101|M\r"
    return text.encode("gb18030")


def test_who_was_unknown_is_retried_under_the_profile_that_was_added(line: Line) -> None:
    assert line.gets(adt(), OUTSIDE) == "AR"
    with pytest.raises(Conflict, match="no link profile fits"):
        line.retry(1)
    assert line.rows() == [("", "quarantine", "unknown-sender")]
    assert line.people("C7", "rmyy") == [], "never read by a profile that does not know the hospital"
    line.mended()
    line.retry(1)
    assert (line.rows(), line.people("C7", "rm")) == ([("renmin", "done", None)], ["测试甲"])
    assert line.gets(adt(), OUTSIDE) == "AA", "sent once more it is known, and has had its effect"
    assert line.rows() == [("renmin", "done", None)]


def test_who_came_again_meanwhile_is_not_taken_twice(line: Line) -> None:
    line.gets(adt(), OUTSIDE)
    line.mended("forget")
    assert line.gets(adt(), OUTSIDE) == "AA"
    with pytest.raises(Conflict, match="come again since"):
        line.retry(1)


def test_what_the_built_in_profile_could_not_read_is_read_by_the_hospitals_own(line: Line) -> None:
    assert line.gets(adt(name="祎珺"), "127.0.0.1:2575") == "AE", "rare characters without a label are not guessed"
    line.mended()
    line.retry(1)
    assert (line.rows(), line.people("C7", "rm")) == ([("renmin", "done", None)], ["祎珺"])


def test_a_message_whose_profile_is_gone_waits_for_it(line: Line) -> None:
    line.mended()
    line.inbox.take_now(adt(), OUTSIDE, "10.1.9.20")
    (line.folder / "renmin.toml").unlink()
    line.inbox.stop()
    line.start()
    line.worker.drain()
    assert line.rows() == [("renmin", "review", "profile-missing")]
    line.mended()
    line.retry(1)
    assert (line.rows(), line.people("C7", "rm")) == ([("renmin", "done", None)], ["测试甲"])


def test_an_event_that_is_none_of_our_concern_is_none_when_replayed(own_hospital: Hospital) -> None:
    assert own_hospital.says("ADT^Z99", "C1") == "AA"
    assert own_hospital.last().state == "ignored"
    with own_hospital.database.writing(SYSTEM, at=AT) as store:
        Desk(own_hospital.inbox.shelf).replay(store, "", AT.replace(year=2020), AT.replace(year=2100))
    own_hospital.worker.drain()
    assert (own_hospital.last().state, own_hospital.last().reason) == ("ignored", "unknown-event")
