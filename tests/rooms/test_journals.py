"""The journal of a process of hospital lines: what was flushed is read again, what was torn ends it, and it is carried once."""

import errno
import os
import random
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc import clock
from healthsvc.backup import embedded
from healthsvc.errors import Invalid
from healthsvc.store import Database
from healthsvc.store.driver import run
from healthsvc.store.journal import PAGE, Full, Journal, free, peek, read
from healthsvc.store.journal_rows import place, set_place, unfinished
from healthsvc.store.journals import LineJournal, carry_left
from healthsvc.store.journals_read import carried_before, put_beside, rows_beside, waiting
from integrations import carrying, metrics
from integrations.arrival import Arrival, receive
from integrations.carrying import Carrier
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.journaling import Journaling
from integrations.keep import arrived, put
from integrations.process import more_is_left
from integrations.repeating import Repeating

SHELF = shelf()
HALF = 4096
ID = b"0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Journal.make(tmp_path / "j", ID, half=HALF)
    return tmp_path / "j"


def bodies(path: Path) -> list[bytes]:
    return [entry.body for entry in read(path)[1]]


def test_what_is_appended_is_there_again_in_its_order_and_goes_on_behind_it(path: Path) -> None:
    journal = Journal.open(path)
    assert journal.append([b"one", b"two"]) == 2
    with pytest.raises(BlockingIOError):
        Journal.open(path)
    journal.close()
    journal = Journal.open(path)
    assert [(entry.number, entry.body) for entry in journal.entries] == [(1, b"one"), (2, b"two")]
    assert journal.append([b"three"]) == 3
    assert peek(path) == (ID, 3, 0)
    journal.carried(3)
    assert peek(path) == (ID, 3, 3)
    journal.close()
    assert bodies(path) == [b"one", b"two", b"three"]


def test_wherever_the_last_write_was_torn_all_before_it_is_read_and_it_goes_on_there(path: Path) -> None:
    journal = Journal.open(path)
    journal.append([b"first" * 10])
    before = path.read_bytes()
    journal.append([b"second" * 10, b"third" * 10])
    journal.close()
    after = path.read_bytes()
    ends = max(at for at in range(len(after)) if after[at] != before[at] and at >= PAGE) + 1
    begins = min(at for at in range(PAGE, len(after)) if after[at] != before[at])
    whole = bodies(path)
    for cut in range(begins, ends):
        path.write_bytes(after[:cut] + before[cut:])
        found = bodies(path)
        assert found == whole[: len(found)]
        assert found[:1] == whole[:1]
        assert len(found) < 3
    path.write_bytes(after[: ends - 1] + before[ends - 1 :])
    journal = Journal.open(path)
    journal.append([b"later"])
    journal.close()
    assert bodies(path) == [*whole[:2], b"later"]


def test_a_record_of_an_earlier_turn_that_failed_does_not_go_on_from_a_later_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(path)
    journal.append([b"first"])

    def failed(file: int, piece: bytes, at: int) -> int:
        write(file, piece, at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failed)
        with pytest.raises(OSError, match="space"):
            journal.append([b"AAAA", b"not stored"])
    journal.append([b"BBBB"])
    journal.close()
    assert bodies(path) == [b"first", b"BBBB"]


def test_after_a_flush_that_failed_it_takes_nothing_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(path)

    def failed(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failed)
        with pytest.raises(OSError, match="put"):
            journal.append([b"first"])
    with pytest.raises(OSError, match="failed before"):
        journal.append([b"second"])
    journal.close()


def test_after_a_half_that_could_not_be_begun_no_number_is_given_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(path)
    assert journal.append([b"x" * 3900]) == 1
    journal.carried(1)

    def head_only(file: int, piece: bytes, at: int) -> int:
        write(file, piece[:16], at)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    write = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", head_only)
        with pytest.raises(OSError, match="put"):
            journal.append([b"y" * 500])
    assert journal.append([b"it would fit behind the first"]) == 2
    journal.close()
    journal = Journal.open(path)
    assert [entry.number for entry in journal.entries] == [1, 2]
    assert journal.last == 2
    journal.close()


