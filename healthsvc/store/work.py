"""Long work: :func:`defer` leaves it in the transaction of whoever asks, :func:`run` does it outside of any, and its effect is one more.

The effect and the word "done" are one transaction, in which nobody else may hold the work: so whatever dies, and whoever took over from
whom, it has its effect exactly once. Who calls ``run`` is somebody else's business: on PostgreSQL procrastinate brings the ids to the
workers (``store.work_queue``), on SQLite a thread of the worker's role looks for them. How far it has come: ``store.progress``.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from sqlalchemy import Connection, insert, or_, select, update

from healthsvc import clock
from healthsvc.errors import Conflict, Refusal, Unavailable
from healthsvc.fhir.json import dumps
from healthsvc.store import work_queue
from healthsvc.store.bell import WORK
from healthsvc.store.progress import ROWS, State, of_row
from healthsvc.store.progress import Work as Work
from healthsvc.store.progress import find as find
from healthsvc.store.room import Actor
from healthsvc.store.stored import micros

if TYPE_CHECKING:
    from healthsvc.store.engine import Database
    from healthsvc.store.store import Store

log = structlog.get_logger()
LEASE_LENGTH = timedelta(seconds=30)
"""After a crash another takes over this much later; whoever is at it says so three times as often."""
TELL_SECONDS = 1.0
"""How often at most it is written down how far a piece of work has come."""
AGAIN_SECONDS: Final = 5
MOST_ATTEMPTS: Final = 5
UNKNOWN_FOR: Final = timedelta(days=1)
"""Work of a kind that this release does not know waits so long for a process of a newer one: an upgrade restarts them one by one."""


class TakenAway(Conflict):
    """The work was cancelled, or another has taken it over: whoever is at it stops."""


class Leaving(Exception):
    """Whoever is at it is about to stop: the work goes back to where another takes it up."""


class Report(Protocol):
    """By what a kind tells how far it has come."""

    def __call__(self, done: int, total: int, step: str = "") -> None:
        """How much is done, of how much; ``step``: the code of what goes on before anything can be counted.

        Raises:
            TakenAway: nobody waits for it any more.
            Leaving: this process is to end.
        """


Finish = Callable[["Store"], Mapping[str, Any]]
"""Has the effect, in the transaction that says "done"; gives the result, without any person's particulars."""
Kind = Callable[["Database", Work, Report], Finish]
"""Does the long part, outside of any transaction."""


def defer(store: "Store", kind: str, asked: Mapping[str, Any], *, about: str = "", paper: bytes | None = None) -> str:
    """Leave work to be done in the actor's name once this transaction is committed; gives its id.

    ``about``: by what others find it (a day); ``paper``: a file that is to be worked on, kept sealed until the work has ended.
    """
    id, at = str(uuid.uuid4()), micros(store.at)
    row = {"id": id, "kind": kind, "asked": dumps(dict(asked)).decode(), "actor": dumps(store.actor.as_json()).decode()}
    rest = {"state": State.WAITING.value, "done": 0, "total": 0, "step": "", "attempts": 0, "holder": "", "until": 0, "created": at}
    sealed = None if paper is None else store.sealer.close(paper, _place(id))
    store.connection.execute(insert(ROWS), {**row, **rest, "owner": store.actor.id, "about": about, "paper": sealed})
    work_queue.put(store.connection, id)
    store.rings.add(WORK)
    return id


def paper_of(store: "Store", id: str) -> bytes:
    """What was handed over with a piece of work; empty where nothing was, or where it has ended."""
    kept = store.connection.execute(select(ROWS.c.paper).where(ROWS.c.id == id)).scalar_one_or_none()
    return b"" if kept is None else store.sealer.open(bytes(kept), _place(id))


def open_to_take(connection: Connection, at: datetime, since: timedelta = timedelta()) -> list[str]:
    """Ids of the work that nobody is at, oldest first; only what has been so for a while, where ``since`` is given."""
    waits = (ROWS.c.state == State.WAITING.value) & (ROWS.c.until <= micros(at)) & (ROWS.c.created <= micros(at - since))
    left = (ROWS.c.state == State.RUNNING.value) & (ROWS.c.until <= micros(at))
    return list(connection.execute(select(ROWS.c.id).where(or_(waits, left)).order_by(ROWS.c.created)).scalars())


