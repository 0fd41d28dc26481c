"""Structure of resources by the R4 element trees: known elements, cardinality, primitive forms, required codes, reference targets.

A type is compiled to one function on first use. Paths are put together only when something is wrong: a valid resource costs
nothing for them.
"""

from functools import cache
from typing import Any

from healthsvc.fhir import facts, primitives
from healthsvc.fhir.containment import unreferenced
from healthsvc.fhir.facts import Codes, Element, TypeRef
from healthsvc.fhir.findings import Finding, Scope, Walk, prefix
from healthsvc.fhir.invariants import Rule, rules_for
from healthsvc.fhir.reference import canonical, parse
from healthsvc.fhir.remembered import remembering

HL7 = "http://hl7.org/fhir/"
HARMLESS = frozenset({"invariant", "code-invalid", "not-found", "required", "duplicate"})  # findings after which the shape is still sound


@cache
def walker(name: str) -> Walk:
    """The function that checks a value of that type (resource, complex or backbone)."""
    shape = facts.shape(name)
    handlers = remembering(shape, {key: handler(one, ref) for key, (one, ref) in shape.keys.items()})
    primitive = frozenset(key for key, (_, ref) in shape.keys.items() if ref.name in primitives.CHECKS)
    needed = tuple((one, tuple(name for key, _ in one.names() for name in (key, f"_{key}"))) for one in shape.elements if one.min > 0)
    choices = {name: one.name for one in shape.elements if one.choice for key, _ in one.names() for name in (key, f"_{key}")}
    is_resource = shape.kind == "resource"
    has_own_id = not is_resource and name != "ElementDefinition"  # snapshot and differential repeat theirs
    rules: list[tuple[Rule, ...]] = []

    def walk(value: Any, found: list[Finding], scope: Scope) -> None:
        if type(value) is not dict:
            found.append(Finding(f"must be an object, not {primitives.kind(value)}"))
            return
        if not value or (len(value) == 1 and "id" in value and not is_resource):
            found.append(Finding("is empty; leave an element out if there is nothing to say (ele-1)"))
            return
        start = len(found)
        if has_own_id and "id" in value:
            unique_id(value["id"], found, scope)
        for key, inner in value.items():
            handle = handlers.get(key)
            if handle is not None:
                handle(inner, found, scope)
            elif key[:1] == "_" and key[1:] in primitive:
                companion(key, inner, value.get(key[1:]), shape.keys[key[1:]][0].max == 1, found, scope)
            elif not (key == "resourceType" and is_resource):
                found.append(Finding(f"is not an element of {name} in R4; remove it or check its spelling", path=key))
        for one, names in needed:
            if value.keys().isdisjoint(names):
                label = f"{one.name}[x]" if one.choice else one.name
                found.append(Finding(f"{label} is missing; {name} must have it", "required", one.name))
        if choices and not choices.keys().isdisjoint(value):
            one_of_each(value, choices, found)
        if len(found) == start or all(one.code in HARMLESS for one in found[start:]):
            if not rules:
                rules.append(rules_for(name))
            for rule in rules[0]:
                if not rule.holds(value, scope.resource):
                    found.append(Finding(f"{rule.text} ({rule.key})" if rule.key else rule.text, "invariant", severity=rule.severity))

    return walk


def one_of_each(value: dict[str, Any], choices: dict[str, str], found: list[Finding]) -> None:
    """A choice element stands in one type only."""
    chosen: dict[str, str] = {}
    for key in value:
        name = choices.get(key)
        if name is not None and chosen.setdefault(name, key.lstrip("_")) != key.lstrip("_"):
            found.append(Finding(f"{chosen[name]} and {key.lstrip('_')} cannot stand together; choose one"))


def unique_id(name: Any, found: list[Finding], scope: Scope) -> None:
    """Element ids are unique within a resource."""
    if isinstance(name, str):
        if name in scope.ids and not scope.inside:
            found.append(Finding("another element of this resource has the same id", "duplicate", "id"))
        scope.ids.add(name)


