"""建床申请 An application for a bed as FHIR Task: apply, send back, take back; it is registered when the bed is established."""

from dataclasses import replace
from typing import Any, Final

from healthsvc.errors import Conflict, Invalid, NotFound, RuleViolation
from healthsvc.fhir.elements import codes, coding, concept, day, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE, ICD10, code_system
from healthsvc.healthfile.service import follow, replaced
from healthsvc.homebed.rules.application import WAITING, Application, Origin, Stage, check_stage, complete, move
from healthsvc.homebed.rules.bed import Bed, Diagnosis
from healthsvc.homebed.rules.refusal import refuse
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

APPLICATION: Final = "home-bed-application"
INPUT: Final = code_system("home-bed-application-input")
_STATUS: Final = {
    Stage.DRAFT: "draft",
    Stage.SUBMITTED: "requested",
    Stage.RETURNED: "rejected",
    Stage.REGISTERED: "completed",
    Stage.WITHDRAWN: "cancelled",
}


def is_application(task: Resource | None) -> bool:
    """Whether a Task is an application for a home bed."""
    return task is not None and task.get("resourceType") == "Task" and APPLICATION in codes(task.get("code"), HOME_CARE)


def apply(store: Store, application: Application) -> Resource:
    """Keep an application (and submit it, unless it is a draft); gives the Task. The same on the same day is one application.

    Raises:
        RuleViolation: something is missing; everything is listed. Conflict: another application of the person waits.
    """
    person = str(follow(store, application.patient)["id"])
    wanted = replace(application, id=derived_id("bed-application", f"{person}-{application.on:%Y%m%d}"), patient=person)
    if wanted.stage is not Stage.DRAFT:
        refuse("the application cannot be submitted", complete(wanted))
    return store.put(to_task(wanted, store.find("Task", wanted.id)))


def move_on(store: Store, id: str, to: Stage, remark: str = "") -> Resource:
    """Submit, send back (with what is missing), or withdraw an application."""
    task = store.find("Task", id)
    if task is None or not is_application(task):
        raise NotFound("there is no such application")
    moved = move(to_application(task), to, remark)
    if to is Stage.SUBMITTED:
        refuse("the application cannot be submitted", complete(moved))
    return store.put(to_task(moved, task))


def register(store: Store, patient: str, bed: str) -> None:
    """The bed that was applied for has been established."""
    application = waiting_of(store, patient)
    if application is not None and application.stage is Stage.SUBMITTED:
        registered = replace(move(application, Stage.REGISTERED), bed=bed)
        store.put(to_task(registered, store.read("Task", application.id)))


def waiting_of(store: Store, patient: str) -> Application | None:
    """The application of a person that waits (also under a file merged into this one)."""
    survivor = str(follow(store, patient)["id"])
    for one in (survivor, *replaced(store, survivor)):
        for task in store.select("Task", patient=one, code=f"{HOME_CARE}|{APPLICATION}"):
            if to_application(task).stage in WAITING:
                return to_application(task)
    return None


def of_bed(store: Store, bed: Bed) -> Application | None:
    """The application from which a bed came; None where there was none."""
    for task in store.select("Task", patient=bed.patient, code=f"{HOME_CARE}|{APPLICATION}", status="completed"):
        if to_application(task).bed == bed.id:
            return to_application(task)
    return None


def waiting(store: Store) -> list[Application]:
    """All applications that wait, oldest first."""
    status = [_STATUS[stage] for stage in WAITING]
    found = map(to_application, store.select("Task", code=f"{HOME_CARE}|{APPLICATION}", status=status))
    return sorted(found, key=lambda one: (one.on, one.id))


