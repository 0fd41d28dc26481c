"""到期清理 Messages whose time is over leave the inbox and the outbox: first their text, later the row, a few at a time, by night.

What a message brought about stays for ever: its text hangs on the Provenance of what it made (a Binary), and from there it is read. So the
inbox gives up its own copy only where that one is there; a text that stands nowhere else is kept for as long as a medical record.
Whatever waits for somebody (pending, dead, review, quarantine, refused, withheld) is never touched.
"""

from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, delete, func, select, update

from healthsvc.store.inbox_tables import InboxRow
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.reader_tables import PLACE, SET_PLACE
from healthsvc.store.store import Store
from healthsvc.store.stored import micros
from healthsvc.store.tables import ResourceRow

INBOX: Final[Table] = InboxRow.__table__  # type: ignore[attr-defined]
_RESOURCE: Final[Table] = ResourceRow.__table__  # type: ignore[attr-defined]
LOOKED_AT: Final = 2000
"""Rows that one run looks at: it holds the writers of an embedded database up for some hundredths of a second."""
LATE_DAYS: Final = 60
"""What is over for so long and still there was not taken away by night after night of these runs."""
PERSONS: Final = 20
"""Parts of a message about several persons that are looked for."""
_DONE: Final = "done"
_FINISHED: Final = (_DONE, "ignored", "forgotten", "closed", "replaced")
"""States of the inbox in which nobody waits for anything any more."""
_SENT: Final = "done"
_LEFT: Final = "closed"
_TOGETHER: Final = 400


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Filled from ``policy/hospital.toml``; days, 0: for ever."""

    inbox_text_days: int
    inbox_only_copy_days: int
    inbox_row_days: int
    outbox_days: int


class Retired(NamedTuple):
    """What one run has taken away."""

    texts: int
    rows: int
    sent: int


class _Ends(NamedTuple):
    """What came before these moments is over (microseconds since 1970 UTC)."""

    text: int
    only_copy: int
    row: int
    sent: int


def retire(store: Store) -> Retired:
    """Look at the next rows of both, and take away what is over; at the end it begins from the start."""
    ends = _ends(store)
    texts, rows = _inbox(store, ends)
    return Retired(texts, rows, _outbox(store, ends))


def overdue(store: Store) -> int:
    """How many texts and sent messages should have gone long ago; reads both tables, so it is for the doctor."""
    ends = _Ends(*(one - LATE_DAYS * 86_400_000_000 for one in _ends(store)))
    found = 0
    last = 0
    while ends.text > 0:
        finished = (INBOX.c.id > last, INBOX.c.received < ends.text, INBOX.c.state == _DONE, INBOX.c.raw.is_not(None))
        wanted = select(INBOX.c.id, INBOX.c.received, INBOX.c.state).where(*finished).order_by(INBOX.c.id).limit(LOOKED_AT)
        rows = store.connection.execute(wanted).all()
        found += len(_without_need(store, rows, ends))
        if len(rows) < LOOKED_AT:
            break
        last = rows[-1].id
    if ends.sent > 0:
        newest = select(func.max(OUTBOX.c.id)).scalar_subquery()
        late = (OUTBOX.c.created < ends.sent, OUTBOX.c.state == _SENT, OUTBOX.c.id < newest)
        found += int(store.connection.execute(select(func.count()).select_from(OUTBOX).where(*late)).scalar_one())
    return found


def copies(store: Store, id: int) -> list[bytes]:
    """The text of a message as it hangs on what it made, each person's part by itself; empty where there is nothing that one may see."""
    found = (store.find("Binary", one) for one in (_name(id), *_parts(id)))
    return [b64decode(one["data"]) for one in found if one is not None]


def _ends(store: Store) -> _Ends:
    policy = store.policy.fill(RetentionPolicy, "hospital", store.at.date())
    days = (policy.inbox_text_days, policy.inbox_only_copy_days, policy.inbox_row_days, policy.outbox_days)
    return _Ends(*(micros(store.at - timedelta(days=each)) if each else 0 for each in days))


