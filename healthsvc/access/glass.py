"""紧急查阅 break-glass: look at somebody whom one does not look after, with a reason, for a short while, and reviewed afterwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from healthsvc.access.rules import GlassPolicy
from healthsvc.errors import Conflict, NotFound, RuleViolation
from healthsvc.store import Store
from healthsvc.store.access_tables import GlassRow
from healthsvc.store.driver import for_driver, run
from healthsvc.store.stored import micros, moment

_GLASS = GlassRow.__table__  # type: ignore[attr-defined]
_OPEN = "SELECT patient FROM access_glass WHERE actor = ? AND until > ?"
_REASON_KEPT = 500
"""Characters kept of a reason or a note; the forms take no more."""


@dataclass(frozen=True, slots=True)
class Look:
    """One emergency look, as its reviewer sees it."""

    id: int
    actor: str
    patient: str
    reason: str
    at: datetime
    until: datetime
    reviewer: str | None
    reviewed: datetime | None
    justified: bool | None
    note: str | None


def glass_policy(store: Store) -> GlassPolicy:
    """The policy values of an emergency look in force now."""
    return store.policy.fill(GlassPolicy, "access", store.at.date())


def open_glass(store: Store) -> list[str]:
    """Ids of the Patients whom the actor may see for now because they broke the glass."""
    found = run(store.connection, for_driver(store.connection, _OPEN), (store.actor.id, micros(store.at)))
    return [str(row[0]) for row in found.fetchall()]


def break_glass(store: Store, patient: str, reason: str) -> Look:
    """Look past one's area at one person; noted in the audit with the purpose, and on the list of those who review it.

    Args:
        patient: id of the Patient.
        reason: why, in words.

    Raises:
        RuleViolation: no reason that somebody could judge.
        NotFound: there is no such person.
    """
    policy, why = glass_policy(store), " ".join(reason.split())
    if len(why) < policy.glass_reason_length:
        raise RuleViolation(
            f"say in at least {policy.glass_reason_length} characters why this person must be seen now", reason="glass-reason"
        )
    with store.wholly():
        there = store.find("Patient", patient) is not None
    if not there:
        raise NotFound("there is no such person")
    until = store.at + timedelta(minutes=policy.glass_minutes)
    why = why[:_REASON_KEPT]
    key = store.connection.execute(
        insert(_GLASS).values(actor=store.actor.id, patient=patient, reason=why, at=micros(store.at), until=micros(until))
    ).inserted_primary_key
    store.audit("break-glass", f"Patient/{patient}", patient=patient, purpose="emergency")
    return Look(int(key[0]) if key else 0, store.actor.id, patient, why, store.at, until, None, None, None, None)


def looks(store: Store, *, waiting: bool = True, limit: int = 200) -> list[Look]:
    """Emergency looks, newest first; ``waiting``: only those that nobody has reviewed."""
    asked = select(_GLASS).order_by(_GLASS.c.id.desc()).limit(limit)
    if waiting:
        asked = asked.where(_GLASS.c.reviewed.is_(None))
    return [
        Look(
            r.id, r.actor, r.patient, r.reason, moment(r.at), moment(r.until), r.reviewer,
            moment(r.reviewed) if r.reviewed else None, r.justified, r.note,
        )
        for r in store.connection.execute(asked)
    ]  # fmt: skip


def review(store: Store, id: int, *, justified: bool, note: str = "") -> None:
    """Say whether an emergency look was justified. One look is reviewed once, and never by whoever looked.

    Raises:
        NotFound, Conflict, RuleViolation: there is none, it was reviewed, or it is the reviewer's own.
    """
    row = store.connection.execute(select(_GLASS).where(_GLASS.c.id == id)).first()
    if row is None:
        raise NotFound("there is no such emergency look")
    if row.actor == store.actor.id:
        raise RuleViolation("nobody reviews their own emergency look; ask another reviewer", reason="glass-own")
    if row.reviewed is not None:
        raise Conflict("this emergency look has been reviewed")
    told = " ".join(note.split())[:_REASON_KEPT] or None
    said = {"reviewer": store.actor.id, "reviewed": micros(store.at), "justified": justified, "note": told}
    store.connection.execute(update(_GLASS).where(_GLASS.c.id == id).values(**said))
    store.audit("glass-review", f"glass/{id}", patient=row.patient, outcome="success" if justified else "failure")
