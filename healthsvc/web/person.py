"""一人一档 one person's file: who, whom to call, what is agreed, what waits, and the story."""

import math
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.access.masks import masks
from healthsvc.circle import service as circles
from healthsvc.circle.words import VERDICT_NAMES
from healthsvc.contract import delivery
from healthsvc.contract import service as contracts
from healthsvc.contract.cards import current_card
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.greenchannel import service as greenchannel
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES
from healthsvc.healthfile.freshness import freshness_of
from healthsvc.healthfile.oddities import oddities
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import completeness_of, follow, policy_of, replaced, today
from healthsvc.homebed import service as homebeds
from healthsvc.masking import Masks
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit import ward
from healthsvc.visit.rules import Status, standing
from healthsvc.web import trends
from healthsvc.web.contracts import PACKAGE_NAMES, drafts_of
from healthsvc.web.lookup import Directory, allergies_of, by_role, phone_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.story import story
from healthsvc.web.today import mine_of

router = APIRouter()
AWAY: Final = "away"
MISSING: Final = {
    "name": "姓名", "sex": "性别", "birth": "出生日期", "phones": "电话", "address": "住址", "position": "住址定位", "category": "干部类别",
    "managing_unit": "管理单位", "residence_area": "居住社区", "living": "居住情况", "doctor": "责任医生", "centre": "建档机构",
    "contact:family": "家属联系人", "contact:former-unit": "原单位联系人", "contact:community-worker": "社区联系人",
    "contact:community-doctor": "社区医生联系方式", "identifier:1.3": "身份证号", "identifier:1.2": "健康档案编号",
}  # fmt: skip
"""What a file may lack, as one says it."""
FRESH: Final = {
    "personal-information": "个人基本信息核对", "health-check": "年度全面体检", "self-care": "自理能力评估", "pressure": "血压",
    "medicines": "用药核对", "allergies": "过敏史", "illnesses": "健康问题",
}  # fmt: skip
ODD: Final = {
    "citizen-id-unverified": "身份证号未通过校验",
    "citizen-id-impossible": "身份证号不可能存在",
    "birth-differs": "出生日期与身份证号不一致",
    "sex-differs": "性别与身份证号不一致",
    "area-unknown": "身份证号的地区码不在已知范围",
    "file-number-length": "健康档案编号不是 17 位",
}
FORM_OF: Final = {
    "personal-information": "personal-information", "health-check": "health-check-full", "self-care": "self-care",
    "pressure": "health-check-basic", "medicines": "health-check-basic", "allergies": "personal-information",
    "illnesses": "personal-information",
}  # fmt: skip
"""Where each part is filled in."""


Kind = Annotated[Literal["", "hospital", "result", "visit", "care"], Query()]
Before = Annotated[int | None, Query(ge=-(2**62), le=2**62)]
_KINDS: Final = (("", "全部"), ("hospital", "住院转诊"), ("result", "检查结果"), ("visit", "上门"), ("care", "签约与照护"))


@router.get("/people/{id}")
def person(id: str, page: SignedPage, store: StoreReading, kind: Kind = "", before: Before = None) -> Response:
    """The file; the file of somebody whose files were merged leads to the surviving one."""
    patient = follow(store, id)
    if patient["id"] != id:
        return RedirectResponse(f"/people/{patient['id']}", status_code=303)
    return show_file(page, store, patient, kind, before)


def show_file(
    page: Page, store: Store, patient: Resource, kind: Kind = "", before: Before = None, *, status: int = 200, draft: object = None,
    refused: str = "", wrong: str = "",
) -> Response:  # fmt: skip
    """The file; where a contract that was asked for on it was refused (``draft``), with that form open and what is ``wrong`` beside it."""
    id = patient["id"]
    store.audit("read", f"Patient/{id}", patient=id, purpose="file")
    told = story(store, id, Directory(store), kind, before)
    return page.show(
        "person.html", status=status, id=id, me=mine_of(page), kinds=_KINDS, kind=kind, before=before, told=told, draft=draft,
        refused=refused, wrong=wrong, **_file(store, patient),
    )  # fmt: skip


@router.get("/people/{id}/story")
def more_story(id: str, page: SignedPage, store: StoreReading, kind: Kind = "", before: Before = None) -> Response:
    """A part of the line of time: of one kind, or what is older than what shows already."""
    patient = follow(store, id)["id"]
    store.audit("read", f"Patient/{patient}", patient=patient, purpose="file")
    told = story(store, patient, Directory(store), kind, before)
    block = "line" if before is None else "older"
    return page.show("story.html", block=block, id=patient, kinds=_KINDS, kind=kind, before=before, told=told, now=store.at)


