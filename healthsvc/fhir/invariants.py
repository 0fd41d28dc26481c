"""Named invariants of R4. The packaged FHIRPath of every type is the rule; those that nearly every resource meets are written out here,
because they run thousands of times a second. A test holds both forms side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from healthsvc.errors import Invalid
from healthsvc.fhir import dates, facts
from healthsvc.fhir.conventions import CONVENTIONS
from healthsvc.fhir.evaluate import compiled, item_of
from healthsvc.fhir.items import Item, Scope

Element: TypeAlias = dict[str, Any]
Test: TypeAlias = Callable[[Element, Element], bool]
"""Of an element and the resource around it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant: its key in the standard (empty: a convention without a key), what it demands, and the test."""

    key: str
    text: str
    severity: str
    holds: Test


def has(element: Element, *keys: str) -> bool:
    """Whether any of the elements is there, be it only by its extensions."""
    for key in keys:  # noqa: SIM110 - a loop: this runs for every quantity and period
        if key in element or f"_{key}" in element:
            return True
    return False


def has_value(element: Element, name: str) -> bool:
    """Whether a choice element is there in any type."""
    size = len(name)
    for key in element:  # noqa: SIM110 - a loop: this runs for every extension and observation
        if key.startswith(name) and key[size : size + 1].isupper():
            return True
    return False


def in_order(start: Any, end: Any) -> bool:
    """Whether a start is not after an end; open where they overlap or are not dates."""
    try:
        return not (isinstance(start, str) and isinstance(end, str)) or dates.span(start)[0] < dates.span(end)[1]
    except Invalid:
        return True


def coded(element: Element, key: str, code: str) -> bool:
    """Whether a CodeableConcept has a coding with that code."""
    return any(one.get("code") == code for one in element.get(key, {}).get("coding", ()))


def one_code(value: Element, root: Element) -> bool:
    """obs-7: a component must not repeat the code of the whole where that has a value."""
    if "component" not in value or not has_value(value, "value"):
        return True
    whole = value.get("code", {}).get("coding", ())
    parts = (coding for one in value["component"] for coding in one.get("code", {}).get("coding", ()))
    return not any(one in whole for one in parts)


WRITTEN_OUT: dict[str, Test] = {
    "ext-1": lambda value, root: has(value, "extension") != has_value(value, "value"),
    "per-1": lambda value, root: "start" not in value or "end" not in value or in_order(value["start"], value["end"]),
    "qty-3": lambda value, root: not has(value, "code") or has(value, "system"),
    "cpt-2": lambda value, root: not has(value, "value") or has(value, "system"),
    "att-1": lambda value, root: not has(value, "data") or has(value, "contentType"),
    "rat-1": lambda value, root: has(value, "numerator") == has(value, "denominator") and has(value, "numerator", "extension"),
    "pat-1": lambda value, root: has(value, "name", "telecom", "address", "organization"),
    "obs-3": lambda value, root: has(value, "low", "high", "text"),
    "obs-6": lambda value, root: "dataAbsentReason" not in value or not has_value(value, "value"),
    "obs-7": one_code,
    "bdl-5": lambda value, root: has(value, "resource", "request", "response"),
    "bdl-8": lambda value, root: "/_history/" not in value.get("fullUrl", ""),
    "tim-1": lambda value, root: not has(value, "duration") or has(value, "durationUnit"),
    "tim-2": lambda value, root: not has(value, "period") or has(value, "periodUnit"),
    "tim-4": lambda value, root: value.get("duration", 0) >= 0,
    "tim-5": lambda value, root: value.get("period", 0) >= 0,
    "tim-6": lambda value, root: not has(value, "periodMax") or has(value, "period"),
    "tim-7": lambda value, root: not has(value, "durationMax") or has(value, "duration"),
    "tim-8": lambda value, root: not has(value, "countMax") or has(value, "count"),
    "tim-10": lambda value, root: not (has(value, "timeOfDay") and has(value, "when")),
}
"""Key -> the same demand in Python."""


@cache
def rules_for(name: str) -> tuple[Rule, ...]:
    """The invariants of a type or backbone element, inherited ones included, and those of its child elements that are of data types."""
    own = [rule(row, name) for parent in facts.ancestors(name) for row in facts.read("invariants").get(parent, ())]
    inner = [
        on_children(rule(row, element.types[0].name), element.name)
        for element in facts.shape(name).elements
        for row in facts.read("invariants").get(f"{name}.{element.name}", ())
        if f"{name}.{element.name}" not in facts.read("elements")["types"]
    ]
    own += [Rule("", text, severity, test) for parent in facts.ancestors(name) for severity, text, test in CONVENTIONS.get(parent, ())]
    if name == "Extension":
        own.append(Rule("ext-1", "must have either a value or extensions, not both and not neither", "error", WRITTEN_OUT["ext-1"]))
    return (*own, *inner)


def rule(row: list[str], type_name: str) -> Rule:
    """A rule from its packed row ``[key, severity, text, FHIRPath]``."""
    key, severity, text, expression = row
    return Rule(key, text, severity, WRITTEN_OUT.get(key) or by_fhirpath(expression, type_name))


def by_fhirpath(expression: str, type_name: str) -> Test:
    """The test that an expression makes; what cannot be decided (an empty answer) is not broken."""

    def test(value: Element, root: Element) -> bool:
        start, around = Item(value, type_name), item_of(root)
        try:
            found = compiled(expression)([start], Scope(around, around, start, start))
        except Invalid:
            return True
        return not (len(found) == 1 and found[0].value is False)

    return test


def on_children(one: Rule, name: str) -> Rule:
    """A rule of a child element, asked of its parent."""

    def test(value: Element, root: Element) -> bool:
        kids = value.get(name, ())
        return all(one.holds(kid, root) for kid in (kids if isinstance(kids, list) else [kids]) if isinstance(kid, dict))

    return Rule(one.key, one.text, one.severity, test)
