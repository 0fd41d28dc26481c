"""``Questionnaire/$populate`` and ``QuestionnaireResponse/$extract`` (SDC): a form filled in beforehand, and what one says."""

from typing import Any

from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.outcome import operation_outcome
from healthsvc.forms import service
from healthsvc.rest.parameters import BODY, named, parameters
from healthsvc.rest.permitted import require_read
from healthsvc.rest.whom import person, seen
from healthsvc.store import Store


def populate(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """A response to a form, filled in beforehand; it is not stored."""
    require_read(store, "Patient")
    require_read(store, "QuestionnaireResponse")
    patient = person(store, given["subject"])
    name = id or _named(store, given)
    store.audit("populate", f"Patient/{patient}", patient=patient)
    return service.populate(store, name, patient)


def extract(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """What a response says; one that is stored by its address, another one in the body."""
    require_read(store, "QuestionnaireResponse")
    if id:
        seen(store, "QuestionnaireResponse", id)
        response = store.read("QuestionnaireResponse", id)
    else:
        response = given.get("questionnaire-response") or {}
        if not response:
            raise Invalid("$extract needs a QuestionnaireResponse: in the address, or as a parameter", path=f"{BODY}.parameter")
        response = {"id": "x", **response}
        person(store, response.get("subject", {}))
    found = service.read(store, response)
    if found is None:
        raise NotFound("the questionnaire of this response is not known here")
    service.must_be_possible(found)
    says = service.meaning(store, response, found)
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (*says.observations, *says.statements)
    ]
    bundle: Resource = {"resourceType": "Bundle", "type": "transaction", **({"entry": entries} if entries else {})}
    odd = [{"name": "issues", "resource": operation_outcome(list(found.checked.odd))}] if found.checked.odd else []
    return parameters(named("return", resource=bundle), *odd)


def _named(store: Store, given: dict[str, Any]) -> str:
    canonical = given.get("canonical")
    if not canonical:
        raise Invalid("$populate needs the form: its id in the address, or the parameter canonical", path=f"{BODY}.parameter")
    known = service.form_of(store, canonical)
    if known is None:
        raise NotFound("there is no form with this canonical url")
    return known[0].name
