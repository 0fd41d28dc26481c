"""Lay the hot tables out by county, beside whoever reads and writes them: copy, index, catch up, compare, switch.

What is written meanwhile is noted by triggers and copied anew, so nobody waits but for the switch, a transaction that holds the tables for
as long as it takes to copy the last few changes. Each step is a transaction of its own and notes how far it has come: a run that was
ended goes on there. The rows are compared one by one before the switch; the tables of before stay until somebody drops them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from healthsvc.errors import Conflict, Invalid
from healthsvc.fhir.systems import code_system
from healthsvc.store import migrate
from healthsvc.store.postgres import ServerUse, connect
from healthsvc.store.tables import LAID_OUT
from healthsvc.store.tenancy import shadow
from healthsvc.store.trouble import said_clearly

PORTION: Final = 2000
"""Resources that are copied in one transaction."""
COMPARED: Final = 10_000
FEW: Final = 100
"""Changes that may be left to be copied while the tables are held."""
LOCK_MILLISECONDS: Final = 400
"""Less than PostgreSQL's deadlock_timeout: of two who wait for each other it is we who give way, and come again."""
PAUSE_SECONDS: Final = 0.3
TRIES: Final = 200
MOST_COUNTIES: Final = 400
"""A plan looks at every partition that it cannot rule out; a province of China has some hundred counties."""
KEYS: Final = {"pk": "resource", "seq": "audit"}
"""Each key by which rows are copied, and the table that has it."""
NEEDS: Final = "0022"
"""The step that a program must know to work on tables that are laid out: one that does not, refuses to start on them."""
_KEY: Final = 0x70617274
_HELD: Final = ("55P03", "40P01")
"""SQLSTATE lock_not_available and deadlock_detected."""
_LONG: Final = ServerUse(pool=2, overflow=2, statement_seconds=0, lock_seconds=0, idle_seconds=0)
_OF_LEVEL: Final = """
SELECT r.id FROM ix_token t JOIN resource r ON r.pk = t.pk AND NOT r.deleted
WHERE t.param = (SELECT id FROM term WHERE text = 'Organization.type') AND t.code = :level
AND t.system = (SELECT id FROM term WHERE text = :system) ORDER BY r.pk
"""
_DIGEST: Final = (
    "SELECT count(*), coalesce(sum(hashtextextended(CAST(t AS text), 0)::numeric), 0) FROM (SELECT {columns} FROM {table} "
    "WHERE {key} > :after AND {key} <= :up_to AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:dirty AS bigint[])) d WHERE d = {key})) AS t"
)
Progress = Callable[[str, int, int], None]
"""Called with the name of a step, how far it has come, and how far it goes."""


@contextmanager
def alone(url: str) -> Iterator[Engine]:
    """An engine without bounds of time, for one run at a time.

    Raises:
        Invalid: this is no PostgreSQL.
        Conflict: another run is under way.
    """
    if not url.startswith("postgres"):
        raise Invalid("an embedded database has one part: move it to PostgreSQL first (`healthsvc move`)", reason="partition-engine")
    engine = connect(url, _LONG)
    try:
        with said_clearly(), engine.connect() as holding:
            if not shadow.run(holding, "SELECT pg_try_advisory_lock(:key)", key=_KEY).scalar():
                raise Conflict("another `healthsvc partition` is under way", reason="partition-busy")
            holding.commit()  # the lock is the session's
            yield engine
    finally:
        engine.dispose()


def counties(connection: Connection, level: str) -> list[str]:
    """Ids of the organizations of a level (a code of our organization types), oldest first."""
    return list(shadow.run(connection, _OF_LEVEL, level=level, system=code_system("organization-type")).scalars())


def lay_out(engine: Engine, level: str, progress: Progress = lambda *_: None) -> None:
    """Lay the tables out, or go on with it.

    Raises:
        Invalid: there is no county, or too many of them.
        Conflict: a row is not there as it was (never seen; nothing has been switched then).
    """
    with engine.begin() as connection:
        if not shadow.exists(connection, "laying"):
            found = counties(connection, level)
            if not 0 < len(found) <= MOST_COUNTIES:
                raise Invalid(
                    f"{len(found)} organizations have the type {level!r} (1 to {MOST_COUNTIES} are wanted): give it to those that are to "
                    "have a partition, in Organization.type, or name another --level",
                    reason="partition-level",
                )
            shadow.make(connection, found)
    for table in LAID_OUT:
        in_turn(engine, lambda connection, table=table: shadow.watch(connection, table))  # type: ignore[misc]
    for key in KEYS:
        _copy(engine, key, progress)
    _index(engine, progress)
    _catch_up(engine, progress)
    for key in KEYS:
        _compare(engine, key, progress)
    _catch_up(engine, progress)
    in_turn(engine, _switch)


def give_up(engine: Engine) -> None:
    """Take away what a run that was not ended has left."""
    in_turn(engine, shadow.undo)


def drop_before(engine: Engine) -> bool:
    """Drop the tables of before the switch; whether there were any."""
    with engine.begin() as connection:
        there = shadow.exists(connection, "resource_before")
        for table in LAID_OUT:
            shadow.run(connection, f"DROP TABLE IF EXISTS {table}_before")
    return there


