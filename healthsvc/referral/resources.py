"""A referral as FHIR ServiceRequest (what is asked) and Task (how far it has come)."""

from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import conforming
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import SNOMED, code_system, extension
from healthsvc.referral.rules import Direction, Outcome, Reason, Referral, Stage
from healthsvc.visit.resources import derived_id

REFERRAL: Final = code_system("referral")
STAGE: Final = code_system("referral-stage")
REASON: Final = code_system("referral-reason")
OUTCOME: Final = code_system("referral-outcome")
DIRECTION: Final = code_system("referral-direction")
_DEPARTMENT: Final = extension("referral-department")
_PATIENT_REFERRAL: Final = {"system": SNOMED, "code": "3457005", "display": "Patient referral"}

_TASK_STATUS: Final = {
    Stage.REQUESTED: "requested",
    Stage.ACCEPTED: "accepted",
    Stage.REFUSED: "rejected",
    Stage.ADMITTED: "in-progress",
    Stage.DISCHARGED: "in-progress",
    Stage.TAKEN_BACK: "in-progress",
    Stage.FOLLOWED_UP: "in-progress",
    Stage.CLOSED: "completed",
    Stage.WITHDRAWN: "cancelled",
}
_REQUEST_STATUS: Final = {Stage.CLOSED: "completed", Stage.WITHDRAWN: "revoked", Stage.REFUSED: "on-hold"}


def is_referral(task: Resource | None) -> bool:
    """Whether a Task follows a referral."""
    return task is not None and task.get("resourceType") == "Task" and _code(task.get("code"), REFERRAL) == "referral"


def is_request(resource: Resource | None) -> bool:
    """Whether a ServiceRequest refers a person up or down."""
    if resource is None or resource.get("resourceType") != "ServiceRequest" or not {"authoredOn", "subject"} <= set(resource):
        return False
    return _code(resource.get("code"), SNOMED) == "3457005" and any(_code(one, DIRECTION) for one in resource.get("category", []))


def task_id(referral: str) -> str:
    """Id of the Task that follows a referral."""
    return derived_id("task", referral)


def to_request(referral: Referral, base: Resource | None = None) -> Resource:
    """Write what is asked as a ServiceRequest."""
    request: Resource = deepcopy(base) if base else {"resourceType": "ServiceRequest", "intent": "order"}
    request |= {
        "id": referral.id,
        "status": _REQUEST_STATUS.get(referral.stage, "active"),
        "category": [{"coding": [{"system": DIRECTION, "code": referral.direction.value}]}],
        "code": {"coding": [dict(_PATIENT_REFERRAL)], "text": "双向转诊"},
        "priority": _priority(referral, base),
        "subject": {"reference": f"Patient/{referral.person}"},
        "authoredOn": referral.at.isoformat(),
        "requester": {"reference": referral.requester},
        "reasonCode": [{"coding": [{"system": REASON, "code": referral.reason.value}]}],
    }
    _set(request, "performer", [{"reference": referral.hospital}] if referral.hospital else None)
    _set(request, "note", [{"text": referral.summary}] if referral.summary else None)
    _set(request, "extension", [{"url": _DEPARTMENT, "valueString": referral.department}] if referral.department else None)
    # a reaction at the bedside is referred before anybody knows which hospital will take the person
    return conforming(request, "referral-request") if referral.hospital else request


def to_task(referral: Referral, base: Resource | None = None) -> Resource:
    """Write how far it has come as a Task."""
    task: Resource = deepcopy(base) if base else {"resourceType": "Task", "intent": "order"}
    task |= {
        "id": task_id(referral.id),
        "status": _TASK_STATUS[referral.stage],
        "businessStatus": {"coding": [{"system": STAGE, "code": referral.stage.value}]},
        "priority": "urgent" if referral.urgent else "routine",
        "code": {"coding": [{"system": REFERRAL, "code": "referral"}], "text": "双向转诊"},
        "focus": {"reference": f"ServiceRequest/{referral.id}"},
        "basedOn": [{"reference": f"ServiceRequest/{referral.id}"}],
        "for": {"reference": f"Patient/{referral.person}"},
        "authoredOn": referral.at.isoformat(),
        "requester": {"reference": referral.requester},
    }
    _set(task, "owner", {"reference": referral.hospital} if referral.hospital else None)
    _set(task, "lastModified", referral.since.isoformat() if referral.since else None)
    _set(task, "encounter", {"reference": referral.stay} if referral.stay else None)
    _set(task, "statusReason", {"text": referral.remark} if referral.remark else None)
    output = {
        "type": {"coding": [{"system": REFERRAL, "code": "outcome"}]},
        "valueCode": referral.outcome.value if referral.outcome else None,
    }
    _set(task, "output", [output] if referral.outcome else None)
    return task


def to_referral(request: Resource, task: Resource | None = None) -> Referral:
    """Read a referral from its two resources; without a Task it has just been asked for."""
    if task is None:
        task = {"resourceType": "Task", "status": "requested", "businessStatus": {"coding": [{"system": STAGE, "code": "requested"}]}}
    reason = _code(next(iter(request.get("reasonCode", [])), None), REASON)
    direction = _code(next(iter(request.get("category", [])), None), DIRECTION)
    department = next((one.get("valueString", "") for one in request.get("extension", []) if one.get("url") == _DEPARTMENT), "")
    return Referral(
        id=request["id"],
        person=request["subject"]["reference"].rpartition("/")[2],
        reason=Reason(reason) if reason in {item.value for item in Reason} else Reason.OTHER,
        hospital=next((one.get("reference", "") for one in request.get("performer", [])), ""),
        requester=request.get("requester", {}).get("reference", ""),
        at=datetime.fromisoformat(request["authoredOn"]),
        urgent=request.get("priority", "routine") != "routine",
        direction=Direction(direction) if direction in {item.value for item in Direction} else Direction.UP,
        summary=next((one.get("text", "") for one in request.get("note", [])), ""),
        department=department,
        stage=stage_of(task),
        stay=task.get("encounter", {}).get("reference"),
        outcome=outcome_of(task),
        remark=task.get("statusReason", {}).get("text", ""),
        since=datetime.fromisoformat(task["lastModified"]) if "lastModified" in task else None,
    )


def stage_of(task: Resource) -> Stage:
    """How far a referral has come, from its Task."""
    code = _code(task.get("businessStatus"), STAGE)
    if code not in {stage.value for stage in Stage}:
        raise Invalid("a referral's Task says how far it has come: businessStatus of CodeSystem referral-stage", path="Task.businessStatus")
    stage = Stage(code)
    if task.get("status") != _TASK_STATUS[stage]:
        raise Invalid(f"a referral that is {stage} has the Task status {_TASK_STATUS[stage]}", path="Task.status")
    return stage


def outcome_of(task: Resource) -> Outcome | None:
    """The outcome of a closed referral."""
    code = next((one.get("valueCode") for one in task.get("output", []) if _code(one.get("type"), REFERRAL) == "outcome"), None)
    return Outcome(code) if code in {item.value for item in Outcome} else None


def _priority(referral: Referral, base: Resource | None) -> str:
    """As pressing as it was asked for: stat stays stat."""
    if not referral.urgent:
        return "routine"
    return str((base or {}).get("priority", "urgent")) if (base or {}).get("priority") != "routine" else "urgent"


def _code(concept: Any, system: str) -> str | None:
    return next((c.get("code") for c in (concept or {}).get("coding", []) if c.get("system") == system), None)


def _set(resource: Resource, key: str, value: Any) -> None:
    if value is None:
        resource.pop(key, None)
    else:
        resource[key] = value
