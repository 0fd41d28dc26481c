"""A naive search over resources in memory, by the words of R4 3.1.1 and with no SQL: what the real search is held against."""

from dataclasses import dataclass
from typing import Any

from healthsvc.fhir import dates
from healthsvc.fhir.index import Entries
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.text import fold

REGISTRY = Registry(unions={}, derives=False)
"""Every parameter with its own values and nothing else, also those that the store searches as several others."""


@dataclass(frozen=True, slots=True)
class Held:
    """A resource with its index entries; ``pk`` is the order of writing."""

    pk: int
    resource: Resource
    entries: Entries

    @property
    def type(self) -> str:
        return str(self.resource["resourceType"])

    @property
    def id(self) -> str:
        return str(self.resource["id"])


class World:
    """All resources."""

    def __init__(self, resources: list[Resource]) -> None:
        self.held = [Held(place + 1, one, REGISTRY.extract(one)) for place, one in enumerate(resources)]

    def of(self, type: str) -> list[Held]:
        return [one for one in self.held if one.type == type]

    # -- filters ------------------------------------------------------------------------------------------------------------------

    def passes(self, one: Held, name: str, value: str) -> bool:
        """Whether a resource passes one parameter."""
        if name.startswith("_has:"):
            _, source, code, rest = name.split(":", 3)
            return any(one.id in self.targets(other, code, one.type) and self.passes(other, rest, value) for other in self.of(source))
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if dot:
            parameter = REGISTRY.parameter(one.type, code)
            assert parameter is not None
            wanted = [modifier] if modifier else sorted(parameter.targets)
            return any(
                other.id in self.targets(one, code, type) and self.passes(other, rest, value)
                for type in wanted
                if self._knows(type, rest)
                for other in self.of(type)
            )
        if modifier == "missing":
            return self.has_value(one, code) is (value == "false")
        if modifier == "not":
            return not self.passes(one, code, value)
        return any(self.alternative(one, code, modifier, part) for part in value.split(","))

    @staticmethod
    def _knows(type: str, rest: str) -> bool:
        return rest.startswith("_has:") or REGISTRY.parameter(type, rest.partition(".")[0].partition(":")[0]) is not None

    def targets(self, one: Held, code: str, type: str) -> set[str]:
        return {str(entry.id) for entry in one.entries.references if entry.param == code and entry.type == type}

    def has_value(self, one: Held, code: str) -> bool:
        kinds = (
            one.entries.tokens,
            one.entries.strings,
            one.entries.dates,
            one.entries.references,
            one.entries.quantities,
            one.entries.uris,
        )
        return any(entry.param in (code, f"{code}:identifier") or entry.param.startswith(f"{code}$") for kind in kinds for entry in kind)

    def alternative(self, one: Held, code: str, modifier: str, value: str) -> bool:
        """One value of a parameter."""
        if code == "_id":
            return one.id == value
        if code == "_list":
            return any(other.id == value and one.id in self.targets(other, "item", one.type) for other in self.of("List"))
        parameter = REGISTRY.parameter(one.type, code)
        assert parameter is not None
        if parameter.type == "composite":
            first, second = value.split("$")
            system, bar, token = first.rpartition("|")
            names = {e.param for e in one.entries.quantities if e.param.startswith(f"{code}$") and e.param.endswith(f"|{token}")}
            names = {name for name in names if not bar or name == f"{code}${system}|{token}"}
            return any(_quantity(e, second) for e in one.entries.quantities if e.param in names)
        if parameter.type == "token" and modifier == "text":
            return any(e.param == f"{code}:text" and e.folded.startswith(fold(value)) for e in one.entries.strings)
        if parameter.type == "token" and modifier == "of-type":
            return any(_of_type(number, value) for number in one.resource.get("identifier", ()))
        if parameter.type == "uri":
            return any(_uri(e.uri, modifier, value) for e in one.entries.uris if e.param == code)
        if parameter.type == "token":
            return any(_token(e, value) for e in one.entries.tokens if e.param == code)
        if parameter.type == "string":
            return any(_string(e, modifier, value) for e in one.entries.strings if e.param == code)
        if parameter.type == "date":
            return any(_date(e.low, e.high, value) for e in one.entries.dates if e.param == code)
        if parameter.type == "quantity":
            return any(_quantity(e, value) for e in one.entries.quantities if e.param == code)
        if parameter.type == "reference" and modifier == "identifier":
            return any(_token(e, value) for e in one.entries.tokens if e.param == f"{code}:identifier")
        if parameter.type == "reference":
            type, _, id = value.rpartition("/")
            type = type or modifier or (next(iter(parameter.targets)) if len(parameter.targets) == 1 else "")
            return any(e.id == id and (not type or e.type == type) for e in one.entries.references if e.param == code)
        raise AssertionError(parameter.type)

    # -- order and inclusion ----------------------------------------------------------------------------------------------------------

    def search(self, type: str, filters: list[tuple[str, str]], sort: list[str]) -> list[Held]:
        """All matches in order."""
        found = [one for one in self.of(type) if all(self.passes(one, name, value) for name, value in filters)]
        down = bool(sort) and sort[0].startswith("-")
        found.sort(key=lambda one: one.pk, reverse=down)
        for place in range(len(sort) - 1, -1, -1):
            key = sort[place]
            code, descending = key.removeprefix("-"), key.startswith("-")
            values = {one.pk: sort_value(one, code, descending, whole=len(sort) == 1) for one in found}
            have = [one for one in found if values[one.pk] is not None]
            have.sort(key=lambda one: values[one.pk], reverse=descending)
            found = have + [one for one in found if values[one.pk] is None]
        return found

    def included(self, matches: list[Held], includes: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """What the includes add."""
        seen = {(one.type, one.id) for one in matches}
        added: set[tuple[str, str]] = set()
        frontier, steps = matches, includes
        while frontier and steps:
            fresh = []
            for name, value in steps:
                source, code, *target = value.split(":")
                for other in self.held:
                    hit = (
                        other.type == source and any(one.id in self.targets(other, code, one.type) for one in frontier)
                        if name.startswith("_revinclude")
                        else any(one.type == source and other.id in self.targets(one, code, other.type) for one in frontier)
                        and (not target or other.type == target[0])
                    )
                    if hit and (other.type, other.id) not in seen:
                        seen.add((other.type, other.id))
                        fresh.append(other)
            added |= {(one.type, one.id) for one in fresh}
            frontier, steps = fresh, [step for step in includes if step[0].endswith(":iterate")]
        return added


def sort_value(one: Held, code: str, descending: bool, *, whole: bool) -> Any:
    """The value by which a resource is sorted: the smallest or, descending, the largest; None where it has none."""
    if code == "_id":
        return (one.id,)
    values: list[tuple[Any, ...]] = [(e.code,) for e in one.entries.tokens if e.param == code]
    values += [(e.folded, e.exact) if whole else (e.folded,) for e in one.entries.strings if e.param == code]
    values += [(e.low, e.high) if whole else (e.low,) for e in one.entries.dates if e.param == code]
    values += [((e.low + e.high) / 2,) for e in one.entries.quantities if e.param == code]
    values += [(e.id,) for e in one.entries.references if e.param == code]
    return (max(values) if descending else min(values)) if values else None


def _token(entry: Any, value: str) -> bool:
    system, bar, code = value.rpartition("|")
    if not bar:
        return bool(entry.code == value)
    return (entry.system or "") == system and (not code or entry.code == code)


def _of_type(identifier: Resource, value: str) -> bool:
    """``system|code|value``: the type of an Identifier and its value."""
    system, code, number = value.split("|")
    types = identifier.get("type", {}).get("coding", ())
    return identifier.get("value") == number and any(one.get("system") == system and one.get("code") == code for one in types)


def _uri(uri: str, modifier: str, value: str) -> bool:
    """The same, one of the paths above what is asked, or a path below it (whole steps of the path)."""
    if modifier == "above":
        return uri == value or value.startswith(f"{uri.rstrip('/')}/")
    if modifier == "below":
        return uri == value or uri.startswith(f"{value.rstrip('/')}/")
    return uri == value


def _string(entry: Any, modifier: str, value: str) -> bool:
    if modifier == "exact":
        return bool(entry.exact == value)
    return fold(value) in entry.folded if modifier == "contains" else bool(entry.folded.startswith(fold(value)))


def _prefix(value: str) -> tuple[str, str]:
    return (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)


def _date(low: int, high: int, value: str) -> bool:
    op, text = _prefix(value)
    first, last = dates.span(text)
    same = first <= low and high <= last
    return {
        "eq": same,
        "ne": not same,
        "gt": high > last,
        "lt": low < first,
        "ge": same or high > last,
        "le": same or low < first,
        "sa": low >= last,
        "eb": high <= first,
    }[op]


def _quantity(entry: Any, value: str) -> bool:
    number, *unit = value.split("|")
    called = entry.code == unit[1] or entry.unit == unit[1] if unit and not unit[0] else not unit or entry.code == unit[1]
    if unit and not (called and (not unit[0] or entry.system == unit[0])):
        return False
    op, text = _prefix(number)
    wanted, have = float(text), round((entry.low + entry.high) / 2, 9)
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    same = wanted - half - 1e-9 <= have < wanted + half - 1e-9
    return {"eq": same, "ne": not same, "gt": have > wanted, "lt": have < wanted, "ge": have >= wanted, "le": have <= wanted}[op]
