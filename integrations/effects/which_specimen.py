"""Which specimen a message speaks of: by its number, and where a number is given again, by the person and the day it was taken.

Laboratories that count from one again each day, or print their labels from a roll, use a specimen's number for many people.
"""

from collections.abc import Collection
from datetime import timedelta

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import is_same_person
from healthsvc.store.lookup import holding
from integrations.effects.moments import day_of, gap, instant, is_apart
from integrations.effects.scene import Scene


def which_specimen(scene: Scene, told: Resource, patient: str, held: Collection[str] = ()) -> str:
    """The Specimen id under the number that is told; of a new one where none on file is meant.

    Args:
        scene: the message.
        told: the specimen as read, with its number (SPM-2).
        patient: Patient id.
        held: ids of the specimens that the order or report on file has already: one of these is meant before any other.
    """
    numbers = [(str(one.get("system", "")), str(one["value"])) for one in told["identifier"]]
    id = scene.own_id("Specimen", scene.id("specimen", numbers[0][1]), patient)
    known = [
        one
        for one in holding(scene.store, "Specimen", numbers[:1])
        if (one["id"] == id or one["id"].startswith(f"{id}-"))
        and is_same_person(scene.store, reference_id(one.get("subject"), "Patient") or patient, patient)
    ]
    at, used = _taken(told), {str(one["id"]) for one in known}
    if own := sorted(used & set(held)):
        return own[0]
    alike = [one for one in known if not _is_other_kind(one, told)]
    dated = [one for one in alike if _taken(one)]
    if not at and alike:
        return str(max(dated or alike, key=lambda one: instant(_taken(one) or "1900", scene.zone))["id"])
    if dated:
        nearest = min(dated, key=lambda one: gap(_taken(one), at, scene.zone))
        if not is_apart(_taken(nearest), at, timedelta(hours=scene.policy.report_apart_hours), scene.zone):
            return str(nearest["id"])
    elif alike:
        return str(alike[0]["id"])  # of which no time was told yet
    stem = f"{id}-{day_of(at)}" if at and used else id
    return next(new for new in (stem, *(f"{stem}-{turn}" for turn in range(2, len(used) + 3))) if new not in used)


def _is_other_kind(known: Resource, told: Resource) -> bool:
    """Whether both say what they are (SPM-4, OBR-15), and it is not the same."""
    one, other = ({str(code.get("code")) for code in each.get("type", {}).get("coding", ())} for each in (known, told))
    return bool(one) and bool(other) and one.isdisjoint(other)


def _taken(specimen: Resource) -> str:
    """When it was taken, else when it came; empty where neither is told."""
    collection = specimen.get("collection", {})
    begun = collection.get("collectedDateTime") or collection.get("collectedPeriod", {}).get("start")
    return str(begun or specimen.get("receivedTime", ""))