def test_its_room_is_written_when_it_is_made(tmp_path: Path) -> None:
    Journal.make(tmp_path / "j", ID, half=HALF)
    file = os.open(tmp_path / "j", os.O_RDONLY)
    try:
        # a place that was only set aside is a hole to whoever looks for data, and costs the first flush of it a note in the file system
        assert os.lseek(file, 0, os.SEEK_HOLE) == PAGE + 2 * HALF == (tmp_path / "j").stat().st_size
    finally:
        os.close(file)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(st.binary(min_size=1, max_size=900), min_size=1, max_size=4), st.booleans()), max_size=30))
def test_round_and_round_it_holds_what_was_not_carried(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[bytes], bool]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "j"
    Journal.make(path, ID, half=HALF)
    journal, left = Journal.open(path), dict[int, bytes]()
    for group, carries in steps:
        try:
            last = journal.append(group)
        except Full:
            assert left, "what is carried makes room"
        else:
            left |= dict(zip(range(last - len(group) + 1, last + 1), group, strict=True))
        if carries:
            journal.carried(journal.last)
            left.clear()
        found = {entry.number: entry.body for entry in read(path)[1]}
        assert {number: found.get(number) for number in left} == left
        assert list(found) == sorted(found)
        for after in (*found, *left):
            assert {entry.number: entry.body for entry in read(path, after)[1]} == {n: body for n, body in found.items() if n > after}
    journal.close()


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    for content in (b"", b"x" * 9000, struct.pack("<8s16sI", b"HSLINES1", ID, 1).ljust(9000, b"\0")):
        (tmp_path / "j").write_bytes(content)
        with pytest.raises(Invalid, match="no journal"):
            Journal.open(tmp_path / "j")


# -- beside a database ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    yield database
    database.close()


def arrival(number: int, content: int = 1, turn: int = 0) -> Arrival:
    raw = f"MSH|^~\\&|HIS|H1|C|C|2026||ADT^A31|N{number}|P|2.4\rEVN||2026\rPID|1||C{content}^^^^IDCard||x\r".encode()
    return receive(raw, SHELF, listen="127.0.0.1:1", peer="127.0.0.1", at=clock.now(), number=f"A{turn}")


def take(database: Database) -> Journaling:
    return Journaling(database, LineJournal.take(database, half=HALF))


def kept(database: Database) -> list[tuple[str, bool]]:
    with database.engine.connect() as connection:
        return [(row[0], bool(row[1])) for row in run(connection, "SELECT control_id, reused FROM inbox ORDER BY id", ()).fetchall()]


def test_it_is_carried_once_though_the_file_is_reused_later_or_never(opened: Database) -> None:
    line = take(opened)
    assert line.take([arrival(1), arrival(2)])
    assert kept(opened) == []
    with opened.engine.connect() as connection:
        assert waiting(connection)["default"][0] == 2
    assert line.journal.carry() == 2
    assert line.take([arrival(3)])
    killed(line)  # what was carried stands in the file still, and what was not
    again = take(opened)
    assert again.journal.path == line.journal.path
    assert len(again.journal) == 1
    killed(again)
    assert carry_left(opened) == 1
    assert carry_left(opened) == 0
    assert kept(opened) == [("N1", False), ("N2", False), ("N3", False)]
    with opened.engine.connect() as connection:
        assert waiting(connection) == {}


