"""A search expression as routes: the JSON keys that lead from a resource to the values, and the type that stands there.

The element tree tells at every step which types there can be, so ``Observation.value as Quantity`` becomes the one key ``valueQuantity``
and nothing has to be looked up while a resource is indexed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from healthsvc.errors import NotSupported
from healthsvc.fhir import facts, fhirpath

Test: TypeAlias = tuple[str, str, str]
"""``("equals", key, text)`` or ``("extension", "", url)``: what an element must be to stay on the route."""
Step: TypeAlias = str | int | Test
"""A key, a place in a list, or a test."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way through a resource to values of one type."""

    type: facts.TypeRef
    steps: tuple[Step, ...] = ()
    binding: facts.Codes | None = None
    target: str | None = None
    """Only references to this resource type count (``where(resolve() is Patient)``)."""


def routes(expression: str, context: str, resource: str | None = None) -> list[Route]:
    """All routes of an expression, starting at a value of type ``context``; none if the expression is about other types.

    Raises:
        NotSupported: the expression uses FHIRPath beyond what search parameters need.
    """
    start = Route(facts.TypeRef(context))
    found = _follow(fhirpath.parse(expression), [start], start, resource or context)
    return [ended for route in found for ended in _values(route)]


def _values(route: Route) -> list[Route]:
    """An extension stands for its value."""
    if route.type.name != "Extension":
        return [route]
    return _named("value", [route])


def _follow(node: fhirpath.Node, here: list[Route], root: Route, resource: str) -> list[Route]:
    kind = node[0]
    if kind == "name":
        if here == [root] and node[1][0].isupper() and not root.steps:
            return here if node[1] in facts.ancestors(resource) else []
        return _named(node[1], here)
    if kind == "dot":
        left = _follow(node[1], here, root, resource)
        return _after(node[2], left, root, resource) if left else []
    if kind == "op" and node[1] == "|":
        return _follow(node[2], here, root, resource) + _follow(node[3], here, root, resource)
    if kind == "type" and node[1] == "as":
        return _of_type(_follow(node[2], here, root, resource), node[3])
    if kind == "index" and node[2][0] == "lit":
        return [replace(route, steps=_indexed(route.steps, node[2][1])) for route in _follow(node[1], here, root, resource)]
    if kind == "var" and node[1] == "%resource":
        return [Route(facts.TypeRef(resource), ("%resource",))]
    if kind == "call":
        return _called(node, here)
    raise NotSupported(f"search expressions cannot use {kind} {node[1] if len(node) > 1 else ''}")


def _after(node: fhirpath.Node, left: list[Route], root: Route, resource: str) -> list[Route]:
    return _named(node[1], left) if node[0] == "name" else _follow(node, left, root, resource)


def _named(name: str, here: list[Route]) -> list[Route]:
    """The child of that name, whatever types it may have."""
    found = []
    for route in here:
        for element in facts.shape(route.type.name).elements:
            if element.name == name:
                found += [Route(ref, (*route.steps, key), element.binding) for key, ref in element.names()]
    return found


def _of_type(here: list[Route], wanted: str) -> list[Route]:
    return [route for route in here if wanted.lower() in (route.type.name.lower(), route.type.suffix.lower())]


def _indexed(steps: tuple[Step, ...], place: int) -> tuple[Step, ...]:
    return (*steps[:-1], place, steps[-1]) if steps else steps


def _called(node: fhirpath.Node, here: list[Route]) -> list[Route]:
    _, name, args = node
    if name in ("as", "ofType"):
        return _of_type(here, args[0][1])
    if name == "extension":
        return [replace(route, steps=(*route.steps, ("equals", "url", args[0][1]))) for route in _named("extension", here)]
    if name == "where":
        return [where(route, args[0]) for route in here]
    raise NotSupported(f"search expressions cannot use the function {name}()")


def where(route: Route, test: fhirpath.Node) -> Route:
    """The route with a condition: a target type, an equality or an extension that must be there."""
    match test:
        case ("type", "is", ("call", "resolve", ()), target):
            return replace(route, target=target)
        case ("op", "=", ("name", key), ("lit", value)):
            return replace(route, steps=(*route.steps, ("equals", key, value)))
        case ("call", "hasExtension", (("lit", url),)):
            return replace(route, steps=(*route.steps, ("extension", "", url)))
    raise NotSupported("search expressions cannot use this where() condition")


def passes(test: Test) -> Callable[[Any], bool]:
    """The test as a function of an element."""
    kind, key, wanted = test
    if kind == "equals":
        return lambda value: value.get(key) == wanted
    return lambda value: any(one.get("url") == wanted for one in value.get("extension", ()))
