"""A home bed as EpisodeOfCare with its Conditions, and the assessment before it as ClinicalImpression."""

from datetime import date, tzinfo
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.elements import codes, coding, concept, conforming, day, extension, extensions, period, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE, ICD10, code_system
from healthsvc.homebed.rules.bed import BED_KIND_NAMES, Bed, BedKind, Diagnosis, Discharge, Status
from healthsvc.homebed.rules.eligibility import Agreement, Assessment

KIND = code_system("home-bed-kind")
CRITERION = code_system("home-bed-criterion")
EXCLUSION = code_system("home-bed-exclusion")
_ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
HOME_BED = "home-bed"


def is_bed(resource: Resource | None) -> bool:
    """Whether an EpisodeOfCare is a home bed."""
    if resource is None or resource.get("resourceType") != "EpisodeOfCare":
        return False
    return HOME_BED in codes(resource.get("type", []), HOME_CARE)


def to_episode(bed: Bed, base: Resource | None = None) -> Resource:
    """Write a bed as an EpisodeOfCare; ``base`` is the version before, whose status goes into the history."""
    terms = [
        extension("home-bed-nurse", valueReference=reference("Practitioner", bed.nurse)),
        extension("home-bed-last-day", valueDate=bed.last_day.isoformat()),
        extension("home-bed-round-days", valuePositiveInt=bed.round_days),
        extension("home-bed-stable", valueBoolean=bed.stable),
        extension("home-bed-assessment", valueReference=reference("ClinicalImpression", bed.assessment)),
        extension("home-bed-agreement", valueReference=reference("Consent", bed.consent)),
    ]
    if bed.held_for:
        terms.append(extension("home-bed-held-for", valueCode=bed.held_for))
    if bed.previous:
        terms.append(extension("home-bed-previous", valueReference=reference("EpisodeOfCare", bed.previous)))
    diagnoses = [_diagnosis(bed, "AD")] if bed.diagnosis else []
    end = bed.last_day
    if bed.discharge:
        end = bed.discharge.on
        terms.append(extension("home-bed-discharge-reason", valueCode=bed.discharge.reason))
        terms.append(extension("home-bed-outcome", valueCode=bed.discharge.outcome))
        if bed.discharge.summary:
            terms.append(extension("home-bed-discharge-summary", valueString=bed.discharge.summary))
        if bed.discharge.diagnosis:
            diagnoses.append(_diagnosis(bed, "DD"))
    episode: Resource = {
        **(base or {"resourceType": "EpisodeOfCare"}),
        "id": bed.id,
        "extension": terms,
        "status": bed.status.value,
        "type": [{"coding": [coding(HOME_CARE, HOME_BED, "家庭病床"), coding(KIND, bed.kind.value, BED_KIND_NAMES[bed.kind])]}],
        "patient": reference("Patient", bed.patient),
        "period": period(bed.start, end),
        "careManager": reference("Practitioner", bed.doctor),
    }
    episode.pop("diagnosis", None)
    if diagnoses:
        episode["diagnosis"] = diagnoses
    return conforming(episode, "home-bed-episode")


def with_history(episode: Resource, before: Resource | None, on: date) -> Resource:
    """The episode with its statusHistory brought up to a day: which status held from when to when."""
    past = list((before or {}).get("statusHistory", ()))
    if before is None:
        past = [{"status": episode["status"], "period": {"start": on.isoformat()}}]
    elif before["status"] != episode["status"]:
        if past:
            past[-1] = past[-1] | {"period": past[-1]["period"] | {"end": on.isoformat()}}
        past.append({"status": episode["status"], "period": {"start": on.isoformat()}})
    return episode | ({"statusHistory": past} if past else {})


