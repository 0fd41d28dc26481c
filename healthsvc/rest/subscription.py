"""``Subscription/$status`` and ``Subscription/x/$events``: what a subscriber asks when it has been away."""

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import NotFound, Refusal
from healthsvc.fhir.json import Resource, dumps
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer, resource_answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.parameters import pairs
from healthsvc.rest.permitted import require_read
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.subscription import service
from healthsvc.subscription.resources import notification, status, to_terms
from healthsvc.subscription.rules import Content, State


def statuses(store: Store, call: Call, ids: list[str]) -> Answer:
    """A searchset of the state of these subscriptions (none named: of all that the caller may see)."""
    asked = pairs(call)
    ids = ids or [one for name, value in asked if name == "id" for one in value.split(",")]
    states = {one for name, value in asked if name == "status" for one in value.split(",")}
    listed = [one for id in ids or [one.id for one in service.subscribers(store)] if (one := _said(store, call, id)) is not None]
    if ids and len(listed) < len(ids):
        raise NotFound("there is no such Subscription")
    kept = [one for one in listed if not states or {it.get("valueCode") for it in one["parameter"] if it["name"] == "status"} & states]
    entries = [dumps({"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": {"mode": "match"}}) for one in kept]
    return Answer(200, envelope.bundle("searchset", entries, total=len(entries)))


def _resource(store: Store, id: str) -> Resource | None:
    stored = store.get("Subscription", id)
    return None if stored is None or stored.deleted or not store.sees(stored) else stored.resource


def _said(store: Store, call: Call, id: str) -> Resource | None:
    resource, one = _resource(store, id), service.subscriber(store, id)
    if resource is None:
        return None
    if one is None:
        return status(call.base, id, to_terms(resource), State.OFF.value, "query-status", 0)
    return status(call.base, id, to_terms(resource), one.state.value, "query-status", one.last, (), one.error)


def past(site: Site, store: Store, call: Call, id: str) -> Answer:
    """The events of a subscription again: ``eventsSinceNumber``, ``eventsUntilNumber``, ``content``.

    They are shown as the subscriber would be told them now, and only to whoever may see the same.
    """
    resource, one = _resource(store, id), service.subscriber(store, id)
    if resource is None or one is None:
        raise NotFound("there is no such Subscription, or it is off")
    asked = dict(pairs(call))
    terms = to_terms(resource)
    try:
        content = Content(asked["content"]) if "content" in asked else terms.content
    except ValueError:
        raise Refusal("content is empty, id-only or full-resource", path="content") from None
    after, until = _number(asked.get("eventsSinceNumber", "1"), "eventsSinceNumber") - 1, asked.get("eventsUntilNumber")
    last = _number(until, "eventsUntilNumber") if until is not None else None
    events, _ = service.events(store, one, after, last, site.page_size_max, content)
    said = status(call.base, id, terms, one.state.value, "query-event", one.last, events, one.error)
    store.audit("events", f"Subscription/{id}")
    return resource_answer(notification(call.base, said, events, content, store.at.astimezone(store.zone)))


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refusal(f"{name} is the number of an event", path=name)
    return int(text)


def routes(site: Site, router: APIRouter) -> None:
    """$status of one or several, $events of one."""
    asks = [needs("export")]

    @router.api_route("/Subscription/$status", methods=["GET", "POST"], dependencies=asks)
    def status_of_several(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        require_read(store, "Subscription")
        return statuses(store, call, []).response(pretty=call.pretty)

    @router.api_route("/Subscription/{id:fhirid}/$status", methods=["GET", "POST"], dependencies=asks)
    def status_of_one(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        require_read(store, "Subscription")
        return statuses(store, call, [id]).response(pretty=call.pretty)

    @router.api_route("/Subscription/{id:fhirid}/$events", methods=["GET", "POST"], dependencies=asks)
    def events_of_one(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        require_read(store, "Subscription")
        return past(site, store, call, id).response(pretty=call.pretty)
