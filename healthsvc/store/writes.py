"""Writing rows: the current version, the former one, the index entries."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, literal_column

from healthsvc.fhir.index import Entries
from healthsvc.store.driver import run as run
from healthsvc.store.driver import run_many as run_many
from healthsvc.store.driver import savepoint as savepoint
from healthsvc.store.stored import Stored
from healthsvc.store.tables import (
    NO_TERM,
    DateIndex,
    HistoryRow,
    QuantityIndex,
    ReferenceIndex,
    ResourceRow,
    StringIndex,
    TokenIndex,
    UriIndex,
)
from healthsvc.store.tenancy.led import led
from healthsvc.store.terms import OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.store import Store

RESOURCE = ResourceRow.__table__  # type: ignore[attr-defined]
HISTORY = HistoryRow.__table__  # type: ignore[attr-defined]
INDEXES = {
    "token": TokenIndex.__table__,  # type: ignore[attr-defined]
    "string": StringIndex.__table__,  # type: ignore[attr-defined]
    "date": DateIndex.__table__,  # type: ignore[attr-defined]
    "reference": ReferenceIndex.__table__,  # type: ignore[attr-defined]
    "quantity": QuantityIndex.__table__,  # type: ignore[attr-defined]
    "uri": UriIndex.__table__,  # type: ignore[attr-defined]
}
COMPARTMENT = "#patient"
"""Pseudo parameter under which ``ix_reference`` keeps the patient compartment of a resource."""
LONGEST = 500
"""Characters of a text that the index keeps: more would not fit a PostgreSQL B-tree entry (2,704 bytes) with four-byte characters."""

_CURRENT_COLUMNS = ("type", "id", "version", "deleted", "updated", "hash", "body")
_HISTORY_COLUMNS = ("pk", "version", "type", "deleted", "updated", "body")
INDEX_COLUMNS = {
    "token": ("param", "system", "code", "pk"),
    "string": ("param", "folded", "exact", "pk"),
    "date": ("param", "low", "high", "pk"),
    "reference": ("param", "target", "target_type", "pk"),
    "quantity": ("param", "low", "high", "system", "code", "pk", "middle"),
    "uri": ("param", "uri", "pk"),
}


_INDEX_TYPES = {"pk": "bigint", "low": "bigint", "high": "bigint", "code": "text", "folded": "text", "exact": "text", "target": "text"}
_INDEX_TYPES |= {"uri": "text", "middle": "float8"}
_INDEX_RANGES = {"low": "float8", "high": "float8"}


def _all_at_once() -> str:
    """One statement that writes the rows of all six tables, a list for each column: on a server every statement is a way there and back."""

    def rows(kind: str, columns: Sequence[str]) -> str:
        types = _INDEX_TYPES | (_INDEX_RANGES if kind == "quantity" else {})
        lists, into = ", ".join(f"%s::{types.get(column, 'int')}[]" for column in columns), ", ".join((*columns, "part"))
        return f"{kind}_rows AS (INSERT INTO ix_{kind} ({into}) SELECT u.*, home.part FROM unnest({lists}) AS u, home)"  # noqa: S608 - our own names

    parts = ["home AS (SELECT %s::smallint AS part)", *(rows(kind, columns) for kind, columns in INDEX_COLUMNS.items())]
    return f"WITH {', '.join(parts)} SELECT 1"


_ALL_AT_ONCE = _all_at_once()


_PART = "$part$"
"""Stands in a statement for the number of a part. It goes into the text: a plan then knows of the one partition and of no other, where a
parameter would have all of them opened and locked for each execution."""


@lru_cache(maxsize=4096)
def _in_part(sql: str, part: int) -> str:
    return sql.replace(_PART, str(int(part)))


def in_part(table: Any, part: int | None) -> list[Any]:
    """The same for a composed statement; nothing where the part is not known."""
    return [] if part is None else [table.c.part == literal_column(str(int(part)))]


class Statements:
    """The statements of a write as text for one driver. Handed to the driver as they are: a write runs eight of them, and composing
    them each time through an expression language took longer than running them. On a server each row also has its part
    (:mod:`healthsvc.store.tenancy`), and by it only its partition is asked."""

    def __init__(self, mark: str) -> None:
        embedded = mark == "?"  # which has one writer and no partitions

        def into(table: str, columns: Sequence[str]) -> str:
            return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608 - our own names

        part = () if embedded else ("part",)
        there = "" if embedded else f" AND part={_PART}"
        self.insert = into("resource", (*_CURRENT_COLUMNS, *part)) + ("" if embedded else " RETURNING pk")
        columns = ", ".join((*_HISTORY_COLUMNS, *part))
        self.keep = f"INSERT INTO history ({columns}) SELECT {columns} FROM resource WHERE pk={mark}{there}"  # noqa: S608 - sealed bodies stay sealed
        self.replace = (
            f"UPDATE resource SET version={mark}, deleted={mark}, updated={mark}, hash={mark}, body={mark} WHERE pk={mark}{there}"  # noqa: S608
        )
        self.current = f"SELECT pk, version, updated, deleted, body, hash, part FROM resource WHERE type={mark} AND id={mark}"  # noqa: S608
        self.held = self.current + ("" if embedded else " FOR UPDATE")
        self.there = f"SELECT pk, version, updated, deleted, body, hash, part FROM resource WHERE pk={mark}{there}"  # noqa: S608
        """As ``current``, where the tables are laid out: the directory leads to the one partition."""
        self.there_held = f"{self.there} FOR UPDATE"
        self.index = {kind: into(f"ix_{kind}", columns) for kind, columns in INDEX_COLUMNS.items()}
        self.clear = {kind: f"DELETE FROM ix_{kind} WHERE pk={mark}{there}" for kind in INDEX_COLUMNS}  # noqa: S608


_STATEMENTS = {"sqlite": Statements("?"), "postgresql": Statements("%s")}
_INSERT_WITH_PEOPLE = (
    "WITH home AS (SELECT part FROM directory WHERE type=%s AND id=ANY(%s) FOR SHARE) "  # noqa: S608 - our own names only
    f"INSERT INTO resource ({', '.join(_CURRENT_COLUMNS)}, part) SELECT {', '.join(['%s'] * len(_CURRENT_COLUMNS))}, "
    "(SELECT CASE WHEN min(part)=max(part) THEN min(part) ELSE 0 END FROM home) RETURNING pk, part"
)
"""As :func:`healthsvc.store.tenancy.home.part_of`, on the way: where the persons are whom it is about, and they stay there until we end."""


def statements(connection: Connection) -> Statements:
    """The statements for the driver of a connection."""
    return _STATEMENTS[connection.dialect.name]


def insert_current(
    connection: Connection, row: tuple[Any, ...], people: tuple[int, Sequence[str]] | None, part: int = 0
) -> tuple[int, int]:
    """Insert a first version; returns its pk and its part.

    Args:
        row: type, id, version, deleted, updated, hash and the body as the sealer gave it.
        people: the term of Patient, and ids of those whom it is about, whose part it then has; None: it has the one given.
    """
    if connection.dialect.name == "sqlite":
        return int(run(connection, statements(connection).insert, row).lastrowid), 0  # RETURNING is half of the time of the statement
    if people is None or not people[1]:
        return int(run(connection, statements(connection).insert, (*row, part)).fetchone()[0]), part
    pk, part = run(connection, _INSERT_WITH_PEOPLE, (people[0], list(people[1]), *row)).fetchone()
    return int(pk), int(part)


def replace_current(connection: Connection, old: Stored, *, updated: int, hash: bytes, body: bytes, deleted: bool = False) -> None:
    """Move the current version to the history and put the next one in its place."""
    known, part = statements(connection), old.part or 0
    run(connection, _in_part(known.keep, part), (old.pk,))
    run(connection, _in_part(known.replace, part), (old.version + 1, deleted, updated, hash, body, old.pk))


def clear_index(connection: Connection, pk: int, part: int) -> None:
    """Remove all index entries of a resource."""
    for statement in statements(connection).clear.values():
        run(connection, _in_part(statement, part), (pk,))


def write_index(
    connection: Connection, terms: OpenTerms, type: str, pk: int, entries: Entries, before: Entries | None = None, *, part: int
) -> None:
    """Insert the index entries of a resource; those of a kind that are as they were (``before``) stay where they are."""
    known = statements(connection)
    kinds = [kind for kind, names in _FIELDS.items() if before is None or any(getattr(before, n) != getattr(entries, n) for n in names)]
    there = {} if before is None else index_rows(terms, type, pk, before, kinds)
    new: dict[str, set[tuple[Any, ...]]] = {}
    for kind, rows in index_rows(terms, type, pk, entries, kinds).items():
        if kind in there:
            if there[kind] == rows:
                continue
            run(connection, _in_part(known.clear[kind], part), (pk,))
        if rows:
            new[kind] = rows
    if connection.dialect.name == "sqlite":
        for kind, rows in new.items():
            run_many(connection, known.index[kind], list(rows))
    elif new:
        run(connection, _ALL_AT_ONCE, (part, *_columns(new)))


def _columns(new: Mapping[str, set[tuple[Any, ...]]]) -> Iterator[list[Any]]:
    """The rows of all tables as a list for each column."""
    for kind, columns in INDEX_COLUMNS.items():
        rows = new.get(kind)
        yield from ([list(column) for column in zip(*rows, strict=True)] if rows else ([] for _ in columns))


def index_rows(
    terms: OpenTerms, type: str, pk: int, entries: Entries, kinds: Iterable[str] = INDEX_COLUMNS
) -> dict[str, set[tuple[Any, ...]]]:
    """The rows for the six tables, or for some of them, without repetition (the whole row is the key)."""
    names = _Names(terms, type)
    return {kind: _ROWS[kind](names, pk, entries) for kind in kinds}


class _Names:
    """What the rows of one resource are named by, as ids."""

    __slots__ = ("_known", "_terms", "_type")

    def __init__(self, terms: OpenTerms, type: str) -> None:
        self._terms, self._type, self._known = terms, type, terms.params(type)

    def param(self, name: str) -> int:
        return self._known.get(name) or self._terms.param(self._type, name)

    def term(self, text: str | None) -> int:
        return NO_TERM if text is None else self._terms.intern(text)


def _token_rows(names: _Names, pk: int, entries: Entries) -> set[tuple[Any, ...]]:
    param, term = names.param, names.term
    return {(param(t.param), term(t.system), t.code[:LONGEST], pk) for t in entries.tokens}


def _string_rows(names: _Names, pk: int, entries: Entries) -> set[tuple[Any, ...]]:
    return {(names.param(s.param), s.folded[:LONGEST], s.exact[:LONGEST], pk) for s in entries.strings}


def _reference_rows(names: _Names, pk: int, entries: Entries) -> set[tuple[Any, ...]]:
    param, term = names.param, names.term
    rows = {
        (param(r.param), (r.url or "") if r.id is None else r.id, term(r.type) if r.id is not None else NO_TERM, pk)
        for r in entries.references
    }
    return rows | {(param(COMPARTMENT), patient, term("Patient"), pk) for patient in entries.patients}


def _quantity_rows(names: _Names, pk: int, entries: Entries) -> set[tuple[Any, ...]]:
    for one in entries.quantities:
        if one.unit is not None:
            names.term(spoken(one.unit, one.code or ""))
    return {
        (names.param(q.param), q.low, q.high, names.term(q.system), q.code or "", pk, middle(q.low, q.high)) for q in entries.quantities
    }


_ROWS: Final[dict[str, Callable[[_Names, int, Entries], set[tuple[Any, ...]]]]] = {
    "token": _token_rows,
    "string": _string_rows,
    "date": lambda names, pk, entries: {(names.param(d.param), d.low, d.high, pk) for d in entries.dates},
    "reference": _reference_rows,
    "quantity": _quantity_rows,
    "uri": lambda names, pk, entries: {(names.param(u.param), u.uri[:LONGEST], pk) for u in entries.uris},
}
_FIELDS: Final = {
    "token": ("tokens",),
    "string": ("strings",),
    "date": ("dates",),
    "reference": ("references", "patients"),
    "quantity": ("quantities",), "uri": ("uris",),
}  # fmt: skip
"""Of what the rows of a kind are made."""


def spoken(unit: str, code: str) -> str:
    """The term by which it is known that a unit code is called so: ``4.5||mmHg`` finds what has the code ``mm[Hg]`` (R4 3.1.1.4.15).
    Kept once for all quantities and not with each."""
    return f"#unit|{unit}|{code}"


def middle(low: float, high: float) -> float | None:
    """Halfway between the ends of a range; infinite where one is open, None where both are."""
    found = (low + high) / 2
    return None if math.isnan(found) else found


def read_current(store: "Store", term: int, type: str, id: str, *, to_change: bool = False) -> tuple[Stored, bytes] | None:
    """The current version (a deleted one too) and its content hash; ``to_change``: nobody else may change it before we end."""
    known = statements(store.connection)
    if store.database.laid.out(store.connection):
        there = known.there_held if to_change else known.there
        row = led(store.connection, term, id, lambda pk, part: run(store.connection, _in_part(there, part), (pk,)).fetchone())
    else:
        row = run(store.connection, known.held if to_change else known.current, (term, id)).fetchone()
    if row is None:
        return None
    return Stored(row[0], type, id, row[1], row[2], bool(row[3]), store.sealer.open_body(type, id, row[1], row[4]), row[6]), row[5]
