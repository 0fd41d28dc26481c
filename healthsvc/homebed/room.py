"""What every write of a home bed must pass, through whatever door; and what an admission, a death and an infusion course do to it."""

from dataclasses import replace
from typing import Final

from healthsvc.consent.service import require_care
from healthsvc.errors import Conflict, Forbidden, RuleViolation
from healthsvc.fhir.elements import codes, day, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE
from healthsvc.healthfile.closing import closed_of
from healthsvc.healthfile.inpatient import is_admitted
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import today
from healthsvc.healthfile.staff import standing
from healthsvc.homebed import service, visits
from healthsvc.homebed.applications import admit_application, register
from healthsvc.homebed.notes import admit_note
from healthsvc.homebed.papers import freeze_agreement
from healthsvc.homebed.plans import admit_plan, close_plans
from healthsvc.homebed.resources import is_bed, to_agreement, to_assessment
from healthsvc.homebed.rules import bed as rules
from healthsvc.homebed.rules.bed import OPEN, Bed, Discharge, Status
from healthsvc.homebed.rules.eligibility import assess, check_agreement, must_fit, staff_findings
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.refusal import refuse
from healthsvc.homebed.signing import admit_hands
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a write, and let follow what must follow in the same transaction."""
    kind = (new or old or {}).get("resourceType")
    if kind == "EpisodeOfCare":
        _admit_bed(old, new, store)
    elif kind == "Encounter":
        _follow_hospital(old, new, store)
    elif kind == "Patient":
        _follow_end(old, new, store)
    elif kind == "Task":
        admit_application(old, new, store)
    elif kind == "CarePlan":
        admit_plan(old, new, store)
    elif kind == "Composition":
        admit_note(old, new, store)
    elif kind == "Provenance":
        admit_hands(old, new)
    elif kind == "MedicationRequest":
        _follow_course(old, new, store)


def _admit_bed(old: Resource | None, new: Resource | None, store: Store) -> None:
    before = service.with_diagnoses(store, old) if old is not None and is_bed(old) else None
    if new is None or not is_bed(new):
        if before is not None:
            raise RuleViolation("a home bed is discharged or entered in error, not deleted", reason="homebed-keep", path="EpisodeOfCare")
        return
    after = service.with_diagnoses(store, new)
    if store.is_undoing:
        _hold_again(before, after, store)
        return
    rules.check_step(before.status if before else None, after.status)
    policy = service.policy_of(store, after.start)
    if after.last_day > rules.last_day(after.start, policy):
        raise RuleViolation(
            f"a home bed lasts {policy.max_days} days at most; to go on, discharge, settle and apply again",
            reason="homebed-too-long",
            path="EpisodeOfCare.extension",
        )
    end = new.get("period", {}).get("end")
    if after.status in OPEN and end is not None and day(end, "EpisodeOfCare.period.end") > after.last_day:
        raise RuleViolation(
            "the period of an open home bed ends with its last day (extension home-bed-last-day)",
            reason="homebed-too-long",
            path="EpisodeOfCare.period.end",
        )
    if before is None:
        _check_new(after, store)
    else:
        _check_change(before, after, store)
    _settle(before, after, store)


def _check_new(bed: Bed, store: Store) -> None:
    roles = set(service.policy_of(store, bed.start).establish_roles)
    if not roles & store.actor.roles:
        raise Forbidden("a bed is established from a doctor's account", reason="homebed-establish-role")
    service.must_be_served(store, bed.patient)
    require_care(store, bed.patient)
    if service.in_ward(store, bed.patient):
        raise RuleViolation("the person is in hospital", reason="homebed-in-hospital", path="EpisodeOfCare.patient")
    impression = store.find("ClinicalImpression", bed.assessment) if bed.assessment else None
    if impression is None:
        raise RuleViolation("a home bed needs the doctor's assessment on file; assess first", reason="homebed-not-assessed")
    assessment = to_assessment(impression)
    agreement = service.signed_agreement(store, bed)
    if assessment.patient != bed.patient or (agreement is not None and agreement.patient != bed.patient):
        raise RuleViolation(
            "assessment and agreement must be the person's own", reason="homebed-other-person", path="EpisodeOfCare.patient"
        )
    policy = service.policy_of(store, bed.start)
    _check_staff(bed, assessment.doctor, policy, store)
    must_fit(assess(assessment, bed.start, policy))
    check_agreement(to_agreement(agreement, store.zone) if agreement else None, bed.start, policy)


def _check_staff(bed: Bed, assessor: str, policy: HomeBedPolicy, store: Store) -> None:
    """The bed's doctor, its nurse and whoever assessed are what they are said to be, in the staff directory."""
    wanted = ((bed.doctor, "doctor", policy.doctor_years), (bed.nurse, "nurse", 0), (assessor, "doctor", 0))
    found = tuple(
        finding for who, role, years in wanted for finding in staff_findings(standing(store, who, bed.start), role, years, bed.start)
    )
    refuse("no home bed", tuple(dict.fromkeys(found)))