def _inbox(store: Store, ends: _Ends) -> tuple[int, int]:
    columns = (INBOX.c.id, INBOX.c.received, INBOX.c.state, INBOX.c.raw.is_not(None).label("has_text"))
    rows = _next(store.connection, INBOX, columns, INBOX.c.received, max(ends.text, ends.only_copy, ends.row))
    over = [row for row in rows if row.state in _FINISHED]
    texts = _without_need(store, [row for row in over if row.has_text], ends)
    gone = [row.id for row in over if not row.has_text and row.received < ends.row]
    connection = store.connection
    _each(texts, lambda ids: connection.execute(update(INBOX).where(INBOX.c.id.in_(ids)).values(raw=None)))
    _each(gone, lambda ids: connection.execute(delete(INBOX).where(INBOX.c.id.in_(ids))))
    return len(texts), len(gone)


def _outbox(store: Store, ends: _Ends) -> int:
    columns = (OUTBOX.c.id, OUTBOX.c.created, OUTBOX.c.state)
    until = {_SENT: ends.sent, _LEFT: ends.only_copy}
    rows = _next(store.connection, OUTBOX, columns, OUTBOX.c.created, max(until.values()))
    gone = [row.id for row in rows if row.created < until.get(row.state, 0)]
    _each(gone, lambda ids: store.connection.execute(delete(OUTBOX).where(OUTBOX.c.id.in_(ids))))
    return len(gone)


def _next(connection: Connection, table: Table, columns: Sequence[Any], came: Any, until: int) -> list[Any]:
    """The rows behind the place where the last run ended, up to the first that is too young; never the newest, whose number would be
    given again on an embedded database."""
    name = f"retire {table.name}"
    place = int(connection.execute(select(PLACE.c.seq).where(PLACE.c.reader == name)).scalar() or 0)
    newest = select(func.max(table.c.id)).scalar_subquery()
    wanted = select(*columns).where(table.c.id > place, table.c.id < newest).order_by(table.c.id).limit(LOOKED_AT)
    found = []
    for row in connection.execute(wanted):
        if row._mapping[came.name] >= until:
            break
        found.append(row)
    ended = found[-1].id if len(found) == LOOKED_AT else 0
    if ended != place:
        connection.execute(SET_PLACE, {"reader": name, "seq": ended})
    return found


def _without_need(store: Store, rows: Iterable[Any], ends: _Ends) -> list[int]:
    """Those whose text may go: it hangs on what it made, or its time is over even where it is the only copy."""
    rows = list(rows)
    old = [row.id for row in rows if row.received < ends.only_copy]
    asked = [row.id for row in rows if ends.only_copy <= row.received < ends.text and row.state == _DONE]
    kept = _kept(store, {_name(id): id for id in asked})
    left = [id for id in asked if id not in kept]
    return [*old, *kept, *_kept(store, {name: id for id in left for name in _parts(id)})]


def _kept(store: Store, names: dict[str, int]) -> set[int]:
    """Which of these messages hang on what they made."""
    type, found = store.terms.find("Binary"), set[int]()
    if type is None:
        return found

    def look(some: Collection[str]) -> None:
        there = (_RESOURCE.c.type == type, _RESOURCE.c.id.in_(some), _RESOURCE.c.deleted.is_(False))
        found.update(names[id] for id in store.connection.execute(select(_RESOURCE.c.id).where(*there)).scalars())

    _each(list(names), look)
    return found


def _name(id: int) -> str:
    return f"hl7-message-{id}"


def _parts(id: int) -> list[str]:
    return [f"{_name(id)}-{number}" for number in range(1, PERSONS + 1)]


def _each(keys: Sequence[Any], act: Callable[[Sequence[Any]], object]) -> None:
    for start in range(0, len(keys), _TOGETHER):
        act(keys[start : start + _TOGETHER])
