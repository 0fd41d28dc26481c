"""医院医嘱 What a hospital orders for home and what it has given there: a proposal for our doctor, and proof of a first dose.

A hospital's order (OMP, RDE) never becomes an infusion by itself: it waits as a proposal until a doctor of the centre orders the course,
and all gates are asked as for any other. What the hospital has given (RAS) opens, or shuts, the gate of the first dose.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final, Unpack

from healthsvc.errors import Conflict, Invalid, NotFound
from healthsvc.fhir.elements import codes, coding, concept, extension, instant, period, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, HOME_CARE
from healthsvc.healthfile.closing import is_shut
from healthsvc.healthfile.inpatient import ADMITTED_STATES, stays_of
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import follow
from healthsvc.infusion import service
from healthsvc.infusion.evidence import care_of, files_of, patient_in_hospital
from healthsvc.infusion.reaction import suspected_allergy
from healthsvc.infusion.resources import DRUG, HOME_INFUSION, STOP_REASON, is_course, is_proposal, quantity, value_of
from healthsvc.infusion.rules.drugs import DrugList
from healthsvc.infusion.rules.order import Order
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

_INPATIENT: Final = concept("http://terminology.hl7.org/CodeSystem/medication-admin-category", "inpatient", "Inpatient")
_WAITING: Final = "draft"


@dataclass(frozen=True, slots=True)
class HospitalOrder:
    """An infusion that a hospital asks the community to give at home, as far as its message says it. mL, mL/h, days."""

    patient: str
    hospital: str
    """Organization id."""
    number: str
    """The hospital's number of the order (ORC-2); the same number is the same order."""
    drug_name: str
    drug_code: str = ""
    dose: str = ""
    solvent: str = ""
    volume_ml: int | None = None
    rate_ml_h: int | None = None
    start: date | None = None
    days: int | None = None
    times_a_day: int | None = None
    doctor: str = ""
    """The hospital's doctor, by name."""
    indication: str = ""
    group: str = ""
    """The hospital's number of the group (ORC-4, 组号): the drugs of one bag may come as several orders of one group."""


@dataclass(frozen=True, slots=True)
class HospitalDose:
    """One dose that a hospital says it has given (RAS)."""

    patient: str
    hospital: str
    """Organization id."""
    number: str
    """The hospital's number of the dose: order number and count, or the message's own; the same number is the same dose."""
    drug_name: str
    at: datetime
    drug_code: str = ""
    batch: str | None = None
    reaction: str = ""
    """What was seen, in words; empty where nothing was."""


def propose(store: Store, wanted: HospitalOrder) -> Resource:
    """Keep a hospital's order as a proposal that waits for a doctor of the centre; gives the MedicationRequest (intent proposal).

    The same again changes nothing. Another content under the same number replaces what still waits; where a course has already been
    ordered from it, that course is stopped (``order-changed``) and the proposal waits anew.

    Raises:
        Invalid: number, hospital or drug is missing. NotFound: there is no such person.
    """
    if not (wanted.hospital and wanted.number and wanted.drug_name):
        raise Invalid("a hospital's order names its hospital, its number and the drug", path="MedicationRequest.identifier")
    person = str(follow(store, wanted.patient)["id"])
    id = proposal_id(wanted.hospital, wanted.number)
    made = _written(wanted, person, id, service.drug_list(store))
    known = store.find("MedicationRequest", id)
    if known is not None and _content(known) == _content(made):
        return known
    if known is not None:
        _stop_courses(store, known, "order-changed")
    return store.put(made)


def withdraw(store: Store, hospital: str, number: str, reason: str = "order-changed") -> Resource | None:
    """The hospital takes its order back: the proposal is cancelled, a course that was ordered from it is stopped. None: no such order."""
    known = store.find("MedicationRequest", proposal_id(hospital, number))
    if known is None or not is_proposal(known):
        return None
    _stop_courses(store, known, reason)
    if known["status"] == "cancelled":
        return known
    return store.put(known | {"status": "cancelled", "statusReason": concept(STOP_REASON, reason)})


def take_up(store: Store, proposal: str, order: Order, **brought: Unpack[service.Brought]) -> service.Course:
    """A doctor of the centre orders what the hospital has proposed; the arguments are those of :func:`service.order_course`.

    Raises:
        Conflict: the proposal no longer waits. RuleViolation: gates stay shut.
    """
    waiting = _read(store, proposal)
    if waiting["status"] != _WAITING:
        raise Conflict("this hospital order has been answered already", reason="infusion-proposal-closed")
    if reference_id(waiting.get("subject"), "Patient") != str(follow(store, order.patient)["id"]):
        raise Invalid("the hospital's order is for another person", path="MedicationRequest.subject")
    course = service.order_course(store, order, **brought)
    store.put(course.request | {"basedOn": [reference("MedicationRequest", proposal)]})
    store.put(waiting | {"status": "completed"})
    return service.read(store, str(course.request["id"]))


