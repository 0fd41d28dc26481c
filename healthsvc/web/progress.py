"""后台任务 long work on the pages: how far it has come, what came of it, and calling it off; the bar that other pages show.

Another page shows the bar with ``{% include "progress_bar.html" %}`` where ``work`` is ``bar_of(...)``; it asks for itself anew until the
work has ended, also when somebody comes back to the page later. With ``go`` the browser then goes to what came of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.access.rules import allows
from healthsvc.dayplan import later
from healthsvc.healthfile.later import ROSTER
from healthsvc.rest.export.jobs import KIND as EXPORT
from healthsvc.rest.progress.seen import all_seen, call_off, seen
from healthsvc.store import Store
from healthsvc.store.progress import State, Work, mine
from healthsvc.web import words
from healthsvc.web.render import Page, SignedPage, local

router = APIRouter(dependencies=[needs("self")])
_RECENT: Final = timedelta(minutes=10)
"""So long the head of the pages still shows what has ended."""
_IN_HEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Title:
    """What a kind of work is called, in what its steps are counted ("" where nobody counts them), and where one sees what came of it."""

    title: str
    unit: str = ""
    where: Callable[[Work], str] = lambda _: ""


def _day_planned(work: Work) -> str:
    on = work.asked["on"]
    return f"/board?on={on}&done=planned" if (work.result or {}).get("in_force") else f"/board/{on}/proposal"


TITLES: Final[Mapping[str, Title]] = {
    EXPORT: Title("批量导出", "类资源"),
    ROSTER: Title("名册导入", "条", lambda work: f"/roster?work={work.id}"),
    later.DAY: Title("排一天的班", where=_day_planned),
    later.WEEK: Title("排一周的班", where=lambda work: f"/board/week/proposal?on={work.asked['first']}"),
}
"""A kind that is not here is shown by its id."""

STEPS: Final[Mapping[str, str]] = {later.COMPILING: "本机首次运行，正在编译排班程序，约需半分钟，只此一次"}
"""What is done before anything can be counted. A step that is not here is not shown."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of work as it is shown. ``share``: done, in percent; None where nobody knows yet. ``go``: leave for the result at the end."""

    id: str
    title: str
    about: str
    unit: str
    step: str
    state: State
    is_open: bool
    done: int
    total: int
    share: int | None
    by: str
    created: datetime
    begun: datetime | None
    finished: datetime | None
    where: str
    error: str
    may_cancel: bool
    go: bool


def bar_of(page: Page, work: Work, *, go: bool = False) -> Bar:
    """The bar of a piece of work for one reader."""
    known = TITLES.get(work.kind, Title(work.kind))
    actor = page.who.actor if page.who else None
    own = actor is not None and (work.actor.id == actor.id or allows(actor.roles, "operate"))
    step = STEPS.get(work.step, "")
    share = min(100, 100 * work.done // work.total) if work.total and not step else None
    where = known.where(work) if work.state is State.DONE else ""
    created, begun, finished = (None if one is None else local(one, page) for one in (work.created, work.begun, work.finished))
    assert created is not None
    day = words.as_day(work.about, created.tzinfo or UTC) if work.about else None
    about = words.short_day(day, page.language, created.year) if day else work.about
    counted = (work.state, work.is_open, work.done, work.total, share)
    who_when = (work.by, created, begun, finished)
    return Bar(work.id, known.title, about, known.unit, step, *counted, *who_when, where, work.error or "", own and work.is_open, go)


@router.get("/progress")
def listed(page: SignedPage, store: StoreReading) -> Response:
    """What one has asked for; an operator sees what anybody has."""
    return page.show("progress.html", works=[bar_of(page, one) for one in all_seen(store)])


@router.get("/progress/open")
def at_work(page: SignedPage, store: StoreReading) -> Response:
    """For the head of every page: what one has asked for that goes on, or ended a while ago; nothing where there is nothing."""
    since = store.at - _RECENT
    found = [one for one in mine(store, _IN_HEAD) if one.is_open or (one.finished is not None and one.finished > since)]
    bars = [bar_of(page, one) for one in found if one.state is not State.CANCELLED]
    return page.show("progress_head.html", works=bars, going=sum(one.is_open for one in bars))


@router.get("/progress/{id}")
def work(page: SignedPage, store: StoreReading, id: str, go: bool = False) -> Response:
    """One piece of work: a page to wait on, or to leave and come back to; only its bar where htmx asks."""
    return _shown(page, store, id, go)


@router.post("/progress/{id}/cancel")
def cancel(page: SignedPage, store: StoreWriting, id: str) -> Response:
    """Call it off before it has had its effect."""
    call_off(store, seen(store, id))
    return RedirectResponse(f"/progress/{id}", status_code=303)


def _shown(page: Page, store: Store, id: str, go: bool) -> Response:
    bar = bar_of(page, seen(store, id), go=go)
    if not page.wants_part:
        return page.show("progress_one.html", work=bar)
    answer = page.show("progress_bar.html", work=bar)
    if go and bar.where:
        answer.headers["HX-Redirect"] = bar.where
    return answer
