"""What one hospital message does to our people's files: the whole story, top to bottom.

Every function here runs inside one transaction of the worker, together with the message's own state. What is refused leaves nothing
behind; telling the same again changes nothing.
"""

from datetime import datetime

from healthsvc.errors import NotSupported, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.resources import RIGHTS
from healthsvc.greenchannel.rules import RIGHT_NAMES
from healthsvc.greenchannel.service import answer_for
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import today
from healthsvc.referral import service as referrals
from healthsvc.store import Store
from healthsvc.store.stored import micros
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import Priority
from integrations.effects.care import HospitalPolicy, Outcome, ask, call_off, hold, take_up
from integrations.effects.followed import follow, is_stale
from integrations.effects.merge import merges
from integrations.effects.person import Party, SetAside, admit_person, find
from integrations.effects.result import SETTLED, report_id, write_report
from integrations.effects.stay import MOVES, Late, Move, Moved, conditions, encounter_id, move
from integrations.hl7v2.adt import AdtEvent, Stay, read_adt
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, family_of
from integrations.hl7v2.header import Header
from integrations.hl7v2.oru import Report, ResultEvent, read_results
from integrations.hl7v2.person import Demographics
from integrations.hospitals.profile import Profile


def apply(store: Store, message: Message, header: Header, profile: Profile) -> Outcome:
    """Do what a message asks for.

    Raises:
        Refusal: it cannot be done; the path is the field to blame. SetAside: somebody must look at it.
        NotOurs: it is about somebody who is none of ours, and the link forgets such people.
    """
    hospital = profile.hospital_of(header)
    policy = store.policy.fill(HospitalPolicy, "hospital", today(store))
    family = family_of(header)
    if family in (None, Family.QUERY, Family.ANSWER):
        raise NotSupported(f"{header.event} is mapped to nothing here", path="MSH-9", reason="unknown-event")
    if family is Family.RESULT:
        return _results(store, read_results(message, header, profile, store.zone), profile, hospital, header, policy)
    event = read_adt(message, header, profile, store.zone)
    if family is Family.MERGE:
        return merges(store, event, profile)
    if family is Family.PERSON:
        return _particulars(store, event, profile)
    return _visit(store, event, profile, hospital, policy)


def _visit(store: Store, event: AdtEvent, profile: Profile, hospital: str, policy: HospitalPolicy) -> Outcome:
    """A01 to A08, A11 to A13: the person's file, the stay, and what follows for the visits at home."""
    happened = event.happened.at if event.happened else store.at
    recorded = micros(event.recorded.at if event.recorded else store.at)
    party = _tell(store, event, profile, recorded) if event.event == "A08" else _meet(store, event.person, profile)
    outcome = _begun(party, event.person, happened)
    if event.stay is None:
        if event.event != "A08":
            raise RuleViolation(f"{event.event} needs a PV1 segment: it does not say which visit it means", path="PV1", reason="no-visit")
        return outcome
    kind, stay_id = MOVES[event.event], encounter_id(store, party.id, event.stay, hospital, happened)
    if kind in (Move.CANCEL_ADMIT, Move.CANCEL_DISCHARGE) and store.find("Encounter", stay_id) is None:
        raise SetAside(f"{event.event} cancels a visit of which nothing is known", path="PV1-19", reason="unknown-visit")
    late = Late(is_stale(store, f"state:{stay_id}", recorded), is_stale(store, f"stay:{stay_id}", recorded))
    if late.state or late.details:
        outcome.remarks.append(f"{event.event} came after a later event of the same visit; it only completed the record")
    moved = move(store, stay_id, party.id, event.stay, kind, hospital, happened, late)
    follow(store, f"stay:{stay_id}", recorded, event.event)
    if kind is not Move.CHANGE:
        follow(store, f"state:{stay_id}", recorded, event.event)
    outcome.wrote(moved.after, *conditions(store, party.id, moved.id, event.diagnoses, hospital))
    _follow_stay(store, party, moved, kind, happened, policy, outcome)
    return outcome


def _meet(store: Store, told: Demographics, profile: Profile) -> Party:
    """The person of a message that is about something else: what it says of the person only fills gaps."""
    return admit_person(store, find(store, told.numbers), told, profile, overwrite=False)


def _tell(store: Store, event: AdtEvent, profile: Profile, recorded: int) -> Party:
    """The person of a message that is about who the person is: its word counts, unless this link has said something later."""
    known = find(store, event.person.numbers)
    stale = known is not None and is_stale(store, f"person:{profile.name}:{known['id']}", recorded)
    party = admit_person(store, known, event.person, profile, overwrite=not stale)
    follow(store, f"person:{profile.name}:{party.id}", recorded, event.event)
    return party


def _begun(party: Party, told: Demographics, happened: datetime) -> Outcome:
    outcome = Outcome(party.id, happened=happened)
    outcome.remarks += [*party.warnings, *(f"{place} could not be read" for place in told.doubts)]
    if party.changed:
        outcome.wrote(party.patient)
    return outcome


