"""What a hospital has booked: an Appointment in the file, and home visits planned for that time wait for another."""

from datetime import datetime, timedelta

from healthsvc.fhir.elements import reference
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Status
from integrations.effects.care import Outcome
from integrations.effects.scene import Scene, joined
from integrations.hl7v2.booking import read_booking

_NEEDS_NO_TIME = frozenset({"proposed", "cancelled", "waitlist"})
_TAKES_TIME = frozenset({"booked", "arrived", "checked-in", "pending"})


def booking(scene: Scene) -> Outcome:
    """SIU: booked, moved, called off, not come."""
    store = scene.store
    event = read_booking(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    id = scene.own_id("Appointment", scene.id("appointment", event.number), party.id)
    if scene.is_late(f"appointment:{id}", event.sent, outcome, "an appointment"):
        return outcome
    known = store.find("Appointment", id)
    told = dict(event.appointment)
    if "start" not in told and known and "start" in known:
        told |= {"start": known["start"], "end": known["end"]}  # a cancellation seldom repeats the time
    if "start" in told and "end" not in told:
        start = datetime.fromisoformat(told["start"])
        told["end"] = (start + timedelta(minutes=scene.policy.appointment_minutes)).isoformat()
        outcome.remarks.append(f"the hospital gives no end; {scene.policy.appointment_minutes} minutes are assumed")
    if "start" not in told and told["status"] not in _NEEDS_NO_TIME:
        # R4 app-3: what has no time is only proposed; one that was missed, and whose time nobody ever told, is called off
        told["status"] = "cancelled" if told["status"] == "noshow" else "proposed"
    elif "start" in told and told["status"] == "proposed":
        told["status"] = "booked"
    person = {"actor": reference("Patient", party.id), "status": "accepted"}
    told["participant"] = [person, *told.get("participant", ())]
    appointment = joined(known, told | {"id": id})
    if appointment["status"] != "cancelled":
        # R4 app-4: what is booked again has none, and neither has a no-show: the rule as published asks for a code "no-show" that is none
        appointment.pop("cancelationReason", None)
    written = store.put(appointment)
    outcome.wrote(written)
    if written["status"] in _TAKES_TIME and "start" in written:
        begins, ends = (datetime.fromisoformat(written[key]).astimezone(store.zone) for key in ("start", "end"))
        _give_way(store, party.id, begins, ends, outcome)
    return outcome


def _give_way(store: Store, patient: str, begins: datetime, ends: datetime, outcome: Outcome) -> None:
    """Planned home visits that fall into the time when the person is away (by the planner's own margin) wait to be planned anew."""
    margin = timedelta(minutes=float(store.policy.value("dayplan.appointment_margin", begins.date())))
    for visit in visits.open_visits(store, patient):
        planned = store.find("Encounter", visit.encounter.rpartition("/")[2]) if visit.encounter else None
        span = (planned or {}).get("period", {})
        if visit.status is not Status.ACCEPTED or planned is None or not {"start", "end"} <= set(span):
            continue
        start, end = (datetime.fromisoformat(span[key]) for key in ("start", "end"))
        if planned["status"] == "planned" and start < ends + margin and begins - margin < end:
            outcome.wrote(visits.unplan(store, visit.id))
            outcome.remarks.append("a home visit planned for that time waits to be planned anew")
