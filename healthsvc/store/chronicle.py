"""What belongs to one person and when it was, from the index alone: a file of thousands of resources is paged without reading them.

Whoever asks has been let to the person's file; under SMART scopes each resource is asked about once more (:func:`bodies`).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from healthsvc.fhir.json import Resource
from healthsvc.store.driver import for_driver, run
from healthsvc.store.stored import Stored
from healthsvc.store.tenancy.within import of_people, within
from healthsvc.store.writes import COMPARTMENT

if TYPE_CHECKING:
    from healthsvc.store.store import Store

_CHUNK = 400
"""Marks in one statement."""
_THEIRS = "FROM ix_reference c JOIN {table} x ON x.pk = c.pk WHERE c.param = ? AND c.target IN ({files}) AND x.param = ?"

Dates = dict[int, tuple[int, int]]
"""pk -> microseconds since 1970 UTC, half-open."""


def dates(store: "Store", type: str, files: Sequence[str], param: str) -> Dates:
    """When the resources of a type were, by one search parameter; those without a date are not among them."""
    rows = _theirs(store, "x.pk, x.low, x.high", "ix_date", type, files, param)
    found: Dates = {}
    for pk, low, high in rows:
        held = found.get(pk)
        found[pk] = (low, high) if held is None else (min(low, held[0]), max(high, held[1]))
    return found


def coded(store: "Store", type: str, files: Sequence[str], params: tuple[str, ...], codes: Iterable[str]) -> dict[int, set[str]]:
    """Which resources of a type carry one of these codes by one of these parameters, and which of them: pk -> codes."""
    wanted = sorted(set(codes))
    found: dict[int, set[str]] = {}
    for param in params:
        for pk, code in _theirs(store, "x.pk, x.code", "ix_token", type, files, param, f" AND x.code IN ({_marks(wanted)})", wanted):
            found.setdefault(pk, set()).add(code)
    return found


def targets(store: "Store", type: str, files: Sequence[str], param: str) -> list[tuple[int, str]]:
    """Where the resources of a type point by a reference parameter: pk and id, once for each reference."""
    return [(pk, target) for pk, target in _theirs(store, "x.pk, x.target", "ix_reference", type, files, param)]


def ids(store: "Store", type: str, files: Sequence[str], only: Collection[str] | None = None) -> dict[str, int]:
    """The resources of a type that are in these files, of those ids where ids are given: id -> pk."""
    param = store.terms.find(f"{type}.{COMPARTMENT}")
    if param is None or (only is not None and not only):
        return {}
    sql = f"SELECT r.id, r.pk FROM ix_reference c JOIN resource r ON r.pk = c.pk WHERE c.param = ? AND c.target IN ({_marks(files)})"  # noqa: S608
    if only is None or len(only) > _CHUNK:
        return {id: pk for id, pk in _run(store, sql, (param, *files), files) if only is None or id in only}
    return dict(_run(store, f"{sql} AND r.id IN ({_marks(list(only))})", (param, *files, *only), files))


def bodies(store: "Store", pks: Iterable[int]) -> Iterator[tuple[int, Resource]]:
    """The resources themselves, in the order of their pk."""
    wanted = sorted(set(pks))
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        sql = f"SELECT r.pk, r.type, r.id, r.version, r.updated, r.body FROM resource r WHERE r.pk IN ({_marks(some)}) AND NOT r.deleted ORDER BY r.pk"  # noqa: S608, E501
        for pk, type, id, version, updated, body in _run(store, sql, some):
            name = store.terms.text(type)
            stored = Stored(pk, name, id, version, updated, False, store.opened(name, id, version, body))
            if store.actor.scopes is None or store.sees(stored):
                yield pk, stored.resource


def _theirs(
    store: "Store", columns: str, table: str, type: str, files: Sequence[str], param: str, more: str = "", args: Sequence[object] = ()
) -> list[Any]:
    compartment, wanted = store.terms.find(f"{type}.{COMPARTMENT}"), store.terms.find(f"{type}.{param}")
    if compartment is None or wanted is None:
        return []
    sql = f"SELECT {columns} {_THEIRS.format(table=table, files=_marks(files))}{more}"
    return _run(store, sql, (compartment, *files, wanted, *args), files)


def _run(store: "Store", sql: str, args: Sequence[object], files: Sequence[str] = ()) -> list[Any]:
    """Rows of a statement; about these files, where it is about some."""
    if files and (parts := of_people(store, files)) is not None:
        sql = within(sql, parts)
    return list(run(store.connection, for_driver(store.connection, sql), tuple(args)).fetchall())


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
