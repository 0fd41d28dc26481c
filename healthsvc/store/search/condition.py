"""The filters of a search as a condition that stands by itself: for what is asked again and again of single resources or whole types."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from healthsvc.errors import Issue, Refusal
from healthsvc.fhir.registry import Registry
from healthsvc.store import writes
from healthsvc.store.reindex import is_current
from healthsvc.store.search import ast
from healthsvc.store.search.leaf import EVER, Piece, all_of, among
from healthsvc.store.search.options import is_result
from healthsvc.store.search.parse import Parser, shown
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.sql import LIVE, Writer
from healthsvc.store.search.values import Setting
from healthsvc.store.stored import Stored, bare_of

if TYPE_CHECKING:
    from healthsvc.store.store import Store


def condition(store: "Store", type: str, query: str | Sequence[tuple[str, str]], bases: frozenset[str] = frozenset()) -> ast.Node:
    """What a query (its string or its pairs) asks of one resource type; nothing is left out of it.

    Raises:
        Refusal: a parameter is not understood, says something of a result (``_sort``), or has a value that cannot be read.
    """
    pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query)
    for name, _ in pairs:
        if is_result(name):
            raise Refusal(f"{shown(name)} describes a result; only filters can stand here", path=shown(name))
    setting = Setting(store.zone.key, store.at, store.database.bases, bases, derives=partial(is_current, store))
    parser = Parser(cast(Registry, store.database.language), setting)
    parsed = parser.parse((type,), pairs)
    if parsed.issues:
        issues = [Issue(one.text.removesuffix(" and was ignored"), one.code, one.path) for one in parsed.issues]
        raise Refusal(issues[0].text, issues=issues)
    return parsed.nodes[0] if len(parsed.nodes) == 1 else ast.All(tuple(parsed.nodes))


def held(store: "Store", version: Stored, node: ast.Node) -> bool:
    """Whether a condition holds for one version of a resource, whatever has become of the resource since.

    A former version is indexed for the question and the index then put back: the answer is the search's own, and no second reading of
    what parameters mean. Needs a transaction that may write.
    """
    current = Rows(store).current(version.type, version.id)
    if current is not None and current.version == version.version:
        return holds(store, version.pk, node)
    try:
        with store.savepoint():
            part, entries = (current.part if current else None) or 0, store.database.extract(bare_of(version.resource))
            writes.clear_index(store.connection, version.pk, part)
            writes.write_index(store.connection, store.terms, version.type, version.pk, entries, part=part)
            raise _Answered(_tested(store, version.pk, node, None, living=False))
    except _Answered as answered:
        return answered.holds


class _Answered(Exception):
    """Ends the question about a former version."""

    def __init__(self, holds: bool) -> None:
        super().__init__()
        self.holds = holds


def holds(store: "Store", pk: int, node: ast.Node, restrict: ast.Restrict | None = None) -> bool:
    """Whether a condition holds for one living resource as it is indexed now."""
    return _tested(store, pk, node, restrict, living=True)


def _tested(store: "Store", pk: int, node: ast.Node, restrict: ast.Restrict | None, *, living: bool) -> bool:
    rows = Rows(store)
    known = all_of((among("r.pk", [pk]), Writer(rows, restrict).bracketed(node, "r"), Piece(f"r.{LIVE}" if living else EVER)))
    return bool(rows.run(f"SELECT 1 FROM resource r WHERE {known.sql}", known.args))
