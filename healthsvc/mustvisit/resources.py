"""A must-visit as FHIR Task: why, whose, between which days, who comes; done with whom, how and what was said."""

from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Final

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, concept, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.mustvisit.rules import OCCASION_NAMES, Due, Occasion
from healthsvc.visit.resources import derived_id

OCCASION: Final = code_system("must-visit")
WHO: Final = code_system("must-visit-role")
MODE: Final = code_system("must-visit-mode")
STATUSES: Final = frozenset({"requested", "completed", "cancelled", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class MustVisit:
    """A must-visit as it stands."""

    id: str
    patient: str
    occasion: Occasion
    first: date
    last: date
    who: str
    title: str
    status: str
    owner: str | None = None
    """``Practitioner/x`` where the file names one."""
    done_at: datetime | None = None
    done_by: str = ""
    mode: str = ""
    note: str = ""

    def overdue(self, on: date) -> bool:
        """Whether nobody has come and the last day is past."""
        return self.status == "requested" and on > self.last


def is_must_visit(resource: Resource | None) -> bool:
    """Whether a Task is a must-visit."""
    return resource is not None and resource.get("resourceType") == "Task" and bool(codes(resource.get("code"), OCCASION))


def task_id(due: Due) -> str:
    """The id of a must-visit, made of its meaning: asked for twice it is one."""
    return derived_id(f"must-{due.occasion}", f"{due.patient}-{due.key}")


def to_task(due: Due, owner: str | None, at: datetime, zone: tzinfo) -> Resource:
    """Write a must-visit that is due as a Task."""
    task: Resource = {
        "resourceType": "Task",
        "id": task_id(due),
        "status": "requested",
        "intent": "order",
        "code": concept(OCCASION, due.occasion.value, OCCASION_NAMES[due.occasion][0]),
        "for": reference("Patient", due.patient),
        "authoredOn": instant(at),
        "performerType": [concept(WHO, due.who)],
        "restriction": {"period": {"start": _start(due.first, zone), "end": _end(due.last, zone)}},
    }
    if due.title:
        task["description"] = due.title
    if due.about:
        task["focus"] = {"reference": due.about}
    if owner:
        task["owner"] = {"reference": owner}
    return task


def done(task: Resource, at: datetime, by: str, mode: str, note: str) -> Resource:
    """The Task when somebody has come."""
    told = {"type": concept(OCCASION, "mode"), "valueCodeableConcept": concept(MODE, mode)}
    made = {**task, "status": "completed", "executionPeriod": {"end": instant(at)}, "output": [told]}
    who = {"text": by}
    made["note"] = [*task.get("note", ()), {"authorString": who["text"], "time": instant(at), "text": note or "-"}]
    return made


def to_must_visit(task: Resource, zone: tzinfo) -> MustVisit:
    """Read it.

    Raises:
        Invalid: person, occasion or days are missing.
    """
    patient, occasions = reference_id(task.get("for"), "Patient"), codes(task.get("code"), OCCASION)
    span = task.get("restriction", {}).get("period", {})
    if patient is None or not occasions or occasions[0] not in set(Occasion) or "start" not in span or "end" not in span:
        raise Invalid("a must-visit names person, occasion and the days between which somebody comes", path="Task")
    end = task.get("executionPeriod", {}).get("end")
    note: Resource = next(iter(reversed(task.get("note", ()))), {})
    modes = [code for one in task.get("output", ()) for code in codes(one.get("valueCodeableConcept"), MODE)]
    return MustVisit(
        id=str(task.get("id", "")),
        patient=patient,
        occasion=Occasion(occasions[0]),
        first=moment(span["start"], "Task.restriction.period.start").astimezone(zone).date(),
        last=moment(span["end"], "Task.restriction.period.end").astimezone(zone).date(),
        who=next(iter(codes(next(iter(task.get("performerType", ())), None), WHO)), ""),
        title=task.get("description", ""),
        status=task.get("status", ""),
        owner=task.get("owner", {}).get("reference"),
        done_at=moment(end, "Task.executionPeriod.end") if end else None,
        done_by=note.get("authorString", ""),
        mode=next(iter(modes), ""),
        note=note.get("text", "") if note.get("text") != "-" else "",
    )


def _start(day: date, zone: tzinfo) -> str:
    return datetime.combine(day, time.min, zone).isoformat()


def _end(day: date, zone: tzinfo) -> str:
    return datetime.combine(day, time(23, 59, 59), zone).isoformat()
