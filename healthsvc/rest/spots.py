"""Places in a resource, found by FHIRPath: not the values only, but where they stand, so that they can be changed."""

from dataclasses import dataclass
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir import facts, fhirpath
from healthsvc.fhir.evaluate import compile_node, item_of
from healthsvc.fhir.fhirpath import Node
from healthsvc.fhir.items import Item, Scope
from healthsvc.fhir.json import Resource


@dataclass(frozen=True, slots=True)
class Spot:
    """One place: the object that holds it, under which key, and at which index of a list. The root has no parent."""

    value: Any
    type: str
    parent: dict[str, Any] | None = None
    parent_type: str = ""
    key: str = ""
    index: int | None = None
    name: str = ""
    """Name of the element without the type that a choice adds (``value``, where the key is ``valueQuantity``)."""


def keys_of(type_name: str) -> dict[str, tuple[facts.Element, facts.TypeRef]]:
    """The JSON keys of a type."""
    try:
        return facts.shape(type_name).keys
    except KeyError:
        return {}


def locate(path: str, resource: Resource) -> list[Spot]:
    """The places that a path leads to.

    Raises:
        Invalid: it is not FHIRPath, or computes instead of leading somewhere.
    """
    root = Spot(resource, str(resource["resourceType"]))
    return _walk(fhirpath.parse(path), [root], resource)


def _walk(node: Node, here: list[Spot], resource: Resource) -> list[Spot]:
    kind = node[0]
    if kind == "name":
        if len(here) == 1 and here[0].parent is None and node[1] in facts.ancestors(here[0].type):
            return here
        return [child for spot in here for child in _children(spot, node[1])]
    if kind == "dot":
        return _walk(node[2], _walk(node[1], here, resource), resource)
    if kind == "index" and node[2][0] == "lit":
        found, at = _walk(node[1], here, resource), int(node[2][1])
        return found[at : at + 1]
    if kind == "type" and node[1] == "as":
        return [spot for spot in _walk(node[2], here, resource) if spot.type == node[3]]
    if kind == "call":
        return _called(node[1], node[2], here, resource)
    raise Invalid("the path of a patch leads along elements; it cannot compute", path="path")


def _called(name: str, args: tuple[Node, ...], here: list[Spot], resource: Resource) -> list[Spot]:
    if name == "first":
        return here[:1]
    if name == "last":
        return here[-1:]
    if name == "single":
        if len(here) > 1:
            raise Invalid("single(): the path leads to several elements", path="path")
        return here
    if name == "tail":
        return here[1:]
    if name == "where" and len(args) == 1:
        test, root = compile_node(args[0]), item_of(resource)
        return [spot for place, spot in enumerate(here) if _holds(test, spot, root, place)]
    if name in ("ofType", "as") and len(args) == 1:
        return [spot for spot in here if spot.type == args[0][1]]
    if name == "extension" and len(args) == 1 and args[0][0] == "lit":
        url = args[0][1]
        return [child for spot in here for child in _children(spot, "extension") if child.value.get("url") == url]
    raise Invalid(f"the path of a patch cannot use {name}()", path="path")


def _holds(test: Any, spot: Spot, root: Item, place: int) -> bool:
    item = Item(spot.value, spot.type)
    found = test([item], Scope(root, root, item, item, place))
    return len(found) == 1 and found[0].value is True


def _children(spot: Spot, name: str) -> list[Spot]:
    if not isinstance(spot.value, dict):
        return []
    found = []
    type_name = spot.value.get("resourceType", spot.type) if spot.type in facts.ABSTRACT else spot.type
    for key, (element, ref) in keys_of(type_name).items():
        if element.name != name and key != name:
            continue
        value = spot.value.get(key)
        if isinstance(value, list):
            found += [Spot(one, ref.name, spot.value, type_name, key, at, element.name) for at, one in enumerate(value)]
        elif value is not None:
            found.append(Spot(value, ref.name, spot.value, type_name, key, None, element.name))
    return found
