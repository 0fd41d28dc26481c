"""Delete and conditional delete. What is deleted is gone for reading; its history stays."""

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreWriting
from healthsvc.errors import Refusal
from healthsvc.rest.answer import Answer, etag
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.conditional import matches, several, version_of
from healthsvc.rest.permitted import require_write
from healthsvc.rest.site import Site
from healthsvc.store import Store

MOST = 100
"""Resources that one conditional delete with ``_count`` may take away at once."""


def delete(store: Store, type: str, id: str, call: Call) -> Answer:
    """Delete; deleting what is not there (any more) is well, too (R4 3.1.0.7)."""
    require_write(store, type, "d")
    current = store.get(type, id)
    if current is not None and not current.deleted and not store.sees(current):
        return Answer(204)
    stored = store.delete(type, id, version_of(call.if_match, current))
    return Answer(204, b"", {"etag": etag(stored.version)} if stored is not None else {})


def delete_where(store: Store, type: str, call: Call) -> Answer:
    """Delete the one resource that the condition selects; with ``_count=n`` up to so many.

    Raises:
        PreconditionFailed: more match.
    """
    require_write(store, type, "d")
    asked = next((value for name, value in call.query if name == "_count"), "1")
    if not asked.isascii() or not asked.isdigit() or not 0 < int(asked[:9]) <= MOST:
        raise Refusal(f"_count of a conditional delete says how many at most may go, from 1 to {MOST}", path="_count")
    most = int(asked[:9])
    found = matches(store, type, call.query, call, most + 1)
    if len(found) > most:
        raise several(f"the condition matches more than {most} resources of type {type}; nothing was deleted")
    for one in found:
        store.delete(type, one.id, version_of(call.if_match, one))
    return Answer(204)


def routes(site: Site, router: APIRouter) -> None:
    """DELETE /Type/id and DELETE /Type?condition."""

    @router.delete("/{type:fhirtype}/{id:fhirid}")
    def delete_one(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return delete(store, type, id, call).response()

    @router.delete("/{type:fhirtype}")
    def delete_matching(type: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return delete_where(store, type, call).response()
