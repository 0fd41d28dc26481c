"""An appointment of a group: whom a later message about the group names no longer, is no longer booked with it.

Only a message about several persons speaks of the group. One that names a single person is about that person: many hospitals call a group
off or move it person by person, under one number.
"""

from collections.abc import Iterable, Iterator

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.systems import hospital_number
from healthsvc.healthfile.service import is_same_person
from healthsvc.store import Store
from healthsvc.store.lookup import holding
from healthsvc.store.stored import micros
from integrations.effects.care import Outcome
from integrations.effects.followed import follow, is_stale
from integrations.effects.scene import Scene, flat
from integrations.hl7v2.booking import BOOKING_EVENTS, read_booking

_DROPPED = "新的小组预约中已无此人 no longer named in the group's appointment"
_STANDS = frozenset({"proposed", "pending", "booked", "waitlist"})


def left_out(scene: Scene, parts: Iterable[Outcome]) -> Iterator[Outcome]:
    """Call off the appointments of those whom a message about a group names no longer; gives what became of each.

    Args:
        scene: the message as one person's part of it reads: its number and time are everybody's.
        parts: what the parts of those who are named brought about.
    """
    store = scene.store
    event = read_booking(scene.message, scene.header, scene.profile, scene.zone)
    at = event.sent or store.at
    moment, named = micros(at), [part for part in parts if part.patient]
    for appointment in {reference for part in named for reference in part.made if reference.startswith("Appointment/")}:
        follow(store, f"group:{appointment.partition('/')[2]}", moment, scene.header.event)
    if BOOKING_EVENTS.get(scene.header.trigger) != "booked":
        return
    for known in holding(store, "Appointment", [(f"{hospital_number(scene.hospital)}/appointment", event.number)]):
        actors = flat(one.get("actor") for one in known.get("participant", ()))
        whose = next((person for one in actors if (person := reference_id(one, "Patient"))), None)
        of_the_group = is_stale(store, f"group:{known['id']}", 0)
        late = is_stale(store, f"appointment:{known['id']}", moment)
        if whose is None or not of_the_group or late or known["status"] not in _STANDS or _is_among(store, whose, named):
            continue
        follow(store, f"appointment:{known['id']}", moment, scene.header.event)
        outcome = Outcome(whose, happened=at)
        outcome.wrote(store.put(known | {"status": "cancelled", "cancelationReason": {"text": _DROPPED}}))
        outcome.remarks.append("somebody whom the group's appointment names no longer has it no more")
        yield outcome


def _is_among(store: Store, whose: str, named: Iterable[Outcome]) -> bool:
    return any(part.patient is not None and is_same_person(store, whose, part.patient) for part in named)