def admit_application(old: Resource | None, new: Resource | None, store: Store) -> None:
    """An application goes the way of its table, keeps its person, and is not deleted; one person has one that waits."""
    if new is None or not is_application(new):
        if is_application(old):
            raise RuleViolation(
                "an application is withdrawn, not deleted or turned into something else", reason="homebed-application-keep", path="Task"
            )
        return
    before = to_application(old) if old is not None and is_application(old) else None
    after = to_application(new)
    check_stage(before.stage if before else None, after.stage)
    if before is not None and before.patient != after.patient:
        raise RuleViolation("an application keeps its person", reason="homebed-application-keep", path="Task.for")
    if after.stage is Stage.SUBMITTED and (before is None or before.stage is not Stage.SUBMITTED):
        refuse("the application cannot be submitted", complete(after))
    if after.stage is Stage.REGISTERED and before is not None and before.stage is not after.stage:
        _has_bed(after, store)
    key = f"homebed-application:{after.patient}"
    if after.stage in WAITING and (before is None or before.stage not in WAITING):
        try:
            store.claim(key, f"Task/{after.id}")
        except Conflict:
            raise Conflict(
                "an application for this person already waits; answer that one", reason="homebed-application-second", path="Task.for"
            ) from None
    elif after.stage not in WAITING and before is not None and before.stage in WAITING:
        store.release(key, f"Task/{after.id}")


def _has_bed(application: Application, store: Store) -> None:
    if application.bed and store.holder(f"homebed:{application.patient}") == application.bed:
        return  # the bed is being established in this very write
    episode = store.find("EpisodeOfCare", application.bed) if application.bed else None
    if episode is None or reference_id(episode.get("patient"), "Patient") != application.patient:
        raise RuleViolation(
            "an application is registered when the person's bed is established", reason="homebed-application-bed", path="Task.output"
        )


def to_task(application: Application, base: Resource | None = None) -> Resource:
    """Write an application as a Task."""
    named = {"contact": application.contact, "relation": application.relation, "phone": application.phone, "opinion": application.opinion}
    inputs = [{"type": concept(INPUT, name), "valueString": text} for name, text in named.items() if text.strip()]
    inputs.append({"type": concept(INPUT, "origin"), "valueCode": application.origin.value})
    task: Resource = {
        **(base or {"resourceType": "Task", "intent": "proposal"}),
        "id": application.id,
        "status": _STATUS[application.stage],
        "code": concept(HOME_CARE, APPLICATION, "家庭病床建床申请"),
        "for": reference("Patient", application.patient),
        "authoredOn": application.on.isoformat(),
        "input": inputs,
    }
    for key in ("requester", "reasonCode", "description", "statusReason", "output"):
        task.pop(key, None)
    if application.doctor:
        task["requester"] = reference("Practitioner", application.doctor)
    if application.diagnosis:
        one = application.diagnosis
        task["reasonCode"] = {"coding": [coding(ICD10, one.code, one.text)], "text": one.text}
    if application.summary:
        task["description"] = application.summary
    if application.remark:
        task["statusReason"] = {"text": application.remark}
    if application.bed:
        task["output"] = [{"type": concept(HOME_CARE, "home-bed"), "valueReference": reference("EpisodeOfCare", application.bed)}]
    return task


def to_application(task: Resource) -> Application:
    """Read one.

    Raises:
        Invalid: it names no person or day, or its status is none that an application has.
    """
    patient = reference_id(task.get("for"), "Patient")
    stage = next((stage for stage, status in _STATUS.items() if status == task.get("status")), None)
    if patient is None or "authoredOn" not in task or stage is None:
        raise Invalid(f"an application needs for, authoredOn and a status of {', '.join(_STATUS.values())}", path="Task")
    given = {name: value for one in task.get("input", ()) for name in codes(one.get("type"), INPUT) if (value := _said(one))}
    found: Resource = next(iter(task.get("reasonCode", {}).get("coding", ())), {})
    output: Any = next((one.get("valueReference") for one in task.get("output", ())), None)
    origin = given.get("origin", Origin.COMMUNITY)
    return Application(
        id=str(task.get("id", "")),
        patient=patient,
        on=day(task["authoredOn"], "Task.authoredOn"),
        contact=given.get("contact", ""),
        relation=given.get("relation", ""),
        phone=given.get("phone", ""),
        origin=Origin(origin) if origin in set(Origin) else Origin.COMMUNITY,
        diagnosis=Diagnosis(found["code"], found.get("display", "")) if "code" in found else None,
        summary=task.get("description", ""),
        opinion=given.get("opinion", ""),
        doctor=reference_id(task.get("requester"), "Practitioner"),
        stage=stage,
        remark=task.get("statusReason", {}).get("text", ""),
        bed=reference_id(output, "EpisodeOfCare"),
    )


def _said(given: Resource) -> str:
    return str(given.get("valueString") or given.get("valueCode") or "")
