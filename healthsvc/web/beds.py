"""家庭病床 apply for a bed, assess, establish, keep its plans and notes, discharge it; what stands against it is shown first."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Invalid, Refusal
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.homebed import applications, assessments, papers, plans, service
from healthsvc.homebed.notes import keep_note, note_id, notes_of
from healthsvc.homebed.rules import bed as rules
from healthsvc.homebed.rules.application import ORIGIN_NAMES, STAGE_NAMES, Stage
from healthsvc.homebed.rules.bed import BED_KIND_NAMES, OPEN, BedKind, Status
from healthsvc.homebed.rules.eligibility import assess as judge
from healthsvc.homebed.rules.note import NOTE_NAMES, REWRITTEN, SECTIONS, NoteKind
from healthsvc.homebed.rules.plan import PlanKind
from healthsvc.homebed.signing import hands_of
from healthsvc.homebed.visits import coming_round, next_round
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Standing, Visit, days_late, standing
from healthsvc.web import beds_form as form
from healthsvc.web.beds_agreement import kept_agreement
from healthsvc.web.beds_words import made_round, spoken, told_of, why
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.handover import handover_of
from healthsvc.web.lookup import Directory, allergies_of, staff_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.sealed import sealed_about

router = APIRouter()
Given = Annotated[Typed, Depends(typed_form)]
NOTHING: Final = Typed({})
HELD: Final = {
    "admitted": "住院",
    "away": "外出",
    "term-ended": "到期",
    "on-hold": "暂停",
    "file-closed": "档案已终止",
    "merged": "已并入另一份档案",
}
WHY: Final = {"first": "首次查床", "worse": "上次发现危险情况", "infusing": "输液期间", "stable": "病情稳定", "usual": "常规间隔"}


@router.get("/beds")
def all_beds(page: SignedPage, store: StoreReading) -> Response:
    """Every open bed with what it waits for, and the applications that wait."""
    names, on = Directory(store), today(store)
    rows = []
    for bed in sorted(service.beds(store, OPEN), key=lambda one: (rules.days_left(one, on), one.id)):
        coming = coming_round(store, bed)
        rows.append(
            (
                bed,
                names.person(bed.patient),
                names.staff(f"Practitioner/{bed.doctor}"),
                rules.days_left(bed, on),
                coming,
                _late(store, coming),
            )
        )
    asked = applications.waiting(store)
    waiting = [(one, names.person(one.patient), names.staff(f"Practitioner/{one.doctor}" if one.doctor else None)) for one in asked]
    notice = service.policy_of(store).reapply_notice_days
    return page.show(
        "beds.html", rows=rows, waiting=waiting, notice=notice, kinds=BED_KIND_NAMES, held=HELD, stages=STAGE_NAMES, origins=ORIGIN_NAMES,
        overdue=sum(row[5] is not None for row in rows),
        ending=sum(row[3] <= notice for row in rows), on_hold=sum(row[0].status is Status.ONHOLD for row in rows),
    )  # fmt: skip


def _late(store: Store, coming: Visit | None) -> int | None:
    """Whole days that the next round is overdue (0: since some hours); None: it is not."""
    if coming is None or standing(coming, store.at) is not Standing.OVERDUE:
        return None
    return days_late(coming.window, today(store), store.zone)


@router.get("/people/{id}/bed")
def of_person(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The person's bed, or the way to one."""
    patient = str(follow(store, id)["id"])
    bed = service.open_bed(store, patient)
    if bed is not None:
        return RedirectResponse(f"/beds/{bed.id}", status_code=303)
    store.audit("read", f"Patient/{patient}", patient=patient, purpose="home bed")
    return _way(page, store, patient, NOTHING, None)


