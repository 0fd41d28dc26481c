"""REF, ORU and SIU: a referral up, what the checkup at home found, a booked visit to the hospital."""

from datetime import datetime
from typing import Any, Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import LOINC
from healthsvc.healthfile.service import follow
from healthsvc.referral.resources import is_referral, task_id, to_referral
from healthsvc.referral.rules import Direction, Stage
from healthsvc.store import Store
from healthsvc.visit.observations import VISIT_OUTPUT
from integrations.herald.telling import Listener, Telling, digest, last_told, remember
from integrations.hl7v2.outgoing import Booked, Measured, Referring, booked, event, found, referred
from integrations.hospitals.destination import Topic

_REASONS: Final = {
    "critical": "病情危重", "beyond-ability": "超出诊疗能力", "needs-test": "需进一步检查", "not-controlled-twice": "连续两次控制不满意",
    "adverse-reaction": "药物不良反应", "new-complication": "出现新的并发症", "worse-complication": "原有并发症加重",
    "convalescence": "康复期", "own-wish": "本人要求", "other": "其他",
}  # fmt: skip
_SHAREABLE: Final = "quarterly-checkup"
_STATUS: Final = {"booked": "Booked", "cancelled": "Cancelled", "noshow": "Noshow"}


def referral_news(store: Store, listener: Listener, id: str, *, echo: bool) -> Telling | None:
    """I12 when somebody is referred up to this hospital, I13 when the referral is changed, I14 when it is withdrawn."""
    request, task = store.find("ServiceRequest", id), store.find("Task", task_id(id))
    if request is None or task is None or not is_referral(task):
        return None
    told = to_referral(request, task)
    if told.direction is not Direction.UP or not listener.destination.is_meant(told.hospital):
        return None
    before = last_told(store, listener, f"referral:{id}")
    withdrawn = told.stage is Stage.WITHDRAWN
    if withdrawn and (before is None or before.event == "I14"):
        return None
    file = follow(store, told.person)
    values = Referring(
        id=id,
        at=told.at.astimezone(store.zone),
        urgent=told.urgent,
        reason=(told.reason.value, _REASONS.get(told.reason.value, told.reason.value)),
        summary=told.summary,
        department=told.department,
        by=(told.requester.rpartition("/")[2], _name(store, told.requester)),
        centre=_name(store, file.get("managingOrganization", {}).get("reference", "")),
        hospital=_name(store, told.hospital),
        status="E" if withdrawn else "P",
    )
    segments = referred(listener.describe(store, file), values, listener.sex)
    trigger = "I14" if withdrawn else "I12" if before is None else "I13"
    trace = digest([one for one in segments if not one.startswith("PID")])  # who the person is, is told by ADT
    if before is not None and before.digest == trace:
        return None
    remember(store, listener, f"referral:{id}", trace, "" if echo else trigger)
    return None if echo else Telling(file["id"], Topic.REFERRAL, event("REF", trigger), tuple(segments))


def results_news(store: Store, listener: Listener, task_id: str, *, echo: bool) -> Telling | None:
    """R01 when a quarterly checkup at home is done; again, as a correction, when what it found is changed."""
    task = store.find("Task", task_id)
    if task is None or task.get("status") != "completed" or not _is_checkup(task) or echo:
        return None
    file = follow(store, task["for"]["reference"].rpartition("/")[2])
    if not listener.concerns(file):
        return None
    observations = [store.find("Observation", id) for id in _observations(task)]
    results = [one for each in observations if each for one in _measured(each)]
    if not results:
        return None
    at = datetime.fromisoformat(task["executionPeriod"]["end"]).astimezone(store.zone)
    performer = next((one["reference"] for each in observations if each for one in each.get("performer", [])), "")
    before = last_told(store, listener, f"results:{task_id}")
    name = (_SHAREABLE, "每季上门体检", "L")
    by = (performer.rpartition("/")[2], _name(store, performer))
    person = listener.describe(store, file)
    trace = digest(found(person, task_id, name, at, results, by)[2:])
    if before is not None and before.digest == trace:
        return None
    segments = found(person, task_id, name, at, results, by, corrected=before is not None, sex=listener.sex)
    remember(store, listener, f"results:{task_id}", trace, "R01")
    return Telling(file["id"], Topic.RESULTS, event("ORU", "R01"), tuple(segments))


