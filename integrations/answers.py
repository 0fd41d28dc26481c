"""What a hospital answers to a message of ours, at once or later, and what that makes of the message.

Enhanced mode (HL7 v2.5.1 2.9.3): the commit answer (CA, CE, CR) says whether the message is safely there, and where MSH-16 asks for it an
application answer (AA, AE, AR) follows, on the same line or on the hospital's own to us. Until then the message stays open, and the
person's later ones wait; when its time is over it lands with the operator (``ER``: then silence is consent).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, update

from healthsvc.store import Store
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import micros
from integrations.hl7v2.ack import APPLICATION, AckCode
from integrations.hl7v2.replies import Reply

log = structlog.get_logger()
KIND: Final = "hl7:"
"""Kind of an outbox row: this, and the name of the link."""
OF_A_MESSAGE: Final = "inbox/"
"""How the key of an answer of ours begins, which is about a hospital's message and not about a person."""
TAKEN: Final = "taken"
"""State of a message whose commit answer has come and whose application answer has not."""
NOW: Final = "send-now:"
"""How a claim begins whose holder is the moment (microseconds) at which an operator has asked that a hospital be tried again at once."""
LONGEST: Final = timedelta(hours=24)
"""Longer than any pause that a policy would set."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Filled from ``policy/hospital.toml``."""

    delivery_first_pause_seconds: int
    delivery_longest_pause_seconds: int
    delivery_jitter: float
    delivery_errors: int
    application_answer_minutes: int

    @property
    def patience(self) -> timedelta:
        """How long an application answer may take."""
        return min(timedelta(minutes=self.application_answer_minutes), LONGEST)


def policy_of(store: Store) -> DeliveryPolicy:
    """The policy of this day."""
    return store.policy.fill(DeliveryPolicy, "hospital", store.at.date())


def pause(attempts: int, policy: DeliveryPolicy, chance: float) -> timedelta:
    """How long to wait after so many failed attempts (``chance`` from 0 to 1): doubling, bounded, and never quite the same."""
    seconds = min(policy.delivery_first_pause_seconds * 2.0 ** min(attempts - 1, 30), policy.delivery_longest_pause_seconds)
    return timedelta(seconds=seconds * (1 + policy.delivery_jitter * (2 * chance - 1)))


def judged(reply: Reply, attempts: int, policy: DeliveryPolicy, at: datetime, chance: float, *, awaits: bool) -> dict[str, Any]:
    """What an answer makes of a message after so many attempts: done, taken (``awaits``: more is to come), refused, dead, or due again."""
    said = f"{reply.code or 'no code'} {reply.text}".strip()
    if reply.code == AckCode.CA and awaits:
        return {"state": TAKEN, "due": micros(at + policy.patience), "error": "CA; waits for the application answer"}
    if reply.positive:
        return {"state": "done", "error": None}
    if reply.final:
        return {"state": "refused", "error": said}
    if attempts >= policy.delivery_errors:
        return {"state": "dead", "error": said}
    return {"state": "due", "due": micros(at + pause(attempts, policy, chance)), "error": said}


def overdue(wanted: str, policy: DeliveryPolicy) -> dict[str, Any]:
    """What becomes of a message whose application answer has not come in time; ``wanted`` is its MSH-16."""
    if wanted == "ER":
        return {"state": "done", "error": None}
    return {"state": "dead", "error": f"CA, but no application answer within {policy.application_answer_minutes} minutes"}


def heard(store: Store, link: str, reply: Reply, chance: float, *, on_our_line: bool = False) -> str | None:
    """Let a later word on a message of ours have its effect; gives what it made of it, None where it belongs to nothing that was sent.

    ``on_our_line``: it came on the line on which we send, where an answer to what has never been sent is no answer.
    """
    number = reply.control_id.strip()
    if not number:
        return None
    wanted = (OUTBOX.c.kind == f"{KIND}{link}") & (OUTBOX.c.number == number)
    row = store.connection.execute(select(OUTBOX).where(wanted).order_by(OUTBOX.c.id.desc()).limit(1)).first()
    if row is None or (on_our_line and row.state == "due" and not row.attempts):
        return None
    values = _later(row, reply, policy_of(store), store.at, chance)
    if not values:
        return str(row.state)
    store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id, OUTBOX.c.state == row.state).values(**values))
    outcome = str(values.get("state", row.state))
    if outcome == "done":
        store.audit("tell-hospital", f"outbox/{row.id}", patient=row.key)
    log.info("hl7 application answer", destination=link, message=row.id, code=reply.code, outcome=outcome)
    return outcome


def _later(row: Any, reply: Reply, policy: DeliveryPolicy, at: datetime, chance: float) -> dict[str, Any]:
    """What a later answer changes; nothing for one that says the same again, or only that the message has arrived."""
    if reply.code not in APPLICATION:
        return {}
    said = f"{reply.code} {reply.text}".strip()
    if row.state in ("due", TAKEN):
        return judged(reply, row.attempts, policy, at, chance, awaits=False)
    if row.state == "dead":  # we had given up
        return {"state": "done", "error": None} if reply.positive else {"error": said}
    if row.state == "done" and not reply.positive:
        return {"state": "refused", "error": f"{said} (after it had been accepted)"}
    if row.state == "refused" and reply.positive:
        return {"error": f"{row.error or ''}; later {said}"[:500]} if not (row.error or "").endswith(f"later {said}") else {}
    return {}
