"""提醒: somebody is told something once, and can say that they have seen it. A reminder is a Communication."""

from typing import Final

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.elements import concept, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

REMINDER: Final = code_system("reminder")


def tell(store: Store, id: str, code: str, *, person: str, about: str, to: str) -> Resource | None:
    """Tell somebody, once; None where they have been told already.

    Args:
        store: an open writing transaction.
        id: made of meaning, so that asking twice tells once.
        code: of CodeSystem reminder.
        person: Patient id.
        about: ``Task/x``, ``Contract/x``.
        to: ``Practitioner/x`` or ``Organization/x``.
    """
    if store.find("Communication", id) is not None:
        return None
    return store.put(
        {
            "resourceType": "Communication",
            "id": id,
            "status": "in-progress",
            "category": [concept(REMINDER, code)],
            "subject": reference("Patient", person),
            "basedOn": [{"reference": about}],
            "recipient": [{"reference": to}],
            "sent": store.at.isoformat(),
        }
    )


def acknowledge(store: Store, reminder: str) -> Resource:
    """Whoever was told has seen it; once is enough. Who it was stands in the version's audit and in ``note``."""
    known = store.read("Communication", reminder)
    if not is_reminder(known):
        raise NotFound("this Communication is not a reminder")
    if known["status"] == "completed":
        return known
    if known["status"] != "in-progress":
        raise RuleViolation("the reminder has been settled already", reason="reminder-settled")
    return store.put(known | {"status": "completed", "received": store.at.isoformat(), "note": [_seen_by(store)]})


def open_reminders(store: Store, recipient: str | None = None) -> list[Resource]:
    """Reminders that nobody has acknowledged (of one recipient, ``Practitioner/x`` or ``Organization/x``), latest first."""
    narrowed = {"recipient": recipient} if recipient else {}
    found = [one for one in store.select("Communication", status="in-progress", **narrowed) if is_reminder(one)]
    return sorted(found, key=lambda one: (one.get("sent", ""), one["id"]), reverse=True)


def settle(store: Store, reminder: Resource) -> Resource:
    """What it was about is over; nobody need see it any more."""
    return store.put(reminder | {"status": "stopped"})


def is_reminder(communication: Resource) -> bool:
    """Whether a Communication is a reminder of ours."""
    return any(c.get("system") == REMINDER for one in communication.get("category", []) for c in one.get("coding", []))


def code_of(reminder: Resource) -> str:
    """The code of CodeSystem reminder that it carries."""
    return next((c["code"] for one in reminder["category"] for c in one.get("coding", []) if c.get("system") == REMINDER), "")


def _seen_by(store: Store) -> Resource:
    who = store.actor
    author = {"authorReference": {"reference": who.id}} if who.id.startswith("Practitioner/") else {"authorString": who.name or who.id}
    return {**author, "time": store.at.isoformat(), "text": "已知悉"}
