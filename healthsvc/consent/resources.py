"""A person's word on a purpose as FHIR Consent, and back."""

from typing import Final

from healthsvc.consent.rules import Form, Purpose, Word
from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, coding, concept, conforming, day, extension, extensions, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_PARTICIPATION, code_system

PURPOSE: Final = code_system("consent-purpose")
PRIVACY: Final = "patient-privacy"
_SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
_USE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_USES: Final = {
    Purpose.CARE: "TREAT",
    Purpose.HOSPITAL_SHARING: "TREAT",
    Purpose.EMERGENCY_SHARING: "ETREAT",
    Purpose.COMMUNITY_WORKER: "CAREMGT",
}
"""The nearest purpose of use that other systems know."""


def is_word(resource: Resource | None) -> bool:
    """Whether a resource is a word on one of our purposes."""
    return bool(resource and resource.get("resourceType") == "Consent" and codes(resource.get("category"), PURPOSE))


def to_consent(word: Word) -> Resource:
    """Write it."""
    terms = [extension("signer", valueCode=word.signer), extension("consent-form", valueCode=word.form.value)]
    if word.relation:
        terms.append(extension("signer-relation", valueString=word.relation))
    provision: Resource = {"type": "permit" if word.permits else "deny", "purpose": [coding(_USE, _USES[word.purpose])]}
    end = instant(word.ended) if word.ended else word.until.isoformat() if word.until else None
    if end:
        provision["period"] = {"end": end}
    if word.recipient:
        provision["actor"] = [{"role": concept(V3_PARTICIPATION, "IRCP"), "reference": reference("Organization", word.recipient)}]
    consent: Resource = {
        "resourceType": "Consent",
        "id": word.id,
        "extension": terms,
        "status": "inactive" if word.ended else "active",
        "scope": concept(_SCOPE, PRIVACY),
        "category": [concept(PURPOSE, word.purpose.value)],
        "patient": reference("Patient", word.patient),
        "dateTime": instant(word.at),
        "policyRule": {"text": "个人信息保护法第十四、十五、二十三、二十九条 PIPL articles 14, 15, 23, 29"},
        "provision": provision,
    }
    if word.witness:
        consent["performer"] = [reference("Practitioner", word.witness)]
    return conforming(consent, "purpose-consent")


def to_word(consent: Resource) -> Word:
    """Read it.

    Raises:
        Invalid: it names no person, purpose, form, moment or provision.
    """
    patient, purposes = reference_id(consent.get("patient"), "Patient"), codes(consent.get("category"), PURPOSE)
    provision = consent.get("provision", {})
    if patient is None or len(purposes) != 1 or "dateTime" not in consent or provision.get("type") not in ("permit", "deny"):
        raise Invalid(
            "a word on a purpose needs patient, one category (CodeSystem consent-purpose), dateTime and provision.type", path="Consent"
        )
    try:
        purpose, form = Purpose(purposes[0]), Form(_said(consent, "consent-form", ""))
    except ValueError:
        raise Invalid("there is no such purpose, or extension consent-form says no form that is known", path="Consent") from None
    actors = [one.get("reference", {}) for one in provision.get("actor", ())]
    if len(actors) > 1:
        raise Invalid("a word is about one recipient, or about all: write one Consent for each", path="Consent.provision.actor")
    end, over = provision.get("period", {}).get("end"), consent.get("status") != "active"
    return Word(
        id=str(consent.get("id", "")),
        patient=patient,
        purpose=purpose,
        permits=provision["type"] == "permit",
        at=moment(consent["dateTime"], "Consent.dateTime"),
        form=form,
        recipient=reference_id(actors[0], "Organization") if actors else None,
        signer=_said(consent, "signer", "patient"),
        relation=_said(consent, "signer-relation", ""),
        witness=reference_id(next(iter(consent.get("performer", ())), None), "Practitioner"),
        until=day(end, "Consent.provision.period.end") if end and not over else None,
        ended=moment(end, "Consent.provision.period.end") if end and over else None,
    )


def _said(consent: Resource, name: str, otherwise: str) -> str:
    return next((str(one.get("valueCode") or one.get("valueString")) for one in extensions(consent, name)), otherwise)
