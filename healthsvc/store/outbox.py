"""Durable work for outside systems: written with the act that makes it due, taken by ``integrations``."""

from typing import Any

from sqlalchemy import Connection, insert

from healthsvc.fhir.json import dumps
from healthsvc.store.tables import OutboxRow

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]


def put(connection: Connection, kind: str, key: str, payload: dict[str, Any], at: int, problem: str | None = None) -> None:
    """Append a row; ``at`` in microseconds since 1970 UTC. With a ``problem`` it is dead at once and waits for somebody to look at it."""
    row = {"kind": kind, "key": key, "payload": dumps(payload), "attempts": 0, "due": at, "created": at, "error": problem}
    connection.execute(insert(OUTBOX), {**row, "state": "dead" if problem else "due"})
