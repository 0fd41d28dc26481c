"""After a reaction 输液反应: the course ends, the alarm goes out, the referral is written, the report is made; none is skipped."""

from datetime import datetime

from healthsvc.fhir.elements import concept, instant, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import SNOMED, code_system
from healthsvc.infusion.records import Given, given_id
from healthsvc.infusion.rules.bedside import Act, Entry
from healthsvc.infusion.service import stop
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

REACTION = code_system("infusion-reaction")
ALARM = "alarm"
"""Outbox kind: an alarm for the emergency room's intake."""
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def follow_up(store: Store, given: Given, entry: Entry, medication: Resource) -> None:
    """Let follow what a step after a reaction asks for."""
    if entry.act is Act.REACT:
        store.put(adverse_event(given, entry, medication))
        store.put(suspected_allergy(derived_id("suspected", given.task), given.patient, medication, entry.at, entry.text))
        stop(store, given.course, "reaction")
    elif entry.act is Act.ALARM:
        payload = {"patient": given.patient, "kind": "infusion-reaction", "at": instant(entry.at), "by": entry.by}
        store.outbox(ALARM, given_id(given.task), payload)
    elif entry.act is Act.REFER:
        store.put(referral(given, entry))
    elif entry.act is Act.REPORT:
        event = store.read("AdverseEvent", event_id(given))
        event["recordedDate"] = instant(entry.at)
        event["recorder"] = reference("Practitioner", entry.by)
        event["outcome"] = concept("http://terminology.hl7.org/CodeSystem/adverse-event-outcome", "ongoing")
        store.put(event)


def event_id(given: Given) -> str:
    """Id of the AdverseEvent of a visit."""
    return derived_id("reaction", given.task)


def adverse_event(given: Given, entry: Entry, medication: Resource) -> Resource:
    """What happened, to whom, suspected of which drug."""
    return {
        "resourceType": "AdverseEvent",
        "id": event_id(given),
        "actuality": "actual",
        "category": [concept("http://terminology.hl7.org/CodeSystem/adverse-event-category", "medication-mishap")],
        "event": {**concept(REACTION, "infusion-reaction", "输液反应"), "text": entry.text},
        "subject": reference("Patient", given.patient),
        "date": instant(entry.at),
        "detected": instant(entry.at),
        "seriousness": concept("http://terminology.hl7.org/CodeSystem/adverse-event-seriousness", "serious"),
        "recorder": reference("Practitioner", entry.by),
        "suspectEntity": [{"instance": reference("MedicationAdministration", given_id(given.task))}],
    }


def suspected_allergy(id: str, patient: str, medication: Resource, at: datetime, text: str) -> Resource:
    """A reaction as an unconfirmed allergy, so that the next order meets a shut gate until a doctor has looked at it."""
    return {
        "resourceType": "AllergyIntolerance",
        "id": id,
        "clinicalStatus": concept(_CLINICAL, "active"),
        "verificationStatus": concept(_VERIFICATION, "unconfirmed"),
        "category": ["medication"],
        "criticality": "high",
        "code": medication,
        "patient": reference("Patient", patient),
        "recordedDate": instant(at),
        "reaction": [{"manifestation": [{"text": text}], "onset": instant(at)}],
    }


def referral(given: Given, entry: Entry) -> Resource:
    """The referral up to the hospital, at once."""
    return {
        "resourceType": "ServiceRequest",
        "id": derived_id("refer", given.task),
        "status": "active",
        "intent": "order",
        "priority": "stat",
        "category": [concept(code_system("referral-direction"), "up")],
        "code": {**concept(SNOMED, "3457005", "Patient referral"), "text": "输液反应,紧急上转"},
        "subject": reference("Patient", given.patient),
        "authoredOn": instant(entry.at),
        "requester": reference("Practitioner", entry.by),
        "reasonCode": [concept(code_system("referral-reason"), "adverse-reaction")],
        "note": [{"text": entry.text}],
        "supportingInfo": [reference("AdverseEvent", event_id(given))],
    }
