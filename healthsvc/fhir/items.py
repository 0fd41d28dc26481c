"""What FHIRPath works on: values that know their FHIR type, and their children by the element trees."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from healthsvc.fhir import facts


class Item(NamedTuple):
    """A value with its FHIR type; ``more`` is the companion object of a primitive (``_birthDate``)."""

    value: Any
    type: str
    more: Any = None


Items: TypeAlias = list[Item]


class Scope(NamedTuple):
    """What variables mean: ``%resource``, ``%rootResource``, ``%context``, ``$this``, ``$index``."""

    resource: Item
    root: Item
    context: Item
    this: Item
    place: int = 0
    total: Any = ()
    """``$total`` of aggregate()."""


Path: TypeAlias = Callable[[Items, Scope], Items]

BOOLEAN, STRING, INTEGER, DECIMAL = "boolean", "string", "integer", "decimal"
YES, NO = [Item(True, BOOLEAN)], [Item(False, BOOLEAN)]


def truth(value: bool) -> Items:
    """A boolean result."""
    return YES if value else NO


def children(item: Item, name: str | None = None) -> Items:
    """The child elements of that name, or all."""
    if item.type == "TypeInfo":
        return [Item(item.value[name], STRING)] if name in item.value else []
    if not isinstance(item.value, dict):
        companion = Item(item.more, "Element") if isinstance(item.more, dict) else None
        return children(companion, name) if companion else []
    kind = type_of(item.value) if item.type in facts.ABSTRACT else item.type
    try:
        shape = facts.shape(kind)
    except KeyError:
        return []
    found: Items = []
    for key, (element, ref) in shape.keys.items():
        if name is not None and element.name != name:
            continue
        value, more = item.value.get(key), item.value.get(f"_{key}")
        if value is None and more is None:
            continue
        values = value if isinstance(value, list) else [value]
        mores = more if isinstance(more, list) else [more]
        for place in range(max(len(values), len(mores))):
            one = values[place] if place < len(values) else None
            companion = mores[place] if place < len(mores) else None
            if one is not None or companion is not None:
                found.append(Item(one, child_type(one, ref.name), companion))
    return found


def child_type(value: Any, name: str) -> str:
    """The type of a child; a resource says its own."""
    return type_of(value) if name in facts.ABSTRACT else name


def type_of(resource: Any) -> str:
    """The type that a resource says it is of."""
    told = resource.get("resourceType") if isinstance(resource, dict) else None
    return told if isinstance(told, str) else "Resource"


def literal_type(value: Any) -> str:
    """The System type of a literal, named like FHIR's."""
    return {bool: BOOLEAN, int: INTEGER, Decimal: DECIMAL}.get(type(value), STRING)


SYSTEM_TYPES = {
    "Boolean": BOOLEAN,
    "String": STRING,
    "Integer": INTEGER,
    "Decimal": DECIMAL,
    "DateTime": "dateTime",
    "Date": "date",
    "Time": "time",
}
TEXT_TYPES = frozenset({"string", "code", "id", "markdown", "uri", "url", "canonical", "oid", "uuid"})


def is_a(item: Item, name: str) -> bool:
    """Whether an item is of a type or of one derived from it. System.String is any text, System.Boolean any boolean."""
    name = name.split(".")[-1]
    if name in SYSTEM_TYPES:
        wanted = SYSTEM_TYPES[name]
        return item.type == wanted or (wanted == STRING and item.type in TEXT_TYPES)
    try:
        return name in facts.ancestors(item.type)
    except KeyError:
        return name == item.type
