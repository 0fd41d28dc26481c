"""上门输液 Order, look at and stop a course; what the gates say of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b
from itertools import count
from typing import TypedDict, Unpack

from healthsvc.errors import Conflict, Issue, NotFound, RuleViolation
from healthsvc.fhir.consent import SignedConsent, to_consent, to_signed
from healthsvc.fhir.elements import concept, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import follow, today
from healthsvc.infusion.druglist import stored_table
from healthsvc.infusion.evidence import files_of, gather
from healthsvc.infusion.records import OfTheDay
from healthsvc.infusion.resources import STOP_REASON, dated, is_course, is_proposal, last_day, stopped, to_order, to_request
from healthsvc.infusion.rules.drugs import DrugList, from_table
from healthsvc.infusion.rules.gates import AT_ORDER, Gate, GateResult, pass_gates, shut
from healthsvc.infusion.rules.order import Approval, Evidence, FirstDose, Order, Override, SkinTest, Slot
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.infusion.signatures import signed
from healthsvc.store import Store
from healthsvc.visit.resources import VISIT_KIND, derived_id, to_visit
from healthsvc.visit.rules import Kind, is_late
from healthsvc.visit.service import miss, open_visits


@dataclass(frozen=True, slots=True)
class Course:
    """A course as it now stands: the MedicationRequest, what the gates said, its visits (Tasks)."""

    request: Resource
    results: tuple[GateResult, ...]
    visits: tuple[Resource, ...]


class Brought(TypedDict, total=False):
    """The evidence that is brought with an order; what is left out is missing, not guessed."""

    consent: SignedConsent | None
    """As signed for this course."""
    approval: Approval | None
    first_dose: FirstDose | None
    skin_test: SkinTest | None
    overrides: Iterable[Override]
    """Each by a named doctor with a reason; used only where a gate is shut and may be overridden, and then reported."""
    nurse: str | None
    """Practitioner id of the nurse who is meant to give it."""


def policy_of(store: Store, on: date | None = None) -> InfusionPolicy:
    """The infusion policy in force on a day, with the drug list that the site has imported where it has."""
    policy = store.policy.fill(InfusionPolicy, "infusion", on or today(store))
    imported = stored_table(store)
    return replace(policy, drug_list=imported) if imported is not None else policy


def drug_list(store: Store, on: date | None = None) -> DrugList:
    """The site's drug list in force on a day."""
    return from_table(policy_of(store, on).drug_list)


def order_course(
    store: Store,
    order: Order,
    **brought: Unpack[Brought],
) -> Course:
    """Order a course: the gates that can be asked now are asked, and each dose becomes a visit. Ordering twice changes nothing.

    Args:
        store: an open writing transaction.
        order: what the doctor ordered; without ``authored`` it was given today.
        brought: the evidence for its gates, see :class:`Brought`.

    Raises:
        RuleViolation: gates stay shut (one issue each, the reason of the first), or the course does not belong at home.
        Conflict: a course of this drug begins on that day already, with another content (``infusion-course-differs``).
    """
    person = str(follow(store, order.patient)["id"])
    wanted = replace(dated(order, today(store)), patient=person)
    id, known = _free_id(store, wanted)
    if known is None:
        store.put(_written(store, wanted, id, brought))
    elif to_order(known) != wanted:
        raise Conflict(
            "a course of this drug that begins on that day is in force with another content; stop it first",
            reason="infusion-course-differs",
        )
    return read(store, id)


def preview(
    store: Store,
    order: Order,
    **brought: Unpack[Brought],
) -> tuple[GateResult, ...]:
    """What the gates would say of an order; nothing is kept. The arguments are those of :func:`order_course`."""
    person = str(follow(store, order.patient)["id"])
    wanted, id = replace(dated(order, today(store)), patient=person), "asked"
    try:
        with store.savepoint():
            raise _Asked(at_order(store, _written(store, wanted, id, brought)))
    except _Asked as asked:
        return asked.results


def _written(store: Store, order: Order, id: str, brought: Brought) -> Resource:
    """The order with its evidence as MedicationRequest; the consent is kept on the way."""
    consent = brought.get("consent")
    signed = consent_for(store, consent, order.patient, id) if consent else None
    return to_request(
        order,
        id,
        approval=brought.get("approval"),
        first_dose=brought.get("first_dose"),
        skin_test=brought.get("skin_test"),
        overrides=brought.get("overrides", ()),
        consent=signed,
        nurse=brought.get("nurse"),
    )


class _Asked(Exception):
    """Ends a preview; what it wrote is undone."""

    def __init__(self, results: tuple[GateResult, ...]) -> None:
        super().__init__()
        self.results = results


def consent_for(store: Store, consent: SignedConsent, patient: str, course: str) -> str:
    """Keep the signed consent as one to this course; gives its id (another one where that id is a consent to something else)."""
    known, source = store.find("Consent", consent.id), f"MedicationRequest/{course}"
    id = consent.id if known is None or to_signed(known).about == source else derived_id("consent", course)
    about = replace(consent, id=id, patient=patient, kind="infusion", about=source)
    return str(store.put(to_consent(about))["id"])


def read(store: Store, course: str) -> Course:
    """A course, what the gates say of it now, and its visits.

    Raises:
        NotFound: there is none under this id.
    """
    request = store.find("MedicationRequest", course)
    if request is None or not is_course(request):
        raise NotFound("there is no such course of infusions")
    tasks = store.select("Task", based_on=f"MedicationRequest/{course}")
    tasks.sort(key=lambda task: str(task.get("restriction", {}).get("period", {}).get("start", "")))
    return Course(request, at_order(store, request), tuple(tasks))