def in_turn(engine: Engine, act: Callable[[Connection], object]) -> None:
    """A transaction that needs tables for itself: if it does not get them at once, it lets go and comes again."""
    for last in range(TRIES):
        try:
            with engine.begin() as connection:
                shadow.run(connection, f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
                act(connection)
            return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") not in _HELD or last == TRIES - 1:
                raise
            time.sleep(PAUSE_SECONDS)


def _place(connection: Connection, step: str) -> int:
    return int(shadow.run(connection, "SELECT value FROM laying WHERE name = :step", step=step).scalar() or 0)


def _note(connection: Connection, step: str, value: int) -> None:
    sql = "INSERT INTO laying VALUES (:step, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    shadow.run(connection, sql, step=step, value=value)


def _next(connection: Connection, key: str, after: int, most: int) -> int | None:
    """The key up to which the next portion goes."""
    sql = f"SELECT max({key}) FROM (SELECT {key} FROM {KEYS[key]} WHERE {key} > :after ORDER BY {key} LIMIT :most) AS p"  # noqa: S608
    found = shadow.run(connection, sql, after=after, most=most).scalar()
    return None if found is None else int(found)


def _top(engine: Engine, key: str) -> int:
    with engine.begin() as connection:
        return int(shadow.run(connection, f"SELECT coalesce(max({key}), 0) FROM {KEYS[key]}").scalar_one())  # noqa: S608


def _end(engine: Engine, key: str) -> int:
    """The last key that was there when the triggers had been made."""
    now = _top(engine, key)
    with engine.begin() as connection:
        known = _place(connection, f"end {key}")
        if not known:
            _note(connection, f"end {key}", now)
    return known or now


def _copy(engine: Engine, key: str, progress: Progress) -> None:
    """In the order of the keys, each row to its part; what comes after the end is noted by the triggers, like every other change.

    Where the end is, is decided once: a run that goes on later would copy what has been caught up with since a second time.
    """
    top = _end(engine, key)
    while True:
        with engine.begin() as connection:
            after = _place(connection, f"copied {key}")
            up_to = _next(connection, key, after, PORTION) if after < top else None
            if up_to is None:
                return
            if key == "pk":
                shadow.settle_organizations(connection)
                shadow.copy(connection, shadow.CHUNK_OF_RANGE, after=after, up_to=up_to)
            else:
                shadow.copy_acts(connection, "a.seq > :after AND a.seq <= :up_to", after=after, up_to=up_to)
            _note(connection, f"copied {key}", up_to)
        progress(f"copy {KEYS[key]}", min(up_to, top), top)


def _index(engine: Engine, progress: Progress) -> None:
    with engine.begin() as connection:
        left = shadow.indexes(connection)
    for number, (_, statement) in enumerate(left):
        progress("index", number, len(left))
        with engine.begin() as connection:
            shadow.run(connection, statement)
    with engine.begin() as connection:
        for table in (*(f"{table}_laid" for table in LAID_OUT), "directory_laid"):
            shadow.run(connection, f"ANALYZE {table}")
    progress("index", len(left), len(left))


def _catch_up(engine: Engine, progress: Progress) -> None:
    """Copy anew what was written meanwhile, until little is left."""
    done = 0
    while True:
        with engine.begin() as connection:
            done += shadow.replay(connection, PORTION) + shadow.replay_acts(connection, PORTION)
            counts = [shadow.run(connection, f"SELECT count(*) FROM {table}").scalar_one() for table in shadow.DIRTY.values()]  # noqa: S608
            left = sum(map(int, counts))
        progress("catch up", done, done + left)
        if left <= FEW:
            return


def _compare(engine: Engine, key: str, progress: Progress) -> None:
    """Every row on both sides as one moment shows them, but for those that wait to be copied anew."""
    top = _top(engine, key)
    while True:
        with engine.connect() as plain:
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                after = _place(connection, f"compared {key}")
                up_to = _next(connection, key, after, COMPARED) if after < top else None
                if up_to is None:
                    return
                dirty = list(shadow.run(connection, f"SELECT DISTINCT {key} FROM {shadow.DIRTY[key]}").scalars())  # noqa: S608
                for table in (one for one, of in LAID_OUT.items() if of == key):
                    _compare_portion(connection, table, key, {"after": after, "up_to": up_to, "dirty": dirty})
                _note(connection, f"compared {key}", up_to)
        progress(f"compare {KEYS[key]}", min(up_to, top), top)


def _compare_portion(connection: Connection, table: str, key: str, values: dict[str, Any]) -> None:
    names = ", ".join(shadow.columns(connection, table))
    here, there = (
        shadow.run(connection, _DIGEST.format(columns=names, table=one, key=key), **values).one() for one in (table, f"{table}_laid")
    )
    if tuple(here) != tuple(there):
        raise Conflict(
            f"{table}: {there[0]} of {here[0]} rows behind key {values['after']} are laid out, and not all as they were; nothing was "
            "switched, begin anew with --give-up",
            reason="partition-differs",
        )


def _switch(connection: Connection) -> None:
    """Hold the tables, copy the last changes, change the names."""
    shadow.run(connection, f"LOCK TABLE {', '.join(LAID_OUT)} IN ACCESS EXCLUSIVE MODE")
    shadow.replay(connection, None)
    shadow.replay_acts(connection, None)
    shadow.put_in_place(connection)
    migrate.demand(connection, NEEDS)


__all__: Sequence[str] = ("Progress", "alone", "counties", "drop_before", "give_up", "in_turn", "lay_out")
