"""Histories of whole types and of everything: versions, newest first, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from healthsvc.store.search import ast
from healthsvc.store.search.leaf import EVER, Piece, all_of, among
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.sql import Writer
from healthsvc.store.stored import Stored

if TYPE_CHECKING:
    from healthsvc.store.store import Store

Position = tuple[int, int, int]
"""``updated``, ``pk`` and ``version`` of the last version of a page."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which versions: written at or after ``since``, in force at some time between ``low`` and ``high`` (``_at``); microseconds UTC."""

    since: int | None = None
    low: int | None = None
    high: int | None = None


def history(
    store: "Store",
    types: Sequence[str],
    window: Window,
    *,
    count: int,
    after: Position | None = None,
    pk: int | None = None,
    restrict: ast.Restrict | None = None,
) -> tuple[list[Stored], Position | None]:
    """Up to ``count`` versions of resources of these types (or of the one resource ``pk``), newest first, and where to go on."""
    rows = Rows(store, restrict)
    parts = [
        _part(table, rows, store, type, window, count, after, pk, restrict)
        for type in types
        if rows.term(type) is not None
        for table in ("resource", "history")
    ]
    if not parts:
        return [], None
    sql = " UNION ALL ".join(f"SELECT * FROM ({one.sql}) AS p{place}" for place, one in enumerate(parts))
    args = tuple(arg for one in parts for arg in one.args)
    found = rows.run(f"SELECT * FROM ({sql}) AS v ORDER BY {_order('', pk)} LIMIT {count + 1}", args)
    open_body = store.database.sealer.open_body
    versions = [
        Stored(pk, (type := store.terms.text(term)), id, version, updated, bool(deleted), open_body(type, id, version, body))
        for pk, term, id, version, updated, deleted, body in found[:count]
    ]
    last = versions[-1] if len(found) > count and versions else None
    return versions, (last.updated, last.pk, last.version) if last else None


def revived(store: "Store", versions: Sequence[Stored]) -> set[tuple[int, int]]:
    """Which of these versions (pk, version) were written where the one before was a deletion."""
    pks = sorted({one.pk for one in versions if one.version > 1})
    if not pks:
        return set()
    known = all_of((among("pk", pks), Piece("deleted=TRUE")))
    return {(row[0], row[1] + 1) for row in Rows(store).run(f"SELECT pk, version FROM history WHERE {known.sql}", known.args)}


def as_of(store: "Store", stored: Stored, at: int) -> Stored | None:
    """The version of a resource that was in force at a moment (microseconds since 1970 UTC); None: there was none, or it was deleted."""
    if stored.updated <= at:
        return None if stored.deleted else stored
    sql = "SELECT version, updated, deleted, body FROM history WHERE pk=? AND updated<=? ORDER BY version DESC LIMIT 1"
    found = Rows(store).run(sql, (stored.pk, at))
    if not found or found[0][2]:
        return None
    version, updated, _, kept = found[0]
    body = store.database.sealer.open_body(stored.type, stored.id, version, kept)
    return Stored(stored.pk, stored.type, stored.id, version, updated, False, body)


def deleted(store: "Store", type: str, since: int, until: int, after: int, count: int) -> list[tuple[int, str]]:
    """Up to ``count`` (pk, id) behind a pk of resources that were deleted in a span of time and have not come back."""
    rows = Rows(store)
    known = all_of((among("type", rows.terms([type])), Piece("deleted=TRUE AND updated>=? AND updated<=? AND pk>?", (since, until, after))))
    found = rows.run(f"SELECT pk, id FROM resource WHERE {known.sql} ORDER BY pk LIMIT {int(count)}", known.args)
    return [(row[0], row[1]) for row in found]


def _part(
    table: str,
    rows: Rows,
    store: "Store",
    type: str,
    window: Window,
    count: int,
    after: Position | None,
    pk: int | None,
    restrict: ast.Restrict | None,
) -> Piece:
    """The versions of one type from one of the two tables."""
    conditions = [among("v.type", rows.terms([type]))]
    if pk is not None:
        conditions.append(Piece("v.pk=?", (pk,)))
    if after is not None:
        conditions.append(Piece("v.version<?", after[2:]) if pk is not None else Piece("(v.updated, v.pk, v.version) < (?,?,?)", after))
    if window.since is not None:
        conditions.append(Piece("v.updated>=?", (window.since,)))
    if window.high is not None and window.low is not None:
        conditions.append(Piece("v.updated<?", (window.high,)))
        # in force until the next version was written
        replaced = (
            "NOT EXISTS (SELECT 1 FROM history n WHERE n.pk=v.pk AND n.version=v.version+1 AND n.updated<=?) "
            "AND NOT EXISTS (SELECT 1 FROM resource n WHERE n.pk=v.pk AND n.version=v.version+1 AND n.updated<=?)"
        )
        conditions.append(Piece(replaced, (window.low, window.low)))
    limit = restrict(type) if restrict is not None else None
    if limit is not None:
        conditions.append(Writer(rows, restrict).bracketed(limit, "r"))
    known = all_of(conditions or [Piece(EVER)])
    join = "resource v" if table == "resource" else "history v JOIN resource r ON r.pk=v.pk"
    if table == "resource" and limit is not None:
        join = "resource v JOIN resource r ON r.pk=v.pk"
    id = "v.id" if table == "resource" else "r.id"
    columns = f"v.pk AS pk, v.type AS type, {id} AS id, v.version AS version, v.updated AS updated, v.deleted AS deleted, v.body AS body"
    return Piece(f"SELECT {columns} FROM {join} WHERE {known.sql} ORDER BY {_order('v.', pk)} LIMIT {count + 1}", known.args)


def _order(v: str, pk: int | None) -> str:
    """Newest first; of one resource by its versions, whatever clocks said."""
    return f"{v}version DESC" if pk is not None else f"{v}updated DESC, {v}pk DESC, {v}version DESC"
