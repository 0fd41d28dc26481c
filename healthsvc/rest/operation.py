"""``$validate`` (what a write would say, the rooms included; nothing is stored), ``$meta``, ``$meta-add`` and ``$meta-delete``."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Gone, Issue, Malformed, NotFound, Refusal
from healthsvc.fhir import profiles
from healthsvc.fhir.conformance.structures import HL7
from healthsvc.fhir.json import Resource, loads
from healthsvc.fhir.validation import validate as validate_resource
from healthsvc.rest.answer import Answer, outcome, resource_answer
from healthsvc.rest.call import Call, as_resource, call_of
from healthsvc.rest.conditional import version_of
from healthsvc.rest.permitted import require_read, require_write
from healthsvc.rest.read import audit_read
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.stored import new_id


class _Undo(Exception):
    """Ends the trial write of a validation."""


def validate(site: Site, store: Store, type: str, id: str | None, call: Call) -> Answer:
    """All issues of a resource, as a create or update would find them; 200 whatever they are (R4: the outcome is the answer).

    ``mode`` create, update, delete, or profile (the form alone, without the rooms' rules); ``profile`` is one of ours or the type's own;
    without a body the stored resource is validated.
    """
    require_write(store, type)
    resource, mode, profile = _asked(store, type, id, call)
    if mode == "delete":
        return Answer(200, outcome(_tried(store, lambda: store.delete(type, id or ""))))
    issues = validate_resource(resource, site.registry)
    if profile is not None and not _wrong(issues):
        issues += _conforms(resource, profile)
    if mode == "update" and id is not None and resource.get("id") not in (None, id):
        issues.append(Issue("the body must carry the id of the url (it has another)", "structure", f"{type}.id"))
    if mode != "profile" and not _wrong(issues):
        issues += _tried(store, lambda: store.write({**resource, "id": id or resource.get("id") or new_id(store.at)}))
    return Answer(200, outcome(issues))


def _wrong(issues: Sequence[Issue]) -> bool:
    return any(one.severity in ("error", "fatal") for one in issues)


def _conforms(resource: Resource, url: str) -> list[Issue]:
    """What a valid resource lacks of one profile: the type's own of the standard, or one of ours."""
    bare, kind = url.partition("|")[0], resource["resourceType"]
    if bare == f"{HL7}{kind}":
        return []
    return profiles.check(resource, [bare.removeprefix(profiles.OURS) if bare.startswith(profiles.OURS) else bare])


def _asked(store: Store, type: str, id: str | None, call: Call) -> tuple[Resource, str, str | None]:
    """The resource to be validated, the mode and the profile."""
    body: Any = loads(call.body) if call.body else None
    asked = call.only("mode", "profile")
    mode, profile = asked.get("mode", "create" if id is None else "update"), asked.get("profile")
    if isinstance(body, dict) and body.get("resourceType") == "Parameters" and type != "Parameters":
        named = {one.get("name"): one for one in body.get("parameter", []) if isinstance(one, dict)}
        mode = named.get("mode", {}).get("valueCode", mode)
        given = named.get("profile", {})
        profile = given.get("valueUri") or given.get("valueCanonical") or given.get("valueString") or profile
        body = named.get("resource", {}).get("resource")
    if mode not in ("create", "update", "delete", "profile"):
        raise Malformed("mode is one of create, update, delete and profile", path="mode")
    if body is None and id is not None:
        stored = store.get(type, id)
        if stored is None or stored.deleted:
            raise NotFound(f"there is no such {type}")
        body = stored.resource
    if body is None and mode == "delete":
        raise Malformed("a validation of a deletion needs the id in the url", path="mode")
    return as_resource(body, type), mode, profile


def _tried(store: Store, write: Any) -> list[Issue]:
    """The issues that a write would meet; whatever it did is undone."""
    try:
        with store.savepoint():
            write()
            raise _Undo
    except _Undo:
        return []
    except Refusal as refusal:
        return list(refusal.issues)


def meta(store: Store, type: str, id: str) -> Answer:
    """The meta of a resource: profiles, tags and security labels."""
    require_read(store, type)
    stored = store.get(type, id)
    if stored is None or not store.sees(stored):
        raise NotFound(f"there is no such {type}")
    if stored.deleted:
        raise Gone(f"this {type} has been deleted")
    audit_read(store, stored, "read")
    return _returned(stored.resource)


def change_meta(store: Store, type: str, id: str, call: Call, *, add: bool) -> Answer:
    """Profiles, tags and security labels put on a resource, or taken off it; what is there already, or not there, is well (R4 3.4).

    Raises:
        Malformed: the body has no parameter ``meta`` with a Meta.
        NotFound, Gone, Refusal: as a read and an update say it.
    """
    require_write(store, type)
    given = as_resource(loads(call.body) if call.body else None, "Parameters").get("parameter")
    found = next((one.get("valueMeta") for one in given or () if isinstance(one, dict) and one.get("name") == "meta"), None)
    if not isinstance(found, dict):
        raise Malformed("send Parameters with a parameter 'meta' that has a valueMeta", path="Parameters.parameter")
    resource = store.read(type, id)
    meta = resource.get("meta", {})
    for name in ("profile", "tag", "security"):
        named = [one for one in found.get(name) or () if isinstance(one, (str, dict))]
        keys = {_label(one) for one in named}
        kept = [one for one in meta.get(name, ()) if add or _label(one) not in keys]
        there = {_label(one) for one in kept}
        meta[name] = kept + [one for one in named if add and _label(one) not in there]
    resource["meta"] = {name: value for name, value in meta.items() if value != []}
    return _returned(store.write(resource, version_of(call.if_match, store.get(type, id))).resource)


def _label(one: object) -> tuple[object, ...]:
    """What makes two labels the same: system and code; of a profile its url."""
    return (one.get("system"), one.get("code")) if isinstance(one, dict) else (one,)


def _returned(resource: Resource) -> Answer:
    return resource_answer({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": resource.get("meta", {})}]})


def routes(site: Site, router: APIRouter) -> None:
    """$validate and $meta with its two changes."""

    @router.post("/{type:fhirtype}/$validate")
    def validate_one(type: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return validate(site, store, type, None, call).response(pretty=call.pretty)

    @router.post("/{type:fhirtype}/{id:fhirid}/$validate", include_in_schema=False)
    @router.get("/{type:fhirtype}/{id:fhirid}/$validate")
    def validate_stored(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return validate(site, store, type, id, call).response(pretty=call.pretty)

    @router.get("/{type:fhirtype}/{id:fhirid}/$meta")
    def meta_of(type: str, id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return meta(store, type, id).response(pretty=call.pretty)

    @router.post("/{type:fhirtype}/{id:fhirid}/$meta-add")
    def meta_add(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return change_meta(store, type, id, call, add=True).response(pretty=call.pretty)

    @router.post("/{type:fhirtype}/{id:fhirid}/$meta-delete")
    def meta_delete(type: str, id: str, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return change_meta(store, type, id, call, add=False).response(pretty=call.pretty)
