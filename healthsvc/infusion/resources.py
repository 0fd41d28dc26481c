"""A course of infusions as MedicationRequest, with the evidence that was brought for it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import (
    codes,
    coding,
    concept,
    conforming,
    day,
    extension,
    extensions,
    instant,
    moment,
    period,
    reference,
    reference_id,
)
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import HOME_CARE, UCUM, code_system
from healthsvc.infusion.rules.order import Approval, FirstDose, Order, Override, SkinTest

DRUG = code_system("drug")
"""Codes of the site's own drug list."""
STOP_REASON = code_system("infusion-stop-reason")
HOME_INFUSION = "home-infusion"
PROPOSAL = "proposal"
_ROUTE = concept(code_system("route"), "iv-drip", "静脉滴注")
_DOSE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]+)\s*")


def is_course(resource: Resource | None) -> bool:
    """Whether a MedicationRequest is a course of infusions at home."""
    if resource is None or resource.get("resourceType") != "MedicationRequest":
        return False
    return resource.get("intent") != PROPOSAL and HOME_INFUSION in codes(resource.get("category", []), HOME_CARE)


def is_proposal(resource: Resource | None) -> bool:
    """Whether a MedicationRequest is a hospital's order that waits for a doctor of the centre."""
    if resource is None or resource.get("resourceType") != "MedicationRequest":
        return False
    return resource.get("intent") == PROPOSAL and HOME_INFUSION in codes(resource.get("category", []), HOME_CARE)


def to_request(
    order: Order,
    id: str,
    *,
    approval: Approval | None = None,
    first_dose: FirstDose | None = None,
    skin_test: SkinTest | None = None,
    overrides: Iterable[Override] = (),
    consent: str | None = None,
    nurse: str | None = None,
) -> Resource:
    """Write an order and its evidence as an active MedicationRequest."""
    if order.prescriber is None or order.authored is None:
        raise Invalid("an order needs the doctor who gave it and the day", path="MedicationRequest.requester")
    terms = [
        extension("infusion-dose", valueString=order.dose),
        extension("infusion-solvent", valueString=order.solvent),
        extension("infusion-volume", valueQuantity=quantity(order.volume_ml, "mL")),
    ]
    if order.batch:
        terms.append(extension("infusion-batch", valueString=order.batch))
    if consent:
        terms.append(extension("infusion-consent", valueReference=reference("Consent", consent)))
    if nurse:
        terms.append(extension("infusion-nurse", valueReference=reference("Practitioner", nurse)))
    if approval:
        terms.append(_parts("infusion-approval", doctor=_who(approval.doctor), at=_at(approval.at), text=_text(approval.text)))
    if first_dose:
        terms.append(
            _parts(
                "infusion-first-dose",
                on={"valueDate": first_dose.on.isoformat()},
                institution=_text(first_dose.institution),
                drug=_text(first_dose.drug_code),
                batch=_text(first_dose.batch),
                reaction={"valueBoolean": first_dose.reaction},
            )
        )
    if skin_test:
        terms.append(
            _parts(
                "infusion-skin-test",
                at=_at(skin_test.at),
                drug=_text(skin_test.drug_code),
                batch=_text(skin_test.batch),
                negative={"valueBoolean": skin_test.negative},
            )
        )
    terms += [override_extension(one) for one in overrides]
    request: Resource = {
        "resourceType": "MedicationRequest",
        "id": id,
        "extension": terms,
        "status": "active",
        "intent": "order",
        "category": [concept(HOME_CARE, HOME_INFUSION, "上门输液")],
        "medicationCodeableConcept": {"coding": [coding(DRUG, order.drug_code, order.drug_name)], "text": order.drug_name},
        "subject": reference("Patient", order.patient),
        "authoredOn": order.authored.isoformat(),
        "requester": reference("Practitioner", order.prescriber),
        "dosageInstruction": [_dosage(order)],
    }
    if order.indication:
        request["reasonCode"] = [{"text": order.indication}]
    return conforming(request, "infusion-course")


def to_order(request: Resource) -> Order:
    """Read an order from a MedicationRequest.

    Raises:
        Invalid: something that an infusion needs is missing; the path says which.
    """
    dosage: Resource = next(iter(request.get("dosageInstruction", ())), {})
    repeat = dosage.get("timing", {}).get("repeat", {})
    bounds = repeat.get("boundsPeriod", {})
    measured: Resource = next(iter(dosage.get("doseAndRate", ())), {})
    rate = measured.get("rateQuantity", {})
    volume = value_of(request, "infusion-volume", "valueQuantity")
    patient = reference_id(request.get("subject"), "Patient")
    drug = request.get("medicationCodeableConcept", {})
    if patient is None or not (drug.get("text") or drug.get("coding")):
        raise Invalid("an infusion order needs subject and medicationCodeableConcept", path="MedicationRequest")
    if "start" not in bounds or "end" not in bounds or "frequency" not in repeat:
        raise Invalid(
            "an infusion order needs timing.repeat with boundsPeriod and frequency a day", path="MedicationRequest.dosageInstruction"
        )
    if volume is None or "value" not in rate or rate.get("code") != "mL/h":
        raise Invalid(
            "an infusion order needs its volume in mL (extension infusion-volume) and rateQuantity in mL/h",
            path="MedicationRequest.dosageInstruction",
        )
    path = "MedicationRequest.dosageInstruction.timing.repeat.boundsPeriod"
    start, end = day(bounds["start"], path), day(bounds["end"], path)
    return Order(
        patient=patient,
        prescriber=reference_id(request.get("requester"), "Practitioner"),
        drug_code=next(iter(codes(drug, DRUG)), ""),
        drug_name=drug.get("text") or drug["coding"][0].get("display", ""),
        dose=value_of(request, "infusion-dose", "valueString") or "",
        solvent=value_of(request, "infusion-solvent", "valueString") or "",
        volume_ml=int(volume["value"]),
        rate_ml_h=int(rate["value"]),
        start=start,
        days=(end - start).days + 1,
        times_a_day=int(repeat["frequency"]),
        indication=next((one.get("text", "") for one in request.get("reasonCode", ())), ""),
        batch=value_of(request, "infusion-batch", "valueString"),
        authored=day(request["authoredOn"], "MedicationRequest.authoredOn") if "authoredOn" in request else None,
    )


