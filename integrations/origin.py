"""From a value in a person's file to the hospital message and the field that it came from."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.reference import parse
from healthsvc.store import Store
from healthsvc.store.search.find import may_see
from integrations.hl7v2.charset import decode
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hl7v2.maps.catalogue import Entry, sources
from integrations.hospitals.profile import Profile
from integrations.hospitals.shelf import Shelf

PURPOSE = "origin"


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a message from which an element may have come."""

    place: str
    """``PID-7``; the n-th segment of that name as ``OBX[3]-5``."""
    name: str
    sent: str
    """The field as it was sent, unescaped."""
    element: str
    same: bool
    """Whether the value on file can be read in it letter by letter; codes and dates are written otherwise."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The message that gave an element its present value, and the fields that may have said so."""

    version: int
    """Version of the resource that first had the value."""
    value: Any
    link: str
    event: str
    control_id: str
    recorded: str
    message: str
    """``Binary/x``: the message as it came."""
    places: tuple[Place, ...]


def origin(store: Store, type: str, id: str, element: str = "", *, shelf: Shelf) -> list[Origin]:
    """Where an element (``birthDate``, ``dosageInstruction.route``) has its value from; without one, every message that made a version.

    Empty where no hospital message has said it: then somebody here has written it, and the audit says who. Each look is audited.

    Raises:
        NotFound: there is no such resource. Invalid: it has no such element.
    """
    current = store.get(type, id)
    if current is None or current.deleted or (store.restrict is not None and not may_see(store, current, store.restrict)):
        raise NotFound(f"there is no such {type}")
    patients = store.patients_of(current)
    store.audit("origin", f"{type}/{id}", patient=patients[0] if patients else None, purpose=PURPOSE)
    path = [part for part in element.removeprefix(f"{type}.").split(".") if part]
    value = values_at(current.resource, path) if path else []
    if path and not value:
        raise Invalid(f"this {type} has no {element}", path=element)
    told = sorted(_told(store, type, id), key=lambda pair: pair[0])
    if path:
        moments = {stored.version: stored.updated for stored in store.history(type, id)}
        first = moments.get(_since(store, type, id, path, value))
        # a version that no message wrote in the same transaction was written here, by hand or by a rule
        told = [pair for pair in told if moments.get(pair[0]) == first][:1]
    return [found for version, provenance in told if (found := _origin(store, shelf, type, element, value, version, provenance))]


def values_at(resource: Any, path: list[str]) -> list[Any]:
    """What stands at an element, lists opened."""
    if isinstance(resource, list):
        return [found for one in resource for found in values_at(one, path)]
    if not path:
        return [resource]
    return values_at(resource[path[0]], path[1:]) if isinstance(resource, dict) and path[0] in resource else []


def _told(store: Store, type: str, id: str) -> Iterator[tuple[int, Resource]]:
    """The Provenances of hospital messages about a resource, with the version that each made."""
    for provenance in store.select("Provenance", target=f"{type}/{id}"):
        if not str(provenance["id"]).startswith("hl7-provenance-"):
            continue
        for target in provenance.get("target", ()):
            named = parse(str(target.get("reference", "")))
            if (named.type, named.id) == (type, id) and named.version and named.version.isdigit():
                yield int(named.version), provenance


def _since(store: Store, type: str, id: str, path: list[str], value: list[Any]) -> int:
    """The version since which the element has had its present value."""
    since = 0
    for stored in store.history(type, id):
        if stored.deleted or values_at(stored.resource, path) != value:
            break
        since = stored.version
    return since


def _origin(store: Store, shelf: Shelf, type: str, element: str, value: list[Any], version: int, provenance: Resource) -> Origin | None:
    entity = provenance["entity"][0]["what"]
    kept = store.find("Binary", str(entity.get("reference", "")).partition("/")[2])
    link = str(provenance["agent"][0]["who"]["identifier"]["value"])
    if kept is None:
        return None
    profile = next((one for one in shelf.site if one.name == link), shelf.default)
    message = _read(b64decode(kept["data"]), profile)
    fields = sources(type, element.removeprefix(f"{type}.")) if element else []
    return Origin(
        version=version,
        value=value[0] if len(value) == 1 else value,
        link=link,
        event=read_header(message).event,
        control_id=str(entity.get("identifier", {}).get("value", "")),
        recorded=str(provenance["recorded"]),
        message=f"Binary/{kept['id']}",
        places=tuple(place for entry in fields for place in _places(message, entry, value)),
    )


def _read(raw: bytes, profile: Profile | None) -> Message:
    decoded = decode(raw, profile.charset or None if profile else None, profile.charset_unlabelled or None if profile else "GB18030")
    return Message(decoded.text, decoded.codec)


def _places(message: Message, entry: Entry, value: list[Any]) -> Iterator[Place]:
    found = message.all(entry.segment)
    for turn, segment in enumerate(found, start=1):
        field = segment[entry.field]
        if field:
            at = f"{entry.segment}[{turn}]-{entry.field}" if len(found) > 1 else entry.place
            yield Place(at, entry.name, field.text, f"{entry.resource}.{entry.element}", _says(field.text, value))


def _says(sent: str, value: list[Any]) -> bool:
    """Whether every piece of the value stands in the field, punctuation aside."""
    plain = "".join(character for character in sent if character.isalnum())
    pieces = [text for one in value for text in _texts(one)]
    return bool(pieces) and any("".join(c for c in piece if c.isalnum()) in plain for piece in pieces if piece)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in ("system", "use", "url", "unit"):
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)
