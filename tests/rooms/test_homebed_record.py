"""The record of a bed: application, plans, notes, documents, the frozen agreement, what blocks a discharge, the next round."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_homebed_room import AT, DOCTOR, ON, STROKE, WELL, established, prepared, rounds_of, stay

from healthsvc.documents import frozen_of, verify
from healthsvc.errors import Conflict, RuleViolation
from healthsvc.homebed import service
from healthsvc.homebed.applications import apply, move_on, of_bed, to_application, to_task, waiting, waiting_of
from healthsvc.homebed.notes import keep_note, note_id, notes_of, to_composition, to_note
from healthsvc.homebed.papers import AGREEMENT, TITLES, papers, pdf
from healthsvc.homebed.plans import keep_plan, plan_of, to_care_plan, to_plan
from healthsvc.homebed.rules.application import Application, Origin, Stage
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.note import SECTIONS, Note, NoteKind
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.plan import Goal, Item, Plan, PlanKind
from healthsvc.homebed.rules.rounds import suggest
from healthsvc.homebed.visits import next_round
from healthsvc.policy import load
from healthsvc.store import Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure

POLICY = load(Path("absent")).fill(HomeBedPolicy, "homebed", ON)


def asked(patient: str, **change: Any) -> Application:
    usual = Application(
        "", patient, ON, "测试丙", "女儿", "0574-00005678", Origin.INPATIENT, STROKE, "左侧偏瘫,长期卧床", "需定期换药", "dr-1"
    )
    return replace(usual, **change)


def note(store: Store, bed: str, patient: str, kind: NoteKind, author: str, *, hours_ago: float = 1, **sections: str) -> Note:
    end = store.at - timedelta(hours=hours_ago)
    parts = tuple((code.replace("_", "-"), text) for code, text in sections.items())
    return Note(note_id(bed, kind), bed, patient, kind, author, store.at, end - timedelta(minutes=30), end, parts)


def test_an_application_goes_its_way_and_ends_in_a_bed(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, found, signed = prepared(store)
        task = apply(store, asked(patient))
        assert apply(store, asked(patient))["meta"]["versionId"] == "1"
        with pytest.raises(Conflict), store.savepoint():
            apply(store, asked(patient, on=ON + timedelta(days=1)))
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            move_on(store, task["id"], Stage.RETURNED)
        assert refused.value.reason == "homebed-application-remark"
        assert move_on(store, task["id"], Stage.RETURNED, "缺病史")["status"] == "rejected"
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(store.read("Task", task["id"]) | {"status": "completed"})
        move_on(store, task["id"], Stage.SUBMITTED)
        assert [one.id for one in waiting(store)] == [task["id"]]
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(store.read("Task", task["id"]) | {"status": "completed"})
        assert refused.value.reason == "homebed-application-bed"
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.delete("Task", task["id"])
        assert refused.value.reason == "homebed-application-keep"
        bed = service.read(store, str(service.establish(store, patient, found, signed, "dr-1", "nu-1", ON)["id"]))
        assert waiting_of(store, patient) is None
        registered = of_bed(store, bed)
        assert registered is not None
        assert (registered.stage, registered.bed) == (Stage.REGISTERED, bed.id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"contact": ""}, "homebed-application-contact"),
        ({"phone": " "}, "homebed-application-phone"),
        ({"summary": ""}, "homebed-application-summary"),
        ({"diagnosis": None}, "homebed-application-diagnosis"),
    ],
)
def test_an_application_that_lacks_something_is_a_draft_at_most(database: Database, change: dict[str, Any], reason: str) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = prepared(store)[0]
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            apply(store, asked(patient, **change))
        assert refused.value.reason == reason
        draft = apply(store, asked(patient, **change, stage=Stage.DRAFT))
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(draft | {"status": "requested"})


def test_plans_are_kept_by_their_own_and_closed_with_the_bed(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed = established(store)
        item = Item("换药", ON, "", "每日一次", "外用", ON + timedelta(days=30))
        treatment = Plan(bed, patient, PlanKind.TREATMENT, "dr-1", ON, (item, Item("氨氯地平片", ON, "5 mg", "每日一次", "口服")))
        nursing = Plan(bed, patient, PlanKind.NURSING, "nu-1", ON, (), (Goal("皮肤完整性受损", "两周内创面缩小", "每两小时翻身"),))
        for plan in (treatment, nursing):
            keep_plan(store, plan)
            assert plan_of(store, bed, plan.kind) == plan
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                keep_plan(store, replace(plan, author="nu-1" if plan.kind is PlanKind.TREATMENT else "dr-1"))
            assert refused.value.reason == "homebed-plan-author"
        found = service.blockers(store, service.read(store, bed), WELL)
        assert [code for code, _ in found] == ["homebed-open-orders"]
        stopped = replace(treatment, items=(item, replace(treatment.items[1], stopped=True)))
        keep_plan(store, stopped)
    with database.writing(DOCTOR, at=AT + timedelta(days=31)) as store:
        service.discharge(store, bed, WELL)
        assert store.select("CarePlan", patient=patient, status="active") == []
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            keep_plan(store, treatment)
        assert refused.value.reason == "homebed-plan-closed"


def test_an_order_that_names_the_bed_blocks_its_discharge(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed = established(store)
        request = {"resourceType": "ServiceRequest", "id": "dressing", "status": "active", "intent": "order", "code": {"text": "换药"}}
        request |= {"subject": {"reference": f"Patient/{patient}"}, "supportingInfo": [{"reference": f"EpisodeOfCare/{bed}"}]}
        store.put(request)
        assert [code for code, _ in service.blockers(store, service.read(store, bed), WELL)] == ["homebed-open-orders"]
        store.put(request | {"status": "completed"})
        assert service.blockers(store, service.read(store, bed), WELL) == ()


def test_notes_are_kept_corrected_and_marked_when_late(database: Database) -> None:
    with database.writing(DOCTOR, at=AT + timedelta(days=1)) as store:
        patient, bed = established(store)
        first = note(store, bed, patient, NoteKind.ROUND, "dr-1", complaint="无发热", talk="家属了解病情\n同意方案")
        stored = keep_note(store, first)
        assert notes_of(store, bed, patient) == [first]
        corrected = replace(first, sections=(("complaint", "低热"),))
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            keep_note(store, corrected)
        assert refused.value.reason == "homebed-note-keep"
        keep_note(store, replace(corrected, amended=True))
        assert len(store.history("Composition", stored["id"])) == 2
        with pytest.raises(RuleViolation), store.savepoint():
            store.delete("Composition", stored["id"])
        late = note(store, bed, patient, NoteKind.NURSING, "nu-1", hours_ago=8, measures="翻身")
        kept = keep_note(store, late)
        assert kept["event"][0]["code"][0]["text" if "text" in kept["event"][0]["code"][0] else "coding"]
        unmarked = to_composition(note(store, bed, patient, NoteKind.NURSING, "nu-1", hours_ago=9, measures="翻身"))
        for wrong, reason in (
            (unmarked, "homebed-note-late"),
            (to_composition(note(store, bed, patient, NoteKind.ROUND, "dr-1", hours_ago=-2, exam="x")), "homebed-note-future"),
            (to_composition(replace(first, id="n2", author="nobody")), "homebed-note-author"),
            (to_composition(replace(first, id="n3", bed="other")), "homebed-note-bed"),
            (to_composition(replace(first, id="n4", sections=())) | {"section": []}, "homebed-note-empty"),
        ):
            body = {key: value for key, value in wrong.items() if value != []}
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(body)
            assert refused.value.reason == reason
        front = note(store, bed, patient, NoteKind.FRONT, "dr-1", psychological="焦虑", quality="甲")
        keep_note(store, front)
        keep_note(store, replace(front, sections=(*front.sections, ("social", "独居"))))
        assert len(notes_of(store, bed, patient, NoteKind.FRONT)) == 1


def test_the_record_has_every_document_and_each_can_be_printed(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, found, signed = prepared(store)
        apply(store, asked(patient))
        bed = str(service.establish(store, patient, found, signed, "dr-1", "nu-1", ON)["id"])
        first = rounds_of(store, patient)[0]
    with database.writing(DOCTOR, at=AT + timedelta(hours=20)) as store:
        made = Findings(store.at - timedelta(hours=1), store.at - timedelta(minutes=30), bp_left=Pressure(150, 85), advice="继续用药")
        visits.complete(store, first.id, made, "Practitioner/dr-1")
        keep_note(store, replace(note(store, bed, patient, NoteKind.ROUND, "dr-1", exam="心肺无异常"), visit=first.id))
        keep_note(store, note(store, bed, patient, NoteKind.NURSING, "nu-1", measures="换药"))
        keep_note(store, note(store, bed, patient, NoteKind.HANDOVER, "nu-1", watch="体温"))
        keep_note(store, note(store, bed, patient, NoteKind.FRONT, "dr-1", psychological="焦虑", quality="甲"))
        keep_plan(store, Plan(bed, patient, PlanKind.TREATMENT, "dr-1", ON, (Item("换药", ON, "", "每日一次", "外用", ON),)))
        keep_plan(store, Plan(bed, patient, PlanKind.NURSING, "nu-1", ON, (), (Goal("压疮", "缩小", "翻身", "好转", ON),)))
    with database.writing(DOCTOR, at=AT + timedelta(days=30)) as store:
        service.discharge(store, bed, WELL)
        written = papers(store, bed)
        assert list(written) == list(TITLES)
        said = {name: str(one.declared()) for name, one in written.items()}
        assert "焦虑" in said["front-page"]
        assert "150" in said["rounds"]
        assert "心肺无异常" in said["rounds"]
        assert "入户" in said["nursing-record"]
        assert "女儿" in said["application"]
        for name in ("front-page", "rounds", "summary"):
            assert pdf(store, bed, name).startswith(b"%PDF-")


def test_the_signed_agreement_is_frozen_in_three_copies(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed = established(store)
        (entry,) = frozen_of(store, f"EpisodeOfCare/{bed}", AGREEMENT)
        assert verify(store, entry["id"]).intact
        assert entry["subject"] == {"reference": f"Patient/{patient}"}
        content = pdf(store, bed, "agreement")
        assert content.startswith(b"%PDF-")
        assert papers(store, bed)["agreement"].copies == POLICY.agreement_holders
        service.mark_stable(store, bed, True)
        assert pdf(store, bed, "agreement") == content
        assert len(frozen_of(store, f"EpisodeOfCare/{bed}", AGREEMENT)) == 1


def test_an_admission_and_a_return_leave_the_plans_and_ask_for_a_review(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed = established(store)
        keep_plan(store, Plan(bed, patient, PlanKind.TREATMENT, "dr-1", ON, (Item("换药", ON),)))
        stay(store, patient, "in-progress")
        assert rounds_of(store, patient) == []
        stay(store, patient, "finished")
        assert plan_of(store, bed, PlanKind.TREATMENT) is not None
        review = rounds_of(store, patient)[0]
        assert review.subtype == "home-bed-review"
        suggested = next_round(store, service.read(store, bed), False)
        assert (suggested.why, suggested.visit) == ("first", review.id)


@pytest.mark.parametrize(
    ("last", "stable", "infusing", "worse", "days", "why"),
    [
        (None, False, False, False, 1, "first"),
        (ON, False, False, False, 7, "usual"),
        (ON, True, False, False, 14, "stable"),
        (ON, True, True, False, 3, "infusing"),
        (ON, True, False, True, 3, "worse"),
    ],
)
def test_the_next_round_follows_from_the_last(last: date | None, stable: bool, infusing: bool, worse: bool, days: int, why: str) -> None:
    assert suggest(last, ON, stable, infusing, worse, POLICY) == (ON + timedelta(days=days), why)


def test_a_round_that_found_danger_brings_the_next_one_forward(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient, bed = established(store)
        service.mark_stable(store, bed, True)
        first = next(one for one in rounds_of(store, patient) if one.priority == "urgent").id
    with database.writing(DOCTOR, at=AT + timedelta(hours=20)) as store:
        made = Findings(store.at - timedelta(hours=1), store.at, danger_signs=("dyspnoea",))
        visits.complete(store, first, made, "Practitioner/dr-1")
        suggested = next_round(store, service.read(store, bed), False)
        assert suggested.why == "worse"
        assert suggested.asked is not None
        assert suggested.by < suggested.asked


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=20).map(str.strip).filter(bool)
MOMENTS = st.integers(0, 10**8).map(lambda seconds: AT + timedelta(seconds=seconds))


@given(st.sampled_from(NoteKind), TEXT, MOMENTS, st.booleans())
def test_a_note_survives_fhir(kind: NoteKind, text: str, at: datetime, amended: bool) -> None:
    sections = tuple((code, f"{text}\n<b>&{code}") for code, _ in SECTIONS[kind])
    one = Note("n", "bed", "p", kind, "dr-1", at, at, at, sections, "task" if amended else None, amended)
    assert to_note(to_composition(one)) == one


@given(st.sampled_from(Stage), st.sampled_from(Origin), st.none() | TEXT, TEXT)
def test_an_application_survives_fhir(stage: Stage, origin: Origin, opinion: str | None, text: str) -> None:
    diagnosis = Diagnosis("I69.300", text) if opinion else None
    doctor, bed = ("dr-1", "bed") if opinion else (None, None)
    one = Application("a", "p", ON, text, text, text, origin, diagnosis, text, opinion or "", doctor, stage, text, bed)
    assert to_application(to_task(one)) == one


@given(TEXT, st.booleans(), st.none() | st.dates(date(2026, 1, 1), date(2030, 1, 1)))
def test_plans_survive_fhir(text: str, stopped: bool, end: date | None) -> None:
    treatment = Plan("bed", "p", PlanKind.TREATMENT, "dr-1", ON, (Item(text, ON, text, text, text, end, stopped), Item(text, ON)))
    nursing = Plan(
        "bed", "p", PlanKind.NURSING, "nu-1", ON, (), (Goal(text, text, text, text if stopped else "", end if stopped else None),)
    )
    for plan in (treatment, nursing):
        assert to_plan(to_care_plan(plan, ON)) == plan