def _check_change(before: Bed, after: Bed, store: Store) -> None:
    if after.status in OPEN and (before.doctor, before.nurse) != (after.doctor, after.nurse):
        _check_staff(replace(after, start=today(store)), after.doctor, service.policy_of(store), store)
    if (before.patient, before.start) != (after.patient, after.start):
        raise RuleViolation("a home bed keeps its person and its first day", reason="homebed-keep", path="EpisodeOfCare")
    if after.status is Status.ACTIVE and before.status is Status.ONHOLD and rules.days_left(after, today(store)) <= 0:
        raise RuleViolation(
            "the last day of the bed has passed; discharge it and apply again", reason="homebed-too-long", path="EpisodeOfCare.status"
        )
    if after.status is Status.ACTIVE and before.status is Status.ONHOLD:
        service.must_be_served(store, after.patient)
    if after.status is Status.FINISHED and before.status in OPEN:
        how = after.discharge
        if how is None:
            raise RuleViolation("a discharge needs its reason and outcome", reason="homebed-no-discharge", path="EpisodeOfCare.extension")
        rules.must_be_free(service.blockers(store, before, how))


def _settle(before: Bed | None, after: Bed, store: Store) -> None:
    """One open bed a person; rounds follow the bed."""
    was_open, is_open = before is not None and before.status in OPEN, after.status in OPEN
    key = f"homebed:{after.patient}"
    if is_open and not was_open:
        _claim(key, after.id, store)
    if was_open and not is_open:
        store.release(key, after.id)
        visits.call_off(store, after, "bed-closed")
        close_plans(store, after.id)
    infusing = service.infusing(store, after.patient)
    if before is None and is_open:
        visits.lay_rounds(store, after, infusing)
        register(store, after.patient, after.id)
        freeze_agreement(store, after)
    elif before is not None and before.status is Status.ACTIVE and after.status is Status.ONHOLD:
        visits.call_off(store, after, after.held_for or "on-hold")
    elif before is not None and before.status is Status.ONHOLD and after.status is Status.ACTIVE:
        reviewed = visits.ask_review(store, after)
        visits.replan_rounds(store, after, infusing, after=reviewed)
    elif before is not None and after.status is Status.ACTIVE and before.stable != after.stable:
        visits.replan_rounds(store, after, infusing)


def _hold_again(before: Bed | None, after: Bed, store: Store) -> None:
    """A bed that was closed by mistake stands as it stood; its rounds are put back by themselves."""
    if after.status in OPEN:
        _claim(f"homebed:{after.patient}", after.id, store)
    elif before is not None and before.status in OPEN:
        store.release(f"homebed:{before.patient}", after.id)


def _claim(key: str, bed: str, store: Store) -> None:
    try:
        store.claim(key, bed)
    except Conflict:
        raise Conflict(
            "the person already has an open home bed; discharge that one first", reason="homebed-second-open", path="EpisodeOfCare.patient"
        ) from None


def _follow_hospital(old: Resource | None, new: Resource | None, store: Store) -> None:
    """An admission puts the bed on hold; the end of the stay (or a cancelled admission) takes it up again with a review."""
    before, after = is_admitted(old, store), is_admitted(new, store)
    patient = reference_id((new or old or {}).get("subject"), "Patient")
    if patient is None or before == after or store.find("Patient", patient) is None:
        return
    if after:
        service.suspend(store, patient)
    elif (bed := service.open_bed(store, patient)) is not None and bed.held_for == "admitted":
        service.resume(store, patient, ended=str((new or old or {}).get("id")))


def _follow_end(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A death ends the bed; a file that is closed otherwise holds it: how it ended is for a doctor to say."""
    if old is None or new is None or is_deceased(old):
        return
    if not is_deceased(new):
        if closed_of(new) and not closed_of(old) and (bed := service.open_bed(store, new["id"])) is not None:
            service.save(store, replace(bed, status=Status.ONHOLD, held_for="file-closed"))
        return
    bed = service.open_bed(store, new["id"])
    if bed is not None:
        how = Discharge(max(today(store), bed.start), "death", "death")
        service.save(store, replace(rules.move(bed, Status.FINISHED), held_for=None, discharge=how))


def _follow_course(old: Resource | None, new: Resource | None, store: Store) -> None:
    """While an infusion course is open the doctor comes more often."""
    one = new or old or {}
    if one.get("intent") == "proposal" or "home-infusion" not in codes(one.get("category", []), HOME_CARE):
        return
    before = (old or {}).get("status") == "active"
    after = (new or {}).get("status") == "active"
    patient = reference_id(one.get("subject"), "Patient")
    if before == after or patient is None:
        return
    bed = service.open_bed(store, patient)
    if bed is not None and bed.status is Status.ACTIVE:
        visits.replan_rounds(store, bed, after)


ROOM: Final = Room(
    "homebed",
    frozenset({"EpisodeOfCare", "Encounter", "Patient", "MedicationRequest", "Task", "CarePlan", "Composition", "Provenance"}),
    admit,
)