def companion(key: str, inner: Any, values: Any, single: bool, found: list[Finding], scope: Scope) -> None:
    """``_birthDate``: id and extensions of a primitive."""
    if single:
        since = len(found)
        walker("Element")(inner, found, scope)
        prefix(found, since, key[1:])
        return
    if not isinstance(inner, list) or not inner:
        found.append(Finding("must be a non-empty array, as its element repeats", path=key))
        return
    if isinstance(values, list) and len(values) != len(inner):
        found.append(Finding(f"must have as many items as {key[1:]}; write null where there is nothing", path=key))
    for place, one in enumerate(inner):
        if one is not None:
            since = len(found)
            walker("Element")(one, found, scope)
            prefix(found, since, f"{key[1:]}[{place}]")


def handler(element: Element, ref: TypeRef) -> Walk:
    """The function that checks one element with its cardinality, under its name."""
    one = check_of(element, ref)
    name = element.name

    def single(value: Any, found: list[Finding], scope: Scope) -> None:
        since = len(found)
        if type(value) is list:
            found.append(Finding("must not be an array; it occurs at most once"))
        else:
            one(value, found, scope)
        if len(found) > since:
            prefix(found, since, name)

    def many(value: Any, found: list[Finding], scope: Scope) -> None:
        if type(value) is not list or not value:
            text = "must not be an empty array; leave it out" if value == [] else "must be an array, as it may occur several times"
            found.append(Finding(text, path=name))
            return
        since = len(found)
        for place, item in enumerate(value):
            one(item, found, scope)
            if len(found) > since:
                prefix(found, since, f"{name}[{place}]")
                since = len(found)
        if element.max > 0 and len(value) > element.max:
            found.append(Finding(f"may occur at most {element.max} times", path=name))

    return single if element.max == 1 else many


def check_of(element: Element, ref: TypeRef) -> Walk:
    """The function for one value of an element."""
    check = primitives.CHECKS.get(ref.name)
    if check is not None:
        if ref.name == "canonical" and ref.targets:
            return canonical_to(check, ref.targets)
        codes = element.binding.every if element.binding and ref.name == "code" else frozenset()
        return primitive(check, codes, element.binding, element.max != 1)
    if ref.name in facts.ABSTRACT:
        return contained if element.name == "contained" else inner_resource
    if ref.name == "Reference":
        return reference(ref.targets)
    if ref.name == "CodeableConcept" and element.binding and element.binding.every:
        return concept(element.binding)
    walks: list[Walk] = []

    def later(value: Any, found: list[Finding], scope: Scope) -> None:
        if not walks:
            walks.append(walker(ref.name))
        walks[0](value, found, scope)

    return later


def primitive(check: primitives.Check, codes: frozenset[str], binding: Codes | None, may_be_null: bool) -> Walk:
    """A primitive by its form, a code also by its required value set. The value itself is never repeated: it may name a person."""

    def run(value: Any, found: list[Finding], scope: Scope) -> None:
        wrong = check(value)
        if wrong is not None:
            if not (value is None and may_be_null):
                found.append(Finding(wrong, "value" if value else "structure"))
        elif codes and value not in codes:
            assert binding is not None
            listed = " | ".join(sorted(codes)) if len(codes) <= 12 else binding.url
            found.append(Finding(f"is not a code of the required value set; use one of: {listed}", "code-invalid"))

    return run


def canonical_to(check: primitives.Check, targets: frozenset[str]) -> Walk:
    """A canonical; where it names a definition of the standard itself, the type must be one of the targets."""
    run_form = primitive(check, frozenset(), None, True)

    def run(value: Any, found: list[Finding], scope: Scope) -> None:
        since = len(found)
        run_form(value, found, scope)
        if len(found) > since or value is None:
            return
        if value[0] == "#":
            kind = scope.contained.get(value[1:], "")
        else:
            home, _, name = canonical(value)[0].removeprefix(HL7).partition("/")
            kind = home if name and value.startswith(HL7) else ""
        if kind in facts.resource_types() and kind not in targets:
            found.append(Finding(f"points to a {kind}; allowed: {', '.join(sorted(targets))}"))

    return run


