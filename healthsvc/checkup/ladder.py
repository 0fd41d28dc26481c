"""催办: who is told, and when, that a checkup comes due or is late; the ladder is data, each rung is told once and can be acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from healthsvc.checkup.reminders import code_of, open_reminders, settle, tell
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import derived_id, is_visit, to_visit
from healthsvc.visit.rules import WAITING, Kind, Visit


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
            to = _recipient(store, visit, rung.to)
            id = derived_id(f"remind-{'before' if rung.days < 0 else 'after'}-{abs(rung.days)}-{rung.to}", visit.id)
            about = f"Task/{visit.id}"
            if to is not None and (made := tell(store, id, f"checkup-{rung.to}", person=visit.person, about=about, to=to)) is not None:
                told.append(made)
    _stop_settled(store)
    return told


def _recipient(store: Store, visit: Visit, to: str) -> str | None:
    """Whom a rung means for a visit: where no district is known the centre is told, where the file names no centre the doctor."""
    if to == "doctor":
        return visit.owner
    person = store.find("Patient", visit.person) or {}
    centre: str | None = person.get("managingOrganization", {}).get("reference")
    if centre is None:
        return visit.owner
    if to == "centre":
        return centre
    organization = store.find("Organization", centre.rpartition("/")[2]) or {}
    district: str | None = organization.get("partOf", {}).get("reference")
    return district or centre


def _stop_settled(store: Store) -> None:
    for reminder in open_reminders(store):
        if not code_of(reminder).startswith("checkup-"):
            continue
        task = store.find("Task", reminder["basedOn"][0]["reference"].rpartition("/")[2])
        if task is None or not is_visit(task) or to_visit(task).status not in WAITING:
            settle(store, reminder)