def _follow_stay(
    store: Store, party: Party, moved: Moved, kind: Move, happened: datetime, policy: HospitalPolicy, outcome: Outcome
) -> None:
    """What a stay means for the care at home: an admission holds the visits and calls for one, a discharge takes them up again."""
    classes = policy.inpatient_classes
    if is_deceased(party.patient):
        return
    if moved.begins(classes):
        held = hold(store, party.id, moved.id, policy)
        outcome.made += [f"Task/{one}" for one in held]
        if kind is Move.CANCEL_DISCHARGE:
            call_off(store, derived_id("follow-up", moved.id), "discharge-cancelled", outcome)
        outcome.wrote(ask(store, party.id, "admission-visit", moved.id, happened, policy.admission_visit_days))
        if referred := referrals.admitted(store, party.id, f"Encounter/{moved.id}"):
            outcome.made.append(f"ServiceRequest/{referred.id}")
        return
    if moved.ends(classes):
        if kind is Move.CANCEL_ADMIT:
            call_off(store, derived_id("admission-visit", moved.id), "admission-cancelled", outcome)
        elif kind is Move.DISCHARGE:
            _discharged(store, party, moved, happened, policy, outcome)
        take_up(store, party.id, happened, policy, outcome)
    elif moved.is_new_as("finished") and moved.after.get("class", {}).get("code") in classes:
        _discharged(store, party, moved, happened, policy, outcome)
    elif kind is Move.ADMIT and moved.is_new_as("in-progress"):
        _start_channel_clock(store, party.id, moved, outcome)


def _discharged(store: Store, party: Party, moved: Moved, at: datetime, policy: HospitalPolicy, outcome: Outcome) -> None:
    """Somebody is back from hospital: the referral that led there asks for its own follow-up, otherwise the stay does."""
    referred = referrals.discharged(store, party.id, f"Encounter/{moved.id}")
    if referred is not None:
        outcome.made.append(f"ServiceRequest/{referred.id}")
        return
    outcome.wrote(ask(store, party.id, "follow-up", moved.id, at, policy.discharge_followup_days))


def _start_channel_clock(store: Store, patient: str, moved: Moved, outcome: Outcome) -> None:
    """An outpatient visit of somebody with the green channel 绿色通道: mark it; its start is when the clock begins to run."""
    told = answer_for(store, patient, today(store))
    if not told.entitled:
        return
    rights = [{"system": RIGHTS, "code": right.value, "display": RIGHT_NAMES[right][0]} for right in RIGHT_NAMES if right in told.rights]
    encounter = moved.after | {"hospitalization": moved.after.get("hospitalization", {}) | {"specialCourtesy": [{"coding": rights}]}}
    outcome.wrote(store.put(encounter))


def _particulars(store: Store, event: AdtEvent, profile: Profile) -> Outcome:
    """A28 and A31: who the person is."""
    recorded = event.recorded.at if event.recorded else store.at
    return _begun(_tell(store, event, profile, micros(recorded)), event.person, event.happened.at if event.happened else recorded)


def _results(store: Store, event: ResultEvent, profile: Profile, hospital: str, header: Header, policy: HospitalPolicy) -> Outcome:
    """ORU and OUL: reports into the file; what is abnormal calls for a follow-up."""
    party = _meet(store, event.person, profile)
    sent = event.sent.at if event.sent else store.at
    outcome = _begun(party, event.person, sent)
    encounter = _stay_of(store, party.id, event.stay, hospital, sent)
    for index, report in enumerate(event.reports, start=1):
        id = report_id(report, hospital, f"{header.control_id}#{index}")
        issued = report.issued.at if report.issued else sent
        if is_stale(store, f"report:{id}", micros(issued)):
            outcome.remarks.append(f"report {index} is older than the version on file and was left aside")
            continue
        written, observations = write_report(store, party.id, report, hospital, id, sent, encounter)
        follow(store, f"report:{id}", micros(issued), event.event)
        outcome.wrote(written, *observations)
        _follow_report(store, party, report, written, issued, policy, outcome)
    return outcome


def _stay_of(store: Store, patient: str, stay: Stay | None, hospital: str, at: datetime) -> str | None:
    """The stay on file that a report belongs to; a report never opens one."""
    if stay is None:
        return None
    id = encounter_id(store, patient, stay, hospital, at)
    return id if store.find("Encounter", id) else None


def _follow_report(
    store: Store, party: Party, report: Report, written: Resource, at: datetime, policy: HospitalPolicy, outcome: Outcome
) -> None:
    """An abnormal result is followed up, a critical one within a day; a correction to normal calls the follow-up off."""
    counted = [result for result in report.results if result.status not in ("D", "W", "X")]
    abnormal, critical = any(result.abnormal for result in counted), any(result.critical for result in counted)
    task_id = derived_id("follow-up", written["id"])
    if not abnormal:
        if written["status"] in SETTLED:
            call_off(store, task_id, "result-corrected", outcome)
        return
    if is_deceased(party.patient) or not (critical or written["status"] in SETTLED):
        return
    days = policy.critical_followup_days if critical else policy.abnormal_followup_days
    priority = Priority.URGENT if critical else Priority.ROUTINE
    outcome.wrote(ask(store, party.id, "follow-up", written["id"], at, days, type="DiagnosticReport", priority=priority))
