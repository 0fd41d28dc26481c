"""Profiles and extensions as StructureDefinitions (differential: what we change; a client makes its own snapshot)."""

from typing import Any

from healthsvc.fhir import facts, systems
from healthsvc.fhir.conformance.tables import PUBLISHED_ON, PUBLISHER, VERSION, Extension, Part, Profile, Rule
from healthsvc.fhir.json import Resource

HL7 = "http://hl7.org/fhir/StructureDefinition/"
CODED = ("code", "Coding", "CodeableConcept")


def definition(name: str, type: str, zh: str, en: str, base: str, elements: list[Resource], **more: Any) -> Resource:
    """A constraint on a type."""
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": systems.profile(name),
        "version": VERSION,
        "name": "".join(part[:1].upper() + part[1:] for part in name.split("-")),
        "title": f"{zh} {en}",
        "status": "active",
        "experimental": False,
        "date": PUBLISHED_ON,
        "publisher": PUBLISHER,
        "description": f"{zh}。{en}.",
        "fhirVersion": "4.0.1",
        "kind": "complex-type" if type == "Extension" else "resource",
        "abstract": False,
        **more,
        "type": type,
        "baseDefinition": base,
        "derivation": "constraint",
        "differential": {"element": elements},
    }


def extension_definition(one: Extension) -> Resource:
    """An extension with a value, or with parts."""
    elements: list[Resource] = [{"id": "Extension", "path": "Extension", "short": one.zh, "definition": f"{one.zh}。{one.en}."}]
    if one.parts:
        elements += [element for part in one.parts for element in part_elements(part)]
    else:
        elements.append({"id": "Extension.extension", "path": "Extension.extension", "max": "0"})
    elements.append({"id": "Extension.url", "path": "Extension.url", "fixedUri": systems.extension(one.name)})
    if one.parts:
        elements.append({"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"})
    else:
        value: Resource = {"id": "Extension.value[x]", "path": "Extension.value[x]", "min": 1}
        value["type"] = [typed(type, one.targets) for type in one.types]
        if one.codes and set(one.types) & set(CODED):
            value["binding"] = bound(one.codes)
        elements.append(value)
    context = [{"type": "element", "expression": where} for where in one.contexts]
    return definition(one.name, "Extension", one.zh, one.en, f"{HL7}Extension", elements, context=context)


def part_elements(part: Part) -> list[Resource]:
    """A part of a complex extension: a slice with its url and value."""
    slice = f"Extension.extension:{part.url}"
    return [
        {"id": slice, "path": "Extension.extension", "sliceName": part.url, "min": part.min, "max": part.max},
        {"id": f"{slice}.url", "path": "Extension.extension.url", "fixedUri": part.url},
        {"id": f"{slice}.value[x]", "path": "Extension.extension.value[x]", "min": 1, "type": [{"code": part.type}]},
    ]


def profile_definition(one: Profile) -> Resource:
    """A profile of a resource type."""
    elements: list[Resource] = [{"id": one.type, "path": one.type, "short": one.zh, "definition": f"{one.zh}。{one.en}."}]
    for name, cardinality in one.extensions.items():
        least, _, most = cardinality.partition("..")
        slice = f"{one.type}.extension:{name}"
        element = {"id": slice, "path": f"{one.type}.extension", "sliceName": name, "min": int(least), "max": most}
        elements.append(element | {"type": [{"code": "Extension", "profile": [systems.extension(name)]}]})
    elements += [rule_element(one.type, rule) for rule in one.rules]
    elements.sort(key=lambda element: place(one.type, element["path"]))  # R4 wants the order of the base definition; a parent comes first
    base = systems.profile(one.base) if one.base else f"{HL7}{one.type}"
    return definition(one.name, one.type, one.zh, one.en, base, elements)


def place(type: str, path: str) -> tuple[int, ...]:
    """Where an element stands in the definition of its type, level by level."""
    found, here = [], type
    for name in path.split(".")[1:]:
        elements = facts.shape(here).elements
        at = next(number for number, one in enumerate(elements) if one.name == name.removesuffix("[x]"))
        found.append(at)
        here = elements[at].types[0].name
    return tuple(found)


def rule_element(type: str, rule: Rule) -> Resource:
    """What a rule demands, as an ElementDefinition."""
    element, ref = found(type, rule)
    path = f"{type}.{rule.path}" + ("[x]" if element.choice else "")
    made: Resource = {"id": path, "path": path}
    if rule.short:
        made["short"] = rule.short
    if rule.min:
        made["min"] = rule.min
    if rule.max:
        made["max"] = rule.max
    if rule.x or rule.targets:
        made["type"] = [typed(ref.suffix if ref.name == "SimpleQuantity" else ref.name, rule.targets)]
    if rule.pattern is not None:
        made[f"pattern{ref.suffix}"] = rule.pattern
    if len(rule.values) == 1:
        made["patternCode"] = rule.values[0]
    elif rule.values:
        made["constraint"] = [values_constraint(rule)]
    if rule.codes and rule.pattern is None:
        made["binding"] = bound(rule.codes)
    return made


def found(type: str, rule: Rule) -> tuple[facts.Element, facts.TypeRef]:
    """The element of R4 that a rule is about."""
    here = type
    for name in rule.path.split("."):
        element = next(one for one in facts.shape(here).elements if one.name == name)
        ref = next((one for one in element.types if rule.x in (None, one.suffix, one.name)), element.types[0])
        here = ref.name
    return element, ref


def values_constraint(rule: Rule) -> Resource:
    """A code that must be one of a few, as an invariant."""
    listed = " | ".join(f"'{one}'" for one in rule.values)
    return {
        "key": f"hs-{rule.path.lower()}",
        "severity": "error",
        "human": f"{rule.path} is one of {', '.join(rule.values)}",
        "expression": f"$this in ({listed})",
    }


def typed(name: str, targets: tuple[str, ...]) -> Resource:
    """A type with the resource types that it may point to."""
    return {"code": name, **({"targetProfile": [HL7 + one for one in targets]} if targets else {})}


def bound(codes: str) -> Resource:
    """A binding to the value set of one of our code systems."""
    return {"strength": "extensible", "valueSet": systems.value_set(codes)}
