"""Search-index extraction: all parameters of a type become one tree of keys, walked once per resource.

Composite parameters (``code-value-quantity``) keep the pair together: the entry of the second part is filed under a parameter name that
carries the token of the first, ``code-value-quantity$SYSTEM|CODE`` (see :func:`composite_name`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from healthsvc.fhir.emit import Emit, Sink, emitter
from healthsvc.fhir.index import Entries
from healthsvc.fhir.routes import Route, Test, passes, routes

PART = "#"
"""Name of a part of a composite until the pair is put together."""


class Branch:
    """A place in the tree of keys while it is being built."""

    def __init__(self) -> None:
        self.emits: list[Emit] = []
        self.keys: dict[str, Branch] = {}
        self.places: dict[tuple[str, int], Branch] = {}
        self.tests: dict[Test, Branch] = {}

    def add(self, route: Route, emit: Emit) -> None:
        """Hang an emitter at the end of a route."""
        here, steps = self, list(route.steps)
        while steps:
            step = steps.pop(0)
            if isinstance(step, int):
                here = here.places.setdefault((str(steps.pop(0)), step), Branch())
            elif isinstance(step, str):
                here = here.keys.setdefault(step, Branch())
            else:
                here = here.tests.setdefault(step, Branch())
        here.emits.append(emit)

    def compiled(self) -> Emit:
        """The branch as one function."""
        parts = [*self.emits, *(tested(passes(test), branch.compiled()) for test, branch in self.tests.items())]
        if self.keys:
            parts.append(descend({key: branch.compiled() for key, branch in self.keys.items()}))
        parts.extend(placed(key, at, branch.compiled()) for (key, at), branch in self.places.items())
        return parts[0] if len(parts) == 1 else together(tuple(parts))


def descend(children: dict[str, Emit]) -> Emit:
    """Go on with the keys that are there; lists item by item."""
    root_child = children.pop("%resource", None)
    get = children.get

    def run(value: Any, sink: Sink) -> None:
        for key, inner in value.items():
            child = get(key)
            if child is None:
                continue
            if type(inner) is list:
                for one in inner:
                    if one is not None:
                        child(one, sink)
            elif inner is not None:
                child(inner, sink)
        if root_child is not None:
            root_child(sink.root, sink)

    return run


def tested(test: Any, go_on: Emit) -> Emit:
    """Go on where the test holds."""

    def run(value: Any, sink: Sink) -> None:
        if test(value):
            go_on(value, sink)

    return run


def placed(key: str, at: int, go_on: Emit) -> Emit:
    """Go on with one place of a list."""

    def run(value: Any, sink: Sink) -> None:
        found = value.get(key, ())
        if len(found) > at:
            go_on(found[at], sink)

    return run


def together(parts: Sequence[Emit]) -> Emit:
    """Several emitters at one place."""

    def run(value: Any, sink: Sink) -> None:
        for part in parts:
            part(value, sink)

    return run


def composite_name(param: str, system: str | None, code: str) -> str:
    """The parameter name under which the second part of a composite is filed, for example ``code-value-quantity$http://loinc.org|8867-4``.

    A search by code alone matches every name that starts with ``param$`` and ends with ``|code``.
    """
    return f"{param}${system or ''}|{code}"


Part: TypeAlias = tuple[Emit, frozenset[str]]
"""A component of a composite, and the keys one of which an element must have for it (none: it may stand anywhere)."""


def composite(param: str, first: Part, others: Iterable[Part]) -> Emit:
    """File what the later parts give under the tokens that the first part gives.

    With three parts (chromosome, start, end) the third goes under ``param$2$SYSTEM|CODE``.
    """
    head_of = first[0]
    later = [(param if place == 1 else f"{param}${place}", *one) for place, one in enumerate(others, start=1)]

    def run(value: Any, sink: Sink) -> None:
        for name, emit, needed in later:
            if needed and needed.isdisjoint(value):
                return
            part = Sink(Entries(), sink.zone, sink.bases, sink.root)
            emit(value, part)
            found = part.out
            if not (found.tokens or found.quantities or found.strings or found.dates or found.references):
                return
            head = Sink(Entries(), sink.zone, sink.bases, sink.root)
            head_of(value, head)
            for token in head.out.tokens:
                if token.param == PART:
                    file(composite_name(name, token.system, token.code), found, sink.out)

    return run


def file(name: str, found: Entries, out: Entries) -> None:
    """Put entries under another parameter name; what serves modifiers only is left out."""
    out.tokens.extend(one._replace(param=name) for one in found.tokens if one.param == PART)
    out.strings.extend(one._replace(param=name) for one in found.strings if one.param == PART)
    out.dates.extend(one._replace(param=name) for one in found.dates)
    out.references.extend(one._replace(param=name) for one in found.references)
    out.quantities.extend(one._replace(param=name) for one in found.quantities)


def part(kind: str, expression: str, route: Route, resource: str) -> Part | None:
    """One component of a composite, seen from the element that holds the pair."""
    branch = Branch()
    for found in routes(expression, route.type.name, resource):
        emit = emitter(PART, kind, found)
        if emit:
            branch.add(found, emit)
    if not (branch.emits or branch.keys or branch.tests):
        return None
    anywhere = branch.emits or branch.tests or branch.places or "%resource" in branch.keys
    return branch.compiled(), frozenset() if anywhere else frozenset(branch.keys)


def distinct(entries: Entries) -> Entries:
    """Every entry once."""
    for name in ("tokens", "strings", "dates", "references", "quantities", "uris", "patients"):
        found = getattr(entries, name)
        if len(found) > 1:
            setattr(entries, name, list(dict.fromkeys(found)))
    return entries
