"""Durable work for outside systems: written with the act that makes it due, taken by ``integrations``."""

from typing import Any

from sqlalchemy import Connection

from healthsvc.fhir.json import dumps, loads
from healthsvc.store.driver import for_driver, run
from healthsvc.store.sealing import Sealer
from healthsvc.store.tables import OutboxRow

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]
_PUT = "INSERT INTO outbox (kind, key, payload, state, attempts, due, created, error, number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_THERE = "SELECT 1 FROM outbox WHERE number = ? AND kind = ?"


def put(
    connection: Connection,
    sealer: Sealer,
    kind: str,
    key: str,
    payload: dict[str, Any],
    at: int,
    problem: str | None = None,
    number: str | None = None,
) -> None:
    """Append a row; ``at`` in microseconds since 1970 UTC. With a ``problem`` it is dead at once and waits for somebody to look at it.

    ``number``: by what the other side will name it, where its answer may come later.
    """
    sealed = sealer.close(dumps(payload), _place(kind, key, at))
    values = (kind, key, sealed, "dead" if problem else "due", 0, at, at, problem, number)
    run(connection, for_driver(connection, _PUT), values)  # by the driver: a hospital's line leaves its answers here, too


def is_there(connection: Connection, kind: str, number: str) -> bool:
    """Whether something of this kind and number was left before."""
    return run(connection, for_driver(connection, _THERE), (number, kind)).fetchone() is not None


def payload_of(sealer: Sealer, row: Any) -> dict[str, Any]:
    """What a row of the outbox is about.

    Raises:
        Unavailable: it is sealed, and its key is lost.
    """
    found: dict[str, Any] = loads(sealer.open(row.payload, _place(row.kind, row.key, row.created)))
    return found


def _place(kind: str, key: str, created: int) -> str:
    return f"outbox/{kind}/{key}/{created}"