def at_order(store: Store, request: Resource) -> tuple[GateResult, ...]:
    """What the gates that can be asked at ordering say of a course."""
    order = to_order(request)
    policy = policy_of(store, order.start)
    evidence = gather(store, order, request, policy, on=order.start, at=store.at)
    results = pass_gates(order, evidence, policy, AT_ORDER)
    return tuple(_whole_course(one, order, evidence, policy) for one in results)


def at_bedside(store: Store, request: Resource, task: str, nurse: str, of_the_day: OfTheDay, slot: Slot) -> tuple[GateResult, ...]:
    """What all twelve gates say at the bedside of the visit ``task``, on the day and at the moment of ``slot.start``.

    Whether the check by two people was signed by both is read from their signatures, not from what was brought.
    """
    of_the_day = replace(of_the_day, double_check=signed(store, task, of_the_day.double_check))
    order = to_order(request)
    on = slot.start.astimezone(store.zone).date()
    policy = policy_of(store, on)
    evidence = gather(store, order, request, policy, on=on, at=slot.start, nurse=nurse, slot=slot, of_the_day=of_the_day)
    return pass_gates(order, evidence, policy)


def must_be_open(results: Iterable[GateResult]) -> None:
    """Refuse where gates stay shut: an issue for each, with its reason code in front.

    Raises:
        RuleViolation: the reason is that of the first shut gate.
    """
    closed = shut(results)
    if closed:
        issues = [Issue(f"{one.reason}: {one.text}{_who_may(one)}", "business-rule", "MedicationRequest") for one in closed]
        text = "the infusion is refused: " + "; ".join(issue.text for issue in issues)
        raise RuleViolation(text, reason=closed[0].reason, issues=issues)


def stop(store: Store, course: str, reason: str) -> Resource:
    """Stop a course with a reason code (``order-changed``, ``admitted``, ``reaction``, ``patient-wish``); open visits are called off."""
    request = store.read("MedicationRequest", course)
    if not is_course(request):
        raise NotFound("there is no such course of infusions")
    if request["status"] not in ("active", "on-hold", "draft"):
        return request
    return store.put(stopped(request, reason, any_given(store, course, str(reference_id(request.get("subject"), "Patient")))))


def stop_all(store: Store, patient: str, reason: str) -> list[str]:
    """Stop every open course of a person (admission, death); gives their ids. A course is never taken up again: it is ordered anew.

    A hospital's order that still waits outlives an admission (it is often written before the discharge), not a death.
    """
    gone = []
    for one in files_of(store, patient):
        for request in store.select("MedicationRequest", patient=one, status=["active", "on-hold", "draft"]):
            if is_course(request):
                stop(store, request["id"], reason)
                gone.append(str(request["id"]))
            elif is_proposal(request) and reason == "deceased":
                store.put(request | {"status": "cancelled", "statusReason": concept(STOP_REASON, reason)})
    return gone


def finish_if_done(store: Store, course: str) -> None:
    """A course is completed when none of its visits is open any more."""
    request = store.read("MedicationRequest", course)
    source, patient = f"MedicationRequest/{course}", str(reference_id(request.get("subject"), "Patient"))
    if request["status"] == "active" and not any(source in one.sources for one in open_visits(store, patient, Kind.HOME_INFUSION)):
        store.put(request | {"status": "completed" if any_given(store, course, patient) else "cancelled"})


def miss_late(store: Store) -> list[str]:
    """Write off doses whose time has passed without anybody having come; a dose is never made up for. A timer calls it; gives Task ids."""
    late = []
    for task in store.select("Task", status=["requested", "accepted"], code=f"{VISIT_KIND}|{Kind.HOME_INFUSION}"):
        visit = to_visit(task)
        if is_late(visit.window.end, store.at):
            miss(store, visit.id, "dose-missed")
            late.append(visit.id)
            for source in visit.sources:
                finish_if_done(store, source.removeprefix("MedicationRequest/"))
    return late


def any_given(store: Store, course: str, patient: str) -> bool:
    """Whether any dose of a course has begun to run."""
    given = store.select("MedicationAdministration", patient=patient, status=["in-progress", "completed", "stopped"])
    return any(reference_id(one.get("request"), "MedicationRequest") == course for one in given)


def course_id(order: Order, turn: int = 1) -> str:
    """Id of a course: person, first day and drug (as a digest: an id names no drug); ``turn``: ordered anew after it had been stopped."""
    drug = blake2b(f"{order.drug_code}|{order.drug_name}|{order.times_a_day}|{turn}".encode(), digest_size=3).hexdigest()
    return derived_id("inf", f"{order.patient}-{order.start:%y%m%d}-{drug}")


def _free_id(store: Store, order: Order) -> tuple[str, Resource | None]:
    """The id for an order, and the course in force that is already there under it; ids of closed courses are passed over."""
    for turn in count(1):
        id = course_id(order, turn)
        known = store.find("MedicationRequest", id)
        if known is None or known["status"] == "active":
            return id, known
    raise AssertionError("counting never ends")


def _whole_course(result: GateResult, order: Order, evidence: Evidence, policy: InfusionPolicy) -> GateResult:
    """Bed or contract must cover the last day too, not only the first."""
    if result.gate is not Gate.CARE or not result.open:
        return result
    return pass_gates(order, replace(evidence, on=last_day(order)), policy, [Gate.CARE])[0]


def _who_may(result: GateResult) -> str:
    return "" if result.absolute else " (a named doctor may override this with a reason)"
