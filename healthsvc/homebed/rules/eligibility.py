"""Who may have a bed at home: the doctor's assessment, and the signed agreement."""

from dataclasses import dataclass
from datetime import date

from healthsvc.errors import RuleViolation
from healthsvc.healthfile.rules import Standing
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.refusal import Finding, refuse


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the doctor found before a bed: illness, self-care, home and carer. None means: not looked at."""

    patient: str
    doctor: str
    on: date
    diagnosis: Diagnosis | None
    criteria: frozenset[str]
    """Which of the policy's indications hold."""
    exclusions: frozenset[str] = frozenset()
    """Which of the policy's exclusions hold."""
    stable: bool | None = None
    self_care: int | None = None
    """Total of the national self-care form, 0 to 37; more is worse."""
    home_suitable: bool | None = None
    carer: bool | None = None
    """Whether somebody is at home who can help and call."""
    indication: str = ""
    """收治指征和建床意见: why a bed, in the doctor's words."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a bed is possible, and every reason against it with its stable code."""

    issues: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.issues


def assess(assessment: Assessment, on: date, policy: HomeBedPolicy) -> Eligibility:
    """Say whether a bed is possible, and name everything that speaks against it (not only the first thing)."""
    unknown = sorted((assessment.criteria - set(policy.criteria)) | (assessment.exclusions - set(policy.exclusions)))
    age = (on - assessment.on).days
    found = [
        (bool(unknown), "homebed-unknown-criterion", f"not in the site's list of indications and exclusions: {', '.join(unknown)}"),
        (
            not 0 <= age <= policy.assessment_valid_days,
            "homebed-assessment-too-old",
            f"an assessment counts for {policy.assessment_valid_days} days",
        ),
        (assessment.diagnosis is None, "homebed-no-diagnosis", "a bed needs a clear diagnosis"),
        (not assessment.criteria & set(policy.criteria), "homebed-no-criterion", "none of the indications for a home bed holds"),
        (bool(assessment.exclusions), "homebed-excluded", f"excluded: {', '.join(sorted(assessment.exclusions))}"),
        (assessment.stable is None, "homebed-stability-unknown", "say whether the illness is stable"),
        (assessment.stable is False, "homebed-unstable", "the illness is not stable; this needs a ward"),
        (assessment.self_care is None, "homebed-self-care-unknown", "fill in the self-care form first"),
        (
            assessment.self_care is not None and assessment.self_care < policy.self_care_from,
            "homebed-self-care-independent",
            f"the self-care score is below {policy.self_care_from}: the person can come to the station",
        ),
        (assessment.home_suitable is None, "homebed-home-unknown", "say whether the home is suitable"),
        (assessment.home_suitable is False, "homebed-home-unsuitable", "the home is not suitable for treatment"),
        (assessment.carer is None, "homebed-carer-unknown", "say whether somebody at home can help and call"),
        (assessment.carer is False, "homebed-no-carer", "nobody at home can help and call"),
        (not assessment.indication.strip(), "homebed-no-indication", "write down the indication and opinion (收治指征和建床意见)"),
    ]
    return Eligibility(tuple((code, text) for holds, code, text in found if holds))


def must_fit(eligibility: Eligibility) -> None:
    """Refuse a bed against which something speaks; the refusal lists all of it, its reason is the first.

    Raises:
        RuleViolation: with an issue for each.
    """
    refuse("no home bed", eligibility.issues)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the rules ask of the signed agreement (协议书)."""

    signed: date
    signer: str
    relation: str
    risks_told: bool
    fees_told: bool
    copies: int
    withdrawn: date | None = None


def check_agreement(agreement: Agreement | None, on: date, policy: HomeBedPolicy) -> None:
    """Refuse a bed without a proper agreement: signed by then, in all copies, risks and fees told, a proxy with the relation."""
    if agreement is None:
        raise RuleViolation("a home bed needs the signed agreement", reason="homebed-no-consent")
    found = [
        (agreement.signed > on, "homebed-consent-not-signed-yet", "the agreement is signed after the day of establishment"),
        (agreement.withdrawn is not None and agreement.withdrawn <= on, "homebed-consent-withdrawn", "the agreement has been withdrawn"),
        (not agreement.risks_told, "homebed-risks-not-told", "tell the risks and limits of care at home first"),
        (not agreement.fees_told, "homebed-fees-not-told", "tell the fees first"),
        (agreement.copies < policy.agreement_copies, "homebed-copies", f"the agreement is made in {policy.agreement_copies} copies"),
        (
            agreement.signer != "patient" and not agreement.relation,
            "homebed-proxy-relation",
            "whoever signs for the patient gives the relation",
        ),
    ]
    refuse("no home bed", tuple((code, text) for holds, code, text in found if holds))


def staff_findings(standing: Standing | None, role: str, years: int, on: date) -> tuple[Finding, ...]:
    """What speaks against somebody as the doctor or nurse of a bed: not in the directory, another role, or too short in the role.

    ``years``: least years in clinical work (0: not asked for). Where the directory does not say since when, that is missing evidence.
    """
    if standing is None:
        return ((f"homebed-{role}-unknown", f"the {role} is not in the staff directory, or has left; add the Practitioner first"),)
    if role not in standing.roles:
        return ((f"homebed-not-a-{role}", f"whoever is named as {role} has no registration as {role} in force in the staff directory"),)
    known = standing.years(role, on)
    if years and (known is None or known < years):
        return (
            (f"homebed-{role}-experience", f"the {role} of a home bed needs {years} years in clinical work, on record in the directory"),
        )
    return ()