@router.post("/people/{id}/bed/apply")
def apply(id: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Apply for a bed."""
    return _try(page, store, id, typed, lambda patient: applications.apply(store, form.application(typed, patient, store)))


@router.post("/people/{id}/bed/application")
def answer(id: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Submit an application, send it back, or withdraw it."""

    def act(patient: str) -> None:
        if typed["stage"] not in set(Stage):
            raise Invalid("an application goes to one of its stages", path="stage")
        applications.move_on(store, typed["application"], Stage(typed["stage"]), typed["remark"])

    return _try(page, store, id, typed, act)


@router.post("/people/{id}/bed/assess")
def assess(id: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Keep an assessment, whatever it says."""
    policy = service.policy_of(store)
    return _try(page, store, id, typed, lambda patient: service.assess(store, form.assessment(typed, patient, policy, store)))


@router.post("/people/{id}/bed")
def establish(id: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Establish the bed with the signed agreement; the agreement is frozen, the rounds are asked for."""

    def act(patient: str) -> None:
        signed = kept_agreement(store, patient, typed)
        kind = BedKind(typed["bed_kind"]) if typed["bed_kind"] in set(BedKind) else BedKind.TREATMENT
        people = form.who(typed, "doctor"), form.who(typed, "nurse")
        found = assessments.in_force(store, patient)
        if found is None:
            raise Invalid("assess first", path="assessment", reason="homebed-not-assessed")
        previous = next(iter(service.home_bed_history(store, patient)), None)
        service.establish(
            store, patient, found[0], signed, *people, today(store), kind=kind, stable=bool(typed["stable_illness"]),
            previous=previous.id if previous else None,
        )  # fmt: skip

    return _try(page, store, id, typed, act)


@router.get("/beds/{bed}")
def one_bed(bed: str, page: SignedPage, store: StoreReading, visit: str = "") -> Response:
    """One bed: where it stands, who comes when, plans, notes, documents, and what stands against its discharge.

    ``visit``: a round that was made, whose note is to be written.
    """
    return _bed(page, store, bed, NOTHING, None, visit)


@router.post("/beds/{bed}/plans/{kind}")
def plan(bed: str, kind: PlanKind, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Keep a plan."""
    return _change(page, store, bed, typed, lambda: plans.keep_plan(store, form.plan(typed, service.read(store, bed), kind, store)))


@router.post("/beds/{bed}/notes")
def note(bed: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Write a note."""

    def act() -> None:
        known = service.read(store, bed)
        kind = NoteKind(typed["kind"]) if typed["kind"] in set(NoteKind) else NoteKind.ROUND
        keep_note(store, form.note(typed, known, note_id(known.id, kind), store))

    return _change(page, store, bed, typed, act)


@router.post("/beds/{bed}/state")
def state(bed: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Mark the illness stable or not, hold the bed, take it up again."""

    def act() -> None:
        patient = service.read(store, bed).patient
        if typed["to"] in ("stable", "unstable"):
            service.mark_stable(store, bed, typed["to"] == "stable")
        elif typed["to"] == "away":
            service.suspend(store, patient, "away")
        elif typed["to"] == "resume":
            service.resume(store, patient)
        else:
            raise Invalid("a bed is stable, unstable, away or resumed", path="to")

    return _change(page, store, bed, typed, act)


@router.post("/beds/{bed}/discharge")
def discharge(bed: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Discharge the bed; every blocker is listed where there is one."""
    return _change(page, store, bed, typed, lambda: service.discharge(store, bed, form.discharge(typed, store)))


@router.get("/beds/{bed}/papers/{name}.pdf")
def paper(bed: str, name: str, store: StoreReading) -> Response:
    """One document as PDF; the agreement as it was frozen."""
    disposition = f'inline; filename="{name}.pdf"' if name in papers.TITLES else "inline"
    return Response(papers.pdf(store, bed, name), media_type="application/pdf", headers={"content-disposition": disposition})


def _try(page: Page, store: Store, id: str, typed: Typed, act: Any) -> Response:
    patient = str(follow(store, id)["id"])
    try:
        with store.savepoint():
            act(patient)
    except Refusal as refusal:
        return _way(page, store, patient, typed, refusal)
    return RedirectResponse(f"/people/{patient}/bed", status_code=303)


def _change(page: Page, store: Store, bed: str, typed: Typed, act: Any) -> Response:
    try:
        with store.savepoint():
            act()
    except Refusal as refusal:
        return _bed(page, store, bed, typed, refusal)
    return RedirectResponse(f"/beds/{bed}", status_code=303)


def _way(page: Page, store: Store, patient: str, typed: Typed, refusal: Refusal | None) -> Response:
    """The way to a bed: application, assessment, agreement."""
    policy, names = service.policy_of(store), Directory(store)
    found = assessments.in_force(store, patient)
    eligible = judge(found[1], today(store), policy) if found else None
    waiting = applications.waiting_of(store, patient)
    person = to_person(follow(store, patient))
    return page.show(
        "bed_way.html",
        status=refusal.status if refusal else 200,
        patient=patient,
        person=person,
        allergies=allergies_of(store, patient),
        waiting=waiting,
        stages=STAGE_NAMES,
        origins=ORIGIN_NAMES,
        contact=next(iter(person.contacts), None),
        found=found[1] if found else None,
        assessor=names.staff(f"Practitioner/{found[1].doctor}") if found else "",
        against=[(code, why(page, code, text)) for code, text in eligible.issues] if eligible else [],
        policy=policy,
        criteria=[(code, spoken(page, "home-bed-criterion", code)) for code in policy.criteria],
        exclusions=[(code, spoken(page, "home-bed-exclusion", code)) for code in policy.exclusions],
        form=form,
        kinds=BED_KIND_NAMES,
        history=service.home_bed_history(store, patient),
        staff=staff_of(store),
        me=store.actor.id,
        typed=typed,
        refused=told_of(page, refusal),
        can_write=page.who is not None and page.who.may("write-clinical"),
    )


def _bed(page: Page, store: Store, id: str, typed: Typed, refusal: Refusal | None, visit: str = "") -> Response:
    bed, names, on = service.read(store, id), Directory(store), today(store)
    patient = str(follow(store, bed.patient)["id"])
    store.audit("read", f"EpisodeOfCare/{id}", patient=patient, purpose="home bed")
    how = rules.Discharge(on, "better", "improved", bed.diagnosis)
    coming = [one for one in visits.open_visits(store, patient) if f"EpisodeOfCare/{bed.id}" in one.sources]
    infusing = service.infusing(store, patient)
    found = {kind: plans.plan_of(store, bed.id, kind) for kind in PlanKind}
    return page.show(
        "bed.html",
        status=refusal.status if refusal else 200,
        bed=bed,
        patient=patient,
        person=to_person(follow(store, patient)),
        allergies=allergies_of(store, patient),
        doctor=names.staff(f"Practitioner/{bed.doctor}"),
        nurse=names.staff(f"Practitioner/{bed.nurse}"),
        kinds=BED_KIND_NAMES,
        held=HELD,
        days_left=rules.days_left(bed, on),
        open=bed.status in OPEN,
        coming=[(one, standing(one, store.at), names.staff(one.owner)) for one in coming],
        suggested=next_round(store, bed, infusing) if bed.status in OPEN else None,
        why=WHY,
        courses=[one for one in service.infusion_orders(store, patient) if one["status"] in ("active", "on-hold")],
        blockers=[(code, why(page, code, text)) for code, text in service.blockers(store, bed, how)] if bed.status in OPEN else [],
        plans=found,
        notes=[(one, names.staff(f"Practitioner/{one.author}")) for one in reversed(notes_of(store, bed.id, bed.patient))],
        front=next(iter(notes_of(store, bed.id, bed.patient, NoteKind.FRONT)), None),
        drafts={"handover": handover_of(store, bed, patient, page)} if bed.status in OPEN else {},
        made=made_round(store, bed, visit or typed["visit"]),
        note_names=NOTE_NAMES,
        sections=SECTIONS,
        section_names={code: title for rows in SECTIONS.values() for code, title in rows},
        rewritten=REWRITTEN,
        papers=papers.names(store, bed),
        agreement=service.signed_agreement(store, bed),
        hands=hands_of(store, bed.consent or ""),
        sealed=sealed_about(store, f"EpisodeOfCare/{bed.id}"),
        titles=papers.TITLES,
        signature_names=dict(form.SIGNATURES),
        policy=service.policy_of(store),
        code_word=lambda table, code: spoken(page, table, code),
        staff=staff_of(store),
        me=store.actor.id,
        typed=typed,
        refused=told_of(page, refusal),
        can_write=page.who is not None and page.who.may("write-clinical"),
    )
