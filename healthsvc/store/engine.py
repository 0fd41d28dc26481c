"""The database of one installation: connections, transactions, and who admits writes."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from healthsvc import clock
from healthsvc.errors import Invalid, Unavailable
from healthsvc.fhir.index import Entries
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE
from healthsvc.policy import Policy
from healthsvc.policy import load as load_policy
from healthsvc.store import audit
from healthsvc.store.bell import CHANGES, Bell
from healthsvc.store.fit import refuse_unfit
from healthsvc.store.indexed import Indexed
from healthsvc.store.measure import WRITER_WAIT, measured
from healthsvc.store.postgres import SILENT, ServerUse, connect
from healthsvc.store.reindex import bring_up_to_date
from healthsvc.store.replica import USUAL, Read, Replica, connected
from healthsvc.store.room import Actor, Language, Room, Validate
from healthsvc.store.sealing.prepare import prepare
from healthsvc.store.sealing.sealer import OPEN
from healthsvc.store.store import Store
from healthsvc.store.tenancy.within import Laid
from healthsvc.store.terms import Terms
from healthsvc.store.trouble import said_clearly
from healthsvc.store.turns import Turns

BUSY_MILLISECONDS = 30_000
"""How long one process waits for another's write on SQLite before it says Unavailable."""
LOG_PAGES = 8000
"""Pages of 4 KiB that the write-ahead log gathers before they go into the file (SQLite's own measure is 1,000): what is written again and
again meanwhile, the ends of every index, goes once. A create then writes 126 kB instead of 179. A serving process empties the log beside
its writers (:mod:`healthsvc.store.checkpoints`)."""
MOST_LOG_PAGES = 4 * LOG_PAGES
"""Where nobody does so, or readers that never end keep it from being begun anew: the writer who fills the log so far empties it."""
PREPARED = 512
"""Statements that a connection to SQLite keeps prepared; a message or a page runs some two hundred different ones."""
_READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""On PostgreSQL: all statements of one reading transaction see the same moment."""


class Database:
    """Open once a process. Transactions of SQLite begin immediate (a plain BEGIN that turns into a write fails under load:
    196 of 300 in a measurement), and writers queue instead of polling the file (``store.turns``)."""

    def __init__(
        self, engine: Engine, *, language: Language, rooms: Iterable[Room], policy: Policy, zone: str, validate: Validate | None
    ) -> None:
        self.engine = engine
        self.language = language
        self.sealer = OPEN
        """Seals what names persons on its way to the disk; see :mod:`healthsvc.store.sealing`."""
        self.entries: Callable[[Resource], Entries] = language.extract
        """What a resource can be found by, dates without a zone meant in the zone of this database."""
        self.bases = frozenset({BASE})  # urls under which an absolute reference is to what is here, found and seen as a relative one
        self.policy = policy
        self.zone = zone
        self.signing_keys: Path | None = None  # folder of the keys that seal documents; it is no part of the database
        self.terms = Terms()
        self.index_is_current = False
        """Whether all was indexed as this release does it when the database was opened (``store.reindex``)."""
        self.indexed = Indexed(self.extract)
        self.reads = audit.ReadLog(self._append_acts)
        self.bell = Bell(engine)
        self.chains = 1  # of the audit that may grow side by side
        self.laid = Laid()
        self.replica: Replica | None = None  # the standby that answers long reads
        self.guests: list[Callable[[], None]] = []  # who keeps connections of the pool lets go of them when the database is closed
        self._validate = validate
        self.turns = Turns(Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None)
        """Of the writers of an embedded database one at a time, in their order, those of other processes too."""
        self._rooms: dict[str, list[Room]] = {}
        for room in rooms:
            for type in room.types:
                self._rooms.setdefault(type, []).append(room)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        rooms: Iterable[Room] = (),
        policy: Policy | None = None,
        zone: str = clock.DEFAULT_ZONE,
        language: Language | None = None,
        validate: Validate | None = None,
        signing_keys: Path | None = None,
        server: ServerUse | None = None,
        sealing_keys: Path | None = None,
        seal_everything: bool = False,
        bases: Iterable[str] = (),
        replica: str | None = None,
        replica_patience: float = 0.2,
        replica_bound: float = 0.0,
    ) -> Self:
        """Connect and bring the tables up to date.

        Args:
            url: SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+psycopg://...``.
            language: what the store needs to know of FHIR; the packaged R4 registry unless told otherwise.
            signing_keys: folder of the keys that seal documents; beside the file of an embedded database unless told otherwise.
            validate: what refuses invalid resources; the packaged R4 validation unless told otherwise.
            server: how a PostgreSQL server is used.
            sealing_keys: folder of the keys that seal what names persons; likewise beside the file, and without one nothing is sealed.
            seal_everything: seal every resource, not only those that name persons.
            bases: urls, ending in ``/fhir``, under which others know this server.
            replica: URL of a standby that answers long reads; one that lags is waited for ``replica_patience`` seconds.
            replica_bound: by how many seconds searches and lists that it answers may be behind (0: it answers none).

        Raises:
            Unavailable: the database does not answer, or its keys are not in the folder.
        """
        packaged = None
        if language is None:
            from healthsvc.fhir.registry import Registry
            from healthsvc.fhir.validation import validate as validate_resource

            registry = packaged = Registry.load()
            language = registry
            if validate is None:

                def validate(resource: Resource) -> list[Any]:
                    return validate_resource(resource, registry)

        engine = _sqlite(url) if url.startswith("sqlite") else connect(url, server or ServerUse())
        database = cls(engine, language=language, rooms=rooms, policy=policy or load_policy(), zone=zone, validate=validate)
        if packaged is not None:
            database.entries = lambda resource: packaged.extract(resource, zone=zone, bases=database.bases)
        database.bases |= set(bases)
        beside = Path(engine.url.database or "").parent if url.startswith("sqlite") else None
        database.signing_keys = signing_keys or (beside and beside / "signing-keys")
        if engine.dialect.name == "postgresql":
            database.chains = (server or ServerUse()).audit_chains
            if replica:
                database.replica = Replica(replica, server or ServerUse(), replica_patience, replica_bound)
        try:
            refuse_unfit(engine, server or ServerUse())
            database.migrate()
            with engine.connect() as connection:
                database.terms.load(connection)
            prepare(database, sealing_keys or (beside and beside / "sealing-keys"), everything=seal_everything)
            bring_up_to_date(database)
        except BaseException:
            engine.dispose()
            raise
        return database

    def migrate(self) -> None:
        """Bring the schema to the newest revision (Alembic); nothing happens where it is already there."""
        from healthsvc.store.migrate import upgrade

        with self.one_writer():
            upgrade(self.engine)

    def extract(self, resource: Resource) -> Entries:
        """The index entries of a resource as they are kept: numbers of persons as hashes."""
        return self.sealer.blind(resource, self.entries(resource))

    def rooms_of(self, type: str) -> Sequence[Room]:
        """The rooms that admit writes of a type."""
        return self._rooms.get(type, ())

    def check(self, resource: Resource) -> None:
        """Refuse what is not valid FHIR.

        Raises:
            Invalid: with every issue that is an error.
        """
        if self._validate is None:
            return
        wrong = [issue for issue in self._validate(resource) if issue.severity in ("error", "fatal")]
        if wrong:
            raise Invalid(f"the {resource.get('resourceType')} is not valid: {wrong[0].text}", issues=wrong)

    @contextmanager
    def reading(self, actor: Actor, *, at: datetime, read: Read = USUAL) -> Iterator[Store]:
        """A snapshot that cannot write; of the standby, where the kind of read allows it."""
        acts: list[audit.Act] = []
        try:
            with said_clearly(), measured(writing=False), connected(self, actor.id, read) as plain:
                connection = plain if self.engine.dialect.name == "sqlite" else plain.execution_options(**_READING)
                with connection.begin():
                    store = Store(self, connection, actor, at, writable=False)
                    acts = store.acts
                    yield store
        finally:  # the connection is given back: whoever writes the trace may need it
            self.reads.note(acts, wait=self.turns.thread != threading.get_ident())

    @contextmanager
    def writing(self, actor: Actor, *, at: datetime) -> Iterator[Store]:
        """One transaction: commits at the end, rolls back on any exception."""
        self.sealer.refresh()
        with said_clearly(), measured(writing=True), self.one_writer(), self.engine.connect() as plain:
            connection = plain.execution_options(writing=True)
            with connection.begin():
                store = Store(self, connection, actor, at, writable=True)
                yield store
                audit.append(connection, store.acts, self.chains, laid=self.laid.out(connection))
            store.terms.commit()
        if self.replica is not None:
            self.replica.wrote(actor.id)
        if any(act.version is not None for act in store.acts):
            self.bell.ring(CHANGES)
        for topic in store.rings:
            self.bell.ring(topic)

    def settled(self) -> int:
        """Up to which number the audit may be read without missing a row (``store.changes``)."""
        with said_clearly(), self.engine.connect() as connection, connection.begin():
            return audit.settled(connection)

    def close(self) -> None:
        """Write what the audit still holds and let go of the connections."""
        self.reads.close()
        self.bell.close()
        self.turns.close()
        for let_go in self.guests:
            let_go()
        _end(self.engine)
        if self.replica is not None:
            _end(self.replica.engine)

    @contextmanager
    def plainly(self) -> Iterator[Connection]:
        """A writing transaction below the resources: for what the store keeps of itself."""
        with said_clearly(), self.one_writer(), self.engine.connect() as plain:
            connection = plain.execution_options(writing=True)
            with connection.begin():
                yield connection

    def _append_acts(self, acts: Sequence[audit.Act]) -> None:
        with self.plainly() as connection:
            audit.append(connection, acts, self.chains, laid=self.laid.out(connection))

    @contextmanager
    def one_writer(self, *, first: bool = False, patience: float | None = None) -> Iterator[None]:
        """Of the writers one at a time, where the database has one writer anyway; ``first``: before the others of this process."""
        if self.engine.dialect.name != "sqlite":
            yield
            return
        begun = time.perf_counter()
        with self.turns.one(BUSY_MILLISECONDS / 1000 if patience is None else patience, first=first) as taken:
            WRITER_WAIT.observe(time.perf_counter() - begun)
            if not taken:
                raise Unavailable("another write has held the database for too long; try again")
            yield


def _end(engine: Engine) -> None:
    """Close every connection; one that a thread still holds goes when it is given back, instead of waiting in a pool that nobody knows."""
    event.listen(engine, "checkin", lambda _connection, record: record.invalidate())
    engine.dispose()


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if not path or path == ":memory:":
        raise Invalid("the embedded database is a file: give sqlite:///path/to/healthsvc.sqlite")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=20,
        max_overflow=20,
        pool_use_lifo=True,
        **SILENT,
        connect_args={"check_same_thread": False, "timeout": BUSY_MILLISECONDS / 1000, "cached_statements": PREPARED},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # an acknowledged message survives a power cut
        f"busy_timeout={BUSY_MILLISECONDS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-8192",  # KiB a connection
        "mmap_size=1073741824",  # bytes that are read without a copy of our own; all connections share them
        f"wal_autocheckpoint={MOST_LOG_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