def decline(store: Store, proposal: str, reason: str) -> Resource:
    """A doctor of the centre does not take the order on, and says why."""
    waiting = _read(store, proposal)
    if waiting["status"] != _WAITING:
        raise Conflict("this hospital order has been answered already", reason="infusion-proposal-closed")
    if not reason.strip():
        raise Invalid("say why the hospital's order is not taken on", path="MedicationRequest.statusReason", reason="infusion-text-missing")
    return store.put(waiting | {"status": "cancelled", "statusReason": {"text": reason.strip()}})


def obstacle(store: Store, patient: str, on: date) -> str:
    """Why no course may be made of a hospital's order today, as a reason code; empty where nothing of the person stands against it.

    It is looked up whenever it is shown: who comes home from hospital, or signs again, has none any more.
    """
    files = files_of(store, patient)
    person = store.read("Patient", files[0])
    if is_deceased(person):
        return "infusion-deceased"
    if is_shut(person):
        return "infusion-file-closed"
    in_force = any(one.start <= on and (one.end is None or on <= one.end) for one in care_of(store, files))
    held = not in_force and bool(stays_of(store, files, *ADMITTED_STATES))  # on leave; a home bed waits for the discharge
    if held or patient_in_hospital(store, files):
        return "infusion-in-hospital"
    return "" if in_force else "infusion-no-active-care"


def waiting(store: Store, patient: str | None = None) -> list[Resource]:
    """Hospital orders that nobody has answered yet (of one person), oldest first."""
    found = store.select("MedicationRequest", status=_WAITING, **({"patient": patient} if patient else {}))
    return sorted((one for one in found if is_proposal(one)), key=lambda one: (str(one.get("authoredOn", "")), one["id"]))


def to_wanted(proposal: Resource) -> HospitalOrder:
    """Read a proposal back."""
    number: Resource = next(iter(proposal.get("identifier", ())), {})
    dosage: Resource = next(iter(proposal.get("dosageInstruction", ())), {})
    repeat = dosage.get("timing", {}).get("repeat", {})
    measured: Resource = next(iter(dosage.get("doseAndRate", ())), {})
    bounds, rate = repeat.get("boundsPeriod", {}), measured.get("rateQuantity", {})
    volume, drug = value_of(proposal, "infusion-volume", "valueQuantity"), proposal.get("medicationCodeableConcept", {})
    start = date.fromisoformat(bounds["start"]) if "start" in bounds else None
    days = int(repeat["boundsDuration"]["value"]) if "boundsDuration" in repeat else None
    if start and "end" in bounds:
        days = (date.fromisoformat(bounds["end"]) - start).days + 1
    return HospitalOrder(
        patient=reference_id(proposal.get("subject"), "Patient") or "",
        hospital=reference_id(number.get("assigner"), "Organization") or "",
        number=str(number.get("value", "")),
        drug_name=drug.get("text", ""),
        drug_code=next(iter(codes(drug, DRUG)), ""),
        dose=value_of(proposal, "infusion-dose", "valueString") or "",
        solvent=value_of(proposal, "infusion-solvent", "valueString") or "",
        volume_ml=int(volume["value"]) if volume else None,
        rate_ml_h=int(rate["value"]) if rate else None,
        start=start,
        days=days,
        times_a_day=repeat.get("frequency"),
        doctor=proposal.get("requester", {}).get("display", ""),
        indication=next((one.get("text", "") for one in proposal.get("reasonCode", ())), ""),
        group=str(proposal.get("groupIdentifier", {}).get("value", "")),
    )


