"""What it means for the visits at home that a person lies in a ward, whoever told of the stay and on whichever of their files it is."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import replaced, today
from healthsvc.store import Store
from healthsvc.visit.rules import Visit
from healthsvc.visit.service import suspend

ADMITTED: Final = "admitted"
"""Reason code of visits that are suspended because the person is in hospital."""


@dataclass(frozen=True, slots=True)
class WardPolicy:
    """Filled from ``policy/hospital.toml``."""

    kept_on_admission: tuple[str, ...]
    inpatient_classes: tuple[str, ...]
    admission_visit_days: int
    discharge_followup_days: int


def inside(encounter: Resource | None, classes: Collection[str]) -> bool:
    """Whether a stay is under way and of one of these classes (v3 ActCode)."""
    return encounter is not None and encounter.get("status") == "in-progress" and encounter.get("class", {}).get("code") in classes


def in_a_ward(store: Store, files: Iterable[str], *, apart: str = "") -> Resource | None:
    """A stay under way in a ward, on any of these files; ``apart``: a stay that is just ending does not count."""
    classes = policy_of(store).inpatient_classes
    for file in files:
        for one in store.select("Encounter", patient=file, status="in-progress"):
            if inside(one, classes) and one["id"] != apart:
                return one
    return None


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
