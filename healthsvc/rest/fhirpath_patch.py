"""FHIRPath Patch (R4 3.1.0.8.3): operations in a Parameters resource that name their elements by FHIRPath."""

from collections.abc import Callable
from typing import Any

from healthsvc.errors import Invalid, Malformed
from healthsvc.fhir import facts
from healthsvc.fhir.json import Resource
from healthsvc.rest.spots import Spot, keys_of, locate

Part = dict[str, Any]


def apply(resource: Resource, parameters: Resource) -> Resource:
    """Carry out all operations, in order, on ``resource`` itself; gives it back.

    Raises:
        Malformed: an operation is not written as the standard says.
        Invalid: an operation does not fit what is stored.
    """
    for place, parameter in enumerate(parameters.get("parameter", [])):
        where = f"Parameters.parameter[{place}]"
        if not isinstance(parameter, dict) or parameter.get("name") != "operation":
            raise Malformed("each parameter of a FHIRPath Patch is named operation", path=f"{where}.name")
        parts = {str(part.get("name")): part for part in parameter.get("part", []) if isinstance(part, dict)}
        kind = _text(parts, "type", where)
        act = OPERATIONS.get(kind)
        if act is None:
            raise Malformed(f"the type of an operation is one of {', '.join(OPERATIONS)}", path=where)
        act(resource, _text(parts, "path", where), parts, where)
    return resource


def add(resource: Resource, path: str, parts: dict[str, Part], where: str) -> None:
    """Append to a list element, or set an element that is not there yet."""
    spot = _one(resource, path, where)
    parent = spot.value
    if not isinstance(parent, dict):
        raise Invalid("the path of an add must lead to an element that can have children", path=where)
    key, many = _key(spot.type, _text(parts, "name", where), parts, where)
    value = _value(parts, spot.type, key, where)
    if many:
        parent.setdefault(key, []).append(value)
    elif key in parent:
        raise Invalid(f"{key} is there already and can stand only once; use replace", path=where)
    else:
        parent[key] = value


def insert(resource: Resource, path: str, parts: dict[str, Part], where: str) -> None:
    """Put into a list at an index."""
    items, type_name, key = _list(resource, path, where)
    at = _number(parts, "index", where)
    if at > len(items):
        raise Invalid(f"the list has {len(items)} items; index {at} is beyond its end", path=where)
    items.insert(at, _value(parts, type_name, key, where))


def delete(resource: Resource, path: str, parts: dict[str, Part], where: str) -> None:
    """Take one element away; it is no error if it is not there."""
    spots = locate(path, resource)
    if len(spots) > 1:
        raise Invalid("the path of a delete leads to several elements", path=where)
    for spot in spots:
        _remove(spot, where)


def replace(resource: Resource, path: str, parts: dict[str, Part], where: str) -> None:
    """Put another value in the place of one element."""
    spot = _one(resource, path, where)
    if spot.parent is None:
        raise Invalid("a patch cannot replace the whole resource; use an update", path=where)
    key, _ = _key(spot.parent_type, spot.name, parts, where)
    value = _value(parts, spot.parent_type, key, where)
    if spot.index is not None:
        spot.parent[spot.key][spot.index] = value
        return
    if key != spot.key:
        del spot.parent[spot.key]
    spot.parent[key] = value


def move(resource: Resource, path: str, parts: dict[str, Part], where: str) -> None:
    """Move within a list."""
    items, _, _ = _list(resource, path, where)
    source, destination = _number(parts, "source", where), _number(parts, "destination", where)
    if source >= len(items) or destination >= len(items):
        raise Invalid(f"the list has {len(items)} items; source or destination is beyond its end", path=where)
    items.insert(destination, items.pop(source))


OPERATIONS: dict[str, Callable[[Resource, str, dict[str, Part], str], None]] = {
    "add": add,
    "insert": insert,
    "delete": delete,
    "replace": replace,
    "move": move,
}


def _one(resource: Resource, path: str, where: str) -> Spot:
    spots = locate(path, resource)
    if len(spots) != 1:
        raise Invalid(f"the path must lead to one element; it leads to {len(spots)}", path=where)
    return spots[0]


def _list(resource: Resource, path: str, where: str) -> tuple[list[Any], str, str]:
    """The list at a path, the type that holds it and its key."""
    spots = locate(path, resource)
    parents = {(id(spot.parent), spot.key) for spot in spots}
    if len(parents) != 1 or spots[0].parent is None or spots[0].index is None:
        raise Invalid("the path must lead to one list with items", path=where)
    return spots[0].parent[spots[0].key], spots[0].parent_type, spots[0].key


def _remove(spot: Spot, where: str) -> None:
    if spot.parent is None:
        raise Invalid("a patch cannot delete the whole resource", path=where)
    if spot.index is None:
        spot.parent.pop(spot.key, None)
        spot.parent.pop(f"_{spot.key}", None)
        return
    companion = spot.parent.get(f"_{spot.key}")
    for key, items in ((spot.key, spot.parent[spot.key]), (f"_{spot.key}", companion)):
        if isinstance(items, list) and spot.index < len(items):
            items.pop(spot.index)
            if not items:
                del spot.parent[key]


def _text(parts: dict[str, Part], name: str, where: str) -> str:
    part = parts.get(name, {})
    value = next((part[key] for key in ("valueString", "valueCode") if key in part), None)
    if not isinstance(value, str):
        raise Malformed(f"the operation has no part {name!r} with a valueString", path=where)
    return value


def _number(parts: dict[str, Part], name: str, where: str) -> int:
    value = parts.get(name, {}).get("valueInteger")
    if type(value) is not int or value < 0:
        raise Malformed(f"the operation has no part {name!r} with a valueInteger from 0", path=where)
    return value


def _key(type_name: str, name: str, parts: dict[str, Part], where: str) -> tuple[str, bool]:
    """The JSON key of an element (a choice by the type of the value), and whether it is a list."""
    written = next((key for key in parts.get("value", {}) if key.startswith("value")), "value")
    keys = keys_of(type_name)
    for key in (name, name + written.removeprefix("value")):
        if key in keys:
            return key, keys[key][0].max != 1
    raise Invalid(f"{type_name} has no element {name[:64]!r} of that type", path=where)


def _value(parts: dict[str, Part], type_name: str, key: str, where: str) -> Any:
    """The new value: ``value[x]``, a resource, or an element made of parts."""
    part = parts.get("value")
    if part is None:
        raise Malformed("the operation has no part 'value'", path=where)
    found = _direct(part)
    if found is not None:
        return found
    inner_type = keys_of(type_name)[key][1].name
    return _built(part.get("part", []), inner_type, where)


def _direct(part: Part) -> Any:
    return next((value for name, value in part.items() if name.startswith("value") or name == "resource"), None)


def _built(parts: list[Part], type_name: str, where: str) -> dict[str, Any]:
    """An element from its parts, by the shape of its type."""
    made: dict[str, Any] = {}
    for part in parts:
        key, many = _key(type_name, str(part.get("name")), {"value": part}, where)
        value = _direct(part)
        if value is None:
            value = _built(part.get("part", []), facts.shape(type_name).keys[key][1].name, where)
        if many:
            made.setdefault(key, []).append(value)
        else:
            made[key] = value
    if not made:
        raise Malformed("the new value is empty", path=where)
    return made
