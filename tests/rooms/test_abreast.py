"""Short reads on a server, many under way in one thread: one moment for each, nobody waits for another, and what is lost is read again."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from healthsvc import clock
from healthsvc.errors import Unavailable
from healthsvc.store import SYSTEM, Database, Store, spoken
from healthsvc.store.abreast import Abreast
from healthsvc.store.driver import run
from healthsvc.store.postgres import ServerUse
from healthsvc.store.spoken import AGAIN, Elsewhere

pytestmark = pytest.mark.postgres
T = TypeVar("T")
HELD = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'healthsvc'"


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    opened = Database.open(migrated_url, server=ServerUse(pool=4, overflow=2))
    with opened.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Basic", "id": "a", "code": {"text": "测试"}})
    yield opened
    opened.close()


def asked(store: Store, sql: str, *args: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = run(store.connection, sql, args).fetchall()
    return found


def run_apart(asked: Coroutine[Any, Any, None]) -> None:
    """On a loop in a thread of its own: in this one a browser's may be running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asked).result()


async def read(abreast: Abreast, work: Callable[[Store], T]) -> T:
    """What is read, once a connection has come."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            return await abreast.read(SYSTEM, work, at=clock.now())
        except Elsewhere:
            await asyncio.sleep(0.01)
    raise AssertionError("no connection came")


def written(url: str, sql: str, *args: Any) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute(sql, args)  # type: ignore[call-overload]


def test_all_statements_of_a_read_see_one_moment(database: Database, migrated_url: str) -> None:
    def twice(store: Store) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        first = asked(store, "SELECT count(*) FROM claim")
        written(migrated_url, "INSERT INTO claim (key, holder) VALUES ('k', 'h')")
        return first, asked(store, "SELECT count(*) FROM claim")

    async def ask() -> None:
        abreast = Abreast(database)
        assert await read(abreast, twice) == ([(0,)], [(0,)])
        assert await read(abreast, lambda store: asked(store, "SELECT count(*) FROM claim")) == [(1,)]
        with pytest.raises(Unavailable, match="takes no writes"):
            await read(abreast, lambda store: asked(store, "DELETE FROM claim"))
        assert await read(abreast, lambda store: asked(store, "SELECT count(*) FROM claim")) == [(1,)]

    run_apart(ask())


def test_values_come_as_they_were_written(database: Database) -> None:
    sql = (
        "SELECT %(text)s::text, %(small)s + 0, %(large)s::bigint, %(bytes)s::bytea, %(none)s::text, %(many)s::text[], "
        "%(share)s::float8, %(text)s LIKE '测%%', %(yes)s::boolean"
    )
    values = {
        "text": "测试'%s", "small": 7, "large": 1 << 40, "bytes": b"\0\xff%s", "none": None,
        "many": ["a,b", "丙"], "share": 0.1,
        "yes": True,
    }  # fmt: skip
    came = ("测试'%s", 7, 1 << 40, b"\0\xff%s", None, ["a,b", "丙"], 0.1, True, True)

    async def ask() -> None:
        abreast = Abreast(database)
        for _ in range(AGAIN + 1):  # by itself, as it is prepared, and prepared
            assert await read(abreast, lambda store: run(store.connection, sql, values).fetchall()) == [came]
        wide = "x" * (1 << 20)  # more than a socket takes at once, there and back
        assert await read(abreast, lambda store: asked(store, "SELECT %s::text", wide)) == [(wide,)]

    run_apart(ask())


def test_who_waits_for_a_lock_keeps_nobody_waiting(database: Database, migrated_url: str) -> None:
    async def ask() -> None:
        abreast = Abreast(database)
        await asyncio.gather(*(read(abreast, lambda store: asked(store, "SELECT 1")) for _ in range(8)))
        with psycopg.connect(migrated_url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE claim")
            waits = asyncio.create_task(read(abreast, lambda store: asked(store, "SELECT count(*) FROM claim")))
            await asyncio.sleep(0)
            assert [await read(abreast, lambda store: asked(store, "SELECT 2")) for _ in range(20)] == [[(2,)]] * 20
            assert not waits.done()
            other.rollback()
        assert await waits == [(0,)]

    run_apart(ask())


def test_a_refusal_is_said_and_the_connection_goes_on(database: Database) -> None:
    async def ask() -> None:
        abreast = Abreast(database)
        for _ in range(AGAIN + 1):
            with pytest.raises(DataError) as told:
                await read(abreast, lambda store: asked(store, "SELECT 7 / %s::int", 0))
            assert "SELECT" not in str(told.value), "an error carries no statement and no values"
            assert await read(abreast, lambda store: asked(store, "SELECT 1")) == [(1,)]
        with pytest.raises(DataError, match="NUL"):  # refused before it is sent
            await read(abreast, lambda store: asked(store, "SELECT %s::text", "\0"))
        assert await read(abreast, lambda store: asked(store, "SELECT 1")) == [(1,)]

    run_apart(ask())


def test_a_connection_that_is_cut_costs_nobody_an_answer(database: Database, migrated_url: str) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def cut_inside(store: Store) -> list[tuple[Any, ...]]:
        asked(store, "SELECT 1")
        written(migrated_url, cut)
        return asked(store, "SELECT 2")

    async def ask() -> None:
        abreast = Abreast(database)
        assert await read(abreast, lambda store: asked(store, "SELECT 1")) == [(1,)]
        written(migrated_url, cut)
        assert await read(abreast, lambda store: asked(store, "SELECT 2")) == [(2,)]
        with pytest.raises(Elsewhere):  # whoever asks goes the usual way then
            await abreast.read(SYSTEM, cut_inside, at=clock.now())
        assert await read(abreast, lambda store: asked(store, "SELECT 3")) == [(3,)]

    run_apart(ask())


def test_what_is_no_more_prepared_or_otherwise_costs_nobody_an_answer(database: Database, migrated_url: str) -> None:
    """Where the usual way rolls back psycopg gives up all that is prepared on the connection; and an upgrade may change a column."""
    written(migrated_url, "CREATE TABLE scratch (value int)")
    written(migrated_url, "INSERT INTO scratch VALUES (7)")

    def ask_it(store: Store) -> list[tuple[Any, ...]]:
        return asked(store, "SELECT value FROM scratch")

    async def ask() -> None:
        abreast = Abreast(database)
        for _ in range(AGAIN + 1):
            assert await read(abreast, ask_it) == [(7,)]
        await read(abreast, lambda store: asked(store, "DEALLOCATE ALL"))
        with pytest.raises(Elsewhere):  # whoever asks goes the usual way then
            await abreast.read(SYSTEM, ask_it, at=clock.now())
        for _ in range(AGAIN + 1):
            assert await read(abreast, ask_it) == [(7,)]
        written(migrated_url, "ALTER TABLE scratch ALTER value TYPE text")
        with pytest.raises(Elsewhere):
            await abreast.read(SYSTEM, ask_it, at=clock.now())
        for _ in range(AGAIN + 1):
            assert await read(abreast, ask_it) == [("7",)]

    run_apart(ask())


def test_few_statements_stay_prepared(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are; and the pool has its connections back as they were."""
    monkeypatch.setattr(spoken, "PREPARED", most := 10)
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'healthsvc%%'"

    async def ask() -> None:
        abreast = Abreast(database)
        for number in range(3 * most):
            for _ in range(AGAIN):
                assert await read(abreast, lambda store, number=number: asked(store, f"SELECT {number} + %s", 1)) == [(number + 1,)]  # type: ignore[misc]
        assert (await read(abreast, lambda store: asked(store, prepared)))[0][0] <= most

    run_apart(ask())
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert store.find("Basic", "a") is not None


def test_a_closed_database_keeps_no_connection(database: Database, migrated_url: str) -> None:
    async def ask() -> None:
        abreast = Abreast(database)
        assert await read(abreast, lambda store: asked(store, "SELECT 1")) == [(1,)]

    run_apart(ask())
    database.close()
    with psycopg.connect(migrated_url.replace("+psycopg", "")) as other:
        until = time.monotonic() + 10
        while (left := other.execute(HELD).fetchone()) != (0,) and time.monotonic() < until:
            time.sleep(0.01)
        assert left == (0,)


def test_what_needs_more_than_a_statement_as_it_stands_is_read_elsewhere(database: Database) -> None:
    async def ask() -> None:
        abreast = Abreast(database)
        assert await read(abreast, lambda store: asked(store, "SELECT 1")) == [(1,)]
        with pytest.raises(Elsewhere):
            await abreast.read(SYSTEM, lambda store: store.connection.execute(text("SELECT 1")), at=clock.now())

    run_apart(ask())
