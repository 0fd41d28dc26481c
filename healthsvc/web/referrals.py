"""双向转诊 who is referred, how far it has come, what is late; refer, and take each step."""

from html import unescape
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreNearby, StoreReading, StoreWriting
from healthsvc.checkup import deciding
from healthsvc.checkup.followup import Next
from healthsvc.errors import Refusal, RuleViolation
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, replaced
from healthsvc.referral import service
from healthsvc.referral.rules import OVER, TRANSITIONS, Act, Direction, Late, Outcome, Reason, Stage
from healthsvc.referral.summary import document_id
from healthsvc.store import Store
from healthsvc.web.lookup import Directory, name_of, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
STEPS: Final = (Stage.REQUESTED, Stage.ACCEPTED, Stage.ADMITTED, Stage.DISCHARGED, Stage.TAKEN_BACK, Stage.FOLLOWED_UP, Stage.CLOSED)
LATE: Final = {
    Late.NO_ANSWER: "医院未应答",
    Late.NOT_ADMITTED: "接收后未入院",
    Late.NOT_FOLLOWED_UP: "两周内未随访",
    Late.NOT_CLOSED: "未结案",
}
ADVICE: Final = {Next.REFER: "两次控制不满意、不良反应或并发症，建议转诊", Next.REFER_URGENTLY: "危急值，建议立即转诊"}
_OF_RESULT: Final = {
    "not-controlled": Reason.NOT_CONTROLLED_TWICE,
    "adverse-reaction": Reason.ADVERSE_REACTION,
    "complication": Reason.NEW_COMPLICATION,
    "emergency": Reason.CRITICAL,
}


def words(page: Page, table: str) -> dict[str, str]:
    """The codes of one of our tables in the reader's language."""
    return {one.code: one.zh if page.language == "zh" else one.en for one in CODE_TABLES[table].codes}


@router.get("/referrals")
def referrals(page: SignedPage, store: StoreNearby) -> Response:
    """All referrals under way, the late ones first."""
    found = service.standings(store)
    names = Directory(store)
    rows = [
        (one, late, names.person(one.person), _hospital(store, one.hospital), (store.at - (one.since or one.at)).days)
        for one, late in found
    ]
    counts = {late: sum(1 for _, what in found if what is late) for late in Late}
    return page.show(
        "referrals.html",
        rows=rows,
        counts={late: n for late, n in counts.items() if n},
        late_words=LATE,
        stages=words(page, "referral-stage"),
        reasons=words(page, "referral-reason"),
    )


@router.get("/referrals/{id}")
def referral(id: str, page: SignedPage, store: StoreReading) -> Response:
    """One referral: its way, its summary, the steps that are possible now."""
    return _show(page, store, id, None)


@router.post("/referrals/{id}")
def step(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    act: Annotated[str, Form()],
    remark: Annotated[str, Form(max_length=1000)] = "",
    outcome: Annotated[str, Form()] = "",
) -> Response:
    """Take a step of a referral."""
    try:
        with store.savepoint():
            _step(store, id, act, remark.strip(), outcome)
    except Refusal as refusal:
        return _show(page, store, id, refusal)
    return RedirectResponse(f"/referrals/{id}", status_code=303)


@router.get("/people/{id}/referral")
def new(id: str, page: SignedPage, store: StoreReading) -> Response:
    """A new referral; the reason that the follow-up rules advise is chosen beforehand."""
    return _new(page, store, id, {}, None)


@router.post("/people/{id}/referral")
def refer(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    reason: Annotated[str, Form()] = "",
    hospital: Annotated[str, Form()] = "",
    requester: Annotated[str, Form()] = "",
    department: Annotated[str, Form(max_length=100)] = "",
    summary: Annotated[str, Form(max_length=4000)] = "",
    urgent: Annotated[str, Form()] = "",
) -> Response:
    """Refer a person up."""
    typed = {"reason": reason, "hospital": hospital, "requester": requester, "department": department, "summary": summary, "urgent": urgent}
    try:
        if reason not in set(Reason):
            raise RuleViolation("choose the reason of the referral", reason="referral-reason", path="reason")
        if store.find("Organization", hospital.removeprefix("Organization/")) is None:
            raise RuleViolation("choose the hospital", reason="referral-hospital", path="hospital")
        with store.savepoint():
            made = service.refer(
                store, id, Reason(reason), hospital, requester or store.actor.id, urgent=bool(urgent), summary=summary.strip(),
                department=department.strip(),
            )  # fmt: skip
    except Refusal as refusal:
        return _new(page, store, id, typed, refusal)
    return RedirectResponse(f"/referrals/{made.id}", status_code=303)


