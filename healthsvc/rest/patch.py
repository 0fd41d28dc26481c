"""Patch: JSON Patch (RFC 6902), FHIRPath Patch, and JSON Merge Patch (RFC 7396), which fhirpy sends; by id or by condition."""

import base64
from typing import Any

import jsonpatch
from fastapi import APIRouter, Depends, Response
from jsonpointer import JsonPointerException

from healthsvc.access.door import StoreWriting
from healthsvc.errors import Gone, Invalid, Malformed, NotFound
from healthsvc.fhir.json import Resource, loads
from healthsvc.rest.answer import Answer, written
from healthsvc.rest.call import FHIR_JSON, JSON_PATCH, Call, UnsupportedMedia, call_of
from healthsvc.rest.conditional import one_match, version_of
from healthsvc.rest.fhirpath_patch import apply as apply_fhirpath
from healthsvc.rest.permitted import require_write
from healthsvc.rest.site import Site
from healthsvc.store import Store


def patch(store: Store, type: str, id: str | None, call: Call) -> Answer:
    """Change parts of a resource; without an id, of the one that the condition selects.

    Raises:
        NotFound, Gone: there is nothing to patch.
        Invalid: an operation of the patch cannot be carried out on what is stored.
    """
    require_write(store, type)
    if id is None:
        found = one_match(store, type, call.query, call)
        if found is None:
            raise NotFound(f"the condition matches no {type} to patch")
        id = found.id
    stored = store.get(type, id)
    if stored is None or not (stored.deleted or store.sees(stored)):
        raise NotFound(f"there is no such {type} to patch")
    if stored.deleted:
        raise Gone(f"this {type} has been deleted")
    changed = patched(stored.resource, call)
    if changed.get("id") != id or changed.get("resourceType") != type:
        raise Invalid("a patch cannot change the id or the type of a resource", path=f"{type}.id")
    return written(store.write(changed, version_of(call.if_match, stored)), call.base, 200, call.prefers)


def patched(resource: Resource, call: Call) -> Resource:
    """The resource after the patch in the body of a call."""
    if call.media == "application/x-www-form-urlencoded":
        raise UnsupportedMedia(
            "send a patch as application/json-patch+json or application/merge-patch+json, or Parameters as application/fhir+json"
        )
    body = loads(call.body) if call.body else None
    if call.media == JSON_PATCH or isinstance(body, list):
        return json_patched(resource, body)
    if isinstance(body, dict) and body.get("resourceType") == "Parameters":
        return apply_fhirpath(resource, body)
    if isinstance(body, dict) and body.get("resourceType") == "Binary" and body.get("contentType") == JSON_PATCH:
        return json_patched(resource, loads(_decoded(body)))
    if isinstance(body, dict) and call.media != FHIR_JSON:
        return merged(resource, body)
    raise Malformed("a patch is a list of JSON Patch operations (application/json-patch+json) or a Parameters resource (FHIRPath Patch)")


def merged(resource: Resource, changes: Resource) -> Resource:
    """RFC 7396: what is named is replaced, null takes away, the rest stays."""
    result = dict(resource)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[key] = value
    return result


def json_patched(resource: Resource, operations: Any) -> Resource:
    """RFC 6902."""
    if not isinstance(operations, list):
        raise Malformed("a JSON Patch is a list of operations")
    try:
        changed = jsonpatch.apply_patch(resource, operations)
    except jsonpatch.JsonPatchTestFailed:
        raise Invalid("a test operation of the patch failed; read the resource again") from None
    except (jsonpatch.JsonPatchException, JsonPointerException, KeyError, TypeError, ValueError, IndexError) as error:
        raise Invalid(f"the patch cannot be applied: {builtin_name(error)}; check that its paths exist") from None
    if not isinstance(changed, dict):
        raise Invalid("the patch would leave no resource")
    return changed


def builtin_name(error: Exception) -> str:
    """The kind of an error; its own text may repeat values."""
    return type(error).__name__


def _decoded(binary: Resource) -> bytes:
    try:
        return base64.b64decode(str(binary.get("data", "")), validate=True)
    except ValueError:
        raise Malformed("the Binary of a patch is not base64") from None


def routes(site: Site, router: APIRouter) -> None:
    """PATCH /Type/id and PATCH /Type?condition."""

    @router.patch("/{type:fhirtype}/{id:fhirid}")
    def patch_one(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return patch(store, type, id, call).response(pretty=call.pretty)

    @router.patch("/{type:fhirtype}")
    def patch_matching(type: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return patch(store, type, None, call).response(pretty=call.pretty)
