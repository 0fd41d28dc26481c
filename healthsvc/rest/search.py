"""Search by GET and by POST, of one type, in a compartment, or over all types. Further pages by sealed links."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from healthsvc.access.door import StoreNearby
from healthsvc.errors import NotFound
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.meant import meant
from healthsvc.rest.permitted import require_read, restriction
from healthsvc.rest.shape import shaped
from healthsvc.rest.site import Site
from healthsvc.rest.trail import TYPE, trail
from healthsvc.store import Store
from healthsvc.store.search import Page, ast
from healthsvc.store.search import search as search_store
from healthsvc.store.search.parse import shown

PAGE = "_page"
_OF_PATIENT = frozenset({"patient", "subject", "patient:Patient", "subject:Patient"})
COMPARTMENTS = ("Patient", "Encounter", "Practitioner", "RelatedPerson", "Device")


def search(site: Site, store: Store, type: str | None, call: Call, within: tuple[str, str] | None = None) -> Answer:
    """A searchset; ``within`` is the compartment (type, id) of ``GET /Patient/1/Observation``."""
    if type is not None:
        require_read(store, type, "s")
    if type == TYPE and within is None and (found := trail(site, store, call)) is not None:
        return found
    sealed = next((value for name, value in call.query if name == PAGE), None)
    if sealed is not None:
        opened = cast(dict[str, Any], site.links.open(store.actor.id, sealed))
        query = [(name, value) for name, value in opened["query"]]
        position, within = opened["position"], tuple(opened["within"]) if opened["within"] else None
        type = opened["type"]
    else:
        query, position = list(call.query), None
    page = search_store(
        store,
        type,
        query,
        count=site.page_size,
        page=position,
        restrict=restriction(store),
        strict=call.handling if sealed is None else False,
        bases=call.bases,
        within=_compartment(site, within, type) if within else None,
        count_max=site.page_size_max,
        codes=partial(meant, store),
    )
    _audit(store, type, query, within)
    return Answer(200, _searchset(site, store, type, call, page, query, within))


def _searchset(
    site: Site, store: Store, type: str | None, call: Call, page: Page, query: Sequence[tuple[str, str]], within: tuple[str, str] | None
) -> bytes:
    path = f"{call.base}/{type}" if type else call.base
    here = f"{call.base}/{within[0]}/{within[1]}/{type or '*'}" if within else path
    links = [("self", f"{here}?{urlencode(page.applied)}" if page.applied else here)]
    if page.next is not None:
        sealed = {"type": type, "query": query, "position": page.next, "within": within}
        links.append(("next", f"{path}?{PAGE}={site.links.seal(store.actor.id, sealed)}"))
    whole = page.summary in ("false", "count") and not page.elements
    entries = [
        envelope.found(call.base, one, "match", None if whole else shaped(site.registry, one.body, page.summary, page.elements))
        for one in page.matches
    ]
    entries += [envelope.found(call.base, one, "include") for one in page.included]
    entries += envelope.remarks(page.issues)
    return envelope.bundle("searchset", entries, links=links, total=page.total)


def _compartment(site: Site, within: tuple[str, str], type: str | None) -> ast.Node:
    """The condition of a compartment, for one type or for all."""
    of, id = within
    types = [type] if type is not None else sorted(site.registry.types)
    if of == "Patient":
        params = [f"{one}.{ast.COMPARTMENT}" for one in types]
    else:
        params = [f"{one}.{code}" for one in types for code in site.registry.compartment(of, one) if code != "{def}"]
    nodes: list[ast.Node] = [ast.References(tuple(params), ((of, id),))] if params else []
    if of in types:
        nodes.append(ast.All((ast.OfType((of,)), ast.Ids((id,)))) if type is None else ast.Ids((id,)))
    return ast.Any(tuple(nodes))


def _audit(store: Store, type: str | None, query: Sequence[tuple[str, str]], within: tuple[str, str] | None) -> None:
    """Note the search by the names of its parameters; values of persons do not belong into an audit of names."""
    patient = within[1] if within and within[0] == "Patient" else None
    for name, value in query:
        if name in _OF_PATIENT and "," not in value:
            patient = value.removeprefix("Patient/")
        elif name == "_id" and type == "Patient" and "," not in value:
            patient = value
    names = "&".join(sorted({shown(name) for name, _ in query}))
    opaque = patient if patient and len(patient) <= 64 and patient.replace("-", "").replace(".", "").isalnum() else None
    store.audit("search", f"{type or ''}?{names}", patient=opaque)


def routes(site: Site, router: APIRouter) -> None:
    """GET /Type, POST /Type/_search, GET / and POST /_search, and compartments GET /Patient/id/Type."""

    @router.get("/{type:fhirtype}")
    def search_type(type: str, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, type, call).response(pretty=call.pretty)

    @router.get("/{type:fhirtype}/_search", include_in_schema=False)
    @router.post("/{type:fhirtype}/_search")
    def search_by_form(type: str, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, type, call).response(pretty=call.pretty)

    @router.get("")
    @router.get("/", include_in_schema=False)
    def search_system(request: Request, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, None, call).response(pretty=call.pretty)

    @router.get("/_search", include_in_schema=False)
    @router.post("/_search")
    def search_system_by_form(store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, None, call).response(pretty=call.pretty)

    @router.get("/{of:fhirtype}/{id:fhirid}/{type:fhirtype}")
    def search_compartment(of: str, id: str, type: str, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, type, call, known(of, id)).response(pretty=call.pretty)

    @router.get("/{of:fhirtype}/{id:fhirid}/*")
    def search_whole_compartment(of: str, id: str, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, None, call, known(of, id)).response(pretty=call.pretty)

    @router.post("/{of:fhirtype}/{id:fhirid}/{type:fhirtype}/_search")
    def search_compartment_by_form(of: str, id: str, type: str, store: StoreNearby, call: Call = Depends(call_of)) -> Response:
        return search(site, store, type, call, known(of, id)).response(pretty=call.pretty)


def known(of: str, id: str) -> tuple[str, str]:
    """The compartment at an address.

    Raises:
        NotFound: resources of this type have none.
    """
    if of not in COMPARTMENTS:
        raise NotFound(f"{of} has no compartment; those that have are {', '.join(COMPARTMENTS)}")
    return of, id
