"""The store as it stood at a moment: of each resource the version that was in force then.

Nothing is ever overwritten here, so what was known on a day can be read on any later day. Only keys are listed at first; whoever
keeps what they made of a version (it never changes) asks for the bodies of those alone that they do not know yet.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import bindparam, select

from healthsvc.store import writes

if TYPE_CHECKING:
    from healthsvc.store.store import Store

Version: TypeAlias = tuple[int, int]
"""Which resource (its pk), and when this version of it was written (microseconds since 1970 UTC)."""
_PORTION = 500
_NOW = "SELECT pk, updated FROM resource WHERE type=?"
_THEN = """
SELECT h.pk, h.updated FROM resource r JOIN history h ON h.pk=r.pk
WHERE r.type=? AND r.updated>=?
AND h.version=(SELECT max(x.version) FROM history x WHERE x.pk=r.pk AND x.updated<?)
"""
_CODED = " AND {pk} IN (SELECT t.pk FROM ix_token t WHERE t.param=? AND t.system=?)"


def versions(store: "Store", type: str, *, before: int | None = None, coded: tuple[str, str] | None = None) -> list[Version]:
    """The versions in force, deletions among them: now, or just before a moment (microseconds since 1970 UTC).

    ``coded``: only resources that carry (now) a code of that system in that search parameter: ``("code", system)``.
    """
    term = store.terms.find(type)
    if term is None:
        return []
    narrowed: tuple[int, ...] = ()
    if coded is not None:
        param, system = store.terms.find(f"{type}.{coded[0]}"), store.terms.find(coded[1])
        if param is None or system is None:
            return []
        narrowed = (param, system)
    now, then = (_NOW + _CODED.format(pk="pk"), _THEN + _CODED.format(pk="r.pk")) if narrowed else (_NOW, _THEN)
    if before is None:
        return _rows(store, now, (term, *narrowed))
    return _rows(store, now + " AND updated<?", (term, *narrowed, before)) + _rows(store, then, (term, before, before, *narrowed))


def bodies(store: "Store", wanted: Sequence[Version]) -> Iterator[tuple[Version, bytes]]:
    """The bodies of those versions, in no order; a deletion has an empty one."""
    for table in (writes.RESOURCE, writes.HISTORY):
        statement = (
            select(table.c.pk, table.c.updated, table.c.deleted, table.c.version, table.c.body, table.c.type, writes.RESOURCE.c.id)
            .select_from(table if table is writes.RESOURCE else table.join(writes.RESOURCE, writes.RESOURCE.c.pk == table.c.pk))
            .where(table.c.pk.in_(bindparam("pks", expanding=True)))
        )
        left: list[Version] = []
        for start in range(0, len(wanted), _PORTION):
            portion = wanted[start : start + _PORTION]
            asked = set(portion)
            found: dict[Version, tuple[int, bytes, int, str]] = {}
            for pk, updated, deleted, version, body, type, id in store.connection.execute(statement, {"pks": [pk for pk, _ in portion]}):
                key = (pk, updated)
                # a resource written twice in one transaction has two versions of the same moment; others saw the later one alone
                if key in asked and (key not in found or found[key][0] < version):
                    found[key] = (version, b"" if deleted else bytes(body), type, id)
            for key, (version, body, type, id) in found.items():
                yield key, store.opened(store.terms.text(type), id, version, body)
            left += [one for one in portion if one not in found]
        wanted = left


def _rows(store: "Store", sql: str, args: tuple[int, ...]) -> list[Version]:
    if store.connection.dialect.name == "postgresql":
        sql = sql.replace("?", "%s")
    return list(map(tuple, writes.run(store.connection, sql, args).fetchall()))
