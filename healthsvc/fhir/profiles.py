"""Check a resource against our profiles: those that it declares in meta.profile, or those that the caller names."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

from healthsvc.errors import Issue
from healthsvc.fhir import systems
from healthsvc.fhir.conformance.extensions import EXTENSIONS
from healthsvc.fhir.conformance.profiles import PROFILES
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.fhir.conformance.tables import CodeTable, Extension, Profile, Rule
from healthsvc.fhir.facts import shape
from healthsvc.fhir.json import Resource
from healthsvc.fhir.reference import parse

Place: TypeAlias = tuple[str, Any]
"""FHIRPath and value."""

OURS = systems.profile("")
BY_NAME: dict[str, Profile] = {one.name: one for one in PROFILES}
EXTENSION_BY_URL: dict[str, Extension] = {systems.extension(one.name): one for one in EXTENSIONS}


def check(resource: Resource, names: Iterable[str] | None = None) -> list[Issue]:
    """What a valid R4 resource lacks to conform to our profiles; ``names`` instead of what meta.profile declares."""
    meta = resource.get("meta")
    declared = meta.get("profile", ()) if isinstance(meta, dict) else ()
    wanted = (
        list(names)
        if names is not None
        else [url.partition("|")[0].removeprefix(OURS) for url in declared if isinstance(url, str) and url.startswith(OURS)]
    )
    kind = resource.get("resourceType", "Resource")
    issues: list[Issue] = []
    for name in wanted:
        profile = BY_NAME.get(name)
        if profile is None:
            issues.append(Issue("this server has no such profile and did not check it", "not-found", f"{kind}.meta.profile", "warning"))
        elif profile.type != kind:
            issues.append(Issue(f"the profile is one of {profile.type}", "structure", f"{kind}.meta.profile"))
        else:
            issues += conforms(resource, profile)
    if wanted and has_wrong_extension(resource):
        issues += extensions_of(resource, kind)
    return issues


def conforms(resource: Resource, profile: Profile) -> Iterator[Issue]:
    """The rules of one profile and of the one it narrows."""
    if profile.base:
        yield from conforms(resource, BY_NAME[profile.base])
    for rule in profile.rules:
        yield from obeys(resource, rule, profile)
    for name, cardinality in profile.extensions.items():
        times = sum(one.get("url") == systems.extension(name) for one in resource.get("extension", ()))
        least, _, most = cardinality.partition("..")
        if times < int(least):
            yield Issue(f"needs the extension {name} ({profile.name})", "required", f"{profile.type}.extension")
        elif most != "*" and times > int(most):
            yield Issue(f"may have the extension {name} at most {most} times ({profile.name})", "structure", f"{profile.type}.extension")


def obeys(resource: Resource, rule: Rule, profile: Profile) -> Iterator[Issue]:
    """One rule, at every place that its path leads to."""
    *way, (last, names) = steps(profile.type, rule.path)
    for path, parent in walk((profile.type, resource), way):
        values = list(children((path, parent), last, names))
        if not values:
            if rule.min:
                told = f": {rule.short}" if rule.short else ""
                yield Issue(f"is needed ({profile.name}){told}", "required", f"{path}.{last}")
            continue
        where = f"{path}.{last}"
        if rule.max is not None and len(values) > int(rule.max):
            yield Issue(f"may occur at most {rule.max} times ({profile.name})", "structure", where)
        if rule.x and f"{last}{rule.x[0].upper()}{rule.x[1:]}" not in parent:
            yield Issue(f"must be a {rule.x} ({profile.name})", "structure", where)
        if rule.pattern is not None and not any(contains(value, rule.pattern) for _, value in values):
            yield Issue(f"lacks the code that the profile {profile.name} fixes", "value", where)
        if rule.codes and not any(code in CODE_NAMES[rule.codes] for _, value in values for code in codes_of(value, rule.codes)):
            yield Issue(f"needs a code of {systems.code_system(rule.codes)} ({profile.name})", "code-invalid", where)
        if rule.values or rule.codes or rule.targets:
            for place, value in values:
                yield from value_obeys(place, value, rule, profile)


def value_obeys(place: str, value: Any, rule: Rule, profile: Profile) -> Iterator[Issue]:
    """Codes and targets of one value."""
    if rule.values and value not in rule.values:
        yield Issue(f"must be one of {', '.join(rule.values)} ({profile.name})", "code-invalid", place)
    if rule.codes:
        table = CODE_TABLES[rule.codes]
        if table.closed and any(code not in CODE_NAMES[rule.codes] for code in codes_of(value, rule.codes)):
            yield Issue(f"has a code that {systems.code_system(rule.codes)} does not have", "code-invalid", place)
    if rule.targets and isinstance(value, dict):
        text = value.get("reference", "")
        to = parse(text).type if text else value.get("type")
        if to is not None and to not in rule.targets:
            yield Issue(f"must point to {' or '.join(rule.targets)} ({profile.name})", "structure", f"{place}.reference")


class AnyCode(frozenset[str]):
    """The codes of an open system: sites add their own."""

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str)


def allowed(table: CodeTable) -> frozenset[str]:
    """The codes of a table, all if it is open."""
    return frozenset(one.code for one in table.codes) if table.closed else AnyCode()


CODE_NAMES: dict[str, frozenset[str]] = {name: allowed(table) for name, table in CODE_TABLES.items()}


def codes_of(value: Any, system: str) -> list[str]:
    """The codes of one of our systems in a concept, or the bare code."""
    if isinstance(value, str):
        return [value]
    url = systems.code_system(system)
    return [one["code"] for one in value.get("coding", ()) if one.get("system") == url and "code" in one]


def contains(value: Any, pattern: Any) -> bool:
    """Whether a value has everything that a pattern has (R4 ElementDefinition.pattern[x])."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and contains(value[key], inner) for key, inner in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(contains(one, inner) for one in value) for inner in pattern)
    return bool(value == pattern)


