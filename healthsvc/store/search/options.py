"""What a search says of its result: order, page size, what to include, how much of each resource, and whether to count."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from healthsvc.errors import Issue
from healthsvc.fhir import facts
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.routes import routes
from healthsvc.store.search import ast
from healthsvc.store.search.order import COLUMN_KEYS, Key
from healthsvc.store.search.parse import LEAF_KINDS, shown
from healthsvc.store.search.values import BadValue

SUMMARIES = ("true", "text", "data", "count", "false")
TOTALS = ("none", "estimate", "accurate")
RESULT = frozenset(
    {"_sort", "_count", "_include", "_revinclude", "_summary", "_elements", "_total", "_contained", "_containedType", "_score"}
)
"""Names (before a modifier) that describe the result and do not filter."""


@dataclass(frozen=True, slots=True)
class Include:
    """One ``_include`` or ``_revinclude``: of which type, by which parameters, to which type; ``again``: also from what was included."""

    reverse: bool
    source: str | None
    """None: any (``*``)."""
    param: str | None
    target: str | None
    again: bool


@dataclass(slots=True)
class Options:
    """All that a search says of its result."""

    keys: list[Key] = field(default_factory=list)
    count: int | None = None
    includes: list[Include] = field(default_factory=list)
    summary: str = "false"
    elements: tuple[str, ...] = ()
    total: str | None = None
    applied: list[tuple[str, str]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def is_result(name: str) -> bool:
    """Whether a parameter describes the result."""
    return name.partition(":")[0] in RESULT


def parse_options(registry: Registry, types: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Options:
    """Read the result parameters.

    Raises:
        BadValue: a value cannot be read.
    """
    options = Options()
    for name, value in pairs:
        before = len(options.issues)
        _one(registry, types, name, value, options)
        if len(options.issues) == before:
            options.applied.append((name, value))
    return options


def _one(registry: Registry, types: Sequence[str], name: str, value: str, options: Options) -> None:
    code, _, modifier = name.partition(":")
    match code:
        case "_sort":
            for one in filter(None, value.split(",")):
                _sort(registry, types, one, options)
        case "_count":
            options.count = _number(value)
        case "_include" | "_revinclude":
            _include(registry, code == "_revinclude", modifier, value, options)
        case "_summary":
            options.summary = _choice(code, value, SUMMARIES)
        case "_elements":
            _elements(registry, types, [one.strip() for one in value.split(",") if one.strip()], options)
        case "_total":
            options.total = _choice(code, value, TOTALS)
        case "_contained" if value == "false":
            pass
        case _:
            options.issues.append(Issue(f"{shown(name)} is not offered and was ignored", "not-supported", shown(name), "warning"))


def _elements(registry: Registry, types: Sequence[str], asked: Sequence[str], options: Options) -> None:
    """Names of elements at the top, with or without their type; one that no searched type has is told."""
    named = [one.split(".")[-1] if one.count(".") == 1 else one for one in asked]
    options.elements += tuple(named)
    for one in named:
        if types and not any(registry.has_element(type, one) for type in types):
            text = f"{shown(one)} is no element of what is searched; that part of _elements was ignored"
            options.issues.append(Issue(text, "not-supported", "_elements", "warning"))


def _number(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise BadValue("_count takes a whole number from 0", path="_count")
    return int(value)


def _choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise BadValue(f"{name} takes one of {', '.join(choices)}", path=name)
    return value


def _sort(registry: Registry, types: Sequence[str], text: str, options: Options) -> None:
    descending, code = text.startswith("-"), text.removeprefix("-")
    if code in COLUMN_KEYS:
        options.keys.append(Key(None, (code,), descending))
        return
    found = [registry.parameter(type, code) for type in types]
    kinds = {LEAF_KINDS.get(one.type, one.type) for one in found if one is not None}
    if None in found or len(kinds) != 1 or kinds & {"composite"} or (found[0] and found[0].type == "special"):
        options.issues.append(Issue(f"cannot sort by {shown(code)}; that part of _sort was ignored", "not-supported", "_sort", "warning"))
        return
    kind = cast(ast.Kind, kinds.pop())
    single = kind == "date" and all(one is not None and has_one_value(one.expression, type) for one, type in zip(found, types, strict=True))
    params = tuple(one for type in types for one in registry.filed_under(type, code))
    options.keys.append(Key(kind, params, descending, single))


@lru_cache(maxsize=4096)
def has_one_value(expression: str, type: str) -> bool:
    """Whether a resource of the type can have only one value of a date parameter: one way to it, and no list on the way."""
    ways = set()
    for route in routes(expression, type):
        here, names = type, []
        for step in route.steps:
            if not isinstance(step, str) or step not in facts.shape(here).keys:
                return False
            element, ref = facts.shape(here).keys[step]
            if element.max != 1:
                return False
            here = ref.name
            names.append(element.name)
        ways.add(tuple(names))
    return len(ways) == 1


def _include(registry: Registry, reverse: bool, modifier: str, value: str, options: Options) -> None:
    name = "_revinclude" if reverse else "_include"
    source, param, target = (*value.split(":"), None, None)[:3] if value.count(":") <= 2 else (None, None, "")
    again = modifier in ("iterate", "recurse")
    known = value == "*" or (source is not None and (source == "*" or registry.is_type(source)))
    if known and param not in (None, "*") and source is not None:
        found = registry.parameter(source, str(param))
        known = found is not None and found.type == "reference" and (not target or not found.targets or target in found.targets)
    if known and (param is None) != (value == "*"):
        known = False
    if not known or (modifier and not again) or (target and not registry.is_type(target)):
        text = f"{name}={shown(value)} names no reference parameter that we have; it was ignored"
        if modifier and not again:
            text = f"{name} has the modifier :iterate alone, not :{shown(modifier)}; it was ignored"
        options.issues.append(Issue(text, "not-supported", name, "warning"))
        return
    any_source = source is None or source == "*"
    options.includes.append(
        Include(reverse, None if any_source else source, None if param in (None, "*") else param, target or None, again)
    )
