"""双人核对签署 The check of order, drug and person, signed by each of the two from an account of their own, before the nurse goes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.elements import codes, concept, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.service import today
from healthsvc.infusion.rules.order import DoubleCheck
from healthsvc.infusion.visits import course_of
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

ACTIVITY = code_system("infusion-signature")
CHECKED = "double-check"
_VERIFIER = concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "verifier")


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody has checked one dose."""

    by: str
    """Practitioner id."""
    at: datetime


def sign(store: Store, task: str) -> Resource:
    """Whoever is signed in has checked order, drug and person of a dose; gives the Provenance. Again later: the time is that of the last.

    Raises:
        NotFound: this visit is no dose of a course. RuleViolation: the account belongs to no member of the staff.
    """
    if course_of(store.read("Task", task)) is None:
        raise NotFound("this visit is no infusion")
    who = store.actor.id
    if not who.startswith("Practitioner/"):
        raise RuleViolation(
            "a check is signed from an account that is linked to a doctor or nurse",
            reason="infusion-signature-account",
        )
    return store.put(
        {
            "resourceType": "Provenance",
            "id": derived_id(f"checked-{who.partition('/')[2]}"[:30], task),
            "target": [reference("Task", task)],
            "recorded": instant(store.at),
            "activity": concept(ACTIVITY, CHECKED, "双人核对"),
            "agent": [{"type": _VERIFIER, "who": {"reference": who}}],
        }
    )


def signatures(store: Store, task: str) -> list[Signature]:
    """Who has signed the check of a dose, latest first."""
    found = (one for one in store.select("Provenance", target=f"Task/{task}") if is_signature(one))
    return sorted((to_signature(one) for one in found), key=lambda one: one.at, reverse=True)


def is_signature(resource: Resource | None) -> bool:
    """Whether a Provenance is a signed check."""
    if resource is None or resource.get("resourceType") != "Provenance":
        return False
    return CHECKED in codes(resource.get("activity"), ACTIVITY)


def to_signature(provenance: Resource) -> Signature:
    """Read one."""
    who = (reference_id(one.get("who"), "Practitioner") for one in provenance.get("agent", ()))
    return Signature(next((one for one in who if one), ""), moment(provenance["recorded"], "Provenance.recorded"))


def signed(store: Store, task: str, check: DoubleCheck | None) -> DoubleCheck | None:
    """The check with what is known of its signatures; where nobody brought one, the two latest signatures make one.

    A check that is made of two signatures holds from the earlier of the two.
    """
    by = {one.by: one.at for one in reversed(signatures(store, task))}
    if check is None:
        latest = sorted(by.items(), key=lambda one: one[1], reverse=True)[:2]
        return DoubleCheck(latest[0][0], latest[1][0], latest[1][1], signed=True) if len(latest) == 2 else None
    return DoubleCheck(check.first, check.second, check.at, signed={check.first, check.second} <= set(by))


def admit_signature(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Everybody signs for themselves, for now, and once signed it stays."""
    if is_signature(old) and (new is None or not is_signature(new)):
        raise RuleViolation("a signed check is kept", reason="infusion-signature-kept", path="Provenance")
    if new is None or not is_signature(new):
        return
    one = to_signature(new)
    ahead = timedelta(minutes=int(store.policy.value("infusion.clock_ahead_minutes", today(store))))
    if store.actor.id != f"Practitioner/{one.by}" or abs(one.at - store.at) > ahead:
        raise RuleViolation(
            "everybody signs a check for themselves, at the moment of signing", reason="infusion-signature-other", path="Provenance.agent"
        )
