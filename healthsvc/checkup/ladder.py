"""催办: who is told, and when, that a checkup comes due or is late; the ladder is data, each rung is told once and can be acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import derived_id, is_visit, to_visit
from healthsvc.visit.rules import WAITING, Kind, Visit

REMINDER: Final = code_system("reminder")


@dataclass(frozen=True, slots=True)
class Rung:
    """So many days after the window closes (before it, where negative), somebody is told."""

    days: int
    to: str
    """doctor, centre or district."""


def rungs(table: Sequence[Sequence[Any]]) -> tuple[Rung, ...]:
    """Read the policy table ``checkup.ladder``: rows of days and whom to tell."""
    return tuple(Rung(int(days), str(to)) for days, to in table)


def reached(closes: date, on: date, ladder: Sequence[Rung]) -> tuple[Rung, ...]:
    """The rungs that a visit whose window closes on a day has reached, lowest first."""
    return tuple(rung for rung in sorted(ladder, key=lambda one: one.days) if closes + timedelta(days=rung.days) <= on)


def escalate(store: Store, on: date) -> list[Resource]:
    """Tell everybody whom the ladder names about the checkups that wait; gives the new reminders. Again on the same day gives none.

    Reminders of visits that no longer wait are stopped.
    """
    ladder = rungs(store.policy.value("checkup.ladder", on))
    told = []
    for visit, _ in visits.standings(store, on, begun=True):
        if visit.kind != Kind.QUARTERLY_CHECKUP:
            continue
        for rung in reached(visit.window.end.astimezone(store.zone).date(), on, ladder):
            reminder = _reminder(store, visit, rung)
            if reminder is not None and store.find("Communication", reminder["id"]) is None:
                told.append(store.put(reminder))
    _stop_settled(store)
    return told


def acknowledge(store: Store, reminder: str) -> Resource:
    """Whoever was told has seen it; once is enough."""
    known = store.read("Communication", reminder)
    if not _is_reminder(known):
        raise NotFound("this Communication is not a reminder")
    if known["status"] == "completed":
        return known
    if known["status"] != "in-progress":
        raise RuleViolation("the reminder has been settled already", reason="reminder-settled")
    return store.put(known | {"status": "completed", "received": store.at.isoformat()})


def open_reminders(store: Store, recipient: str | None = None) -> list[Resource]:
    """Reminders that nobody has acknowledged (of one recipient, ``Practitioner/x`` or ``Organization/x``)."""
    narrowed = {"recipient": recipient} if recipient else {}
    return [one for one in store.select("Communication", status="in-progress", **narrowed) if _is_reminder(one)]


def _reminder(store: Store, visit: Visit, rung: Rung) -> Resource | None:
    recipient = _recipient(store, visit, rung.to)
    if recipient is None:
        return None
    return {
        "resourceType": "Communication",
        "id": derived_id(f"remind-{'before' if rung.days < 0 else 'after'}-{abs(rung.days)}-{rung.to}", visit.id),
        "status": "in-progress",
        "category": [{"coding": [{"system": REMINDER, "code": f"checkup-{rung.to}"}]}],
        "subject": {"reference": f"Patient/{visit.person}"},
        "basedOn": [{"reference": f"Task/{visit.id}"}],
        "recipient": [{"reference": recipient}],
        "sent": store.at.isoformat(),
    }


def _recipient(store: Store, visit: Visit, to: str) -> str | None:
    """Whom a rung means for a visit; None where the file or the directory does not say."""
    if to == "doctor":
        return visit.owner
    person = store.find("Patient", visit.person) or {}
    centre: str | None = person.get("managingOrganization", {}).get("reference")
    if to == "centre" or centre is None:
        return centre
    organization = store.find("Organization", centre.rpartition("/")[2]) or {}
    district: str | None = organization.get("partOf", {}).get("reference")
    return district


def _stop_settled(store: Store) -> None:
    for reminder in open_reminders(store):
        task = store.find("Task", reminder["basedOn"][0]["reference"].rpartition("/")[2])
        if task is None or not is_visit(task) or to_visit(task).status not in WAITING:
            store.put(reminder | {"status": "stopped"})


def _is_reminder(communication: Resource) -> bool:
    return any(c.get("system") == REMINDER for one in communication.get("category", []) for c in one.get("coding", []))
