"""What stands above and below a code in its code system: for ``:above`` and ``:below``, ``$subsumes``, filters of value sets.

Only code systems that are stored here are known, by the concepts within concepts and by the properties ``parent``, ``subsumedBy`` and
``child``; and only where the order of the codes means that what is below is a kind of what is above.
"""

from collections.abc import Iterator
from typing import Any

from healthsvc.errors import NotFound, NotSupported
from healthsvc.fhir.json import Resource
from healthsvc.store import Store

_UP, _DOWN = frozenset({"parent", "subsumedBy"}), frozenset({"child"})
_MEANS = frozenset({None, "is-a"})


class Hierarchy:
    """The codes of one code system by what is directly above them."""

    def __init__(self, system: Resource) -> None:
        self.above: dict[str, set[str]] = {}
        for code, directly in _edges(system.get("concept", ()), ()):
            self.above.setdefault(code, set()).update(directly)
        self.below: dict[str, set[str]] = {}
        for code, parents in self.above.items():
            for one in parents:
                self.below.setdefault(one, set()).add(code)

    def family(self, code: str, *, up: bool) -> list[str]:
        """The code and all that are above (``up``) or below it, each once; one that is not in the system is alone."""
        of, found, ahead = self.above if up else self.below, {code: None}, [code]
        while ahead:
            for one in sorted(of.get(ahead.pop(), ())):
                if one not in found:
                    found[one] = None
                    ahead.append(one)
        return list(found)

    def subsumes(self, first: str, second: str) -> str:
        """``equivalent``, ``subsumes``, ``subsumed-by`` or ``not-subsumed``: what the first is to the second.

        Raises:
            NotFound: the system has no such code.
        """
        if not {first, second} <= self.above.keys():
            raise NotFound("the code system has no such code")
        if first == second:
            return "equivalent"
        if first in self.family(second, up=True):
            return "subsumes"
        return "subsumed-by" if second in self.family(first, up=True) else "not-subsumed"


def hierarchy(store: Store, url: str) -> Hierarchy:
    """The hierarchy of a stored code system.

    Raises:
        NotFound: it is not here.
        NotSupported: its order means something else (``part-of``, ``grouped-by``), or its codes are not here.
    """
    system = store.first("CodeSystem", url=url)
    if system is None:
        raise NotFound(f"the code system {url} is not here; what stands above and below its codes is not known")
    if system.get("hierarchyMeaning") not in _MEANS:
        raise NotSupported(f"the codes of {url} are not ordered by what is a kind of what", path="CodeSystem.hierarchyMeaning")
    if not system.get("concept"):
        raise NotSupported(f"the codes of {url} are not here", path="CodeSystem.content")
    return Hierarchy(system)


def let_through(store: Store, system: str, one: Resource) -> set[str]:
    """The codes that a filter of a value set lets through.

    Raises:
        NotFound, NotSupported: the filter is another one, or the system or its hierarchy is not here.
    """
    if one.get("property") not in ("concept", "code") or one.get("op") not in ("is-a", "descendent-of"):
        raise NotSupported(
            "of the filters of value sets only concept is-a and descendent-of are known here", path="ValueSet.compose.include.filter"
        )
    below = hierarchy(store, system.partition("|")[0]).family(one["value"], up=False)
    return set(below if one["op"] == "is-a" else below[1:])


def _edges(listed: Any, parents: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each code with what is directly above it; a system may say so in several places."""
    ahead = [(one, parents) for one in listed]
    while ahead:
        concept, above = ahead.pop()
        code = concept["code"]
        said = [(one.get("code"), one.get("valueCode")) for one in concept.get("property", ()) if one.get("valueCode")]
        yield code, (*above, *(value for name, value in said if name in _UP))
        yield from ((value, (code,)) for name, value in said if name in _DOWN)
        ahead += [(one, (code,)) for one in concept.get("concept", ())]
