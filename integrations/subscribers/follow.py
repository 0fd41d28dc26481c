"""Follows the changes for all subscriptions: each committed write once and in order, its events counted in the transaction that notes
how far the reader has come. Whatever is killed, nothing is lost and nothing counted twice."""

from dataclasses import dataclass

import structlog

from healthsvc.errors import Refusal
from healthsvc.fhir.conformance.tables import Trigger
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.changes import Change, changes, move, newest, place
from healthsvc.store.search.condition import condition, held
from healthsvc.store.stored import Stored
from healthsvc.subscription import service
from healthsvc.subscription.resources import Terms, to_terms
from healthsvc.subscription.rules import fires
from healthsvc.subscription.service import Subscriber

log = structlog.get_logger()
READER = "subscriptions"
BATCH = 200
"""Acts of the audit that are looked at in one transaction."""


@dataclass(slots=True)
class Followed:
    """A subscription whose events are counted."""

    subscriber: Subscriber
    terms: Terms
    last: int


def follow(store: Store) -> bool:
    """Go on along the changes; whether there may be more."""
    settled = store.database.settled()
    here = place(store.connection, READER)
    followed = _followed(store)
    if here is None or not followed:
        move(store.connection, READER, newest(store.connection))
        return False
    types = {trigger.type for one in followed for trigger in one.terms.triggers}
    found, until = changes(store.connection, here, types, BATCH, settled)
    for change in found:
        after = store.version(change.type, change.id, change.version)
        before = store.version(change.type, change.id, change.version - 1) if change.version > 1 else None
        for one in followed:
            if change.seq > one.subscriber.since and _happened(store, one.terms, change, _living(before), _living(after)):
                one.last += 1
                service.happened(store, one.subscriber, one.last, change.type, change.id, change.version, change.action, change.at)
    if until > here:
        move(store.connection, READER, until)
    return until >= here + BATCH


def _followed(store: Store) -> list[Followed]:
    listed = []
    for one in service.subscribers(store):
        resource: Resource | None = store.find("Subscription", one.id) if one.follows else None
        if resource is not None:
            listed.append(Followed(one, to_terms(resource), one.last))
    return listed


def _living(version: Stored | None) -> Stored | None:
    return None if version is None or version.deleted else version


def _happened(store: Store, terms: Terms, change: Change, before: Stored | None, after: Stored | None) -> bool:
    """Whether a change is an event of a subscription."""
    try:
        return any(_fires(store, terms, trigger, change, before, after) for trigger in terms.triggers if trigger.type == change.type)
    except Refusal as refusal:
        # criteria that an older release understood: the subscription says nothing of them until it is mended
        log.error("the criteria of a subscription are not understood", reason=refusal.issue_code)
        return False


def _fires(store: Store, terms: Terms, trigger: Trigger, change: Change, before: Stored | None, after: Stored | None) -> bool:
    if change.action not in trigger.interactions:
        return False
    was = None if before is None else trigger.previous is None or held(store, before, condition(store, change.type, trigger.previous))
    now = None if after is None else trigger.current is None or held(store, after, condition(store, change.type, trigger.current))
    if not fires(trigger.both, was, now, previous=trigger.previous is not None, current=trigger.current is not None):
        return False
    version = after or before
    filters = [query for type, query in terms.filters if type == change.type]
    return version is not None and all(held(store, version, condition(store, change.type, query)) for query in filters)
