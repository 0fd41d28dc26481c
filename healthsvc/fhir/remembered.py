"""What a part of a resource came to last time: the same codes, units, references and moments come again in resource after resource.

A part is known by its content, so nothing that changes anywhere else can make what is remembered wrong: whether an element is valid, and
what it is found by, depends on that element alone (where it does not, it is not remembered). Two generations of bounded size: what is asked
for stays, what was not asked for since the last turn of generations goes.
"""

from collections.abc import Hashable
from functools import cache
from itertools import count
from typing import Any, Final, Generic, TypeVar

from healthsvc.fhir import facts
from healthsvc.fhir.findings import Finding, Scope, Walk
from healthsvc.fhir.json import dumps

T = TypeVar("T")
MOST: Final = 4096
"""Parts of one generation; each has at most ``LONGEST`` bytes of content, and what is remembered of it takes about as much."""
LONGEST: Final = 512
"""Bytes of a part; what is longer is seldom repeated."""
_LOOKS_AROUND: Final = ("%resource", "%rootResource", "%context", "resolve(")
"""An invariant that says so depends on more than its own element."""
_POINTS_INSIDE: Final = (b'"#', b'"id":')
"""References to contained resources, and ids of elements, which are unique within the resource."""


class Remembered(Generic[T]):
    """Values by content. For use by several threads: the worst that a race does is to forget."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: dict[Hashable, T] = {}
        self._old: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        """What is remembered, None where nothing is."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Hashable, value: T) -> None:
        """Remember a value."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = value


def content(part: Any) -> bytes | None:
    """The content of an element or a list of them by which it is known; None where it is too long or no JSON."""
    try:
        found = dumps(part)
    except (TypeError, RecursionError):
        return None
    return found if len(found) <= LONGEST else None


_VALID: Final[Remembered[bool]] = Remembered()
_NUMBERS: Final = count()


def remembering(shape: facts.Shape, handlers: dict[str, Walk]) -> dict[str, Walk]:
    """The handlers of a resource's elements, so that one which was found valid as it stands is not walked again."""
    if shape.kind != "resource":
        return handlers
    return {key: _once(walk) if _stands_alone(shape.keys[key][1].name) else walk for key, walk in handlers.items()}


def _once(walk: Walk) -> Walk:
    number = next(_NUMBERS)

    def run(value: Any, found: list[Finding], scope: Scope) -> None:
        known = content(value) if type(value) in (dict, list) and not scope.inside else None
        if known is None or any(mark in known for mark in _POINTS_INSIDE):
            walk(value, found, scope)
            return
        key = (number, known)
        if _VALID.get(key):
            return
        since = len(found)
        walk(value, found, scope)
        if len(found) == since:
            _VALID.put(key, True)

    return run


@cache
def _stands_alone(name: str) -> bool:
    """Whether a value of that type is judged by itself: no resource stands in it, and no invariant in it looks at what is around it."""
    return all(_is_judged_by_itself(one) for one in _reached(name))


@cache
def _reached(name: str) -> frozenset[str]:
    """A type and all types of what can stand in it."""
    found, queue = set[str](), [name]
    while queue:
        one = queue.pop()
        if one in found:
            continue
        found.add(one)
        try:
            queue += [ref.name for _, ref in facts.shape(one).keys.values()]
        except KeyError:
            continue  # a primitive
    return frozenset(found)


def _is_judged_by_itself(name: str) -> bool:
    if name in facts.ABSTRACT:
        return False
    rows = (row for one in _ancestors(name) for row in facts.read("invariants").get(one, ()))
    return not any(mark in expression for *_, expression in rows for mark in _LOOKS_AROUND)


def _ancestors(name: str) -> tuple[str, ...]:
    try:
        return facts.ancestors(name)
    except KeyError:
        return (name,)
