"""Search as FHIR clients know it (R4 3.1.1), over the index tables; the REST API and the rooms both use it.

page = search(store, "Task", "patient=Patient/1&status=requested,accepted&_sort=-period")
for task in page.resources: ...
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from healthsvc.errors import Issue, NotSupported, Refusal
from healthsvc.fhir.json import Resource, reread
from healthsvc.fhir.registry import Registry
from healthsvc.store.driver import run
from healthsvc.store.reindex import is_current
from healthsvc.store.search import ast
from healthsvc.store.search.counting import count, count_freely
from healthsvc.store.search.include import Includer
from healthsvc.store.search.leaf import all_of, among
from healthsvc.store.search.options import Options, is_result, parse_options
from healthsvc.store.search.parse import Parsed, Parser, must_be_texts
from healthsvc.store.search.parts import about
from healthsvc.store.search.plan import Plan, Slice
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.sql import Writer
from healthsvc.store.search.text import escaped
from healthsvc.store.search.values import BadValue, Codes, Setting
from healthsvc.store.stored import Stored

if TYPE_CHECKING:
    from healthsvc.store.store import Store

DEFAULT_COUNT = 50
FREE_TOTAL = 1000
"""Matches that are counted without being asked to; where there are more, the total stands only in answers to ``_total``."""
ESTIMATED_TOTAL = 10_000
ACCURATE_TOTAL = 10_000_000
"""Bounds of ``_total=estimate`` and ``accurate``."""
BATCH = 1000
PROBED_PEOPLE = 4
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
"""A logical id (R4 2.24.0.1); whatever else may stand for a person is for the search to read."""
_POINTS_TO = "SELECT 1 FROM ix_reference WHERE param = ? AND target = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search."""

    matches: list[Stored]
    included: list[Stored]
    issues: tuple[Issue, ...]
    """What was not understood, and therefore not applied."""
    total: int | None
    """All matches on all pages; None where they were not counted."""
    next: str | None
    """The position from which the next page goes on; it may hold values of persons, so it never goes into a url as it is."""
    applied: tuple[tuple[str, str], ...]
    """The parameters that were applied."""
    summary: str = "false"
    elements: tuple[str, ...] = ()

    @property
    def resources(self) -> list[Resource]:
        """The matches, parsed; each yours to change."""
        return [one.resource for one in self.matches]


def search(
    store: "Store",
    type: str | None,
    query: str | Sequence[tuple[str, str]],
    *,
    count: int | None = None,
    page: str | None = None,
    restrict: ast.Restrict | None = None,
    strict: bool | None = None,
    bases: frozenset[str] = frozenset(),
    within: ast.Node | None = None,
    count_max: int = BATCH,
    codes: Codes | None = None,
) -> Page:
    """Search one resource type, or all (None; ``_type`` narrows).

    Args:
        query: a query string or its pairs.
        count: matches on a page where the query has no ``_count``.
        page: :attr:`Page.next` of the page before.
        restrict: what the actor may see of a type.
        strict: refuse all that is not understood (True) or leave it out with a warning (False); None: refuse only what would turn the
            answer into that of another question (a modifier, ``_filter``, ``_text``).
        bases: urls of this server, under which absolute references are ours.
        within: a further condition (a compartment).
        codes: what is in a value set (``:in``, ``:not-in``), above or below a code (``:above``, ``:below``).

    Raises:
        Refusal: a value cannot be read, or a parameter is not understood and ``strict`` does not let it pass.
    """
    pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query)
    registry = cast(Registry, store.database.language)
    types, parsed, options, issues = _understood(store, registry, type, pairs, strict, bases, codes)
    rows = Rows(store, restrict)
    nodes = [*parsed.nodes, *([within] if within is not None else [])]
    if restrict is not None:
        limited = [(one, restrict(one)) for one in types]
        nodes += _limits(limited)
    theirs = rows.about(about(store, registry, types, nodes))
    plan = Plan(theirs, Writer(theirs, restrict), types, nodes[0] if len(nodes) == 1 else ast.All(tuple(nodes)), options.keys)
    size = min(options.count if options.count is not None else count or DEFAULT_COUNT, count_max)
    counting = options.summary == "count" or size == 0
    cut = Slice([], None) if counting else plan.page(size, _position(page), FREE_TOTAL if page is None and options.total is None else 0)
    included, more = Includer(registry, rows, Writer(rows, restrict)).follow(cut.rows, options.includes) if options.includes else ([], [])
    applied = tuple(pair for pair in pairs if pair in parsed.applied or pair in options.applied or pair[0] == "_type")
    next_page = json.dumps(cut.position, ensure_ascii=False) if cut.position is not None else None
    total = _total(plan, options, cut, counting, first=page is None)
    return Page(cut.rows, included, (*issues, *more), total, next_page, applied, options.summary, options.elements)


def _understood(
    store: "Store",
    registry: Registry,
    type: str | None,
    pairs: Sequence[tuple[str, str]],
    strict: bool | None,
    bases: frozenset[str] = frozenset(),
    codes: Codes | None = None,
) -> tuple[list[str], Parsed, Options, tuple[Issue, ...]]:
    """What a query asks, before anything is looked for: types, filters, options, and what was left out."""
    if type is not None and not registry.is_type(type):
        raise NotSupported("this is not an R4 resource type")
    must_be_texts(pairs)
    types = [type] if type is not None else _types(registry, store, pairs)
    kept = pairs if type is not None else [pair for pair in pairs if pair[0] != "_type"]
    setting = Setting(store.zone.key, store.at, store.database.bases, bases, codes, partial(is_current, store))
    parsed = Parser(registry, setting).parse(types, [pair for pair in kept if not is_result(pair[0])])
    options = parse_options(registry, types, [pair for pair in kept if is_result(pair[0])])
    return types, parsed, options, tuple(_judged([*parsed.issues, *options.issues], strict))


