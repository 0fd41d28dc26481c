"""What the files say for and against an infusion: bed and contract, staff, allergies, consent. Nothing is guessed; absent means None."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from healthsvc.fhir.consent import is_consent, to_signed
from healthsvc.fhir.elements import codes, day, moment, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE, code_system
from healthsvc.healthfile.inpatient import stays_of
from healthsvc.healthfile.service import follow, replaced
from healthsvc.infusion.records import OfTheDay, is_given, to_given
from healthsvc.infusion.resources import DRUG, approval_of, consent_id, first_dose_of, overrides_of, skin_test_of, value_of
from healthsvc.infusion.rules.bedside import Act
from healthsvc.infusion.rules.drugs import Drug, DrugList, Substance, from_table
from healthsvc.infusion.rules.order import Care, CareKind, Consent, Evidence, FirstDose, Licence, Order, SkinTest, Slot
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.store import Store

QUALIFICATION = code_system("staff-qualification")
DRUG_CLASS = code_system("drug-class")
_CONTRACT_TYPE = code_system("contract-type")
_NEVER_IN_FORCE = frozenset({"offered", "negotiable", "policy", "resolved", "rejected", "entered-in-error"})
_NO_KNOWN_ALLERGY = frozenset({"716186003", "409137002", "no-known-allergy", "nka"})
_NONE_IN_WORDS = ("无", "否认", "没有", "no known", "none")


def gather(
    store: Store,
    order: Order,
    request: Resource,
    policy: InfusionPolicy,
    *,
    on: date,
    at: datetime,
    nurse: str | None = None,
    slot: Slot | None = None,
    of_the_day: OfTheDay | None = None,
) -> Evidence:
    """Everything known for one order on one day; ``of_the_day`` is what the bedside gives."""
    bedside = of_the_day or OfTheDay()
    files = files_of(store, order.patient)
    return Evidence(
        on=on,
        at=at.astimezone(store.zone),
        care=care_of(store, files),
        prescriber=licence_of(store, order.prescriber, policy) if order.prescriber else None,
        approval=approval_of(request),
        first_dose=first_dose(store, request, order, files, policy, on),
        skin_test=skin_test(store, request, order),
        allergies=allergies_of(store, files),
        consent=consent_of(store, request, files),
        companion=bedside.companion,
        double_check=bedside.double_check,
        nurse=licence_of(store, nurse, policy) if nurse else None,
        kit=bedside.kit,
        slot=slot,
        overrides=tuple(one for one in (*overrides_of(request), *bedside.overrides) if is_doctor(store, one.doctor, policy)),
    )


def files_of(store: Store, patient: str) -> tuple[str, ...]:
    """The person's file and all files merged into it."""
    survivor = str(follow(store, patient)["id"])
    return (survivor, *replaced(store, survivor))


def first_dose(store: Store, request: Resource, order: Order, files: tuple[str, ...], policy: InfusionPolicy, on: date) -> FirstDose | None:
    """The proof of a first dose: what was brought with the order, else what a hospital says it has given.

    A reaction that a hospital has seen within the days of the policy outweighs any paper.
    """
    drugs, brought = from_table(policy.drug_list), first_dose_of(request)
    drug, since = drugs.find(order.drug_code, order.drug_name), on - timedelta(days=policy.first_dose_valid_days)
    seen = []
    for one in store.select("MedicationAdministration", patient=list(files), status=["completed", "stopped"]):
        at = one.get("effectiveDateTime") or one.get("effectivePeriod", {}).get("start") or ""
        if is_given(one) or drug is None or len(at) < len("2026-11-22") or _drug_of(one, drugs) != drug:
            continue  # a month or a year proves nothing of a day
        reaction = one["status"] == "stopped"
        if reaction and "statusReason" not in one:
            continue  # not given to its end, nobody says why: neither a proof nor a reaction
        when = _day_of(at, store)
        if since <= when <= on:
            batch = value_of(one, "infusion-batch", "valueString")
            seen.append(FirstDose(when, _institution(store, one), order.drug_code, batch, reaction))
    reacted = [one for one in seen if one.reaction]
    return max(reacted or ([brought] if brought else seen), key=lambda one: one.on, default=None)


