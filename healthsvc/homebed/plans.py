"""诊疗计划与护理计划 The plans of a bed as FHIR CarePlan: one of each kind a bed; earlier versions stay in its history."""

from datetime import date
from typing import Final

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.elements import codes, concept, day, extension, extensions, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE
from healthsvc.healthfile.service import today
from healthsvc.healthfile.staff import standing
from healthsvc.homebed.rules.plan import Goal, Item, Plan, PlanKind
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

_CODES: Final = {PlanKind.TREATMENT: "home-bed-treatment-plan", PlanKind.NURSING: "home-bed-nursing-plan"}
_TITLES: Final = {PlanKind.TREATMENT: "诊疗计划", PlanKind.NURSING: "护理计划"}
_ROLES: Final = {PlanKind.TREATMENT: "doctor", PlanKind.NURSING: "nurse"}


def plan_id(bed: str, kind: PlanKind) -> str:
    """Id of a bed's plan."""
    return derived_id(f"{kind}-plan", bed)


def is_plan(resource: Resource | None) -> bool:
    """Whether a CarePlan is a plan of a home bed."""
    return resource is not None and resource.get("resourceType") == "CarePlan" and _kind(resource) is not None


def keep_plan(store: Store, plan: Plan) -> Resource:
    """Keep a plan; the same again makes no new version."""
    return store.put(to_care_plan(plan, today(store)))


def plan_of(store: Store, bed: str, kind: PlanKind) -> Plan | None:
    """The plan of a bed; None where nobody has made one."""
    found = store.find("CarePlan", plan_id(bed, kind))
    return to_plan(found) if found is not None and is_plan(found) else None


def close_plans(store: Store, bed: str) -> None:
    """The bed is closed: its plans are completed."""
    for kind in PlanKind:
        found = store.find("CarePlan", plan_id(bed, kind))
        if found is not None and found.get("status") == "active":
            store.put(found | {"status": "completed"})


