"""一键通 Raise an alarm, call the chain, take, hand over and close it. What the database holds; the journal is :mod:`.desk`'s."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

from healthsvc.consent.rules import Purpose
from healthsvc.consent.service import forbids
from healthsvc.emergency import rules
from healthsvc.emergency.journal import Call, Kept
from healthsvc.emergency.nearest import ROLE as NEAREST
from healthsvc.emergency.nearest import Near
from healthsvc.emergency.resources import EMERGENCY, Reachable, chain, is_alarm, to_alarm, to_task
from healthsvc.emergency.rules import Act, Alarm, Callee, EmergencyPolicy, Line, Status
from healthsvc.errors import Invalid, NotFound, RuleViolation
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.systems import ONE_KEY_DEVICE
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import ContactRole
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store

CALL = "emergency-call"
"""Outbox kind: one callee to be called; the payload names alarm, callee and round, never a phone number."""
DEVICE_NUMBER = ONE_KEY_DEVICE
"""Identifier system of one-key phones, unless a message names another."""
OPEN = ("requested", "in-progress", "failed")


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
    raise NotFound("no device of this number is registered to a person", reason="emergency-device")


def alarm_id(call: Call) -> str:
    """The id of the alarm that a call would begin: the same call told twice is one. It shows neither person nor device."""
    whom = call.patient or f"{call.device_system}|{call.device}"
    return "alarm-" + blake2b(f"{whom}|{call.at:%Y%m%d%H%M%S%z}".encode(), digest_size=16).hexdigest()


def check_call(call: Call, policy: EmergencyPolicy) -> None:
    """Refuse what nobody could act on, before it is written down.

    Raises:
        Invalid: neither or both of person and device, or no such kind of alarm.
    """
    if bool(call.patient) == bool(call.device):
        raise Invalid("an alarm names its device or its patient, one of them", path="device")
    if call.kind not in policy.kinds:
        raise Invalid(f"{call.kind!r} is no kind of alarm; use {', '.join(policy.kinds)}", path="Task.code")


def raise_alarm(store: Store, patient: str, kind: str, source: str, at: datetime, text: str = "") -> Alarm:
    """Take an alarm in and call the first of the chain at once. A second press while it is open joins it and starts nothing twice."""
    return take_in(store, Call(kind, source, at, patient=patient, text=text))


def take_in(store: Store, call: Call) -> Alarm:
    """Raise the alarm of a call; a time in the future (a device with a wrong clock) counts as now."""
    return advance(store, begin(store, call), store.at)


def begin(store: Store, call: Call) -> Alarm:
    """The alarm that a call begins or joins; nothing is written yet."""
    policy = policy_of(store)
    check_call(call, policy)
    at = min(call.at, store.at)
    whom = call.patient or patient_of_device(store, call.device_system or DEVICE_NUMBER, call.device or "")
    id, person = alarm_id(call), str(follow(store, whom)["id"])
    told = store.find("Task", id)
    if told is not None:
        return to_alarm(told)
    for known in open_alarms(store, person):
        if rules.joins(known, at, policy):
            repeat = Line(Act.REPEAT, max(at, known.log[-1].at), call.source, text=call.text)
            return known if Line(Act.REPEAT, at, call.source, text=call.text) in known.log else rules.add(known, repeat)
    return rules.add(Alarm(id, person, call.kind, call.source), Line(Act.RAISE, at, call.source, text=call.text))


def absorb(store: Store, kept: Kept) -> Alarm:
    """Write what the journal holds of an alarm: the call, and what was done while the database could not be written.

    A line that no longer follows (somebody else wrote meanwhile) is kept as a note.

    Raises:
        NotFound: the device is not registered, or the alarm is in neither place.
    """
    alarm = begin(store, kept.call) if kept.call is not None else read(store, kept.alarm)
    return advance(store, overlaid(alarm, kept.lines), store.at)


def overlaid(alarm: Alarm, lines: Sequence[Line]) -> Alarm:
    """An alarm with the lines of the journal; those that stand in its log already are not added again."""
    known = set(alarm.log)
    for line in lines:
        if line in known:
            continue
        at = max(line.at, alarm.log[-1].at)
        try:
            alarm = rules.add(alarm, Line(line.act, at, line.who, line.round, line.text))
        except RuleViolation:
            alarm = rules.add(alarm, Line(Act.NOTE, at, line.who, text=f"{line.act} {line.at.isoformat(timespec='seconds')} {line.text}"))
    return alarm


def all_open(store: Store) -> list[Alarm]:
    """Everybody's alarms that are not closed, latest first."""
    found = [to_alarm(task) for task in store.select("Task", code=f"{EMERGENCY}|alarm", status=list(OPEN))]
    return sorted(found, key=lambda alarm: alarm.raised, reverse=True)