def record_dose(store: Store, dose: HospitalDose) -> Resource:
    """Keep a dose that a hospital has given; gives the MedicationAdministration. The same number again changes nothing.

    A dose with a reaction is kept as stopped, with an unconfirmed allergy: the gates of first dose and allergy stay shut at home.
    """
    if not (dose.hospital and dose.number and dose.drug_name):
        raise Invalid("a dose given in a hospital names the hospital, its number and the drug", path="MedicationAdministration.identifier")
    person = str(follow(store, dose.patient)["id"])
    medication = _drug(service.drug_list(store), dose.drug_code, dose.drug_name)
    id = _id("hosp-dose", dose.hospital, dose.number)
    given: Resource = {
        "resourceType": "MedicationAdministration",
        "id": id,
        "identifier": [_number(dose.hospital, dose.number)],
        "status": "stopped" if dose.reaction else "completed",
        "category": _INPATIENT,
        "medicationCodeableConcept": medication,
        "subject": reference("Patient", person),
        "effectiveDateTime": instant(dose.at),
    }
    if dose.batch:
        given["extension"] = [extension("infusion-batch", valueString=dose.batch)]
    if dose.reaction:
        given["statusReason"] = [{"text": dose.reaction}]
        store.put(suspected_allergy(derived_id("suspected", id), person, medication, dose.at, dose.reaction))
    return store.put(given)


def proposal_id(hospital: str, number: str) -> str:
    """Id of the proposal that keeps a hospital's order."""
    return _id("hosp-order", hospital, number)


def _id(prefix: str, hospital: str, number: str) -> str:
    """An id of a hospital's number, whatever characters it is made of."""
    return f"{prefix}-{blake2b(f'{hospital}|{number}'.encode(), digest_size=12).hexdigest()}"


def _written(wanted: HospitalOrder, person: str, id: str, drugs: DrugList) -> Resource:
    terms = [extension(f"infusion-{name}", valueString=text) for name, text in (("dose", wanted.dose), ("solvent", wanted.solvent)) if text]
    if wanted.volume_ml:
        terms.append(extension("infusion-volume", valueQuantity=quantity(wanted.volume_ml, "mL")))
    made: Resource = {
        "resourceType": "MedicationRequest",
        "id": id,
        "identifier": [_number(wanted.hospital, wanted.number)],
        "status": _WAITING,
        "intent": "proposal",
        "category": [concept(HOME_CARE, HOME_INFUSION, "上门输液")],
        "medicationCodeableConcept": _drug(drugs, wanted.drug_code, wanted.drug_name),
        "subject": reference("Patient", person),
        "dosageInstruction": [_dosage(wanted)],
    }
    if terms:
        made["extension"] = terms
    if wanted.doctor:
        made["requester"] = {"display": wanted.doctor}
    if wanted.indication:
        made["reasonCode"] = [{"text": wanted.indication}]
    if wanted.group:
        made["groupIdentifier"] = {"system": f"{BASE}/NamingSystem/order/{wanted.hospital}", "value": wanted.group}
    return made


def _dosage(wanted: HospitalOrder) -> Resource:
    said = (wanted.drug_name, wanted.dose, wanted.solvent, f"{wanted.volume_ml} mL" if wanted.volume_ml else "")
    dosage: Resource = {"text": " ".join(part for part in said if part)}
    repeat: Resource = {}
    if wanted.start:
        repeat["boundsPeriod"] = period(wanted.start, wanted.start + timedelta(days=wanted.days - 1) if wanted.days else None)
    elif wanted.days:
        repeat["boundsDuration"] = quantity(wanted.days, "d")
    if wanted.times_a_day:
        repeat |= {"frequency": wanted.times_a_day, "period": 1, "periodUnit": "d"}
    if repeat:
        dosage["timing"] = {"repeat": repeat}
    if wanted.rate_ml_h:
        dosage["doseAndRate"] = [{"rateQuantity": quantity(wanted.rate_ml_h, "mL/h")}]
    return dosage


def _drug(drugs: DrugList, code: str, name: str) -> Resource:
    """The drug as the hospital names it, with the code of the site's list where the list knows it."""
    known = drugs.find(code, name)
    return {**({"coding": [coding(DRUG, known.code, known.names[0])]} if known else {}), "text": name}


def _number(hospital: str, number: str) -> Resource:
    return {"system": f"{BASE}/NamingSystem/order/{hospital}", "value": number, "assigner": reference("Organization", hospital)}


def _content(request: Resource) -> Resource:
    """What the hospital has said; not how far we have come with it."""
    return {key: value for key, value in request.items() if key not in ("meta", "text", "status", "statusReason")}


def _stop_courses(store: Store, proposal: Resource, reason: str) -> None:
    patient = str(reference_id(proposal.get("subject"), "Patient"))
    for one in store.select("MedicationRequest", patient=patient, status=["active", "on-hold"]):
        if is_course(one) and reference("MedicationRequest", proposal["id"]) in one.get("basedOn", ()):
            service.stop(store, str(one["id"]), reason)


def _read(store: Store, id: str) -> Resource:
    found = store.find("MedicationRequest", id)
    if found is None or not is_proposal(found):
        raise NotFound("there is no such hospital order")
    return found
