"""The worker: takes what the inbox holds, in each person's order, and lets every message have its effect exactly once.

A message's effects and its state are one transaction. One that is refused goes to the dead letters with its reason and field, one that
somebody must decide goes to the review list, and in both cases the others go on. When the database does not answer, the message waits
and is tried again; only the messages of the same person wait with it.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from healthsvc import clock
from healthsvc.errors import Conflict, PreconditionFailed, Refusal, Unavailable
from healthsvc.monitoring import tracing
from healthsvc.store import Actor, Database, Store
from healthsvc.store.anteroom import carry_over
from healthsvc.store.bell import INBOX as INBOX_RINGS
from healthsvc.store.postgres import COLLISION
from healthsvc.store.stored import micros
from healthsvc.store.writes import run
from integrations import claims, metrics
from integrations.ahead import Ahead, profile_of
from integrations.arrival import State
from integrations.effects.care import HospitalPolicy, Outcome
from integrations.effects.person import NotOurs, SetAside
from integrations.hospitals.profile import Profile, UnknownEvent, is_loopback
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX
from integrations.lanes import Waiting, runnable
from integrations.leading import Lead, Rounds
from integrations.owing import asked, owe
from integrations.processing import process

log = structlog.get_logger()

LEASE = "hospital-worker"
LEASE_LENGTH = timedelta(seconds=6)
"""After a crash the next worker begins this much later; a living one renews it at half time."""
LOOK_AHEAD = 2000
"""Most waiting messages that are looked at in one round."""
TOGETHER_SECONDS = 0.03
"""How long one transaction goes on taking messages on a server, where others may wait for whom it has locked. Each message has its own
savepoint, so that one that is refused undoes only itself."""
ALONE_SECONDS = 0.1
"""The same on an embedded database, as long as nobody waits to write: every commit waits for the disk, a fifth of the time at 0.03."""
YIELD_SECONDS = 0.008
"""After so long it stops for whoever waits to write, the intake above all: no answer waits for what other messages bring about."""
BREATH_SECONDS = 0.001
"""Pause between two transactions, so that whoever waits for the database gets it where writers do not queue."""
IDLE_SECONDS = 0.5
PASSED_SECONDS = 0.03
"""Pause where all that waits is about people at whose messages another worker is: about as long as its transaction."""
LONGEST_PAUSE_MICROS = 3_600_000_000
"""No message is put off longer than an hour (eight attempts with doubling pauses take four minutes)."""
_PENDING = (
    select(*(INBOX.c[name] for name in ("id", "link", "listen", "control_id", "event", "received", "due", "attempts", "overrules")))
    .where(INBOX.c.state == State.PENDING.value)
    .order_by(INBOX.c.id)
    .limit(LOOK_AHEAD)
)
_OF_THE_MOMENT = (OperationalError, InterfaceError, IntegrityError, sqlite3.OperationalError)
"""Not the message's fault, but the database's or another transaction's."""
_WAITS = "SELECT id FROM inbox WHERE id = ? AND state = ?"
_SYSTEM = Actor("system/worker", "hospital line", frozenset({"system"}), "hl7")


