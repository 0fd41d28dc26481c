"""Subscriptions carried out: asked for, activated, followed, told, in error; what a subscriber may see of what happened."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import delete, insert, select, update

from healthsvc.access import rules as access
from healthsvc.access.door import narrowed
from healthsvc.fhir.json import Resource
from healthsvc.store import Actor, Store
from healthsvc.store.access_tables import TokenRow, UserRow
from healthsvc.store.changes import newest
from healthsvc.store.search import may_see
from healthsvc.store.stored import Stored, micros, moment
from healthsvc.store.subscription_tables import SubscriberRow, SubscriptionEventRow
from healthsvc.subscription.resources import Event
from healthsvc.subscription.rules import Content, State

SUBSCRIBER = SubscriberRow.__table__  # type: ignore[attr-defined]
EVENT = SubscriptionEventRow.__table__  # type: ignore[attr-defined]
TOKEN = TokenRow.__table__  # type: ignore[attr-defined]
USER = UserRow.__table__  # type: ignore[attr-defined]
TELLER = Actor("system/subscriptions", "subscriptions", frozenset({"system"}), "timer")
"""In whose name states are written and changes are followed."""


@dataclass(frozen=True, slots=True)
class SubscriptionPolicy:
    """Filled from ``policy/subscription.toml``."""

    hosts: tuple[str, ...]
    first_pause_seconds: int
    longest_pause_seconds: int
    tries: int
    timeout_seconds: int
    most_events: int
    keep_days: int


def policy_of(store: Store) -> SubscriptionPolicy:
    """As in force today."""
    return store.policy.fill(SubscriptionPolicy, "subscription", store.today)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One subscription as it is carried out."""

    id: str
    actor: Actor
    state: State
    follows: bool
    since: int
    last: int
    told: int
    attempts: int
    due: datetime
    heard: datetime
    error: str | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """From its row."""
        actor = Actor.of_json(json.loads(row.actor))
        times = moment(row.due), moment(row.heard)
        return cls(row.id, actor, State(row.state), row.follows, row.since, row.last, row.told, row.attempts, *times, row.error)


def is_ours(actor: Actor) -> bool:
    """Whether it is the service itself that writes a state."""
    return actor.id == TELLER.id


def ask(store: Store, id: str, *, anew: bool) -> None:
    """A client asks for a subscription, or for it to be taken up again; ``anew``: for other events than before."""
    row = {
        "actor": json.dumps(store.actor.as_json(), ensure_ascii=False), "state": State.REQUESTED.value, "attempts": 0,
        "due": micros(store.at), "error": None, **({"follows": False} if anew else {}),
    }  # fmt: skip
    if subscriber(store, id) is not None:
        store.connection.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == id).values(**row))
        return
    first = {"id": id, "follows": False, "since": 0, "last": 0, "told": 0, "heard": 0}
    store.connection.execute(insert(SUBSCRIBER).values(**{**first, **row}))


def set_state(store: Store, id: str, state: State, error: str | None) -> None:
    """The row follows the resource; from its first activation on what happens is counted."""
    store.connection.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == id).values(state=state.value, error=error))
    if state is State.ACTIVE:
        first = (SUBSCRIBER.c.id == id) & SUBSCRIBER.c.follows.is_(False)
        store.connection.execute(update(SUBSCRIBER).where(first).values(follows=True, since=newest(store.connection)))


def forget(store: Store, id: str) -> None:
    """It is off or deleted: nothing is counted or told any more."""
    store.connection.execute(delete(SUBSCRIBER).where(SUBSCRIBER.c.id == id))


def subscriber(store: Store, id: str) -> Subscriber | None:
    """A subscription's row."""
    row = store.connection.execute(select(SUBSCRIBER).where(SUBSCRIBER.c.id == id)).one_or_none()
    return None if row is None else Subscriber.of(row)


def subscribers(store: Store) -> list[Subscriber]:
    """All of them."""
    return [Subscriber.of(row) for row in store.connection.execute(select(SUBSCRIBER).order_by(SUBSCRIBER.c.id))]


def write_state(store: Store, id: str, state: State, error: str | None = None) -> None:
    """Put the service's word into the resource (in the name of :data:`TELLER`)."""
    found = store.find("Subscription", id)
    if found is not None:
        kept = {key: value for key, value in found.items() if key != "error"}
        store.put(kept | {"status": state.value} | ({"error": error} if error else {}))


