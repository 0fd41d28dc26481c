"""双向转诊: refer up, and let the hospital's news, the return home and the follow-up move the referral on."""

from base64 import b64decode
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final

from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource, loads
from healthsvc.healthfile.service import follow, today
from healthsvc.referral.resources import REFERRAL, is_referral, task_id, to_referral, to_request, to_task
from healthsvc.referral.rules import OVER, Act, Direction, Late, Outcome, Reason, Referral, ReferralPolicy, Stage, check_closing, late, step
from healthsvc.referral.summary import document_id, freeze
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import derived_id
from healthsvc.visit.rules import WAITING, Kind, Priority, Visit, Window

_BEFORE_STAY: Final = frozenset({Stage.REQUESTED, Stage.ACCEPTED, Stage.DISCHARGED, Stage.FOLLOWED_UP})


def refer(
    store: Store,
    patient: str,
    reason: Reason,
    hospital: str,
    requester: str,
    *,
    urgent: bool = False,
    summary: str = "",
    department: str = "",
    direction: Direction = Direction.UP,
) -> Referral:
    """Refer a person, and plan the follow-up of an urgent referral within the days of the policy. The same on the same day is one referral.

    Args:
        store: an open writing transaction.
        patient: Patient id.
        reason: why.
        hospital: ``Organization/x``.
        requester: ``Practitioner/x``.
        urgent: to be seen at once.
        summary: illness, tests and results.
        department: of the hospital, as it names it.
        direction: up to the hospital, or down to the community.
    """
    person = follow(store, patient)["id"]
    id = derived_id("referral", f"{person}-{today(store):%Y%m%d}-{reason}")
    if store.find("ServiceRequest", id) is not None:
        return read(store, id)
    referral = Referral(id, person, reason, hospital, requester, store.at, urgent, direction, summary, department, since=store.at)
    frozen = freeze(store, referral)
    store.put(to_request(referral) | {"supportingInfo": [{"reference": f"DocumentReference/{frozen['id']}"}]})
    store.put(to_task(referral))
    if urgent:
        plan_follow_up(store, referral)
    return referral


def begin(store: Store, request: Resource) -> Referral:
    """Follow a referral that somebody else has asked for (a reaction at the bedside, a client): its Task, and the visit after it."""
    referral = to_referral(request)
    if referral.at.tzinfo is None:
        referral = replace(referral, at=store.at)
    store.put(to_task(referral))
    if referral.urgent:
        plan_follow_up(store, referral)
    return referral


def receive(
    store: Store, id: str, patient: str, *, hospital: str, at: datetime, urgent: bool | None = None, summary: str = "", department: str = ""
) -> Referral:
    """A hospital sends somebody to the community (下转, REF^I12), or says more of it (I13); the same again changes nothing.

    Args:
        store: an open writing transaction.
        id: made of the hospital's own number of the referral.
        patient: Patient id.
        hospital: ``Organization/x`` that sends.
        at: when it sent.
        urgent: to be seen at once; None: nothing is said, as it was before.
        summary: diagnoses and guidance, in the hospital's words.
        department: of the hospital.
    """
    person = str(follow(store, patient)["id"])
    known = read(store, id) if store.find("ServiceRequest", id) is not None else None
    told = known or Referral(id, person, Reason.CONVALESCENCE, hospital, hospital, at, direction=Direction.DOWN)
    told = replace(told, summary=summary or told.summary, department=department or told.department)
    if urgent is not None:
        told = replace(told, urgent=urgent)
    if told == known:
        return told
    store.put(to_request(told, store.find("ServiceRequest", id)))
    store.put(to_task(told, store.find("Task", task_id(id))))
    return told


def read(store: Store, referral: str) -> Referral:
    """One referral by its id."""
    request, task = store.read("ServiceRequest", referral), store.find("Task", task_id(referral))
    if not is_referral(task) or task is None:
        raise NotFound("this ServiceRequest is not a referral")
    return to_referral(request, task)


def open_referrals(store: Store, patient: str) -> list[Referral]:
    """The referrals of a person that are not over, oldest first."""
    found = store.select("Task", patient=patient, status=["requested", "accepted", "rejected", "in-progress"])
    referrals = [read(store, task["focus"]["reference"].rpartition("/")[2]) for task in found if is_referral(task)]
    return sorted((one for one in referrals if one.stage not in OVER), key=lambda one: (one.at, one.id))


def standings(store: Store) -> list[tuple[Referral, Late | None]]:
    """All referrals that are not over, with what is late about each; the late ones first, then the oldest."""
    policy = store.policy.fill(ReferralPolicy, "referral", today(store))
    found = store.select("Task", code=f"{REFERRAL}|referral", status=["requested", "accepted", "rejected", "in-progress"])
    known = [read(store, task["focus"]["reference"].rpartition("/")[2]) for task in found if is_referral(task)]
    stands = [(one, late(one, store.at, policy)) for one in known if one.stage not in OVER]
    return sorted(stands, key=lambda one: (one[1] is None, not one[0].urgent, one[0].at, one[0].id))


