"""What was planned and written during a bed, as sections of its documents: plans, rounds, nursing record, hand-over."""

from datetime import datetime

from healthsvc.documents import Fields, Section, Table
from healthsvc.fhir.json import Resource
from healthsvc.homebed import service
from healthsvc.homebed.plans import plan_of
from healthsvc.homebed.rules.bed import Bed
from healthsvc.homebed.rules.note import SECTIONS, Note, NoteKind
from healthsvc.homebed.rules.plan import PlanKind
from healthsvc.homebed.words import measured, named
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit


def treatment(store: Store, bed: Bed) -> tuple[Section, ...]:
    """诊疗计划."""
    plan = plan_of(store, bed.id, PlanKind.TREATMENT)
    if plan is None:
        return ()
    rows = tuple(
        (one.what, one.dose, one.frequency, one.route, one.start.isoformat(), "已停" if one.stopped else str(one.end or ""))
        for one in plan.items
    )
    return (Section(f"{named(store, plan.author)}　{plan.on}", (Table(("项目", "剂量", "频次", "途径", "开始", "停止"), rows),)),)


def nursing(store: Store, bed: Bed) -> tuple[Section, ...]:
    """护理计划."""
    plan = plan_of(store, bed.id, PlanKind.NURSING)
    if plan is None:
        return ()
    rows = tuple((one.diagnosis, one.goal, one.measures, one.evaluation, str(one.evaluated or "")) for one in plan.goals)
    return (Section(f"{named(store, plan.author)}　{plan.on}", (Table(("护理诊断", "目标", "措施", "评价", "评价日期"), rows),)),)


def rounds(store: Store, bed: Bed, notes: list[Note]) -> tuple[Section, ...]:
    """Every round made with what was measured, and what was written about it; notes without a visit stand for themselves."""
    tasks = store.select("Task", based_on=f"EpisodeOfCare/{bed.id}", status="completed")
    made = sorted((one for one in tasks if is_visit(one)), key=lambda one: str(one.get("executionPeriod", {}).get("end", "")))
    written = {one.visit: one for one in notes if one.kind is NoteKind.ROUND}
    found = []
    for task in made:
        note = written.pop(str(task["id"]), None)
        rows = (*_findings(store, task), *(_sections(note) if note else ()))
        found.append(Section(_heading(store, task), (Fields(rows),)))
    return (*found, *written_notes(store, [one for one in notes if one in written.values()], NoteKind.ROUND))


def written_notes(store: Store, notes: list[Note], kind: NoteKind) -> tuple[Section, ...]:
    """The notes of a kind, each with who and when, in and out."""
    return tuple(Section(_when(store, one), (Fields(_sections(one)),)) for one in notes if one.kind is kind)


def _when(store: Store, note: Note) -> str:
    start, end = note.start.astimezone(store.zone), note.end.astimezone(store.zone)
    late = f"　补记 {note.written.astimezone(store.zone):%m-%d %H:%M}" if note.late(service.policy_of(store)) else ""
    return f"{start:%Y-%m-%d} 入户 {start:%H:%M} 出户 {end:%H:%M}　{named(store, note.author)}{late}"


def _sections(note: Note) -> tuple[tuple[str, str], ...]:
    titles = dict(SECTIONS[note.kind])
    return tuple((titles[code], text) for code, text in note.sections)


def _heading(store: Store, task: Resource) -> str:
    visit, period = to_visit(task), task.get("executionPeriod", {})
    times = [datetime.fromisoformat(period[key]).astimezone(store.zone) for key in ("start", "end") if key in period]
    said = f"{times[0]:%Y-%m-%d} 入户 {times[0]:%H:%M} 出户 {times[-1]:%H:%M}" if times else ""
    return f"{said}　{visit.title}".strip()


def _findings(store: Store, task: Resource) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    for output in task.get("output", ()):
        kind, _, id = output.get("valueReference", {}).get("reference", "").partition("/")
        observation = store.find("Observation", id) if kind == "Observation" else None
        rows += measured(observation) if observation is not None else ()
    return (*rows, *(("医嘱与谈话", note.get("text", "")) for note in task.get("note", ())))