def admit_plan(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A plan belongs to an open bed of the person, under the one id of its bed and kind, by a doctor or a nurse; it is not deleted."""
    if new is None or not is_plan(new):
        if is_plan(old):
            raise RuleViolation("a plan is completed or revoked, not deleted", reason="homebed-plan-keep", path="CarePlan")
        return
    plan = to_plan(new)
    episode = store.find("EpisodeOfCare", plan.bed)
    if episode is None or reference_id(episode.get("patient"), "Patient") != plan.patient or new["id"] != plan_id(plan.bed, plan.kind):
        raise RuleViolation(
            "a plan belongs to the person's own bed, one of each kind a bed", reason="homebed-plan-bed", path="CarePlan.supportingInfo"
        )
    if new.get("status") == "active":
        if episode.get("status") not in ("active", "onhold"):
            raise RuleViolation(
                "the bed is closed; its plans are not changed any more", reason="homebed-plan-closed", path="CarePlan.status"
            )
        known = standing(store, plan.author, today(store))
        if known is None or _ROLES[plan.kind] not in known.roles:
            raise RuleViolation(
                f"a {plan.kind} plan is made by a {_ROLES[plan.kind]} of the staff directory",
                reason="homebed-plan-author",
                path="CarePlan.author",
            )


def to_care_plan(plan: Plan, on: date) -> Resource:
    """Write a plan as it stands on a day."""
    activities = [_item(one, on) for one in plan.items] or [_goal(one) for one in plan.goals]
    made: Resource = {
        "resourceType": "CarePlan",
        "id": plan_id(plan.bed, plan.kind),
        "status": "completed" if plan.closed else "active",
        "intent": "plan",
        "category": [concept(HOME_CARE, _CODES[plan.kind], _TITLES[plan.kind])],
        "title": _TITLES[plan.kind],
        "subject": reference("Patient", plan.patient),
        "created": plan.on.isoformat(),
        "author": reference("Practitioner", plan.author),
        "supportingInfo": [reference("EpisodeOfCare", plan.bed)],
    }
    if activities:
        made["activity"] = activities
    return made


def to_plan(care_plan: Resource) -> Plan:
    """Read a plan.

    Raises:
        Invalid: it names no person, bed, author or day.
    """
    kind = _kind(care_plan)
    patient, author = reference_id(care_plan.get("subject"), "Patient"), reference_id(care_plan.get("author"), "Practitioner")
    bed = next((id for one in care_plan.get("supportingInfo", ()) if (id := reference_id(one, "EpisodeOfCare"))), None)
    if kind is None or patient is None or author is None or bed is None or "created" not in care_plan:
        raise Invalid("a home bed's plan needs subject, author, created and its EpisodeOfCare in supportingInfo", path="CarePlan")
    activities = care_plan.get("activity", ())
    return Plan(
        bed=bed,
        patient=patient,
        kind=kind,
        author=author,
        on=day(care_plan["created"], "CarePlan.created"),
        items=tuple(map(_read_item, activities)) if kind is PlanKind.TREATMENT else (),
        goals=tuple(map(_read_goal, activities)) if kind is PlanKind.NURSING else (),
        closed=care_plan.get("status") != "active",
    )


def _item(item: Item, on: date) -> Resource:
    said = {"dose": item.dose, "frequency": item.frequency, "route": item.route}
    parts: list[Resource] = [{"url": name, "valueString": text} for name, text in said.items() if text]
    parts.append({"url": "start", "valueDate": item.start.isoformat()})
    if item.end:
        parts.append({"url": "end", "valueDate": item.end.isoformat()})
    status = "stopped" if item.stopped else "in-progress" if item.open(on) else "completed"
    detail: Resource = {"status": status, "code": {"text": item.what}}
    return {"extension": [extension("home-bed-plan-item", extension=parts)], "detail": detail}


def _read_item(activity: Resource) -> Item:
    found = extensions(activity, "home-bed-plan-item")
    parts = {one["url"]: one.get("valueString") or one.get("valueDate") for one in (found[0].get("extension", ()) if found else ())}
    detail: Resource = activity.get("detail", {})
    path = "CarePlan.activity.extension"
    return Item(
        what=detail.get("code", {}).get("text", ""),
        start=day(str(parts.get("start", "")), path),
        dose=str(parts.get("dose", "")),
        frequency=str(parts.get("frequency", "")),
        route=str(parts.get("route", "")),
        end=day(str(parts["end"]), path) if "end" in parts else None,
        stopped=detail.get("status") == "stopped",
    )


def _goal(goal: Goal) -> Resource:
    detail: Resource = {"status": "completed" if goal.evaluation else "in-progress"}
    if goal.measures:
        detail["code"] = {"text": goal.measures}
    if goal.diagnosis:
        detail["reasonCode"] = [{"text": goal.diagnosis}]
    if goal.goal:
        detail["description"] = goal.goal
    made: Resource = {"detail": detail}
    if goal.evaluation:
        made["progress"] = [{"text": goal.evaluation, **({"time": goal.evaluated.isoformat()} if goal.evaluated else {})}]
    return made


def _read_goal(activity: Resource) -> Goal:
    detail: Resource = activity.get("detail", {})
    progress: Resource = next(iter(activity.get("progress", ())), {})
    return Goal(
        diagnosis=next((one.get("text", "") for one in detail.get("reasonCode", ())), ""),
        goal=detail.get("description", ""),
        measures=detail.get("code", {}).get("text", ""),
        evaluation=progress.get("text", ""),
        evaluated=day(progress["time"], "CarePlan.activity.progress") if "time" in progress else None,
    )


def _kind(care_plan: Resource) -> PlanKind | None:
    found = codes(care_plan.get("category", []), HOME_CARE)
    return next((kind for kind, code in _CODES.items() if code in found), None)
