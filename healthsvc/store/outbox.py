"""Durable work for outside systems: written with the act that makes it due, taken by ``integrations``."""

from typing import Any

from sqlalchemy import Connection, insert

from healthsvc.fhir.json import dumps
from healthsvc.store.tables import OutboxRow

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]


def put(connection: Connection, kind: str, key: str, payload: dict[str, Any], at: int) -> None:
    """Append a row; ``at`` in microseconds since 1970 UTC."""
    row = {"kind": kind, "key": key, "payload": dumps(payload), "state": "due", "attempts": 0, "due": at, "created": at}
    connection.execute(insert(OUTBOX), row)
