"""家庭病床 Assess, establish, suspend, take up again, discharge; rounds follow by themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from healthsvc.errors import Invalid, NotFound, RuleViolation
from healthsvc.fhir.consent import SignedConsent, is_consent, to_consent, to_signed
from healthsvc.fhir.elements import codes, extensions, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE
from healthsvc.healthfile.closing import closed_of
from healthsvc.healthfile.inpatient import ADMITTED_STATES, stays_of
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.homebed.plans import plan_of
from healthsvc.homebed.resources import condition_ids, conditions_of, is_bed, to_assessment, to_bed, to_episode, to_impression, with_history
from healthsvc.homebed.rules import bed as rules
from healthsvc.homebed.rules.bed import OPEN, Bed, BedKind, Discharge, Loose, Status
from healthsvc.homebed.rules.eligibility import Assessment, Eligibility
from healthsvc.homebed.rules.eligibility import assess as judge
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.plan import PlanKind, open_items
from healthsvc.homebed.rules.rounds import interval
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id


@dataclass(frozen=True, slots=True)
class Ending:
    """A bed that ends soon or should have ended, with the days that remain."""

    bed: Bed
    days_left: int


def policy_of(store: Store, on: date | None = None) -> HomeBedPolicy:
    """The home bed policy in force on a day."""
    return store.policy.fill(HomeBedPolicy, "homebed", on or today(store))


def assess(store: Store, assessment: Assessment) -> tuple[Resource, Eligibility]:
    """Keep an assessment, whatever it says, and say whether a bed is possible and what speaks against it."""
    patient = str(follow(store, assessment.patient)["id"])
    kept = replace(assessment, patient=patient)
    stored = store.put(to_impression(kept, assessment_id(kept)))
    return stored, judge(kept, today(store), policy_of(store))


def establish(
    store: Store,
    patient: str,
    assessment: Assessment | str,
    consent: SignedConsent | str,
    doctor: str,
    nurse: str,
    on: date,
    *,
    kind: BedKind = BedKind.TREATMENT,
    stable: bool = False,
    previous: str | None = None,
) -> Resource:
    """Establish a bed and give the EpisodeOfCare; its rounds become visits, the first within 24 hours. Twice changes nothing.

    Args:
        store: an open writing transaction.
        patient: Patient id.
        assessment: as found, or the id of the ClinicalImpression that :func:`assess` kept.
        consent: as signed, or the id of the Consent.
        doctor: Practitioner id; nurse the same.
        on: the day of establishment; day one of the limit.
        previous: id of the bed that this one carries on (a new application after the limit).

    Raises:
        RuleViolation: everything that speaks against the bed, each with its code.
        Conflict: the person already has an open bed.
    """
    person = str(follow(store, patient)["id"])
    policy = policy_of(store, on)
    bed_id = derived_id("bed", f"{person}-{on:%Y%m%d}")
    known = store.find("EpisodeOfCare", bed_id)
    if known is not None and is_bed(known) and to_bed(known).status in OPEN:
        return known
    if known is not None:
        raise RuleViolation(
            "a bed that began on this day has already been closed; establish the next one tomorrow", reason="homebed-same-day"
        )
    impression = assessment if isinstance(assessment, str) else str(assess(store, assessment)[0]["id"])
    signed = consent if isinstance(consent, str) else str(store.put(to_consent(consent))["id"])
    found = to_assessment(_read_impression(store, impression))
    bed = Bed(
        id=bed_id,
        patient=person,
        status=Status.ACTIVE,
        kind=kind,
        start=on,
        last_day=rules.last_day(on, policy),
        doctor=doctor,
        nurse=nurse,
        diagnosis=found.diagnosis,
        assessment=impression,
        consent=signed,
        stable=stable,
        round_days=interval(stable, False, policy),
        previous=previous,
    )
    return save(store, bed)


def save(store: Store, bed: Bed) -> Resource:
    """Write a bed with its diagnoses; what must hold and what must follow is decided by the room when it admits it."""
    before = store.find("EpisodeOfCare", bed.id)
    for condition in conditions_of(bed):
        store.put(condition)
    return store.put(with_history(to_episode(bed, before), before, today(store)))


def read(store: Store, bed_id: str) -> Bed:
    """A bed with its diagnoses.

    Raises:
        NotFound: there is none under this id.
    """
    episode = store.find("EpisodeOfCare", bed_id)
    if episode is None or not is_bed(episode):
        raise NotFound("there is no such home bed")
    return with_diagnoses(store, episode)


def with_diagnoses(store: Store, episode: Resource) -> Bed:
    """A bed read from its episode and the Conditions that it names."""
    found = {id: condition for id in condition_ids(episode) if (condition := store.find("Condition", id)) is not None}
    return to_bed(episode, found)


def open_bed(store: Store, patient: str) -> Bed | None:
    """The bed that a person has now (also under a file merged into this one); None where there is none."""
    survivor = str(follow(store, patient)["id"])
    for one in (survivor, *replaced(store, survivor)):
        for episode in store.select("EpisodeOfCare", patient=one, status=[status.value for status in OPEN]):
            if is_bed(episode):
                return with_diagnoses(store, episode)
    return None


def suspend(store: Store, patient: str, reason: str = "admitted") -> Bed | None:
    """Put a person's bed on hold (admission, away): its rounds are called off. None where there is no bed; twice changes nothing."""
    bed = open_bed(store, patient)
    if bed is None or bed.status is Status.ONHOLD:
        return bed
    held = replace(rules.move(bed, Status.ONHOLD), held_for=reason)
    save(store, held)
    return held


