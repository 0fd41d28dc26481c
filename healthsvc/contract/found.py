"""Contracts that are there: in force, running on a day, signed with somebody."""

from datetime import date

from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, State
from healthsvc.errors import Invalid, NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.store import Store


def in_force(store: Store) -> list[Resource]:
    """All family-doctor contracts in force."""
    return [contract for contract in store.select("Contract", status="executed") if is_family_doctor(contract)]


def running(store: Store, on: date) -> list[Agreement]:
    """One contract for each signed person: the one whose term includes the day, else the one that is signed and begins later."""
    found = []
    for one in map(to_agreement, in_force(store)):
        former = _former(store, one) if one.start > on else None
        found.append(former if former is not None and former.start <= on <= (former.ended or former.end) else one)
    return found


def _former(store: Store, agreement: Agreement) -> Agreement | None:
    stored = store.find("Contract", (agreement.predecessor or "").rpartition("/")[2]) if agreement.predecessor else None
    return to_agreement(stored) if stored is not None and is_family_doctor(stored) else None


def signed_with(store: Store, doctor: str) -> int:
    """How many contracts in force a doctor has signed; counted in the database, for this is asked at every signing."""
    return store.search("Contract", [("signer", doctor), ("status", "executed"), ("_summary", "count")]).total or 0


def others_with_pair(store: Store, doctor: str, nurse: str, person: str) -> int:
    """How many people other than this one a doctor and a nurse look after together."""
    query = [("participant", doctor), ("participant", nurse), ("status", "active"), ("_summary", "count")]
    found = store.search("CareTeam", query).total or 0
    own = store.search("CareTeam", [*query, ("patient", f"Patient/{person}")]).total or 0
    return found - own


def stored_contract(store: Store, contract: str) -> Resource:
    """A family-doctor contract as stored; refuses where the Contract is something else."""
    stored = store.read("Contract", contract)
    if not is_family_doctor(stored):
        raise NotFound("this Contract is not a family-doctor contract")
    return stored


def predecessor_in_force(store: Store, agreement: Agreement) -> Agreement | None:
    """The contract that this one follows, where that is still in force and of the same person."""
    kind, _, id = (agreement.predecessor or "").partition("/")
    found = store.find("Contract", id) if kind == "Contract" else None
    old = to_agreement(found) if found is not None and is_family_doctor(found) else None
    return old if old is not None and old.state is State.ACTIVE and old.person == agreement.person else None


def check_staff(store: Store, who: str, role: str) -> None:
    """Refuse a contract with somebody who is not of the staff, or whom the directory names with other roles only."""
    kind, _, id = who.partition("/")
    if kind != "Practitioner" or store.find("Practitioner", id) is None:
        raise Invalid(f"the {role} of the contract is not in the staff directory; add the Practitioner first", path="Contract.signer")
    roles = store.select("PractitionerRole", practitioner=id)
    codes = {c.get("code") for one in roles for concept in one.get("code", []) for c in concept.get("coding", [])}
    if codes and role not in codes:
        raise RuleViolation(f"the {role} of the contract has no role {role} in the staff directory", reason="contract-staff-role")