def happened(store: Store, one: Subscriber, number: int, type: str, id: str, version: int, action: str, at: int) -> None:
    """Count an event for a subscriber."""
    row = {"subscription": one.id, "number": number, "type": type, "id": id, "version": version, "action": action, "at": at}
    store.connection.execute(insert(EVENT).values(**row))
    store.connection.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == one.id).values(last=number))


def told(store: Store, id: str, number: int) -> None:
    """The subscriber has taken everything up to an event."""
    values = {"told": number, "attempts": 0, "due": 0, "heard": micros(store.at), "error": None}
    store.connection.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == id).values(**values))


def missed(store: Store, one: Subscriber, why: str) -> State:
    """An attempt has failed: again after a pause that doubles, or in error; gives the state that follows."""
    policy, attempts = policy_of(store), one.attempts + 1
    pause = min(policy.first_pause_seconds * 2 ** min(attempts - 1, 20), policy.longest_pause_seconds)
    values = {"attempts": attempts, "due": micros(store.at + timedelta(seconds=pause)), "error": why}
    store.connection.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == one.id).values(**values))
    if attempts < policy.tries:
        return one.state
    write_state(store, one.id, State.ERROR, f"{attempts} attempts in a row failed: {why}")
    return State.ERROR


def events(store: Store, one: Subscriber, after: int, until: int | None, most: int, content: Content) -> tuple[list[Event], int]:
    """Up to ``most`` events behind a number, as far as the subscriber may see them now, and the number up to which was looked.

    ``store`` is opened in the subscriber's name. What was deleted since, or is not to be seen any more, is left out; that an own
    resource was deleted is told where the subscriber is not narrowed to some people.
    """
    wanted = (EVENT.c.subscription == one.id) & (EVENT.c.number > after)
    if until is not None:
        wanted &= EVENT.c.number <= until
    rows = store.connection.execute(select(EVENT).where(wanted).order_by(EVENT.c.number).limit(most)).all()
    seen = [event for row in rows if (event := _seen(store, row, content)) is not None]
    return seen, rows[-1].number if rows else after


def _seen(store: Store, row: Any, content: Content) -> Event | None:
    if not access.allows(store.actor.roles, access.Action.READ_CLINICAL, row.type):
        return None
    current = store.get(row.type, row.id)
    at = moment(row.at).astimezone(store.zone)
    if current is None or current.deleted:
        gone = row.action == "delete" and store.restrict is None
        return Event(row.number, row.type, row.id, row.version, row.action, at) if gone else None
    if store.restrict is not None and not may_see(store, current, store.restrict):
        return None
    version = store.version(row.type, row.id, row.version) if content is Content.FULL else None
    return Event(row.number, row.type, row.id, row.version, row.action, at, _body(version))


def _body(version: Stored | None) -> Resource | None:
    return None if version is None or version.deleted else version.resource


def dismissed(store: Store, actor: Actor) -> bool:
    """Whether whoever asked for a subscription has lost the key since: a revoked token, an account that was closed."""
    kind, _, name = actor.id.partition("/")
    if kind == "token":
        found = select(TOKEN.c.id).where(TOKEN.c.id == int(name), TOKEN.c.revoked.is_(None))
    elif kind in ("user", "Practitioner"):
        who = USER.c.login == name if kind == "user" else USER.c.practitioner == actor.id
        found = select(USER.c.login).where(who, USER.c.active.is_(True))
    else:
        return False
    return store.connection.execute(found).first() is None


def in_the_name_of(store: Store, actor: Actor) -> Store:
    """The store as an actor sees it, for the rest of its transaction."""
    store.actor = actor
    return narrowed(store)


def forget_events(store: Store) -> int:
    """Remove events that the policy keeps no longer, and those of subscriptions that are off; gives how many."""
    old = EVENT.c.at < micros(store.at - timedelta(days=policy_of(store).keep_days))
    gone = EVENT.c.subscription.not_in(select(SUBSCRIBER.c.id))
    waiting = select(SUBSCRIBER.c.told).where(SUBSCRIBER.c.id == EVENT.c.subscription).scalar_subquery()
    return int(store.connection.execute(delete(EVENT).where((old & (EVENT.c.number <= waiting)) | gone)).rowcount)
