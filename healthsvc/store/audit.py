"""The audit: append-only rows, each with the hash of the one before, written in the transaction of the act.

Whoever appends holds the chain until the commit, so one chain makes all commits of a server queue. On PostgreSQL several chains therefore
grow side by side (``HEALTHSVC_DATABASE_AUDIT_CHAINS``); a transaction takes one that nobody holds. The numbers of the rows run through all
of them, and anchors, rows that name the heads of all chains, tie them together: no chain can lose its end without an anchor missing it.

Reads are many and cannot each wait for a disk: what a reading transaction notes is handed to one background writer, which appends in
batches within ``FLUSH_SECONDS``; a clean stop writes what is left, a killed process loses what it was answered within that time. Where a
site wants none lost (``HEALTHSVC_AUDIT_BEFORE_ANSWER``), whoever reads waits for the batch, and what cannot be noted is not answered.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from healthsvc.errors import Unavailable
from healthsvc.store.tables import AuditRow
from healthsvc.store.writes import run, run_many

FLUSH_SECONDS = 0.05
WAIT_SECONDS = 30.0
"""How long a look waits for its trace at most, where it has to."""
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
_LAST = "SELECT hash FROM audit WHERE chain = {chain} AND {part} ORDER BY seq DESC LIMIT 1"
MOST_CHAINS = 64
_HEADS = " UNION ALL ".join(
    f"SELECT * FROM (SELECT chain, seq, hash FROM audit WHERE chain = {n} {'AND chain > 0' if n else ''} ORDER BY seq DESC LIMIT 1) AS c{n}"  # noqa: S608
    for n in range(MOST_CHAINS)
)
_FREE = "SELECT n FROM unnest(%s::int[]) AS n WHERE pg_try_advisory_xact_lock(%s, n) LIMIT 1"
"""The first of some chains that nobody holds, and it is ours until the transaction ends."""
_LOCK_KEY = 0x6865616C
"""First key of PostgreSQL's advisory locks under which the chains grow (any constant will do, it only must be ours)."""
_BARRIER = "SELECT pg_advisory_lock_shared(%s, n), pg_advisory_unlock_shared(%s, n) FROM generate_series(0, %s) AS n"
GENESIS = bytes(16)
FORGET = "audit-forget"
"""The action of a row that names the last rows that were taken out of each chain when their time was over."""
ANCHOR = "anchor"
"""The action of a row that names the heads of all chains."""


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


_COLUMNS = (*Act._fields, "previous", "hash", "chain")
_INSERT = f"INSERT INTO audit ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
_TYPES = {"at": "bigint", "version": "int", "previous": "bytea", "hash": "bytea", "chain": "int", "part": "smallint"}
_LISTS = ", ".join(f"%s::{_TYPES.get(column, 'text')}[]" for column in (*_COLUMNS, "part"))
_INSERT_TOGETHER = f"INSERT INTO audit ({', '.join(_COLUMNS)}, part) SELECT * FROM unnest({_LISTS})"  # noqa: S608 - our own names
"""The same on a server, a list for each column: what was read within a moment is noted by one statement."""
_WHERE = "SELECT d.id, d.part FROM directory d JOIN term t ON t.id = d.type AND t.text = 'Patient' WHERE d.id = ANY(%s)"


def genesis(chain: int) -> bytes:
    """What stands before the first row of a chain; a row cannot be carried from the beginning of one to that of another."""
    return GENESIS if chain == 0 else hashlib.blake2b(f"chain {chain}".encode(), digest_size=16).digest()


def link(previous: bytes, act: Sequence[object]) -> bytes:
    """The hash of a row: BLAKE2b-128 over the previous hash and every field, each with its length."""
    parts = [previous]
    for value in act:
        raw = b"\x00" if value is None else b"\x01" + str(value).encode()
        parts += (len(raw).to_bytes(4, "big"), raw)
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def chained(previous: bytes, acts: Iterable[Act]) -> Iterator[tuple[Act, bytes, bytes]]:
    """Acts that follow each other in a chain, each with the hash of what stands before it and its own."""
    for act in acts:
        following = link(previous, act)
        yield act, previous, following
        previous = following


def append(connection: Connection, acts: Sequence[Act], chains: int = 1, *, laid: bool = False) -> None:
    """Append acts to a chain inside the open writing transaction.

    Args:
        chains: among how many it may choose.
        laid: the tables are laid out by county, so each act goes to the part of its person.
    """
    if not acts:
        return
    on_server = connection.dialect.name == "postgresql"
    parts = _parts(connection, acts) if laid else {}
    chain = _take_chain(connection, chains) if on_server else 0
    # chain 0 is found from the end of the table, the others by their own index
    last = run(connection, _LAST.format(chain=chain, part="chain > 0" if chain else "seq > 0"), ()).fetchone()
    previous = bytes(last[0]) if last is not None else genesis(chain)
    rows = [(*act, before, after, chain) for act, before, after in chained(previous, acts)]
    if on_server:
        lists = [list(column) for column in zip(*rows, strict=True)]
        run(connection, _INSERT_TOGETHER, (*lists, [parts.get(act.patient, 0) for act in acts]))
    else:
        run_many(connection, _INSERT, rows)


def _parts(connection: Connection, acts: Sequence[Act]) -> dict[str | None, int]:
    """Where the persons are whom acts are about."""
    people = {act.patient for act in acts} - {None}
    return {row[0]: row[1] for row in run(connection, _WHERE, (list(people),)).fetchall()} if people else {}


