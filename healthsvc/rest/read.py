"""Read and vread."""

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import Gone, NotFound, NotSupported
from healthsvc.fhir.json import dumps
from healthsvc.rest.answer import Answer, etag, stamps
from healthsvc.rest.call import Call, NotAcceptable, call_of
from healthsvc.rest.conditional import unchanged
from healthsvc.rest.native import unwrapped
from healthsvc.rest.permitted import require_read
from healthsvc.rest.shape import asked_shape, shaped
from healthsvc.rest.site import Site
from healthsvc.rest.trail import TYPE, one_act
from healthsvc.store import Store
from healthsvc.store.search.parse import shown
from healthsvc.store.search.rows import Rows
from healthsvc.store.stored import Stored


def read(site: Site, store: Store, type: str, id: str, call: Call) -> Answer:
    """The current version, or 304 where the client has it already.

    Raises:
        NotFound: there is none, or the actor may not know of it.
        Gone: it has been deleted.
    """
    require_read(store, type)
    _understood(site, type, call)
    act = one_act(store, id) if type == TYPE else None
    if act is not None:
        return Answer(200, dumps(act))
    return _given(site, store, Rows(store).with_patient(type, id), type, call, "read")


def vread(site: Site, store: Store, type: str, id: str, version: str, call: Call) -> Answer:
    """One version.

    Raises:
        NotFound, Gone: there is no such version, or it is the deletion.
    """
    require_read(store, type)
    _understood(site, type, call)
    stored = store.version(type, id, int(version)) if version.isascii() and version.isdigit() and len(version) < 10 else None
    return _given(site, store, None if stored is None else (stored, Rows(store).patient(stored)), type, call, "vread")


def _understood(site: Site, type: str, call: Call) -> None:
    """Whether all that the address says is understood, where the client wants to know (``Prefer: handling=strict``).

    Raises:
        NotSupported: something is not.
    """
    if not call.handling or not call.query:
        return
    named = call.only("_summary", "_elements").get("_elements", "")
    for one in filter(None, map(str.strip, named.split(","))):
        if not site.registry.has_element(type, one.removeprefix(f"{type}.")):
            raise NotSupported(f"{shown(one)} is no element of {type}", path="_elements")


def _given(site: Site, store: Store, found: tuple[Stored, str | None] | None, type: str, call: Call, action: str) -> Answer:
    if found is None or not store.sees(found[0]):
        raise NotFound(f"there is no such {type}" + (" version" if action == "vread" else ""))
    stored, patient = found
    if stored.deleted:
        raise Gone(f"this {type} has been deleted")
    store.audit(action, f"{type}/{stored.id}", patient=patient)
    if unchanged(call, stored):
        return Answer(304, b"", {"etag": etag(stored.version)})
    if call.bytes_wanted:
        given = unwrapped(stored.resource, call.bytes_wanted, stamps(stored))
        if given is None:
            raise NotAcceptable("this Binary is of another content type; ask for that, or for application/fhir+json")
        return given
    shape = asked_shape(call.query)
    return Answer(200, shaped(site.registry, stored.body, *shape) if shape else stored.body, stamps(stored))


def audit_read(store: Store, stored: Stored, action: str) -> None:
    """Note that a resource was read, and of which person it is."""
    store.audit(action, f"{stored.type}/{stored.id}", patient=Rows(store).patient(stored))


def routes(site: Site, router: APIRouter) -> None:
    """GET /Type/id and /Type/id/_history/version."""

    @router.get("/{type:fhirtype}/{id:fhirid}")
    def read_one(type: str, id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return read(site, store, type, id, call).response(pretty=call.pretty)

    @router.get("/{type:fhirtype}/{id:fhirid}/_history/{version:fhirid}")
    def read_version(type: str, id: str, version: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return vread(site, store, type, id, version, call).response(pretty=call.pretty)
