"""床旁 the infusion at the bedside: one step after the other, each with what it needs; what may not follow is not offered."""

from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import Invalid, Issue, Refusal
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow
from healthsvc.infusion import bedside
from healthsvc.infusion.records import OfTheDay
from healthsvc.infusion.rules.bedside import Act, Entry, Vitals, next_check, possible
from healthsvc.infusion.rules.order import Companion, DoubleCheck, RescueKit
from healthsvc.infusion.service import policy_of
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.lookup import Directory, allergies_of, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
ACTS: Final = {
    Act.ARRIVE: "到达",
    Act.IDENTIFY: "核对身份",
    Act.CLEAR: "输液前把关",
    Act.MEASURE: "测生命体征",
    Act.PUNCTURE: "穿刺开始",
    Act.CHECK: "巡视",
    Act.END: "输液结束",
    Act.OBSERVE: "观察完毕",
    Act.LEAVE: "离开",
    Act.REFUSE: "本次不输",
    Act.REACT: "出现反应",
    Act.STOP: "停止输液",
    Act.ALARM: "呼叫急救",
    Act.REFER: "转诊",
    Act.REPORT: "上报",
}
MATCHED: Final = (("name", "姓名"), ("birth-date", "出生日期"), ("citizen-id", "身份证"), ("file-number", "档案编号"))
KIT: Final = {
    "adrenaline": "肾上腺素",
    "antihistamine": "抗过敏药",
    "dexamethasone": "地塞米松",
    "oxygen-or-bag": "氧气或简易呼吸器",
    "tourniquet": "止血带",
    "bp-cuff": "血压计",
}
_WITH_VITALS: Final = frozenset({Act.MEASURE, Act.END})
_WITH_WORDS: Final = frozenset({Act.REFUSE, Act.REACT, Act.REFER, Act.REPORT})


@router.get("/visits/{id}/bedside")
def at_the_bed(id: str, page: SignedPage, store: StoreReading) -> Response:
    """Where the infusion stands and what may be done next."""
    return _show(page, store, id, None)


@router.post("/visits/{id}/bedside")
def take(id: str, page: SignedPage, store: StoreWriting, typed: Annotated[Typed, Depends(typed_form)]) -> Response:
    """Take one step, now; or show again what is missing."""
    try:
        with store.savepoint():
            entry, of_the_day = entry_of(typed, store)
            bedside.take(store, id, entry, of_the_day)
    except Refusal as refusal:
        return _show(page, store, id, refusal)
    return RedirectResponse(f"/visits/{id}/bedside", status_code=303)


def entry_of(typed: Typed, store: Store) -> tuple[Entry, OfTheDay | None]:
    """A step as it was typed, and what only this day can prove.

    Raises:
        Invalid: the step or who takes it is missing, or a number cannot be read.
    """
    if typed["act"] not in {act.value for act in Act} or not typed["by"]:
        raise Invalid("a step at the bedside needs its name and who takes it", path="act")
    act, by = Act(typed["act"]), typed["by"].removeprefix("Practitioner/")
    vitals = _vitals(typed) if act in _WITH_VITALS else None
    if typed.wrong:
        raise Invalid("some fields cannot be read; mend them", issues=typed.wrong)
    matched = tuple(code for code, _ in MATCHED if typed[f"matched_{code}"])
    entry = Entry(act, store.at.astimezone(store.zone), by, typed["text"], vitals, matched)
    return entry, _of_the_day(typed, by, store) if act is Act.CLEAR else None


def _vitals(typed: Typed) -> Vitals | None:
    systolic, diastolic, pulse = typed.whole("systolic"), typed.whole("diastolic"), typed.whole("pulse")
    temperature, spo2 = typed.number("temperature"), typed.whole("spo2")
    if systolic is None or diastolic is None or pulse is None or temperature is None:
        if any(typed[name] for name in ("systolic", "diastolic", "pulse", "temperature")):
            typed.wrong.append(Issue("pressure, pulse and temperature belong together", "required", "pulse"))
        return None
    return Vitals(systolic, diastolic, pulse, Decimal(temperature), spo2)


def _of_the_day(typed: Typed, by: str, store: Store) -> OfTheDay:
    now = store.at.astimezone(store.zone)
    second = typed["second"].removeprefix("Practitioner/")
    items = frozenset(code for code in policy_of(store).kit_items if typed[f"kit_{code}"])
    return OfTheDay(
        companion=Companion(True, True, by, now.date()) if typed["companion"] else None,
        double_check=DoubleCheck(by, second, now) if second else None,
        kit=RescueKit(now.date(), by, items) if items else None,
    )


def _show(page: Page, store: Store, id: str, refusal: Refusal | None) -> Response:
    given = bedside.where(store, id)
    visit = visits.read(store, id)
    patient = follow(store, given.patient)
    store.audit("read", f"Task/{id}", patient=patient["id"], purpose="bedside")
    names, policy = Directory(store), policy_of(store)
    me = store.actor.id if store.actor.id.startswith("Practitioner/") else ""
    return page.show(
        "bedside.html",
        status=refusal.status if refusal else 200,
        id=id,
        visit=visit,
        patient=patient["id"],
        person=to_person(patient),
        allergies=allergies_of(store, patient["id"]),
        course=store.read("MedicationRequest", given.course),
        log=[(entry, names.staff(f"Practitioner/{entry.by}")) for entry in given.bedside.log],
        possible=possible(given.bedside),
        look_again=next_check(given.bedside, policy),
        refused=page.told(refusal) if refusal else "",
        acts=ACTS,
        matched=MATCHED,
        kit=[(code, KIT.get(code, code)) for code in policy.kit_items],
        with_vitals=_WITH_VITALS,
        with_words=_WITH_WORDS,
        staff=staff_of(store),
        by=me or visit.owner or "",
        can_write=page.who is not None and page.who.may("write-clinical"),
    )
