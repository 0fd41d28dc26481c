"""A signed consent as FHIR Consent: who signed for whom to what, how, and whether it has been withdrawn."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, concept, conforming, extension, extensions, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system

KIND = code_system("consent-kind")
T = TypeVar("T")
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
SIGNATURES = frozenset({"wet-scan", "drawn", "certified"})
"""How it was signed, said honestly: on paper and scanned, drawn on a screen, or with a certified electronic signature."""


@dataclass(frozen=True, slots=True)
class SignedConsent:
    """One consent. ``kind`` is ``home-bed`` or ``infusion``; ``signer`` is ``patient``, or the family or guardian with the relation."""

    id: str
    patient: str
    kind: str
    signed: datetime
    signer: str = "patient"
    relation: str = ""
    signature: str = "wet-scan"
    witness: str | None = None
    """Practitioner id of whoever explained it and saw it signed."""
    about: str | None = None
    """Reference to what it is about, for example ``MedicationRequest/x``."""
    risks_told: bool = False
    fees_told: bool = False
    copies: int = 1
    withdrawn: datetime | None = None


def is_consent(resource: Resource | None, kind: str | None = None) -> bool:
    """Whether a resource is a consent of ours (of one kind)."""
    found = codes((resource or {}).get("category"), KIND) if resource and resource.get("resourceType") == "Consent" else ()
    return bool(found) and kind in (None, *found)


def to_consent(signed: SignedConsent) -> Resource:
    """Write it."""
    if signed.signature not in SIGNATURES:
        raise Invalid(f"a signature is one of {', '.join(sorted(SIGNATURES))}", path="Consent.extension")
    terms = [
        extension("signer", valueCode=signed.signer),
        extension("signature-kind", valueCode=signed.signature),
        extension("risks-told", valueBoolean=signed.risks_told),
        extension("fees-told", valueBoolean=signed.fees_told),
        extension("copies", valuePositiveInt=signed.copies),
    ]
    if signed.relation:
        terms.append(extension("signer-relation", valueString=signed.relation))
    provision: Resource = {"type": "permit"}
    if signed.withdrawn:
        provision["period"] = {"end": instant(signed.withdrawn)}
    if signed.about:
        provision["data"] = [{"meaning": "related", "reference": {"reference": signed.about}}]
    consent: Resource = {
        "resourceType": "Consent",
        "id": signed.id,
        "extension": terms,
        "status": "inactive" if signed.withdrawn else "active",
        "scope": concept(_SCOPE, "treatment"),
        "category": [concept(KIND, signed.kind)],
        "patient": reference("Patient", signed.patient),
        "dateTime": instant(signed.signed),
        "policyRule": {"text": "知情同意书 Informed consent, signed before start"},
        "provision": provision,
    }
    if signed.witness:
        consent["performer"] = [reference("Practitioner", signed.witness)]
    return conforming(consent, "signed-consent")


def to_signed(consent: Resource) -> SignedConsent:
    """Read it.

    Raises:
        Invalid: it names no person, no kind or no moment of signing.
    """
    patient, kinds = reference_id(consent.get("patient"), "Patient"), codes(consent.get("category"), KIND)
    if patient is None or not kinds or "dateTime" not in consent:
        raise Invalid("a consent needs patient, category (CodeSystem consent-kind) and dateTime", path="Consent")
    provision = consent.get("provision", {})
    end = provision.get("period", {}).get("end")
    return SignedConsent(
        id=consent.get("id", ""),
        patient=patient,
        kind=kinds[0],
        signed=moment(consent["dateTime"], "Consent.dateTime"),
        signer=_one(consent, "signer", "valueCode", "patient"),
        relation=_one(consent, "signer-relation", "valueString", ""),
        signature=_one(consent, "signature-kind", "valueCode", "wet-scan"),
        witness=reference_id(next(iter(consent.get("performer", ())), None), "Practitioner"),
        about=next((one["reference"].get("reference") for one in provision.get("data", ()) if "reference" in one), None),
        risks_told=_one(consent, "risks-told", "valueBoolean", False),
        fees_told=_one(consent, "fees-told", "valueBoolean", False),
        copies=_one(consent, "copies", "valuePositiveInt", 1),
        withdrawn=moment(end, "Consent.provision.period.end") if end and consent.get("status") != "active" else None,
    )


def _one(consent: Resource, name: str, key: str, otherwise: T) -> T:
    value: T = next((one[key] for one in extensions(consent, name) if key in one), otherwise)
    return value
