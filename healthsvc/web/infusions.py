"""上门输液 what runs now, what hospitals ask for, courses, the drug list, and the gates that doctors let pass."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Refusal
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, today
from healthsvc.infusion import druglist, hospital, overrides, service
from healthsvc.infusion.bedside import where
from healthsvc.infusion.records import given_id
from healthsvc.infusion.resources import is_course, last_day, to_order
from healthsvc.infusion.returns import confirm_return, open_returns
from healthsvc.infusion.rules.course import bound_minutes, drops_a_minute
from healthsvc.infusion.rules.gates import REASONS, GateResult, shut
from healthsvc.infusion.watch import AtWork, at_work
from healthsvc.store import Store
from healthsvc.visit.resources import to_visit
from healthsvc.web import beds_form as people
from healthsvc.web import bedside_form, words
from healthsvc.web import infusions_form as form
from healthsvc.web.beds_words import told_of
from healthsvc.web.bedside import page_gate
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.lookup import Directory, allergies_of, name_of, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
Given = Annotated[Typed, Depends(typed_form)]
NOTHING: Final = Typed({})
VERDICTS: Final = {"allowed": "可用", "restricted": "限制", "forbidden": "禁用"}
STATUS: Final = {"active": "进行中", "on-hold": "暂停", "stopped": "已停止", "completed": "已完成", "cancelled": "已取消", "draft": "草稿"}
TITLES_OF: Final = {REASONS[gate]: title for gate, title in bedside_form.GATES.items()}
_SPAN: Final = timedelta(days=30)


class _Undo(Exception):
    """Ends a trial order."""


@router.get("/infusions")
def now(page: SignedPage, store: StoreReading) -> Response:
    """What runs now (the latest first), orders of hospitals that wait, open courses, and the count of overrides."""
    names, on = Directory(store), today(store)
    running = _running(store, names)
    courses = [(one, to_order(one)) for one in store.select("MedicationRequest", status=["active", "on-hold"]) if is_course(one)]
    return page.show(
        "infusions.html",
        running=running,
        asked=[(*one, names.person(one[1].patient), _hospital(store, one[1].hospital)) for one in form.asked(store, on)],
        courses=[(one, order, names.person(order.patient), last_day(order)) for one, order in courses],
        count=overrides.count(store, on - _SPAN, on),
        listed=service.drug_list(store),
        acts=bedside_form.ACTS,
    )


@router.get("/infusions/running")
def running_now(page: SignedPage, store: StoreReading) -> Response:
    """What runs now, for the page that is open; it asks again every half minute."""
    return page.show("infusions.html", block="running", running=_running(store, Directory(store)), acts=bedside_form.ACTS)


@router.get("/people/{id}/infusion")
def new_course(id: str, page: SignedPage, store: StoreReading, proposal: str = "") -> Response:
    """Order a course; from a hospital's order where one is named."""
    patient = str(follow(store, id)["id"])
    store.audit("read", f"Patient/{patient}", patient=patient, purpose="infusion order")
    return _order_page(page, store, patient, _prefilled(store, proposal), None, ())


