"""Contained resources: each must be referred to, or refer to its container (dom-3)."""

from typing import Any

from healthsvc.fhir.findings import Finding, Scope


def unreferenced(value: dict[str, Any], scope: Scope, found: list[Finding]) -> None:
    """dom-3: what is contained must be pointed to, or point to its container."""
    named = scope.pointed | local_urls(value)
    for place, one in enumerate(value["contained"]):
        if isinstance(one, dict) and str(one.get("id")) not in named and "#" not in local_references(one):
            text = "nothing refers to this contained resource; refer to it by #id or leave it out (dom-3)"
            found.append(Finding(text, "invariant", f"contained[{place}]"))


def local_urls(value: Any) -> set[str]:
    """Ids named by any ``#id`` text: canonicals and uris point to contained resources too."""
    return {text[1:] for text in local_references(value)}


def local_references(value: Any) -> set[str]:
    """All texts that begin with #."""
    if isinstance(value, str):
        return {value} if value.startswith("#") else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for one in inner for text in local_references(one)}