def _judged(issues: Sequence[Issue], strict: bool | None) -> list[Issue]:
    """The issues as warnings, unless they are to be refused."""
    grave = [one for one in issues if strict or (strict is None and one.severity == "error")]
    if grave:
        raise Refusal(_refused(grave[0].text), issues=[Issue(_refused(one.text), one.code, one.path, "error") for one in grave])
    return [Issue(one.text, one.code, one.path, "warning") for one in issues]


def _refused(text: str) -> str:
    """A warning's words where nothing was ignored after all."""
    for ending in (" and was ignored", "; the parameter was ignored", "; it was ignored", "; that part of _sort was ignored"):
        text = text.removesuffix(ending)
    return text


def _limits(limited: Sequence[tuple[str, ast.Node | None]]) -> list[ast.Node]:
    """What the actor may see, over all searched types."""
    if all(node is None for _, node in limited):
        return []
    if len(limited) == 1:
        return [node for _, node in limited if node is not None]
    return [ast.Any(tuple(ast.OfType((type,)) if node is None else ast.All((ast.OfType((type,)), node)) for type, node in limited))]


def _types(registry: Registry, store: "Store", pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The types of a search over several: those of ``_type``, else all that were ever stored."""
    named = [one for name, value in pairs if name == "_type" for one in value.split(",") if one]
    wrong = [one for one in named if not registry.is_type(one)]
    if wrong:
        raise BadValue("_type names something that is not an R4 resource type", path="_type")
    return list(dict.fromkeys(named)) or [one for one in sorted(registry.types) if store.terms.find(one) is not None] or ["Patient"]


def _position(page: str | None) -> list[Any] | None:
    return None if page is None else cast(list[Any], json.loads(page))


def _total(plan: Plan, options: Options, cut: Slice, counting: bool, *, first: bool) -> int | None:
    if counting or options.total == "accurate":
        return count(plan, ACCURATE_TOTAL)
    if options.total == "none":
        return None
    if first and cut.position is None:
        return len(cut.rows)
    return count(plan, ESTIMATED_TOTAL) if options.total == "estimate" else count_freely(plan, FREE_TOTAL)


def may_see(store: "Store", stored: Stored, restrict: ast.Restrict) -> bool:
    """Whether a stored resource is within what an actor may see."""
    limit = restrict(stored.type)
    if limit is None:
        return True
    rows = Rows(store, restrict)
    known = all_of((among("r.pk", [stored.pk]), Writer(rows, restrict).bracketed(limit, "r")))
    return bool(rows.run(f"SELECT 1 FROM resource r WHERE {known.sql}", known.args))


def select_all(store: "Store", type: str, params: Mapping[str, Any], restrict: ast.Restrict | None = None) -> list[Resource]:
    """All matches, parsed; where nothing of the type is about a person, one probe tells it.

    Names are Python's: ``a_b`` means ``a-b``, ``status__not`` means ``status:not``; a list means any of them.

    Raises:
        Refusal: a parameter or a value is not understood (a mistake of the caller: nothing is left out here).
    """
    if _has_none(store, type, params.get("patient")):
        _understood(store, cast(Registry, store.database.language), type, _pairs(params), strict=True)  # a mistake is refused here, too
        return []
    return [reread(one.body) for one in matches_all(store, type, params, restrict)]


def _has_none(store: "Store", type: str, patient: Any) -> bool:
    """Whether nothing of a type points to these persons: what rooms ask most often of somebody whose file has just been opened."""
    people = [patient] if isinstance(patient, str) else patient
    code = store.terms.find(f"{type}.patient")
    if not isinstance(people, list) or code is None or len(people) > PROBED_PEOPLE or store.connection.dialect.name != "sqlite":
        return False
    return all(_ID.fullmatch(one) and run(store.connection, _POINTS_TO, (code, one)).fetchone() is None for one in people)


def matches_all(store: "Store", type: str, params: Mapping[str, Any], restrict: ast.Restrict | None = None) -> Iterator[Stored]:
    """As :func:`select_all`, unparsed, for whoever needs little of many."""
    query = [*_pairs(params), ("_total", "none")]
    page: str | None = None
    while True:
        got = search(store, type, query, count=BATCH, page=page, restrict=restrict, strict=True)
        yield from got.matches
        page = got.next
        if page is None:
            return


def _pairs(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(_name(name), _value(value)) for name, value in params.items() if value is not None]


def _name(name: str) -> str:
    code, mark, modifier = name.partition("__")
    head = "_" if code.startswith("_") else ""
    return head + code[len(head) :].replace("_", "-") + (f":{modifier.replace('_', '-')}" if mark else "")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(_value(one) for one in value)
    # "|" separates a system from its code and stays; a comma would make two values of one
    return escaped(str(value)).replace(r"\|", "|").replace(r"\$", "$")


__all__ = ["Page", "may_see", "search", "select_all"]
