"""一键通 Raise an alarm, call the chain, take, hand over and close it; show the emergency sheet."""

from dataclasses import dataclass
from datetime import datetime

from healthsvc.emergency import rules
from healthsvc.emergency.resources import EMERGENCY, Reachable, chain, is_alarm, to_alarm, to_task
from healthsvc.emergency.rules import Act, Alarm, EmergencyPolicy, Line, Status
from healthsvc.errors import Invalid, NotFound, RuleViolation
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

CALL = "emergency-call"
"""Outbox kind: one callee to be called; the payload names alarm, callee and round, never a phone number."""
DEVICE_NUMBER = f"{BASE}/NamingSystem/one-key-device"
"""Identifier system of one-key phones, unless a message names another."""
OPEN = ("requested", "in-progress", "failed")


@dataclass(frozen=True, slots=True)
class Sheet:
    """应急信息表: what helpers at the door need, and no more."""

    name: str
    sex: str
    age: int | None
    address: str
    phones: tuple[str, ...]
    allergies: tuple[str, ...]
    conditions: tuple[str, ...]
    contacts: tuple[Reachable, ...]


def policy_of(store: Store) -> EmergencyPolicy:
    """The emergency policy in force on the day of the transaction."""
    return store.policy.fill(EmergencyPolicy, "emergency", today(store))


def patient_of_device(store: Store, system: str, number: str) -> str:
    """Whose one-key device it is (Device.identifier, Device.patient).

    Raises:
        NotFound: no device of that number is registered, or it belongs to nobody.
    """
    for device in store.select("Device", identifier=f"{system}|{number}"):
        patient = reference_id(device.get("patient"), "Patient")
        if patient is not None:
            return str(follow(store, patient)["id"])
    raise NotFound("no device of this number is registered to a person")


def raise_alarm(store: Store, patient: str, kind: str, source: str, at: datetime, text: str = "") -> Alarm:
    """Take an alarm in and call the first of the chain at once. A second press while it is open joins it and starts nothing twice."""
    policy = policy_of(store)
    if kind not in policy.kinds:
        raise Invalid(f"{kind!r} is no kind of alarm; use {', '.join(policy.kinds)}", path="Task.code")
    person = str(follow(store, patient)["id"])
    for known in open_alarms(store, person):
        if rules.joins(known, at, policy):
            last = known.log[-1].at
            return _write(store, rules.add(known, Line(Act.REPEAT, max(at, last), source, text=text)))
    alarm = Alarm(derived_id("alarm", f"{person}-{at:%Y%m%d%H%M%S}"), person, kind, source)
    return advance(store, rules.add(alarm, Line(Act.RAISE, at, source, text=text)), at)


def take_in(
    store: Store, patient: str | None, device: str | None, system: str, kind: str, source: str, at: datetime | None = None, text: str = ""
) -> Alarm:
    """Raise an alarm for a person or for whoever owns a device; a time in the future (a device with a wrong clock) counts as now."""
    if bool(patient) == bool(device):
        raise Invalid("an alarm names its device or its patient, one of them", path="device")
    return raise_alarm(store, patient or patient_of_device(store, system, device or ""), kind, source, min(at or store.at, store.at), text)


def all_open(store: Store) -> list[Alarm]:
    """Everybody's alarms that are not closed, latest first."""
    found = [to_alarm(task) for task in store.select("Task", code=f"{EMERGENCY}|alarm", status=list(OPEN))]
    return sorted(found, key=lambda alarm: alarm.raised, reverse=True)


def advance(store: Store, alarm: Alarm, at: datetime) -> Alarm:
    """Do what is due on an alarm at a moment: write off who did not answer, call the next. Twice changes nothing."""
    lines = rules.escalate(alarm, [one.callee for one in reachable(store, alarm.patient)], policy_of(store), at)
    for line in lines:
        alarm = rules.add(alarm, line)
    stored = _write(store, alarm)
    for line in lines:
        if line.act is Act.CALL:
            store.outbox(CALL, alarm.id, {"alarm": alarm.id, "who": line.who, "round": line.round})
    return stored


def advance_all(store: Store, at: datetime) -> list[Alarm]:
    """Do what is due on every alarm that rings; a watch calls it every second."""
    ringing = [to_alarm(task) for task in store.select("Task", code=f"{EMERGENCY}|alarm", status="requested")]
    return [advance(store, alarm, at) for alarm in ringing if _something_due(store, alarm, at)]