def concept(binding: Codes) -> Walk:
    """A CodeableConcept that must carry one of the required codes."""
    walk = walker("CodeableConcept")

    def run(value: Any, found: list[Finding], scope: Scope) -> None:
        since = len(found)
        walk(value, found, scope)
        if len(found) > since or ("extension" in value and "coding" not in value):
            return
        if not any(one.get("code") in binding.by_system.get(one.get("system"), ()) for one in value.get("coding", ())):
            found.append(Finding(f"must have a coding of the required value set {binding.url}", "code-invalid"))

    return run


def reference(targets: frozenset[str]) -> Walk:
    """A Reference and the types that it may point to."""
    walk = walker("Reference")

    def run(value: Any, found: list[Finding], scope: Scope) -> None:
        since = len(found)
        walk(value, found, scope)
        if len(found) > since:
            return
        text, said = value.get("reference"), value.get("type")
        kind = said if isinstance(said, str) and "/" not in said else None
        if isinstance(text, str):
            kind = pointed_type(text, found, scope) or kind
        if targets and kind is not None and kind not in targets:
            known = kind in facts.resource_types()
            what = f"points to a {kind}" if known else "points to something that is not an R4 resource type"
            found.append(Finding(f"{what}; allowed: {', '.join(sorted(targets))}", "structure", "reference"))

    return run


def pointed_type(text: str, found: list[Finding], scope: Scope) -> str | None:
    """The resource type that a reference names, None if it does not tell."""
    if text.startswith("#"):
        scope.pointed.add(text[1:])
        if text == "#":
            kind = scope.root.get("resourceType")
            return kind if isinstance(kind, str) else None
        if text[1:] not in scope.contained:
            found.append(Finding("names a contained resource that is not there (ref-1)", "not-found", "reference"))
        return scope.contained.get(text[1:])
    to = parse(text)
    if to.type is not None and (to.base is None or to.type in facts.resource_types()):
        return to.type
    return None


def contained(value: Any, found: list[Finding], scope: Scope) -> None:
    """A contained resource (dom-2, dom-4, dom-5)."""
    if type(value) is not dict:
        found.append(Finding(f"must be a resource, not {primitives.kind(value)}"))
        return
    if scope.inside:
        found.append(Finding("a contained resource must not contain others (dom-2)", "invariant"))
        return
    if "id" not in value:
        found.append(Finding("a contained resource must have an id", "required"))
    meta = value.get("meta", {})
    if isinstance(meta, dict):
        if "versionId" in meta or "lastUpdated" in meta:
            found.append(Finding("a contained resource must not have meta.versionId or meta.lastUpdated (dom-4)", "invariant"))
        if "security" in meta:
            found.append(Finding("a contained resource must not have meta.security (dom-5)", "invariant"))
    scope.inside, scope.resource = True, value
    dispatch(value, found, scope)
    scope.inside, scope.resource = False, scope.root


def inner_resource(value: Any, found: list[Finding], scope: Scope) -> None:
    """A resource in a Bundle or in Parameters: a scope of its own."""
    if scope.entries or type(value) is not dict:
        found.extend(resource(value))


def resource(value: Any, entries: bool = True) -> list[Finding]:
    """All problems of one resource; paths start below the resource."""
    found: list[Finding] = []
    if type(value) is not dict:
        return [Finding(f"must be a resource, not {primitives.kind(value)}")]
    scope = Scope(value, value, entries=entries)
    inside = value.get("contained", ())
    for one in inside if isinstance(inside, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), str) and isinstance(one.get("resourceType"), str):
            if one["id"] in scope.contained:
                found.append(Finding("two contained resources have the same id", "duplicate", "contained"))
            scope.contained[one["id"]] = one["resourceType"]
    dispatch(value, found, scope)
    if scope.contained:
        unreferenced(value, scope, found)
    return found


def dispatch(value: dict[str, Any], found: list[Finding], scope: Scope) -> None:
    """Check a resource by its type."""
    kind = value.get("resourceType")
    if kind is None:
        found.append(Finding("resourceType is missing", path="resourceType"))
    elif not isinstance(kind, str) or kind not in facts.resource_types():
        found.append(Finding("is not an R4 resource type", path="resourceType"))
    else:
        walker(kind)(value, found, scope)