def test_killed_between_the_two_commits_a_message_comes_in_once(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    line = take(opened)
    line.take([arrival(1)])

    def ends(_journal: Journal, _number: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "carried", ends)
        with pytest.raises(KeyboardInterrupt):
            line.journal.carry()
    with opened.plainly() as connection:  # even where its row has gone meanwhile, as after years
        run(connection, "DELETE FROM inbox", ())
    killed(line)
    assert carry_left(opened) == 0
    assert kept(opened) == []


def test_what_comes_again_gets_its_old_answer_from_memory_and_from_the_inbox(opened: Database) -> None:
    line = take(opened)
    first = arrival(1)
    same_turn = arrival(1, turn=1)
    assert line.take([first, same_turn])
    waits, carried = arrival(1, turn=2), arrival(1, turn=3)
    assert line.take([waits])
    line.journal.carry()
    assert line.take([carried, arrival(2)])
    assert first.answer == same_turn.answer == waits.answer == carried.answer
    line.journal.carry()
    assert kept(opened) == [("N1", False), ("N2", False)]
    line.close()


def test_a_number_used_again_goes_through_the_database_and_what_waits_comes_first(opened: Database) -> None:
    line = take(opened)
    assert line.take([arrival(1)])
    other = arrival(1, content=2)
    assert not line.take([other, arrival(2)])
    line.journal.carry()
    with opened.plainly() as connection:
        put(connection, opened.sealer, [other])
    assert kept(opened) == [("N1", False), ("N1", True)]
    line.close()


def test_sent_again_to_another_process_within_the_window_it_is_kept_once_and_other_content_is_marked(opened: Database) -> None:
    one, two = take(opened), take(opened)
    assert one.journal.path != two.journal.path
    counted = metrics.REUSED.labels("default")._value.get()
    assert one.take([arrival(1), arrival(2)])
    assert two.take([arrival(1, turn=1), arrival(2, content=2), arrival(3)])
    assert two.journal.carry() == 4
    assert one.journal.carry() == 0
    assert kept(opened) == [("N1", False), ("N2", False), ("N2", True), ("N3", False)]
    assert metrics.REUSED.labels("default")._value.get() == counted + 1
    one.close()
    two.close()


def test_whoever_carries_takes_along_what_others_have_answered_before(opened: Database) -> None:
    """A sender with a line for each message is answered by one process now and by another then; one of them may be held up, or be gone."""
    one, two, gone = take(opened), take(opened), take(opened)
    assert gone.take([arrival(0)])
    killed(gone)
    assert one.take([arrival(1)])
    assert two.take([arrival(2)])
    assert one.take([arrival(3)])
    later = arrival(5)
    later.received += 3_600_000_000
    assert one.take([later])
    assert two.take([arrival(4)])
    assert two.journal.carry() == 5
    assert kept(opened) == [(f"N{number}", False) for number in range(5)]
    assert carry_left(opened) == 0
    assert one.journal.carry() == 1, "what came later than all of ours is left to whoever answered it"
    with opened.engine.connect() as connection:
        assert waiting(connection) == {}
    for line in (one, two):
        line.close()
        assert not line.journal.path.exists()


def test_whoever_answers_and_whoever_carries_the_order_is_that_of_a_sender_that_waits_for_its_answers(opened: Database) -> None:
    chance, lines, told = random.Random(1), [take(opened) for _ in range(3)], 0
    for _ in range(400):
        which = chance.randrange(3)
        match chance.randrange(12):
            case 0:
                killed(lines[which])
                lines[which] = take(opened)
            case 1 | 2:
                lines[which].journal.carry()
            case _:
                group = [arrival(told), arrival(told + 1)]
                if not lines[which].take(group):
                    lines[which].journal.carry()
                    assert lines[which].take(group), "what is carried makes room"
                told += 2
    for line in lines:
        line.journal.carry()
        line.close()
    assert carry_left(opened) == 0
    assert kept(opened) == [(f"N{number}", False) for number in range(told)]


def test_a_full_journal_says_so_and_takes_again_once_it_is_carried(opened: Database) -> None:
    line = take(opened)
    taken = 0
    while line.take([arrival(taken)]):
        taken += 1
    assert 5 < taken < 100
    line.journal.carry()
    assert line.take([arrival(taken)])
    line.journal.carry()
    assert [name for name, _ in kept(opened)] == [f"N{number}" for number in range(taken + 1)]
    line.close()


def killed(line: Journaling) -> Path:
    """As by kill -9: its lock is gone, its file stands as it was."""
    line.journal._journal.close()
    return line.journal.path


def test_taken_away_or_emptied_under_it_it_promises_nothing_more_and_what_waits_is_carried(opened: Database) -> None:
    for number, spoil in enumerate((Path.unlink, lambda path: os.truncate(path, 0), lambda path: path.write_bytes(b"x" * 9000))):
        line = take(opened)
        assert line.take([arrival(2 * number)])
        spoil(line.journal.path)
        assert not line.take([arrival(2 * number + 1)]), "the database takes it"
        assert line.journal.carry() == 1
        other = take(opened)
        line.close()
        assert other.take([arrival(100)]), "the other's journal is still there, where it has the name of the first"
        assert other.journal.path.exists()
        other.journal.carry()
        other.close()
    assert [name for name, _ in kept(opened)] == ["N0", "N100", "N2", "N4"]


def test_a_clean_stop_leaves_no_journal_and_a_foreign_one_is_left_alone(opened: Database, tmp_path: Path) -> None:
    one, two = take(opened), take(opened)
    two.take([arrival(2)])
    other = Database.open(f"sqlite:///{tmp_path}/other/x.sqlite")
    foreign = tmp_path / "other" / one.journal.path.name
    foreign.write_bytes(one.journal.path.read_bytes())
    one.close()
    assert not one.journal.path.exists()
    two.close()
    assert two.journal.path.exists(), "it holds the only copy"
    assert carry_left(other) == 0
    assert foreign.exists()
    third = take(other)
    assert third.journal.path != foreign
    third.close()
    other.close()
    assert carry_left(opened) == 1
    assert not two.journal.path.exists()
    with opened.engine.connect() as connection:
        assert run(connection, "SELECT count(*) FROM reader_place WHERE reader LIKE 'journal:%'", ()).fetchone()[0] == 0


def test_a_journal_that_is_older_than_its_database_loses_nothing_that_comes_later(opened: Database) -> None:
    line = take(opened)
    line.take([arrival(1)])
    line.journal.carry()
    older = line.journal.path.read_bytes()
    line.take([arrival(2), arrival(3)])
    line.journal.carry()
    killed(line).write_bytes(older)  # as in a copy of the folder in which the journal was copied before the database
    again = take(opened)
    assert again.take([arrival(4)])
    killed(again)
    assert carry_left(opened) == 1
    assert [name for name, _ in kept(opened)] == ["N1", "N2", "N3", "N4"]


def test_the_journals_of_a_database_are_found_whatever_its_name(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/x[1]*.sqlite")
    line = take(database)
    line.take([arrival(1)])
    killed(line)
    assert carry_left(database) == 1
    database.close()


def test_one_that_cannot_be_read_keeps_nobody_from_starting(opened: Database) -> None:
    line = take(opened)
    line.take([arrival(1)])
    line.journal.path.with_name(line.journal.path.name.removesuffix("0") + "1").mkdir()
    killed(line)
    assert carry_left(opened) == 1


def test_what_a_process_has_left_that_was_killed_while_it_made_a_journal_goes_with_its_place(opened: Database, tmp_path: Path) -> None:
    line = take(opened)
    for number, name in enumerate(("killed", "linked", "held")):
        Journal.make(tmp_path / f".x.sqlite.line-{number + 7}.{name}.new", bytes([number]) * 16, half=HALF)
        with opened.plainly() as connection:
            set_place(connection, bytes([number]) * 16, 0)
    (tmp_path / ".x.sqlite.line-9.torn.new").touch()
    os.link(tmp_path / ".x.sqlite.line-8.linked.new", tmp_path / ".x.sqlite.line-8")
    with free(tmp_path / ".x.sqlite.line-9.held.new"), free(tmp_path / ".x.sqlite.line-8"):
        carry_left(opened)
        assert [path.name for path in unfinished(tmp_path / "x.sqlite")] == [".x.sqlite.line-8.linked.new", ".x.sqlite.line-9.held.new"]
    with free(tmp_path / ".x.sqlite.line-9.held.new"), opened.engine.connect() as connection:
        assert [place(connection, bytes([number]) * 16) for number in range(3)] == [None, 0, 0]
    carry_left(opened)
    assert unfinished(tmp_path / "x.sqlite") == []
    line.take([arrival(1)])
    line.journal.carry()
    line.close()
    with opened.engine.connect() as connection:
        assert run(connection, "SELECT count(*) FROM reader_place WHERE reader LIKE 'journal:%'", ()).fetchone()[0] == 0


def test_what_is_left_while_somebody_serves_is_carried_without_a_start(opened: Database) -> None:
    line = take(opened)
    looks = Repeating("journals left", partial(more_is_left, opened), breath=0.01, rest=0.01)
    looks.start()
    line.take([arrival(1)])
    time.sleep(0.05)
    assert kept(opened) == [], "whose lines are alive carries by itself"
    killed(line)
    ends = time.monotonic() + 10
    while not kept(opened) and time.monotonic() < ends:
        time.sleep(0.01)
    looks.stop()
    assert kept(opened) == [("N1", False)]


def test_a_message_by_http_goes_behind_what_lines_of_other_processes_have_answered(opened: Database) -> None:
    http = Inbox(opened, SHELF)
    http.start()
    line, gone = take(opened), take(opened)
    line.take([arrival(1)])
    gone.take([arrival(2)])
    killed(gone)
    later = threading.Timer(0.1, line.journal.carry)
    later.start()
    assert b"MSA|AA|N3" in http.take_now(arrival(3).raw, "http", "127.0.0.1")
    later.join()
    assert sorted(kept(opened)[:2]) == [("N1", False), ("N2", False)]
    assert kept(opened)[2:] == [("N3", False)]
    line.take([arrival(4)])
    beside = Path(opened.engine.url.database or "")
    assert not carried_before(beside, 0.02), "it is waited for in vain, not for ever"
    line.journal.carry()
    assert carried_before(beside, 0)
    line.close()
    http.stop()


def test_whatever_the_database_throws_carrying_is_tried_again(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "AGAIN_SECONDS", 0.01)
    line = take(opened)
    line.take([arrival(1)])
    throws = iter([sqlite3.DatabaseError("database disk image is malformed"), MemoryError()])
    carried = threading.Event()

    def carry() -> int:
        for error in throws:
            raise error
        found = line.journal.carry()
        carried.set()
        return found

    carrier = Carrier(opened, carry)
    carrier.start()
    assert carried.wait(10)
    carrier.stop()
    assert kept(opened) == [("N1", False)]
    line.close()


def test_a_backup_has_what_stood_in_a_journal_and_what_had_been_carried_once(opened: Database, tmp_path: Path) -> None:
    line = take(opened)
    line.take([arrival(1), arrival(2)])
    line.journal.carry()
    line.take([arrival(3)])
    beside = rows_beside(tmp_path / "x.sqlite")
    line.journal.carry()  # between the two copies
    with opened.plainly() as connection:
        assert put_beside(connection, beside) == 0
    assert kept(opened) == [("N1", False), ("N2", False), ("N3", False)]
    line.take([arrival(4)])
    with opened.plainly() as connection:
        assert put_beside(connection, rows_beside(tmp_path / "x.sqlite")) == 1
    assert [name for name, _ in kept(opened)] == ["N1", "N2", "N3", "N4"]
    line.take([arrival(5)])
    assert embedded.copy(tmp_path / "x.sqlite", tmp_path / "copy.sqlite").rows["inbox"] == 5
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copied:
        assert [row[0] for row in copied.execute("SELECT control_id FROM inbox ORDER BY id")] == ["N1", "N2", "N3", "N4", "N5"]
    line.close()


def test_the_row_in_the_journal_is_the_row_in_the_inbox(opened: Database) -> None:
    line, one = take(opened), arrival(1)
    row = arrived(one, opened.sealer)
    line.take([one])
    line.journal.carry()
    with opened.engine.connect() as connection:
        columns = "link, sender, control_id, hash, event, listen, peer, received, answer, code, state, due, attempts, finished, reason"
        found = run(connection, f"SELECT {columns} FROM inbox", ()).fetchone()
    assert found == (*row[:8], *row[9:], "pending", 0, 0, None, None)
    line.close()
