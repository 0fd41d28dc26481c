"""知情同意 what a person agreed to, purpose by purpose: read, give, withdraw, print."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.consent import service
from healthsvc.consent.rules import Form as HowSaid
from healthsvc.consent.rules import Purpose, Word
from healthsvc.errors import Invalid, Refusal
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow
from healthsvc.store import Store
from healthsvc.web.lookup import Directory, name_of, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
PURPOSES: Final = {
    Purpose.CARE: (
        "诊疗照护",
        "本中心为签约服务、上门和家庭病床使用健康档案；拒绝后不再新签约、新建床和新开上门输液，已有记录依法保存。",
    ),
    Purpose.HOSPITAL_SHARING: (
        "向医院提供",
        "向所列医院提供姓名、联系方式、绿色通道和就诊所需信息；拒绝后待发的消息不再发出，医院窗口也查不到（本人出示二维码除外）。",
    ),
    Purpose.EMERGENCY_SHARING: (
        "应急共享",
        "求助时向处置人员出示应急信息表；未同意时只在求助未结束期间出示，拒绝后仅告知姓名、住址和联系方式。",
    ),
    Purpose.COMMUNITY_WORKER: ("告知社区工作者", "求助和五必到时通知社区工作者；拒绝后由社区医生代替。"),
}
"""Title, and what it means either way, as the person is told."""
FORMS: Final = {HowSaid.WRITTEN: "书面签字", HowSaid.DRAWN: "屏幕签名", HowSaid.CERTIFIED: "电子签名", HowSaid.ORAL: "口头"}
SIGNERS: Final = {"patient": "本人", "family": "家属", "guardian": "监护人"}


@router.get("/people/{id}/consents")
def consents(id: str, page: SignedPage, store: StoreReading) -> Response:
    """What counts now, what was said before, and the form for a new word."""
    patient = str(follow(store, id)["id"])
    if patient != id:
        return RedirectResponse(f"/people/{patient}/consents", status_code=303)
    store.audit("read", f"Patient/{id}", patient=id, purpose="consents")
    return _show(page, store, id)


@router.get("/people/{id}/consents/print")
def sheet(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The sheet to sign: every purpose with what it means, and lines for the hand."""
    patient = follow(store, id)
    store.audit("print", f"Patient/{patient['id']}", patient=patient["id"], purpose="consents")
    return page.show("consents_print.html", id=patient["id"], person=to_person(patient), **_told(store, patient["id"]))


@router.post("/people/{id}/consents")
def say(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    purpose: Annotated[str, Form()],
    permits: Annotated[bool, Form()],
    form: Annotated[str, Form()],
    recipient: Annotated[str, Form(max_length=64)] = "",
    signer: Annotated[str, Form()] = "patient",
    relation: Annotated[str, Form(max_length=40)] = "",
    witness: Annotated[str, Form(max_length=80)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Note a word of the person."""
    try:
        with store.savepoint():
            service.say(
                store, id, _one_of(Purpose, purpose), permits, form=_one_of(HowSaid, form), recipient=recipient or None,
                signer=signer if signer in SIGNERS else "patient", relation=relation,
                witness=witness.removeprefix("Practitioner/") or None, until=_day(until),
            )  # fmt: skip
    except Refusal as refusal:
        return _show(page, store, id, page.told(refusal), refusal.status)
    return RedirectResponse(f"/people/{id}/consents", status_code=303)


def _show(page: Page, store: Store, id: str, wrong: str = "", status: int = 200) -> Response:
    me = page.who.actor.id if page.who else ""
    return page.show(
        "consents.html", status=status, id=id, person=to_person(store.read("Patient", id)), wrong=wrong, staff=staff_of(store), me=me,
        **_told(store, id),
    )  # fmt: skip


def _told(store: Store, id: str) -> dict[str, Any]:
    names, found = Directory(store), service.words(store, id)
    hospitals = sorted(((str(one["id"]), name_of(one)) for one in store.select("Organization")), key=lambda one: one[1])
    return {
        "purposes": [
            (purpose, *told, _overall(found, purpose), [one for one in found if one.purpose is purpose])
            for purpose, told in PURPOSES.items()
        ],
        "hospitals": hospitals,
        "hospital_of": dict(hospitals).get,
        "forms": FORMS,
        "signers": SIGNERS,
        "witness_of": lambda one: names.staff(f"Practitioner/{one}") if one else "",
    }


def _overall(found: list[Word], purpose: Purpose) -> bool | None:
    """The word about everybody that is in force; those about one hospital stand beside it."""
    return next((one.permits for one in found if one.purpose is purpose and one.ended is None and one.recipient is None), None)


def _one_of(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise Invalid(f"choose one of {', '.join(kind)}") from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("a day is written 2026-12-31", path="until") from None
