"""The connection is cut at every statement of a write, the server changes, somebody else holds what we need: each write happens once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import postgres
import psycopg
import pytest
from hospital import Hospital
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from healthsvc import clock
from healthsvc.errors import Unavailable
from healthsvc.jobs import Job, run_due
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store.audit import verify
from healthsvc.store.postgres import ServerUse
from healthsvc.store.work import State, defer, run

pytestmark = pytest.mark.postgres
LISTEN, PEER = "127.0.0.1:2575", "127.0.0.1"
MOST = 60
"""No write here has so many statements."""


class Cutter:
    """Ends the server's side of a connection before its n-th statement from now on, whichever connection that is."""

    def __init__(self, database: Database) -> None:
        self._left = 0
        self.cut = False
        self._killer = psycopg.connect(database.engine.url.set(drivername="postgresql").render_as_string(False), autocommit=True)
        event.listen(database.engine, "before_cursor_execute", self._before)

    def _before(self, connection: object, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[attr-defined]
            self._killer.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            self.cut = True

    def before(self, number: int) -> None:
        """Cut before the n-th; 0: not at all."""
        self._left, self.cut = number, False

    def close(self) -> None:
        """Let go."""
        self._killer.close()


@pytest.fixture
def hospital(migrated_url: str) -> Iterator[Hospital]:
    database = Database.open(migrated_url, rooms=ROOMS)
    there = Hospital(database)
    yield there
    there.inbox.stop()
    with database.engine.connect() as connection:
        assert list(verify(connection)) == []
    database.close()


@pytest.fixture
def cutter(hospital: Hospital) -> Iterator[Cutter]:
    one = Cutter(hospital.database)
    yield one
    one.before(0)
    one.close()


def places(cutter: Cutter, act: Callable[[int], None], mend: Callable[[int], None], step: int) -> int:
    """Act, cut at one place after the other until there is none left; ``mend`` is what the caller, or the loop, does afterwards anyway.

    Gives how many places there were.
    """
    number = 1
    while number < MOST:
        cutter.before(number)
        with suppress(Unavailable):
            act(number)
        was_cut = cutter.cut
        cutter.before(0)
        mend(number)
        if not was_cut:
            return number
        number += step
    raise AssertionError("it has no end")


STEP = pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])


@STEP
def test_a_client_that_asks_again_has_written_once(hospital: Hospital, cutter: Cutter, step: int) -> None:
    def put(number: int) -> None:
        with hospital.database.writing(SYSTEM, at=clock.now()) as store:
            store.put({"resourceType": "Patient", "id": f"p{number}", "name": [{"text": "测试甲"}]})

    places(cutter, put, put, min(step, 2))
    assert {one["meta"]["versionId"] for one in hospital.select("Patient")} == {"1"}


@STEP
def test_a_message_is_taken_in_once_and_has_its_effect_once(hospital: Hospital, cutter: Cutter, step: int) -> None:
    told: list[str] = []

    def send(number: int, kind: str = "A28", *segments: str) -> None:
        message = hospital.message(f"ADT^{kind}", f"N{number}", *segments, name="测试乙", id=f"{kind}-{number}")
        answer = hospital.inbox.take_now(message.encode(), LISTEN, PEER).decode()
        told.append("AA" if "MSA|AA|" in answer else "AE")

    def repeat(number: int) -> None:
        if told[-1] == "AE":
            send(number)
        assert told[-1] == "AA"

    sent = places(cutter, send, repeat, 1)
    assert told.count("AE") >= 3, "whoever is not told AA sends it again"
    hospital.worker.drain()
    assert len(hospital.rows()) == len(hospital.select("Patient")) == sent

    def work(number: int) -> None:
        cutter.before(0)
        send(number, "A01", f"PV1|1|I|5A^512^03{'|' * 16}V{number}")
        cutter.before(number)
        hospital.worker.round()

    def go_on(_: int) -> None:
        with hospital.database.plainly() as connection:  # the pause before the next attempt is over
            connection.execute(text("UPDATE inbox SET due = 0 WHERE state = 'pending'"))
        hospital.worker.drain()

    worked = places(cutter, work, go_on, step)
    assert worked > 15
    assert {row.state for row in hospital.rows()} == {"done"}
    visits = range(1, worked + 1, step)
    assert len(hospital.select("Encounter")) == len(visits)
    assert {one["meta"]["versionId"] for one in hospital.select("Encounter")} == {"1"}


