"""``EpisodeOfCare/$discharge`` and ``MedicationRequest/$gates``: a home bed ends; what the gates say of an infusion order."""

from datetime import date
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import coding
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.service import today
from healthsvc.homebed import service as beds
from healthsvc.homebed.rules.bed import Diagnosis, Discharge
from healthsvc.infusion import service as infusions
from healthsvc.infusion.resources import is_course, is_proposal
from healthsvc.infusion.rules.gates import REASONS, GateResult
from healthsvc.rest.parameters import BODY, named, parameters
from healthsvc.rest.permitted import require_read
from healthsvc.rest.whom import seen
from healthsvc.store import Store

_GATE = code_system("infusion-override")


def discharge(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """A home bed ends; everything that still stands against it is told at once."""
    seen(store, "EpisodeOfCare", id)
    on: date = given.get("date") or today(store)
    found = given.get("diagnosis")
    diagnosis = Diagnosis(str(found.get("code", "")), str(found.get("display", ""))) if found else None
    return beds.discharge(store, id, Discharge(on, given["reason"], given["outcome"], diagnosis, given.get("summary", "")))


def gates(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """What the gates that are asked at ordering say of a course now; nothing is kept."""
    require_read(store, "MedicationRequest")
    seen(store, "MedicationRequest", id)
    request = store.read("MedicationRequest", id)
    if not is_course(request) or is_proposal(request):
        raise Invalid("this MedicationRequest is no course of infusions at home", path=f"{BODY}.parameter")
    store.audit("read", f"MedicationRequest/{id}", purpose="gates")
    results = infusions.at_order(store, request)
    shut = [one for one in results if not one.open]
    return parameters(named("open", valueBoolean=not shut), *(named("gate", part=_parts(one)) for one in results))


def _parts(one: GateResult) -> list[Resource]:
    parts = [
        named("gate", valueCode=one.gate.value),
        named("outcome", valueCode=one.outcome.value),
        named("reason", valueCoding=coding(_GATE, REASONS[one.gate])),
        named("text", valueString=one.text),
        named("override", valueBoolean=not one.absolute),
    ]
    return parts + [named("evidence", valueString=said) for said in one.evidence]
