"""FHIRPath's functions, as far as R4's own definitions and patches use them."""

import re
from collections.abc import Callable
from typing import Any

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir import conversions, reference
from healthsvc.fhir.fhirpath import Node
from healthsvc.fhir.items import BOOLEAN, INTEGER, STRING, Item, Items, Path, Scope, children, is_a, truth, type_of
from healthsvc.fhir.operators import distinct, known, same

Args = tuple[Path, ...]


BROKEN = (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError, re.error)
"""What Python says when a function is given something that it cannot work on."""


def call(name: str, args: tuple[Node, ...], compile_node: Callable[[Node], Path]) -> Path:
    """A function call as a function of the focus; what it cannot work on is refused."""
    path = called(name, args, compile_node)

    def run(focus: Items, scope: Scope) -> Items:
        try:
            return path(focus, scope)
        except BROKEN as error:
            raise Invalid(f"FHIRPath {name}() cannot work on what it was given here") from error

    return run


def called(name: str, args: tuple[Node, ...], compile_node: Callable[[Node], Path]) -> Path:
    """The function without that care."""
    if name in ("as", "is", "ofType"):
        wanted = type_name(args[0])
        if name == "is":
            return lambda focus, scope: truth(is_a(focus[0], wanted)) if focus else []
        return lambda focus, scope: [one for one in focus if is_a(one, wanted)]
    paths = tuple(map(compile_node, args))
    if name in EACH:
        return EACH[name](paths)
    if name in WHOLE:
        whole = WHOLE[name]
        return lambda focus, scope: whole(focus, [path([scope.this], scope) for path in paths])
    if name in TEXT:
        text = TEXT[name]
        return lambda focus, scope: text_call(text, focus, [path([scope.this], scope) for path in paths])
    raise NotSupported(f"FHIRPath function {name}() is not offered")


def type_name(node: Node) -> str:
    """The type that ``ofType(FHIR.Patient)`` names."""
    return str(node[1]) if node[0] == "name" else type_name(node[2])


def each(path: Path, focus: Items, scope: Scope) -> list[tuple[Item, Items]]:
    """The criterion for every item, with ``$this`` and ``$index``."""
    return [(one, path([one], scope._replace(this=one, place=place))) for place, one in enumerate(focus)]


def where(paths: Args) -> Path:
    """Items that meet the criterion."""
    return lambda focus, scope: [one for one, found in each(paths[0], focus, scope) if known(found) is True]


def select(paths: Args) -> Path:
    """What the expression gives for every item."""
    return lambda focus, scope: [inner for _, found in each(paths[0], focus, scope) for inner in found]


def every(paths: Args) -> Path:
    """Whether all items meet the criterion; true for none."""
    return lambda focus, scope: truth(all(known(found) is True for _, found in each(paths[0], focus, scope)))


def exists(paths: Args) -> Path:
    """Whether there is any item (that meets the criterion)."""
    if not paths:
        return lambda focus, scope: truth(bool(focus))
    return lambda focus, scope: truth(any(known(found) is True for _, found in each(paths[0], focus, scope)))


def repeat(paths: Args) -> Path:
    """What the expression gives, and again from there, until nothing new comes."""

    def run(focus: Items, scope: Scope) -> Items:
        found: Items = []
        here = focus
        while here:
            here = [inner for _, inners in each(paths[0], here, scope) for inner in inners if inner not in found]
            found += here
        return found

    return run


def iif(paths: Args) -> Path:
    """One of two, by a criterion."""

    def run(focus: Items, scope: Scope) -> Items:
        inner = scope._replace(this=focus[0]) if len(focus) == 1 else scope
        if known(paths[0](focus, inner)) is True:
            return paths[1](focus, inner)
        return paths[2](focus, inner) if len(paths) > 2 else []

    return run


def aggregate(paths: Args) -> Path:
    """Fold the items into one value, with ``$total``."""

    def run(focus: Items, scope: Scope) -> Items:
        total = paths[1](focus, scope) if len(paths) > 1 else []
        for place, one in enumerate(focus):
            total = paths[0]([one], scope._replace(this=one, place=place, total=total))
        return total

    return run


def trace(paths: Args) -> Path:
    """The focus as it is: tracing would write values of people into logs."""
    return lambda focus, scope: focus


def extension(paths: Args) -> Path:
    """The extensions of that url."""

    def run(focus: Items, scope: Scope) -> Items:
        url = paths[0](focus, scope)[0].value
        return [inner for one in focus for inner in children(one, "extension") if inner.value.get("url") == url]

    return run


def resolve(paths: Args) -> Path:
    """The resource that a reference names, as far as the reference itself tells: contained ones whole, others by type only."""

    def run(focus: Items, scope: Scope) -> Items:
        found = (resolved(one, scope) for one in focus)
        return [one for one in found if one]

    return run


