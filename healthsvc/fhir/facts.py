"""The packaged facts of R4 4.0.1: which types there are, what elements they have, which codes are required, who is in a compartment.

The files in ``r4/`` are made by ``build.py`` from the published definitions (CC0).
"""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One type that an element may have; ``targets`` are the resource types that a reference may point to (empty: any)."""

    name: str
    targets: frozenset[str] = frozenset()

    @property
    def suffix(self) -> str:
        """How the type ends the name of a choice element: ``valueQuantity``."""
        name = "Quantity" if self.name in ("SimpleQuantity", "MoneyQuantity") else self.name
        return name[0].upper() + name[1:]


@dataclass(frozen=True, slots=True)
class Codes:
    """A required value set. ``by_system`` is empty where R4 does not list the codes (MIME types, UCUM, currencies)."""

    url: str
    by_system: dict[str, frozenset[str]]
    every: frozenset[str]


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type: name (without ``[x]``), cardinality (``max`` -1: no limit), types and flags."""

    name: str
    min: int
    max: int
    types: tuple[TypeRef, ...]
    choice: bool
    summary: bool
    modifier: bool
    binding: Codes | None

    def names(self) -> tuple[tuple[str, TypeRef], ...]:
        """The JSON names under which the element may stand, each with its type."""
        if not self.choice:
            return ((self.name, self.types[0]),)
        return tuple((self.name + one.suffix, one) for one in self.types)


@dataclass(frozen=True, slots=True)
class Shape:
    """A type with all its elements, inherited ones first. ``kind``: resource, complex, primitive or backbone."""

    name: str
    kind: str
    base: str
    elements: tuple[Element, ...]
    keys: dict[str, tuple[Element, TypeRef]]


RELEASE = "4.0.1"
"""The release of R4 whose facts these are."""
KINDS = {"r": "resource", "c": "complex", "p": "primitive", "b": "backbone"}
ABSTRACT = frozenset({"Resource", "DomainResource"})


@cache
def read(name: str) -> Any:
    """One facts file as plain values."""
    packed = resources.files("healthsvc.fhir").joinpath("r4", f"{name}.json.gz").read_bytes()
    return orjson.loads(gzip.decompress(packed))


@cache
def resource_types() -> frozenset[str]:
    """The names of all concrete resource types."""
    return frozenset(name for name, shape in read("elements")["types"].items() if shape["k"] == "r") - ABSTRACT


@cache
def shape(name: str) -> Shape:
    """The shape of a type or of a backbone element (``Patient.contact``); KeyError if there is none."""
    raw = read("elements")["types"][name]
    inherited = shape(raw["b"]).elements if raw["b"] and raw["k"] != "p" else ()
    elements = inherited + tuple(map(element, raw["e"]))
    keys = {key: (one, ref) for one in elements for key, ref in one.names()}
    return Shape(name, KINDS[raw["k"]], raw["b"], elements, keys)


def element(row: list[Any]) -> Element:
    """An element from its packed row ``[name, min, max, types, flags, binding]``."""
    name, least, most, types, *rest = row
    flags = rest[0] if rest else ""
    binding = codes(rest[1]) if len(rest) > 1 else None
    refs = tuple(map(type_ref, types.split(" ")))
    return Element(name.removesuffix("[x]"), least, most, refs, name.endswith("[x]"), "s" in flags, "m" in flags, binding)


@cache
def type_ref(text: str) -> TypeRef:
    """``Reference>Patient,Group`` taken apart."""
    name, _, targets = text.partition(">")
    return TypeRef(name, frozenset(targets.split(",")) if targets else frozenset())


@cache
def codes(index: int) -> Codes:
    """The required value set at that place of the list."""
    raw = read("elements")["codes"][index]
    by_system = {system: frozenset(text.split(" ")) for system, text in (raw["codes"] or {}).items()}
    return Codes(raw["url"], by_system, frozenset().union(*by_system.values()))


@cache
def required_codes() -> dict[str, dict[str, frozenset[str]]]:
    """Url of a required value set -> system -> codes; those whose codes R4 does not list have none."""
    return {one.url: one.by_system for one in map(codes, range(len(read("elements")["codes"])))}


@cache
def ancestors(name: str) -> tuple[str, ...]:
    """The type itself and what it is derived from, nearest first."""
    base = read("elements")["types"][name]["b"]
    return (name, *ancestors(base)) if base else (name,)


def compartment(name: str) -> dict[str, list[str]]:
    """Members of the compartment of a type: resource type -> codes of the search parameters that link it."""
    found: dict[str, list[str]] = read("compartments").get(name, {})
    return found
