"""现行规则 the policy parameters in force: value, unit, source, since when, by whose word."""

from datetime import date
from functools import partial
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from healthsvc import clock
from healthsvc.policy import Policy
from healthsvc.web.render import SignedPage
from healthsvc.web.words import say, unit

router = APIRouter()
ROOMS: Final = {
    "access": "登录与账号",
    "backup": "备份",
    "consent": "知情同意",
    "pocket": "随身",
    "rest": "接口与后台任务",
    "subscription": "订阅",
    "checkup": "上门体检",
    "circle": "十分钟圈",
    "contract": "家庭医生签约",
    "dayplan": "日程安排",
    "emergency": "一键通",
    "mustvisit": "五必到",
    "forms": "表单",
    "greenchannel": "绿色通道",
    "healthfile": "健康档案",
    "homebed": "家庭病床",
    "hospital": "医院接入",
    "indicators": "考核",
    "infusion": "上门输液",
    "infusion_drugs": "输液药品",
    "referral": "双向转诊",
    "visit": "上门服务",
}
TRUST: Final = {"S": "来源原文", "V": "官方原文", "V2": "二手来源", "M": "实测", "I": "推断", "G": "常识", "site": "本单位设定"}


@router.get("/policy")
def policy(page: SignedPage, request: Request, on: str = "", since: str = "") -> Response:
    """All parameters in force on a day (today unless told), by room; with ``since``, what has changed from that day on."""
    known: Policy = request.app.state.database.policy
    today = clock.today()
    day, before = _day(on) or today, _day(since)
    wrong = bool((on and not _day(on)) or (since and not before))
    values = sorted((known.parameter(name, day) for name in known.names() if known.in_force(name, day)), key=lambda one: one.name)
    rooms = [(room, list(found)) for room, found in groupby(values, key=lambda one: one.name.partition(".")[0])]
    return page.show(
        "policy.html",
        status=422 if wrong else 200,
        groups=rooms,
        titles=ROOMS,
        trust=TRUST,
        written=partial(written, page.language),
        unit=partial(unit, language=page.language),
        day=day,
        before=before,
        wrong=wrong,
        changes=known.changes(before, day) if before else [],
        history={one.name: spells for one in values if len(spells := known.history(one.name)) > 1},
        elsewhere={one.name: others for one in values if (others := known.elsewhere(one.name))},
        jurisdiction=known.jurisdiction,
    )


def written(language: str, value: Any) -> str:
    """A value as one reads it."""
    if isinstance(value, bool):
        return say("是" if value else "否", language)
    if isinstance(value, dict):
        return "；".join(f"{key} {written(language, one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ("、" if language == "zh" else ", ").join(written(language, one) for one in value)
    return str(value)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        return None
