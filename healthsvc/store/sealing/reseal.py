"""Sealing what is not sealed yet, or is sealed with an older key: table by table, some rows a transaction, from where the last one stopped.

The current versions go before the former ones: what becomes history while the former ones are walked has been sealed already.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Connection, select, text, tuple_, update

from healthsvc.store.access_tables import UserRow
from healthsvc.store.inbox_rows import inbox_place
from healthsvc.store.inbox_tables import ArrivedRow, InboxRow
from healthsvc.store.pocket_tables import PocketRecordRow, PocketRow
from healthsvc.store.sealing.facts import facts, forget, key_fact, put
from healthsvc.store.sealing.keys import KID_BYTES, retire
from healthsvc.store.sealing.sealer import MARK, Sealer, place
from healthsvc.store.tables import HistoryRow, OutboxRow, ResourceRow

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

PORTION: Final = 200
"""Rows in one transaction: some milliseconds, during which nobody else writes on SQLite."""
COMPACT: Final = "compact"
"""Whether free pages of the database may still hold what was there before it was sealed: ``due`` or ``done``."""
DUE: Final = "due"
_END: Final = "end"
_RESOURCE = ResourceRow.__table__  # type: ignore[attr-defined]
_HISTORY = HistoryRow.__table__  # type: ignore[attr-defined]
_INBOX = InboxRow.__table__  # type: ignore[attr-defined]
_ARRIVED = ArrivedRow.__table__  # type: ignore[attr-defined]
_OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]
_USER = UserRow.__table__  # type: ignore[attr-defined]
_POCKET = PocketRow.__table__  # type: ignore[attr-defined]
_RECORD = PocketRecordRow.__table__  # type: ignore[attr-defined]


class Walk(NamedTuple):
    """One column that is sealed: where it stands, in which order its rows are walked, and what is bound to each value."""

    name: str
    column: Any
    order: tuple[Any, ...]
    rows: Any
    what: Callable[[Any, Callable[[int], str]], str]
    type: Callable[[Any, Callable[[int], str]], str | None] = lambda _row, _text: None
    """The resource type, where it says whether a value has to be sealed."""
    bare: bool = False
    """Whether values stand without the mark: secrets of sign-in, which were always sealed."""


def _version(row: Any, name: Callable[[int], str]) -> str:
    return place(name(row.type), row.id, row.version)


def _type(row: Any, name: Callable[[int], str]) -> str:
    return name(row.type)


def _factor(row: Any, _name: Callable[[int], str]) -> str:
    return f"access_user.factor/{row.login}"


WALKS: Final = (
    Walk("resource", _RESOURCE.c.body, (_RESOURCE.c.pk,), select(_RESOURCE), _version, _type),
    Walk(
        "history",
        _HISTORY.c.body,
        (_HISTORY.c.pk, _HISTORY.c.version),
        select(_HISTORY, _RESOURCE.c.id).join(_RESOURCE, _RESOURCE.c.pk == _HISTORY.c.pk),
        _version,
        _type,
    ),
    Walk("arrived", _ARRIVED.c.raw, (_ARRIVED.c.id,), select(_ARRIVED), lambda row, _: inbox_place(row.hash)),
    Walk("inbox", _INBOX.c.raw, (_INBOX.c.id,), select(_INBOX), lambda row, _: inbox_place(row.hash)),
    Walk("outbox", _OUTBOX.c.payload, (_OUTBOX.c.id,), select(_OUTBOX), lambda row, _: f"outbox/{row.kind}/{row.key}/{row.created}"),
    Walk("factors", _USER.c.factor, (_USER.c.login,), select(_USER), _factor, bare=True),
    Walk("factors waiting", _USER.c.factor_waiting, (_USER.c.login,), select(_USER), _factor, bare=True),
    Walk("phones", _POCKET.c.key, (_POCKET.c.id,), select(_POCKET), lambda row, _: f"pocket.key.{row.id}", bare=True),
    Walk("records of phones", _RECORD.c.body, (_RECORD.c.key,), select(_RECORD), lambda row, _: f"pocket_record.body.{row.key}", bare=True),
)


def step(database: "Database", portion: int = PORTION) -> bool:
    """Seal some rows; False where nothing is left to do.

    Raises:
        Unavailable: a key is lost, or a value was changed.
    """
    database.sealer.refresh()
    if not database.sealer.kid:
        return False
    return any(_step(database, walk, portion) for walk in WALKS)


def _step(database: "Database", walk: Walk, portion: int) -> bool:
    sealer, fact = database.sealer, f"place:{walk.name}"
    terms = f"{sealer.kid.hex()}{'+' if sealer.everything else ''}"
    """With which key, and whether everything: when either changes, a walk begins again."""
    with database.engine.connect() as connection:
        if facts(connection).get(fact) == f"{terms}|{_END}":
            return False
    with database.plainly() as connection:
        put(connection, fact, "", only_new=True)
        known, _, at = facts(connection, fact)[fact].partition("|")
        if known == terms and at == _END:
            return False
        rows = connection.execute(_following(walk, at if known == terms else "", portion)).all()
        names: dict[int, str] = {row.id: row.text for row in connection.execute(text("SELECT id, text FROM term"))} if rows else {}
        for row in rows:
            _reseal(connection, sealer, walk, row, names.__getitem__)
        last = ",".join(str(getattr(rows[-1], column.name)) for column in walk.order) if len(rows) == portion else _END
        put(connection, fact, f"{terms}|{last}")
    return True


def _following(walk: Walk, at: str, portion: int) -> Any:
    wanted = walk.rows.order_by(*walk.order).limit(portion)
    if not at:
        return wanted
    values = [column.type.python_type(value) for column, value in zip(walk.order, at.split(",", len(walk.order) - 1), strict=True)]
    return wanted.where(tuple_(*walk.order) > tuple_(*values)) if len(values) > 1 else wanted.where(walk.order[0] > values[0])


def _reseal(connection: Connection, sealer: Sealer, walk: Walk, row: Any, name: Callable[[int], str]) -> None:
    kept = getattr(row, walk.column.name)
    if not kept:
        return
    mark = b"" if walk.bare else MARK
    if kept.startswith(mark + sealer.kid):
        return
    what = walk.what(row, name)
    plain = sealer.open(MARK + kept if walk.bare else kept, what)
    type = walk.type(row, name)
    if plain is kept and type is not None and not sealer.must(type, plain):
        return
    closed = sealer.close(plain, what)[len(MARK) - len(mark) :]
    # what somebody else writes in this very moment has been sealed by them
    same = [walk.column == kept, *(column == getattr(row, column.name) for column in walk.order)]
    connection.execute(update(walk.column.table).where(*same).values({walk.column: closed}))


# -- what stands where ------------------------------------------------------------------------------------------------------------------


class Standing(NamedTuple):
    """How many values of a column are under which key; the kid is empty for those that are not sealed."""

    column: str
    kid: str
    how_many: int


def standing(connection: Connection) -> list[Standing]:
    """How every column stands; walks the whole tables."""
    found = []
    for walk in WALKS:
        table, start = walk.column.table.name, 1 if walk.bare else 2
        head = f"substr({walk.column.name}, 1, {start + KID_BYTES - 1})"
        counted: dict[str, int] = {}
        sql = f"SELECT {head}, count(*) FROM {table} WHERE length({walk.column.name}) > 0 GROUP BY 1"  # noqa: S608 - our own names only
        for prefix, count in connection.execute(text(sql)):
            kid = bytes(prefix)[start - 1 :].hex() if walk.bare or bytes(prefix)[:1] == MARK else ""
            counted[kid] = counted.get(kid, 0) + count
        found += [Standing(walk.name, kid, count) for kid, count in sorted(counted.items())]
    return found


def left(connection: Connection, sealer: Sealer) -> list[str]:
    """The columns that have still to be walked for the key that closes now; where nothing stands, nothing has to be."""
    known, done = facts(connection), f"{sealer.kid.hex()}{'+' if sealer.everything else ''}|{_END}"
    due = [one for one in WALKS if known.get(f"place:{one.name}") != done]
    return [one.name for one in due if connection.execute(select(1).where(one.column.is_not(None)).limit(1)).first()]


def take_out_of_use(database: "Database", kid: str) -> int:
    """Retire a key with which nothing is sealed any more; gives how many values still are (then their columns are walked again)."""
    from healthsvc.store.journals_read import sealed_with

    with database.engine.connect() as connection:
        stands, known = [one for one in standing(connection) if one.kid == kid], facts(connection)
        still = sum(one.how_many for one in stands) + sealed_with(connection, bytes.fromhex(kid))
    passed = [fact for one in stands if known.get(fact := f"place:{one.column}", "").endswith(f"|{_END}")]
    if passed:  # they came behind the walk: from a process that had not taken notice of the new key, or out of a journal
        with database.plainly() as connection:
            for fact in passed:
                put(connection, fact, "")
    if not still and database.sealer.folder is not None:
        retire(database.sealer.folder, kid)
        with database.plainly() as connection:
            forget(connection, key_fact(kid))
    return still


def compact(database: "Database") -> None:
    """Rewrite the database file, so that no free page holds what stood there before it was sealed. Nobody can write meanwhile."""
    postgres = database.engine.dialect.name == "postgresql"
    for statement in _postgres_statements() if postgres else ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        with database.one_writer(), database.engine.connect() as connection:
            if postgres:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)
            else:
                raw: Any = connection.connection.driver_connection
                raw.execute(statement).close()
    with database.plainly() as connection:
        put(connection, COMPACT, "done")


def _postgres_statements() -> Sequence[str]:
    return [f"VACUUM FULL {name}" for name in sorted({walk.column.table.name for walk in WALKS} | {"ix_token", "claim"})]


def steps(database: "Database") -> Iterator[None]:
    """Seal everything that is left, portion by portion."""
    while step(database):
        yield