def booking_news(store: Store, listener: Listener, id: str, *, echo: bool) -> Telling | None:
    """S12 when a visit to this hospital is booked here; S13 moved, S14 changed, S15 cancelled, S26 not come."""
    appointment = store.find("Appointment", id)
    if appointment is None or appointment.get("status") not in _STATUS or "start" not in appointment:
        return None
    actors = [one.get("actor", {}).get("reference", "") for one in appointment.get("participant", [])]
    patient = next((one.rpartition("/")[2] for one in actors if one.startswith("Patient/")), None)
    if patient is None or not any(listener.destination.is_meant(_house(store, one)) for one in actors):
        return None
    file = follow(store, patient)
    start = datetime.fromisoformat(appointment["start"]).astimezone(store.zone)
    end = datetime.fromisoformat(appointment["end"]) if "end" in appointment else None
    minutes = int(appointment.get("minutesDuration") or ((end - start).total_seconds() // 60 if end else 15))
    words = appointment.get("description") or _words(next(iter(appointment.get("serviceType", [])), {}))
    department = _words(appointment.get("specialty", [{}])[0]) if appointment.get("specialty") else ""
    status = appointment["status"]
    segments = booked(listener.describe(store, file), Booked(id, start, minutes, words, department, _STATUS[status]), listener.sex)
    trace = f"{start.isoformat()} {digest([one for one in segments if not one.startswith('PID')])}"
    before = last_told(store, listener, f"booking:{id}")
    if (before is None and status != "booked") or (before is not None and before.digest == trace):
        return None
    moved = before is not None and before.digest.partition(" ")[0] != start.isoformat()
    trigger = {"cancelled": "S15", "noshow": "S26"}.get(status) or ("S12" if before is None else "S13" if moved else "S14")
    remember(store, listener, f"booking:{id}", trace, "" if echo else trigger)
    return None if echo else Telling(file["id"], Topic.BOOKING, event("SIU", trigger), tuple(segments))


def _house(store: Store, actor: str) -> str:
    """The Organization behind a participant: an appointment names a service or a place, never the house itself (R4)."""
    type, _, id = actor.partition("/")
    field = {"HealthcareService": "providedBy", "Location": "managingOrganization", "PractitionerRole": "organization"}.get(type)
    return str((store.find(type, id) or {}).get(field, {}).get("reference", "")) if field else ""


def _is_checkup(task: Resource) -> bool:
    return any(one.get("code") == _SHAREABLE for one in task.get("code", {}).get("coding", []))


def _observations(task: Resource) -> list[str]:
    """Ids of the Observations that a completed visit names."""
    return [
        output["valueReference"]["reference"].rpartition("/")[2]
        for output in task.get("output", [])
        if "valueReference" in output
        and any(one.get("system") == VISIT_OUTPUT and one.get("code") == "observation" for one in output["type"]["coding"])
    ]


def _measured(observation: Resource) -> list[Measured]:
    """The results in an Observation: its own value, and those of its components (a blood pressure has two)."""
    side = observation.get("bodySite", {}).get("coding", [{}])[0].get("display", "")
    flag = next((c.get("code", "") for one in observation.get("interpretation", []) for c in one.get("coding", [])), "")
    status = "C" if observation.get("status") in ("amended", "corrected") else "F"
    made = []
    for part in (observation, *observation.get("component", [])):
        quantity = part.get("valueQuantity")
        code: dict[str, Any] = next((one for one in part.get("code", {}).get("coding", []) if one.get("system") == LOINC), {})
        if quantity is None or not code:
            continue
        words = part.get("code", {}).get("text") or code.get("display", "")
        title = f"{words} {side}".strip()
        made.append(
            Measured(
                code["code"], "LN", title, str(quantity["value"]), quantity.get("code") or quantity.get("unit", ""), "NM", flag, status
            )
        )
    return made


def _words(concept: Resource) -> str:
    return str(concept.get("text") or next((one.get("display", "") for one in concept.get("coding", [])), ""))


def _name(store: Store, reference: str) -> str:
    """The name of a house or a member of staff; empty where the directory does not know it."""
    type, _, id = reference.partition("/")
    if type not in ("Organization", "Practitioner"):
        return ""
    who = store.find(type, id) or {}
    if type == "Organization":
        return str(who.get("name", ""))
    return str(next((one.get("text", "") for one in who.get("name", [])), ""))
