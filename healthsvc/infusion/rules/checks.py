"""What each gate looks at, one function a gate: the order, the evidence, the policy and the site's drug list in, a finding out."""

from datetime import timedelta
from enum import StrEnum

from healthsvc.infusion.rules.course import bound_minutes
from healthsvc.infusion.rules.drugs import DrugList, Verdict
from healthsvc.infusion.rules.order import Evidence, Licence, Order
from healthsvc.infusion.rules.parameters import InfusionPolicy


class Outcome(StrEnum):
    """What came of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    OVERRIDDEN = "overridden"


Finding = tuple[Outcome, str, tuple[str, ...]]
"""The outcome, why in words, and what was looked at."""


def _passed(text: str, *looked_at: str) -> Finding:
    return Outcome.PASSED, text, looked_at


def _failed(text: str, *looked_at: str) -> Finding:
    return Outcome.FAILED, text, looked_at


def _missing(text: str) -> Finding:
    return Outcome.MISSING, text, ()


def care(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """An active home bed or contract covers the day."""
    if not evidence.care:
        return _missing("no home bed and no signed contract is on file")
    for care in evidence.care:
        if care.start <= evidence.on and (care.end is None or evidence.on <= care.end):
            return _passed("an active home bed or contract covers the day", f"{care.kind}/{care.id}")
    return _failed("the home bed or contract on file does not cover the day", *(f"{care.kind}/{care.id}" for care in evidence.care))


def order(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """A doctor whom the centre allows to order infusions has ordered it, and the order covers the day."""
    doctor = evidence.prescriber
    if order.prescriber is None or order.authored is None:
        return _missing("the order names no doctor or no day on which it was given")
    if doctor is None or doctor.person != order.prescriber:
        return _missing("nothing is known of the doctor who gave the order")
    named = f"Practitioner/{doctor.person}"
    if doctor.role != "doctor" or not doctor.may_order or not _registered(doctor, evidence):
        return _failed("the order is not from a doctor whom the centre allows to order infusions at home", named)
    if order.authored > evidence.at.date():
        return _failed("the order is dated in the future", named, order.authored.isoformat())
    last = order.authored + timedelta(days=policy.order_valid_days)
    if not order.authored <= order.start <= last:
        return _failed(
            f"an order is carried out within {policy.order_valid_days} days after it was given", named, order.authored.isoformat()
        )
    if not order.start <= evidence.on < order.start + timedelta(days=order.days):
        return _failed("the order does not cover this day", named, order.start.isoformat())
    return _passed("an authorised doctor's order covers the day", named, order.authored.isoformat())


def forbidden(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """The site's list knows the drug and does not forbid it."""
    drug = drugs.find(order.drug_code, order.drug_name)
    listed = f"drug list {drugs.version}"
    if drug is None:
        return _missing(f"the drug is not on the site's {listed}; have the list's approver decide on it")
    if drugs.verdict(drug) is Verdict.FORBIDDEN:
        return _failed("the drug must not be infused at home", listed, drug.code)
    return _passed("the drug is not forbidden at home", listed, drug.code)


