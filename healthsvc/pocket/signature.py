"""签字 the signature at the end of a visit, drawn on the screen: that it took place, by the person or whoever signs for them."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from healthsvc.documents.paper import Drawing
from healthsvc.errors import RuleViolation
from healthsvc.fhir.elements import codes, concept, derived_id, extension, instant, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

ACTIVITY: Final = code_system("visit-signature")
CONFIRMED: Final = "visit-confirmed"
_TYPE: Final = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5", "display": "Verification Signature"}


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, and what was drawn. ``relation`` is empty where the person signed."""

    name: str
    relation: str
    drawing: Drawing
    at: datetime
    """By the phone's clock, set right."""


def write_signature(store: Store, task: str, patient: str, signed: Signed) -> Resource:
    """Keep the signature of a visit as a Provenance; once for each visit."""
    who = {"reference": f"Patient/{patient}", "display": signed.name} if not signed.relation else {"display": signed.name}
    signature: Resource = {
        "type": [_TYPE],
        "when": instant(signed.at),
        "who": who,
        "sigFormat": "image/svg+xml",
        "data": base64.b64encode(signed.drawing.svg().encode()).decode(),
    }
    if signed.relation:
        signature["onBehalfOf"] = {"reference": f"Patient/{patient}"}
        signature["extension"] = [extension("proxy-relation", valueString=signed.relation)]
    return store.put(
        {
            "resourceType": "Provenance",
            "id": derived_id("confirmed", task),
            "target": [reference("Task", task)],
            "recorded": instant(store.at),
            "activity": concept(ACTIVITY, CONFIRMED, "上门确认签字"),
            "agent": [{"who": _author(store)}],
            "signature": [signature],
        }
    )


def _author(store: Store) -> Resource:
    if store.actor.id.startswith("Practitioner/"):
        return {"reference": store.actor.id}
    return {"display": store.actor.name}


def is_confirmation(resource: Resource | None) -> bool:
    """Whether a Provenance is the signature of a visit."""
    return resource is not None and resource.get("resourceType") == "Provenance" and CONFIRMED in codes(resource.get("activity"), ACTIVITY)


def admit_signature(old: Resource | None, new: Resource | None) -> None:
    """What was signed stays as it was signed."""
    if is_confirmation(old) and new != old and _said(old) != _said(new):
        raise RuleViolation("the signature of a visit is kept as it was given", reason="visit-signature-kept", path="Provenance")


def _said(resource: Resource | None) -> Resource | None:
    return None if resource is None else {key: value for key, value in resource.items() if key not in ("meta", "recorded")}