def resume(store: Store, patient: str, ended: str | None = None) -> Bed | None:
    """Take a bed up again: a review within two days, then rounds.

    Past its last day, while the person is in a ward or their file is closed, it stays on hold.

    ``ended``: id of the hospital stay that is just ending.
    """
    bed = open_bed(store, patient)
    if bed is None or bed.status is not Status.ONHOLD or rules.days_left(bed, today(store)) <= 0 or closed_of(follow(store, patient)):
        return bed
    if in_ward(store, patient, ended):
        return bed
    active = replace(rules.move(bed, Status.ACTIVE), held_for=None)
    save(store, active)
    return active


def mark_stable(store: Store, bed_id: str, stable: bool) -> Resource:
    """The doctor says whether the illness is stable; the rounds that follow come less or more often."""
    bed = read(store, bed_id)
    policy = policy_of(store)
    return save(store, replace(bed, stable=stable, round_days=interval(stable, infusing(store, bed.patient), policy)))


def discharge(store: Store, bed_id: str, how: Discharge) -> Resource:
    """Close a bed with reason, outcome and diagnosis.

    Raises:
        RuleViolation: something still stands against it; every blocker is listed.
    """
    bed = read(store, bed_id)
    rules.must_be_free(blockers(store, bed, how))
    return save(store, replace(rules.move(bed, Status.FINISHED), held_for=None, discharge=how))


def blockers(store: Store, bed: Bed, how: Discharge) -> tuple[tuple[str, str], ...]:
    """What stands against a discharge, as codes and words; nothing is written."""
    return rules.blockers(bed, loose_ends(store, bed, how.on), how, policy_of(store, max(how.on, bed.start)))


def loose_ends(store: Store, bed: Bed, on: date) -> Loose:
    """Open infusion courses, open orders, hospital orders without an answer, and drug returns that nobody has confirmed."""
    patient = bed.patient
    courses = [one for one in infusion_orders(store, patient) if one["status"] in ("active", "on-hold", "draft")]
    asked = store.select("MedicationRequest", patient=patient, status="draft", intent="proposal")
    named = [
        one
        for kind, key in (("MedicationRequest", "supportingInformation"), ("ServiceRequest", "supportingInfo"))
        for one in store.select(kind, patient=patient, status=["active", "on-hold", "draft"])
        if {"reference": f"EpisodeOfCare/{bed.id}"} in one.get(key, ())
    ]
    planned = open_items(plan_of(store, bed.id, PlanKind.TREATMENT), on)
    returns = [one for one in store.select("SupplyDelivery", patient=patient, status="in-progress") if extensions(one, "drug-return")]
    return Loose(len(courses), planned + len(named), len(asked), len(returns))


def infusing(store: Store, patient: str) -> bool:
    """Whether an infusion course is open."""
    return any(one["status"] == "active" for one in infusion_orders(store, patient))


