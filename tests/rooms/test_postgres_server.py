"""PostgreSQL as an engine: it goes away and comes back, it is full, it is wrongly named; the program says so and goes on."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import postgres
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, event, make_url, text
from structlog.testing import LogCapture

from healthsvc import clock
from healthsvc.config import Settings
from healthsvc.errors import Conflict, Unavailable
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from healthsvc.store import postgres as postgresql
from healthsvc.store.bell import CHANGES
from healthsvc.store.postgres import COLLISION, ServerUse, conninfo
from integrations import leading
from integrations.address import Address
from integrations.leading import Lead, Rounds
from integrations.roles import Role
from integrations.serving import Serving

pytestmark = pytest.mark.postgres
PERSON = {"resourceType": "Basic", "code": {"text": "x"}}
QUICK = ServerUse(pool=2, overflow=0, pool_wait_seconds=0.3, statement_seconds=1, lock_seconds=1)


@pytest.fixture
def quick(migrated_url: str) -> Iterator[Database]:
    opened = Database.open(migrated_url, server=QUICK)
    yield opened
    opened.close()


def put(database: Database, id: str) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({**PERSON, "id": id})


def ids(database: Database) -> set[str]:
    with database.reading(SYSTEM, at=clock.now()) as store:
        return {str(one["id"]) for one in store.select("Basic")}


def test_a_restarted_server_costs_one_refusal_at_most_and_nothing_that_was_committed() -> None:
    with postgres.cluster("-c fsync=on") as server:
        database = Database.open(server.url)
        put(database, "before")
        server.stop()
        with pytest.raises(Unavailable, match="the database does not answer"):
            put(database, "while-it-is-away")
        server.start()
        put(database, "after")
        assert ids(database) == {"before", "after"}
        database.close()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.text("a b+%&?='\\/@:é", min_size=1))
def test_libpq_is_told_the_same_password_and_name_as_the_engine(password: str, name: str) -> None:
    url = URL.create("postgresql+psycopg", "care", password, "db.example", 5433, name, {"sslmode": "require"})
    for given_as in (url, make_url(url.render_as_string(hide_password=False).replace(" ", "%20"))):
        told = {"user": "care", "password": password, "host": "db.example", "port": "5433", "dbname": name, "sslmode": "require"}
        assert conninfo_to_dict(conninfo(given_as)) == told


def test_whatever_a_password_holds_everybody_connects(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bell and the runner of long work connect past the pool; a space in the password kept them away, and nobody but the log knew."""
    password = "p w&$x%41+'\\ü"
    url = make_url(migrated_url).set(password=password)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    opened = Database.open(url.render_as_string(hide_password=False).replace(" ", "%20"))
    try:
        opened.bell.subscribe("topic")
        late = time.monotonic() + 10
        while opened.bell.patience(0.01) < 1 and time.monotonic() < late:
            time.sleep(0.01)
        assert opened.bell.patience(0.01) > 1
    finally:
        opened.close()


def test_what_goes_on_going_wrong_is_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    said, tried = LogCapture(), threading.Semaphore(0)
    monkeypatch.setattr(leading, "log", structlog.wrap_logger(None, processors=[said]))
    reasons = iter(["away"] * 20 + ["", *["away"] * 5, *["full"] * 5])

    def a_round() -> bool:
        tried.release()
        if reason := next(reasons, ""):
            raise Unavailable(reason)
        return False

    rounds = Rounds("x", a_round, 0.001)
    rounds.start()
    for _ in range(33):
        assert tried.acquire(timeout=10)
    rounds.stop()
    assert [one["reason"] for one in said.entries] == ["away", "away", "full"]


def test_a_stop_while_the_server_is_away_stops_everything_at_once(tmp_path: Path) -> None:
    """A lease that cannot be given back ends by itself; nobody waits for it until the watchdog ends the process."""
    here = Address("127.0.0.1", 0)
    with postgres.cluster() as server:
        opened = open_installation(settings=Settings(data=tmp_path, database=server.url, backup_to=tmp_path / "to"))
        running = Serving(opened, here, here, (Role.FEEDS, Role.WORKER, Role.TIMERS), here)
        before = set(threading.enumerate())
        running.start()
        server.stop()
        running.stop()
        opened.close()
        left = [one.name for one in set(threading.enumerate()) - before if not one.daemon]
        assert left == [], "a process with such a thread does not end"


def test_a_connection_that_is_cut_is_replaced(quick: Database) -> None:
    put(quick, "a")
    with quick.engine.connect() as killer:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with quick.engine.connect():
            pass
        killer.execute(text(others))
    put(quick, "b")
    assert ids(quick) == {"a", "b"}


def test_a_connection_that_is_cut_within_a_transaction_is_said_and_replaced(quick: Database) -> None:
    def cut_inside() -> None:
        with quick.writing(SYSTEM, at=clock.now()) as store, quick.engine.connect() as killer:
            store.put({**PERSON, "id": "lost"})
            pid = store.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            store.put({**PERSON, "id": "lost-too"})

    with pytest.raises(Unavailable, match="the database does not answer"):
        cut_inside()
    put(quick, "kept")
    assert ids(quick) == {"kept"}


