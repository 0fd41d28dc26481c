"""The outbox: messages to hospitals wait in the database, go out in each person's order, and are tried again without flooding anybody.

Delivery is at least once: a message keeps its control id however often it is sent, so the peer can recognise it. Only an answer with its
own number counts (MSA-2); a line that answers anything else is dropped. AA and CA end it, AR and CR end it as refused, AE and CE and
silence are tried again after a growing pause, which holds back the messages of the same person and of nobody else. After silence the
whole destination rests, because the next message would only knock at the same closed door.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, or_, select, update

from healthsvc import clock
from healthsvc.store import Actor, Database, Store
from healthsvc.store.bell import INBOX as INBOX_RINGS
from healthsvc.store.bell import OUTBOX as OUTBOX_RINGS
from healthsvc.store.outbox import OUTBOX, payload_of
from healthsvc.store.outbox import put as put_outbox
from healthsvc.store.stored import micros
from integrations import metrics
from integrations.arrival import MAX_ID, Arrival, State, digest
from integrations.consent import objection
from integrations.hl7v2.ack import AckCode
from integrations.hl7v2.replies import Reply, belongs, read_reply
from integrations.hospitals.destination import Destination
from integrations.keep import put as put_arrivals
from integrations.leading import Lead, Rounds
from integrations.mllp.client import Client, NoAnswer
from integrations.mllp.tls import client_context

log = structlog.get_logger()

LOOK_AHEAD = 1000
IDLE_SECONDS = 0.5
LONGEST = timedelta(hours=24)
"""Longer than any pause that a policy would set."""
LEASE_LENGTH = timedelta(seconds=30)
"""Looked at before every message; one that goes out twice at a change of hands keeps its control id."""
_ACTOR = Actor("system/outbox", "hospital line", frozenset({"system"}), "hl7")
SAYS_MORE = "RRI"
"""Answers that say more than that a message has arrived: whether the hospital takes the person whom we refer."""
KIND = "hl7:"
"""Kind of an outbox row: this, and the name of the link."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Filled from ``policy/hospital.toml``."""

    delivery_first_pause_seconds: int
    delivery_longest_pause_seconds: int
    delivery_jitter: float
    delivery_errors: int


def send_later(
    store: Store,
    destination: str,
    person: str,
    text: str,
    codec: str = "utf-8",
    *,
    topic: str = "",
    event: str = "",
    problem: str | None = None,
) -> None:
    """Leave a message for a hospital; it becomes due when this transaction commits.

    Args:
        store: an open writing transaction.
        destination: name of the link.
        person: Patient id; keeps the order, and is asked for consent when the message goes out.
        text: the message.
        codec: in which characters it goes out.
        topic: what it is about, for whoever looks at the queue.
        event: its event, likewise.
        problem: why it cannot go out as it is; it then waits among the dead letters.
    """
    payload = {"message": text, "codec": codec, "topic": topic, "event": event}
    put_outbox(store.connection, store.sealer, f"{KIND}{destination}", person, payload, micros(store.at), problem)
    store.rings.add(OUTBOX_RINGS)


def pause(attempts: int, policy: DeliveryPolicy, chance: float) -> timedelta:
    """How long to wait after so many failed attempts (``chance`` from 0 to 1): doubling, bounded, and never quite the same."""
    seconds = min(policy.delivery_first_pause_seconds * 2.0 ** min(attempts - 1, 30), policy.delivery_longest_pause_seconds)
    return timedelta(seconds=seconds * (1 + policy.delivery_jitter * (2 * chance - 1)))


