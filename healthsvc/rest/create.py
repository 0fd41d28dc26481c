"""Create, also conditional (If-None-Exist)."""

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreWriting
from healthsvc.fhir.json import Resource
from healthsvc.rest.answer import Answer, written
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.conditional import one_match
from healthsvc.rest.permitted import require_write
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.stored import new_id


def create(store: Store, type: str, resource: Resource, call: Call) -> Answer:
    """Store under a new id; with If-None-Exist only if nothing matches, else answer with the one that does.

    Raises:
        PreconditionFailed: several resources match.
        Refusal: it is not valid or a room objects.
    """
    require_write(store, type, "c")
    if call.if_none_exist:
        found = one_match(store, type, call.if_none_exist, call)
        if found is not None:
            return written(found, call.base, 200, call.prefers)
    stored = store.write({**resource, "id": new_id(store.at)})
    return written(stored, call.base, 201, call.prefers)


def routes(site: Site, router: APIRouter) -> None:
    """POST /Type."""

    @router.post("/{type:fhirtype}")
    def create_one(type: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return create(store, type, call.resource(type), call).response(pretty=call.pretty)
