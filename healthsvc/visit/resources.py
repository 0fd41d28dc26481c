"""A visit as FHIR Task, and as planned or made Encounter. Two crossings, each tested as a round trip."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import datetime, time
from typing import Any, Final

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import conforming
from healthsvc.fhir.elements import derived_id as derived_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import UCUM, V3_ACT_CODE, code_system, extension
from healthsvc.visit.findings import Mode
from healthsvc.visit.rules import Kind, Priority, Status, Visit, Window

VISIT_KIND: Final = code_system("visit-kind")
VISIT_SUBTYPE: Final = code_system("visit-subtype")
VISIT_INPUT: Final = code_system("visit-input")
VISIT_REASON: Final = code_system("visit-reason")
CAUSE: Final = extension("suspension-cause")

_CLASS: Final = {
    Mode.HOME: ("HH", "home health"),
    Mode.PHONE: ("VR", "virtual"),
    Mode.STATION: ("AMB", "ambulatory"),
    Mode.CLINIC: ("AMB", "ambulatory"),
    Mode.GROUP: ("FLD", "field"),
}


def is_visit(task: Resource | None) -> bool:
    """Whether a Task is a visit to a person: its code comes from CodeSystem visit-kind."""
    return task is not None and task.get("resourceType") == "Task" and _code(task.get("code"), VISIT_KIND) is not None


def is_record(encounter: Resource | None) -> bool:
    """Whether an Encounter is a visit of ours, planned or made: its type comes from CodeSystem visit-kind."""
    if encounter is None or encounter.get("resourceType") != "Encounter":
        return False
    return any(_code(one, VISIT_KIND) is not None for one in encounter.get("type", []))


def to_task(visit: Visit, base: Resource | None = None) -> Resource:
    """Write a visit as a Task; what ``base`` carries beyond a visit (notes, outputs, narrative) is kept."""
    task: Resource = deepcopy(base) if base else {"resourceType": "Task", "intent": "order"}
    task["id"] = visit.id
    task["status"] = visit.status.value
    task["priority"] = visit.priority.value
    coding: list[Resource] = [{"system": VISIT_KIND, "code": str(visit.kind)}]
    if visit.subtype:
        coding.append({"system": VISIT_SUBTYPE, "code": str(visit.subtype)})
    task["code"] = {"coding": coding, **({"text": visit.title} if visit.title else {})}
    task["for"] = {"reference": f"Patient/{visit.person}"}
    task["restriction"] = {"period": {"start": visit.window.start.isoformat(), "end": visit.window.end.isoformat()}}
    reason = {"coding": [{"system": VISIT_REASON, "code": str(visit.reason)}]} if visit.reason else None
    _set(task, "statusReason", reason)
    _set(task, "businessStatus", deepcopy(reason) if visit.status is Status.ON_HOLD else None)
    _set(task, "owner", {"reference": visit.owner} if visit.owner else None)
    _set(task, "encounter", {"reference": visit.encounter} if visit.encounter else None)
    _set(task, "basedOn", [{"reference": source} for source in visit.sources] or None)
    others = [one for one in task.get("extension", []) if one.get("url") != CAUSE]
    cause = [{"url": CAUSE, "valueReference": {"reference": visit.cause}}] if visit.cause else []
    _set(task, "extension", others + cause or None)
    foreign = [one for one in task.get("input", []) if _code(one.get("type"), VISIT_INPUT) is None]
    task["input"] = foreign + _inputs(visit)
    return conforming(task, *_profiles(visit))


def to_visit(task: Resource) -> Visit:
    """Read a visit from a Task.

    Raises:
        Invalid: the Task lacks its person, its window or its duration, or one of them cannot be read.
    """
    kind = _code(task.get("code"), VISIT_KIND)
    if kind is None:
        raise Invalid("the Task is not a visit: give it a code of CodeSystem visit-kind", path="Task.code")
    period = task.get("restriction", {}).get("period", {})
    inputs = _read_inputs(task)
    minutes = inputs.get("duration", [None])[0]
    if minutes is None:
        raise Invalid("a visit needs its duration: an input of type duration with a valueDuration in min", path="Task.input")
    return Visit(
        id=task.get("id", ""),
        kind=kind,
        person=_person(task),
        window=Window(moment_of(period, "start"), moment_of(period, "end")),
        minutes=_minutes(minutes),
        skills=frozenset(inputs.get("skill", ())),
        staff=int(inputs.get("staff", [1])[0]),
        earliest=_time(inputs.get("earliest")),
        latest=_time(inputs.get("latest")),
        owner=task.get("owner", {}).get("reference"),
        priority=Priority(task.get("priority", "routine")),
        sources=tuple(one["reference"] for one in task.get("basedOn", []) if "reference" in one),
        status=_status(task),
        reason=_code(task.get("statusReason"), VISIT_REASON),
        cause=next((one.get("valueReference", {}).get("reference") for one in task.get("extension", []) if one.get("url") == CAUSE), None),
        encounter=task.get("encounter", {}).get("reference"),
        subtype=_code(task.get("code"), VISIT_SUBTYPE),
        title=task["code"].get("text", ""),
    )


def moment_of(period: Resource, end: str, where: str = "Task.restriction.period") -> datetime:
    """One end of a period as a moment that knows its zone.

    Raises:
        Invalid: it is missing, is only a date, or has no zone.
    """
    text = period.get(end)
    path = f"{where}.{end}"
    if not text:
        raise Invalid(f"{path} is missing; a visit needs both ends of its window", path=path)
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(f"{path} must be date and time with zone, for example 2026-01-05T08:00:00+08:00", path=path)
    return moment


def encounter_id(task: str) -> str:
    """Id of the Encounter of a visit, planned or made."""
    return derived_id("visit", task)


def encounter_of(
    visit: Visit, status: str, start: datetime, end: datetime, staff: Iterable[str], mode: Mode = Mode.HOME, complaints: str = ""
) -> Resource:
    """The Encounter of a visit: planned, in-progress, finished or cancelled; ``staff`` are references to Practitioners."""
    code, display = _CLASS[mode]
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": encounter_id(visit.id),
        "status": status,
        "class": {"system": V3_ACT_CODE, "code": code, "display": display},
        "type": [{"coding": [{"system": VISIT_KIND, "code": str(visit.kind)}], **({"text": visit.title} if visit.title else {})}],
        "subject": {"reference": f"Patient/{visit.person}"},
        "period": {"start": start.isoformat(), "end": end.isoformat()},
    }
    people = [{"individual": {"reference": one}} for one in staff]
    if people:
        encounter["participant"] = people
    if complaints:
        encounter["reasonCode"] = [{"text": complaints}]
    return conforming(encounter, "home-visit")


def _profiles(visit: Visit) -> tuple[str, ...]:
    """A checkup that a contract promises has a profile of its own beside that of every visit."""
    promised = visit.kind == Kind.QUARTERLY_CHECKUP and visit.sources and all(one.startswith("Contract/") for one in visit.sources)
    return ("visit-task", "quarterly-checkup-task") if promised else ("visit-task",)


def _inputs(visit: Visit) -> list[Resource]:
    values: list[tuple[str, str, Any]] = [
        ("duration", "valueDuration", {"value": visit.minutes, "unit": "min", "system": UCUM, "code": "min"}),
        ("staff", "valuePositiveInt", visit.staff),
    ]
    values += [("skill", "valueCode", str(skill)) for skill in sorted(visit.skills)]
    values += [
        (name, "valueTime", moment.isoformat())
        for name, moment in (("earliest", visit.earliest), ("latest", visit.latest))
        if moment is not None
    ]
    return [{"type": {"coding": [{"system": VISIT_INPUT, "code": name}]}, key: value} for name, key, value in values]


def _read_inputs(task: Resource) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in task.get("input", []):
        name = _code(one.get("type"), VISIT_INPUT)
        value = next((value for key, value in one.items() if key.startswith("value")), None)
        if name is not None and value is not None:
            found.setdefault(name, []).append(value)
    return found


def _minutes(duration: Any) -> int:
    factor = {"min": 1, "h": 60}.get(duration.get("code", "min") if isinstance(duration, dict) else "")
    if factor is None:
        raise Invalid("a visit's duration is given in min or h (UCUM)", path="Task.input")
    minutes = duration.get("value", 0) * factor
    if minutes != int(minutes):
        raise Invalid("a visit's duration is a whole number of minutes", path="Task.input")
    return int(minutes)


def _time(values: Sequence[str] | None) -> time | None:
    try:
        return time.fromisoformat(values[0]) if values else None
    except (TypeError, ValueError):
        raise Invalid("a time of day is written HH:MM:SS", path="Task.input") from None


def _status(task: Resource) -> Status:
    try:
        return Status(task.get("status", ""))
    except ValueError:
        raise Invalid(f"a visit is one of {', '.join(Status)}; {task.get('status')!r} is not used for visits", path="Task.status") from None


def _person(task: Resource) -> str:
    kind, _, person = task.get("for", {}).get("reference", "").rpartition("/")
    if not person or not kind.endswith("Patient"):
        raise Invalid("a visit needs its person: Task.for as Patient/id", path="Task.for")
    return str(person)


def _code(concept: Any, system: str) -> str | None:
    for one in concept.get("coding", ()) if isinstance(concept, dict) else ():  # a loop: eight times for each of a day's thousand visits
        if one.get("system") == system and one.get("code"):
            return str(one["code"])
    return None


def _set(resource: Resource, key: str, value: Any) -> None:
    if value is None:
        resource.pop(key, None)
    else:
        resource[key] = value
