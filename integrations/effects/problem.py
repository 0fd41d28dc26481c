"""Problems that a hospital keeps become Conditions; somebody whom it sends to us becomes a referral down."""

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from healthsvc.referral import service as referrals
from healthsvc.referral.resources import task_id
from healthsvc.referral.rules import Stage
from integrations.effects.care import Outcome
from integrations.effects.master import hospital_organization
from integrations.effects.person import SetAside
from integrations.effects.scene import Scene, joined
from integrations.hl7v2.problem import read_problems, read_referral, read_referral_answer

_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def problems(scene: Scene) -> Outcome:
    """PPR: a problem added, changed, deleted; each is one Condition of the problem list."""
    store = scene.store
    event = read_problems(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    for problem in event.problems:
        id = scene.id("problem", party.id, problem.number)
        if scene.is_late(f"problem:{id}", event.sent, outcome, "a problem"):
            continue
        known = store.find("Condition", id)
        if known is None and "clinicalStatus" not in problem.condition:
            outcome.remarks.append("a problem of which nothing is known was deleted; nothing was changed")
            continue
        told: Resource = problem.condition | {"id": id, "subject": reference("Patient", party.id)}
        told["category"] = [{"coding": [{"system": _CATEGORY, "code": "problem-list-item"}]}]
        written = joined(known, told, ("identifier", "note"))
        if "clinicalStatus" not in told:
            for key in ("clinicalStatus", "abatementDateTime"):  # R4 con-4, con-5: an error is neither active nor over
                written.pop(key, None)
        outcome.wrote(store.put(written))
    return outcome


def referral(scene: Scene) -> Outcome:
    """REF: somebody is sent to the community (下转), the sending is changed or withdrawn; or a word on a referral of ours."""
    store = scene.store
    event = read_referral(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    if event.ours and store.find("ServiceRequest", event.ours) is not None:
        _decided(scene, event.ours, event.status, event.reason.text or event.reason.code or event.summary, outcome)
        return outcome
    number = event.number or scene.header.control_id
    id = scene.id("referral", number)
    if scene.is_late(f"referral:{id}", event.sent, outcome, "a referral"):
        return outcome
    known = store.find("ServiceRequest", id)
    if event.event == "I14":
        if known is None:
            outcome.remarks.append("a referral of which nothing is known was withdrawn; nothing was changed")
        elif referrals.read(store, id).stage in (Stage.REQUESTED, Stage.ACCEPTED):
            outcome.made.append(f"ServiceRequest/{referrals.withdraw(store, id, event.reason.text or event.reason.code).id}")
        else:
            outcome.remarks.append("the hospital withdraws a referral that the community has taken up already; it stays as it is")
        return outcome
    hospital = hospital_organization(scene)
    outcome.wrote(hospital)
    received = referrals.receive(
        store,
        id,
        party.id,
        hospital=f"Organization/{hospital['id']}",
        at=event.at or event.sent or store.at,
        urgent=event.urgent,
        summary=event.summary,
        department=event.department or event.doctor.text,
    )
    outcome.made += [f"ServiceRequest/{received.id}", f"Task/{task_id(received.id)}"]
    return outcome


def referral_answer(scene: Scene) -> Outcome:
    """RRI: the hospital accepts or refuses a referral of ours; it never makes a new one.

    Raises:
        SetAside: it names no referral of ours, or says what no referral can become.
    """
    answer = read_referral_answer(scene.message, scene.profile)
    outcome = Outcome(happened=scene.store.at)
    if not answer.numbers:
        outcome.remarks.append("the answer has no RF1 with a number: it says that a referral has arrived, not what becomes of it")
        return outcome
    ours = next((number for number in answer.numbers if scene.store.find("ServiceRequest", number) is not None), None)
    if ours is None:
        raise SetAside("neither RF1-6 nor RF1-11 is a referral of ours", path="RF1-6", reason="unknown-referral")
    outcome.patient = referrals.read(scene.store, ours).person
    _decided(scene, ours, answer.status, answer.reason, outcome)
    return outcome


def _decided(scene: Scene, ours: str, status: str, reason: str, outcome: Outcome) -> None:
    """The hospital accepts or refuses a referral of ours (RF1-1: A, R)."""
    known = referrals.read(scene.store, ours)
    if status in ("", "P"):
        return
    if known.stage is not Stage.REQUESTED:
        outcome.remarks.append("the hospital's word on our referral comes when it has gone on already; nothing was changed")
    elif status == "A":
        outcome.made += [f"ServiceRequest/{referrals.accept(scene.store, ours).id}", f"Task/{task_id(ours)}"]
    elif status == "R":
        outcome.made += [f"ServiceRequest/{referrals.refuse(scene.store, ours, reason).id}", f"Task/{task_id(ours)}"]
    else:
        raise SetAside("RF1-1 says neither A (accepted) nor R (refused) of our referral", path="RF1-1", reason="referral-answer")
