"""Orders, dispensed drugs and administrations of a hospital in a person's file; a drip for somebody at home is proposed to the doctor."""

from datetime import datetime

from healthsvc.fhir.elements import reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.greenchannel.rules import Right
from healthsvc.healthfile.inpatient import inpatient_classes
from healthsvc.store import Store
from integrations.effects.care import Outcome
from integrations.effects.clock import waited
from integrations.effects.drip import home_infusion
from integrations.effects.master import hospital_organization
from integrations.effects.person import Party
from integrations.effects.scene import Scene, joined
from integrations.effects.which_specimen import which_specimen
from integrations.hl7v2.adt import Stay
from integrations.hl7v2.orders import OrderEvent, Placed, read_orders

_CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"


def orders(scene: Scene) -> Outcome:
    """ORM, OML, OMG, OMP, RDE, RDS, RAS: every order of the message, with what was dispensed and given of it."""
    event = read_orders(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    if event.prior:
        outcome.remarks.append(f"{event.prior} results of earlier days came with the orders; they are kept with the message")
    stay = scene.stay(party.id, event.stay, event.sent)
    for index, placed in enumerate(event.orders, start=1):
        number = placed.number or f"{scene.header.control_id}#{index}"
        request = _order(scene, event, placed, number, party, stay, outcome)
        for kind, made in (("dispensed", placed.dispensed), ("administered", placed.given)):
            for turn, one in enumerate(made, start=1):
                _came_of_it(scene, kind, one, f"{number}", turn, request, party, stay, outcome)
    return outcome


def _order(
    scene: Scene, event: OrderEvent, placed: Placed, number: str, party: Party, stay: str | None, outcome: Outcome
) -> Resource | None:
    """Write an order, or move a known one on; what was only dispensed or given does not change what was asked."""
    store = scene.store
    kind = "MedicationRequest" if placed.drug else "ServiceRequest"
    id = scene.own_id(kind, scene.id("med" if placed.drug else "order", number), party.id)
    known = store.find(kind, id)
    if known is None and not placed.drug and not placed.asked:
        # an ORC alone does not say of what kind the order was
        other = store.find("MedicationRequest", scene.own_id("MedicationRequest", scene.id("med", number), party.id))
        if other is not None:
            known, kind, id = other, "MedicationRequest", str(other["id"])
    if known is not None and (placed.dispensed or placed.given):
        return known
    if known is None and not placed.asked:
        outcome.remarks.append("an order of which nothing is known was moved on; nothing was changed")
        return None
    if scene.is_late(f"order:{id}", event.sent, outcome, "an order"):
        return known
    told = dict(placed.asked) or {"resourceType": kind}
    told |= {"id": id, "subject": reference("Patient", party.id)}
    told["status"] = _status(kind, placed.status_as_drug if kind == "MedicationRequest" else placed.status, known)
    if stay:
        told["encounter"] = reference("Encounter", stay)
    around = store.find("Encounter", stay) if stay else None
    if kind == "MedicationRequest" and placed.asked:
        told["category"] = [{"coding": [{"system": _CATEGORY, "code": _setting(store, event.stay, around)}]}]
    if placed.specimens:
        told["specimen"] = [
            reference("Specimen", one["id"]) for one in write_specimens(scene, placed.specimens, number, party.id, outcome, known)
        ]
    written = store.put(joined(known, told))
    outcome.wrote(written)
    asked_at = str(written.get("authoredOn", ""))
    if known is None and placed.asked and len(asked_at) > len("2026-01-01"):  # whoever gets an order has been seen
        waited(store, party.id, stay, Right.CONSULTATION, datetime.fromisoformat(asked_at), scene.hospital, outcome)
    if kind == "MedicationRequest":
        ward, said = _setting(store, event.stay, around) == "inpatient", event.stay is not None and event.stay.class_told
        home_infusion(scene, placed, written, party, outcome, inpatient=ward, told=said)
    return written


def _status(kind: str, told: str | None, known: Resource | None) -> str:
    if told is None:
        return str(known["status"]) if known else "active"
    if kind == "MedicationRequest":
        return {"revoked": "cancelled"}.get(told, told)
    return {"cancelled": "revoked", "stopped": "revoked"}.get(told, told)


def _setting(store: Store, told: Stay | None, on_file: Resource | None) -> str:
    """Where an order was given: as the message says, else as the stay on file is."""
    code = told.code if told is not None and told.class_told else (on_file or {}).get("class", {}).get("code")
    return "inpatient" if code in inpatient_classes(store) else "outpatient"


def _came_of_it(
    scene: Scene,
    kind: str,
    made: Resource,
    number: str,
    turn: int,
    request: Resource | None,
    party: Party,
    stay: str | None,
    outcome: Outcome,
) -> None:
    """A dispense or an administration: known by its order, its moment and what it was."""
    is_given = kind == "administered"
    at = made.get("effectiveDateTime") or made.get("effectivePeriod", {}).get("start") or made.get("whenHandedOver", "")
    what = made["medicationCodeableConcept"]["text"]
    id = scene.own_id(made["resourceType"], scene.id(kind, number, at or f"{scene.header.control_id}#{turn}", what), party.id)
    told = made | {"id": id, "subject": reference("Patient", party.id)}
    if is_given and "effectiveDateTime" not in told and "effectivePeriod" not in told:
        told["effectiveDateTime"] = (outcome.happened or scene.store.at).isoformat()
    if stay:
        told["context"] = reference("Encounter", stay)
    if is_given:
        assigner = reference("Organization", str(hospital_organization(scene)["id"]))
        system = f"{hospital_number(scene.hospital)}/order"
        told["identifier"] = [
            *told.get("identifier", []),
            {"system": system, "value": number.partition(":")[2] or number, "assigner": assigner},
        ]
    if request is not None and request["resourceType"] == "MedicationRequest":
        based = reference("MedicationRequest", str(request["id"]))
        told |= {"request": based} if is_given else {"authorizingPrescription": [based]}
    known = scene.store.find(told["resourceType"], id)
    if known is not None and is_given:  # effective[x] is one: a period may become a moment
        known = {key: value for key, value in known.items() if not key.startswith("effective")}
    outcome.wrote(scene.store.put(joined(known, told)))
    if not is_given and len(at) > len("2026-01-01"):
        began = str((request or {}).get("authoredOn", ""))
        waited(scene.store, party.id, stay, Right.DISPENSING, datetime.fromisoformat(at), scene.hospital, outcome, began)


def write_specimens(
    scene: Scene, specimens: tuple[Resource, ...], number: str, patient: str, outcome: Outcome, known: Resource | None = None
) -> list[Resource]:
    """Write the specimens of an order or report (``known``: as it is on file); by their own number, else by the order's."""
    written = []
    held = {id for one in (known or {}).get("specimen", ()) if (id := reference_id(one, "Specimen"))}
    for index, specimen in enumerate(specimens, start=1):
        if specimen.get("identifier"):
            id = which_specimen(scene, specimen, patient, held)
        else:
            id = scene.own_id("Specimen", scene.id("specimen", number, str(index)), patient)
        told = specimen | {"id": id, "subject": reference("Patient", patient)}
        written.append(scene.store.put(joined(scene.store.find("Specimen", id), told)))
    outcome.wrote(*written)
    return written