@router.get("/people/{id}/card")
def card(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The contact card 联系卡 to print: doctor, nurse, whom to call. No number of the person stands on it."""
    patient = follow(store, id)
    store.audit("print", f"Patient/{patient['id']}", patient=patient["id"], purpose="card")
    known, names = to_person(patient), Directory(store)
    agreement = contracts.active(store, patient["id"])
    current = current_card(store, patient["id"]) if agreement else None
    staff = [(role, ref) for role, ref in (("责任医生", agreement.doctor), ("责任护士", agreement.nurse)) if ref] if agreement else []
    team = [(role, names.staff(reference), phone_of(store, reference)) for role, reference in staff]
    return page.show("card.html", id=patient["id"], person=known, team=team, agreement=agreement, current=current)


@router.post("/people/{id}/away")
def away(id: str, store: StoreWriting, back: Annotated[bool, Form()] = False) -> Response:
    """The person goes away, or is back: visits are put on hold and taken up again."""
    patient = follow(store, id)["id"]
    if back:
        visits.resume(store, patient, store.at, AWAY)
    else:
        visits.suspend(store, patient, AWAY)
    return RedirectResponse(f"/people/{patient}", status_code=303)


def _file(store: Store, patient: Resource) -> dict[str, Any]:
    id, names, on = patient["id"], Directory(store), today(store)
    known = to_person(patient)
    agreement = contracts.active(store, id)
    channel = greenchannel.answer_for(store, id, on)
    files = (id, *replaced(store, id))
    return {
        "person": known,
        "age": _age(known, store),
        "doctor": names.staff(agreement.doctor if agreement else known.doctor),
        "nurse": names.staff(agreement.nurse) if agreement else "",
        "agreement": agreement,
        "drafts": drafts_of(store, id) if agreement is None else [],
        "packages": [(name, PACKAGE_NAMES.get(name, name)) for name in contracts.policy_of(store, on).packages],
        "fulfilment": delivery.fulfilment(store, agreement.id) if agreement else None,
        "channel": channel,
        "rights": [RIGHT_NAMES[right] for right in sorted(channel.rights)],
        "channel_reason": REASON_NAMES[channel.reason] if channel.reason else None,
        "channel_standing": STANDING_NAMES[channel.standing],
        "bed": homebeds.open_bed(store, id),
        "stays": ward.lying(store, id),
        "circle": _circle(store, id),
        "complete": completeness_of(store, id),
        "fresh": freshness_of(store, id),
        "odd": [ODD[code] for code in oddities(known, on, policy_of(store).oldest_age)],
        "fresh_names": FRESH,
        "to_form": FORM_OF,
        "missing_names": MISSING,
        "numbers": _numbers(known, masks(store, "file")),
        "conditions": problems_of(store, files),
        "allergies": allergies_of(store, id),
        "open_visits": [(visit, standing(visit, store.at), names.staff(visit.owner)) for visit in visits.open_visits(store, id)],
        "is_away": any(one.status is Status.ON_HOLD and one.reason == AWAY for one in visits.open_visits(store, id)),
        "charts": trends.charts(trends.measured(store, files), store.zone),
        "doctors": by_role(store, "doctor") if agreement is None else [],
        "nurses": by_role(store, "nurse") if agreement is None else [],
        "now": store.at,
    }


def _age(person: Person, store: Store) -> int | None:
    on = person.deceased or today(store)
    if person.birth is None:
        return None
    return on.year - person.birth.year - ((on.month, on.day) < (person.birth.month, person.birth.day))


def _circle(store: Store, id: str) -> dict[str, Any] | None:
    """Whether the home lies in the ten-minute circle, as last measured; None where it has not been."""
    kept = circles.answer_of(store, id)
    if kept is None:
        return None
    answer = kept[0]
    seconds = answer.membership.travel.seconds
    return {
        "words": VERDICT_NAMES[answer.membership.verdict],
        "minutes": round(seconds / 60) if math.isfinite(seconds) else None,
        "station": answer.station.name if answer.station else "",
    }


def _numbers(person: Person, shown_as: Masks) -> list[tuple[str, str]]:
    """Identifiers with their names; the citizen id shows its ends only."""
    shown = []
    for one in person.identifiers:
        if one.system == CITIZEN_ID:
            shown.append(("身份证号", shown_as.number(one.value)))
        elif one.system == HEALTH_FILE_NUMBER:
            shown.append(("档案编号", one.value))
        else:
            shown.append(("院内号" if "/hospital/" in one.system else "编号", one.value))
    return shown
