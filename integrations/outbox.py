"""The outbox: messages to hospitals wait in the database, go out in each person's order, and are tried again without flooding anybody.

Delivery is at least once: a message keeps its control id however often it is sent, so the peer can recognise it. Only an answer with its
own number counts (MSA-2); a line that answers anything else is dropped. AA and CA end it (CA only where no application answer is to come:
``answers``), AR and CR end it as refused, AE and CE and silence are tried again after a growing pause, which holds back the messages of the
same person and of nobody else. After silence the whole destination rests, because the next message would only knock at the same closed
door; then another message goes first, and one to which alone there is no answer lands with the operator in the end.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
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
from integrations.answers import KIND, LONGEST, NOW, OF_A_MESSAGE, TAKEN, DeliveryPolicy, heard, judged, overdue, pause, policy_of
from integrations.arrival import MAX_ID, Arrival, State, digest
from integrations.consent import objection
from integrations.hl7v2.ack import AckCode
from integrations.hl7v2.replies import Reply, belongs, commit_answer, control_id_of, read_reply
from integrations.hospitals.destination import Destination
from integrations.keep import put as put_arrivals
from integrations.leading import Lead, Rounds
from integrations.mllp.client import Client, NoAnswer
from integrations.mllp.tls import client_context

log = structlog.get_logger()

LOOK_AHEAD = 1000
IDLE_SECONDS = 0.5
LEASE_LENGTH = timedelta(seconds=30)
"""Looked at before every message; one that goes out twice at a change of hands keeps its control id."""
_ACTOR = Actor("system/outbox", "hospital line", frozenset({"system"}), "hl7")
COURIER = "courier-"
"""How the lease of whoever delivers to a destination begins; its name follows."""
SAYS_MORE = "RRI"
"""Answers that say more than that a message has arrived: whether the hospital takes the person whom we refer."""


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
    number: str | None = None,
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
        number: its control id, where that is not to be read from the text.
    """
    payload = {"message": text, "codec": codec, "topic": topic, "event": event}
    known = number or control_id_of(text.encode("utf-8", "replace")) or None
    put_outbox(store.connection, store.sealer, f"{KIND}{destination}", person, payload, micros(store.at), problem, known)
    store.rings.add(OUTBOX_RINGS)


