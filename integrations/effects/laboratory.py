"""ORU and OUL: reports into the file; what is abnormal calls for a follow-up."""

from datetime import datetime

from healthsvc.fhir.flags import ABNORMAL, CRITICAL
from healthsvc.healthfile.resources import is_deceased
from healthsvc.store.stored import micros
from healthsvc.visit.asking import ask
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import Priority
from integrations.effects.amending import GONE, SETTLED
from integrations.effects.care import Outcome, call_off
from integrations.effects.followed import follow, is_stale
from integrations.effects.orders import write_specimens
from integrations.effects.person import Party
from integrations.effects.relevant import time_from
from integrations.effects.result import Filed, flags_of, write_report
from integrations.effects.scene import Scene
from integrations.effects.stay import opaque
from integrations.effects.which_report import which_report
from integrations.hl7v2.oru import read_results

_OVER = frozenset({"completed", "failed"})


def results(scene: Scene) -> Outcome:
    """Every report of the message; a correction becomes a new version, an older word than that on file only adds what is missing there."""
    store = scene.store
    event = read_results(scene.message, scene.header, scene.profile, scene.zone)
    sent = event.sent.at if event.sent else store.at
    party, outcome = scene.meet(event.person, sent)
    if event.adopted:
        outcome.remarks.append(f"{event.adopted} results stood before the order (OBR) of the message and were filed with it")
    if event.aside:
        outcome.remarks.append(
            f"{event.aside} observations of the patient or of a document belong to no order; they are kept with the message"
        )
    encounter = scene.stay(party.id, event.stay, sent)
    for index, report in enumerate(event.reports, start=1):
        id = which_report(scene, report, party.id, f"{scene.header.control_id}#{index}")
        issued = report.issued.at if report.issued else sent
        late = is_stale(store, f"report:{id}", micros(issued))
        specimens = [] if late else write_specimens(scene, report.specimens, id, party.id, outcome, store.find("DiagnosticReport", id))
        placed = scene.id("order", f"placer:{report.placer}") if report.placer else None
        order = scene.own_id("ServiceRequest", placed, party.id) if placed else None
        based = order if order and store.get("ServiceRequest", order) else None
        filed = write_report(store, party.id, report, scene.hospital, id, sent, encounter, specimens, based, zone=scene.zone, late=late)
        if late:
            came_of_it = "it only added results that were missing there" if filed.written else "it was left aside"
            outcome.remarks.append(f"report {index} is older than the version on file; {came_of_it}")
        elif source := time_from(filed.report):
            outcome.remarks.append(f"report {index} has no OBR-7 (time of collection); its time is that of {source}")
        follow(store, f"report:{id}", micros(issued), event.event)
        outcome.wrote(filed.report, *filed.written, *filed.files)
        _follow_report(scene, party, filed, issued, outcome)
    return outcome


def _follow_report(scene: Scene, party: Party, filed: Filed, at: datetime, outcome: Outcome) -> None:
    """An abnormal result is followed up, a critical one within a day; where none is left in the whole report, that is called off."""
    store, policy = scene.store, scene.policy
    flags = {flag for one in filed.results if one["status"] not in GONE for flag in flags_of(one)}
    task_id, released = derived_id("follow-up", filed.report["id"]), filed.report["status"] in SETTLED
    if not flags & ABNORMAL:
        if released or filed.report["status"] in GONE:
            call_off(store, task_id, "result-corrected", outcome)
        return
    critical = bool(flags & CRITICAL)
    if is_deceased(party.patient) or not (critical or released):
        return
    days = policy.critical_followup_days if critical else policy.abnormal_followup_days
    priority = Priority.URGENT if critical else Priority.ROUTINE
    source = key = str(filed.report["id"])
    before = store.find("Task", task_id)
    if before is not None and before["status"] in _OVER and any(map(filed.is_newly_critical, filed.written)):
        key = f"{source}-{opaque(str(filed.report['issued']))[:8]}"  # somebody has been there, and now there is more
    outcome.wrote(ask(store, party.id, "follow-up", source, at, days, type="DiagnosticReport", priority=priority, key=key))
