"""Less than the whole resource: ``_summary`` and ``_elements``. What was left out is told by the tag SUBSETTED."""

from collections.abc import Sequence

from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource, dumps, reread
from healthsvc.fhir.registry import Registry
from healthsvc.store.search.options import SUMMARIES

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ALWAYS = frozenset({"resourceType", "id", "meta"})


def asked_shape(query: Sequence[tuple[str, str]]) -> tuple[str, tuple[str, ...]] | None:
    """``_summary`` and ``_elements`` of a query; None where the whole is wanted.

    Raises:
        Refusal: there is no such summary.
    """
    if not query:
        return None
    summary = next((value for name, value in query if name == "_summary"), "false")
    if summary not in SUMMARIES:
        raise Refusal(f"_summary takes one of {', '.join(SUMMARIES)}", path="_summary")
    elements = tuple(one.strip() for name, value in query if name == "_elements" for one in value.split(",") if one.strip())
    return (summary, elements) if summary in ("true", "text", "data") or elements else None


def shaped(registry: Registry, body: bytes, summary: str, elements: tuple[str, ...]) -> bytes:
    """The body with only what was asked for."""
    resource: Resource = reread(body)
    type = resource["resourceType"]
    if elements:
        own = {one.removeprefix(f"{type}.") for one in elements if "." not in one or one.startswith(f"{type}.")}
        kept = registry.mandatory_elements(type) | own
        narrow = {key: value for key, value in resource.items() if _kept(key, kept)}
    elif summary == "true":
        kept = registry.summary_elements(type)
        narrow = {key: value for key, value in resource.items() if _kept(key, kept)}
    elif summary == "text":
        kept = registry.mandatory_elements(type) | {"text"}
        narrow = {key: value for key, value in resource.items() if _kept(key, kept)}
    elif summary == "data":
        narrow = {key: value for key, value in resource.items() if key != "text"}
    else:
        return body
    meta = narrow.get("meta", {})
    narrow["meta"] = {**meta, "tag": [*(one for one in meta.get("tag", ()) if one.get("code") != "SUBSETTED"), SUBSETTED]}
    return dumps(narrow)


def _kept(key: str, kept: frozenset[str] | set[str]) -> bool:
    name = key.removeprefix("_")
    return name in _ALWAYS or name in kept or any(name.startswith(one) and name[len(one) : len(one) + 1].isupper() for one in kept)
