"""Long work: :func:`defer` leaves it in the transaction of whoever asks, :func:`run` does it outside of any, and its effect is one more.

The effect and the word "done" are one transaction, in which nobody else may hold the work: so whatever dies, and whoever took over from
whom, it has its effect exactly once. Who calls ``run`` is somebody else's business: on PostgreSQL procrastinate brings the ids to the
workers (``store.work_queue``), on SQLite a thread of the worker's role looks for them.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Connection, insert, or_, select, update

from healthsvc import clock
from healthsvc.errors import Refusal, Unavailable
from healthsvc.fhir.json import dumps, loads
from healthsvc.store import work_queue
from healthsvc.store.bell import WORK
from healthsvc.store.room import Actor
from healthsvc.store.stored import micros
from healthsvc.store.work_tables import WorkRow

if TYPE_CHECKING:
    from healthsvc.store.engine import Database
    from healthsvc.store.store import Store

log = structlog.get_logger()
ROWS = WorkRow.__table__  # type: ignore[attr-defined]
LEASE_LENGTH = timedelta(seconds=30)
"""After a crash another takes over this much later; whoever is at it says so three times as often."""
AGAIN_SECONDS: Final = 5
MOST_ATTEMPTS: Final = 5


class State(StrEnum):
    """How it stands with a piece of work."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of long work as anybody may see it who asked for it."""

    id: str
    kind: str
    asked: Mapping[str, Any]
    actor: Actor
    state: State
    done: int
    total: int
    result: Mapping[str, Any] | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        """For whoever waits for it."""
        told = {"id": self.id, "kind": self.kind, "state": self.state.value, "done": self.done, "total": self.total}
        return told | {key: value for key, value in (("result", self.result), ("error", self.error)) if value is not None}


Report = Callable[[int, int], None]
"""How much is done, of how much."""
Finish = Callable[["Store"], Mapping[str, Any]]
"""Has the effect, in the transaction that says "done"; gives the result, without any person's particulars."""
Kind = Callable[["Database", Work, Report], Finish]
"""Does the long part, outside of any transaction."""


def defer(store: "Store", kind: str, asked: Mapping[str, Any]) -> str:
    """Leave work to be done in the actor's name once this transaction is committed; gives its id."""
    id, at = str(uuid.uuid4()), micros(store.at)
    row = {"id": id, "kind": kind, "asked": dumps(dict(asked)).decode(), "actor": dumps(store.actor.as_json()).decode()}
    rest = {"state": State.WAITING.value, "done": 0, "total": 0, "attempts": 0, "holder": "", "until": 0, "created": at}
    store.connection.execute(insert(ROWS), {**row, **rest})
    work_queue.put(store.connection, id)
    store.rings.add(WORK)
    return id


def find(store: "Store", id: str) -> Work | None:
    """How it stands with a piece of work."""
    row = store.connection.execute(select(ROWS).where(ROWS.c.id == id)).first()
    return None if row is None else _work(row)


def open_to_take(connection: Connection, at: datetime, since: timedelta = timedelta()) -> list[str]:
    """Ids of the work that nobody is at, oldest first; only what has been so for a while, where ``since`` is given."""
    waits = (ROWS.c.state == State.WAITING.value) & (ROWS.c.until <= micros(at)) & (ROWS.c.created <= micros(at - since))
    left = (ROWS.c.state == State.RUNNING.value) & (ROWS.c.until <= micros(at))
    return list(connection.execute(select(ROWS.c.id).where(or_(waits, left)).order_by(ROWS.c.created)).scalars())


def run(database: "Database", id: str, kinds: Mapping[str, Kind]) -> State | None:
    """Do a piece of work, unless it is done or somebody is at it (then None)."""
    holder = str(uuid.uuid4())
    work = _take(database, id, holder)
    if work is None:
        return None
    try:
        with _pulse(database, id, holder) as report:
            finish = kinds[work.kind](database, work, report)
        with database.writing(work.actor, at=clock.now(clock.zone(database.zone))) as store:
            if not _still_ours(store, id, holder):
                return None
            result = finish(store)
            _end(store, id, State.DONE, result=dumps(dict(result)).decode())
    except Unavailable as refusal:
        return _again(database, id, holder, refusal)
    except Exception as error:  # noqa: BLE001 - whoever waits must hear that it failed; only a refusal's words are free of persons
        words = error.text if isinstance(error, Refusal) else f"it broke: {type(error).__name__}"
        log.error("long work failed", work=id, kind=work.kind, error=type(error).__name__)
        return _fail(database, id, holder, words)
    log.info("long work done", work=id, kind=work.kind)
    return State.DONE


