"""All that belongs to one patient, whatever its type, and what it refers to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from healthsvc.fhir.registry import Registry
from healthsvc.store.search import ast
from healthsvc.store.search.include import Includer
from healthsvc.store.search.leaf import all_of, among
from healthsvc.store.search.options import Include
from healthsvc.store.search.parts import stays
from healthsvc.store.search.rows import COLUMNS, Rows
from healthsvc.store.search.sql import LIVE, Writer
from healthsvc.store.stored import Stored
from healthsvc.store.tenancy.within import of_people

if TYPE_CHECKING:
    from healthsvc.store.store import Store

_REFERRED = Include(reverse=False, source=None, param=None, target=None, again=False)


def everything(
    store: "Store",
    registry: Registry,
    patient: str,
    types: Sequence[str],
    condition: Callable[[str], ast.Node | None],
    *,
    count: int,
    after: int = 0,
    restrict: ast.Restrict | None = None,
) -> tuple[list[Stored], list[Stored], int | None]:
    """Up to ``count`` members of the patient compartment behind a pk, what they refer to outside of it, and the pk to go on from."""
    rows = Rows(store, restrict)
    writer = Writer(rows, restrict)
    params = rows.params([f"{type}.{ast.COMPARTMENT}" for type in types])
    narrowed: list[ast.Node] = []
    for type in types:
        limits = [one for one in (condition(type), restrict(type) if restrict else None) if one is not None]
        if limits and rows.term(type) is not None:
            narrowed.append(ast.Any((ast.Not(ast.OfType((type,))), ast.All(tuple(limits)))))
    member = all_of((among("x.param", params), among("x.target", [patient]), among("x.target_type", rows.terms(["Patient"]))))
    theirs = rows.about(of_people(store, [patient]) if all(map(stays, narrowed)) else None)
    tests = writer.test(ast.All(tuple(narrowed)), "r")
    sql = (
        f"SELECT {COLUMNS} FROM resource r WHERE r.pk IN (SELECT x.pk FROM ix_reference x WHERE {member.sql}) "
        f"AND r.pk>? AND r.{LIVE} AND {tests.sql} ORDER BY r.pk LIMIT {count + 1}"
    )
    found = [rows.stored(row) for row in theirs.run(sql, (*member.args, after, *tests.args))]
    page = found[:count]
    referred, _ = Includer(registry, rows, writer).follow(page, [_REFERRED]) if page else ([], [])
    inside = set(registry.types) & {type for type in registry.types if registry.patient_compartment(type)}
    outside = [one for one in referred if one.type not in inside]
    return page, outside, page[-1].pk if len(found) > count else None
