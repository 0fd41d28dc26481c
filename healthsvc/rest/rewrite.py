"""References inside a transaction: temporary addresses become the ids that the resources got, conditional ones what they match."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from healthsvc.fhir.json import Resource

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")
_TEMPORARY = re.compile(r"urn:(?:uuid|oid):[A-Za-z0-9.\-]+")


def replaced(value: Any, known: dict[str, str]) -> Any:
    """The value with every temporary address replaced, in references, uris and narrative (R4 3.1.0.11.2); the same object if none is."""
    if isinstance(value, str):
        return _text(value, known)
    if isinstance(value, dict):
        changed = {key: replaced(inner, known) for key, inner in value.items()}
        return changed if any(changed[key] is not value[key] for key in value) else value
    if isinstance(value, list):
        items = [replaced(inner, known) for inner in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _text(text: str, known: dict[str, str]) -> str:
    found = known.get(text)
    if found is not None:
        return found
    if "#" in text and (whole := known.get(text.partition("#")[0])) is not None:
        return f"{whole}#{text.partition('#')[2]}"
    if text.startswith("<div") and "urn:" in text:
        return _TEMPORARY.sub(lambda one: known.get(one[0], one[0]), text)
    return text


def conditional_references(resource: Resource) -> Iterator[str]:
    """``Type?criteria`` wherever a reference says so."""
    for value in _walk(resource):
        reference = value.get("reference")
        if isinstance(reference, str) and _CONDITIONAL.fullmatch(reference):
            yield reference


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def resolved(resource: Resource, find: Callable[[str, str], str]) -> dict[str, str]:
    """Conditional reference -> ``Type/id``, by a function of type and criteria."""
    found = {}
    for reference in conditional_references(resource):
        if reference not in found:
            type, criteria = reference.split("?", 1)
            found[reference] = find(type, criteria)
    return found
