"""审计记录 who did what, newest first, and whether the chain is whole."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request, Response

from healthsvc.access import accounts
from healthsvc.access.audit import audit_events, verify
from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import Invalid
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.lookup import holding
from healthsvc.store.witness import Witness
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("audit")])
_PAGE: Final = 100
_DAYS: Final = 7
_NUMBER: Final = 15
"""Digits of the shortest number that names a person."""
ACTS: Final = {
    "read": "查看",
    "list": "查看名单",
    "search": "查找",
    "refused": "无权被拒",
    "break-glass": "紧急查阅",
    "glass-review": "审核紧急查阅",
    "second-factor": "第二因素",
    "policy-change": "规则变更",
    "link-change": "线路配置变更",
    "key-new": "更换密钥",
    "export": "导出",
    "export-file": "下载导出文件",
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
    "audit-search": "查询审计",
    "job-run": "运行任务",
    "ledger": "查看台账",
    "figure-people": "查看考核名单",
    "hl7-view": "查看医院消息（遮蔽）",
    "hl7-retry": "重试医院消息",
    "hl7-edit": "更正医院消息",
    "hl7-close": "关闭医院消息",
    "hl7-replay": "重放医院消息",
    "hl7-kept": "保留人工更正",
    "hl7-unmerge": "撤销医院合并",
    "journal-forget": "忘记线路日志",
    "tell-hospital": "告知医院",
    "withhold": "未获同意不发",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for in the audit; days are the site's, both included."""

    patient: str = ""
    """Id of a file, or a whole citizen id or file number."""
    actor: str = ""
    action: str = ""
    first: date | None = None
    last: date | None = None
    before: int | None = None

    @property
    def named(self) -> list[str]:
        """Which criteria are set: what of the search itself is noted."""
        return [name for name in ("patient", "actor", "action", "first", "last") if getattr(self, name)]


def wanted_of(
    patient: Annotated[str, Form(max_length=64)] = "",
    actor: Annotated[str, Form(max_length=80)] = "",
    action: Annotated[str, Form(max_length=40)] = "",
    first: Annotated[str, Form(max_length=10)] = "",
    last: Annotated[str, Form(max_length=10)] = "",
    before: Annotated[str, Form(max_length=20)] = "",
) -> Wanted:
    """The form as values.

    Raises:
        Invalid: a day that cannot be read, or an end before its beginning.
    """
    begins, ends = _day(first, "first"), _day(last, "last")
    if begins and ends and ends < begins:
        raise Invalid("the last day lies before the first; swap them", path="last", reason="days-swapped")
    number = int(before) if before.isdigit() else None
    return Wanted(patient.strip().removeprefix("Patient/"), actor.strip(), action.strip(), begins, ends, number)


@router.get("/audit")
def audit(page: SignedPage, store: StoreReading) -> Response:
    """The acts of the last seven days, newest first."""
    return _show(page, store, Wanted(first=today(store) - timedelta(days=_DAYS)))


@router.post("/audit")
def search(page: SignedPage, store: StoreReading, wanted: Annotated[Wanted, Depends(wanted_of)]) -> Response:
    """Acts by person, actor, kind and time, page by page; ids travel in the body. Every search is an act of its own."""
    return _show(page, store, wanted)


@router.post("/audit/verify")
def check(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """Walk the chain and say whether a row was changed, removed or moved."""
    state = request.app.state
    verdict = verify(state.database, Witness(state.settings.witness_file, state.database.sealer))
    return _show(page, store, Wanted(first=today(store) - timedelta(days=_DAYS)), verdict=verdict)


def _show(page: Page, store: Store, wanted: Wanted, *, verdict: object = None) -> Response:
    store.audit("audit-search", None, purpose=" ".join(wanted.named) or "all")
    known = _file(store, wanted.patient)
    events = audit_events(
        store,
        action=wanted.action or None,
        patient=known if wanted.patient else None,
        actor=wanted.actor or None,
        before=wanted.before,
        limit=_PAGE,
        since=_midnight(store, wanted.first),
        until=_midnight(store, wanted.last + timedelta(days=1)) if wanted.last else None,
    )
    people = accounts.accounts(store)
    names = {one.practitioner or f"user/{one.login}": one.name or one.login for one in people}
    return page.show(
        "audit.html",
        events=[_row(event) for event in events],
        acts=ACTS,
        wanted=wanted,
        actors=sorted(names.items()),
        names=names,
        verdict=verdict,
        more=events[-1]["id"] if len(events) == _PAGE else None,
    )


def _file(store: Store, typed: str) -> str:
    """The id of a file from what was typed: an id, or a whole number that one file carries."""
    if len(typed) >= _NUMBER and typed[:-1].isdigit():
        found = [one["id"] for one in holding(store, "Patient", ((system, typed.upper()) for system in (CITIZEN_ID, HEALTH_FILE_NUMBER)))]
        return str(found[0]) if found else typed
    return typed


def _midnight(store: Store, day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, store.zone)


def _day(text: str, what: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid("a day is written 2026-11-23", path=what, reason="day") from None


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
