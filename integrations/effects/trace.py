"""Where it came from: one Provenance per message, naming everything the message made, with the message itself hanging on it."""

from base64 import b64encode
from datetime import datetime

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE
from healthsvc.store import Store

MEDIA_TYPE = "x-application/hl7-v2+er7"
"""Media type of HL7 v2 text, as HL7 names it for ebXML and MIME."""


def trace(
    store: Store,
    *,
    inbox_id: int,
    raw: bytes,
    link: str,
    control_id: str,
    event: str,
    happened: datetime,
    patient: str | None,
    made: list[str],
) -> str:
    """Write the message as Binary and the Provenance that joins it to what it made; gives the Provenance's reference.

    Reading from any value: search Provenance by target, and its entity is the message with sender, number and event.
    """
    message = f"hl7-message-{inbox_id}"
    binary: Resource = {"resourceType": "Binary", "id": message, "contentType": MEDIA_TYPE, "data": b64encode(raw).decode()}
    if patient:
        binary["securityContext"] = {"reference": f"Patient/{patient}"}
    store.put(binary)
    provenance: Resource = {
        "resourceType": "Provenance",
        "id": f"hl7-provenance-{inbox_id}",
        "target": [{"reference": reference} for reference in made],
        "occurredDateTime": happened.isoformat(),
        "recorded": store.at.astimezone(store.zone).isoformat(timespec="milliseconds"),
        "activity": {"text": event},
        "agent": [
            {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "transmitter"}]
                },
                "who": {"identifier": {"system": f"{BASE}/NamingSystem/link", "value": link}, "display": link},
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {
                    "reference": f"Binary/{message}",
                    "identifier": {"system": f"{BASE}/NamingSystem/link/{link}/message", "value": control_id},
                },
            }
        ],
    }
    store.put(provenance)
    return f"Provenance/{provenance['id']}"
