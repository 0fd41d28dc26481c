"""Where it came from: one Provenance per message, naming everything the message made, with the message itself hanging on it."""

from base64 import b64encode
from datetime import datetime

from healthsvc.fhir.elements import concept
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, V3_PARTICIPATION
from healthsvc.store import Store

MEDIA_TYPE = "x-application/hl7-v2+er7"
"""Media type of HL7 v2 text, as HL7 names it for ebXML and MIME."""


def trace(
    store: Store,
    *,
    inbox_id: str,
    raw: bytes,
    link: str,
    control_id: str,
    event: str,
    happened: datetime,
    patient: str | None,
    made: list[str],
) -> str | None:
    """Write the message as Binary and the Provenance that joins it to the versions that it made; gives the Provenance's reference.

    None where everything was on file already: then the message made nothing. A message that has its effect anew keeps what it made
    before among its targets: that came from it, too. Reading from any value: ``integrations/origin.py``.
    """
    targets = [target for reference in made if (target := _version(store, reference))]
    if not targets:
        return None
    before = store.find("Provenance", f"hl7-provenance-{inbox_id}") or {}
    targets = list(dict.fromkeys([*(one["reference"] for one in before.get("target", ())), *targets]))
    message = f"hl7-message-{inbox_id}"
    binary: Resource = {"resourceType": "Binary", "id": message, "contentType": MEDIA_TYPE, "data": b64encode(raw).decode()}
    if patient:
        binary["securityContext"] = {"reference": f"Patient/{patient}"}
    store.write(binary)
    provenance: Resource = {
        "resourceType": "Provenance",
        "id": f"hl7-provenance-{inbox_id}",
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": happened.isoformat(),
        "recorded": store.at.astimezone(store.zone).isoformat(timespec="milliseconds"),
        "activity": {"text": event},
        "agent": [
            {
                "type": concept(V3_PARTICIPATION, "TRANS"),
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
    store.write(provenance)
    return f"Provenance/{provenance['id']}"


def _version(store: Store, reference: str) -> str | None:
    """``Type/id/_history/n`` of what this transaction has written; None for what it only found there, unchanged."""
    type, _, id = reference.partition("/")
    stored = store.get(type, id)
    return f"{reference}/_history/{stored.version}" if stored is not None and stored.updated == store.at_micros else None