def not_reached(store: Store, alarm_id: str, who: str, round_: int, at: datetime, why: str) -> Alarm:
    """The notifier could not reach somebody: write it down and go on to the next at once."""
    alarm = read(store, alarm_id)
    if alarm.status is Status.RINGING and who in alarm.calls(round_) and who not in alarm.missed(round_):
        at = max(at, alarm.log[-1].at)
        alarm = rules.add(alarm, Line(Act.NOT_REACHED, at, who, round_, why))
        return advance(store, alarm, at)
    return alarm


def take(store: Store, alarm_id: str, who: str, at: datetime) -> Alarm:
    """Somebody takes the alarm in hand: nobody else is called."""
    return _add(store, alarm_id, Line(Act.TAKE, at, who))


def hand_over(store: Store, alarm_id: str, to: str, at: datetime, text: str = "") -> Alarm:
    """Whoever had it hands it to somebody else."""
    return _add(store, alarm_id, Line(Act.HAND_OVER, at, to, text=text))


def close(store: Store, alarm_id: str, who: str, outcome: str, at: datetime) -> Alarm:
    """The alarm is over, with its outcome."""
    if outcome not in policy_of(store).outcomes:
        raise RuleViolation(f"an alarm ends as one of {', '.join(policy_of(store).outcomes)}", reason="emergency-outcome")
    return _add(store, alarm_id, Line(Act.CLOSE, at, who, text=outcome))


def read(store: Store, alarm_id: str) -> Alarm:
    """One alarm with its log."""
    task = store.find("Task", alarm_id)
    if task is None or not is_alarm(task):
        raise NotFound("there is no such alarm")
    return to_alarm(task)


def open_alarms(store: Store, patient: str) -> list[Alarm]:
    """A person's alarms that are not closed, latest first."""
    found = [to_alarm(task) for task in store.select("Task", patient=patient, status=list(OPEN)) if is_alarm(task)]
    return sorted(found, key=lambda alarm: alarm.raised, reverse=True)


def reachable(store: Store, patient: str) -> list[Reachable]:
    """Everybody of the chain who has a phone."""
    person = to_person(follow(store, patient))
    doctor = None
    if person.doctor:
        practitioner = store.find("Practitioner", person.doctor.rpartition("/")[2]) or {}
        phone = next((one.get("value", "") for one in practitioner.get("telecom", ()) if one.get("system") == "phone"), "")
        doctor = (next((one.get("text", "") for one in practitioner.get("name", ())), ""), phone)
    return chain(person, doctor)


def name_of(store: Store, patient: str) -> str:
    """The name that helpers are told."""
    return to_person(follow(store, patient)).name


def sheet(store: Store, patient: str, purpose: str) -> Sheet:
    """Show the emergency sheet; that it was shown, to whom and for which purpose is noted."""
    if not purpose.strip():
        raise RuleViolation("say for which purpose the emergency sheet is opened", reason="emergency-purpose")
    file = follow(store, patient)
    person = to_person(file)
    store.audit("emergency-sheet", f"Patient/{file['id']}", patient=file["id"], purpose=purpose)
    born, on = person.birth, today(store)
    return Sheet(
        name=person.name,
        sex=person.sex,
        age=on.year - born.year - ((on.month, on.day) < (born.month, born.day)) if born else None,
        address=person.address,
        phones=person.phones,
        allergies=tuple(_names(store.select("AllergyIntolerance", patient=file["id"]))),
        conditions=tuple(_names(store.select("Condition", patient=file["id"]))),
        contacts=tuple(reachable(store, file["id"])),
    )


def _names(resources: list[Resource]) -> list[str]:
    names = (
        one.get("code", {}).get("text") or next((c.get("display", "") for c in one.get("code", {}).get("coding", ())), "")
        for one in resources
    )
    return list(dict.fromkeys(name for name in names if name))


def _something_due(store: Store, alarm: Alarm, at: datetime) -> bool:
    due = rules.next_look(alarm, policy_of(store))
    return due is not None and due <= at


def _add(store: Store, alarm_id: str, line: Line) -> Alarm:
    return _write(store, rules.add(read(store, alarm_id), line))


def _write(store: Store, alarm: Alarm) -> Alarm:
    store.put(to_task(alarm))
    return alarm
