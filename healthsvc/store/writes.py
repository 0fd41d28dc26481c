"""Writing rows: the current version, the former one, the index entries."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from healthsvc.fhir.index import Entries
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
from healthsvc.store.terms import OpenTerms

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

_INSERT_RESOURCE = insert(RESOURCE)
_INSERT_HISTORY = insert(HISTORY)
_INSERT_INDEX = {kind: insert(table) for kind, table in INDEXES.items()}
_CLEAR_INDEX = [delete(table).where(table.c.pk == bindparam("of")) for table in INDEXES.values()]
_UPDATE_RESOURCE = (
    update(RESOURCE)
    .where(RESOURCE.c.pk == bindparam("of"))
    .values({name: bindparam(name) for name in ("version", "deleted", "updated", "hash", "body")})
)
_COLUMNS = (RESOURCE.c.pk, RESOURCE.c.id, RESOURCE.c.version, RESOURCE.c.updated, RESOURCE.c.deleted, RESOURCE.c.body)
_CURRENT = select(*_COLUMNS, RESOURCE.c.hash).where(RESOURCE.c.type == bindparam("type"), RESOURCE.c.id == bindparam("id"))


def insert_current(connection: Connection, *, type: int, id: str, version: int, updated: int, hash: bytes, body: bytes) -> int:
    """Insert the first version; returns its pk."""
    row = {"type": type, "id": id, "version": version, "deleted": False, "updated": updated, "hash": hash, "body": body}
    result = connection.execute(_INSERT_RESOURCE, row)
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def replace_current(
    connection: Connection, old: Stored, type: int, *, updated: int, hash: bytes, body: bytes, deleted: bool = False
) -> None:
    """Move the current version to the history and put the next one in its place."""
    connection.execute(
        _INSERT_HISTORY,
        {"pk": old.pk, "version": old.version, "type": type, "deleted": old.deleted, "updated": old.updated, "body": old.body},
    )
    connection.execute(
        _UPDATE_RESOURCE,
        {"of": old.pk, "version": old.version + 1, "deleted": deleted, "updated": updated, "hash": hash, "body": body},
    )


def clear_index(connection: Connection, pk: int) -> None:
    """Remove all index entries of a resource."""
    for statement in _CLEAR_INDEX:
        connection.execute(statement, {"of": pk})


def write_index(connection: Connection, terms: OpenTerms, type: str, pk: int, entries: Entries) -> None:
    """Insert the index entries of a resource."""
    for kind, rows in index_rows(terms, type, pk, entries).items():
        if rows:
            connection.execute(_INSERT_INDEX[kind], rows)


def index_rows(terms: OpenTerms, type: str, pk: int, entries: Entries) -> dict[str, list[dict[str, Any]]]:
    """The rows for the six tables, without repetition (the whole row is the key)."""

    def param(name: str) -> int:
        return terms.intern(f"{type}.{name}")

    def term(text: str | None) -> int:
        return NO_TERM if text is None else terms.intern(text)

    references = {
        (param(r.param), (r.url or "") if r.id is None else r.id, term(r.type) if r.id is not None else NO_TERM) for r in entries.references
    }
    references |= {(param(COMPARTMENT), patient, terms.intern("Patient")) for patient in entries.patients}
    return {
        "token": _rows(("param", "system", "code"), {(param(t.param), term(t.system), t.code[:LONGEST]) for t in entries.tokens}, pk),
        "string": _rows(
            ("param", "folded", "exact"), {(param(s.param), s.folded[:LONGEST], s.exact[:LONGEST]) for s in entries.strings}, pk
        ),
        "date": _rows(("param", "low", "high"), {(param(d.param), d.low, d.high) for d in entries.dates}, pk),
        "reference": _rows(("param", "target", "target_type"), references, pk),
        "quantity": _rows(
            ("param", "low", "high", "system", "code"),
            {(param(q.param), q.low, q.high, term(q.system), q.code or "") for q in entries.quantities},
            pk,
        ),
        "uri": _rows(("param", "uri"), {(param(u.param), u.uri[:LONGEST]) for u in entries.uris}, pk),
    }


def _rows(names: tuple[str, ...], values: Iterable[tuple[Any, ...]], pk: int) -> list[dict[str, Any]]:
    return [{**dict(zip(names, value, strict=True)), "pk": pk} for value in values]


def read_current(connection: Connection, type: int, type_name: str, id: str) -> tuple[Stored, bytes] | None:
    """The current version (a deleted one too) and its content hash."""
    row = connection.execute(_CURRENT, {"type": type, "id": id}).first()
    if row is None:
        return None
    return Stored(row.pk, type_name, row.id, row.version, row.updated, row.deleted, row.body), row.hash
