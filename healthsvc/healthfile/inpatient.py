"""住院 Which Encounters are stays in a ward: one rule for every room, page and hospital message, read from ``policy/hospital.toml``."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.healthfile.service import today
from healthsvc.store import Store

ADMITTED_STATES: Final = ("in-progress", "onleave")
"""States of a stay that has begun and not ended; on leave the person is at home for a day."""


@dataclass(frozen=True, slots=True)
class InpatientPolicy:
    """Filled from ``policy/hospital.toml``."""

    inpatient_classes: tuple[str, ...]
    """v3 ActCodes, such as IMP and SS."""


def inpatient_classes(store: Store) -> tuple[str, ...]:
    """The classes (v3 ActCode) that count as a stay in a ward today."""
    return store.policy.fill(InpatientPolicy, "hospital", today(store)).inpatient_classes


def is_of_class(encounter: Resource | None, classes: Collection[str]) -> bool:
    """Whether an Encounter, in whatever state, is of one of these v3 ActCodes; a class without a system is taken for one."""
    kind = (encounter or {}).get("class", {})
    return kind.get("system", V3_ACT_CODE) == V3_ACT_CODE and kind.get("code") in classes


def is_inpatient(encounter: Resource | None, store: Store) -> bool:
    """Whether an Encounter, in whatever state, is a stay in a ward."""
    return is_of_class(encounter, inpatient_classes(store))


def is_admitted(encounter: Resource | None, store: Store) -> bool:
    """Whether an Encounter says that the person has a bed in a ward now, on leave or not."""
    return encounter is not None and encounter.get("status") in ADMITTED_STATES and is_inpatient(encounter, store)


def stays_of(store: Store, files: Iterable[str], *statuses: str) -> list[Resource]:
    """Stays in a ward on these files in these states: in the ward, not on leave, where none is named."""
    wanted = {"patient": list(files), "status": list(statuses or ("in-progress",))}
    if not wanted["patient"]:
        return []
    classes = inpatient_classes(store)
    return [one for one in store.select("Encounter", **wanted) if is_of_class(one, classes)]


def all_stays(store: Store, *statuses: str) -> list[Resource]:
    """Everybody's stays in a ward in these states: in the ward, not on leave, where none is named."""
    classes = inpatient_classes(store)
    found = store.select("Encounter", status=list(statuses or ("in-progress",)), **{"class": list(classes)})
    return [one for one in found if is_of_class(one, classes)]