class Courier:
    """Delivers to one destination, one message at a time, in a thread of its own."""

    def __init__(self, database: Database, destination: Destination, chance: Callable[[], float], holder: str = "") -> None:
        self.database = database
        self.destination = destination
        self._chance = chance
        client_context(destination)  # a wrong setting is told at the start; the files are read anew for each connection
        self._client = Client(
            destination.host,
            destination.port,
            belongs,
            seconds=destination.seconds,
            tls=partial(client_context, destination),
            aside=self._heard,
        )
        name = f"{COURIER}{destination.name}"
        lead = Lead(database, name, holder or f"courier-{id(self)}", _ACTOR, LEASE_LENGTH)
        self._rounds = Rounds(name, self._look, IDLE_SECONDS, lead=lead, database=database, topic=OUTBOX_RINGS)
        self._silences = 0
        self._rests_until: datetime | None = None
        self._rests_from: datetime | None = None
        self._at = clock.utc_now()
        """The moment of the round that goes on."""
        self._answers = 0
        """How often the destination has answered anything."""
        self._silent: dict[int, int] = {}
        """By message that got no answer: how often the destination had answered by then."""

    def start(self) -> None:
        """Begin to deliver."""
        self._rounds.start()

    def stop(self) -> None:
        """Finish the message at hand and end."""
        self._rounds.stop()
        self._client.close()

    def round(self, at: datetime, leads: Callable[[], bool] = lambda: True) -> int:
        """Deliver what is due, first message of each person first, as long as this process leads; gives how many were settled."""
        self._at = at
        with suppress(NoAnswer):  # the line was dropped; what goes out next opens another
            self._client.look()
        if self._rests_until is not None and at < self._rests_until <= at + LONGEST and not self._is_asked_for(at):
            return 0
        settled = 0
        for row in self._due(at):
            if self._rounds.stopping.is_set() or not leads():
                break
            if row.state == TAKEN:
                settled += self._give_up(row, at)
                continue
            if (reason := self._objection(row, at)) is not None:
                settled += self._withhold(row, reason, at)
                continue
            reply, why = self._send(row)
            settled += self._note(row, reply, why, at)
            if reply is None:
                break
        return settled

    def _look(self) -> int:
        return self.round(clock.utc_now(), self._rounds.leads)

    def _is_asked_for(self, at: datetime) -> bool:
        """Whether an operator has asked, since the rest began, that the hospital be tried again at once."""
        with self.database.reading(_ACTOR, at=at) as store:
            asked = store.holder(f"{NOW}{self.destination.name}")
        return asked is not None and self._rests_from is not None and int(asked) > micros(self._rests_from)

    def _due(self, at: datetime) -> list[Any]:
        """The first waiting message of each person, where it is due; after silence those that were tried least come first."""
        waiting = OUTBOX.c.state.in_(("due", TAKEN)) & (OUTBOX.c.kind == f"{KIND}{self.destination.name}")
        first = select(func.min(OUTBOX.c.id)).where(waiting).group_by(OUTBOX.c.key)
        order = (OUTBOX.c.attempts, OUTBOX.c.id) if self._silences else (OUTBOX.c.id,)
        with self.database.reading(_ACTOR, at=at) as store:
            # what lies further ahead than any pause was put there by a clock that has been set back since
            due = or_(OUTBOX.c.due <= micros(at), OUTBOX.c.due > micros(at + LONGEST))
            wanted = select(OUTBOX).where(OUTBOX.c.id.in_(first), due).order_by(*order).limit(LOOK_AHEAD)
            return list(store.connection.execute(wanted).all())

    def _objection(self, row: Any, at: datetime) -> str | None:
        """Why the person's message must not go out now; an answer tells the hospital no more than it has said itself."""
        if row.key.startswith(OF_A_MESSAGE):
            return None
        with self.database.reading(_ACTOR, at=at) as store:
            return objection(store, row.key, self.destination)

    def _withhold(self, row: Any, reason: str, at: datetime) -> int:
        """Keep a message back for good; an operator may try it again once the consent is there."""
        with self.database.writing(_ACTOR, at=at) as store:
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(state="withheld", error=reason))
            store.audit("withhold", f"outbox/{row.id}", patient=row.key, outcome=reason)
        self._tell(row, "withheld")
        return 1

    def _give_up(self, row: Any, at: datetime) -> int:
        """Wait no longer for an application answer."""
        with self.database.writing(_ACTOR, at=at) as store:
            values = overdue(self.destination.application_answer, policy_of(store))
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id, OUTBOX.c.state == TAKEN).values(**values))
        self._tell(row, str(values["state"]))
        return 1

    def _send(self, row: Any) -> tuple[Reply | None, str]:
        """Send a message; without its own answer, why."""
        payload = payload_of(self.database.sealer, row)
        try:
            return read_reply(self._client.send(payload["message"].encode(payload["codec"]))), ""
        except NoAnswer as refusal:
            log.warning("hl7 delivery without answer", destination=self.destination.name, message=row.id, reason=refusal.text)
            return None, refusal.text

    def _note(self, row: Any, reply: Reply | None, why: str, at: datetime) -> int:
        """Write down how an attempt went; gives 1 where that was the last word on the message."""
        ours, attempts = not row.key.startswith(OF_A_MESSAGE), row.attempts + 1
        with self.database.writing(_ACTOR, at=at) as store:
            policy = policy_of(store)
            if reply is not None and reply.event.startswith(SAYS_MORE):
                self._keep(store, reply)
            if reply is not None:
                values = judged(reply, attempts, policy, at, self._chance(), awaits=ours and self.destination.awaits_application)
            elif attempts >= policy.delivery_errors and self._silent.get(row.id, self._answers) < self._answers:
                values = {"state": "dead", "error": f"{why}, though it answered others"}
            else:
                values = {"due": micros(at + pause(attempts, policy, self._chance())), "error": why}
            # its application answer may have come in by another line before its commit answer could be written down
            still = update(OUTBOX).where(OUTBOX.c.id == row.id, OUTBOX.c.state == row.state)
            noted = store.connection.execute(still.values(**values, attempts=attempts)).rowcount
            if noted and values.get("state") == "done":
                store.audit("tell-hospital", f"outbox/{row.id}", patient=row.key if ours else None)
        self._weigh(row, reply, at, policy)
        if reply is not None and reply.event.startswith(SAYS_MORE):
            self.database.bell.ring(INBOX_RINGS)
        self._tell(row, str(values.get("state", "again")))
        return int(values.get("state", "due") != "due")

    def _weigh(self, row: Any, reply: Reply | None, at: datetime, policy: DeliveryPolicy) -> None:
        """What an attempt says of the destination: after silence it rests."""
        if reply is not None:
            self._answers += 1
            self._silent.pop(row.id, None)
            self._silences, self._rests_until = 0, None
            return
        self._silent.setdefault(row.id, self._answers)
        self._silences += 1
        self._rests_from = at
        self._rests_until = at + pause(self._silences, policy, self._chance())

    def _tell(self, row: Any, outcome: str) -> None:
        metrics.DELIVERED.labels(self.destination.name, outcome).inc()
        log.info("hl7 delivery", destination=self.destination.name, message=row.id, outcome=outcome)

    def _heard(self, raw: bytes) -> bytes | None:
        """A word on the line that is not the answer to the message at hand: a later one to an earlier message, or none that we know."""
        reply = read_reply(raw)
        with self.database.writing(_ACTOR, at=self._at) as store:
            found = heard(store, self.destination.name, reply, self._chance(), on_our_line=True)
            if found is not None and reply.event.startswith(SAYS_MORE):
                self._keep(store, reply)
        if found is None:
            return None
        metrics.DELIVERED.labels(self.destination.name, f"later-{found}").inc()
        return commit_answer(raw, self._at)

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