class Worker:
    """Processes the inbox of one database: on SQLite the holder of the lease alone, on PostgreSQL as many as there are, side by side."""

    def __init__(self, database: Database, shelf: Shelf, holder: str, waits: Callable[[int], None] = lambda _: None) -> None:
        """Not begun yet; ``waits`` is told in each round how many messages wait (up to :data:`LOOK_AHEAD`)."""
        self.database = database
        self._waits = waits
        self.shelf = shelf
        self._alone = database.engine.dialect.name == "sqlite"
        lead = Lead(database, LEASE, holder, _SYSTEM, LEASE_LENGTH) if self._alone else None
        self._rounds = Rounds("hospital-worker", self._look, IDLE_SECONDS, lead=lead, database=database, topic=INBOX_RINGS)
        self._ahead = Ahead(database.sealer, shelf)
        self._fits = float(claims.AT_ONCE)
        """So many messages one transaction has had time for lately."""
        self._carried = False
        self._held: set[str] = set()
        """Keys of those whose turn it was not when we came to a message of theirs: the rest of this round has no look at them."""
        self._passed = False
        """Another worker was at a person's messages when we came to one of them."""

    def start(self) -> None:
        """Begin to work in a thread of its own."""
        self._rounds.start()

    def stop(self) -> None:
        """Finish the message at hand, give the lease back, end."""
        self._rounds.stop()

    def drain(self) -> int:
        """Process everything that can be processed now, in the calling thread; gives how many messages were settled."""
        settled = 0
        while True:
            self._carry_over()  # before the look: what somebody else carries between look and question would be missed
            done = self.round()
            settled += done
            if not done and not self._passed:
                return settled

    def round(self) -> int:
        """Take one look at the queue and process what may go on; gives how many messages were settled."""
        now, self._passed, self._held = clock.utc_now(), False, set()
        with self.database.reading(_SYSTEM, at=now) as store:
            rows: Sequence[Any] = store.connection.execute(_PENDING).all()
            metrics.QUEUED.set(len(rows))
            self._waits(len(rows))
            rows = self._ahead.look(store.connection, rows)
        queue = [Waiting(row.id, self._ahead[row.id].keys, _due(row.due, micros(now))) for row in rows]
        ready = {waiting.id for waiting in runnable(queue, micros(now))}
        chosen = [row for row in rows if row.id in ready]
        left, order = deque(chosen), None if self._alone else claims.Queue(queue)
        settled = 0
        while left and not self._rounds.stopping.is_set():
            settled += self._process(left, order)
            if not self.database.turns.hands_on:
                time.sleep(BREATH_SECONDS)
            if self._held:
                left = deque(row for row in left if not self._waits_for_others(row))
        if self._passed and not settled:
            self._rounds.stopping.wait(PASSED_SECONDS)
        return settled

    def _look(self) -> bool:
        return self.round() > 0 or self._passed or self._carry_over() > 0

    def _carry_over(self) -> int:
        """Carry what a process may have left in the anteroom that is gone; on PostgreSQL only a move from SQLite leaves something there."""
        if self._carried:
            return 0
        found = carry_over(self.database)
        self._carried = not self._alone
        return found

    def _waits_for_others(self, row: Any) -> bool:
        return not self._held.isdisjoint(self._ahead[row.id].keys)

    def _process(self, left: deque[Any], order: claims.Queue | None) -> int:
        """Process some of the messages in one transaction; if the database fails, none of those has happened. Gives how many were ours."""
        taken: list[Any] = []
        settled = 0
        try:
            with self.database.writing(_SYSTEM, at=clock.now(clock.zone(self.database.zone))) as store:
                begun = time.monotonic()
                free = None if order is None else claims.take(store.connection, left, round(self._fits) + 1)
                if free is not None and not free:
                    for _ in range(min(len(left), claims.LOOK_AT)):
                        left.popleft()
                while left and (not taken or not self._is_enough(begun)) and (free is None or free):
                    row = left.popleft()
                    if free is not None and row.id not in free:
                        continue  # another worker has it, or had it
                    if free is not None:
                        free.discard(row.id)
                        if self._waits_for_others(row):
                            continue
                    taken.append(row)
                    if self._is_ours(store, row, order):
                        self._one(store, row)
                        settled += 1
        except (Unavailable, PreconditionFailed, Conflict) as refusal:
            if refusal.reason == COLLISION and len(taken) > 1:  # two workers got into each other's way: each message by itself, at once
                return sum(self._process(deque([row]), order) for row in taken)
            self._postpone(taken, refusal)
        if settled:
            self._fits = (self._fits + settled * TOGETHER_SECONDS / max(time.monotonic() - begun, TOGETHER_SECONDS / claims.AT_ONCE)) / 2
        return settled

    def _is_ours(self, store: Store, row: Any, order: claims.Queue | None) -> bool:
        """Whether a message is still to be processed, seen inside the transaction that will do so, and it is this person's turn."""
        if order is None:
            return run(store.connection, _WAITS, (row.id, State.PENDING.value)).fetchone() is not None
        about = self._ahead[row.id]
        turn = claims.turn(store, row.id, about.keys, about.numbers, order)
        self._passed |= turn is claims.Turn.HELD
        if turn is not claims.Turn.OURS:
            self._held |= about.keys
        return turn is claims.Turn.OURS

    def _is_enough(self, begun: float) -> bool:
        """Whether a transaction that has begun then should end: it is long, or somebody waits for it."""
        took = time.monotonic() - begun
        return took > (ALONE_SECONDS if self._alone else TOGETHER_SECONDS) or (took > YIELD_SECONDS and self.database.turns.wanted)

    def _one(self, store: Store, row: Any) -> None:
        profile = profile_of(row, self.shelf)
        store.actor = Actor(f"link/{profile.name}", profile.title, frozenset({"hospital"}), "hl7")
        owed = asked(store, row, profile)
        failed: Refusal | None = None
        try:
            with tracing.work("hl7 message", link=row.link, hl7_event=row.event), store.savepoint():
                _check_in_force(row, profile)
                outcome = process(store, row, profile)
            settle(store.connection, row.id, State.DONE, store, outcome=outcome)
            state = State.DONE
        except NotOurs:
            settle(store.connection, row.id, State.FORGOTTEN, store, erase=True)
            state = State.FORGOTTEN
        except (Unavailable, PreconditionFailed, *_OF_THE_MOMENT):
            raise
        except Refusal as refusal:
            state, failed = _state_of(refusal, profile), refusal
            settle(store.connection, row.id, state, store, refusal=refusal)
        except Exception as error:  # noqa: BLE001 - a message that breaks us must not stop the others; its text may name a person, so only the kind is logged
            state = State.DEAD
            place = _place(error)
            log.error("hl7 message broke the worker", link=row.link, control_id=row.control_id, error=type(error).__name__, place=place)
            failed = Refusal(f"{type(error).__name__} at {place}", reason="internal")
            settle(store.connection, row.id, state, store, refusal=failed)
        owe(store, owed, state, failed)
        metrics.PROCESSED.labels(row.link, state.value).inc()
        log.info("hl7 message processed", link=row.link, control_id=row.control_id, hl7_event=row.event, state=state.value)

    def _postpone(self, rows: Sequence[Any], refusal: Refusal) -> None:
        """Try again later, with doubling pauses; after the last attempt a message goes to the dead letters."""
        now = clock.utc_now()
        with self.database.writing(_SYSTEM, at=now) as store:
            policy = store.policy.fill(HospitalPolicy, "hospital", now.date())
            for row in rows:
                if row.attempts + 1 >= policy.attempts:
                    owe(store, asked(store, row, profile_of(row, self.shelf)), State.DEAD, refusal)
                    settle(store.connection, row.id, State.DEAD, store, refusal=refusal)
                    continue
                later = micros(now + timedelta(seconds=2**row.attempts))
                store.connection.execute(update(INBOX).where(INBOX.c.id == row.id).values(attempts=row.attempts + 1, due=later))
        log.warning("hl7 messages postponed", messages=len(rows), reason=refusal.text)


