"""定时任务 what is done by the clock: when each last ran and will run, what went wrong, and one of them now."""

from collections.abc import Sequence
from typing import Final, Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Unavailable
from healthsvc.store import Store
from healthsvc.web.operate import span_of
from healthsvc.web.render import SignedPage

router = APIRouter()
TITLES: Final = {
    "contracts-expire": "签约到期终止",
    "contracts-renewal": "续约提醒",
    "contact-cards": "联系卡更新",
    "contact-cards-nightly": "联系卡夜间核对",
    "home-beds-end": "家庭病床到期撤床",
    "infusion-doses-missed": "漏输登记",
    "infusion-late-looks": "输液观察提醒",
    "risk-tags": "风险标签重算",
    "green-channel": "绿色通道重算",
    "checkup-calendar": "季度体检排期",
    "checkup-ladder": "体检逾期催办",
    "must-visits": "五必到名单",
    "circle": "十分钟圈重算",
    "sessions-forget": "清理过期登录",
    "subscription-events-forget": "清理已送达通知",
    "exports-forget": "清理过期导出",
    "work-forget": "清理过期后台任务",
    "firings-forget": "清理定时任务运行记录",
    "messages-retire": "清理到期收发报文",
    "hospital-lines": "医院线路静默检查",
    "visits-unended": "未办结门急诊视为结束",
    "backup": "备份",
    "audit-anchor": "审计锚点",
}
"""Job -> what one calls it; a job that is not here shows its id."""


class Standing(Protocol):
    """How one job stands."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def is_running(self) -> bool:
        """Whether it runs now, as far as the tables tell."""


class Timetable(Protocol):
    """All jobs of an installation (``app.state.timetable``)."""

    def standings(self, store: Store) -> Sequence[Standing]:
        """How each job stands."""

    def run_now(self, store: Store, id: str) -> None:
        """Begin one job now; the answer does not wait for its end."""


@router.get("/operate/jobs", dependencies=[needs("operate")])
def jobs(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """All jobs; while one runs the list looks again by itself, and the page may be left."""
    standings = timetable_of(request).standings(store)
    running = any(one.is_running for one in standings)
    block = "list" if page.wants_part else None
    return page.show("jobs.html", block=block, jobs=standings, titles=TITLES, at=store.at, span=span_of(page), running=running)


@router.post("/operate/jobs/{id}/run", dependencies=[needs("configure")])
def run(request: Request, store: StoreWriting, id: str) -> Response:
    """Run one job now."""
    timetable_of(request).run_now(store, id)
    return RedirectResponse("/operate/jobs", status_code=303)


def timetable_of(request: Request) -> Timetable:
    """The timetable of this process.

    Raises:
        Unavailable: the application was started without it.
    """
    found: Timetable | None = getattr(request.app.state, "timetable", None)
    if found is None:
        raise Unavailable("this process does not know the timers; start it with healthsvc serve", reason="no-timetable")
    return found