def _take(database: "Database", id: str, holder: str) -> Work | None:
    now = clock.utc_now()
    with database.plainly() as connection:
        free = or_(ROWS.c.state == State.WAITING.value, (ROWS.c.state == State.RUNNING.value) & (ROWS.c.until <= micros(now)))
        values = {"state": State.RUNNING.value, "holder": holder, "until": micros(now + LEASE_LENGTH), "attempts": ROWS.c.attempts + 1}
        if connection.execute(update(ROWS).where(ROWS.c.id == id, free).values(**values)).rowcount != 1:
            return None
        row = connection.execute(select(ROWS).where(ROWS.c.id == id)).one()
    if row.attempts > MOST_ATTEMPTS:
        _fail(database, id, holder, f"it was begun {MOST_ATTEMPTS} times and never came to an end")
        return None
    return _work(row)


@contextmanager
def _pulse(database: "Database", id: str, holder: str) -> Iterator[Report]:
    """While the work goes on: say that somebody is at it, and how far it has come."""
    told, ended = [0, 0], threading.Event()

    def say() -> None:
        while not ended.wait(LEASE_LENGTH.total_seconds() / 3):
            try:
                _note(database, id, holder, told)
            except Refusal as refusal:
                log.warning("long work goes on unseen", work=id, reason=refusal.text)

    def report(done: int, total: int) -> None:
        begun, told[:] = told[1] == 0, (done, total)
        if begun or done == total:
            _note(database, id, holder, told)

    thread = threading.Thread(target=say, name="work-pulse", daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()


def _note(database: "Database", id: str, holder: str, told: list[int]) -> None:
    until = micros(clock.utc_now() + LEASE_LENGTH)
    with database.plainly() as connection:
        mine = (ROWS.c.id == id) & (ROWS.c.holder == holder)
        connection.execute(update(ROWS).where(mine).values(until=until, done=told[0], total=told[1]))


def _still_ours(store: "Store", id: str, holder: str) -> bool:
    """Whether nobody has taken it over; from now on nobody can, until this transaction ends."""
    mine = (ROWS.c.id == id) & (ROWS.c.holder == holder) & (ROWS.c.state == State.RUNNING.value)
    return store.connection.execute(update(ROWS).where(mine).values(holder=holder)).rowcount == 1


def _end(store: "Store", id: str, state: State, **values: Any) -> None:
    done = {"done": ROWS.c.total} if state is State.DONE else {}
    store.connection.execute(update(ROWS).where(ROWS.c.id == id).values(state=state.value, finished=micros(store.at), **done, **values))
    store.rings.add(WORK)


def _fail(database: "Database", id: str, holder: str, words: str) -> State | None:
    with database.writing(Actor("system/work", "long work", frozenset({"system"})), at=clock.utc_now()) as store:
        if not _still_ours(store, id, holder):
            return None
        _end(store, id, State.FAILED, error=words)
    return State.FAILED


def _again(database: "Database", id: str, holder: str, refusal: Unavailable) -> State:
    """The database or another service does not answer now: the work waits."""
    log.warning("long work waits", work=id, reason=refusal.text)
    later = micros(clock.utc_now() + timedelta(seconds=AGAIN_SECONDS))
    with database.plainly() as connection:
        mine = (ROWS.c.id == id) & (ROWS.c.holder == holder)
        connection.execute(update(ROWS).where(mine).values(state=State.WAITING.value, until=later, holder=""))
    return State.WAITING


def _work(row: Any) -> Work:
    result = None if row.result is None else loads(row.result.encode())
    actor = Actor.of_json(loads(row.actor.encode()))
    return Work(row.id, row.kind, loads(row.asked.encode()), actor, State(row.state), row.done, row.total, result, row.error)