def _check_in_force(row: Any, profile: Profile) -> None:
    """Refuse to read a hospital's message by the built-in profile, which knows neither its numbers nor whom it may register."""
    if profile.name != row.link and not is_loopback(row.listen):
        text = f"the link profile {row.link!r} of this message is not in force; put it into DATA/hospitals/ and retry"
        raise SetAside(text, path="MSH-3", reason="profile-missing")


def _state_of(refusal: Refusal, profile: Profile) -> State:
    """What becomes of a message that was refused; an event that is none of our concern is only kept, as when it came."""
    if refusal.reason == "event-unneeded" or (refusal.reason == "unknown-event" and profile.unknown_event is UnknownEvent.ACCEPT):
        return State.IGNORED
    return State.REVIEW if isinstance(refusal, (SetAside, Conflict)) else State.DEAD


def _due(due: int, now: int) -> int:
    """When a message is due; one that lies further ahead than any pause was put there by a clock that has been set back since."""
    return due if due <= now + LONGEST_PAUSE_MICROS else 0


def settle(
    connection: Connection,
    id: int,
    state: State,
    store: Store,
    *,
    outcome: Outcome | None = None,
    refusal: Refusal | None = None,
    erase: bool = False,
) -> None:
    """Write down what has become of a message."""
    values: dict[str, Any] = {"state": state.value, "finished": store.at_micros, "reason": None, "place": None, "remark": None}
    if outcome is not None:
        values["made"] = " ".join(outcome.made)
        values["remark"] = "; ".join(outcome.remarks) or None
    if refusal is not None:
        values |= {"reason": refusal.reason or refusal.issue_code, "place": refusal.issues[0].path, "remark": refusal.text}
    if erase:
        values["raw"] = None
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changed = ", ".join(f"{name} = {mark}" for name in values)
    run(connection, f"UPDATE inbox SET {changed} WHERE id = {mark}", (*values.values(), id))  # noqa: S608 - our own column names


def waiting(connection: Connection) -> int:
    """How many messages wait for processing."""
    return int(connection.execute(select(func.count()).select_from(INBOX).where(INBOX.c.state == State.PENDING.value)).scalar() or 0)


def _place(error: Exception) -> str:
    trace_back = error.__traceback__
    while trace_back is not None and trace_back.tb_next is not None:
        trace_back = trace_back.tb_next
    return f"{trace_back.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace_back.tb_lineno}" if trace_back else "unknown"