def resolved(item: Item, scope: Scope) -> Item | None:
    """The target of one reference."""
    text = item.value.get("reference") if isinstance(item.value, dict) else item.value
    if not isinstance(text, str):
        return None
    if text.startswith("#"):
        inside = scope.root.value.get("contained", ())
        return next((Item(one, type_of(one)) for one in inside if isinstance(one, dict) and one.get("id") == text[1:]), None)
    to = reference.parse(text)
    return Item({"resourceType": to.type, "id": to.id}, to.type) if to.type else None


EACH: dict[str, Callable[[Args], Path]] = {
    "where": where,
    "select": select,
    "all": every,
    "exists": exists,
    "any": exists,
    "repeat": repeat,
    "iif": iif,
    "aggregate": aggregate,
    "trace": trace,
    "extension": extension,
    "resolve": resolve,
}


def descendants(focus: Items) -> Items:
    """All children, their children and so on."""
    found: Items = []
    for one in focus:
        inner = children(one)
        found += inner + descendants(inner)
    return found


def type_info(item: Item) -> Item:
    """Namespace and name of an item's type."""
    return Item({"namespace": "FHIR", "name": item.type}, "TypeInfo")


def place(args: list[Items]) -> int:
    """An integer argument."""
    return int(args[0][0].value)


WHOLE: dict[str, Callable[[Items, list[Items]], Items]] = {
    "empty": lambda focus, args: truth(not focus),
    "not": lambda focus, args: [] if not focus else truth(known(focus) is False),
    "count": lambda focus, args: [Item(len(focus), INTEGER)],
    "first": lambda focus, args: focus[:1],
    "last": lambda focus, args: focus[-1:],
    "tail": lambda focus, args: focus[1:],
    "single": lambda focus, args: focus[:1],
    "skip": lambda focus, args: focus[place(args) :],
    "take": lambda focus, args: focus[: place(args)],
    "distinct": lambda focus, args: distinct(focus),
    "isDistinct": lambda focus, args: truth(len(distinct(focus)) == len(focus)),
    "union": lambda focus, args: distinct(focus + args[0]),
    "combine": lambda focus, args: focus + args[0],
    "intersect": lambda focus, args: distinct([one for one in focus if any(same(one, other) for other in args[0])]),
    "exclude": lambda focus, args: [one for one in focus if not any(same(one, other) for other in args[0])],
    "subsetOf": lambda focus, args: truth(all(any(same(one, other) for other in args[0]) for one in focus)),
    "supersetOf": lambda focus, args: truth(all(any(same(one, other) for other in focus) for one in args[0])),
    "allTrue": lambda focus, args: truth(all(one.value is True for one in focus)),
    "anyTrue": lambda focus, args: truth(any(one.value is True for one in focus)),
    "allFalse": lambda focus, args: truth(all(one.value is False for one in focus)),
    "anyFalse": lambda focus, args: truth(any(one.value is False for one in focus)),
    "children": lambda focus, args: [inner for one in focus for inner in children(one)],
    "descendants": lambda focus, args: descendants(focus),
    "hasValue": lambda focus, args: truth(len(focus) == 1 and focus[0].value is not None and not isinstance(focus[0].value, dict)),
    "htmlChecks": lambda focus, args: truth(True),
    "hasExtension": lambda focus, args: truth(
        any(one.value.get("url") == args[0][0].value for f in focus for one in children(f, "extension"))
    ),
    "type": lambda focus, args: [type_info(one) for one in focus],
    "join": lambda focus, args: [Item((str(args[0][0].value) if args else "").join(str(one.value) for one in focus), STRING)],
    **conversions.FUNCTIONS,
}
"""Functions of the whole focus. ``htmlChecks`` is true because narrative is checked where it stands (``narrative.py``)."""


def text_call(function: Callable[..., Any], focus: Items, args: list[Items]) -> Items:
    """A function of one text; empty if there is none."""
    if len(focus) != 1 or not isinstance(focus[0].value, str) or not all(args):
        return []
    value = function(focus[0].value, *(one[0].value for one in args))
    if value is None:
        return []
    return [Item(one, kind_of(one)) for one in value] if isinstance(value, list) else [Item(value, kind_of(value))]


def kind_of(value: Any) -> str:
    """Type of a result."""
    return BOOLEAN if type(value) is bool else INTEGER if type(value) is int else STRING


def substring(text: str, start: int, length: int | None = None) -> str | None:
    """Part of a text; none beyond its end."""
    return None if not 0 <= start < len(text) else text[start:] if length is None else text[start : start + length]


TEXT: dict[str, Callable[..., Any]] = {
    "matches": lambda text, pattern: re.search(pattern, text, re.DOTALL) is not None,
    "matchesFull": lambda text, pattern: re.fullmatch(pattern, text, re.DOTALL) is not None,
    "toChars": list,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "indexOf": str.find,
    "substring": substring,
    "length": len,
    "upper": str.upper,
    "lower": str.lower,
    "trim": str.strip,
    "split": str.split,
    "replace": str.replace,
    "replaceMatches": lambda text, pattern, other: re.sub(pattern, re.sub(r"\$(\w+)", r"\\g<\1>", other), text) if pattern else text,
}
