"""What every write of a Subscription must pass: who may, whither, about what; and the row by which it is carried out."""

from typing import Final

from healthsvc.access import rules as access
from healthsvc.errors import Forbidden, NotSupported, Refusal, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.store import Room, Store
from healthsvc.store.search.condition import condition
from healthsvc.subscription import service
from healthsvc.subscription.resources import Terms, to_terms
from healthsvc.subscription.rules import State, admitted, check_endpoint


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a subscription; refuse what could not be carried out, now and not at the first event."""
    if not access.allows(store.actor.roles, access.Action.EXPORT):
        raise Forbidden("a subscription hands records on; that needs the right export", reason="role", path="Subscription")
    if new is None:
        if old is not None:
            service.forget(store, old["id"])
        return
    was, now = (State(old["status"]) if old else None), State(new["status"])
    admitted(was, now, service.is_ours(store.actor))
    if now is State.OFF:
        service.forget(store, new["id"])
        return
    terms = to_terms(new)
    if now is State.REQUESTED or was is None:
        check_endpoint(terms.endpoint, service.policy_of(store).hosts)
        _understood(store, terms)
        service.ask(store, new["id"], anew=old is None or old.get("criteria") != new["criteria"])
    elif old is not None and not service.is_ours(store.actor) and _carried(old) != _carried(new):
        raise RuleViolation(
            "write status requested where criteria, channel or end change: the endpoint is asked again",
            reason="subscription-status",
            path="Subscription.status",
        )
    service.set_state(store, new["id"], now, new.get("error"))


def _carried(subscription: Resource) -> list[object]:
    return [subscription.get(name) for name in ("criteria", "_criteria", "channel", "end")]


def _understood(store: Store, terms: Terms) -> None:
    """Every search in the criteria can be carried out, by whoever asks."""
    for trigger in terms.triggers:
        if not store.database.language.is_type(trigger.type):
            raise NotSupported("criteria are a topic's url or Type?search", path="Subscription.criteria")
        if not access.allows(store.actor.roles, access.Action.READ_CLINICAL, trigger.type):
            raise Forbidden(f"your role does not allow read-clinical on {trigger.type}", reason="role", path="Subscription.criteria")
    searches = [(one.type, query) for one in terms.triggers for query in (one.previous, one.current) if query]
    for type, query in (*searches, *terms.filters):
        try:
            condition(store, type, query)
        except Refusal as refusal:
            raise NotSupported(f"the criteria cannot be carried out: {refusal.text}", path="Subscription.criteria") from None


ROOM: Final = Room("subscription", frozenset({"Subscription"}), admit)
