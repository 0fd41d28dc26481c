"""``Patient/[id]/$everything``: the person's whole compartment and what it refers to, page by page."""

from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import Gone, NotFound, Refusal
from healthsvc.fhir import dates
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.parameters import pairs
from healthsvc.rest.permitted import require_read, restriction
from healthsvc.rest.search import PAGE
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search import ast
from healthsvc.store.search.compartment import everything as pages_of

CARE_DATES = (
    "date",
    "period",
    "onset-date",
    "recorded-date",
    "authoredon",
    "authored-on",
    "effective",
    "effective-time",
    "issued",
    "whenhandedover",
)
"""Search parameters that tell when care was given; resources that have none of them belong to every time."""


def everything(site: Site, store: Store, id: str, call: Call) -> Answer:
    """A searchset; the Patient comes first. ``start`` and ``end`` bound the time of care, ``_since`` the time of writing.

    Raises:
        NotFound, Gone: there is no such Patient.
        Refusal: a parameter cannot be read.
    """
    require_read(store, "Patient")
    query, after = _asked(call).only("start", "end", "_since", "_type", "_count", PAGE), 0
    if PAGE in query:
        opened = cast(dict[str, Any], site.links.open(store.actor.id, query[PAGE]))
        query, after, id = opened["query"], int(opened["after"]), opened["id"]
    patient = store.get("Patient", id)
    if patient is None or not store.sees(patient):
        raise NotFound("there is no such Patient")
    if patient.deleted:
        raise Gone("this Patient has been deleted")
    types = [one for one in query.get("_type", "").split(",") if one] or sorted(site.registry.types)
    if not site.registry.types.issuperset(types):
        raise Refusal("_type names something that is not an R4 resource type", path="_type")
    count = _count(query, site)
    found, included, position = pages_of(
        store, site.registry, id, types, _conditions(site, query, store), count=count, after=after, restrict=restriction(store)
    )
    store.audit("everything", f"Patient/{id}", patient=id)
    path = f"{call.base}/Patient/{id}/$everything"
    links = [("self", f"{path}?{urlencode(query)}" if query else path)]
    if position is not None:
        links.append(("next", f"{path}?{PAGE}={site.links.seal(store.actor.id, {'query': query, 'after': position, 'id': id})}"))
    first = [patient] if after == 0 and "Patient" in types else []
    entries = [envelope.found(call.base, one, "match") for one in [*first, *(one for one in found if one.pk != patient.pk)]]
    total = len(entries) if position is None and after == 0 else None  # matches alone (R4 3.1.1.5.4)
    entries += [envelope.found(call.base, one, "include") for one in included if one.pk != patient.pk]
    return Answer(200, envelope.bundle("searchset", entries, links=links, total=total))


def _asked(call: Call) -> Call:
    """The call with what its body asks, a Parameters resource or a form; types may be named one by one."""
    given = pairs(call)
    types = ",".join(value for name, value in given if name == "_type" and value)
    return replace(call, query=(*(one for one in given if one[0] != "_type"), *([("_type", types)] if types else [])))


def _conditions(site: Site, query: dict[str, str], store: Store) -> Any:
    """The condition on each type that ``start``, ``end`` and ``_since`` make."""
    zone = store.zone.key
    try:
        low = dates.span(query["start"], zone)[0] if "start" in query else None
        high = dates.span(query["end"], zone)[1] if "end" in query else None
        since = dates.span(query["_since"].replace(" ", "+"), zone)[0] if "_since" in query else None
    except Refusal as error:
        raise Refusal(f"start, end and _since take dates: {error.text}", path="start") from None

    def condition(type: str) -> ast.Node | None:
        nodes: list[ast.Node] = [] if since is None else [ast.Updated("ge", since, since + 1)]
        known = site.registry.parameters(type)
        param = next((f"{type}.{code}" for code in CARE_DATES if code in known and known[code].type == "date"), None)
        if param is not None and (low is not None or high is not None):
            within = ast.Dates((param,), "ap", dates.BEGINNING if low is None else low, dates.END if high is None else high)
            nodes.append(ast.Any((within, ast.Not(ast.Present("date", (param,))))))
        return ast.All(tuple(nodes)) if nodes else None

    return condition


def _count(query: dict[str, str], site: Site) -> int:
    text = query.get("_count", str(site.page_size_max))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise Refusal("_count takes a whole number from 1", path="_count")
    return min(int(text), site.page_size_max)


def routes(site: Site, router: APIRouter) -> None:
    """GET and POST /Patient/id/$everything."""

    @router.post("/Patient/{id:fhirid}/$everything", include_in_schema=False)
    @router.get("/Patient/{id:fhirid}/$everything")
    def everything_of(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return everything(site, store, id, call).response(pretty=call.pretty)
