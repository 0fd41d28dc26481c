"""审计记录 who did what, newest first, and whether the chain is whole."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response

from healthsvc.access.audit import audit_events, verify
from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import Malformed
from healthsvc.store import Store
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("audit")])
_PAGE: Final = 100
_DAYS: Final = {"1": 1, "7": 7, "30": 30, "": None}
ACTS: Final = {
    "read": "查看",
    "search": "查找",
    "create": "新建",
    "update": "修改",
    "delete": "删除",
    "sign-in": "登录",
    "sign-out": "退出",
    "print": "打印",
    "lock": "锁定账号",
    "user-create": "新建账号",
    "user-close": "停用账号",
    "user-open": "启用账号",
    "password-change": "修改密码",
    "token-issue": "签发令牌",
    "token-revoke": "吊销令牌",
    "green-channel": "绿色通道查询",
    "verify": "核验审计",
    "hl7-view": "查看医院消息（遮蔽）",
    "hl7-retry": "重试医院消息",
    "hl7-edit": "更正医院消息",
    "hl7-close": "关闭医院消息",
    "hl7-replay": "重放医院消息",
    "hl7-unmerge": "撤销医院合并",
    "tell-hospital": "告知医院",
    "withhold": "未获同意不发",
}


@router.get("/audit")
def audit(page: SignedPage, store: StoreReading, action: str = "", days: str = "7", before: int | None = None) -> Response:
    """The newest acts, by kind and time."""
    return _show(page, store, action=action, days=days, before=before)


@router.post("/audit")
def of_one(
    page: SignedPage,
    store: StoreReading,
    patient: Annotated[str, Form(max_length=64)] = "",
    actor: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """All acts that concern one file, or of one actor; ids travel in the body."""
    return _show(page, store, patient=patient.strip().removeprefix("Patient/"), actor=actor.strip(), days="")


@router.post("/audit/verify")
def check(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """Walk the chain and say whether a row was changed, removed or moved."""
    return _show(page, store, verdict=verify(request.app.state.database))


def _show(
    page: Page,
    store: Store,
    *,
    action: str = "",
    days: str = "7",
    before: int | None = None,
    patient: str = "",
    actor: str = "",
    verdict: object = None,
) -> Response:
    if days not in _DAYS:
        raise Malformed("the time is one of 1, 7 or 30 days")
    length = _DAYS[days]
    events = audit_events(
        store,
        action=action or None,
        patient=patient or None,
        actor=actor or None,
        before=before,
        limit=_PAGE,
        since=store.at - timedelta(days=length) if length else None,
    )
    return page.show(
        "audit.html",
        events=[_row(event) for event in events],
        acts=ACTS,
        action=action,
        days=days,
        patient=patient,
        actor=actor,
        verdict=verdict,
        more=events[-1]["id"] if len(events) == _PAGE and not (patient or actor) else None,
    )


def _row(event: dict[str, object]) -> dict[str, object]:
    agent = event["agent"][0]  # type: ignore[index]
    who = agent["who"]
    subtype = event.get("subtype", [{}])[0]  # type: ignore[index]
    code = {"110122": "sign-in", "110123": "sign-out"}.get(subtype.get("code", ""), subtype.get("code", ""))
    entity = event.get("entity", [])
    return {
        "at": event["recorded"],
        "who": who.get("reference") or who.get("identifier", {}).get("value", ""),
        "door": agent["media"]["code"],
        "act": code,
        "failed": event["outcome"] != "0",
        "what": [one["what"].get("reference") or one["what"].get("display", "") for one in entity],  # type: ignore[attr-defined]
    }
