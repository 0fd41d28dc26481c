"""Tells subscribers: a handshake first, then events in their order, a heartbeat where nothing happens; again and again until taken.

One process does it (a lease). Subscribers do not wait for each other: each has its own turn in a pool of threads. What has been told is
written down after the endpoint has taken it, so a kill in between tells the same again, with the same numbers.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from healthsvc import clock
from healthsvc.fhir.json import dumps
from healthsvc.fhir.systems import BASE
from healthsvc.store import Database, Store
from healthsvc.store.bell import CHANGES
from healthsvc.subscription import service
from healthsvc.subscription.resources import Event, Terms, notification, status, to_terms
from healthsvc.subscription.rules import Content, State, check_endpoint
from healthsvc.subscription.service import TELLER, Subscriber
from integrations import metrics
from integrations.leading import Lead, Rounds
from integrations.subscribers.agreed import agreed
from integrations.subscribers.follow import follow
from integrations.subscribers.post import NotTaken, post

log = structlog.get_logger()
TURN_SECONDS = 0.3
LEASE_LENGTH = timedelta(seconds=30)
AT_ONCE = 8
"""Subscribers that are told at the same time."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent next to one subscriber."""

    kind: str
    terms: Terms
    requests: tuple[tuple[str, str, bytes], ...]
    """(method, url, body), in order."""
    until: int
    """Number of the event up to which it tells."""
    seconds: float
    types: tuple[str, ...] = ()


class Teller:
    """Runs in a thread of its own; :meth:`turn` is one look at everything."""

    def __init__(self, database: Database, holder: str, base: str | None = None, now: Callable[[], datetime] = clock.utc_now) -> None:
        self.database = database
        self.base = base or BASE
        self._now = now
        lead = Lead(database, "subscriptions", holder, TELLER, LEASE_LENGTH, now)
        self._rounds = Rounds("subscriptions", self.turn, TURN_SECONDS, lead=lead, database=database, topic=CHANGES)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="subscriber")
        self._busy: dict[str, Future[None]] = {}

    def start(self) -> None:
        """Begin; returns at once."""
        self._rounds.start()

    def stop(self) -> None:
        """Finish what is being sent, then end."""
        self._rounds.stop()
        self._pool.shutdown(wait=True)

    def turn(self) -> None:
        """Follow the changes to their present end, then tell whoever is to be told and not being told right now."""
        with self.database.reading(TELLER, at=self._now()) as store:
            known = service.subscribers(store)
        if not known:
            return
        more = True
        while more and not self._rounds.stopping.is_set():
            with self.database.writing(TELLER, at=self._now()) as store:
                more = follow(store)
        with self.database.reading(TELLER, at=self._now()) as store:
            known = service.subscribers(store)
        self._busy = {id: future for id, future in self._busy.items() if not future.done()}
        for one in known:
            if one.id not in self._busy and one.state in (State.REQUESTED, State.ACTIVE) and one.due <= self._now():
                self._busy[one.id] = self._pool.submit(self.tell, one.id)

    def settle(self) -> None:
        """Wait for those who are being told (for tests)."""
        for future in list(self._busy.values()):
            future.result()

    def tell(self, id: str) -> None:
        """Send one subscriber what is next, until there is nothing more or it does not take it."""
        try:
            while not self._rounds.stopping.is_set():
                with self.database.reading(TELLER, at=self._now()) as store:
                    one = service.subscriber(store, id)
                    letter = None if one is None else self._letter(store, one)
                if one is None or letter is None or not self._sent(one, letter):
                    return
        except Exception as error:  # noqa: BLE001 - this subscriber's next turn is another chance; others must not wait
            log.error("a subscriber could not be told", subscription=id, error=type(error).__name__)

    def _letter(self, store: Store, one: Subscriber) -> Letter | None:
        """What is next for a subscriber; None: nothing."""
        resource = store.find("Subscription", one.id)
        if resource is None or one.state not in (State.REQUESTED, State.ACTIVE):
            return None
        terms, policy = to_terms(resource), service.policy_of(store)
        seconds = float(terms.timeout_seconds or policy.timeout_seconds)
        check_endpoint(terms.endpoint, policy.hosts)
        if service.dismissed(store, one.actor) or (terms.end is not None and terms.end <= store.at):
            return Letter("end", terms, (), one.told, seconds)
        if one.state is State.REQUESTED:
            return self._said(store, one, terms, "handshake", (), one.told, seconds)
        if one.last > one.told:
            most = 1 if terms.topic is None else min(terms.most or policy.most_events, policy.most_events)
            asked = service.in_the_name_of(store, one.actor)
            content = terms.content if terms.topic else Content.FULL if terms.payload else Content.ID_ONLY
            events, until = service.events(asked, one, one.told, None, most, content)
            return self._said(store, one, terms, "event-notification", tuple(agreed(store, events, terms)), until, seconds)
        quiet = store.at - one.heard
        if terms.topic and terms.heartbeat_seconds and quiet >= timedelta(seconds=terms.heartbeat_seconds):
            return self._said(store, one, terms, "heartbeat", (), one.told, seconds)
        return None

    def _said(
        self, store: Store, one: Subscriber, terms: Terms, kind: str, events: tuple[Event, ...], until: int, seconds: float
    ) -> Letter:
        types = tuple(sorted({event.type for event in events}))
        if kind == "event-notification" and not events:
            return Letter(kind, terms, (), until, seconds)
        if terms.topic is None:
            return Letter(kind, terms, tuple(_plain(terms, event) for event in events), until, seconds, types)
        said = status(self.base, one.id, terms, one.state.value, kind, one.last, events)
        bundle = notification(self.base, said, events, terms.content, store.at.astimezone(store.zone))
        return Letter(kind, terms, (("POST", terms.endpoint, dumps(bundle)),), until, seconds, types)

    def _sent(self, one: Subscriber, letter: Letter) -> bool:
        """Send a letter and write down how it went; whether to go on at once."""
        try:
            for method, url, body in letter.requests:
                post(url, body, letter.terms.headers, letter.seconds, method)
        except NotTaken as trouble:
            with self.database.writing(TELLER, at=self._now()) as store:
                state = service.missed(store, one, str(trouble))
            metrics.NOTIFIED.labels(letter.kind, "again" if state is one.state else "error").inc()
            log.warning("a subscriber did not take it", subscription=one.id, kind=letter.kind, why=str(trouble), state=state.value)
            return False
        with self.database.writing(TELLER, at=self._now()) as store:
            if letter.kind == "end":
                service.write_state(store, one.id, State.OFF)
                return False
            service.told(store, one.id, letter.until)
            if one.state is State.REQUESTED:
                service.write_state(store, one.id, State.ACTIVE)
            if letter.types:
                store.audit("notify", f"Subscription/{one.id}?{'&'.join(letter.types)}")
        metrics.NOTIFIED.labels(letter.kind, "taken").inc()
        return True


def _plain(terms: Terms, event: Event) -> tuple[str, str, bytes]:
    """R4's own rest-hook: an empty POST, or the resource by PUT as an update of it."""
    if not terms.payload or event.resource is None:
        return "POST", terms.endpoint, b""
    return "PUT", f"{terms.endpoint.rstrip('/')}/{event.type}/{event.id}", dumps(event.resource)
