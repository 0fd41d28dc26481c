"""Keeps how far each sender's sequence numbers have come, in the transaction that stores its messages: neither is without the other."""

import json
from collections.abc import Iterable

import structlog
from sqlalchemy import Connection, select

from healthsvc.store import Store
from healthsvc.store.driver import for_driver, run
from healthsvc.store.inbox_tables import SequenceRow
from integrations.arrival import Arrival
from integrations.hl7v2.sequence import Gap, Sequence, follow

log = structlog.get_logger()
SEQUENCE = SequenceRow.__table__  # type: ignore[attr-defined]
_READ = "SELECT last, missing FROM line_sequence WHERE link = ? AND sender = ?"
_SET = (
    "INSERT INTO line_sequence (link, sender, last, missing) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (link, sender) DO UPDATE SET last = excluded.last, missing = excluded.missing"
)


def note(connection: Connection, arrivals: Iterable[Arrival]) -> None:
    """Note the numbers of messages that are new, in the order in which they came."""
    numbered = [arrival for arrival in arrivals if arrival.sequence is not None]
    for link, sender in dict.fromkeys((arrival.link, arrival.sender) for arrival in numbered):
        row = run(connection, for_driver(connection, _READ), (link, sender)).fetchone()
        known = None if row is None else Sequence(row[0], _gaps(row[1]))
        before = known
        for arrival in numbered:
            if (arrival.link, arrival.sender) == (link, sender) and arrival.sequence is not None:
                known = follow(known, arrival.sequence, arrival.received)
        if known is None or known == before:
            continue
        if before is not None and len(known.missing) > len(before.missing):
            log.warning("hl7 sequence numbers are missing", link=link, numbers=known.missing[-1].text)
        missing = json.dumps([[one.first, one.last, one.noticed] for one in known.missing])
        run(connection, for_driver(connection, _SET), (link, sender, known.last, missing))


def missing(store: Store, since: int) -> dict[str, tuple[Gap, ...]]:
    """What has not come, by link; only what was noticed since then (microseconds since 1970 UTC)."""
    found: dict[str, tuple[Gap, ...]] = {}
    for row in store.connection.execute(select(SEQUENCE).order_by(SEQUENCE.c.link, SEQUENCE.c.sender)):
        found[row.link] = (*found.get(row.link, ()), *(one for one in _gaps(row.missing) if one.noticed >= since))
    return {link: gaps for link, gaps in found.items() if gaps}


def _gaps(text: str) -> tuple[Gap, ...]:
    return tuple(Gap(*one) for one in json.loads(text))