def _drug_of(given: Resource, drugs: DrugList) -> Drug | None:
    """The drug of the site's list that a hospital has given, by our code or by any of the names that it gives."""
    about: Resource = given.get("medicationCodeableConcept", {})
    names = [about.get("text", ""), *(one.get("display", "") for one in about.get("coding", ()))]
    found = (drugs.find(next(iter(codes(about, DRUG)), ""), name) for name in names)
    return next((one for one in found if one is not None), None)


def _day_of(text: str, store: Store) -> date:
    """The day of a dose in the site's zone; a hospital that gives no time of day gives the day itself."""
    path = "MedicationAdministration.effectiveDateTime"
    return moment(text, path).astimezone(store.zone).date() if "T" in text else day(text, path)


def _institution(store: Store, given: Resource) -> str:
    """Name of the hospital that gave a dose."""
    ids = (reference_id(one.get("assigner"), "Organization") for one in given.get("identifier", ()))
    id = next((id for id in ids if id), "")
    found = store.find("Organization", id) if id else None
    return str((found or {}).get("name", id))


def skin_test(store: Store, request: Resource, order: Order) -> SkinTest | None:
    """The skin test of a course, carried on by the doses of the course that went well."""
    test = skin_test_of(request)
    if test is None:
        return None
    given = [
        to_given(one)
        for one in store.select("MedicationAdministration", patient=order.patient, status="completed")
        if is_given(one) and to_given(one).course == request.get("id")
    ]
    started = [entry.at for one in given if (entry := one.bedside.last(Act.PUNCTURE)) and not one.bedside.reacted]
    return replace(test, carried_to=max(started, default=None))


def care_of(store: Store, files: tuple[str, ...]) -> tuple[Care, ...]:
    """Active home beds and family-doctor contracts in force."""
    found = []
    for patient in files:
        for episode in store.select("EpisodeOfCare", patient=patient, status="active"):
            if "home-bed" in codes(episode.get("type", []), HOME_CARE):
                found.append(_care(CareKind.HOME_BED, episode, episode.get("period", {}), "EpisodeOfCare.period"))
        for contract in store.select("Contract", patient=patient, status="executed"):
            if "family-doctor" in codes(contract.get("type"), _CONTRACT_TYPE):
                found.append(_care(CareKind.CONTRACT, contract, contract.get("applies", {}), "Contract.applies"))
    return tuple(one for one in found if one is not None)


def was_in_care(store: Store, files: tuple[str, ...]) -> bool:
    """Whether the person has, or ever had, a home bed or a family-doctor contract: is somebody of ours."""
    for patient in files:
        if any("home-bed" in codes(one.get("type", []), HOME_CARE) for one in store.select("EpisodeOfCare", patient=patient)):
            return True
        signed = (one for one in store.select("Contract", patient=patient) if one["status"] not in _NEVER_IN_FORCE)
        if any("family-doctor" in codes(one.get("type"), _CONTRACT_TYPE) for one in signed):
            return True
    return False


def licence_of(store: Store, practitioner: str, policy: InfusionPolicy) -> Licence | None:
    """What the staff directory says of a doctor or nurse; None where it does not know them or they have left."""
    resource = store.find("Practitioner", practitioner)
    return to_licence(resource, policy) if resource is not None and resource.get("active", True) else None


