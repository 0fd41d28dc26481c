"""床旁 the infusion at the bedside: one step after the other, each with what it needs; what may not follow is not offered.

A step that is refused says why, and who may decide otherwise. What is due is counted down; what is late is red.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow
from healthsvc.infusion import bedside
from healthsvc.infusion.records import Given, OfTheDay, is_given, to_given
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act, Entry, Step, due_next, late_checks, out_of_limits, possible, runs_out
from healthsvc.infusion.rules.course import drip_minutes, drops_a_minute
from healthsvc.infusion.rules.gates import GateResult
from healthsvc.infusion.rules.order import Order
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.infusion.service import policy_of
from healthsvc.infusion.signatures import sign, signatures
from healthsvc.infusion.watch import Level, level
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.web import bedside_form as form
from healthsvc.web import words
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.lookup import Directory, allergies_of, phone_of, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
NOTHING = Typed({})


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that is waited for."""

    title: str
    until: datetime
    late: bool
    alarm: bool = False


@router.get("/visits/{id}/bedside")
def at_the_bed(id: str, page: SignedPage, store: StoreReading) -> Response:
    """Where the infusion stands and what may be done next."""
    return _show(page, store, id, None, NOTHING)


@router.post("/visits/{id}/bedside")
def take(id: str, page: SignedPage, store: StoreWriting, typed: Annotated[Typed, Depends(typed_form)]) -> Response:
    """Take one step, now; or show again what is missing."""
    try:
        with store.savepoint():
            entry, of_the_day = form.entry_of(typed, store)
            bedside.take(store, id, entry, of_the_day)
    except Refusal as refusal:
        return _show(page, store, id, refusal, typed)
    return RedirectResponse(f"/visits/{id}/bedside", status_code=303)


@router.post("/visits/{id}/sign")
def sign_check(id: str, store: StoreWriting) -> Response:
    """Whoever is signed in has checked order, drug and person of this dose."""
    sign(store, id)
    return RedirectResponse(f"/visits/{id}/bedside", status_code=303)


