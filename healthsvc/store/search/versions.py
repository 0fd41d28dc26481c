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
FEW_RESOURCES = 1000
"""The versions of so many resources are counted though nobody asked for it (about a millisecond)."""


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
        _part(table, rows, type, window, count, after, pk, restrict)
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


def total(
    store: "Store", types: Sequence[str], window: Window, *, pk: int | None = None, restrict: ast.Restrict | None = None, freely: bool
) -> int | None:
    """How many versions :func:`history` has to give on all its pages together.

    ``freely``: only where few resources can have such versions (:data:`FEW_RESOURCES`), else None. What was last written before
    ``since`` has none. Both tables are counted along an index of type and moment: no body is read.
    """
    rows = Rows(store, restrict)
    known = [one for one in types if rows.term(one) is not None]
    if freely and pk is None:
        since = Piece(EVER) if window.since is None else Piece("updated>=?", (window.since,))
        left = FEW_RESOURCES + 1
        for type in known:
            some = all_of((among("type", rows.terms([type])), since))
            left -= int(rows.run(f"SELECT count(*) FROM (SELECT 1 FROM resource WHERE {some.sql} LIMIT {left}) AS c", some.args)[0][0])
            if left <= 0:
                return None
    found = 0
    for type in known:
        limited = " JOIN resource r ON r.pk=v.pk" if restrict is not None and restrict(type) is not None else ""
        for table in ("resource", "history"):
            v, source = ("r", "resource r") if table == "resource" else ("v", f"history v{limited}")
            counted = all_of(_conditions(rows, type, window, pk, restrict, v=v))
            found += int(rows.run(f"SELECT count(*) FROM {source} WHERE {counted.sql}", counted.args)[0][0])
    return found


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
    type: str,
    window: Window,
    count: int,
    after: Position | None,
    pk: int | None,
    restrict: ast.Restrict | None,
) -> Piece:
    """The versions of one type from one of the two tables."""
    conditions = _conditions(rows, type, window, pk, restrict)
    if after is not None:
        conditions.append(Piece("v.version<?", after[2:]) if pk is not None else Piece("(v.updated, v.pk, v.version) < (?,?,?)", after))
    known = all_of(conditions)
    limited = restrict is not None and restrict(type) is not None
    join = "resource v" if table == "resource" else "history v JOIN resource r ON r.pk=v.pk"
    if table == "resource" and limited:
        join = "resource v JOIN resource r ON r.pk=v.pk"
    id = "v.id" if table == "resource" else "r.id"
    columns = f"v.pk AS pk, v.type AS type, {id} AS id, v.version AS version, v.updated AS updated, v.deleted AS deleted, v.body AS body"
    return Piece(f"SELECT {columns} FROM {join} WHERE {known.sql} ORDER BY {_order('v.', pk)} LIMIT {count + 1}", known.args)


def _conditions(rows: Rows, type: str, window: Window, pk: int | None, restrict: ast.Restrict | None, *, v: str = "v") -> list[Piece]:
    """What is asked of a version ``v``, and of its resource ``r`` where the actor may see only some."""
    conditions = [among(f"{v}.type", rows.terms([type])) if pk is None else Piece(f"{v}.pk=?", (pk,))]
    if window.since is not None:
        conditions.append(Piece(f"{v}.updated>=?", (window.since,)))
    if window.high is not None and window.low is not None:
        conditions.append(Piece(f"{v}.updated<?", (window.high,)))
        # in force until the next version was written
        replaced = (
            f"NOT EXISTS (SELECT 1 FROM history n WHERE n.pk={v}.pk AND n.version={v}.version+1 AND n.updated<=?) "
            f"AND NOT EXISTS (SELECT 1 FROM resource n WHERE n.pk={v}.pk AND n.version={v}.version+1 AND n.updated<=?)"
        )
        conditions.append(Piece(replaced, (window.low, window.low)))
    limit = restrict(type) if restrict is not None else None
    if limit is not None:
        conditions.append(Writer(rows, restrict).bracketed(limit, "r"))
    return conditions


def _order(v: str, pk: int | None) -> str:
    """Newest first; of one resource by its versions, whatever clocks said."""
    return f"{v}version DESC" if pk is not None else f"{v}updated DESC, {v}pk DESC, {v}version DESC"