@STEP
def test_a_timer_and_a_piece_of_long_work_have_their_effect_once(hospital: Hospital, cutter: Cutter, step: int) -> None:
    database = hospital.database

    def basics(word: str) -> int:
        with database.reading(SYSTEM, at=clock.now()) as store:
            return sum(one["code"]["text"] == word for one in store.select("Basic"))

    def job(number: int) -> Job:
        return Job(f"job-{number}", "0 6 * * *", lambda store: store.create({"resourceType": "Basic", "code": {"text": "timer"}}))

    def fire(number: int) -> None:
        run_due(database, job(number), clock.now())

    fired = places(cutter, fire, fire, min(step, 3))
    assert basics("timer") == len(range(1, fired + 1, min(step, 3)))
    ids: dict[int, str] = {}

    def effect(database: Database, work: object, report: Callable[[int, int], None]) -> Callable[..., object]:
        report(1, 1)
        return lambda store: {"id": store.create({"resourceType": "Basic", "code": {"text": "work"}})["id"]}

    def work(number: int) -> None:
        cutter.before(0)
        with database.writing(SYSTEM, at=clock.now()) as store:
            ids[number] = defer(store, "x", {})
        cutter.before(number)
        run(database, ids[number], {"x": effect})  # type: ignore[dict-item]

    def again(number: int) -> None:
        with database.plainly() as connection:  # what a dead worker held is free again
            connection.execute(text("UPDATE work SET until = 0 WHERE state IN ('waiting', 'running')"))
        run(database, ids[number], {"x": effect})  # type: ignore[dict-item]
        with database.plainly() as connection:
            assert connection.execute(text("SELECT state FROM work WHERE id = :id"), {"id": ids[number]}).scalar_one() == State.DONE.value

    places(cutter, work, again, min(step, 3))
    assert basics("work") == len(ids)


def test_a_standby_that_is_promoted_is_found_and_goes_on() -> None:
    """Both servers are named; the primary is lost, the standby promoted: one refusal at most, and everything that it had is there."""
    with postgres.cluster("-c fsync=off") as primary:
        standby = primary.standby()
        try:
            standby.start()
            ports = [make_url(one.url).port for one in (primary, standby)]
            hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
            database = Database.open(f"postgresql://healthsvc@{hosts}/postgres?target_session_attrs=read-write")
            with database.writing(SYSTEM, at=clock.now()) as store:
                store.put({"resourceType": "Basic", "id": "before", "code": {"text": "x"}})
            with pytest.raises(Unavailable, match="takes no writes"):
                Database.open(standby.url)
            primary.stop("fast")  # which sends all that it has before it ends
            with pytest.raises(Unavailable, match="does not answer"), database.writing(SYSTEM, at=clock.now()) as store:
                store.put({"resourceType": "Basic", "id": "meanwhile", "code": {"text": "x"}})
            standby.promote()
            with database.writing(SYSTEM, at=clock.now()) as store:
                store.put({"resourceType": "Basic", "id": "after", "code": {"text": "x"}})
            with database.reading(SYSTEM, at=clock.now()) as store:
                assert {one["id"] for one in store.select("Basic")} == {"before", "after"}
            database.close()
        finally:
            standby.stop()
            standby.remove()


def test_a_dba_at_work_beside_us_costs_a_sentence_or_nothing(migrated_url: str) -> None:
    """A transaction forgotten in a console, a table locked, a vacuum that freezes, an index built anew, statistics."""
    database = Database.open(migrated_url, server=ServerUse(lock_seconds=1, statement_seconds=5))

    def put(id: str) -> None:
        with database.writing(SYSTEM, at=clock.now()) as store:
            store.put({"resourceType": "Basic", "id": id, "code": {"text": "x"}})

    plain = migrated_url.replace("+psycopg", "")
    with psycopg.connect(plain) as console, psycopg.connect(plain, autocommit=True) as dba:
        put("a")
        console.execute("INSERT INTO claim VALUES ('dba', 'dba')")  # begun, and gone to lunch: it has a number and a snapshot
        put("b")
        assert database.settled() > 0, "whoever follows the changes does not wait for a stranger's transaction"
        console.rollback()
        console.execute("LOCK TABLE resource IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable, match="DATABASE_LOCK_SECONDS"):
            put("locked")
        console.rollback()
        stop = threading.Event()
        written: list[str] = []

        def write() -> None:
            while not stop.is_set():
                written.append(f"w{len(written)}")
                put(written[-1])

        writer = threading.Thread(target=write)
        writer.start()
        for statement in ("VACUUM (FREEZE, ANALYZE)", "REINDEX TABLE CONCURRENTLY resource", "VACUUM (FREEZE) audit", "ANALYZE"):
            dba.execute(statement)  # type: ignore[arg-type]
        time.sleep(0.05)
        stop.set()
        writer.join()
    with database.reading(SYSTEM, at=clock.now() + timedelta(seconds=1)) as store:
        assert {one["id"] for one in store.select("Basic")} == {"a", "b", *written}
    with database.engine.connect() as connection:
        assert list(verify(connection)) == []
    database.close()
