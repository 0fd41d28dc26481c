"""One version of a resource as the store keeps it."""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from healthsvc.fhir.dates import EPOCH
from healthsvc.fhir.dates import micros as micros
from healthsvc.fhir.json import Resource, dumps, reread


@dataclass(frozen=True, slots=True)
class Stored:
    """A version: identity, time and the body as bytes (what a client sent, plus id and meta)."""

    pk: int
    type: str
    id: str
    version: int
    updated: int
    """Microseconds since 1970 UTC."""
    deleted: bool
    body: bytes
    part: int | None = None
    """Of which county the row is (:mod:`healthsvc.store.tenancy`); None: not looked at."""

    @property
    def resource(self) -> Resource:
        """The body as a fresh dict, yours to change."""
        parsed: Resource = reread(self.body)
        return parsed

    @property
    def at(self) -> datetime:
        """When this version was written, UTC."""
        return moment(self.updated)


def new_id(at: datetime) -> str:
    """An id for a new resource: a UUID of version 7 (RFC 9562 5.7), so that the ids of what is written at one time stand together in every
    index; all of them random would each dirty a page of their own. 74 bits are chance.
    """
    bits = uuid.uuid4().int & ~(((1 << 48) - 1) << 80 | 0xF << 76)
    return str(uuid.UUID(int=bits | (micros(at) // 1000 & ((1 << 48) - 1)) << 80 | 7 << 76))


MADE_HERE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""The form of such an id; one that a client chose, or that is made of meaning, has another."""


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 UTC as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def bare_of(resource: Resource) -> Resource:
    """The resource without what the store itself says of it (meta.versionId, meta.lastUpdated)."""
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return resource
    meta = {key: value for key, value in meta.items() if key not in ("versionId", "lastUpdated")}
    return {**{key: value for key, value in resource.items() if key != "meta"}, **({"meta": meta} if meta else {})}


def canonical(bare: Resource) -> bytes:
    """What a bare resource says, always in the same order: what its hash is taken of."""
    return dumps(bare, sort_keys=True)


def digest_of(said: bytes) -> bytes:
    """BLAKE2b-128: the hash under which an unchanged PUT is known."""
    return hashlib.blake2b(said, digest_size=16).digest()


def stamped(bare: Resource, version: int, at: datetime) -> Resource:
    """The resource as it is stored, with its version and its moment (in the zone of the site)."""
    stamp = {"versionId": str(version), "lastUpdated": at.isoformat(timespec="milliseconds")}
    head = {"resourceType": bare["resourceType"], "id": bare["id"], "meta": {**bare.get("meta", {}), **stamp}}
    return head | {key: value for key, value in bare.items() if key not in head}