def to_bed(episode: Resource, conditions: dict[str, Resource] | None = None) -> Bed:
    """Read a bed; ``conditions`` are the Conditions it names, by id (the diagnoses stay None without them).

    Raises:
        Invalid: something that a bed needs is missing; the path says which.
    """
    patient = reference_id(episode.get("patient"), "Patient")
    doctor = reference_id(episode.get("careManager"), "Practitioner")
    nurse = reference_id(_value(episode, "home-bed-nurse", "valueReference"), "Practitioner")
    start = episode.get("period", {}).get("start")
    if patient is None or doctor is None or nurse is None or start is None:
        raise Invalid("a home bed needs patient, careManager, nurse (extension home-bed-nurse) and period.start", path="EpisodeOfCare")
    last = _value(episode, "home-bed-last-day", "valueDate")
    if last is None:
        raise Invalid("a home bed needs its last day (extension home-bed-last-day)", path="EpisodeOfCare.extension")
    known = conditions or {}
    reason = _value(episode, "home-bed-discharge-reason", "valueCode")
    discharge = None
    if reason is not None:
        ended = day(episode["period"].get("end", last), "EpisodeOfCare.period.end")
        outcome = _value(episode, "home-bed-outcome", "valueCode") or ""
        summary = _value(episode, "home-bed-discharge-summary", "valueString") or ""
        discharge = Discharge(ended, reason, outcome, _read_diagnosis(episode, "DD", known), summary)
    return Bed(
        id=episode.get("id", ""),
        patient=patient,
        status=_status(episode),
        kind=_kind(episode),
        start=day(start, "EpisodeOfCare.period.start"),
        last_day=day(last, "EpisodeOfCare.extension"),
        doctor=doctor,
        nurse=nurse,
        diagnosis=_read_diagnosis(episode, "AD", known),
        assessment=reference_id(_value(episode, "home-bed-assessment", "valueReference"), "ClinicalImpression") or "",
        consent=reference_id(_value(episode, "home-bed-agreement", "valueReference"), "Consent") or "",
        stable=bool(_value(episode, "home-bed-stable", "valueBoolean")),
        round_days=_value(episode, "home-bed-round-days", "valuePositiveInt") or 7,
        held_for=_value(episode, "home-bed-held-for", "valueCode"),
        previous=reference_id(_value(episode, "home-bed-previous", "valueReference"), "EpisodeOfCare"),
        discharge=discharge,
    )


def conditions_of(bed: Bed) -> list[Resource]:
    """The Conditions that the bed's diagnoses are written as: at establishment, and at discharge."""
    found = []
    if bed.diagnosis:
        found.append(_condition(bed, "ad", bed.diagnosis, bed.start))
    if bed.discharge and bed.discharge.diagnosis:
        found.append(_condition(bed, "dd", bed.discharge.diagnosis, bed.discharge.on))
    return found


def condition_ids(episode: Resource) -> list[str]:
    """Ids of the Conditions that an episode names."""
    return [id for one in episode.get("diagnosis", ()) if (id := reference_id(one.get("condition"), "Condition"))]


def to_impression(assessment: Assessment, id: str) -> Resource:
    """Write an assessment as a ClinicalImpression: indications and exclusions as findings, the opinion as summary."""
    findings = [{"itemCodeableConcept": concept(CRITERION, code)} for code in sorted(assessment.criteria)]
    findings += [{"itemCodeableConcept": concept(EXCLUSION, code)} for code in sorted(assessment.exclusions)]
    if assessment.diagnosis:
        diagnosis = assessment.diagnosis
        findings.append({"itemCodeableConcept": {"coding": [coding(ICD10, diagnosis.code, diagnosis.text)], "text": diagnosis.text}})
    answers = {"stable": assessment.stable, "home-suitable": assessment.home_suitable, "carer": assessment.carer}
    terms = [extension(f"assessment-{name}", valueBoolean=value) for name, value in answers.items() if value is not None]
    if assessment.self_care is not None:
        terms.append(extension("assessment-self-care", valueInteger=assessment.self_care))
    impression: Resource = {
        "resourceType": "ClinicalImpression",
        "id": id,
        "status": "completed",
        "code": concept(HOME_CARE, "home-bed-assessment", "家庭病床建床评估"),
        "subject": reference("Patient", assessment.patient),
        "effectiveDateTime": assessment.on.isoformat(),
        "assessor": reference("Practitioner", assessment.doctor),
    }
    if terms:
        impression["extension"] = terms
    if findings:
        impression["finding"] = findings
    if assessment.indication:
        impression["summary"] = assessment.indication
    return conforming(impression, "home-bed-assessment-impression")