def advance(store: Store, alarm: Alarm, at: datetime) -> Alarm:
    """Do what is due on an alarm at a moment: write off who did not answer, call the next. Twice changes nothing."""
    lines = rules.escalate(alarm, [one.callee for one in reachable(store, alarm)], policy_of(store), max(at, alarm.log[-1].at))
    for line in lines:
        alarm = rules.add(alarm, line)
    store.put(to_task(alarm))
    for line in lines:
        if line.act is Act.CALL:
            store.outbox(CALL, alarm.id, {"alarm": alarm.id, "who": line.who, "round": line.round})
    return alarm


def advance_all(store: Store, at: datetime) -> list[Alarm]:
    """Do what is due on every alarm that rings; a watch calls it every moment."""
    return [advance(store, alarm, at) for alarm in ringing(store) if something_due(store, alarm, at)]


def ringing(store: Store) -> list[Alarm]:
    """The alarms that nobody has in hand yet."""
    return [to_alarm(task) for task in store.select("Task", code=f"{EMERGENCY}|alarm", status="requested")]


def something_due(store: Store, alarm: Alarm, at: datetime) -> bool:
    """Whether there is anything to do on an alarm at a moment."""
    return bool(rules.escalate(alarm, [one.callee for one in reachable(store, alarm)], policy_of(store), max(at, alarm.log[-1].at)))


def not_reached(store: Store, alarm_id: str, who: str, round_: int, at: datetime, why: str) -> Alarm:
    """Somebody could not be reached, or said that they cannot come: write it down and go on to the next at once."""
    alarm = read(store, alarm_id)
    if alarm.status is Status.RINGING and who in alarm.calls(round_) and who not in alarm.missed(round_):
        at = max(at, alarm.log[-1].at)
        return advance(store, rules.add(alarm, Line(Act.NOT_REACHED, at, who, round_, why)), at)
    return alarm


def act(store: Store, alarm_id: str, line: Line) -> Alarm:
    """Write one line of an alarm: taken, handed over, noted, closed.

    Raises:
        NotFound: there is no such alarm. RuleViolation: it cannot follow, or the outcome is none of the policy's.
    """
    check_line(line, policy_of(store))
    alarm = read(store, alarm_id)
    alarm = rules.add(alarm, replace(line, at=max(line.at, alarm.log[-1].at)))
    store.put(to_task(alarm))
    return alarm


def check_line(line: Line, policy: EmergencyPolicy) -> None:
    """Refuse an outcome that is none of the policy's."""
    if line.act is Act.CLOSE and line.text not in policy.outcomes:
        raise RuleViolation(f"an alarm ends as one of {', '.join(policy.outcomes)}", reason="emergency-outcome", path="outcome")


def stand_by(store: Store, alarm_id: str, found: Sequence[Near], at: datetime) -> Alarm:
    """Doctors who are near join the chain; once for each alarm."""
    alarm = read(store, alarm_id)
    if alarm.status is Status.CLOSED or any(line.act is Act.STANDBY for line in alarm.log):
        return alarm
    at = max(at, alarm.log[-1].at)
    for index, one in enumerate(found):
        told = f"Practitioner/{one.practitioner} {one.minutes:.1f} min"
        alarm = rules.add(alarm, Line(Act.STANDBY, at, Callee(NEAREST, index).key, text=told))
    if not found:
        alarm = rules.add(alarm, Line(Act.STANDBY, at, text="nobody free within reach"))
    return advance(store, alarm, at)


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


def reachable(store: Store, alarm: Alarm) -> list[Reachable]:
    """Everybody of an alarm's chain who has a phone: the contacts of the file, and the doctors near by who have joined."""
    found = contacts(store, alarm.patient)
    for line in alarm.log:
        if line.act is Act.STANDBY and line.who:
            name, phone = _doctor(store, line.text.partition(" ")[0])
            if phone and phone not in {one.phone for one in found}:
                found.append(Reachable(Callee(NEAREST, int(line.who.rpartition("-")[2])), name, phone))
    return found


def contacts(store: Store, patient: str) -> list[Reachable]:
    """The contacts of a person's file who have a phone; the responsible doctor stands in for the community doctor.

    A community worker is among them unless the person does not want one to be told.
    """
    person = to_person(follow(store, patient))
    found = chain(person, _doctor(store, person.doctor) if person.doctor else None)
    if forbids(store, patient, Purpose.COMMUNITY_WORKER) is None:
        return found
    return [one for one in found if one.callee.role != ContactRole.COMMUNITY_WORKER]


def name_of(store: Store, patient: str) -> str:
    """The name that helpers are told."""
    return to_person(follow(store, patient)).name


def _doctor(store: Store, reference: str) -> tuple[str, str]:
    """Name and telephone of a member of the staff."""
    practitioner = store.find("Practitioner", reference.rpartition("/")[2]) or {}
    phone = next((one.get("value", "") for one in practitioner.get("telecom", ()) if one.get("system") == "phone"), "")
    return next((one.get("text", "") for one in practitioner.get("name", ())), ""), phone
