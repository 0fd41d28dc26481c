"""What it means for the visits at home that a person lies in a ward, whoever told of the stay and on whichever of their files it is."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from healthsvc.healthfile.inpatient import ADMITTED_STATES, all_stays, is_of_class, stays_of
from healthsvc.healthfile.service import follow, replaced, responsible_doctor, today
from healthsvc.store import Store
from healthsvc.visit.rules import Visit
from healthsvc.visit.service import suspend

_EXPECTED: Final = extension("expected-discharge")
ADMITTED: Final = "admitted"
"""Reason code of visits that are suspended because the person is in hospital."""


@dataclass(frozen=True, slots=True)
class WardPolicy:
    """Filled from ``policy/hospital.toml``."""

    kept_on_admission: tuple[str, ...]
    admission_visit_days: int
    discharge_followup_days: int
    discharge_overdue_days: int
    discharge_ahead_days: int


def inside(encounter: Resource | None, classes: Collection[str]) -> bool:
    """Whether a stay is under way and of one of these classes (v3 ActCode)."""
    return encounter is not None and encounter.get("status") == "in-progress" and is_of_class(encounter, classes)


def in_a_ward(store: Store, files: Iterable[str], *, apart: str = "") -> Resource | None:
    """A stay under way in a ward, on any of these files; ``apart``: a stay that is just ending does not count."""
    return next((one for one in stays_of(store, files) if one["id"] != apart), None)


@dataclass(frozen=True, slots=True)
class Lying:
    """Somebody who lies in a ward."""

    stay: str
    """Encounter id."""
    patient: str
    """The file that stands for the person."""
    since: str
    """FHIR dateTime; empty where it is not known."""
    where: str
    """Hospital, ward and bed, as far as they are known."""
    expected: date | None
    """When the hospital expects the discharge (PV2-9)."""
    overdue: int
    """Days by which that has passed, where it counts as overdue; else 0."""
    onleave: bool
    """Whether the person is at home for a day."""


def lying(store: Store, *patients: str) -> list[Lying]:
    """Who lies in a ward, on leave or not: of these persons on any of their files, or of all; the longest overdue first."""
    policy, on = policy_of(store), today(store)
    found = stays_of(store, files_of(store, *patients), *ADMITTED_STATES) if patients else all_stays(store, *ADMITTED_STATES)
    told = [_lying(store, one, on, policy.discharge_overdue_days) for one in found]
    return sorted((one for one in told if one is not None), key=lambda one: (-one.overdue, one.since))


def coming_home(store: Store, on: date, mine: str) -> list[Lying]:
    """Whom their hospitals mean to discharge on this day or soon after (``hospital.discharge_ahead_days``), the next first.

    Args:
        store: an open transaction.
        on: the first day.
        mine: only those for whom this doctor (``Practitioner/x``) is responsible.
    """
    last = on + timedelta(days=policy_of(store).discharge_ahead_days)
    soon = [(one.expected, one) for one in lying(store) if one.expected is not None and on <= one.expected <= last]
    return [one for _, one in sorted(soon, key=lambda pair: (pair[0], pair[1].stay)) if responsible_doctor(store, one.patient) == mine]


def _lying(store: Store, stay: Resource, on: date, grace: int) -> Lying | None:
    patient = reference_id(stay.get("subject"), "Patient")
    if patient is None or store.find("Patient", patient) is None:
        return None
    places = [str(one["location"].get("display", "")) for one in stay.get("location", ()) if one.get("status") == "active"]
    where = " ".join(filter(None, (str(stay.get("serviceProvider", {}).get("display", "")), *places[-1:])))
    expected = next((_day(str(one["valueDateTime"]), store.zone) for one in stay.get("extension", ()) if one["url"] == _EXPECTED), None)
    late = (on - expected).days if expected else 0
    return Lying(
        str(stay["id"]),
        str(follow(store, patient)["id"]),
        str(stay.get("period", {}).get("start", "")),
        where,
        expected,
        late if late >= grace and late > 0 else 0,
        stay["status"] == "onleave",
    )


def _day(fhir: str, zone: tzinfo) -> date | None:
    """The day of a moment; None where only month or year are known."""
    if len(fhir) > len("2026-01-01"):
        return datetime.fromisoformat(fhir).astimezone(zone).date()
    return date.fromisoformat(fhir) if len(fhir) == len("2026-01-01") else None


def hold(store: Store, patient: str, encounter: str) -> list[Visit]:
    """Suspend the person's open visits because of a stay, except the kinds that are made because of it. Twice changes nothing."""
    return suspend(store, patient, ADMITTED, cause=f"Encounter/{encounter}", keep=policy_of(store).kept_on_admission)


def hold_in_ward(store: Store, patient: str, *more: str) -> Resource | None:
    """Suspend the visits of somebody who lies in a ward; gives the stay. ``more``: files that are just being joined to this one."""
    stay = in_a_ward(store, files_of(store, patient, *more))
    if stay is not None:
        hold(store, patient, str(stay["id"]))
    return stay


def files_of(store: Store, *patients: str) -> list[str]:
    """These files and all that were joined to them, each once."""
    return list(dict.fromkeys(known for file in patients for known in (file, *replaced(store, file))))


def policy_of(store: Store) -> WardPolicy:
    """The policy of today."""
    return store.policy.fill(WardPolicy, "hospital", today(store))
