"""手术操作: what was done during a stay (PR1) as Procedures, each once however often it is told."""

from datetime import datetime

from healthsvc.fhir.elements import performed, reference
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.lookup import pointing
from integrations.effects.scene import Scene, joined
from integrations.effects.stay import opaque
from integrations.hl7v2.maps.row import View
from integrations.hl7v2.procedure import Done, read_procedures


def procedures(scene: Scene, patient: str, encounter: str, recorded: datetime) -> list[Resource]:
    """Write what a message says was done during a stay; gives what changed.

    Args:
        scene: the message in its transaction.
        patient: Patient id.
        encounter: Encounter id of the stay.
        recorded: when the hospital recorded it: what lies behind that has been done, what lies ahead is only planned.
    """
    written: list[Resource] = []
    for done in read_procedures(scene.message, View(scene.hospital, scene.zone, scene.profile.nothing)):
        id = _id(scene.store, encounter, done)
        known = scene.store.find("Procedure", id)
        if done.deleted and known is None:
            continue
        told: Resource = {"resourceType": "Procedure", "id": id, "status": _status(done, recorded), **done.record}
        made = joined(known, told | {"subject": reference("Patient", patient), "encounter": reference("Encounter", encounter)})
        if "performedPeriod" in done.record:  # performed[x] is one of them
            made.pop("performedDateTime", None)
        elif "performedDateTime" in done.record:
            made.pop("performedPeriod", None)
        if made != known:
            written.append(scene.store.put(made))
    return written


def _status(done: Done, recorded: datetime) -> str:
    """event-status; without a day nobody says whether it has been done yet."""
    if done.deleted:
        return "entered-in-error"
    if done.at is None:
        return "unknown"
    return "completed" if done.at.at <= recorded else "preparation"


def _id(store: Store, encounter: str, done: Done) -> str:
    """By its number; without one the same thing on the same day is one, and one without a day is the one that has got its day since."""
    if done.number:
        return f"proc-{opaque(encounter, 'number', done.number)}"
    same = [
        known
        for id in pointing(store, "Procedure", "encounter", encounter)
        if (known := store.find("Procedure", id)) is not None and known["code"] == done.record["code"] and "identifier" not in known
    ]
    day = performed(done.record)[:10]
    meant = next((str(one["id"]) for one in same if not day or performed(one)[:10] in ("", day)), None)
    return meant or f"proc-{opaque(encounter, str(done.record['code']), day)}"
