"""随访判定: judge what a visit or a form has found, write the decision down so that it can be made again, ask for what must follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from healthsvc.checkup.followup import RULE_VERSION, Disease, FollowUp, FollowUpPolicy, Next, Reading, Result, decide, is_needed
from healthsvc.checkup.record import Decided, Replay, decide_again, is_decision, to_decided, to_guidance
from healthsvc.checkup.resources import FOLLOW_UP, ICD10_DIABETES, ICD10_HYPERTENSION, class_observation, has_code, to_result
from healthsvc.errors import NotFound
from healthsvc.fhir.elements import derived_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import age
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.observations import findings_of
from healthsvc.visit.rules import Kind, Priority, Status, Visit, Window

DISEASES: Final = {Disease.HYPERTENSION: ICD10_HYPERTENSION, Disease.DIABETES: ICD10_DIABETES}


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is judged: a completed visit, or a form that belongs to none."""

    base: str
    """What ids are made of: the visit's Task id, or the response's id."""
    person: str
    at: datetime
    encounter: str | None = None
    owner: str | None = None
    must_measure: frozenset[Disease] = frozenset()
    """Diseases whose number had to be taken on this occasion."""


def of_visit(store: Store, visit: Visit, task: Resource) -> list[FollowUp]:
    """What a completed visit asks for. That a number is missing is held against a checkup only: an infusion need not measure glucose."""
    must = frozenset(Disease) if visit.kind == Kind.QUARTERLY_CHECKUP else frozenset()
    occasion = Occasion(visit.id, visit.person, store.at, visit.encounter, visit.owner, must)
    observations = _observations(store, task)
    return judge(store, occasion, findings_of(task, observations, store.at), observations)


def judge(store: Store, occasion: Occasion, found: Findings, observations: Sequence[Resource]) -> list[FollowUp]:
    """Judge findings by the rules of hypertension and diabetes.

    Diseases that the file knows are always judged; of the others an emergency and a suspicion are kept. Each decision is kept as an
    Observation (the class) and as a GuidanceResponse (rule, version, parameters, inputs); extra visits are asked for where none is planned.
    """
    patient = follow(store, occasion.person)
    on = today(store)
    birth = to_person(patient).birth
    reading = _reading(found, age(birth, on) if birth else 0)
    files = [patient["id"], *replaced(store, patient["id"])]
    conditions = problems_of(store, files)
    policy = store.policy.fill(FollowUpPolicy, "checkup", on)
    basis = [f"Observation/{one['id']}" for one in observations]
    made = []
    for disease, codes in DISEASES.items():
        known = any(has_code(condition, codes) for condition in conditions)
        previous = _previous(store, occasion, files, disease) if known else None
        decision = decide(disease, reading, previous, policy, known=known)
        if not _is_kept(decision, known, occasion, screening=bool(store.policy.value("checkup.screening", on))):
            continue
        store.put(class_observation(decision, occasion.base, occasion.person, occasion.encounter, store.at, basis))
        decided = Decided(disease, RULE_VERSION, reading, previous, policy, known, decision)
        store.put(to_guidance(decided, occasion.base, occasion.person, occasion.encounter, store.at, basis))
        made.append(decision)
    _ask_for_follow_up(store, occasion, made, on)
    return made


def replay(store: Store, decision: str) -> Replay:
    """Make one stored decision again and say whether it comes out the same."""
    guidance = store.read("GuidanceResponse", decision)
    if not is_decision(guidance):
        raise NotFound("this GuidanceResponse is not a decision of ours")
    return decide_again(to_decided(guidance), decision)


def replay_all(store: Store, patient: str | None = None) -> Iterator[Replay]:
    """Make all stored decisions again (of one person, where one is named)."""
    narrowed = {"patient": patient} if patient else {}
    for guidance in store.select("GuidanceResponse", **narrowed):
        if is_decision(guidance):
            yield decide_again(to_decided(guidance), guidance["id"])


def advised(store: Store, patient: str) -> list[FollowUp]:
    """The latest decision of each disease: what the rules ask for now (a page shows it, a doctor decides)."""
    latest: dict[Disease, tuple[str, FollowUp]] = {}
    for guidance in store.select("GuidanceResponse", patient=[patient, *replaced(store, patient)]):
        if is_decision(guidance):
            outcome = to_decided(guidance).outcome
            when = guidance["occurrenceDateTime"]
            if outcome.disease not in latest or datetime.fromisoformat(latest[outcome.disease][0]) <= datetime.fromisoformat(when):
                latest[outcome.disease] = (when, outcome)
    return [outcome for _, outcome in latest.values()]


def _is_kept(decision: FollowUp, known: bool, occasion: Occasion, *, screening: bool) -> bool:
    if not known:
        return decision.result is Result.EMERGENCY or (screening and decision.result is Result.SUSPECTED)
    return decision.result is not Result.NOT_MEASURED or decision.disease in occasion.must_measure


def _observations(store: Store, task: Resource) -> list[Resource]:
    ids = [out["valueReference"]["reference"].rpartition("/")[2] for out in task.get("output", []) if "valueReference" in out]
    return [found for id in ids if (found := store.find("Observation", id)) is not None]


def _reading(readings: Findings, years: int) -> Reading:
    arms = [arm for arm in (readings.bp_left, readings.bp_right) if arm is not None]
    return Reading(
        age=years,
        systolic=max((arm.systolic for arm in arms), default=None),
        diastolic=max((arm.diastolic for arm in arms), default=None),
        glucose=readings.glucose,
        fasting=readings.glucose_fasting,
        adverse_reaction=readings.adverse_reaction,
        complication=readings.complication,
        danger_signs=readings.danger_signs,
    )


def _previous(store: Store, occasion: Occasion, files: list[str], disease: Disease) -> Result | None:
    """The class of the time before; a visit at which the number was not taken neither makes a row nor breaks one."""
    own = derived_id(f"class-{disease}", occasion.base)
    former = [
        one
        for one in store.select("Observation", patient=files, code=f"{FOLLOW_UP}|{disease.value}")
        if one["id"] != own and one.get("status") != "entered-in-error" and to_result(one) is not Result.NOT_MEASURED
    ]
    latest = max(former, key=lambda one: datetime.fromisoformat(one["effectiveDateTime"]), default=None)
    return to_result(latest) if latest else None


def _ask_for_follow_up(store: Store, occasion: Occasion, made: list[FollowUp], on: date) -> None:
    pressing = [one for one in made if one.within_days is not None]
    if not pressing:
        return
    worst = max(pressing, key=lambda one: list(Next).index(one.next) if one.next is not Next.MEASURE else -1)
    planned = tuple(
        other.window.end.astimezone(store.zone).date()
        for other in visits.open_visits(store, occasion.person)
        if other.id != occasion.base and "doctor" in other.skills and other.status is not Status.ON_HOLD
    )
    if not is_needed(worst, on, planned):
        return
    policy = visits.policy_of(store)
    last = datetime.combine(on + timedelta(days=worst.within_days or 0), time(23, 59, 59), store.zone)
    extra = Visit(
        id=derived_id("follow-up", occasion.base),
        kind=Kind.FOLLOW_UP,
        person=occasion.person,
        window=Window(store.at, last),
        minutes=policy.length(Kind.FOLLOW_UP),
        skills=policy.skills_of(Kind.FOLLOW_UP),
        owner=occasion.owner,
        priority=Priority.ASAP if worst.next is Next.REFER_URGENTLY else Priority.URGENT,
        sources=(occasion.encounter,) if occasion.encounter else (),
        subtype=worst.next.value,
    )
    visits.request(store, extra)
