"""退药 What was set aside for a course that ended early comes back: asked for when the course is stopped, confirmed by whoever takes it."""

from healthsvc.errors import Conflict, NotFound
from healthsvc.fhir.elements import concept, extension, extensions, instant, reference
from healthsvc.fhir.json import Resource
from healthsvc.infusion.resources import to_order
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

RETURN = "drug-return"
"""Extension on SupplyDelivery: the course whose packages come back."""
_MEDICATION = concept("http://terminology.hl7.org/CodeSystem/supply-item-type", "medication", "Medication")


def is_return(resource: Resource | None) -> bool:
    """Whether a SupplyDelivery is a return of drugs."""
    return resource is not None and resource.get("resourceType") == "SupplyDelivery" and bool(extensions(resource, RETURN))


def ask_return(store: Store, request: Resource, left: int) -> Resource | None:
    """Ask for the packages of the doses that were not given; None where nothing was set aside (no batch) or nothing is left."""
    order = to_order(request)
    if not order.batch or left <= 0:
        return None
    return store.once(
        {
            "resourceType": "SupplyDelivery",
            "id": derived_id("return", str(request["id"])),
            "extension": [extension(RETURN, valueReference=reference("MedicationRequest", str(request["id"])))],
            "status": "in-progress",
            "patient": reference("Patient", order.patient),
            "type": _MEDICATION,
            "suppliedItem": {"quantity": {"value": left}, "itemCodeableConcept": request["medicationCodeableConcept"]},
        }
    )


def open_returns(store: Store, patient: str) -> list[Resource]:
    """Returns that nobody has confirmed yet."""
    return [one for one in store.select("SupplyDelivery", patient=patient, status="in-progress") if is_return(one)]


def confirm_return(store: Store, id: str, by: str) -> Resource:
    """Somebody has taken the packages back; confirming twice changes nothing.

    Raises:
        NotFound: there is no such return. Conflict: it has been written off.
    """
    found = store.find("SupplyDelivery", id)
    if found is None or not is_return(found):
        raise NotFound("there is no such return of drugs")
    if found["status"] == "completed":
        return found
    if found["status"] != "in-progress":
        raise Conflict("this return has been written off", reason="infusion-return-closed")
    confirmed = {"status": "completed", "occurrenceDateTime": instant(store.at), "receiver": [reference("Practitioner", by)]}
    return store.put(found | confirmed)
