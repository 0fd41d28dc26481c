"""PostgreSQL as an engine: how many connections, how long a statement may take, and what its refusals mean in plain words."""

import re
import select
import time
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

SILENT: dict[str, Any] = {"hide_parameters": True}
"""An error of the database never carries the values of the statement: they are about persons, and errors reach logs."""

IDLE_SECONDS: Final = 20.0
"""A connection that nobody has used for so long is asked before it is used."""
_DRIVER: Final = "postgresql+psycopg"
_SEVERAL: Final = re.compile(r"(?P<user>[^/@]*@)?(?P<hosts>[^/@?]+,[^/@?]+)/(?P<name>[^?]*)(?:\?(?P<more>.*))?")
"""The rest of a url that names several servers: ``user@one:5432,other:5432/name?target_session_attrs=read-write``."""
_SINCE: Final = "healthsvc-idle-since"


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What one process asks of a PostgreSQL server; each is a setting (``HEALTHSVC_DATABASE_...``)."""

    pool: int = 10
    """Connections that stay open."""
    overflow: int = 10
    """Further ones under load. All processes together must stay below the server's ``max_connections``."""
    pool_wait_seconds: float = 10.0
    """How long somebody waits for a free connection before it says Unavailable."""
    connect_seconds: int = 5
    statement_seconds: int = 60
    """Longest statement; a page that asks too much must not hold the server."""
    lock_seconds: int = 30
    """Longest wait for a row that another transaction holds."""
    idle_seconds: int = 120
    """A transaction in which nothing happens for so long is ended by the server: its locks and claims come back."""
    audit_chains: int = 8
    """Hash chains of the audit that grow side by side; more of them let more transactions commit at the same time."""

    def settings(self) -> dict[str, str]:
        """What each connection has set, whatever the database or its user has set otherwise."""
        return {
            "statement_timeout": f"{self.statement_seconds}s",
            "lock_timeout": f"{self.lock_seconds}s",
            "idle_in_transaction_session_timeout": f"{self.idle_seconds}s",
            "client_connection_check_interval": "10s",
            "default_transaction_isolation": "read committed",
            "bytea_output": "hex",
            "jit": "off",  # a search reads few rows; compiling it takes a hundred times what it does
        }

    def options(self) -> str:
        """The same as libpq's ``options``."""
        return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in self.settings().items())


def connect(url: str, use: ServerUse) -> Engine:
    """An engine that looks at a connection before it is used, so that a restart of the server costs nobody an error afterwards."""
    engine = create_engine(
        psycopg_url(url),
        pool_size=use.pool,
        max_overflow=use.overflow,
        pool_timeout=use.pool_wait_seconds,
        pool_use_lifo=True,
        connect_args=connect_arguments(use),
        **SILENT,
    )
    event.listen(engine, "checkin", _lies_idle)
    event.listen(engine, "checkout", _is_open)
    return engine


def _lies_idle(_connection: Any, record: Any) -> None:
    record.info[_SINCE] = time.monotonic()


def _is_open(connection: Any, record: Any, _fairy: Any) -> None:
    """Have the pool open another one where the server has closed this one.

    A server that goes, or ends a connection, says so or closes it: then there is something to be read, which costs no way there and back to
    look for. Only one that has lain idle for long is asked: whatever stands between may have forgotten it without a word.
    """
    since = record.info.pop(_SINCE, None)
    if since is None:  # it has just been opened
        return
    try:
        if _has_something_to_read(connection.fileno()) or time.monotonic() - since > IDLE_SECONDS:
            ask(connection)
    except (psycopg.Error, OSError, ValueError) as error:
        raise InvalidatePoolError("the server has closed this connection") from error


def _has_something_to_read(descriptor: int) -> bool:
    look = select.poll()
    look.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(look.poll(0))


def ask(connection: Any) -> None:
    """A way there and back outside of any transaction, which a closed connection does not survive."""
    connection.autocommit = True
    try:
        connection.execute("SELECT 1")
    finally:
        if not connection.closed:
            connection.autocommit = False