def to_licence(practitioner: Resource, policy: InfusionPolicy) -> Licence | None:
    """Read a licence from Practitioner.qualification (CodeSystem staff-qualification: doctor, nurse, infusion, a title).

    The role's own qualification gives since when and until when; a qualification whose period has ended says nothing.
    """
    held: dict[str, Resource] = {}
    words = []
    for one in practitioner.get("qualification", ()):
        words.append(one.get("code", {}).get("text", ""))
        for code in codes(one.get("code"), QUALIFICATION):
            held.setdefault(code, one.get("period", {}))
    role = next((code for code in ("doctor", "nurse") if code in held), None)
    if role is None:
        return None
    title = next((code for code in held if code in policy.nurse_titles), "")
    if not title and role == "nurse":
        named = sorted(policy.title_words, key=len, reverse=True)
        title = next((policy.title_words[name] for name in named if any(name in word for word in words)), "nurse")
    since, until = held[role].get("start"), held[role].get("end")
    return Licence(
        person=str(practitioner["id"]),
        role=role,
        clinical_since=day(since, "Practitioner.qualification.period.start") if since else None,
        valid_to=day(until, "Practitioner.qualification.period.end") if until else None,
        title=title,
        may_infuse="infusion" in held,
        may_order=policy.order_qualification in held,
    )


def is_doctor(store: Store, practitioner: str, policy: InfusionPolicy) -> bool:
    """Whether somebody may override a gate: a doctor in the staff directory."""
    licence = licence_of(store, practitioner, policy) if practitioner else None
    return licence is not None and licence.role in policy.override_roles


def allergies_of(store: Store, files: tuple[str, ...]) -> tuple[Substance, ...] | None:
    """The allergies on file; None where nobody has asked, empty where the file says that there are none."""
    entries = [one for patient in files for one in store.select("AllergyIntolerance", patient=patient) if _counts(one)]
    if not entries:
        return None
    return tuple(to_substance(one) for one in entries if not says_none(one))


def to_substance(allergy: Resource) -> Substance:
    """What an AllergyIntolerance is about: code, all names that it gives, classes."""
    concepts = [allergy.get("code", {}), *(one.get("substance", {}) for one in allergy.get("reaction", ()))]
    codings = [one for concept in concepts for one in concept.get("coding", ())]
    names = [concept.get("text", "") for concept in concepts] + [one.get("display", "") for one in codings]
    classes = frozenset(one["code"] for one in codings if one.get("system") == DRUG_CLASS and "code" in one)
    code = next((one["code"] for one in codings if one.get("system") != DRUG_CLASS and "code" in one), "")
    return Substance(code, " ".join(name for name in names if name), classes)


def says_none(allergy: Resource) -> bool:
    """Whether an entry says that no allergy is known."""
    concept: dict[str, Any] = allergy.get("code", {})
    if any(one.get("code") in _NO_KNOWN_ALLERGY for one in concept.get("coding", ())):
        return True
    return not concept.get("coding") and concept.get("text", "").strip().casefold().startswith(_NONE_IN_WORDS)


def consent_of(store: Store, request: Resource, files: tuple[str, ...]) -> Consent | None:
    """The signed consent to this very course; one that is about another course does not count."""
    id = consent_id(request)
    resource = store.find("Consent", id) if id else None
    if resource is None or not is_consent(resource):
        return None
    signed = to_signed(resource)
    if signed.patient not in files or signed.about not in (None, f"MedicationRequest/{request.get('id')}"):
        return None
    withdrawn = signed.withdrawn.astimezone(store.zone).date() if signed.withdrawn else None
    return Consent(signed.id, signed.signed.astimezone(store.zone).date(), withdrawn, signed.kind, signed.risks_told)


def _care(kind: CareKind, resource: Resource, span: Resource, path: str) -> Care | None:
    if "start" not in span:
        return None
    end = day(span["end"], f"{path}.end") if "end" in span else None
    return Care(kind, str(resource["id"]), day(span["start"], f"{path}.start"), end)


def _counts(allergy: Resource) -> bool:
    verification = [one.get("code") for one in allergy.get("verificationStatus", {}).get("coding", ())]
    clinical = [one.get("code") for one in allergy.get("clinicalStatus", {}).get("coding", ())]
    return not {"refuted", "entered-in-error"} & set(verification) and "resolved" not in clinical


def patient_in_hospital(store: Store, files: tuple[str, ...]) -> bool:
    """Whether the person is in a ward now."""
    return bool(stays_of(store, files))