def summary(store: Store, referral: str) -> Resource:
    """The document that went with a referral, as a Bundle."""
    read(store, referral)
    kept = store.find("DocumentReference", document_id(referral))
    if kept is None:
        raise NotFound("this referral has no summary; it was written by another system")
    bundle: Resource = loads(b64decode(kept["content"][0]["attachment"]["data"]))
    return bundle


def accept(store: Store, referral: str) -> Referral:
    """The hospital takes the person."""
    return _move(store, read(store, referral), Act.ACCEPT)


def refuse(store: Store, referral: str, remark: str) -> Referral:
    """The hospital does not take the person, and says why."""
    return _move(store, replace(read(store, referral), remark=remark), Act.REFUSE)


def withdraw(store: Store, referral: str, remark: str) -> Referral:
    """The community takes the referral back before anything came of it."""
    return _move(store, replace(read(store, referral), remark=remark), Act.WITHDRAW)


def admitted(store: Store, patient: str, stay: str) -> Referral | None:
    """The hospital has admitted the person (ADT A01), or taken a discharge back (A13): the latest open referral goes on.

    None where there is none. Twice changes nothing; the follow-up of a discharge that was taken back is called off.
    """
    for referral in reversed(open_referrals(store, patient)):
        if referral.stay == stay and referral.stage is Stage.ADMITTED:
            return referral
        if referral.direction is Direction.UP and referral.stage in _BEFORE_STAY and referral.stay in (None, stay):
            if referral.stage is Stage.DISCHARGED:
                _call_off_follow_up(store, referral)
            return _move(store, replace(referral, stay=stay), Act.ADMIT)
    return None


def admission_cancelled(store: Store, patient: str, stay: str) -> Referral | None:
    """The hospital has taken the admission back (ADT A11): the referral waits again. Twice changes nothing."""
    for referral in open_referrals(store, patient):
        if referral.stay == stay and referral.stage is Stage.ADMITTED:
            return _move(store, replace(referral, stay=None), Act.CANCEL_ADMISSION)
    return None


def discharged(store: Store, patient: str, stay: str) -> Referral | None:
    """The hospital has discharged the person (ADT A03): a follow-up is planned, the community takes over. Twice changes nothing."""
    for referral in reversed(open_referrals(store, patient)):
        if referral.stay == stay and referral.stage is Stage.ADMITTED:
            moved = _move(store, referral, Act.DISCHARGE)
            plan_follow_up(store, moved)
            return moved
        if referral.stay == stay:
            return referral
    return None


def take_back(store: Store, referral: str, guidance: str = "") -> Referral:
    """The community has the person back, with the hospital's guidance for convalescence."""
    known = read(store, referral)
    return _move(store, replace(known, remark=guidance or known.remark), Act.TAKE_BACK)


def followed_up(store: Store, referral: str) -> Referral:
    """The follow-up visit has been made (completing that visit does this by itself)."""
    return _move(store, read(store, referral), Act.FOLLOW_UP)


def close(store: Store, referral: str, outcome: Outcome) -> Referral:
    """End a referral with its outcome; before the follow-up only where the outcome explains it (died, not gone, lost)."""
    known = read(store, referral)
    check_closing(known.stage, outcome)
    return _move(store, replace(known, outcome=outcome), Act.CLOSE)


def plan_follow_up(store: Store, referral: Referral) -> Resource:
    """Ask for the follow-up visit of a referral, within the days of the policy; once for each stay."""
    known = store.find("Task", _follow_up_id(referral))
    if known is not None and known["status"] == "cancelled":
        return visits.reopen(store, known["id"])
    policy = visits.policy_of(store)
    on = today(store)
    days = int(store.policy.value("referral.follow_up_days", on))
    last = datetime.combine(on + timedelta(days=days), time(23, 59, 59), store.zone)
    return visits.request(
        store,
        Visit(
            id=_follow_up_id(referral),
            kind=Kind.FOLLOW_UP,
            person=referral.person,
            window=Window(store.at, last),
            minutes=policy.length(Kind.FOLLOW_UP),
            skills=policy.skills_of(Kind.FOLLOW_UP),
            owner=referral.requester if referral.requester.startswith("Practitioner/") else None,
            priority=Priority.URGENT if referral.urgent else Priority.ROUTINE,
            sources=(f"ServiceRequest/{referral.id}",),
            subtype="referral",
            title="转诊随访",
        ),
    )


def _follow_up_id(referral: Referral) -> str:
    stay = (referral.stay or "").rpartition("/")[2]
    return derived_id("follow-up", f"{referral.id}-{stay}" if stay else referral.id)


def _call_off_follow_up(store: Store, referral: Referral) -> None:
    planned = store.find("Task", _follow_up_id(referral))
    if planned is not None and visits.read(store, planned["id"]).status in WAITING:
        visits.cancel(store, planned["id"], "discharge-cancelled")


def _move(store: Store, referral: Referral, act: Act) -> Referral:
    moved = replace(referral, stage=step(referral.stage, act), since=store.at)
    store.put(to_request(moved, store.read("ServiceRequest", referral.id)))
    store.put(to_task(moved, store.read("Task", task_id(referral.id))))
    return moved