def _take_chain(connection: Connection, chains: int) -> int:
    """A chain that is ours until the transaction ends; where all are held, the first that comes free of those that are ours to wait for."""
    driver: Any = connection.connection.driver_connection
    first = int(driver.info.backend_pid) % chains
    order = [(first + step) % chains for step in range(chains)]
    found = connection.exec_driver_sql(_FREE, (order, _LOCK_KEY)).scalar()
    if found is None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_KEY, first))
        return first
    return int(found)


def settled(connection: Connection) -> int:
    """A number up to which every row of the audit is either there for good or never will be: whoever reads on from there misses none.

    A row gets its number while its transaction holds a chain, and it holds it until it has ended. So: the latest number given, then
    each chain waited for, for a moment. On SQLite there is one writer. Call it outside a transaction that has read already.
    """
    if connection.dialect.name != "postgresql":
        return int(connection.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM audit").scalar_one())
    number = int(connection.exec_driver_sql("SELECT last_value FROM audit_seq_seq").scalar_one())
    connection.exec_driver_sql(_BARRIER, (_LOCK_KEY, _LOCK_KEY, MOST_CHAINS - 1))
    return number


def heads(connection: Connection) -> list[tuple[int, int, bytes]]:
    """Chain, number and hash of the last row of each chain."""
    found = connection.exec_driver_sql(_HEADS).all()
    return [(int(chain), int(seq), bytes(hash)) for chain, seq, hash in found]


def anchor_text(connection: Connection) -> str | None:
    """What an anchor says of the chains as they stand; None where there is but one, whose rows hold each other anyway."""
    found = heads(connection)
    return " ".join(f"{seq}:{hash.hex()}" for _, seq, hash in found) if len(found) > 1 else None


class Forgotten(NamedTuple):
    """What was taken out of the audit because its time was over: up to which number, and the hashes after which the chains go on."""

    up_to: int
    hashes: frozenset[str]


def forgotten(connection: Connection) -> Forgotten:
    """What the rows say of it that were written when it was done."""
    told = list(_named(connection, FORGET))
    return Forgotten(max((seq for seq, _ in told), default=0), frozenset(hash for _, (hash, _) in told))


def verify(connection: Connection) -> Iterator[str]:
    """Walk every chain and say, one sentence each, where a row was changed, removed or put in another order, or an end was cut off."""
    gone = forgotten(connection)
    anchored = {seq: told for seq, told in _named(connection, ANCHOR) if seq > gone.up_to}
    begins = True
    chain, previous = 0, GENESIS
    for row in connection.execute(select(AUDIT).order_by(AUDIT.c.chain, AUDIT.c.seq)).yield_per(1000):
        if row.chain != chain:
            chain, previous, begins = row.chain, genesis(row.chain), True
        act = Act(row.at, row.actor, row.door, row.action, row.subject, row.version, row.patient, row.outcome, row.purpose)
        if row.previous != previous and not (begins and bytes(row.previous).hex() in gone.hashes):
            yield f"audit row {row.seq}: a row before it was removed or moved"
        if row.hash != link(row.previous, act):
            yield f"audit row {row.seq}: its content was changed"
        previous, begins = row.hash, False
        told = anchored.pop(row.seq, None)
        if told is not None and told[0] != bytes(row.hash).hex():
            yield f"audit row {row.seq}: the anchor in row {told[1]} knows it otherwise"
    yield from (f"audit row {seq}: it is gone, the anchor in row {by} names it" for seq, (_, by) in sorted(anchored.items()))


def _named(connection: Connection, action: str) -> Iterator[tuple[int, tuple[str, int]]]:
    """Number and hash of the rows that the rows of an action name, and which row does."""
    for row in connection.execute(select(AUDIT.c.seq, AUDIT.c.subject).where(AUDIT.c.action == action)):
        for one in str(row.subject or "").split():
            seq, _, hash = one.partition(":")
            if seq.isdigit():
                yield int(seq), (hash, row.seq)


class _Batch:
    """Acts that are written together, and whoever waits for them."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._is_written = False

    def ended(self, *, written: bool) -> None:
        self._is_written = written
        self._ended.set()

    def must_be_written(self) -> None:
        if not self._ended.wait(WAIT_SECONDS) or not self._is_written:
            raise Unavailable("the look could not be noted in the audit, so it is not answered; try again")


class ReadLog:
    """Collects what reading transactions note and appends it in batches from one thread."""

    def __init__(self, write: Callable[[Sequence[Act]], None]) -> None:
        self._write = write
        self.before_answer = False
        """Whether :meth:`note` comes back only when the acts are on the disk."""
        self._acts: list[Act] = []
        self._batch = _Batch()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, acts: Sequence[Act], *, wait: bool = True) -> None:
        """Hand over acts; returns at once, or (``before_answer``, unless ``wait`` forbids it) when they are on the disk.

        Raises:
            Unavailable: they could not be written, so what was looked at must not be shown.
        """
        if not acts:
            return
        with self._lock:
            self._acts.extend(acts)
            batch = self._batch
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()
        if self.before_answer and wait:
            batch.must_be_written()

    def flush(self) -> None:
        """Append what is waiting, now and in this thread. What cannot be written stays waiting."""
        with self._lock:
            acts, self._acts = self._acts, []
            batch, self._batch = self._batch, _Batch()
        try:
            if acts:
                self._write(acts)
        except BaseException:
            with self._lock:
                self._acts = acts + self._acts
            batch.ended(written=False)
            raise
        batch.ended(written=True)

    def close(self) -> None:
        """Write the rest and stop."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopping.wait(0 if self.before_answer else FLUSH_SECONDS)
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - a busy or read-only database must not end the audit; the acts stay waiting
                import structlog

                structlog.get_logger().warning("audit of reads waits", reason=type(error).__name__)
                self._wake.set()
                self._stopping.wait(1.0)