def connect_arguments(use: ServerUse) -> dict[str, Any]:
    """How libpq connects: a server or a client that vanished without a word is noticed within a minute on either side."""
    alive = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 40_000}
    told = {"application_name": "healthsvc", "client_encoding": "UTF8", "options": use.options()}
    return {"connect_timeout": use.connect_seconds, **told, **alive}


def psycopg_url(url: str) -> str:
    """PostgreSQL is spoken to through psycopg 3, whatever short form of URL was given; several servers may be named as libpq has it.

    Raises:
        ArgumentError: a port is no number.
    """
    scheme, rest = url.split("://", 1)
    if scheme in ("postgres", "postgresql", _DRIVER):
        several = _SEVERAL.fullmatch(rest)
        if several:
            hosts = "&".join(f"host={host}" for host in several["hosts"].split(","))
            rest = f"{several['user'] or ''}/{several['name']}?{hosts}{'&' + several['more'] if several['more'] else ''}"
        url = f"{_DRIVER}://{rest}"
        try:
            make_url(url)
        except ValueError as error:
            raise ArgumentError("a port is no number") from error
    return url


def conninfo(url: URL) -> str:
    """The same for libpq itself, several servers included."""
    dialect: Any = PGDialect_psycopg
    return str(psycopg.conninfo.make_conninfo(**dialect().create_connect_args(url)[1]))


READ_ONLY: Final = "the server takes no writes: it is a standby, or set to read only; name the primary in HEALTHSVC_DATABASE"
COLLISION = "collision"
"""Reason of a refusal that only came of two transactions getting into each other's way: once more, at once, may well do."""
_SAID = {
    "25006": READ_ONLY,
    "42501": "this user may not do that there; make it the owner of the database, or of a schema that its search_path names",
    "57014": "a statement took longer than HEALTHSVC_DATABASE_STATEMENT_SECONDS",
    "55P03": "a record was held by another transaction for longer than HEALTHSVC_DATABASE_LOCK_SECONDS",
    "40P01": "two transactions waited for each other",
    "40001": "two transactions changed the same",
    "53300": "the server has no connection left; raise its max_connections or lower HEALTHSVC_DATABASE_POOL",
    "53100": "disk is full",
    "53200": "the server is out of memory; where its log names shared memory, raise max_locks_per_transaction",
    "58030": "the server cannot read or write its disk; look at its log",
    "XX001": "the server has found its files damaged; stop it, look at its log, and restore a backup",
    "XX002": "the server has found an index damaged; look at its log, and REINDEX",
    "08P01": "a pooler in front refuses the parameter options; set ignore_startup_parameters = options, and pool_mode = session, there",
    "55000": "the database takes no connections now (ALLOW_CONNECTIONS)",
    "57P02": "the server is being restarted after a crash",
    "57P01": "the server is being stopped",
    "57P03": "the server is starting",
    "25P03": "the transaction lay idle for longer than HEALTHSVC_DATABASE_IDLE_SECONDS",
    "28P01": "the password of HEALTHSVC_DATABASE is wrong",
    "28000": "the server does not let this user in (is there such a role? does pg_hba.conf name it?)",
    "3D000": "there is no such database; create it first",
}
_COLLISIONS = frozenset({"40P01", "40001"})


_REFUSED = {
    "too many": "53300",
    "connection slots": "53300",
    'role "': "28000",
    "no pg_hba.conf entry": "28000",
    "password authentication failed": "28P01",
    "unsupported startup parameter": "08P01",
    "not currently accepting connections": "55000",
    "does not exist": "3D000",
}
"""How a server words its refusal of a new connection, which carries no SQLSTATE; the first that fits."""


def said(error: BaseException | None) -> tuple[str | None, str | None]:
    """What an error of psycopg means, by its SQLSTATE, and the reason code; (None, None) where it is none of the known."""
    state = str(getattr(error, "sqlstate", None) or "")
    if not state and "connection failed" in str(error):
        state = next((code for words, code in _REFUSED.items() if words in str(error)), "")
    return _SAID.get(state), COLLISION if state in _COLLISIONS else None
