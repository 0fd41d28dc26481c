"""FHIRPath over plain JSON: what R4's invariants, FHIRPath Patch and subscription criteria need of FHIRPath N1.

An expression is compiled once to closures. Every value is an :class:`Item` that knows its FHIR type: ``value`` finds ``valueQuantity``.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir import conversions, fhirpath, functions, operators
from healthsvc.fhir.fhirpath import Node
from healthsvc.fhir.items import INTEGER, STRING, Item, Items, Path, Scope, children, is_a, literal_type, truth, type_of

CONSTANTS = {
    "%ucum": "http://unitsofmeasure.org",
    "%sct": "http://snomed.info/sct",
    "%loinc": "http://loinc.org",
}


def item_of(resource: Any) -> Item:
    """A resource as the start of an expression."""
    return Item(resource, type_of(resource))


def evaluate(expression: str, resource: Any) -> list[Any]:
    """The JSON values that an expression gives on a resource.

    Raises:
        Invalid: the text is not FHIRPath.
        NotSupported: it uses a function that we do not offer.
    """
    start = item_of(resource)
    return [one.value for one in compiled(expression)([start], Scope(start, start, start, start))]


def holds(expression: str, value: Any, type_name: str, resource: Any) -> bool:
    """Whether an invariant holds on an element; one that cannot be decided (empty result) is not broken."""
    start, root = Item(value, type_name), item_of(resource)
    found = compiled(expression)([start], Scope(root, root, start, start))
    return not (len(found) == 1 and found[0].value is False)


@lru_cache(maxsize=2048)
def compiled(expression: str) -> Path:
    """The expression as a function."""
    return compile_node(fhirpath.parse(expression))


def compile_node(node: Node) -> Path:
    """A node of the tree as a function of the focus."""
    kind = node[0]
    if kind == "lit":
        constant = [Item(node[1], literal_type(node[1]))]
        return lambda focus, scope: constant
    if kind == "moment":
        return constant_moment(node[1])
    if kind == "quantity":
        amount = [conversions.quantity(node[1], node[2])]
        return lambda focus, scope: amount
    if kind == "empty":
        return lambda focus, scope: []
    if kind == "name":
        return named(node[1])
    if kind == "var":
        return variable(node[1])
    if kind == "dot":
        left, right = compile_node(node[1]), compile_node(node[2])
        return lambda focus, scope: right(left(focus, scope), scope)
    if kind == "index":
        left, place = compile_node(node[1]), compile_node(node[2])
        return lambda focus, scope: at_place(left(focus, scope), place(focus, scope))
    if kind == "op":
        return operators.binary(node[1], compile_node(node[2]), compile_node(node[3]))
    if kind == "neg":
        inner = compile_node(node[1])
        return lambda focus, scope: [negative(one) for one in inner(focus, scope)]
    if kind == "type":
        return typed(node[1], compile_node(node[2]), node[3])
    return functions.call(node[1], node[2], compile_node)


def negative(one: Item) -> Item:
    """A number with the other sign."""
    if isinstance(one.value, (int, float, Decimal)):
        return one._replace(value=-one.value)
    raise Invalid("FHIRPath: only a number can have a sign")


def constant_moment(text: str) -> Path:
    """``@2026-03-05``, ``@2026-03-05T10:00`` or ``@T10:00``."""
    kind = "time" if text.startswith("T") else "dateTime" if "T" in text else "date"
    constant = [Item(text.strip("T"), kind)]
    return lambda focus, scope: constant


def named(name: str) -> Path:
    """A child, or the focus itself where the name is its type (``Patient.name``)."""
    is_type = name[0].isupper()

    def run(focus: Items, scope: Scope) -> Items:
        found = [child for one in focus for child in children(one, name)]
        if is_type and not found:
            return [one for one in focus if is_a(one, name)]
        return found

    return run


def variable(name: str) -> Path:
    """``%resource``, ``$this`` ..."""
    if name in CONSTANTS:
        constant = [Item(CONSTANTS[name], STRING)]
        return lambda focus, scope: constant
    parts: dict[str, Callable[[Scope], Item]] = {
        "%resource": lambda scope: scope.resource,
        "%rootResource": lambda scope: scope.root,
        "%context": lambda scope: scope.context,
        "$this": lambda scope: scope.this,
        "$index": lambda scope: Item(scope.place, INTEGER),
    }
    if name == "$total":
        return lambda focus, scope: scope.total
    if name not in parts:
        raise NotSupported(f"FHIRPath variable {name} is not offered")
    part = parts[name]
    return lambda focus, scope: [part(scope)]


def at_place(items: Items, place: Items) -> Items:
    """One item by its place, none beyond the end."""
    return items[place[0].value : place[0].value + 1] if place else []


def typed(sign: str, left: Path, name: str) -> Path:
    """``is`` and ``as``."""
    if sign == "is":
        return lambda focus, scope: [one for found in [left(focus, scope)] if found for one in truth(is_a(found[0], name))]
    return lambda focus, scope: [one for one in left(focus, scope) if is_a(one, name)]
