"""现行规则 the policy parameters in force: value, unit, source, since when, by whose word."""

from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from healthsvc import clock
from healthsvc.policy import Policy
from healthsvc.web.render import SignedPage

router = APIRouter()
ROOMS: Final = {
    "access": "登录与账号",
    "checkup": "上门体检",
    "circle": "十分钟圈",
    "contract": "家庭医生签约",
    "dayplan": "日程安排",
    "emergency": "一键通",
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
def policy(page: SignedPage, request: Request) -> Response:
    """All parameters in force today, by room."""
    known: Policy = request.app.state.database.policy
    on = clock.today()
    values = sorted((known.parameter(name, on) for name in known.names() if _begun(known, name, on)), key=lambda one: one.name)
    rooms = [(room, list(found)) for room, found in groupby(values, key=lambda one: one.name.partition(".")[0])]
    return page.show("policy.html", groups=rooms, titles=ROOMS, trust=TRUST, written=written)


def written(value: Any) -> str:
    """A value as one reads it."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dict):
        return "；".join(f"{key} {written(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "、".join(written(one) for one in value)
    return str(value)


def _begun(known: Policy, name: str, on: Any) -> bool:
    return any(one.name == name and one.effective_from <= on for one in known)
