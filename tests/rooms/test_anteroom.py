"""The anteroom of the inbox: two processes put messages in and carry them over, and each message is kept once, in the order it came."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from healthsvc import clock
from healthsvc.store import Database
from healthsvc.store.anteroom import Anteroom, carry_over
from healthsvc.store.driver import run
from integrations.arrival import Arrival, receive
from integrations.hospitals.shelf import shelf
from integrations.keep import put, put_in_anteroom

SHELF = shelf()


def arrival(number: int, content: int, *, odd: bool = False, turn: int = 0) -> Arrival:
    body = "" if odd else f"PID|1||C{content}^^^^IDCard||x\r"  # without PID an A31 is refused: out of the ordinary
    raw = f"MSH|^~\\&|HIS|H1|C|C|2026||ADT^A31|N{number}|P|2.4\rEVN||2026\r{body}".encode()
    return receive(raw, SHELF, listen="127.0.0.1:1", peer="127.0.0.1", at=clock.now(), number=f"A{turn}")


class Undone(Exception):
    """The commit did not come about."""


@dataclass
class Process:
    """One of two that use the database."""

    database: Database
    anteroom: Anteroom = field(default_factory=Anteroom)

    def take(self, arrivals: list[Arrival], *, direct: bool = False, fails: bool = False) -> None:
        turn = None
        with contextlib.suppress(Undone), self.database.plainly() as connection:
            if direct:
                put(connection, self.database.sealer, arrivals)
            else:
                turn = put_in_anteroom(connection, self.database.sealer, self.anteroom, arrivals)
            if fails:
                raise Undone
        if turn is not None and not fails:
            self.anteroom.kept(turn)

    def carry(self) -> None:
        with self.database.plainly() as connection:
            self.anteroom.carry(connection)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('anteroom')}/x.sqlite")
    yield database
    database.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["take", "take", "take", "direct", "fails"]),
            st.integers(0, 1),
            st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 9).map(lambda n: n == 0)), min_size=1, max_size=6),
        ),
        st.tuples(st.sampled_from(["carry", "left behind"]), st.integers(0, 1), st.just([])),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whoever_takes_and_carries_each_message_is_kept_once_and_in_its_order(opened: Database, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Against a plain list: what a failed transaction held is gone, a message that comes again gets the answer of the first time."""
    with opened.plainly() as connection:
        run(connection, "DELETE FROM inbox", ())
        run(connection, "DELETE FROM arrived", ())
    both = [Process(opened), Process(opened)]
    expected: dict[tuple[str, bytes], bytes] = {}
    for turn, (what, who, messages) in enumerate(steps):
        if what == "carry":
            both[who].carry()
        elif what == "left behind":
            carry_over(opened)
        else:
            arrivals = [arrival(*message[:2], odd=message[2], turn=turn * 10 + place) for place, message in enumerate(messages)]
            both[who].take(arrivals, direct=what == "direct", fails=what == "fails")
            if what != "fails":
                for one in arrivals:
                    assert expected.setdefault((one.control_id, one.hash), one.answer) == one.answer, "the same answer every time"
    carry_over(opened)
    with opened.engine.connect() as connection, connection.begin():
        kept = kept_in(connection)
        assert run(connection, "SELECT count(*) FROM arrived", ()).fetchone()[0] == 0
    assert [key for key, _ in kept] == list(expected)
    assert dict(kept) == expected


def kept_in(connection: Connection) -> list[tuple[tuple[str, bytes], bytes]]:
    rows = run(connection, "SELECT control_id, hash, answer FROM inbox ORDER BY id", ()).fetchall()
    return [((row[0], bytes(row[1])), bytes(row[2])) for row in rows]


def test_a_number_used_again_for_other_content_is_marked_also_while_the_first_waits_in_the_anteroom(opened: Database) -> None:
    one = Process(opened)
    one.take([arrival(70, 1)])
    again = arrival(70, 2)
    Process(opened).take([again])
    assert again.reused


def test_the_number_that_a_message_gets_in_the_anteroom_is_its_number_in_the_inbox(opened: Database) -> None:
    one = Process(opened)
    one.take([arrival(80, 1), arrival(81, 1)])
    with opened.engine.connect() as connection, connection.begin():
        before = [row[0] for row in run(connection, "SELECT id FROM arrived WHERE control_id IN ('N80', 'N81') ORDER BY id", ()).fetchall()]
    one.carry()
    with opened.engine.connect() as connection, connection.begin():
        after = [row[0] for row in run(connection, "SELECT id FROM inbox WHERE control_id IN ('N80', 'N81') ORDER BY id", ()).fetchall()]
    assert before == after
    assert len(after) == 2


def test_what_an_older_release_puts_into_the_inbox_beside_the_anteroom_takes_nothing_from_it(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    one = Process(database)
    one.take([arrival(1, 1), arrival(2, 1)])
    with database.plainly() as connection:
        connection.exec_driver_sql(
            "INSERT INTO inbox (link, sender, control_id, hash, event, listen, peer, received, raw, answer, code, state, due, reused, "
            "attempts) SELECT link, sender, 'OLD', hash, event, listen, peer, received, raw, answer, code, 'pending', 0, false, 0 "
            "FROM arrived LIMIT 1"
        )
    one.take([arrival(3, 1)])
    one.carry()
    with database.engine.connect() as connection:
        numbers = run(connection, "SELECT control_id FROM inbox ORDER BY id", ()).fetchall()
    assert [number for (number,) in numbers] == ["OLD", "N1", "N2", "N3"]
    database.close()


def test_a_database_is_carried_over_with_what_stands_in_its_anteroom(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    Process(database).take([arrival(1, 1)])
    database.close()
    again = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    assert carry_over(again) == 1
    assert carry_over(again) == 0
    again.close()
