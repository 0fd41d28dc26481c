"""The operator's tools on real messages: seen masked, mended by position, replayed, closed, a merge taken back; all of it audited."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hospital import AT, Hospital, cadre, segment
from sqlalchemy import select
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.errors import Conflict, Invalid, NotFound
from healthsvc.healthfile.merging import merge as join
from healthsvc.healthfile.resources import links
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.store import SYSTEM, Actor, Database, Store, lease
from healthsvc.store.audit import AUDIT
from integrations import ended
from integrations.effects.by_rule import closed_by_rule
from integrations.hospitals.profile import Unknown
from integrations.hospitals.shelf import Shelf, load, read, shelf
from integrations.keep import INBOX
from integrations.mllp.state import LineState
from integrations.operating import replaying
from integrations.operating.desk import Desk
from integrations.operating.lines import standings
from integrations.operating.open_lines import OpenLines
from integrations.operating.profiles import note
from integrations.operating.replaying import Replayed
from integrations.outbox import send_later
from integrations.refusals import Refusals

OPERATOR = Actor("user/op", "测试运维", frozenset({"operator"}), "page")


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


@pytest.fixture
def desk(hospital: Hospital) -> Desk:
    return Desk(hospital.inbox.shelf)


def do(database: Database, act: Callable[[Store], Any]) -> Any:
    with database.writing(OPERATOR, at=clock.now()) as store:
        return act(store)


def replayed(database: Database, desk: Desk, link: str, since: datetime, until: datetime, patient: str = "") -> Replayed:
    with database.reading(OPERATOR, at=clock.now()) as store:
        about = desk.to_replay(store, link, since, until, patient)
    return desk.replay(database, OPERATOR, about)


def audited(database: Database) -> list[tuple[str, str]]:
    with database.reading(OPERATOR, at=AT) as store:
        rows = store.connection.execute(select(AUDIT.c.action, AUDIT.c.subject).where(AUDIT.c.actor == "user/op").order_by(AUDIT.c.seq))
        return [(row.action, row.subject) for row in rows if row.action.startswith("hl7-")]


def test_a_message_that_failed_is_seen_masked_mended_by_position_and_taken_in(hospital: Hospital, desk: Desk) -> None:
    database = hospital.database
    patient, _ = cadre(database)
    assert hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1"), birth="19300101") == "AA"
    hospital.says("ADT^A08", "C1", segment("PV1", _2="I", _19="V1"), citizen="330299193001019990", name="测试丙", birth="19410203")
    [letter] = do(database, lambda store: desk.letters(store, 10))
    assert (letter.state, letter.place) in {("review", "PID-3"), ("review", "PID-5"), ("dead", "PID-3")}
    seen = do(database, lambda store: desk.view(store, letter.id))
    text = str(seen)
    assert "测试" not in text
    assert "194102" not in text.replace("-", "")
    assert "IdentifyNO" in text
    with pytest.raises(Invalid):
        do(database, lambda store: desk.edit(store, letter.id, [("PID-5", "测试甲")], " "))
    with pytest.raises(Conflict):
        do(database, lambda store: desk.edit(store, letter.id, [("MSH-10", "")], "no number"))
    changes = [("PID-5", "测试甲"), ("PID-7", "19300101"), ("PID-3(2).1", ""), ("PID-3(2).5", "")]
    new = do(database, lambda store: desk.edit(store, letter.id, changes, "sender mixed up two people"))
    hospital.worker.drain()
    states = {row.id: row.state for row in hospital.rows()}
    assert (states[letter.id], states[new]) == ("replaced", "done")
    assert [file["id"] for file in hospital.select("Patient")] == [patient]
    assert audited(database) == [("hl7-view", f"inbox/{letter.id}"), ("hl7-edit", f"inbox/{letter.id}")]


def test_closing_needs_a_reason_and_keeps_the_message(hospital: Hospital, desk: Desk) -> None:
    hospital.says("ADT^A01", "C9")
    [letter] = do(hospital.database, lambda store: desk.letters(store, 10))
    with pytest.raises(Invalid):
        do(hospital.database, lambda store: desk.close(store, letter.id, ""))
    do(hospital.database, lambda store: desk.close(store, letter.id, "test patient of the hospital"))
    assert [(row.state, bool(row.raw)) for row in hospital.rows()] == [("closed", True)]
    with pytest.raises(NotFound):
        do(hospital.database, lambda store: desk.again(store, letter.id))


def test_replay_of_a_line_a_time_and_a_person_changes_nothing_that_is_right(hospital: Hospital, desk: Desk) -> None:
    database = hospital.database
    patient, _ = cadre(database)
    cadre(database, "C2", 902)
    for number in ("C1", "C2"):
        hospital.says("ADT^A01", number, segment("PV1", _2="I", _19=f"V{number}"))
    stays = hospital.select("Encounter")
    hour = timedelta(hours=1)

    def again(**how: Any) -> int:
        since, until = clock.now() - hour, clock.now() + hour
        count = replayed(database, desk, how.get("link", ""), since, until, how.get("patient", "")).queued
        assert sum(row.state == "pending" for row in hospital.rows()) == count
        hospital.worker.drain()
        return int(count)

    assert again(patient=patient) == 1
    assert again(link="default") == 2
    assert again(link="nobody") == 0
    assert replayed(database, desk, "", clock.now() + hour, clock.now() + 2 * hour).queued == 0
    assert {row.state for row in hospital.rows()} == {"done"}
    assert hospital.select("Encounter") == stays
    assert len(audited(database)) == 4


def test_a_long_replay_lets_others_write_between_its_portions(hospital: Hospital, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    database = hospital.database
    for number in range(5):
        hospital.says("ADT^A28", f"C{number}", name="测试甲", birth=f"193{number}0101")
    hospital.says("ADT^A08", "C4", name="测试乙", birth="19340101")
    monkeypatch.setattr(replaying, "_PORTION", 2)
    hour = timedelta(hours=1)
    with database.reading(OPERATOR, at=clock.now()) as store:
        about = desk.to_replay(store, "", clock.now() - hour, clock.now() + hour)
    assert about.ids == tuple(row.id for row in hospital.rows())
    do(database, lambda store: store.connection.execute(INBOX.update().where(INBOX.c.id == about.ids[0]).values(state="replaced")))

    def worked() -> datetime:  # before each portion somebody writes, and the worker does what is queued
        hospital.worker.drain()
        do(database, lambda store: store.once({"resourceType": "Practitioner", "id": f"p{store.at.timestamp()}".replace(".", "-")}))
        return clock.now()

    done = replaying.replay(database, OPERATOR, hospital.inbox.shelf, about, worked)
    hospital.worker.drain()
    assert done.queued == 5, "what was replaced meanwhile stays so"
    assert len(hospital.select("Practitioner")) == 3
    assert {row.state for row in hospital.rows()} == {"replaced", "done"}
    assert hospital.file("C4")["name"][0]["text"] == "测试乙", "the later word still counts"
    assert [action for action, _ in audited(database)] == ["hl7-replay"]


@pytest.mark.parametrize("event", ["ADT^A40", "ADT^A18", "ADT^A30", "ADT^A34", "ADT^A36", "ADT^A39"])
def test_a_merge_is_taken_back_by_its_message(hospital: Hospital, desk: Desk, event: str) -> None:
    database = hospital.database
    hospital.says("ADT^A28", "C1", name="测试甲")
    hospital.says("ADT^A28", "C2", name="测试甲")
    hospital.says(event, "C1", "MRG|C2^^^^IDCard")
    merge = hospital.last()
    assert merge.state == "done"
    gone = do(database, lambda store: next(iter(desk.unmerge(store, merge.id, "测试运维", "two people"))))
    [file] = [one for one in hospital.select("Patient") if one["id"] == gone]
    assert links(file, "replaced-by") == []
    assert file["active"] is True
    with pytest.raises(NotFound):
        do(database, lambda store: desk.unmerge(store, merge.id, "测试运维", "again"))
    assert audited(database)[-1] == ("hl7-unmerge", f"inbox/{merge.id}")


def test_a_hospital_that_takes_a_merge_back_is_heard_and_somebody_parts_the_files(hospital: Hospital, desk: Desk) -> None:
    database = hospital.database
    for number in ("C1", "C2"):
        hospital.says("ADT^A28", number)
    other = "PID|2||C2^^^^IDCard||测试甲"
    assert hospital.says("ADT^A37^ADT_A37", "C1", other) == "AA"
    assert (hospital.last().state, hospital.last().remark.split(";")[-1]) == ("done", " nothing was changed"), "they are two already"
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard")
    merge = hospital.last()
    assert hospital.says("ADT^A37^ADT_A37", "C1", other) == "AA"
    asked = hospital.last()
    assert (asked.state, asked.reason, asked.place) == ("review", "unlink-asked", "PID-3")
    do(database, lambda store: desk.unmerge(store, merge.id, "测试运维", "told by the hospital"))
    do(database, lambda store: desk.again(store, asked.id))
    hospital.worker.drain()
    assert [row.state for row in hospital.rows() if row.id == asked.id] == ["done"]
    hospital.worker.shelf = Shelf([], replace(load("default"), unknown_person=Unknown.FORGET))
    hospital.says("ADT^A37^ADT_A37", "C8", other.replace("C2", "C9"))
    assert hospital.last().state == "forgotten"


def test_a_merge_that_was_taken_back_is_not_made_again_by_a_replay_nor_by_a_resend(hospital: Hospital, desk: Desk) -> None:
    database = hospital.database
    for number in ("C1", "C2"):
        hospital.says("ADT^A28", number, name="测试甲")
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard")
    merge = hospital.last()
    survivor, retired = hospital.file("C1")["id"], do(database, lambda store: desk.unmerge(store, merge.id, "测试运维", "two people"))[0]
    whole = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=1)

    def in_force() -> set[str]:
        return {str(one["id"]) for one in hospital.select("Patient") if not links(one, "replaced-by")}

    for patient in ("", retired):
        done = replayed(database, desk, "", *whole, patient)
        assert (done.left, done.queued) == ((merge.id,), 2 if not patient else 1)
        hospital.worker.drain()
        assert in_force() == {survivor, retired}
    hospital.says("ADT^A40", "C1", "MRG|C2^^^^IDCard")
    again = hospital.last()
    assert (again.state, again.reason) == ("review", "merge-parted")
    assert in_force() == {survivor, retired}
    with database.writing(OPERATOR, at=clock.now()) as store:  # they are one person after all, and somebody says so
        join(store, survivor, retired, by="测试运维", reason="family came")
        desk.again(store, again.id)
    hospital.worker.drain()
    assert hospital.last().state == "done"
    done = replayed(database, desk, "", *whole)
    assert (done.left, done.queued) == ((), 4)


def test_how_the_lines_stand_and_which_is_silent(hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "h1.toml").write_text(
        'extends = "default"\nprofile = "h1"\nversion = 1\ntitle = "x"\nhospital = "h1"\nsilence_minutes = 30\n'
        '[match]\nsending_facility = "H1"\n'
    )
    known = Shelf([read(tmp_path / "h1.toml")], load("default"))
    hospital.inbox.shelf = hospital.worker.shelf = known
    hospital.says("ADT^A01", "C9")
    do(hospital.database, lambda store: send_later(store, "h1", "p", "MSH|"))
    for later, silent in ((timedelta(minutes=10), False), (timedelta(minutes=31), True)):
        with hospital.database.reading(OPERATOR, at=clock.now() + later) as store:
            [one] = [one for one in standings(store, known) if one.name == "h1"]
        assert (one.silent, one.total, one.trouble, one.out_waiting) == (silent, 1, 1, 1)
        assert one.last is not None


def test_what_hospitals_did_not_get(hospital: Hospital, desk: Desk) -> None:
    database = hospital.database
    text = "MSH|^~\\&|A|B|C|D|20260101||ADT^A31|1|P|2.4\rPID|1||1||测试甲\r"
    do(database, lambda store: send_later(store, "h1", "p", text, event="ADT^A31", problem="not sent: PID"))
    [stuck] = do(database, lambda store: desk.stuck(store, 10))
    assert "测试" not in str(do(database, lambda store: desk.sent(store, stuck.id)))
    do(database, lambda store: desk.send_again(store, stuck.id))
    assert do(database, lambda store: desk.stuck(store, 10)) == []
    do(database, lambda store: desk.send_never(store, stuck.id, "moved away"))
    with pytest.raises(NotFound):
        do(database, lambda store: desk.send_again(store, stuck.id))


def test_the_same_on_the_command_line(tmp_path: Path) -> None:
    here = open_installation(tmp_path)
    there = Hospital(here.database)
    there.says("ADT^A01", "C9")
    there.says("ADT^ZZ9", "C9")
    there.says("ADT^A04", "C9", "PV1|1|O|||||||||||||||||V9")
    [visit] = there.select("Encounter")
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.put(closed_by_rule(visit, store.at))
    there.inbox.stop()
    profile = tmp_path / "hospitals" / "h1.toml"
    profile.parent.mkdir()
    profile.write_text('extends = "default"\nprofile = "h1"\nversion = 3\ntitle = "H1"\nhospital = "h1"\n')
    note(here.database, shelf(profile.parent), clock.now())
    here.close()
    run = CliRunner()

    def told(*words: str) -> tuple[int, str]:
        result = run.invoke(cli, ["hl7", *words, "--data", str(tmp_path)])
        return result.exit_code, result.output

    code, stand = told("lines")
    assert code == 1
    assert re.search(r"h1\W+0\W+1\W+never told", stand), "how the visits of each hospital ended"
    [line] = [one for one in json.loads(told("lines", "--json")[1]) if one["name"] == "h1"]
    assert (line["version"], line["version_in_force"], line["ended_by_word"], line["ended_by_rule"]) == (3, 3, 0, 1)
    profile.write_text(profile.read_text().replace("version = 3", "version = 4"))
    assert "3 (file: 4)" in told("lines")[1], "what a running service is about to take over"
    profile.write_text(profile.read_text().replace("version = 4", "version = x"))
    assert "link profile h1.toml cannot be read" in told("lines")[1]
    assert "link profile h1.toml cannot be read" in " ".join(run.invoke(cli, ["doctor", "--json", "--data", str(tmp_path)]).output.split())
    profile.unlink()
    code, listed = told("letters")
    assert code == 0
    assert "no-visit" in listed
    assert "ADT^ZZ9" not in listed, "what needs nobody"
    code, found = told("letters", "--control-id", "M2", "--json")
    assert [(one["control_id"], one["event"], one["state"]) for one in json.loads(found)] == [("M2", "ADT^ZZ9", "ignored")]
    assert "测试" not in told("show", "1")[1]
    assert told("edit", "1", "--set", "MSH-9.2=A31", "--reason", "typing error")[0] == 0
    assert told("retry", "1")[0] != 0, "it is replaced"
    replayed = " ".join(told("replay", "--since", "2020-01-01")[1].split())
    assert "2 messages" in replayed
    assert "takes a changed link profile over within seconds" in replayed
    assert told("announce", "default")[0] != 0


def test_every_listening_process_shows_its_lines_and_one_that_was_killed_is_shown_no_more(database: Database, desk: Desk) -> None:
    now = clock.utc_now()
    lines = {"a:1": [LineState("10.1.9.4", 0.0, 7, 1)], "b:2": [LineState("10.1.9.5", 0.0, 3), LineState("10.1.9.6", 0.0)]}
    listening = [OpenLines(database, name, "0.0.0.0:2575", lambda name=name: lines[name], lambda: now) for name in lines]  # type: ignore[misc]
    for one in listening:
        one.say()

    def seen() -> list[tuple[str, list[tuple[str, int, int]]]]:
        with database.reading(OPERATOR, at=now) as store:
            return [(one.process, [(line.peer, line.messages, line.faults) for line in one.lines]) for one in desk.listening(store)]

    assert seen() == [("a:1", [("10.1.9.4", 7, 1)]), ("b:2", [("10.1.9.5", 3, 0), ("10.1.9.6", 0, 0)])]
    lines["b:2"].pop()
    listening[1].say()
    listening[0].stop()
    assert seen() == [("b:2", [("10.1.9.5", 3, 0)])]
    now += timedelta(seconds=61)
    assert seen() == []


def test_who_was_turned_away_stands_below_the_process_that_listens(database: Database, desk: Desk) -> None:
    away = Refusals()
    for why in ("address", "TLS: nothing in time", "address"):
        away.note("10.1.9.9", why)
    listening = OpenLines(database, "a:1", "0.0.0.0:2575", list, refused=away.of_late)
    listening.say()
    with database.reading(OPERATOR, at=clock.now()) as store:
        [one] = desk.listening(store)
    assert {(each.peer, each.why, each.times) for each in one.refused} == {
        ("10.1.9.9", "address", 2),
        ("10.1.9.9", "TLS: nothing in time", 1),
    }
    listening.stop()


def test_sequence_numbers_that_did_not_come_stand_at_their_line(hospital: Hospital) -> None:
    """A message that came again says nothing new of them, one that comes late closes its gap."""

    def says(number: int) -> None:
        text = hospital.message("ADT^A31", "C1", id=f"S{number}").replace(f"S{number}|P|2.4", f"S{number}|P|2.4|{number}")
        assert b"MSA|AA" in hospital.inbox.take_now(text.encode(), "127.0.0.1:2575", "127.0.0.1")

    def at_line() -> list[str]:
        with hospital.database.reading(OPERATOR, at=clock.now()) as store:
            return [gap.text for one in standings(store, hospital.inbox.shelf) for gap in one.missing]

    cadre(hospital.database)
    for number in (7, 8, 12, 12, 8):
        says(number)
    assert at_line() == ["9–11"]
    says(10)
    assert at_line() == ["9", "11"]
    with hospital.database.reading(OPERATOR, at=clock.now() + timedelta(days=8)) as store:
        assert not [gap for one in standings(store, hospital.inbox.shelf) for gap in one.missing], "the sender has let go of them by then"


def test_leases_that_nobody_takes_any_more_go(database: Database) -> None:
    """Of a hospital that gets nothing from us any more, or of the one worker of an embedded database that was moved to a server."""
    names = ("timers", "hospital-worker", "courier-gone", "courier-running")
    now = clock.utc_now()
    with database.writing(OPERATOR, at=now) as store:
        for name in names:
            begun = now if name == "courier-running" else now - timedelta(minutes=5)
            lease.take(store.connection, name, "process", begun, timedelta(seconds=60))
    ended.forget(database, Shelf((), None))
    with database.reading(OPERATOR, at=now) as store:
        left = {name for name in names if lease.holds(store.connection, name, "process", 1)}
    assert left == {"timers", "courier-running"} | ({"hospital-worker"} if database.engine.dialect.name == "sqlite" else set())