def approval_of(request: Resource) -> Approval | None:
    """The written approval of a restricted drug."""
    found = _read_parts(request, "infusion-approval")
    if not found:
        return None
    at = moment(found[0].get("at", ""), "MedicationRequest.extension")
    return Approval(_practitioner(found[0].get("doctor")), at, found[0].get("text", ""))


def first_dose_of(request: Resource) -> FirstDose | None:
    """The proof of a first dose in a medical institution."""
    found = _read_parts(request, "infusion-first-dose")
    if not found:
        return None
    one = found[0]
    on = day(one.get("on", ""), "MedicationRequest.extension")
    return FirstDose(on, one.get("institution", ""), one.get("drug", ""), one.get("batch"), bool(one.get("reaction")))


def skin_test_of(request: Resource) -> SkinTest | None:
    """The skin test."""
    found = _read_parts(request, "infusion-skin-test")
    if not found:
        return None
    one = found[0]
    return SkinTest(
        moment(one.get("at", ""), "MedicationRequest.extension"), one.get("drug", ""), one.get("batch", ""), one.get("negative") is True
    )


def overrides_of(resource: Resource) -> tuple[Override, ...]:
    """The overrides that stand on a course or on a visit."""
    return tuple(
        Override(
            one.get("gate", ""),
            _practitioner(one.get("doctor")),
            one.get("reason", ""),
            moment(one.get("at", ""), "extension infusion-override"),
        )
        for one in _read_parts(resource, "infusion-override")
    )


def override_extension(one: Override) -> Resource:
    """One override as an extension."""
    return _parts("infusion-override", gate={"valueCode": str(one.gate)}, doctor=_who(one.doctor), reason=_text(one.reason), at=_at(one.at))


def consent_id(request: Resource) -> str | None:
    """Id of the consent that the course rests on."""
    return reference_id(value_of(request, "infusion-consent", "valueReference"), "Consent")


def nurse_id(request: Resource) -> str | None:
    """Id of the nurse who is meant to give it."""
    return reference_id(value_of(request, "infusion-nurse", "valueReference"), "Practitioner")


def stopped(request: Resource, reason: str, at_all: bool) -> Resource:
    """The course stopped (or cancelled where nothing of it was given), with a reason code."""
    status = "stopped" if at_all else "cancelled"
    return request | {"status": status, "statusReason": concept(STOP_REASON, reason)}


def last_day(order: Order) -> date:
    """The last day of a course."""
    return order.start + timedelta(days=order.days - 1)


def dated(order: Order, authored: date) -> Order:
    """The order with the day on which it was given, where it does not say."""
    return order if order.authored else replace(order, authored=authored)


def _dosage(order: Order) -> Resource:
    rate: Resource = {"rateQuantity": quantity(order.rate_ml_h, "mL/h")}
    dose = _DOSE.fullmatch(order.dose)
    if dose:
        value = dose.group(1)
        rate = {"doseQuantity": {"value": Lexical(value) if "." in value else int(value), "unit": dose.group(2)}, **rate}
    return {
        "text": f"{order.drug_name} {order.dose} + {order.solvent} {order.volume_ml} mL, {order.rate_ml_h} mL/h",
        "timing": {
            "repeat": {
                "boundsPeriod": period(order.start, last_day(order)),
                "frequency": order.times_a_day,
                "period": 1,
                "periodUnit": "d",
            }
        },
        "route": _ROUTE,
        "doseAndRate": [rate],
    }


def quantity(value: int, unit: str) -> Resource:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def value_of(resource: Resource, name: str, key: str) -> Any:
    """The value of one of our extensions; None where it is absent."""
    return next((one[key] for one in extensions(resource, name) if key in one), None)


def _parts(name: str, **parts: Resource | None) -> Resource:
    return extension(name, extension=[{"url": key, **value} for key, value in parts.items() if value])


def _read_parts(resource: Resource, name: str) -> list[dict[str, Any]]:
    return [
        {part["url"]: next((value for key, value in part.items() if key.startswith("value")), None) for part in one.get("extension", ())}
        for one in extensions(resource, name)
    ]


def _text(text: str | None) -> Resource | None:
    return {"valueString": text} if text else None


def _at(at: Any) -> Resource:
    return {"valueDateTime": instant(at)}


def _who(practitioner: str) -> Resource:
    return {"valueReference": reference("Practitioner", practitioner)}


def _practitioner(element: Any) -> str:
    return reference_id(element, "Practitioner") or ""