def run(database: "Database", id: str, kinds: Mapping[str, Kind], leaving: threading.Event | None = None) -> State | None:
    """Do a piece of work, unless it is done or somebody is at it (then None).

    ``leaving``: once it is set, the work is left to another at its next step.
    """
    holder = str(uuid.uuid4())
    work = _take(database, id, holder)
    if work is None:
        return None
    if work.kind not in kinds and clock.utc_now() - work.created < UNKNOWN_FOR:
        return _hand_back(database, id, holder, wait=timedelta(seconds=AGAIN_SECONDS))
    try:
        with _pulse(database, id, holder, leaving or threading.Event()) as report:
            finish = kinds[work.kind](database, work, report)
        with database.writing(work.actor, at=clock.now(clock.zone(database.zone))) as store:
            if not _still_ours(store, id, holder):
                return None
            result = finish(store)
            _end(store, id, State.DONE, result=dumps(dict(result)).decode())
    except TakenAway:
        log.info("long work stopped: nobody waits for it any more", work=id, kind=work.kind)
        return None
    except Leaving:
        return _hand_back(database, id, holder)
    except Unavailable as refusal:
        return _again(database, id, holder, refusal)
    except Exception as error:  # noqa: BLE001 - whoever waits must hear that it failed; only a refusal's words are free of persons
        words = error.text if isinstance(error, Refusal) else f"it broke: {type(error).__name__}"
        log.error("long work failed", work=id, kind=work.kind, error=type(error).__name__)
        return _fail(database, id, holder, words)
    log.info("long work done", work=id, kind=work.kind)
    return State.DONE


def _place(id: str) -> str:
    return f"work/{id}"


def _take(database: "Database", id: str, holder: str) -> Work | None:
    now = clock.utc_now()
    with database.plainly() as connection:
        free = or_(ROWS.c.state == State.WAITING.value, (ROWS.c.state == State.RUNNING.value) & (ROWS.c.until <= micros(now)))
        values = {"state": State.RUNNING.value, "holder": holder, "until": micros(now + LEASE_LENGTH), "attempts": ROWS.c.attempts + 1}
        values |= {"begun": micros(now), "step": ""}
        if connection.execute(update(ROWS).where(ROWS.c.id == id, free).values(**values)).rowcount != 1:
            return None
        row = connection.execute(select(ROWS).where(ROWS.c.id == id)).one()
    if row.attempts > MOST_ATTEMPTS:
        _fail(database, id, holder, f"it was begun {MOST_ATTEMPTS} times and never came to an end")
        return None
    return of_row(row)


@contextmanager
def _pulse(database: "Database", id: str, holder: str, leaving: threading.Event) -> Iterator[Report]:
    """While the work goes on: say that somebody is at it, and how far it has come, in a thread of its own, whatever the work does."""
    told: tuple[int, int, str] = (0, 0, "")
    ended, gone = threading.Event(), threading.Event()

    def note() -> None:
        if not _note(database, id, holder, told):
            gone.set()

    def say() -> None:
        noted, silent = told, 0.0
        while not ended.wait(TELL_SECONDS):
            silent += TELL_SECONDS
            if told == noted and silent < LEASE_LENGTH.total_seconds() / 3:
                continue
            try:
                noted, silent = told, 0.0
                note()
            except Refusal as refusal:
                log.warning("long work goes on unseen", work=id, reason=refusal.text)

    def report(done: int, total: int, step: str = "") -> None:
        nonlocal told
        (_, before, stepped), told = told, (done, total, step)
        if before == 0 or done == total or step != stepped:
            note()
        if gone.is_set():
            raise TakenAway("this work was cancelled, or another has taken it over")
        if leaving.is_set() and done < total:
            raise Leaving

    thread = threading.Thread(target=say, name="work-pulse", daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()


def _note(database: "Database", id: str, holder: str, told: tuple[int, int, str]) -> bool:
    """Write down how far it has come; False: it is no longer ours."""
    until = micros(clock.utc_now() + LEASE_LENGTH)
    done, total, step = told
    with database.plainly() as connection:
        mine = (ROWS.c.id == id) & (ROWS.c.holder == holder) & (ROWS.c.state == State.RUNNING.value)
        return connection.execute(update(ROWS).where(mine).values(until=until, done=done, total=total, step=step)).rowcount == 1


def _still_ours(store: "Store", id: str, holder: str) -> bool:
    """Whether nobody has taken it over; from now on nobody can, until this transaction ends."""
    mine = (ROWS.c.id == id) & (ROWS.c.holder == holder) & (ROWS.c.state == State.RUNNING.value)
    return store.connection.execute(update(ROWS).where(mine).values(holder=holder)).rowcount == 1


def _end(store: "Store", id: str, state: State, **values: Any) -> None:
    done = {"done": ROWS.c.total} if state is State.DONE else {}
    ended = {"state": state.value, "finished": micros(store.at), "paper": None}
    store.connection.execute(update(ROWS).where(ROWS.c.id == id).values(**ended, **done, **values))
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


def _hand_back(database: "Database", id: str, holder: str, wait: timedelta = timedelta()) -> State:
    """Free at once, or after a while, and not counted as an attempt: nothing went wrong."""
    log.info("long work is left to another process", work=id)
    with database.plainly() as connection:
        mine = (ROWS.c.id == id) & (ROWS.c.holder == holder) & (ROWS.c.state == State.RUNNING.value)
        until = micros(clock.utc_now() + wait) if wait else 0
        free = {"state": State.WAITING.value, "until": until, "holder": "", "attempts": ROWS.c.attempts - 1}
        if connection.execute(update(ROWS).where(mine).values(**free)).rowcount and not wait:
            work_queue.put(connection, id)
    database.bell.ring(WORK)
    return State.WAITING
