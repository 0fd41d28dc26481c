"""What one hospital message does to our people's files: the whole story, top to bottom.

Every function here runs inside one transaction of the worker, together with the message's own state. What is refused leaves nothing
behind; telling the same again changes nothing.
"""

from collections.abc import Callable
from dataclasses import replace

from healthsvc.contract.stays import discharged
from healthsvc.errors import NotSupported, RuleViolation
from healthsvc.greenchannel.resources import RIGHTS
from healthsvc.greenchannel.rules import RIGHT_NAMES
from healthsvc.greenchannel.service import answer_for
from healthsvc.healthfile.inpatient import inpatient_classes, is_of_class
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.stored import micros
from healthsvc.visit.ward import files_of, in_a_ward
from integrations.effects.alarm import alarm
from integrations.effects.answered import answered
from integrations.effects.background import background
from integrations.effects.booking import booking
from integrations.effects.care import HospitalPolicy, Outcome, follows
from integrations.effects.diagnosis import conditions, diagnosed, doubted
from integrations.effects.document import document
from integrations.effects.followed import are_stale, follow, is_stale
from integrations.effects.laboratory import results
from integrations.effects.link import links
from integrations.effects.master import master
from integrations.effects.merge import merges
from integrations.effects.money import money
from integrations.effects.orders import orders
from integrations.effects.person import Party, SetAside, admit_person, find
from integrations.effects.problem import problems, referral, referral_answer
from integrations.effects.procedure import procedures
from integrations.effects.scene import Scene, begun, scene_of
from integrations.effects.stay import MOVES, Late, Move, Moved, has_ended, move
from integrations.effects.which import encounter_id
from integrations.hl7v2.adt import AdtEvent, read_adt
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, as_standard, family_of, why_unneeded
from integrations.hl7v2.header import Header
from integrations.hospitals.profile import Profile

_CHAPTERS: dict[Family, Callable[[Scene], Outcome]] = {
    Family.LINK: links,
    Family.RESULT: results,
    Family.ORDER: orders,
    Family.BOOKING: booking,
    Family.DOCUMENT: document,
    Family.PROBLEM: problems,
    Family.REFERRAL: referral,
    Family.REFERRAL_ANSWER: referral_answer,
    Family.MONEY: money,
    Family.ALARM: alarm,
    Family.MASTER: master,
    Family.ANSWER: answered,
}


def apply(store: Store, message: Message, header: Header, profile: Profile) -> Outcome:
    """Do what a message asks for; it may be one person's part of a message about several.

    Raises:
        Refusal: it cannot be done; the path is the field to blame. SetAside: somebody must look at it.
        NotOurs: it is about somebody who is none of ours, and the link forgets such people.
    """
    family, known = family_of(header, profile.events), as_standard(header, profile.events)
    scene = scene_of(store, message, known, profile)
    if family in (Family.VISIT, Family.PERSON, Family.MERGE):
        event = read_adt(message, known, profile, scene.zone)
        if family is Family.MERGE:
            return merges(store, event, profile, scene.hospital)
        outcome = _particulars(scene, event) if family is Family.PERSON else _visit(scene, event)
        if outcome.patient:
            background(scene, outcome.patient, outcome)
        return outcome
    if family is Family.UNNEEDED:
        raise NotSupported(why_unneeded(header, profile.events), path="MSH-9", reason="event-unneeded")
    if family not in _CHAPTERS:
        raise NotSupported(f"{header.event} is mapped to nothing here", path="MSH-9", reason="unknown-event")
    if family is Family.REFERRAL_ANSWER:
        answered(scene)  # it is the hospital's word on the message, too
    return _CHAPTERS[family](scene)


