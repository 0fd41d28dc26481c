"""The entries of a batch or transaction: read, addressed and put into the order of execution."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from healthsvc.errors import Malformed
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry

ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
"""R4 3.1.0.11.2: the order in which a transaction is carried out, whatever the order of its entries."""

STATEMENT = "metadata"
"""The one address of an entry that begins with a word and no type."""


@dataclass(slots=True)
class Entry:
    """One entry and what becomes of it."""

    place: int
    method: str
    type: str | None
    id: str | None
    rest: tuple[str, ...]
    """What follows the id in the url (``_history/2``, ``$everything``)."""
    query: tuple[tuple[str, str], ...]
    full_url: str | None
    resource: Any
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_none_exist: str | None = None
    target: str | None = None
    """Id under which the resource will stand."""
    existing: str | None = None
    """Id of the resource that a condition has found."""

    @property
    def path(self) -> str:
        """Where the entry is, for issues."""
        return f"Bundle.entry[{self.place}]"


def read_entries(bundle: Resource, registry: Registry, base: str) -> list[Entry]:
    """All entries of a bundle.

    Raises:
        Malformed: an entry has no request, or its url is not of FHIR's form; the path says which.
    """
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise Malformed("Bundle.entry must be a list", path="Bundle.entry")
    return [read_entry(one, place, registry, base) for place, one in enumerate(listed)]


def read_entry(raw: Any, place: int, registry: Registry, base: str) -> Entry:
    """One entry."""
    path = f"Bundle.entry[{place}]"
    request = raw.get("request") if isinstance(raw, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str) or not isinstance(request.get("url"), str):
        raise Malformed("the entry has no request with method and url", path=f"{path}.request")
    method = request["method"]
    if method not in ORDER:
        raise Malformed("the method is one of GET, HEAD, POST, PUT, DELETE and PATCH", path=f"{path}.request.method")
    url = request["url"].removeprefix(base).lstrip("/")
    address, _, query = url.partition("?")
    parts = [unquote(part) for part in address.split("/") if part]
    type = parts[0] if parts and not parts[0].startswith(("_", "$")) and parts != [STATEMENT] else None
    if type is not None and not registry.is_type(type):
        raise Malformed("the url does not begin with an R4 resource type", path=f"{path}.request.url")
    id = parts[1] if type and len(parts) > 1 and not parts[1].startswith(("_", "$")) else None
    rest = tuple(parts[2:] if id else parts[1:] if type else parts)
    entry = Entry(
        place,
        method,
        type,
        id,
        rest,
        tuple(parse_qsl(query, keep_blank_values=True)),
        raw.get("fullUrl") if isinstance(raw.get("fullUrl"), str) else None,
        raw.get("resource"),
        _text(request, "ifMatch", path),
        _text(request, "ifNoneMatch", path),
        _text(request, "ifModifiedSince", path),
        _text(request, "ifNoneExist", path),
    )
    _check(entry)
    return entry


def _text(request: Resource, name: str, path: str) -> str | None:
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(f"{name} must be a text", path=f"{path}.request.{name}")
    return value


def _check(entry: Entry) -> None:
    """What each method needs."""
    url = f"{entry.path}.request.url"
    if entry.method in ("POST", "PUT", "PATCH") and not isinstance(entry.resource, dict):
        raise Malformed(f"{entry.method} needs a resource", path=f"{entry.path}.resource")
    if entry.method in ("POST", "PUT"):
        if entry.type is None:
            raise Malformed(f"{entry.method} needs a resource type in its url", path=url)
        operation = bool(entry.rest) and entry.rest[0].startswith("$")
        if not operation and entry.resource.get("resourceType") != entry.type:
            raise Malformed("the resource is not of the type that the url says", path=f"{entry.path}.resource.resourceType")
        if entry.method == "POST" and entry.id is not None and not operation:
            raise Malformed("POST creates under a new id: its url is the resource type alone", path=url)
    if entry.method in ("PUT", "PATCH", "DELETE") and (entry.type is None or (entry.id is None and not entry.query)):
        raise Malformed(f"{entry.method} needs Type/id or Type?condition as its url", path=url)