def restricted(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """A restricted drug has a named doctor's written approval."""
    drug, approval = drugs.find(order.drug_code, order.drug_name), evidence.approval
    if drug is None:
        return _missing("the drug is not on the site's list, so nobody knows whether it is restricted")
    if drugs.verdict(drug) is Verdict.ALLOWED:
        return _passed("the drug needs no approval", f"drug list {drugs.version}")
    if approval is None:
        return _missing("a restricted drug needs a named doctor's written approval")
    if not approval.doctor or not approval.text.strip() or approval.at > evidence.at:
        return _failed("the approval has no name, no text, or lies in the future")
    return _passed("a named doctor has approved it in writing", f"Practitioner/{approval.doctor}", approval.at.isoformat())


def first_dose(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """The first dose was given in a medical institution, without a reaction."""
    proof = evidence.first_dose
    if proof is None:
        return _missing("no proof of a first dose in a medical institution")
    seen = (proof.on.isoformat(), proof.institution)
    if proof.reaction:
        return _failed("the first dose was followed by a reaction", *seen)
    if not proof.institution or proof.drug_code != order.drug_code:
        return _failed("the proof is for another drug or names no institution", *seen)
    if not evidence.on - timedelta(days=policy.first_dose_valid_days) <= proof.on <= evidence.on:
        return _failed(f"the first dose must lie within the last {policy.first_dose_valid_days} days", *seen)
    return _passed("a first dose without reaction is proven", *seen)


def skin_test(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """Where the drug needs a skin test: negative, same batch, still valid."""
    drug, test = drugs.find(order.drug_code, order.drug_name), evidence.skin_test
    if drug is None:
        return _missing("the drug is not on the site's list, so nobody knows whether it needs a skin test")
    if test is not None and test.drug_code == order.drug_code and not test.negative:
        return _failed("the skin test was positive", test.at.isoformat())
    if not drug.skin_test:
        return _passed("the drug needs no skin test", f"drug list {drugs.version}")
    if test is None or order.batch is None:
        return _missing("a skin test of this drug and the batch number of the packages are needed")
    seen = (test.at.isoformat(), f"batch {test.batch}")
    if test.drug_code != order.drug_code or test.batch != order.batch:
        return _failed("the skin test was done with another drug or batch", *seen)
    since = max(test.at, test.carried_to or test.at)
    if not timedelta(0) <= evidence.at - since <= timedelta(hours=policy.skin_test_valid_hours):
        return _failed(f"a skin test holds for {policy.skin_test_valid_hours} hours", *seen)
    return _passed("the skin test was negative, with the same batch, and still holds", *seen)


def allergy(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """No allergy on file speaks against the drug, by name, class or cross-reaction."""
    drug = drugs.find(order.drug_code, order.drug_name)
    if evidence.allergies is None:
        return _missing("the file does not say whether there are allergies; ask, and write down also that there are none")
    if drug is None:
        return _missing("the drug is not on the site's list, so its class cannot be compared with the allergies")
    for allergy in evidence.allergies:
        if match := drugs.allergy_matches(drug, allergy):
            return _failed("an allergy on file speaks against the drug", match, f"drug list {drugs.version}")
    return _passed("no allergy on file speaks against the drug", f"{len(evidence.allergies)} on file", f"drug list {drugs.version}")


def consent(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """The consent to infusion at home is signed after the risks were told, and not withdrawn."""
    consent = evidence.consent
    if consent is None:
        return _missing("no signed consent to this course is on file")
    seen = f"Consent/{consent.id}"
    if consent.kind not in policy.consent_kinds or consent.signed > evidence.on:
        return _failed("the consent is not one to infusion at home, or is not signed yet", seen)
    if consent.withdrawn is not None and consent.withdrawn <= evidence.on:
        return _failed("the consent has been withdrawn", seen)
    if not consent.risks_told:
        return _failed("the consent does not say that the risks of an infusion at home were told", seen)
    return _passed("the consent is signed and not withdrawn", seen)


def companion(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """A named adult stays, confirmed for the day."""
    companion = evidence.companion
    if companion is None:
        return _missing("nobody has confirmed that an adult stays with the person")
    if not companion.adult or not companion.name_known or not companion.confirmed_by or companion.on != evidence.on:
        return _failed("the companion must be a named adult, confirmed for this day", companion.on.isoformat())
    return _passed("an adult companion is confirmed for this day", companion.on.isoformat())


def double_check(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """Two different people have checked."""
    check = evidence.double_check
    if check is None:
        return _missing("two people have not yet checked order, drug and person")
    seen = (f"Practitioner/{check.first}", f"Practitioner/{check.second}", check.at.isoformat())
    if not check.first or not check.second or check.first == check.second:
        return _failed("the check needs two different people", *seen)
    if policy.double_check_signed and not check.signed:
        return _failed("each of the two signs the check from an account of their own", *seen)
    if not timedelta(0) <= evidence.at - check.at <= timedelta(minutes=policy.double_check_valid_minutes):
        return _failed(f"the check holds for {policy.double_check_valid_minutes} minutes", *seen)
    return _passed("two different people have checked", *seen)


def nurse_and_kit(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """The nurse is qualified, and the rescue kit was checked today."""
    nurse, kit = evidence.nurse, evidence.kit
    if nurse is None or nurse.clinical_since is None:
        return _missing("nothing is known of the nurse's qualification")
    if kit is None:
        return _missing("the rescue kit has not been checked")
    if kit.expires is None:
        return _missing("nobody has read the expiry dates in the rescue kit; write down the earliest")
    seen = (f"Practitioner/{nurse.person}", f"kit {kit.on.isoformat()}", f"expires {kit.expires.isoformat()}")
    experienced = (evidence.on - nurse.clinical_since).days >= policy.nurse_years * 365.25
    if (
        nurse.role != "nurse"
        or not nurse.may_infuse
        or not _registered(nurse, evidence)
        or nurse.title not in policy.nurse_titles
        or not experienced
    ):
        return _failed(
            f"the nurse needs a valid registration, {policy.nurse_years} years in clinical nursing, a title and the licence to infuse",
            *seen,
        )
    if kit.on != evidence.on or not kit.checked_by or set(policy.kit_items) - kit.items:
        return _failed(f"the rescue kit must be complete and checked today: {', '.join(policy.kit_items)}", *seen)
    if kit.expires < evidence.on:
        return _failed("something in the rescue kit has expired; take another kit", *seen)
    return _passed("the nurse is qualified and the rescue kit was checked today", *seen)


def slot(order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> Finding:
    """The visit is long enough."""
    if evidence.slot is None:
        return _missing("no time has been set aside for the visit")
    needed = bound_minutes(order, policy)
    seen = f"{evidence.slot.minutes} of {needed} min"
    if evidence.slot.minutes < needed:
        return _failed("the visit is too short for preparing, the drip and the observation after it", seen)
    return _passed("the visit is long enough for the drip and the observation after it", seen)


def _registered(licence: Licence, evidence: Evidence) -> bool:
    return licence.valid_to is None or evidence.on <= licence.valid_to
