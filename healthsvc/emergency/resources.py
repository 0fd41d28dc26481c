"""An alarm as FHIR Task, its log as extensions to the second; the chain read from the contacts of the file."""

from dataclasses import dataclass
from typing import Any

from healthsvc.emergency.rules import Act, Alarm, Callee, Line, Status, replay
from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, concept, extension, extensions, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import ContactRole, Person

EMERGENCY = code_system("emergency")
KIND = code_system("alarm-kind")
OUTCOME = code_system("alarm-outcome")
_STATUS = {Status.RINGING: "requested", Status.TAKEN: "in-progress", Status.EXHAUSTED: "failed", Status.CLOSED: "completed"}


@dataclass(frozen=True, slots=True)
class Reachable:
    """How a callee is reached. Never goes into a log."""

    callee: Callee
    name: str
    phone: str
    relation: str = ""


def is_alarm(resource: Resource | None) -> bool:
    """Whether a Task is an alarm."""
    return resource is not None and resource.get("resourceType") == "Task" and "alarm" in codes(resource.get("code"), EMERGENCY)


def to_task(alarm: Alarm) -> Resource:
    """Write an alarm as a Task."""
    task: Resource = {
        "resourceType": "Task",
        "id": alarm.id,
        "extension": [_line(line) for line in alarm.log],
        "status": _STATUS[alarm.status],
        "businessStatus": concept(EMERGENCY, alarm.status.value),
        "intent": "order",
        "priority": "stat",
        "code": {"coding": [*concept(EMERGENCY, "alarm", "一键通求助")["coding"], *concept(KIND, alarm.kind)["coding"]]},
        "for": reference("Patient", alarm.patient),
        "authoredOn": instant(alarm.raised),
        "lastModified": instant(alarm.log[-1].at),
        "reasonCode": {"text": alarm.source},
    }
    closed = next((line for line in alarm.log if line.act is Act.CLOSE), None)
    if closed:
        task["output"] = [{"type": concept(EMERGENCY, "outcome"), "valueCodeableConcept": concept(OUTCOME, closed.text)}]
    return task


def to_alarm(task: Resource) -> Alarm:
    """Read an alarm; its status is what its log gives.

    Raises:
        Invalid: person, kind or log is missing. RuleViolation: the log could not have happened.
    """
    patient, kinds = reference_id(task.get("for"), "Patient"), codes(task.get("code"), KIND)
    lines = [_read(one) for one in extensions(task, "alarm-line")]
    if patient is None or not kinds or not lines:
        raise Invalid("an alarm needs Task.for, a kind (CodeSystem alarm-kind) and its log", path="Task")
    return replay(Alarm(task.get("id", ""), patient, kinds[0], task.get("reasonCode", {}).get("text", "")), lines)


def chain(person: Person, doctor: tuple[str, str] | None = None) -> list[Reachable]:
    """The contacts who have a phone, role by role; the responsible doctor stands in where the file names no community doctor.

    ``doctor``: name and phone from the staff directory.
    """
    found: list[Reachable] = []
    for role in ContactRole:
        for contact in (one for one in person.contacts if one.role is role and one.phone):
            index = sum(one.callee.role == role.value for one in found)
            found.append(Reachable(Callee(role.value, index), contact.name, contact.phone, contact.relation))
    if doctor and doctor[1] and not any(one.callee.role == ContactRole.COMMUNITY_DOCTOR for one in found):
        found.append(Reachable(Callee(ContactRole.COMMUNITY_DOCTOR.value), *doctor))
    return found


def _line(line: Line) -> Resource:
    parts: list[Resource] = [{"url": "act", "valueCode": line.act.value}, {"url": "at", "valueDateTime": instant(line.at)}]
    if line.who:
        parts.append({"url": "who", "valueString": line.who})
    if line.round:
        parts.append({"url": "round", "valuePositiveInt": line.round})
    if line.text:
        parts.append({"url": "text", "valueString": line.text})
    return extension("alarm-line", extension=parts)


def _read(element: Resource) -> Line:
    parts: dict[str, Any] = {
        part["url"]: next((value for key, value in part.items() if key.startswith("value")), None) for part in element.get("extension", ())
    }
    try:
        act = Act(parts.get("act", ""))
    except ValueError:
        raise Invalid(f"{parts.get('act')!r} is no line of an alarm's log", path="Task.extension") from None
    return Line(act, moment(parts.get("at", ""), "Task.extension"), parts.get("who", ""), parts.get("round", 0), parts.get("text", ""))
