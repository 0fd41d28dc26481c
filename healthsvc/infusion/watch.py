"""巡视提醒 Who is late at a bedside where a drip runs: shown to everybody, told to the nurse and the doctor, and in the end alarmed.

What is late is computed, never stored; what was done about it is kept (Communication) and done once for each look that was due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from healthsvc.fhir.elements import concept, instant, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.infusion.reaction import ALARM
from healthsvc.infusion.records import Given, given_id, is_given, to_given
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act, Due, due_next
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.infusion.service import policy_of
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

REMINDER = "infusion-reminder"
"""Outbox kind: somebody of the staff is to be told that a look is overdue; the payload names no person at home."""
LATE = code_system("infusion-late")
UNATTENDED = "infusion-unattended"
"""Kind of alarm: nobody has looked for longer than the policy bears, or a reaction goes on without its alarm."""


class Level(StrEnum):
    """How far it has come."""

    IN_TIME = "in-time"
    LATE = "late"
    """Shown, and the nurse and the doctor are told."""
    ALARM = "alarm"
    """The emergency chain is called."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """One visit at which something runs, is observed or has gone wrong."""

    given: Given
    nurse: str
    due: Due
    late_minutes: int
    level: Level


def level(due: Due, at: datetime, policy: InfusionPolicy) -> tuple[int, Level]:
    """Minutes by which a step is late, and what follows from it.

    Only a drip that runs unseen and a reaction without its alarm call the emergency chain; an observation that nobody ends is told.
    """
    late = at - due.at
    minutes = max(0, int(late.total_seconds() // 60))
    bears = timedelta(minutes=policy.reaction_alarm_minutes if due.reaction else policy.check_alarm_minutes)
    if late > bears and (due.reaction or due.act is Act.CHECK):
        return minutes, Level.ALARM
    return minutes, Level.LATE if late > timedelta(minutes=policy.check_grace_minutes) else Level.IN_TIME


def at_work(store: Store) -> list[AtWork]:
    """Everybody at whose bed something runs now, the latest first."""
    policy, found = policy_of(store), []
    for record in store.select("MedicationAdministration", status=["in-progress", "stopped"]):
        given = to_given(record) if is_given(record) else None
        due = due_next(given.bedside, policy) if given is not None else None
        if given is None or due is None:
            continue
        minutes, reached = level(due, store.at, policy)
        found.append(AtWork(given, given.bedside.log[-1].by, due, minutes, reached))
    return sorted(found, key=lambda one: one.due.at)


def remind(store: Store) -> list[str]:
    """Do what the levels ask for, once for each step that was due. A timer calls it every minute; gives ids of what was sent."""
    sent = []
    for one in at_work(store):
        if one.level is Level.IN_TIME:
            continue
        order = to_order(store.read("MedicationRequest", one.given.course))
        told = [who for who in dict.fromkeys((one.nurse, order.prescriber or "")) if who]
        if _first(store, one, Level.LATE, told):
            for who in told:
                store.outbox(REMINDER, given_id(one.given.task), {"who": who, "due": instant(one.due.at), "key": _key(one, Level.LATE)})
            sent.append(_key(one, Level.LATE))
        if one.level is Level.ALARM and _first(store, one, Level.ALARM, told):
            payload = {"patient": one.given.patient, "kind": UNATTENDED, "at": instant(store.at), "by": one.nurse}
            store.outbox(ALARM, given_id(one.given.task), payload)
            sent.append(_key(one, Level.ALARM))
    return sent


def _key(one: AtWork, reached: Level) -> str:
    return derived_id(f"late-{reached}-{one.due.at:%H%M%S}", one.given.task)


def _first(store: Store, one: AtWork, reached: Level, told: list[str]) -> bool:
    """Keep that it was done; False where it has been done before."""
    id = _key(one, reached)
    if store.find("Communication", id) is not None:
        return False
    store.put(_communication(store, one, reached, told, id))
    return True


def _communication(store: Store, one: AtWork, reached: Level, told: list[str], id: str) -> Resource:
    text = f"{one.due.act}: due {one.due.at.astimezone(store.zone):%H:%M}, {one.late_minutes} min late"
    return {
        "resourceType": "Communication",
        "id": id,
        "status": "completed",
        "category": [concept(LATE, reached.value)],
        "priority": "stat" if reached is Level.ALARM else "urgent",
        "subject": reference("Patient", one.given.patient),
        "about": [reference("Task", one.given.task)],
        "sent": instant(store.at),
        "recipient": [reference("Practitioner", who) for who in told],
        "payload": [{"contentString": text}],
    }