@cache
def steps(type: str, path: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A path as element names with the JSON names that each may have; a choice goes on with its first type."""
    found = []
    for name in path.split("."):
        element = next(one for one in shape(type).elements if one.name == name)
        found.append((name, tuple(key for key, _ in element.names())))
        type = element.types[0].name
    return tuple(found)


def walk(start: Place, way: list[tuple[str, tuple[str, ...]]]) -> Iterator[Place]:
    """All places that a path leads to."""
    if not way:
        yield start
        return
    for place in children(start, *way[0]):
        yield from walk(place, way[1:])


def children(place: Place, name: str, keys: tuple[str, ...]) -> Iterator[Place]:
    """The values of one element, whatever type a choice has."""
    path, parent = place
    if not isinstance(parent, dict):
        return
    for key in keys:
        value = parent.get(key)
        if isinstance(value, list):
            yield from ((f"{path}.{name}[{at}]", one) for at, one in enumerate(value) if one is not None)
        elif value is not None:
            yield f"{path}.{name}", value


def has_wrong_extension(value: Any) -> bool:
    """Whether any extension of ours is not as it should be. Paths are built only then (see :func:`extensions_of`)."""
    if isinstance(value, list):
        return any(map(has_wrong_extension, value))
    if not isinstance(value, dict):
        return False
    url = value.get("url")
    if isinstance(url, str) and url.startswith(OURS) and any(extension_conforms(value, EXTENSION_BY_URL.get(url), "")):
        return True
    return any(type(inner) in (dict, list) and has_wrong_extension(inner) for inner in value.values())


def extensions_of(value: Any, path: str) -> Iterator[Issue]:
    """Extensions of ours, wherever they stand: known, and with a value of the right type."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from extensions_of(one, f"{path}[{at}]")
    elif isinstance(value, dict):
        url = value.get("url")
        if isinstance(url, str) and url.startswith(OURS) and path.rpartition("[")[0].endswith("xtension"):
            yield from extension_conforms(value, EXTENSION_BY_URL.get(url), path)
        for key, inner in value.items():
            if isinstance(inner, (dict, list)):
                yield from extensions_of(inner, f"{path}.{key.removeprefix('_')}")


def extension_conforms(value: Resource, known: Extension | None, path: str) -> Iterator[Issue]:
    """One extension of ours."""
    if known is None:
        yield Issue("this extension is not defined here", "not-found", path, "warning")
        return
    if known.types and not any(f"value{one[0].upper()}{one[1:]}" in value for one in known.types):
        yield Issue(f"{known.name} has a value of type {' or '.join(known.types)}", "structure", path)
    elif known.codes and known.types and CODE_TABLES[known.codes].closed:
        inner = next(value[key] for key in value if key.startswith("value"))
        if not any(code in CODE_NAMES[known.codes] for code in codes_of(inner, known.codes)):
            yield Issue(f"{known.name} needs a code of {systems.code_system(known.codes)}", "code-invalid", path)
    yield from parts_conform(value, known, path)


def parts_conform(value: Resource, known: Extension, path: str) -> Iterator[Issue]:
    """The parts of a complex extension: known, of the right type, not too few."""
    if not known.parts:
        return
    by_url = {part.url: part for part in known.parts}
    there = [one.get("url") for one in value.get("extension", ())]
    for one in value.get("extension", ()):
        part = by_url.get(one.get("url"))
        if part is None:
            yield Issue(f"{known.name} has no such part", "structure", f"{path}.extension", "warning")
        elif f"value{part.type[0].upper()}{part.type[1:]}" not in one:
            yield Issue(f"part {part.url} of {known.name} is a {part.type}", "structure", f"{path}.extension")
    for part in known.parts:
        if part.min and part.url not in there:
            yield Issue(f"{known.name} needs its part {part.url}", "required", f"{path}.extension")