def _visit(scene: Scene, event: AdtEvent) -> Outcome:
    """A01 to A14 and their like: the person's file, the stay, and what follows for the visits at home."""
    store, profile, hospital, policy = scene.store, scene.profile, scene.hospital, scene.policy
    happened = event.happened.at if event.happened else store.at
    recorded = micros(event.recorded.at if event.recorded else store.at)
    if event.event == "A08":
        party = _tell(store, event, profile, recorded)
        outcome = begun(party, event.person, happened)
    else:
        party, outcome = scene.meet(event.person, happened)
    if event.stay is None:
        if event.event != "A08":
            raise RuleViolation(f"{event.event} needs a PV1 segment: it does not say which visit it means", path="PV1", reason="no-visit")
        return outcome
    kind = MOVES[event.event]
    stay_id = encounter_id(store, party.id, event.stay, hospital, happened, kind, party.patient)
    if kind in (Move.CANCEL_ADMIT, Move.CANCEL_DISCHARGE) and store.get("Encounter", stay_id) is None:
        if not event.stay.number:
            raise SetAside(f"{event.event} cancels a visit of which nothing is known", path="PV1-19", reason="unknown-visit")
        outcome.remarks.append(f"{event.event} came before what it takes back; what comes later will not undo it")
    details, state = f"stay:{stay_id}", f"state:{stay_id}"
    late = Late(*are_stale(store, (state, details), recorded))
    if late.state or late.details:
        outcome.remarks.append(f"{event.event} came after a later event of the same visit; it only completed the record")
    elif (event.event in ("A01", "A04") or kind in (Move.LEAVE, Move.RETURN)) and has_ended(store.find("Encounter", stay_id), event.stay):
        kind = Move.CHANGE
        outcome.remarks.append(f"{event.event} tells again of a visit that has ended; it only completed the record (A13 reopens one)")
    mark = len(store.acts)
    listed = {"diagnosis": diagnosed(store, stay_id, event.diagnoses)} if event.diagnoses else {}
    told = replace(event.stay, more=event.stay.more | listed)
    moved = move(store, stay_id, party.id, told, kind, hospital, happened, late)
    moves_it = kind not in (Move.CHANGE, Move.TRANSFER, Move.CANCEL_TRANSFER)
    follow(store, details, recorded, event.event, *([state] if moves_it else []))
    outcome.wrote(moved.after, *conditions(store, party.id, moved.id, event.diagnoses, hospital))
    outcome.wrote(*procedures(scene, party.id, moved.id, event.recorded.at if event.recorded else store.at))
    _follow_stay(store, party, moved, kind, policy, outcome)
    follows(store, mark, outcome)
    return outcome


def _tell(store: Store, event: AdtEvent, profile: Profile, recorded: int) -> Party:
    """The person of a message that is about who the person is: its word counts, unless this link has said something later."""
    known = find(store, event.person.numbers)
    stale = known is not None and is_stale(store, f"person:{profile.name}:{known['id']}", recorded)
    party = admit_person(store, known, event.person, profile, overwrite=not stale)
    follow(store, f"person:{profile.name}:{party.id}", recorded, event.event)
    return party


def _follow_stay(store: Store, party: Party, moved: Moved, kind: Move, policy: HospitalPolicy, outcome: Outcome) -> None:
    """What a hospital's word on a stay means beyond what the stay itself leads to (``healthsvc.contract.stays``)."""
    if moved.after is moved.before or is_deceased(party.patient):
        return
    classes = inpatient_classes(store)
    if kind is Move.CANCEL_ADMIT and moved.is_new_as("cancelled"):
        outcome.wrote(*doubted(store, moved.id))
    if moved.ends(classes):
        if in_a_ward(store, files_of(store, party.id)) is not None:
            outcome.remarks.append("another stay is still open; the visits at home stay suspended")
    elif moved.is_new_as("finished") and is_of_class(moved.after, classes):
        discharged(store, party.id, moved.after)  # of a stay of which only the end was told
    elif kind is Move.ADMIT and moved.is_new_as("in-progress") and not moved.begins(classes):
        _start_channel_clock(store, party.id, moved, outcome)


def _start_channel_clock(store: Store, patient: str, moved: Moved, outcome: Outcome) -> None:
    """An outpatient visit of somebody with the green channel 绿色通道: mark it; its start is when the clock begins to run."""
    told = answer_for(store, patient, today(store))
    if not told.entitled:
        return
    rights = [{"system": RIGHTS, "code": right.value, "display": RIGHT_NAMES[right][0]} for right in RIGHT_NAMES if right in told.rights]
    around = moved.after.get("hospitalization", {})
    theirs = [one for one in around.get("specialCourtesy", ()) if "coding" not in one]
    encounter = moved.after | {"hospitalization": around | {"specialCourtesy": [*theirs, {"coding": rights}]}}
    outcome.wrote(store.put(encounter))


def _particulars(scene: Scene, event: AdtEvent) -> Outcome:
    """A28, A31, A60: who the person is."""
    recorded = event.recorded.at if event.recorded else scene.store.at
    return begun(
        _tell(scene.store, event, scene.profile, micros(recorded)), event.person, event.happened.at if event.happened else recorded
    )