def to_assessment(impression: Resource) -> Assessment:
    """Read an assessment from a ClinicalImpression.

    Raises:
        Invalid: it names no person, no assessor or no day.
    """
    patient = reference_id(impression.get("subject"), "Patient")
    doctor = reference_id(impression.get("assessor"), "Practitioner")
    if patient is None or doctor is None or "effectiveDateTime" not in impression:
        raise Invalid("an assessment needs subject, assessor and effectiveDateTime", path="ClinicalImpression")
    items = [one.get("itemCodeableConcept", {}) for one in impression.get("finding", ())]
    diagnosis = next((item["coding"][0] for item in items if codes(item, ICD10)), None)
    return Assessment(
        patient=patient,
        doctor=doctor,
        on=day(impression["effectiveDateTime"], "ClinicalImpression.effectiveDateTime"),
        diagnosis=Diagnosis(diagnosis["code"], diagnosis.get("display", "")) if diagnosis else None,
        criteria=frozenset(codes(items, CRITERION)),
        exclusions=frozenset(codes(items, EXCLUSION)),
        stable=_value(impression, "assessment-stable", "valueBoolean"),
        self_care=_value(impression, "assessment-self-care", "valueInteger"),
        home_suitable=_value(impression, "assessment-home-suitable", "valueBoolean"),
        carer=_value(impression, "assessment-carer", "valueBoolean"),
        indication=impression.get("summary", ""),
    )


def to_agreement(consent: SignedConsent, zone: tzinfo) -> Agreement:
    """What the rules ask of a signed consent; days are those of the site's zone."""
    withdrawn = consent.withdrawn.astimezone(zone).date() if consent.withdrawn else None
    signed = consent.signed.astimezone(zone).date()
    return Agreement(signed, consent.signer, consent.relation, consent.risks_told, consent.fees_told, consent.copies, withdrawn)


def _condition(bed: Bed, suffix: str, diagnosis: Diagnosis, on: date) -> Resource:
    return {
        "resourceType": "Condition",
        "id": f"{bed.id}-{suffix}",
        "clinicalStatus": concept(_CLINICAL, "active"),
        "verificationStatus": concept(_VERIFICATION, "confirmed"),
        "category": [concept(_CATEGORY, "encounter-diagnosis")],
        "code": {"coding": [coding(ICD10, diagnosis.code, diagnosis.text)], "text": diagnosis.text},
        "subject": reference("Patient", bed.patient),
        "recordedDate": on.isoformat(),
    }


def _diagnosis(bed: Bed, role: str) -> Resource:
    return {"condition": reference("Condition", f"{bed.id}-{role.lower()}"), "role": concept(_ROLE, role)}


def _read_diagnosis(episode: Resource, role: str, known: dict[str, Resource]) -> Diagnosis | None:
    for one in episode.get("diagnosis", ()):
        condition = known.get(reference_id(one.get("condition"), "Condition") or "")
        if role in codes(one.get("role"), _ROLE) and condition is not None:
            found = condition.get("code", {}).get("coding", [{}])[0]
            return Diagnosis(found.get("code", ""), condition.get("code", {}).get("text") or found.get("display", ""))
    return None


def _status(episode: Resource) -> Status:
    try:
        return Status(episode.get("status", ""))
    except ValueError:
        raise Invalid(f"a home bed is one of {', '.join(Status)}", path="EpisodeOfCare.status") from None


def _kind(episode: Resource) -> BedKind:
    found = codes(episode.get("type", []), KIND)
    try:
        return BedKind(found[0] if found else "")
    except ValueError:
        raise Invalid(f"a home bed is one of {', '.join(BedKind)} (CodeSystem home-bed-kind)", path="EpisodeOfCare.type") from None


def _value(resource: Resource, name: str, key: str) -> Any:
    return next((one[key] for one in extensions(resource, name) if key in one), None)