def _step(store: Store, id: str, act: str, remark: str, outcome: str) -> None:
    if act == Act.ACCEPT:
        service.accept(store, id)
    elif act == Act.REFUSE:
        service.refuse(store, id, remark)
    elif act == Act.WITHDRAW:
        service.withdraw(store, id, remark)
    elif act == Act.TAKE_BACK:
        service.take_back(store, id, remark)
    elif act == Act.CLOSE and outcome in set(Outcome):
        service.close(store, id, Outcome(outcome))
    elif act == Act.CLOSE:
        raise RuleViolation("a referral is closed with an outcome", reason="referral-outcome", path="outcome")
    else:
        raise RuleViolation("this step is not taken on a page", reason="referral-transition")


def _show(page: Page, store: Store, id: str, refusal: Refusal | None) -> Response:
    known = service.read(store, id)
    patient = follow(store, known.person)
    store.audit("read", f"ServiceRequest/{id}", patient=patient["id"], purpose="referral")
    late = next((what for one, what in service.standings(store) if one.id == id), None)
    names = Directory(store)
    possible = {act for (stage, act) in TRANSITIONS if stage is known.stage}
    document = store.find("DocumentReference", document_id(id))
    sections = service.summary(store, id)["entry"][0]["resource"]["section"] if document is not None else []
    return page.show(
        "referral.html",
        status=refusal.status if refusal else 200,
        told=page.told(refusal) if refusal else "",
        id=patient["id"],
        person=to_person(patient),
        referral=known,
        late=LATE.get(late) if late else None,
        over=known.stage in OVER,
        up=known.direction is Direction.UP,
        steps=STEPS,
        reached=STEPS.index(known.stage) if known.stage in STEPS else -1,
        possible={act.value for act in possible},
        hospital=_hospital(store, known.hospital),
        requester=names.staff(known.requester),
        stages=words(page, "referral-stage"),
        reasons=words(page, "referral-reason"),
        outcomes=words(page, "referral-outcome"),
        sections=[(one["title"], _lines(one["text"]["div"])) for one in sections],
        can_write=page.who is not None and page.who.may("write-clinical"),
    )


def _new(page: Page, store: Store, id: str, typed: dict[str, str], refusal: Refusal | None) -> Response:
    patient = follow(store, id)
    store.audit("read", f"Patient/{patient['id']}", patient=patient["id"], purpose="referral")
    advice = [one for one in deciding.advised(store, patient["id"]) if one.next in ADVICE]
    reason = next((_OF_RESULT[one.result] for one in advice if one.result in _OF_RESULT), None)
    me = store.actor.id if store.actor.id.startswith("Practitioner/") else (to_person(patient).doctor or "")
    urgent = any(one.next is Next.REFER_URGENTLY for one in advice)
    suggested: dict[str, Any] = {"reason": reason or "", "requester": me, "urgent": urgent, "hospital": "", "department": "", "summary": ""}
    files = [patient["id"], *replaced(store, patient["id"])]
    return page.show(
        "referral_new.html",
        status=refusal.status if refusal else 200,
        told=page.told(refusal) if refusal else "",
        id=patient["id"],
        person=to_person(patient),
        typed=suggested | typed,
        advice=[(page.say(ADVICE[one.next]), one.reasons, one.rule) for one in advice],
        reasons=words(page, "referral-reason"),
        hospitals=[(f"Organization/{one['id']}", name_of(one)) for one in sorted(store.select("Organization"), key=name_of)],
        staff=staff_of(store),
        open=[one for file in files for one in service.open_referrals(store, file)],
        stages=words(page, "referral-stage"),
    )


def _hospital(store: Store, reference: str) -> str:
    found = store.find("Organization", reference.removeprefix("Organization/")) if reference else None
    return name_of(found) if found is not None else ""


def _lines(div: str) -> list[str]:
    """The lines of a generated narrative, as text."""
    parts = div.replace("</li>", "\n").replace("</p>", "\n").split("\n")
    return [unescape(line.rpartition(">")[2]) for line in parts if line.rpartition(">")[2].strip()]
