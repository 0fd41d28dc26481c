"""Whom or what the parameters of an operation mean, as far as the actor may know of them."""

from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile import service as files
from healthsvc.rest.parameters import BODY
from healthsvc.store import Store


def person(store: Store, element: Resource) -> str:
    """Id of the file that a Reference names, by its address or by an identifier of the person."""
    id, number = reference_id(element, "Patient"), element.get("identifier")
    if id is None and isinstance(number, dict) and number.get("system") and number.get("value"):
        found = files.identify(store, [(number["system"], number["value"])])
        id = found["id"] if found else None
        if id is None:
            raise NotFound("there is no file under this number")
    if id is None:
        raise Invalid("patient is a Reference to Patient/id, or has an identifier with system and value", path=f"{BODY}.parameter")
    seen(store, "Patient", id)
    return id


def seen(store: Store, type: str, id: str) -> None:
    """Refuse what is not there, or what the actor may not know of, alike."""
    stored = store.get(type, id)
    if stored is None or stored.deleted or not store.sees(stored):
        raise NotFound(f"there is no such {type}")