def infusion_orders(store: Store, patient: str) -> list[Resource]:
    """The person's orders for infusion at home, in any state."""
    found = (one for one in store.select("MedicationRequest", patient=patient) if one.get("intent") != "proposal")
    return [one for one in found if "home-infusion" in codes(one.get("category", []), HOME_CARE)]


def ending(store: Store, on: date) -> list[Ending]:
    """Beds that end within the days of notice, or should have ended, soonest first."""
    notice = policy_of(store, on).reapply_notice_days
    found = [Ending(bed, rules.days_left(bed, on)) for bed in beds(store, OPEN)]
    return sorted((one for one in found if one.days_left <= notice), key=lambda one: (one.days_left, one.bed.id))


def stop_expired(store: Store, on: date) -> list[str]:
    """The hard stop: beds past their last day are put on hold (no round, no infusion) until they are discharged. A timer calls it daily."""
    stopped = []
    for bed in beds(store, {Status.ACTIVE}):
        if rules.days_left(bed, on) <= 0:
            save(store, replace(rules.move(bed, Status.ONHOLD), held_for="term-ended"))
            stopped.append(bed.id)
    return stopped


def beds(store: Store, statuses: Iterable[Status]) -> list[Bed]:
    """All beds in these states."""
    return [
        with_diagnoses(store, one) for one in store.select("EpisodeOfCare", status=[status.value for status in statuses]) if is_bed(one)
    ]


def home_bed_history(store: Store, patient: str) -> list[Bed]:
    """The person's beds for the health check form (家庭病床史: 建床日期, 撤床日期, 原因, 医疗机构), latest first."""
    survivor = str(follow(store, patient)["id"])
    found = [
        with_diagnoses(store, episode)
        for one in (survivor, *replaced(store, survivor))
        for episode in store.select("EpisodeOfCare", patient=one)
        if is_bed(episode)
    ]
    return sorted((bed for bed in found if bed.status is not Status.ENTERED_IN_ERROR), key=lambda bed: bed.start, reverse=True)


def signed_agreement(store: Store, bed: Bed) -> SignedConsent | None:
    """The agreement that a bed rests on."""
    consent = store.find("Consent", bed.consent) if bed.consent else None
    return to_signed(consent) if consent is not None and is_consent(consent, "home-bed") else None


def assessment_id(assessment: Assessment) -> str:
    """Id of the ClinicalImpression that keeps an assessment: one a person and day."""
    return derived_id("bed-assessment", f"{assessment.patient}-{assessment.on:%Y%m%d}")


def in_ward(store: Store, patient: str, ended: str | None = None) -> bool:
    """Whether the person is in a ward now (``ended``: a stay that is just ending does not count)."""
    survivor = str(follow(store, patient)["id"])
    return any(one["id"] != ended for one in stays_of(store, (survivor, *replaced(store, survivor)), *ADMITTED_STATES))


def established_at(store: Store, bed: Bed) -> datetime:
    """The moment from which the first 24 hours count: now where the bed begins today, else the opening hour of its first day."""
    if bed.start == today(store):
        return store.at.astimezone(store.zone)
    return datetime.combine(bed.start, time.fromisoformat(policy_of(store, bed.start).round_opens), store.zone)


def must_be_served(store: Store, patient: str) -> None:
    """Refuse a bed for somebody who has died, has no file, or whose file is closed."""
    file = store.find("Patient", patient)
    if file is None:
        raise Invalid("EpisodeOfCare.patient names a person who has no health file here", path="EpisodeOfCare.patient")
    if is_deceased(file):
        raise RuleViolation("the file says that the person has died", reason="homebed-deceased", path="EpisodeOfCare.patient")
    if closed_of(file):
        raise RuleViolation("the file is closed; open it again first", reason="homebed-file-closed", path="EpisodeOfCare.patient")


def _read_impression(store: Store, id: str) -> Resource:
    impression = store.find("ClinicalImpression", id)
    if impression is None or reference_id(impression.get("subject"), "Patient") is None:
        raise Invalid("the assessment that the bed rests on is not on file; assess first", path="EpisodeOfCare.extension")
    return impression