def test_a_connection_is_asked_only_where_it_has_lain_idle_for_long(quick: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(quick, "a")
    asked: list[object] = []
    monkeypatch.setattr(postgresql, "ask", asked.append)
    put(quick, "b")
    assert asked == [], "a way there and back for each transaction"
    monkeypatch.setattr(postgresql, "IDLE_SECONDS", 0.0)
    put(quick, "c")
    assert asked
    assert ids(quick) == {"a", "b", "c"}


def test_a_process_whom_another_leads_does_not_ask_at_every_ring(quick: Database) -> None:
    first, second = (Lead(quick, "round", name, SYSTEM, timedelta(seconds=10)) for name in ("one", "other"))
    assert first.held()
    rounds = Rounds("test", lambda: None, 60.0, lead=second, database=quick, topic=CHANGES)
    asked = [0]

    def counted(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked[0] += "INSERT INTO lease" in statement

    event.listen(quick.engine, "before_cursor_execute", counted)
    rounds.start()
    begun = time.monotonic()
    while time.monotonic() < begun + 0.3 or asked == [0]:
        rounds.woken.set()
        time.sleep(0.002)
    assert asked[0] <= 1 + (time.monotonic() - begun) / leading.REFUSED_SECONDS
    before = asked[0]
    first.give_back()
    while asked[0] == before:
        rounds.woken.set()
        time.sleep(0.02)
    assert second.held()
    rounds.stop()


def test_a_transaction_whose_connection_is_cut_says_unavailable_and_leaves_nothing(quick: Database) -> None:
    with pytest.raises(Unavailable), quick.writing(SYSTEM, at=clock.now()) as store:  # noqa: PT012
        store.put({**PERSON, "id": "half"})
        pid = store.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with quick.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        store.put({**PERSON, "id": "other-half"})
    assert ids(quick) == set()


def test_a_statement_that_takes_too_long_a_row_that_is_held_and_a_full_pool_each_say_so(quick: Database) -> None:
    with pytest.raises(Unavailable, match="DATABASE_STATEMENT_SECONDS"), quick.reading(SYSTEM, at=clock.now()) as store:
        store.connection.execute(text("SELECT pg_sleep(5)"))
    put(quick, "held")
    with ExitStack() as others:
        holder = others.enter_context(quick.writing(SYSTEM, at=clock.now()))
        holder.put({**PERSON, "id": "held", "code": {"text": "y"}})
        with pytest.raises(Unavailable, match=r"DATABASE_(LOCK|STATEMENT)_SECONDS"), quick.writing(SYSTEM, at=clock.now()) as store:
            store.put({**PERSON, "id": "held", "code": {"text": "z"}})
        others.enter_context(quick.reading(SYSTEM, at=clock.now()))
        with pytest.raises(Unavailable, match="DATABASE_POOL"):
            put(quick, "no-connection-left")


def test_two_who_create_the_same_at_once_collide_and_say_so(quick: Database) -> None:
    with pytest.raises(Conflict) as refused, quick.writing(SYSTEM, at=clock.now()) as store:  # noqa: PT012
        with quick.writing(SYSTEM, at=clock.now()) as first:
            first.put({**PERSON, "id": "same"})
            store.find("Basic", "same")
        store.connection.execute(text("INSERT INTO claim VALUES ('k', 'a')"))
        store.connection.execute(text("INSERT INTO claim VALUES ('k', 'b')"))
    assert refused.value.reason == COLLISION


def test_a_reading_transaction_sees_one_moment_and_cannot_write(quick: Database) -> None:
    with quick.reading(SYSTEM, at=clock.now()) as store:
        assert store.select("Basic") == []
        put(quick, "later")
        assert store.select("Basic") == []
    assert ids(quick) == {"later"}
    with pytest.raises(Unavailable), quick.reading(SYSTEM, at=clock.now()) as store:
        store.connection.execute(text("DELETE FROM resource"))


def test_an_installation_that_cannot_reach_its_database_says_what_to_mend(postgres_server: str, tmp_path: Path) -> None:
    place = postgres_server.rpartition("/")[0]
    with pytest.raises(Unavailable, match="no such database; create it first"):
        open_installation(settings=Settings(data=tmp_path, database=f"{place}/nowhere"))
    with pytest.raises(Unavailable, match="cannot be opened"):
        open_installation(settings=Settings(data=tmp_path, database="postgresql://healthsvc@127.0.0.1:1/x", database_connect_seconds=1))


def test_the_settings_reach_the_server(postgres_url: str, tmp_path: Path) -> None:
    here = open_installation(settings=Settings(data=tmp_path, database=postgres_url, database_statement_seconds=7, database_pool=3))
    with here.database.engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "7s"
        assert connection.execute(text("SHOW client_connection_check_interval")).scalar_one() == "10s"
    assert here.database.engine.pool.size() == 3  # type: ignore[attr-defined]
    here.close()


def test_what_a_thread_still_holds_when_the_database_is_closed_is_closed_when_it_is_given_back(quick: Database) -> None:
    late = quick.engine.connect()
    driver = late.connection.driver_connection
    assert driver is not None
    quick.close()
    assert not driver.closed
    late.close()
    assert driver.closed
    with quick.engine.connect() as again:  # a straggler that asks only now
        driver = again.connection.driver_connection
    assert driver is not None
    assert driver.closed
