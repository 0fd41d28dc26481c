"""A line is mended and its messages are tried again: under the profile that fits them now, never under one that knows another."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital import AT, Hospital

from healthsvc.errors import Conflict
from healthsvc.fhir.systems import hospital_number
from healthsvc.store import SYSTEM, Database
from healthsvc.store.tables import AuditRow
from integrations.couriers import Couriers
from integrations.folder import Folders
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.operating.collector import LineCollector
from integrations.operating.desk import Desk
from integrations.operating.open_lines import OpenLines
from integrations.operating.profiles import Profiles, note
from integrations.worker import Worker

OUTSIDE = "10.1.2.3:2575"
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
ROOT = Path(__file__).resolve().parents[2]
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
    for event in ("ADT^A23", "ADT^Z99"):
        assert own_hospital.says(event, "C1") == "AA"
        assert own_hospital.last().state == "ignored"
    desk = Desk(own_hospital.inbox.shelf)
    with own_hospital.database.reading(SYSTEM, at=AT) as store:
        about = desk.to_replay(store, "", AT.replace(year=2020), AT.replace(year=2100))
    assert desk.replay(own_hospital.database, SYSTEM, about).queued == 2
    own_hospital.worker.drain()
    assert [(row.state, row.reason) for row in own_hospital.rows()[-2:]] == [("ignored", "event-unneeded"), ("ignored", "unknown-event")]


class Running(Line):
    """A service that goes on while its profiles are changed."""

    def start(self) -> None:
        self.profiles = Profiles(self.database, self.folder)
        self.shelf = self.profiles.shelf
        self.inbox = Inbox(self.database, self.shelf)
        self.inbox.start()
        self.worker = Worker(self.database, self.shelf, "test")
        note(self.database, self.shelf, AT)

    def writes(self, version: int, more: str = "", unknown: str = "register") -> None:
        told = PROFILE.format(unknown=unknown).replace("version = 1", f"version = {version}")
        (self.folder / "renmin.toml").write_text(told.replace("[match]", f"{more}\n[match]"))

    def looks(self) -> str:
        """Two looks, as a change needs; gives what is wrong."""
        self.profiles.look()
        self.profiles.look()
        return self.profiles.trouble

    def noted(self) -> list[str]:
        with self.database.reading(SYSTEM, at=AT) as store:
            return [row.purpose for row in store.connection.execute(AUDIT.select().order_by(AUDIT.c.seq)) if row.action == "link-change"]


@pytest.fixture
def running(database: Database, tmp_path: Path) -> Iterator[Running]:
    made = Running(database, tmp_path)
    yield made
    made.inbox.stop()


def test_a_changed_profile_is_taken_over_in_mid_feed(running: Running) -> None:
    running.writes(1, unknown="forget")
    assert running.looks() == ""
    assert running.gets(adt(id="1"), OUTSIDE) == "AA"
    assert running.gets(adt(id="2"), OUTSIDE) == "AA", "its header is known by now"
    running.inbox.take_now(adt("ADT^A31", id="3"), OUTSIDE, "10.1.9.20")
    running.writes(2, 'ack = "enhanced"\nack_unasked = "enhanced"')
    running.profiles.look()
    assert running.gets(adt(id="4"), OUTSIDE) == "AA", "somebody may still be writing the file"
    assert running.people("C7", "rm") == []
    running.profiles.look()
    assert running.gets(adt(id="5"), OUTSIDE) == "CA"
    assert running.people("C7", "rm") == ["测试甲"]
    assert {state for _, state, _ in running.rows()} == {"done", "forgotten"}
    assert running.noted() == ["renmin new 1", "renmin 1 to 2"]


def test_what_waits_is_read_by_the_numbers_of_the_new_profile(running: Running) -> None:
    """The worker has looked at a message already when what its number means is changed."""
    running.writes(1)
    running.looks()
    running.inbox.take_now(adt(), OUTSIDE, "10.1.9.20")
    with running.database.reading(SYSTEM, at=AT) as store:
        rows = store.connection.execute(INBOX.select()).all()
        running.worker._ahead.look(store.connection, rows)
        before = running.worker._ahead[1].numbers
        running.writes(2, '[[number]]\nkind = "IDCard"\nmeans = "inpatient"')
        assert running.looks() == ""
        running.worker._ahead.look(store.connection, rows)
    assert [one.system for one in before] == [hospital_number("rm")]
    assert [one.system for one in running.worker._ahead[1].numbers] == [hospital_number("rm/inpatient")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('version = 2\ncolour = "red"', "renmin.toml: colour is not a setting"),
        ("version = 2\n[send", "renmin.toml cannot be read"),
        ('version = 1\nunknown_event = "AR"', "still says version = 1; raise it with every change"),
        ("version = 2\nsend = { host = 'h', port = 1, topics = ['person'], tls = true, ca = 'none.pem' }", "there is no file 'none.pem'"),
    ],
)
def test_what_is_wrong_keeps_the_old_ones_and_is_told_until_it_is_mended(running: Running, wrong: str, said: str) -> None:
    running.writes(1)
    running.looks()
    path = running.folder / "renmin.toml"
    good = path.read_text()
    (running.folder / "other.toml").write_text(good.replace("renmin", "other").replace("RMYY", "OTHER"))
    path.write_text(good.replace("version = 1", wrong))
    assert said in running.looks()
    assert said in running.looks()
    assert running.gets(adt(), OUTSIDE) == "AA"
    assert [one.name for one in running.shelf.site] == ["renmin"], "all of them or none"
    told = {one.name: one for one in LineCollector(running.database, running.shelf, lambda: running.profiles.trouble).collect()}
    assert [one.value for one in told["healthsvc_hl7_profiles_refused"].samples] == [1.0]
    assert {one.labels["link"]: one.value for one in told["healthsvc_hl7_profile_version"].samples} == {"renmin": 1, "default": 1}
    desk = Desk(running.shelf, lambda: running.profiles.trouble, running.profiles.files)
    unreadable = "cannot be read" in said or "colour" in said
    assert desk.not_in_force().get("renmin") == ((1, 0) if unreadable else None if "version = 1" in wrong else (1, 2))
    assert desk.not_in_force()["other"] == (0, 1)
    path.write_text(good)
    assert running.looks() == ""
    assert desk.not_in_force() == {}
    assert [one.name for one in running.shelf.site] == ["other", "renmin"]
    assert running.noted() == ["renmin new 1", "other new 1"]


def test_nobody_is_left_listening_to_a_hospital_that_no_profile_knows(running: Running) -> None:
    running.writes(1)
    running.looks()
    OpenLines(running.database, "feeds1:4711", OUTSIDE, list).say()
    (running.folder / "renmin.toml").unlink()
    assert f"no link profile allows listening on {OUTSIDE}" in running.looks()
    assert running.gets(adt(), OUTSIDE) == "AA"
    running.folder.rename(running.folder.with_name("elsewhere"))
    assert "is gone; put it back" in running.looks()
    running.folder.with_name("elsewhere").rename(running.folder)
    running.writes(1)
    assert running.looks() == ""
    assert running.noted() == ["renmin new 1"]


def test_couriers_and_folders_follow(running: Running, tmp_path: Path) -> None:
    couriers, folders = Couriers(running.database, running.shelf, "test"), Folders(running.inbox, running.shelf, 1 << 20)
    running.profiles.tell(couriers.follow)
    into = tmp_path / "in"
    into.mkdir()
    (into / "day.hl7").write_bytes(adt())
    seen = []
    for version, port in enumerate((1, 1, 2, 0), start=1):
        sending = f'[send]\nhost = "127.0.0.1"\nport = {port}\ntopics = ["person"]' if port else ""
        running.writes(version, f'[receive]\nfolder = "{into}"\n{sending}')
        assert running.looks() == ""
        seen.append(couriers._at_work.get("renmin"))
    assert [one and one[0].port for one in seen] == [1, 1, 2, None]
    assert seen[0] is seen[1]
    assert seen[0][1]._rounds.stopping.is_set(), "the one of the old destination has stopped"
    assert folders.turn() + folders.turn() == 1
    running.worker.drain()
    assert running.people("C7", "rm") == ["测试甲"]
    couriers.stop()


def test_every_process_knows_an_edition_again(running: Running) -> None:
    """Python's sets have another order in each process."""
    running.writes(1, 'nothing = ["a", "b", "c", "d"]\ninfusion_routes = ["w", "x", "y", "z"]')
    script = (
        "import sys; from pathlib import Path; from integrations.operating.profiles import _told; "
        "from integrations.hospitals.shelf import shelf; print(_told(shelf(Path(sys.argv[1]))))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script, running.folder],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
