"""ORU and OUL: reports into the file; what is abnormal calls for a follow-up."""

from datetime import datetime

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import is_deceased
from healthsvc.store.stored import micros
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import Priority
from integrations.effects.care import HospitalPolicy, Outcome, ask, call_off
from integrations.effects.followed import follow, is_stale
from integrations.effects.orders import write_specimens
from integrations.effects.person import Party
from integrations.effects.result import SETTLED, report_id, write_report
from integrations.effects.scene import Scene
from integrations.hl7v2.oru import Report, read_results


def results(scene: Scene) -> Outcome:
    """Every report of the message; a correction becomes a new version, an older word than that on file is left aside."""
    store = scene.store
    event = read_results(scene.message, scene.header, scene.profile, store.zone)
    sent = event.sent.at if event.sent else store.at
    party, outcome = scene.meet(event.person, sent)
    encounter = scene.stay(party.id, event.stay, sent)
    for index, report in enumerate(event.reports, start=1):
        id = report_id(report, scene.hospital, f"{scene.header.control_id}#{index}")
        issued = report.issued.at if report.issued else sent
        if is_stale(store, f"report:{id}", micros(issued)):
            outcome.remarks.append(f"report {index} is older than the version on file and was left aside")
            continue
        specimens = write_specimens(scene, report.specimens, id, party.id, outcome)
        order = scene.id("order", f"placer:{report.placer}") if report.placer else None
        based = order if order and store.get("ServiceRequest", order) else None
        written, observations = write_report(store, party.id, report, scene.hospital, id, sent, encounter, specimens, based)
        follow(store, f"report:{id}", micros(issued), event.event)
        outcome.wrote(written, *observations)
        _follow_report(scene, party, report, written, issued, outcome)
    return outcome


def _follow_report(scene: Scene, party: Party, report: Report, written: Resource, at: datetime, outcome: Outcome) -> None:
    """An abnormal result is followed up, a critical one within a day; a correction to normal calls the follow-up off."""
    store, policy = scene.store, scene.policy
    counted = [result for result in report.results if result.status not in ("D", "W", "X")]
    abnormal, critical = any(result.abnormal for result in counted), any(result.critical for result in counted)
    task_id = derived_id("follow-up", written["id"])
    if not abnormal:
        if written["status"] in SETTLED:
            call_off(store, task_id, "result-corrected", outcome)
        return
    if is_deceased(party.patient) or not (critical or written["status"] in SETTLED):
        return
    days = _days(policy, critical=critical)
    priority = Priority.URGENT if critical else Priority.ROUTINE
    outcome.wrote(ask(store, party.id, "follow-up", written["id"], at, days, type="DiagnosticReport", priority=priority))


def _days(policy: HospitalPolicy, *, critical: bool) -> int:
    return policy.critical_followup_days if critical else policy.abnormal_followup_days