@router.get("/visits/{id}/bedside/record")
def record(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The infusion record 输液记录单, to print."""
    given = bedside.where(store, id)
    store.audit("print", f"Task/{id}", patient=given.patient, purpose="infusion record")
    return page.show("bedside_record.html", gates=form.GATES, **_common(store, id, given))


def _show(page: Page, store: Store, id: str, refusal: Refusal | None, typed: Typed) -> Response:
    given = bedside.where(store, id)
    store.audit("read", f"Task/{id}", patient=given.patient, purpose="bedside")
    common = _common(store, id, given)
    policy, order = common["policy"], common["order"]
    assert isinstance(policy, InfusionPolicy)
    assert isinstance(order, Order)
    me = store.actor.id if store.actor.id.startswith("Practitioner/") else ""
    by = me or common["visit"].owner or ""
    return page.show(
        "bedside.html",
        status=refusal.status if refusal else 200,
        **common,
        allergies=allergies_of(store, common["patient"]),
        possible=possible(given.bedside),
        way=_way(given),
        timers=_timers(given, order, policy, store.at),
        out=_out(given, policy),
        gates=[page_gate(page, one) for one in _gates(store, id, given, by, typed)] if given.bedside.step is Step.IDENTIFIED else [],
        signed=[(one, Directory(store).staff(f"Practitioner/{one.by}")) for one in signatures(store, id)],
        kit_expires=_last_expiry(store, given.patient, by),
        refused=page.told(refusal) if refusal else "",
        typed=typed,
        form=form,
        kit=[(code, form.KIT.get(code, code)) for code in policy.kit_items],
        staff=staff_of(store),
        me=me,
        by=by,
        doctor_phone=phone_of(store, f"Practitioner/{order.prescriber}") if order.prescriber else "",
        can_write=page.who is not None and page.who.may("write-clinical"),
    )


def page_gate(page: Page, result: GateResult) -> dict[str, object]:
    """One gate as pages show it: ``why`` in the reader's language."""
    why = result.text if page.language == "en" else words.reasons().get(result.reason or "", result.text)
    shown = {name: getattr(result, name) for name in ("gate", "outcome", "evidence", "absolute", "open", "override_reason")}
    return {**shown, "why": why.partition("：")[2] or why}


def _common(store: Store, id: str, given: Given) -> Resource:
    patient, course, names = follow(store, given.patient), store.read("MedicationRequest", given.course), Directory(store)
    order, policy = to_order(course), policy_of(store)
    return {
        "id": id,
        "visit": visits.read(store, id),
        "patient": patient["id"],
        "person": to_person(patient),
        "course": course,
        "order": order,
        "policy": policy,
        "step": given.bedside.step.value,
        "evidence": given.evidence,
        "names": names,
        "acts": form.ACTS,
        "drops": [(factor, drops_a_minute(order.rate_ml_h, factor)) for factor in policy.drop_factors],
        "drip": drip_minutes(order.volume_ml, order.rate_ml_h),
        "late": late_checks(given.bedside, policy),
        "log": [(entry, names.staff(f"Practitioner/{entry.by}")) for entry in given.bedside.log],
        "doctor": names.staff(f"Practitioner/{order.prescriber}"),
    }


def _way(given: Given) -> list[tuple[str, str]]:
    """The line of steps: title, and whether it is done, current or to come."""
    acts: tuple[Act, ...] = form.WAY
    if given.bedside.reacted:
        acts = form.REACTION_WAY
    elif given.bedside.last(Act.REFUSE):
        acts = (Act.ARRIVE, Act.REFUSE, Act.LEAVE)
    done = {entry.act for entry in given.bedside.log}
    current = next((act for act in acts if act not in done), None)
    return [(form.ACTS[act], "done" if act in done else "now" if act is current else "") for act in acts]


def _timers(given: Given, order: Order, policy: InfusionPolicy, at: datetime) -> list[Timer]:
    found, due = [], due_next(given.bedside, policy)
    if due is not None:
        title = {Act.CHECK: "下次巡视", Act.OBSERVE: "观察至"}.get(due.act, "立即处理")
        reached = level(due, at, policy)[1]
        # the end of an observation that is over is good news until nobody leaves
        found.append(Timer(title, due.at, reached is not Level.IN_TIME or (due.reaction and due.at <= at), reached is Level.ALARM))
    empty = runs_out(given.bedside, drip_minutes(order.volume_ml, order.rate_ml_h))
    if empty is not None:
        found.append(Timer("预计滴完", empty, False))
    return found


def _out(given: Given, policy: InfusionPolicy) -> tuple[str, ...]:
    """Names of the vital signs that keep the drip from beginning."""
    measured = given.bedside.last(Act.MEASURE)
    if given.bedside.step is not Step.MEASURED or measured is None or measured.vitals is None:
        return ()
    titles = {name: title for name, title, _ in form.VITAL_FIELDS}
    return tuple(titles.get(name, name) for name in out_of_limits(measured.vitals, policy.start_limits))


def _gates(store: Store, id: str, given: Given, by: str, typed: Typed) -> tuple[GateResult, ...]:
    """What the twelve gates say now, with what was just typed where something was."""
    nurse = by.removeprefix("Practitioner/")
    of_the_day = given.evidence
    if typed["act"] == Act.CLEAR:
        try:
            entry, brought = form.entry_of(Typed(typed.values, typed.danger), store)
        except Refusal:
            return bedside.gates(store, id, nurse, of_the_day, Entry(Act.CLEAR, store.at, nurse))
        return bedside.gates(store, id, entry.by, brought or OfTheDay(), entry)
    return bedside.gates(store, id, nurse, of_the_day, Entry(Act.CLEAR, store.at, nurse))


def _last_expiry(store: Store, patient: str, by: str) -> date | None:
    """The expiry date that this nurse wrote down last, so that it need not be typed at every visit."""
    found = [one for one in store.select("MedicationAdministration", patient=patient) if is_given(one)]
    kits = [given.evidence.kit for given in map(to_given, found) if given.evidence.kit is not None]
    mine = [kit for kit in kits if f"Practitioner/{kit.checked_by}" == by and kit.expires is not None]
    return max(mine, key=lambda kit: kit.on).expires if mine else None
