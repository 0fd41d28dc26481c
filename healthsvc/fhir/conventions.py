"""What the text of the standard demands but no invariant states: absolute systems, sizes that are true, bundles that can be followed."""

import base64
import binascii
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir import facts
from healthsvc.fhir.routes import routes

Element: TypeAlias = dict[str, Any]

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:").match
ONCE = frozenset({"self", "first", "previous", "prev", "next", "last"})
VALUE_SETS = "http://hl7.org/fhir/ValueSet/"


def absolute_system(value: Element, root: Element) -> bool:
    """Coding.system and Identifier.system are absolute uris (R4 2.24.0.5: "SHALL be an absolute reference"), or point inside (#)."""
    system = value.get("system")
    return not isinstance(system, str) or system.startswith("#") or SCHEME(system) is not None


def not_a_value_set(value: Element, root: Element) -> bool:
    """Coding.system names a code system."""
    system = value.get("system")
    return not (isinstance(system, str) and system.startswith(VALUE_SETS))


def true_size(value: Element, root: Element) -> bool:
    """Attachment.size is the number of bytes before base64."""
    if "size" not in value or "data" not in value:
        return True
    try:
        return bool(len(base64.b64decode("".join(value["data"].split()), validate=True)) == value["size"])
    except binascii.Error:
        return True


def links_once(value: Element, root: Element) -> bool:
    """A Bundle has one link of each paging relation."""
    relations = [one.get("relation") for one in value.get("link", ()) if one.get("relation") in ONCE]
    return len(relations) == len(set(relations))


def absolute_full_url(value: Element, root: Element) -> bool:
    """Bundle.entry.fullUrl is absolute (R4 Bundle: "the absolute URL for the resource")."""
    return "fullUrl" not in value or SCHEME(value["fullUrl"]) is not None


def matching_full_url(value: Element, root: Element) -> bool:
    """Bundle.entry.fullUrl "SHALL NOT disagree with the id in the resource" where it is a RESTful url of that type."""
    resource, url = value.get("resource", {}), value.get("fullUrl", "")
    if not url.startswith("http") or "id" not in resource or not isinstance(resource["id"], str):
        return True
    parts = url.rstrip("/").rsplit("/", 2)
    return len(parts) < 3 or parts[1] != resource.get("resourceType") or parts[2] == resource["id"]


def two_parts(value: Element, root: Element) -> bool:
    """A composite search parameter has at least two components."""
    return value.get("type") != "composite" or len(value.get("component", ())) > 1


def has_content(value: Element, root: Element) -> bool:
    """txt-2: a narrative has some visible text or an image."""
    div = value.get("div", "")
    return bool(TAG.sub("", div).strip()) or "<img" in div


TAG = re.compile(r"<[^>]*>")


def same_type_as_defined(value: Element, root: Element) -> bool:
    """CapabilityStatement: a search parameter of the standard keeps the type that the standard gives it."""
    name = str(value.get("definition", "")).partition("|")[0].rpartition("/")[2]
    return parameter_types().get(name, value.get("type")) == value.get("type")


@cache
def parameter_types() -> dict[str, str]:
    """Id of every standard search parameter -> its type."""
    return {row[0]: row[2] for row in facts.read("search")}


def names_its_base(value: Element, root: Element) -> bool:
    """SearchParameter.expression says something about every base."""
    bases = [one for one in value.get("base", ()) if one in facts.resource_types()]
    if "expression" not in value or value.get("type") in ("composite", "special"):
        return True
    try:
        return all(routes(value["expression"], base) for base in bases)
    except NotSupported:
        return True
    except Invalid:
        return False


Convention: TypeAlias = tuple[str, str, Callable[[Element, Element], bool]]

CONVENTIONS: dict[str, tuple[Convention, ...]] = {
    "Coding": (
        ("warning", "system should be an absolute uri", absolute_system),
        ("warning", "system should name a code system, not a value set", not_a_value_set),
    ),
    "Identifier": (("warning", "system should be an absolute uri", absolute_system),),
    "Narrative": (("warning", "must have some text or an image (txt-2)", has_content),),
    "Attachment": (("error", "size is not the number of bytes in data", true_size),),
    "Bundle": (("error", "the same link relation must not occur twice", links_once),),
    "Bundle.entry": (
        ("warning", "fullUrl must be absolute", absolute_full_url),
        ("warning", "fullUrl must end with the type and id of the resource", matching_full_url),
    ),
    "CapabilityStatement.rest.resource.searchParam": (
        ("warning", "type is not the type of the standard's parameter", same_type_as_defined),
    ),
    "SearchParameter": (
        ("error", "a composite must have at least two components", two_parts),
        ("error", "expression is not FHIRPath, or names no element of the base types", names_its_base),
    ),
}
"""Type -> (severity, what it demands, test). Warnings are what real servers and their fixtures break and nobody is hurt by."""
