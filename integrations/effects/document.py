"""A hospital's document in a person's file: DocumentReference, its content as Binary that only those may read who may read the person."""

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from integrations.effects.attached import attached
from integrations.effects.care import Outcome
from integrations.effects.scene import Scene, joined
from integrations.hl7v2.document import APPENDS, REPLACES, read_document
from integrations.hl7v2.encapsulated import Content


def document(scene: Scene) -> Outcome:
    """MDM: announced, sent, completed, replaced, taken back."""
    store = scene.store
    event = read_document(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    outcome.remarks += [f"{place} could not be read; it is kept with the message" for place in event.doubts]
    id = scene.own_id("DocumentReference", scene.id("document", event.number), party.id)
    if scene.is_late(f"document:{id}", event.sent, outcome, "a document"):
        return outcome
    told = event.told | {"id": id, "subject": reference("Patient", party.id)}
    stay = scene.stay(party.id, event.stay, event.sent)
    if stay:
        told["context"] = {"encounter": [reference("Encounter", stay)], **told.get("context", {})}
    known = store.find("DocumentReference", id)
    if event.sent and "date" not in (known or {}):
        told.setdefault("date", event.sent.isoformat())  # without a time of its own it stands at that of its first message
    if event.contents:
        told["content"] = [{"attachment": _kept(scene, id, k, one, party.id, outcome)} for k, one in enumerate(event.contents, start=1)]
    elif known is not None:
        told["content"] = known["content"]  # what is only announced anew has lost nothing
    if event.parent and event.event in APPENDS | REPLACES:
        _follow_parent(scene, told, event.parent, party.id, replaces=event.event in REPLACES, outcome=outcome)
    outcome.wrote(store.put(joined(known, told, ("identifier", "relatesTo"))))
    return outcome


def _kept(scene: Scene, id: str, turn: int, content: Content, patient: str, outcome: Outcome) -> Resource:
    binary, attachment = attached(scene.store, f"{id}-{turn}", content, patient)
    outcome.wrote(binary)
    return attachment


def _follow_parent(scene: Scene, told: Resource, parent: str, patient: str, *, replaces: bool, outcome: Outcome) -> None:
    earlier = scene.own_id("DocumentReference", scene.id("document", parent), patient)
    known = scene.store.find("DocumentReference", earlier)
    if known is None or earlier == told["id"]:
        outcome.remarks.append("the document that this one completes or replaces is not on file")
        return
    told["relatesTo"] = [{"code": "replaces" if replaces else "appends", "target": reference("DocumentReference", earlier)}]
    if replaces and known["status"] == "current":
        outcome.wrote(scene.store.put(known | {"status": "superseded"}))
