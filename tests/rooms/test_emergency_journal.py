"""The emergency line while the database only reads, or nobody can be told: nothing is lost, and the chain goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from test_emergency_room import AT, Clock, Phone, person

from healthsvc.emergency import service
from healthsvc.emergency.desk import FOLDER, Desk
from healthsvc.emergency.journal import Call, Journal
from healthsvc.emergency.rules import Act, Line, Status
from healthsvc.errors import RuleViolation, Unavailable
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store.sealing import Sealer, keys
from integrations.alarms.delivery import TRIES
from integrations.alarms.watch import Watch
from integrations.notify import NotReached

CALL = Call("help", "81890", AT, device="0001")


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """The database answers and does not take anything, as when its disk is full or a standby has taken over."""
    statement = "PRAGMA query_only=ON" if database.engine.dialect.name == "sqlite" else "SET default_transaction_read_only = on"

    def shut(connection, _record):  # type: ignore[no-untyped-def]
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        if database.engine.dialect.name != "sqlite":
            connection.commit()

    event.listen(database.engine, "connect", shut)
    database.engine.dispose()
    try:
        with pytest.raises(Unavailable), database.writing(SYSTEM, at=AT) as store:
            store.outbox("x", "x", {})
        yield
    finally:
        event.remove(database.engine, "connect", shut)
        database.engine.dispose()


@pytest.fixture
def both(engine_url: str) -> Iterator[Database]:
    """A database with one person and their device, on each engine."""
    database = Database.open(engine_url, rooms=ROOMS)
    with database.writing(SYSTEM, at=AT) as store:
        person(store)
    yield database
    database.close()


def log(database: Database, alarm: str) -> list[tuple[str, str]]:
    with database.reading(SYSTEM, at=AT) as store:
        return [(line.act.value, line.who) for line in service.read(store, alarm).log]


def test_the_chain_goes_on_while_the_database_only_reads(both: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    watch, desk = Watch(both, phone, tmp_path, hands, rested=0), Desk(both, tmp_path, SYSTEM, hands)
    with read_only(both):
        raised = desk.raise_alarm(CALL)
        assert not raised.stored
        assert raised.alarm is not None
        watch.turn()
        assert [one.role for one in phone.sent] == ["family"]
        hands.move(30)
        watch.turn()
        assert len(phone.sent) == 1
        hands.move(31)
        watch.turn()
        assert [one.role for one in phone.sent] == ["family", "former-unit"]
        (shown,) = desk.all_open()
        assert [line.act for line in shown.log] == [Act.RAISE, Act.CALL, Act.NOT_REACHED, Act.CALL]
        desk.answer(raised.id, "former-unit-0", comes=False)
        watch.turn()
        assert phone.sent[-1].role == "community-worker"
        hands.move(5)
        assert desk.answer(raised.id, "community-worker-0", comes=True).status is Status.TAKEN
        with pytest.raises(RuleViolation):
            desk.act(raised.id, Act.TAKE, "family-0")
        hands.move(600)
        watch.turn()
        assert len(phone.sent) == 3
    watch.turn()
    assert desk.journal.waiting() == []
    assert log(both, raised.id) == [
        ("raise", "81890"), ("call", "family-0"), ("not-reached", "family-0"), ("call", "former-unit-0"), ("not-reached", "former-unit-0"),
        ("call", "community-worker-0"), ("take", "community-worker-0"),
    ]  # fmt: skip
    watch.turn()
    assert len(phone.sent) == 3
    assert desk.act(raised.id, Act.CLOSE, "community-worker-0", "helped-at-home").status is Status.CLOSED


def test_an_alarm_that_rings_already_goes_on_too(both: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    watch, desk = Watch(both, phone, tmp_path, hands, rested=0), Desk(both, tmp_path, SYSTEM, hands)
    raised = desk.raise_alarm(CALL)
    assert raised.stored
    with read_only(both):
        # the first call stood in the outbox: it is sent once, although nobody can mark that it was
        assert watch.turn() == 1
        assert watch.turn() == 0
        hands.move(61)
        watch.turn()
        watch.turn()
        assert [one.role for one in phone.sent] == ["family", "former-unit"]
    hands.move(1)
    watch.turn()
    hands.move(6)
    watch.turn()
    assert [one.role for one in phone.sent] == ["family", "former-unit"]
    assert log(both, raised.id)[1:] == [("call", "family-0"), ("not-reached", "family-0"), ("call", "former-unit-0")]


def test_a_notifier_that_is_down_as_well(both: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    watch, desk = Watch(both, phone, tmp_path, hands, rested=0), Desk(both, tmp_path, SYSTEM, hands)
    phone.broken = NotReached("webhook: URLError")
    with read_only(both):
        raised = desk.raise_alarm(CALL)
        for _ in range(TRIES):
            watch.turn()
            hands.move(6)
        watch.turn()
        (shown,) = desk.all_open()
        assert [(line.act, line.who) for line in shown.log[1:4]] == [
            (Act.CALL, "family-0"), (Act.NOT_REACHED, "family-0"), (Act.CALL, "former-unit-0"),
        ]  # fmt: skip
        phone.broken = None
        hands.move(6)
        watch.turn()
        assert [one.role for one in phone.sent] == ["former-unit"]
    watch.turn()
    assert ("not-reached", "family-0") in log(both, raised.id)


def test_a_device_that_nobody_knows_is_set_aside_and_shown(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, SYSTEM, lambda: AT)
    with read_only(database):
        raised = desk.raise_alarm(Call("help", "81890", AT, device="4711"))
        assert raised.alarm is None
    Watch(database, Phone(), tmp_path, Clock(), rested=0).turn()
    (puzzle,) = desk.journal.puzzling()
    assert puzzle.call is not None
    assert puzzle.call.device == "4711"
    desk.journal.settle(raised.id)
    assert desk.journal.puzzling() == []


def test_the_same_call_told_twice_is_one(both: Database, tmp_path: Path) -> None:
    hands = Clock()
    desk = Desk(both, tmp_path, SYSTEM, hands)
    first = desk.raise_alarm(CALL)
    hands.move(2)
    assert desk.raise_alarm(CALL).id == first.id
    assert [act for act, _ in log(both, first.id)] == ["raise", "call"]


def test_a_half_written_line_is_not_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / FOLDER)
    journal.open("alarm-1", CALL)
    journal.add("alarm-1", [Line(Act.CALL, AT, "family-0", 1)])
    path = tmp_path / FOLDER / "alarm-1.jsonl"
    path.write_bytes(path.read_bytes() + b'{"line": {"act": "ta')
    kept = journal.kept("alarm-1")
    assert kept is not None
    assert (kept.call, kept.lines) == (CALL, (Line(Act.CALL, AT, "family-0", 1),))
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_added_while_the_rest_is_written_into_the_database_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / FOLDER)
    journal.open("alarm-1", CALL)
    kept = journal.kept("alarm-1")
    assert kept is not None
    late = Line(Act.TAKE, AT + timedelta(seconds=9), "family-0")
    journal.add("alarm-1", [late])
    journal.take_out(kept)
    rest = journal.kept("alarm-1")
    assert rest is not None
    assert (rest.call, rest.lines) == (None, (late,))
    journal.take_out(rest)
    assert journal.waiting() == []


def test_a_full_disk_is_told_and_not_hidden(database: Database, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    desk = Desk(database, tmp_path, SYSTEM, lambda: AT)
    with pytest.raises(Unavailable, match="journal"):
        desk.raise_alarm(CALL)


def test_the_journal_names_nobody_on_the_disk(tmp_path: Path) -> None:
    keys.Seal.of(tmp_path / "keys")
    sealer = Sealer(tmp_path / "keys", keys.lookup_key(tmp_path / "keys", make=True))
    journal = Journal(tmp_path / FOLDER, sealer)
    journal.open("a1", Call("help", "81890", AT, patient="p1", text="测试甲 13900000017"))
    journal.add("a1", [Line(Act.REPEAT, AT, "family", 1, "来电 13900000017")])
    raw = (tmp_path / FOLDER / "a1.jsonl").read_bytes()
    assert b"13900000017" not in raw
    assert "测试甲".encode() not in raw
    kept = journal.kept("a1")
    assert kept is not None
    assert kept.call is not None
    assert (kept.call.text, kept.lines[0].text, kept.size) == ("测试甲 13900000017", "来电 13900000017", len(raw))
    journal.take_out(kept)
    assert journal.kept("a1") is None