class Courier:
    """Delivers to one destination, one message at a time, in a thread of its own."""

    def __init__(self, database: Database, destination: Destination, chance: Callable[[], float], holder: str = "") -> None:
        self.database = database
        self.destination = destination
        self._chance = chance
        self._client = Client(destination.host, destination.port, belongs, seconds=destination.seconds, tls=client_context(destination))
        name = f"courier-{destination.name}"
        lead = Lead(database, name, holder or f"courier-{id(self)}", _ACTOR, LEASE_LENGTH)
        self._rounds = Rounds(name, self._look, IDLE_SECONDS, lead=lead, database=database, topic=OUTBOX_RINGS)
        self._silences = 0
        self._rests_until: datetime | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._rounds.start()

    def stop(self) -> None:
        """Finish the message at hand and end."""
        self._rounds.stop()
        self._client.close()

    def round(self, at: datetime, leads: Callable[[], bool] = lambda: True) -> int:
        """Deliver what is due, first message of each person first, as long as this process leads; gives how many were settled."""
        if self._rests_until is not None and at < self._rests_until <= at + LONGEST:
            return 0
        settled = 0
        for row in self._due(at):
            if self._rounds.stopping.is_set() or not leads():
                break
            if (reason := self._objection(row, at)) is not None:
                settled += self._withhold(row, reason, at)
                continue
            reply = self._send(row)
            settled += self._note(row, reply, at)
            if reply is None:
                break
        return settled

    def _look(self) -> int:
        return self.round(clock.utc_now(), self._rounds.leads)

    def _due(self, at: datetime) -> list[Any]:
        """The first waiting message of each person, where it is due."""
        waiting = (OUTBOX.c.state == "due") & (OUTBOX.c.kind == f"{KIND}{self.destination.name}")
        first = select(func.min(OUTBOX.c.id)).where(waiting).group_by(OUTBOX.c.key)
        with self.database.reading(_ACTOR, at=at) as store:
            # what lies further ahead than any pause was put there by a clock that has been set back since
            due = or_(OUTBOX.c.due <= micros(at), OUTBOX.c.due > micros(at + LONGEST))
            wanted = select(OUTBOX).where(OUTBOX.c.id.in_(first), due).order_by(OUTBOX.c.id).limit(LOOK_AHEAD)
            return list(store.connection.execute(wanted).all())

    def _objection(self, row: Any, at: datetime) -> str | None:
        """Why the person's message must not go out now."""
        with self.database.reading(_ACTOR, at=at) as store:
            return objection(store, row.key, self.destination)

    def _withhold(self, row: Any, reason: str, at: datetime) -> int:
        """Keep a message back for good; an operator may try it again once the consent is there."""
        with self.database.writing(_ACTOR, at=at) as store:
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(state="withheld", error=reason))
            store.audit("withhold", f"outbox/{row.id}", patient=row.key, outcome=reason)
        metrics.DELIVERED.labels(self.destination.name, "withheld").inc()
        log.info("hl7 delivery withheld", destination=self.destination.name, message=row.id, reason=reason)
        return 1

    def _send(self, row: Any) -> Reply | None:
        payload = payload_of(self.database.sealer, row)
        try:
            return read_reply(self._client.send(payload["message"].encode(payload["codec"])))
        except NoAnswer as refusal:
            log.warning("hl7 delivery without answer", destination=self.destination.name, message=row.id, reason=refusal.text)
            return None

    def _note(self, row: Any, reply: Reply | None, at: datetime) -> int:
        """Write down how an attempt went; gives 1 where that was the last word on the message."""
        with self.database.writing(_ACTOR, at=at) as store:
            policy = store.policy.fill(DeliveryPolicy, "hospital", at.date())
            attempts = row.attempts + 1
            values: dict[str, Any] = {"attempts": attempts, "error": f"{reply.code} {reply.text}".strip() if reply else "no answer"}
            if reply is not None and reply.event.startswith(SAYS_MORE):
                self._keep(store, reply)
            if reply is not None and reply.positive:
                values |= {"state": "done", "error": None}
                store.audit("tell-hospital", f"outbox/{row.id}", patient=row.key)
            elif reply is not None and reply.final:
                values["state"] = "refused"
            elif reply is not None and attempts >= policy.delivery_errors:
                values["state"] = "dead"
            else:
                values["due"] = micros(at + pause(attempts, policy, self._chance()))
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**values))
            self._silences = 0 if reply is not None else self._silences + 1
            self._rests_until = at + pause(self._silences, policy, self._chance()) if reply is None else None
        if reply is not None and reply.event.startswith(SAYS_MORE):
            self.database.bell.ring(INBOX_RINGS)
        outcome = str(values.get("state", "again"))
        metrics.DELIVERED.labels(self.destination.name, outcome).inc()
        log.info("hl7 delivery", destination=self.destination.name, message=row.id, outcome=outcome, attempts=attempts)
        return int("state" in values)

    def _keep(self, store: Store, reply: Reply) -> None:
        """An answer that says what becomes of what we asked for goes into the inbox, in the transaction that ends the message it answers:
        from there it has its effect like any other message, once, and hangs on what it changed."""
        answer = Arrival(reply.raw, f"reply:{self.destination.name}", self.destination.host, micros(store.at))
        answer.link, answer.sender, answer.control_id, answer.event = (
            self.destination.name,
            "reply",
            reply.number[:MAX_ID],
            reply.event[:32],
        )
        answer.code, answer.state, answer.hash = AckCode.AA, State.PENDING, digest(reply.raw)
        put_arrivals(store.connection, store.sealer, [answer])
