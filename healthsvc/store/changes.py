"""What has been written, in order: the audit read as a log of changes, and how far a reader has come.

A row of the audit is written in the transaction of its act, as its last step, so of two writes of one thing the later has the greater
number. Transactions that end side by side (PostgreSQL) may become visible in another order than that of their numbers; so a reader asks
``Database.settled`` up to where it may read, and sees every committed write once and in order, without a second table that could disagree.
A reader that keeps its place in the transaction of what it does about a change does it exactly once, whatever kills it.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from healthsvc.store.audit import AUDIT
from healthsvc.store.reader_tables import PLACE, SET_PLACE

_WRITES = ("create", "update", "delete")


class Change(NamedTuple):
    """One write: its number, who wrote what, and which version came of it."""

    seq: int
    at: int
    actor: str
    action: str
    type: str
    id: str
    version: int


def changes(connection: Connection, after: int, types: Collection[str], limit: int, settled: int) -> tuple[list[Change], int]:
    """The writes of these types after a number, and the number up to which has been looked (at most ``limit`` acts are).

    ``settled``: what ``Database.settled`` gave before this transaction began to read.
    """
    rows = connection.execute(
        select(AUDIT.c.seq, AUDIT.c.at, AUDIT.c.actor, AUDIT.c.action, AUDIT.c.subject, AUDIT.c.version)
        .where(AUDIT.c.seq > after, AUDIT.c.seq <= settled)
        .order_by(AUDIT.c.seq)
        .limit(limit)
    ).all()
    found = []
    for seq, at, actor, action, subject, version in rows:
        if action in _WRITES and version is not None:
            type, _, id = str(subject).partition("/")
            if type in types:
                found.append(Change(seq, at, actor, action, type, id, version))
    return found, rows[-1].seq if rows else after


def newest(connection: Connection) -> int:
    """The number of the latest act."""
    return int(connection.execute(select(func.max(AUDIT.c.seq))).scalar() or 0)


def place(connection: Connection, reader: str) -> int | None:
    """How far a reader has come; None for one that has never read."""
    found = connection.execute(select(PLACE.c.seq).where(PLACE.c.reader == reader)).scalar()
    return None if found is None else int(found)


def move(connection: Connection, reader: str, seq: int) -> None:
    """Note how far a reader has come, in the transaction of what it did on the way."""
    connection.execute(SET_PLACE, {"reader": reader, "seq": seq})