@router.post("/people/{id}/infusion")
def order(id: str, page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Ask the gates, or order the course where all are open."""
    patient = str(follow(store, id)["id"])
    results: tuple[GateResult, ...] = ()
    try:
        wanted = form.order(typed, patient, service.drug_list(store), store)
        given = form.evidence(typed, wanted, store)
        results = service.preview(store, wanted, **given)
        if typed["only_ask"]:
            return _order_page(page, store, patient, typed, None, results)
        with store.savepoint():
            if typed["proposal"]:
                made = hospital.take_up(store, typed["proposal"], wanted, **given)
            else:
                made = service.order_course(store, wanted, **given)
    except Refusal as refusal:
        return _order_page(page, store, patient, typed, refusal, results)
    return RedirectResponse(f"/infusions/{made.request['id']}", status_code=303)


@router.post("/people/{id}/infusion/decline")
def decline(id: str, store: StoreWriting, proposal: Annotated[str, Form()], reason: Annotated[str, Form()] = "") -> Response:
    """Do not take a hospital's order on."""
    hospital.decline(store, proposal, reason)
    return RedirectResponse("/infusions", status_code=303)


@router.get("/infusions/drugs")
def drugs(page: SignedPage, store: StoreReading) -> Response:
    """The drug list in force."""
    return _drugs_page(page, store, NOTHING, None)


@router.get("/infusions/drugs.csv")
def drugs_csv(store: StoreReading) -> Response:
    """The drug list in force as CSV, to be changed and imported again."""
    headers = {"content-disposition": 'attachment; filename="infusion-drugs.csv"'}
    return Response(druglist.to_csv(service.drug_list(store)), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/infusions/drugs")
def import_drugs(
    page: SignedPage,
    store: StoreWriting,
    file: Annotated[UploadFile, File()],
    version: Annotated[str, Form()] = "",
    approver: Annotated[str, Form()] = "",
    classes: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Replace the drug list by an approved one."""
    typed = Typed({"version": version, "approver": approver})
    try:
        with store.savepoint():
            text = form.text_of(file.file.read(), "file")
            groups = form.text_of(raw, "classes") if classes is not None and (raw := classes.file.read()) else None
            druglist.keep_list(store, text, version, approver, groups, service.drug_list(store))
    except Refusal as refusal:
        return _drugs_page(page, store, typed, refusal)
    return RedirectResponse("/infusions/drugs", status_code=303)


@router.get("/infusions/overrides")
def passed(page: SignedPage, store: StoreReading) -> Response:
    """Every gate that was overridden: how many, which, by whom, why, and whether the doctor stands by it."""
    names, on = Directory(store), today(store)
    rows = [
        (one, names.person(one.patient), names.staff(f"Practitioner/{one.doctor}"))
        for one in map(overrides.to_overridden, overrides.overridden(store))
    ]
    count = overrides.count(store, on - _SPAN, on)
    doctors = [(names.staff(f"Practitioner/{id}") or id, number) for id, number in count.by_doctor.items()]
    return page.show("overrides.html", rows=rows, count=count, doctors=doctors, me=store.actor.id, span=_SPAN.days, titles=TITLES_OF)


@router.post("/infusions/overrides/{issue}")
def stand_by(issue: str, store: StoreWriting) -> Response:
    """The doctor who is named stands by an override."""
    overrides.confirm(store, issue)
    return RedirectResponse("/infusions/overrides", status_code=303)


@router.get("/infusions/reactions/{event}")
def reaction(event: str, page: SignedPage, store: StoreReading) -> Response:
    """The report of an adverse reaction 药品不良反应报告, to print and to send on."""
    found = store.read("AdverseEvent", event)
    given_ref = next((one["instance"]["reference"] for one in found.get("suspectEntity", ())), "")
    record = store.read("MedicationAdministration", given_ref.rpartition("/")[2])
    course = store.read("MedicationRequest", record["request"]["reference"].rpartition("/")[2])
    patient = follow(store, str(found["subject"]["reference"]).rpartition("/")[2])
    store.audit("print", f"AdverseEvent/{event}", patient=patient["id"], purpose="adverse reaction report")
    task = next(one["valueReference"]["reference"] for one in record["extension"] if "infusion-visit" in one["url"]).rpartition("/")[2]
    names = Directory(store)
    log = [(entry, names.staff(f"Practitioner/{entry.by}")) for entry in where(store, task).bedside.log]
    return page.show(
        "reaction.html", event=found, person=to_person(patient), order=to_order(course), log=log, acts=bedside_form.ACTS, visit=task,
        allergies=allergies_of(store, str(patient["id"])), reporter=names.staff(found.get("recorder", {}).get("reference")),
    )  # fmt: skip


@router.get("/infusions/{course}")
def one_course(course: str, page: SignedPage, store: StoreReading) -> Response:
    """A course: what was ordered, what the gates say now, its doses, and how it ended."""
    found, names = service.read(store, course), Directory(store)
    order = to_order(found.request)
    patient = str(follow(store, order.patient)["id"])
    store.audit("read", f"MedicationRequest/{course}", patient=patient, purpose="course")
    policy = service.policy_of(store)
    doses = [(visit, where(store, visit.id).bedside.step) for visit in map(to_visit, found.visits) if visit.kind == "home-infusion"]
    given = {f"MedicationAdministration/{given_id(visit.id)}" for visit, _ in doses}
    suspected = store.select("AdverseEvent", subject=f"Patient/{patient}")
    events = [one["id"] for one in suspected if given & {e["instance"].get("reference") for e in one.get("suspectEntity", ())}]
    return page.show(
        "course.html",
        course=found.request,
        order=order,
        ends=last_day(order),
        patient=patient,
        person=to_person(follow(store, patient)),
        allergies=allergies_of(store, patient),
        gates=[page_gate(page, one) for one in found.results],
        titles=bedside_form.GATES,
        doses=doses,
        bound=bound_minutes(order, policy),
        drops=drops_a_minute(order.rate_ml_h, policy.drop_factors[0]),
        factor=policy.drop_factors[0],
        doctor=names.staff(f"Practitioner/{order.prescriber}"),
        returns=open_returns(store, patient),
        events=events,
        states=STATUS,
        why=_stopped(page, found.request),
        staff=staff_of(store),
        me=store.actor.id,
        can_write=page.who is not None and page.who.may("write-clinical"),
    )


@router.post("/infusions/{course}/stop")
def stop(course: str, store: StoreWriting, reason: Annotated[str, Form()]) -> Response:
    """Stop a course; open doses are called off, what was set aside is to be returned."""
    service.stop(store, course, reason)
    return RedirectResponse(f"/infusions/{course}", status_code=303)


@router.post("/infusions/{course}/returned")
def returned(course: str, store: StoreWriting, supply: Annotated[str, Form()], by: Annotated[str, Form()]) -> Response:
    """Somebody has taken the packages back."""
    confirm_return(store, supply, by.removeprefix("Practitioner/"))
    return RedirectResponse(f"/infusions/{course}", status_code=303)


def _running(store: Store, names: Directory) -> list[tuple[AtWork, Person, str]]:
    return [(one, names.person(one.given.patient), names.staff(f"Practitioner/{one.nurse}")) for one in at_work(store)]


def _order_page(page: Page, store: Store, patient: str, typed: Typed, refusal: Refusal | None, results: tuple[GateResult, ...]) -> Response:
    policy = service.policy_of(store)
    return page.show(
        "course_new.html",
        status=refusal.status if refusal else 200,
        patient=patient,
        person=to_person(follow(store, patient)),
        allergies=allergies_of(store, patient),
        listed=service.drug_list(store),
        verdicts=VERDICTS,
        policy=policy,
        gates=[page_gate(page, one) for one in results],
        overridable=[one.gate for one in shut(results) if not one.absolute],
        titles=bedside_form.GATES,
        asked=[(one, hospital.to_wanted(one)) for one in hospital.waiting(store, patient)],
        signers=people.SIGNERS,
        signatures=people.SIGNATURES,
        staff=staff_of(store),
        me=store.actor.id,
        typed=typed,
        refused=[] if results and shut(results) else told_of(page, refusal),
        can_write=page.who is not None and page.who.may("write-clinical"),
    )


def _prefilled(store: Store, proposal: str) -> Typed:
    """The form filled in from a hospital's order."""
    found = next((one for one in hospital.waiting(store) if one["id"] == proposal), None)
    if found is None:
        return NOTHING
    one = hospital.to_wanted(found)
    values: dict[str, Any] = {
        "proposal": proposal, "drug": one.drug_name, "dose": one.dose, "solvent": one.solvent, "volume_ml": one.volume_ml,
        "rate_ml_h": one.rate_ml_h, "start": one.start, "days": one.days, "times_a_day": one.times_a_day, "indication": one.indication,
    }  # fmt: skip
    return Typed({name: str(value) for name, value in values.items() if value})


def _drugs_page(page: Page, store: Store, typed: Typed, refusal: Refusal | None) -> Response:
    listed = service.drug_list(store)
    titles = {one.code: (one.names or (one.code,))[0] for one in listed.classes}
    rows = [(one, listed.verdict(one), [titles.get(code, code) for code in sorted(listed.wider(one.classes))]) for one in listed.drugs]
    roles = set(store.policy.value("infusion.drug_list_roles", today(store)))
    return page.show(
        "drugs.html",
        status=refusal.status if refusal else 200,
        listed=listed,
        rows=rows,
        titles=titles,
        verdicts=VERDICTS,
        imported=druglist.stored_table(store) is not None,
        may_import=bool(roles & store.actor.roles),
        refused=told_of(page, refusal),
        typed=typed,
    )


def _hospital(store: Store, id: str) -> str:
    found = store.find("Organization", id) if id else None
    return name_of(found) if found else id


def _stopped(page: Page, request: dict[str, Any]) -> str:
    """Why a course ended, in words."""
    reason = request.get("statusReason", {})
    code = next((one.get("code", "") for one in reason.get("coding", ())), "")
    return words.say(code, page.language) if code else str(reason.get("text", ""))
