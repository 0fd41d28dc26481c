"""When a file closes or two files become one: what is still open is settled in the same step, through whatever door the news came.

This stands here because the contract room is the uppermost of those that have something open for a person; it may call all the others.
"""

from dataclasses import replace

from healthsvc.contract.resources import is_family_doctor, to_agreement, to_contract
from healthsvc.contract.rules import Act, EndReason, State, end_early
from healthsvc.errors import Conflict
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.closing import is_shut
from healthsvc.healthfile.service import today
from healthsvc.healthfile.undo import PutBack, put_back
from healthsvc.homebed import service as beds
from healthsvc.infusion import service as infusions
from healthsvc.infusion.resources import is_course
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Outcome
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Kind
from healthsvc.visit.ward import ADMITTED, files_of, hold_in_ward, in_a_ward

_OPEN_EPISODE = ("planned", "waitlist", "active", "onhold")
_OPEN_APPOINTMENT = ("proposed", "pending", "booked", "arrived", "checked-in", "waitlist")
_OPEN_ORDER = ("active", "on-hold", "draft")


def close_file_on_death(store: Store, patient: str) -> None:
    """A person has died: contract, visits, home bed, infusions, referrals, appointments and flags end now. Twice changes nothing."""
    for contract in _open_contracts(store, patient):
        agreement = to_agreement(contract)
        store.put(to_contract(end_early(agreement, Act.TERMINATE, today(store), EndReason.DECEASED), contract))
    visits.cancel_all(store, patient, EndReason.DECEASED.value)
    now = store.at.isoformat()
    for episode in store.select("EpisodeOfCare", patient=patient, status=_OPEN_EPISODE):
        status = "finished" if episode["status"] in ("active", "onhold") else "cancelled"
        store.put(episode | {"status": status, "period": {**episode.get("period", {}), "end": now}})
    for order in store.select("MedicationRequest", patient=patient, status=_OPEN_ORDER):
        stopped = "cancelled" if order["status"] == "draft" else "stopped"
        store.put(order | {"status": stopped, "statusReason": {"text": EndReason.DECEASED.value}})
    for referral in referrals.open_referrals(store, patient):
        referrals.close(store, referral.id, Outcome.DIED)
    for appointment in store.select("Appointment", patient=patient, status=_OPEN_APPOINTMENT):
        store.put(appointment | {"status": "cancelled", "cancelationReason": {"text": EndReason.DECEASED.value}})
    for device in store.select("Device", patient=patient, status="active"):
        store.put(device | {"status": "inactive"})
    for flag in store.select("Flag", patient=patient):
        if flag.get("status") == "active":
            store.put(flag | {"status": "inactive", "period": {**flag.get("period", {}), "end": now}})


def close_file(store: Store, patient: str, reason: str) -> None:
    """A person has moved away, is lost or refuses: contract, visits and infusions end now, the home bed is held until it is discharged
    (its own room sees to that), all else stays on file. Twice changes nothing."""
    ended_by = {"moved-away": EndReason.MOVED_AWAY, "lost": EndReason.LOST}.get(reason, EndReason.OTHER)
    for contract in _open_contracts(store, patient):
        store.put(to_contract(end_early(to_agreement(contract), Act.TERMINATE, today(store), ended_by), contract))
    infusions.stop_all(store, patient, "file-closed")
    visits.cancel_all(store, patient, reason)


def reopen_file(store: Store, patient: str) -> PutBack:
    """A death or a departure had been entered by mistake: what it closed is open again, as it stood before.

    A stopped course of infusions and its doses stay stopped: the gates are asked anew when a doctor orders it anew. What somebody has
    changed since stays as it is; both are named in ``left``.
    """
    death = None
    for version in store.history("Patient", patient):
        if version.deleted or not is_shut(version.resource):
            break
        death = version
    if death is None or death.version == 1:
        return PutBack()
    stopped = {f"MedicationRequest/{one['id']}" for one in store.select("MedicationRequest", patient=patient) if is_course(one)}
    called_off = store.select("Task", patient=patient, status="cancelled")
    doses = {f"Task/{one['id']}" for one in called_off if is_visit(one) and to_visit(one).kind == Kind.HOME_INFUSION}
    return put_back(store, [patient], death.updated, stopped | doses)


def join_files(store: Store, survivor: str, retired: str) -> None:
    """Two files have become one: open visits and the contract go over to the surviving file.

    A visit of which the survivor has the same open in the same quarter is called off; so is the retired file's contract where the
    survivor has one in force. Where the person lies in a ward, on whichever of the two files the stay is, the visits at home and the home
    bed are held and the infusions are stopped, as on an admission. Of two home beds the retired file's is held: one person has one bed.
    """
    if in_a_ward(store, files_of(store, survivor, retired)) is not None:
        for file in (survivor, retired):  # not yet linked while this is being written
            infusions.stop_all(store, file, ADMITTED)
            beds.suspend(store, file, ADMITTED)
    if beds.open_bed(store, survivor) is not None:
        beds.suspend(store, retired, EndReason.MERGED.value)
    own = any(to_agreement(one).state is State.ACTIVE for one in _open_contracts(store, survivor))
    for contract in _open_contracts(store, retired):
        agreement = to_agreement(contract)
        if own or agreement.state is not State.ACTIVE:
            ended = end_early(agreement, Act.TERMINATE, today(store), EndReason.MERGED)
            store.put(to_contract(ended, contract))
        else:
            store.put(to_contract(replace(agreement, person=survivor), contract))
    for visit in visits.open_visits(store, retired):
        try:
            visits.reassign(store, visit.id, person=survivor)
        except Conflict:
            visits.cancel(store, visit.id, EndReason.MERGED.value)
    hold_in_ward(store, survivor, retired)


def _open_contracts(store: Store, patient: str) -> list[Resource]:
    found = store.select("Contract", patient=patient, status=["negotiable", "offered", "executable", "executed"])
    return [contract for contract in found if is_family_doctor(contract)]
