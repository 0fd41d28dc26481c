"""Bundles around stored bytes: put together as bytes, so that no resource is parsed and written again."""

import uuid
from collections.abc import Iterable, Sequence

import orjson

from healthsvc.errors import Issue
from healthsvc.rest.answer import outcome
from healthsvc.store.stored import Stored


def bundle(
    type: str, entries: Iterable[bytes], *, links: Sequence[tuple[str, str]] = (), total: int | None = None, at: str | None = None
) -> bytes:
    """A Bundle of ready entries; ``links`` are (relation, url), ``at`` is its timestamp."""
    parts = [b'{"resourceType":"Bundle","id":"', str(uuid.uuid4()).encode(), b'","type":"', type.encode(), b'"']
    if at is not None:
        parts += [b',"timestamp":', orjson.dumps(at)]
    if total is not None:
        parts += [b',"total":', str(total).encode()]
    if links:
        parts += [b',"link":', orjson.dumps([{"relation": relation, "url": url} for relation, url in links])]
    listed = b",".join(entries)
    if listed:
        parts += [b',"entry":[', listed, b"]"]
    parts.append(b"}")
    return b"".join(parts)


def found(base: str, stored: Stored, mode: str, body: bytes | None = None) -> bytes:
    """An entry of a searchset: ``mode`` is match or include."""
    url = f"{base}/{stored.type}/{stored.id}"
    return b'{"fullUrl":%b,"resource":%b,"search":{"mode":"%b"}}' % (orjson.dumps(url), body or stored.body, mode.encode())


def remarks(issues: Sequence[Issue]) -> list[bytes]:
    """The entry that tells what of a search was not applied."""
    return [b'{"resource":%b,"search":{"mode":"outcome"}}' % outcome(list(issues))] if issues else []
