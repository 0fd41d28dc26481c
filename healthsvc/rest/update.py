"""Update and conditional update."""

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreWriting
from healthsvc.errors import Conflict, Invalid, Malformed, PreconditionFailed
from healthsvc.fhir.json import Resource
from healthsvc.rest.answer import Answer, written
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.conditional import one_match, version_of
from healthsvc.rest.permitted import require_write
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search.rows import Rows
from healthsvc.store.stored import new_id


def update(store: Store, type: str, id: str, resource: Resource, call: Call) -> Answer:
    """Replace the resource, or create it under the client's id. The same content again makes no new version.

    Raises:
        Malformed: the id in the body is not that of the url.
        PreconditionFailed: If-Match names another version.
    """
    require_write(store, type)
    if call.native:
        resource = {**resource, "id": id}
    if resource.get("id") != id:
        raise Malformed(
            f"the body must carry the id of the url ({'it has none' if 'id' not in resource else 'it has another'})", path=f"{type}.id"
        )
    before = Rows(store).current(type, id)
    if before is None:
        require_write(store, type, "c")
    elif call.native and not before.deleted and "securityContext" in before.resource:
        resource = {"securityContext": before.resource["securityContext"], **resource}  # new bytes are seen by whom the old were
    if call.if_none_match == "*" and before is not None and not before.deleted:
        raise PreconditionFailed("If-None-Match: * asks to create only, but the resource is there")
    stored = store.write(resource, version_of(call.if_match, before))
    return written(stored, call.base, 201 if before is None or before.deleted else 200, call.prefers)


def update_where(store: Store, type: str, resource: Resource, call: Call) -> Answer:
    """Replace the one resource that the condition selects; where there is none, create it.

    Raises:
        PreconditionFailed: several match, or the condition is empty.
        Conflict: none matches, and the id of the body is that of a resource which does not (as R5 settles what R4 leaves open).
        Invalid: the body has another id than the match.
    """
    require_write(store, type)
    found = one_match(store, type, call.query, call)
    id = resource.get("id")
    if found is None and not isinstance(id, str):
        return _created(store, resource, call)
    if found is None:
        there = Rows(store).current(type, str(id))
        if there is not None and not there.deleted:
            raise Conflict("nothing matches the condition, but the id of the body is taken by another resource", path=f"{type}.id")
        return update(store, type, str(id), resource, call)
    if id is not None and id != found.id:
        raise Invalid("the body has another id than the resource that the condition matches", path=f"{type}.id")
    return update(store, type, found.id, {**resource, "id": found.id}, call)


def _created(store: Store, resource: Resource, call: Call) -> Answer:
    return written(store.write({**resource, "id": new_id(store.at)}), call.base, 201, call.prefers)


def routes(site: Site, router: APIRouter) -> None:
    """PUT /Type/id and PUT /Type?condition."""

    @router.put("/{type:fhirtype}/{id:fhirid}")
    def update_one(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return update(store, type, id, call.resource(type), call).response(pretty=call.pretty)

    @router.put("/{type:fhirtype}")
    def update_matching(type: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return update_where(store, type, call.resource(type), call).response(pretty=call.pretty)
