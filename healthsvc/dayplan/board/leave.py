"""请假 Leave of staff, noted on their roles (PractitionerRole.notAvailable), and the planned visits that it touches."""

from datetime import datetime
from typing import Any

from healthsvc.errors import NotFound
from healthsvc.fhir.elements import instant, period
from healthsvc.fhir.json import Resource
from healthsvc.store import Store


def take_leave(store: Store, practitioner: str, start: datetime, end: datetime, reason: str = "") -> list[str]:
    """Note leave on every active role; asking twice changes nothing. Returns the ids of the roles.

    Raises:
        NotFound: they have no active role.
    """
    roles = _roles(store, practitioner)
    during = period(start.astimezone(store.zone), end.astimezone(store.zone))
    for role in roles:
        if all(one.get("during") != during for one in role.get("notAvailable", ())):
            noted = {"description": reason or "请假", "during": during}
            store.put(role | {"notAvailable": [*role.get("notAvailable", ()), noted]})
    return [str(role["id"]) for role in roles]


def end_leave(store: Store, practitioner: str, start: datetime, end: datetime) -> list[str]:
    """Take back leave that was noted for exactly this time. Returns the ids of the roles that it stood on.

    Raises:
        NotFound: no such leave is noted.
    """
    during = period(start.astimezone(store.zone), end.astimezone(store.zone))
    freed = []
    for role in _roles(store, practitioner):
        kept = [one for one in role.get("notAvailable", ()) if one.get("during") != during]
        if len(kept) < len(role.get("notAvailable", ())):
            without = {name: value for name, value in role.items() if name != "notAvailable"}
            store.put(without | ({"notAvailable": kept} if kept else {}))
            freed.append(str(role["id"]))
    if not freed:
        raise NotFound("no leave is noted for exactly that time")
    return freed


def touched(store: Store, practitioner: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The visits that they were to make in that time, by start: Task id, day and start."""
    found = []
    for encounter in store.select("Encounter", status="planned", participant=f"Practitioner/{practitioner}"):
        begins = datetime.fromisoformat(encounter["period"]["start"]).astimezone(store.zone)
        ends = datetime.fromisoformat(encounter["period"]["end"]).astimezone(store.zone)
        if begins < end and ends > start:
            for task in store.select("Task", encounter=f"Encounter/{encounter['id']}"):
                found.append({"task": str(task["id"]), "on": begins.date().isoformat(), "start": instant(begins)})
    return sorted(found, key=lambda one: one["start"])


def _roles(store: Store, practitioner: str) -> list[Resource]:
    roles = [one for one in store.select("PractitionerRole", practitioner=practitioner) if one.get("active") is not False]
    if not roles:
        raise NotFound("nobody of that id has an active role")
    return roles
