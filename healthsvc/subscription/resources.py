"""Subscription resources <-> terms, and what is sent: status and notifications as the R4 backport of R5's subscriptions has them."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir.conformance.tables import Trigger
from healthsvc.fhir.conformance.topics import BACKPORT, BY_URL, WRITTEN
from healthsvc.fhir.elements import extensions, moment
from healthsvc.fhir.json import Resource
from healthsvc.subscription.rules import Content, header

JSON = ("application/fhir+json", "application/json", "application/fhir+json;fhirVersion=4.0")
METHODS = {"create": "POST", "update": "PUT", "delete": "DELETE"}
STATUSES = {"create": "201", "update": "200", "delete": "204"}
WITHIN = ("heartbeat-period", "timeout", "max-count")


@dataclass(frozen=True, slots=True)
class Terms:
    """A subscription as we carry it out."""

    topic: str | None
    """Canonical url of the topic; None: the criteria are a search, as R4 itself has it."""
    triggers: tuple[Trigger, ...]
    filters: tuple[tuple[str, str], ...]
    """(type, search) that an event of the type must fulfil as well."""
    content: Content
    payload: bool
    """Without a topic: whether the resource is sent (PUT) or an empty POST."""
    endpoint: str
    headers: tuple[tuple[str, str], ...] = ()
    heartbeat_seconds: int | None = None
    timeout_seconds: int | None = None
    most: int | None = None
    """Events in one notification."""
    end: datetime | None = None
    organization: str | None = None
    """``Organization/x`` that is told, for consents that name it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, as its subscriber counts it."""

    number: int
    type: str
    id: str
    version: int
    action: str
    at: datetime
    resource: Resource | None = None
    """The version; None where only the id is told."""


def to_terms(subscription: Resource) -> Terms:
    """What a Subscription asks for.

    Raises:
        NotSupported: a channel, a payload or a topic that there is not.
        Invalid: something that is needed is missing or cannot be read.
    """
    channel = subscription["channel"]
    if channel.get("type") != "rest-hook" or _of(channel.get("_type"), "channel-type") is not None:
        raise NotSupported("the only channel is rest-hook", path="Subscription.channel.type")
    if not channel.get("endpoint"):
        raise Invalid("a rest-hook needs an endpoint", path="Subscription.channel.endpoint")
    payload = channel.get("payload")
    if payload is not None and payload.replace(" ", "") not in JSON:
        raise NotSupported("notifications are written as application/fhir+json", path="Subscription.channel.payload")
    criteria = subscription["criteria"]
    topic = BY_URL.get(criteria.partition("|")[0])
    if topic is None and "://" in criteria:
        raise NotSupported("there is no such topic; CapabilityStatement lists those that there are", path="Subscription.criteria")
    triggers: tuple[Trigger, ...]
    filters: tuple[tuple[str, str], ...]
    if topic is None:
        type, _, query = criteria.partition("?")
        triggers, filters = (Trigger(type, WRITTEN, query or None),), ()
    else:
        triggers, filters = topic.triggers, tuple(_filter(one, topic.filters, topic.triggers) for one in _filters(subscription))
    numbers = {name: _number(_of(channel, f"{name}")) for name in WITHIN}
    named = extensions(subscription, "subscriber")
    return Terms(
        criteria.partition("|")[0] if topic else None,
        triggers,
        filters,
        _content(channel),
        payload is not None,
        channel["endpoint"],
        tuple(map(header, channel.get("header", ()))),
        numbers["heartbeat-period"],
        numbers["timeout"],
        numbers["max-count"],
        moment(subscription["end"], "Subscription.end") if "end" in subscription else None,
        named[0].get("valueReference", {}).get("reference") if named else None,
    )


def _of(element: Resource | None, name: str) -> Any:
    """The value of an extension of the backport."""
    found = [one for one in (element or {}).get("extension", ()) if one.get("url") == f"{BACKPORT}/backport-{name}"]
    return next((value for one in found for key, value in one.items() if key.startswith("value")), None)


def _number(value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or not 0 < value < 1_000_000):
        raise Invalid("heartbeat, timeout and max-count are whole numbers from 1", path="Subscription.channel.extension")
    return value


def _content(channel: Resource) -> Content:
    said = _of(channel.get("_payload"), "payload-content")
    try:
        return Content(said or Content.ID_ONLY)
    except ValueError:
        raise Invalid("the content is empty, id-only or full-resource", path="Subscription.channel.payload.extension") from None


def _filters(subscription: Resource) -> list[str]:
    listed = subscription.get("_criteria", {}).get("extension", ())
    return [str(one.get("valueString", "")) for one in listed if one.get("url") == f"{BACKPORT}/backport-filter-criteria"]


def _filter(text: str, names: Sequence[str], triggers: Sequence[Trigger]) -> tuple[str, str]:
    type, _, query = text.partition("?")
    given = [one.partition("=")[0].partition(":")[0].partition(".")[0] for one in query.split("&")]
    if type not in {one.type for one in triggers} or not set(given) <= set(names):
        listed = ", ".join(f"{one.type}?{name}=" for one in triggers for name in names)
        raise Invalid(f"this topic is narrowed by {listed}", path="Subscription.criteria.extension")
    return type, query


def status(
    base: str, id: str, terms: Terms, state: str, kind: str, last: int, events: Iterable[Event] = (), error: str | None = None
) -> Resource:
    """The state of a subscription as Parameters. ``kind``: handshake, heartbeat, event-notification, query-status or query-event."""
    parameters: list[Resource] = [{"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{id}"}}]
    if terms.topic:
        parameters.append({"name": "topic", "valueCanonical": terms.topic})
    parameters += [
        {"name": "status", "valueCode": state},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(last)},
    ]
    parameters += [{"name": "notification-event", "part": _event(base, one, terms.content)} for one in events]
    if error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": error}})
    profile = f"{BACKPORT}/backport-subscription-status-r4"
    return {"resourceType": "Parameters", "id": str(uuid.uuid4()), "meta": {"profile": [profile]}, "parameter": parameters}


def _event(base: str, one: Event, content: Content) -> list[Resource]:
    part: list[Resource] = [
        {"name": "event-number", "valueString": str(one.number)},
        {"name": "timestamp", "valueInstant": one.at.isoformat(timespec="milliseconds")},
    ]
    if content is not Content.EMPTY:
        part.append({"name": "focus", "valueReference": {"reference": f"{base}/{one.type}/{one.id}"}})
    return part


def notification(base: str, said: Resource, events: Sequence[Event], content: Content, at: datetime) -> Resource:
    """A notification: its status first, then what happened, as far as the content tells it."""
    subscription = said["parameter"][0]["valueReference"]["reference"]
    first = {
        "fullUrl": f"urn:uuid:{said['id']}",
        "resource": said,
        "request": {"method": "GET", "url": f"{subscription}/$status"},
        "response": {"status": "200"},
    }
    entries = [first] + ([] if content is Content.EMPTY else [_entry(base, one, content) for one in events])
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": at.isoformat(timespec="milliseconds"),
        "entry": entries,
    }


def _entry(base: str, one: Event, content: Content) -> Resource:
    url = one.type if one.action == "create" else f"{one.type}/{one.id}"
    made: Resource = {"fullUrl": f"{base}/{one.type}/{one.id}"}
    if content is Content.FULL and one.resource is not None:
        made["resource"] = one.resource
    return made | {"request": {"method": METHODS[one.action], "url": url}, "response": {"status": STATUSES[one.action]}}
