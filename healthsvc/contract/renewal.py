"""续约: the end of a term is brought up in time, and settled when it has come."""

from datetime import date, timedelta

from healthsvc.checkup.reminders import code_of, open_reminders, settle, tell
from healthsvc.contract.found import in_force
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, SignatureKind, State
from healthsvc.contract.service import expire, policy_of, renew
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

NOTICE = "contract-renewal"


def expire_due(store: Store, on: date) -> list[Resource]:
    """End the contracts whose term is over, or renew them where the policy says so; a timer calls this every day."""
    automatic = policy_of(store, on).automatic_renewal
    ended = []
    for contract in in_force(store):
        agreement = to_agreement(contract)
        if agreement.end < on:
            ended.append(renew(store, agreement.id, kind=SignatureKind.CARRIED_OVER) if automatic else expire(store, contract))
    return ended


def to_renew(store: Store, on: date) -> list[Agreement]:
    """The contracts that end within the days of notice of the policy, soonest first: time to bring up the renewal."""
    last = on + timedelta(days=policy_of(store, on).notice_days)
    ending = [agreement for contract in in_force(store) if on <= (agreement := to_agreement(contract)).end <= last]
    return sorted(ending, key=lambda one: (one.end, one.id))


def remind(store: Store, on: date) -> list[Resource]:
    """Tell each doctor, once, of the contracts that end soon; gives the new reminders. Those whose contract is settled are stopped."""
    told = []
    for one in to_renew(store, on):
        id, about = derived_id("renewal", one.id), f"Contract/{one.id}"
        made = tell(store, id, NOTICE, person=one.person, about=about, to=one.doctor)
        if made is not None:
            told.append(made)
    for reminder in open_reminders(store):
        if code_of(reminder) == NOTICE and not _goes_on(store, reminder):
            settle(store, reminder)
    return told


def _goes_on(store: Store, reminder: Resource) -> bool:
    contract = store.find("Contract", reminder["basedOn"][0]["reference"].rpartition("/")[2])
    return contract is not None and is_family_doctor(contract) and to_agreement(contract).state is State.ACTIVE
