"""Durable work for outside systems: written with the act that makes it due, taken by ``integrations``."""

from typing import Any

from sqlalchemy import Connection, insert

from healthsvc.fhir.json import dumps, loads
from healthsvc.store.sealing import Sealer
from healthsvc.store.tables import OutboxRow

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]


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
    row = {
        "kind": kind,
        "key": key,
        "payload": sealer.close(dumps(payload), _place(kind, key, at)),
        "attempts": 0,
        "due": at,
        "created": at,
        "error": problem,
        "number": number,
    }
    connection.execute(insert(OUTBOX), {**row, "state": "dead" if problem else "due"})


def payload_of(sealer: Sealer, row: Any) -> dict[str, Any]:
    """What a row of the outbox is about.

    Raises:
        Unavailable: it is sealed, and its key is lost.
    """
    found: dict[str, Any] = loads(sealer.open(row.payload, _place(row.kind, row.key, row.created)))
    return found


def _place(kind: str, key: str, created: int) -> str:
    return f"outbox/{kind}/{key}/{created}"
