"""History of a resource, of a type, of everything; newest first, with ``_since``, ``_at`` and ``_count``."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import NotFound, NotSupported, Refusal
from healthsvc.fhir import dates
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer, etag
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.permitted import require_read, restriction
from healthsvc.rest.search import PAGE
from healthsvc.rest.shape import asked_shape, shaped
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search.options import SUMMARIES, TOTALS
from healthsvc.store.search.versions import Position, Window, revived, total
from healthsvc.store.search.versions import history as versions_of
from healthsvc.store.stored import MADE_HERE, Stored

KNOWN = ("_since", "_at", "_count", "_sort", "_summary", "_elements", "_total")
NEWEST = "-_lastUpdated"


def history(site: Site, store: Store, type: str | None, id: str | None, call: Call) -> Answer:
    """A history bundle. Its total (all versions, not those of the page) is told where it is asked for or costs little.

    Raises:
        NotFound: there never was such a resource.
    """
    query, after, known = call.only(*KNOWN, PAGE), None, None
    if query.get("_sort", NEWEST) not in (NEWEST, "none"):
        raise NotSupported(f"a history stands newest first ({NEWEST})", path="_sort")
    if PAGE in query:
        opened = cast(dict[str, Any], site.links.open(store.actor.id, query[PAGE]))
        query, after, known = opened["query"], cast(Position, tuple(opened["after"])), opened["total"]
    pk = None
    if type is not None:
        require_read(store, type)
    if type is not None and id is not None:
        stored = store.get(type, id)
        if stored is None or not (stored.deleted or store.sees(stored)):
            raise NotFound(f"there is no such {type}")
        pk = stored.pk
    types = [type] if type else [one for one in sorted(site.registry.types) if store.terms.find(one) is not None]
    window, count, restrict = _window(query, store), _count(query.get("_count"), site), None if pk is not None else restriction(store)
    counting = count == 0 or _choice(query, "_summary", SUMMARIES) == "count"
    wanted = _choice(query, "_total", TOTALS)
    found, position = ([], None) if counting else versions_of(store, types, window, count=count, after=after, pk=pk, restrict=restrict)
    if counting or wanted == "accurate":
        known = total(store, types, window, pk=pk, restrict=restrict, freely=False)
    elif after is None and wanted != "none":
        known = len(found) if position is None else total(store, types, window, pk=pk, restrict=restrict, freely=True)
    store.audit("history", "/".join(filter(None, (type, id))) or None, patient=id if type == "Patient" else None)
    path = "/".join(filter(None, (call.base, type, id, "_history")))
    links = [("self", f"{path}?{urlencode(query)}" if query else path)]
    if position is not None:
        sealed = {"query": query, "after": position, "total": known}
        links.append(("next", f"{path}?{PAGE}={site.links.seal(store.actor.id, sealed)}"))
    shape = asked_shape(tuple(query.items()))
    again = revived(store, found)
    entries = (
        _entry(
            call.base,
            one,
            shaped(site.registry, one.body, *shape) if shape and not one.deleted else one.body,
            is_new=one.version == 1 or (one.pk, one.version) in again,
        )
        for one in found
    )
    return Answer(200, envelope.bundle("history", entries, links=links, total=known))


def _entry(base: str, stored: Stored, body: bytes, *, is_new: bool) -> bytes:
    """One version with the request that made it. A patch is told as the PUT that would have done the same."""
    posted = stored.version == 1 and MADE_HERE.fullmatch(stored.id) is not None
    method = "DELETE" if stored.deleted else "POST" if posted else "PUT"
    status = "204" if stored.deleted else "201" if is_new else "200"
    url = stored.type if method == "POST" else f"{stored.type}/{stored.id}"
    at = stored.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    response = {"status": status, "etag": etag(stored.version), "lastModified": at}
    resource = b"" if stored.deleted else b',"resource":%b' % body
    return b'{"fullUrl":%b%b,"request":%b,"response":%b}' % (
        orjson.dumps(f"{base}/{stored.type}/{stored.id}"),
        resource,
        orjson.dumps({"method": method, "url": url}),
        orjson.dumps(response),
    )


def _count(text: str | None, site: Site) -> int:
    if text is None:
        return site.page_size
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal("_count takes a whole number from 0", path="_count")
    return min(int(text), site.page_size_max)


def _choice(query: dict[str, str], name: str, choices: Sequence[str]) -> str | None:
    value = query.get(name)
    if value is not None and value not in choices:
        raise Refusal(f"{name} takes one of {', '.join(choices)}", path=name)
    return value


def _window(query: dict[str, str], store: Store) -> Window:
    try:
        since = dates.span(query["_since"].replace(" ", "+"), store.zone.key)[0] if "_since" in query else None
        low, high = dates.span(query["_at"].replace(" ", "+"), store.zone.key) if "_at" in query else (None, None)
    except Refusal as error:
        raise Refusal(f"_since and _at take a date or an instant: {error.text}", path="_since") from None
    return Window(since, low, high)


def routes(site: Site, router: APIRouter) -> None:
    """GET .../_history."""

    @router.get("/{type:fhirtype}/{id:fhirid}/_history")
    def history_of_one(type: str, id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return history(site, store, type, id, call).response(pretty=call.pretty)

    @router.get("/{type:fhirtype}/_history")
    def history_of_type(type: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return history(site, store, type, None, call).response(pretty=call.pretty)

    @router.get("/_history")
    def history_of_all(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return history(site, store, None, None, call).response(pretty=call.pretty)
