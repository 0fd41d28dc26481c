"""The audit: append-only rows, each with the hash of the one before, written in the transaction of the act.

Reads are many and cannot each wait for a disk: what a reading transaction notes is handed to one background writer, which appends in
batches within ``FLUSH_SECONDS``; a clean stop writes what is left.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text

from healthsvc.store.tables import AuditRow
from healthsvc.store.writes import run, run_many

FLUSH_SECONDS = 0.05
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
_LAST = "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1"
_LOCK_KEY = 0x6865616C
"""Key of PostgreSQL's advisory lock under which the chain grows (any constant will do, it only must be ours)."""
GENESIS = bytes(16)


class Act(NamedTuple):
    """One thing that was done: by whom, to what, with what outcome. Never carries a value of a person, only opaque ids."""

    at: int
    actor: str
    door: str
    action: str
    subject: str | None
    version: int | None
    patient: str | None
    outcome: str
    purpose: str | None


_COLUMNS = (*Act._fields, "previous", "hash")
_INSERT = {
    dialect: f"INSERT INTO audit ({', '.join(_COLUMNS)}) VALUES ({', '.join([mark] * len(_COLUMNS))})"  # noqa: S608 - our own names
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}


def link(previous: bytes, act: Sequence[object]) -> bytes:
    """The hash of a row: BLAKE2b-128 over the previous hash and every field, each with its length."""
    parts = [previous]
    for value in act:
        raw = b"\x00" if value is None else b"\x01" + str(value).encode()
        parts += (len(raw).to_bytes(4, "big"), raw)
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def append(connection: Connection, acts: Sequence[Act]) -> None:
    """Append acts to the chain inside the open writing transaction."""
    if not acts:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    last = run(connection, _LAST, ()).fetchone()
    previous = last[0] if last is not None else GENESIS
    rows: list[tuple[Any, ...]] = []
    for act in acts:
        following = link(previous, act)
        rows.append((*act, previous, following))
        previous = following
    run_many(connection, _INSERT[connection.dialect.name], rows)


def verify(connection: Connection) -> Iterator[str]:
    """Walk the chain and say, one sentence each, where a row was changed, removed or put in another order."""
    previous = GENESIS
    for row in connection.execute(select(AUDIT).order_by(AUDIT.c.seq)).yield_per(1000):
        act = Act(row.at, row.actor, row.door, row.action, row.subject, row.version, row.patient, row.outcome, row.purpose)
        if row.previous != previous:
            yield f"audit row {row.seq}: a row before it was removed or moved"
        if row.hash != link(row.previous, act):
            yield f"audit row {row.seq}: its content was changed"
        previous = row.hash


class ReadLog:
    """Collects what reading transactions note and appends it in batches from one thread."""

    def __init__(self, write: Callable[[Sequence[Act]], None]) -> None:
        self._write = write
        self._acts: list[Act] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def note(self, acts: Sequence[Act]) -> None:
        """Hand over acts; returns at once."""
        if not acts:
            return
        with self._lock:
            self._acts.extend(acts)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
        self._wake.set()

    def flush(self) -> None:
        """Append what is waiting, now and in this thread. What cannot be written stays waiting."""
        with self._lock:
            acts, self._acts = self._acts, []
        try:
            if acts:
                self._write(acts)
        except BaseException:
            with self._lock:
                self._acts = acts + self._acts
            raise

    def close(self) -> None:
        """Write the rest and stop."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        pause = threading.Event()
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            pause.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - a busy or read-only database must not end the audit; the acts stay waiting
                import structlog

                structlog.get_logger().warning("audit of reads waits", reason=type(error).__name__)
                self._wake.set()
                pause.wait(1.0)
