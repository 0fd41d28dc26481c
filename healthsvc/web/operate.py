"""运行维护 lines, dead letters, reviews and outgoing messages, for an operator: counts, codes, places and masked text."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import func, select

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Invalid
from healthsvc.store import Store
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import moment
from healthsvc.web import words
from healthsvc.web.desk import desk_of
from healthsvc.web.remarks import remark_words
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("operate")])
MOST: Final = 200
STATES: Final = {
    "pending": ("待处理", "amber"), "done": ("已处理", "green"), "ignored": ("无需处理", ""), "review": ("待核对", "amber"),
    "dead": ("失败", "red"), "quarantine": ("隔离", "red"), "forgotten": ("已抹除", ""), "replaced": ("已被替代", ""),
    "closed": ("已关闭", ""),
    "due": ("待发送", "amber"), "taken": ("等待应用应答", "amber"), "refused": ("对方拒收", "red"), "withheld": ("未获同意", "amber"),
}  # fmt: skip
QUEUES: Final = {"alarm": "报警", "emergency-call": "一键通呼叫", "infusion-reminder": "输液巡视提醒"}
"""What goes out beside messages to hospitals, by the kind of its rows."""
Reason = Annotated[str, Form()]
Overrule = Annotated[bool, Form()]
"""The hospital's word counts also against what was corrected here since."""


def _edits(
    position: Annotated[list[str] | None, Form()] = None, value: Annotated[list[str] | None, Form()] = None
) -> list[tuple[str, str]]:
    """The places of a form and their new values; a line without a place is left out."""
    places, values = position or [], value or []
    if len(places) != len(values):
        raise Invalid("every position needs its value", path="value", reason="position")
    return [(place, new) for place, new in zip(places, values, strict=True) if place.strip()]


Edits = Annotated[list[tuple[str, str]], Depends(_edits)]


@router.get("/operate")
def operate(
    page: SignedPage, request: Request, store: StoreReading, link: str = "", state: str = "", number: str = "", now: int | None = None
) -> Response:
    """Everything an operator looks at in the morning; ``now``: so many messages have just been asked to go out at once."""
    desk, number = desk_of(request), number.strip()
    return page.show(
        "operate.html", listening=desk.listening(store), standings=desk.standings(store), ends=desk.visit_ends(store),
        letters=desk.letters(store, MOST, link, state, number),
        stuck=desk.stuck(store, MOST, link), queues=queues(store), states=STATES, most=MOST, link=link, state=state, number=number,
        at=store.at, span=span_of(page), why=why_of(page), trouble=desk.trouble(),
        files=desk.not_in_force(), now=now, delivery=delivery_of(page), kinds=QUEUES,
        remarked=remark_of(page), refusal=refusal_of(page),
    )  # fmt: skip


@router.get("/operate/messages/{id}")
def message(page: SignedPage, request: Request, store: StoreReading, id: int, withdrawn: int | None = None, parted: int = 0) -> Response:
    """One message that has come in, masked, and what may be done about it."""
    desk = desk_of(request)
    one: Any = desk.view(store, id)
    corrected = desk.corrections(store, [id]) if one.open else ()
    return page.show(
        "operate_message.html", one=one, numbers=desk.numbers(store, id), several=desk.is_misfiled(store, id),
        corrected=corrected, most=MOST, states=STATES, withdrawn=withdrawn, parted=parted, why=why_of(page),
        remarked=remark_of(page),
    )  # fmt: skip


@router.post("/operate/messages/{id}/again")
def again(request: Request, store: StoreWriting, id: int, overrule: Overrule = False) -> Response:
    """Let the worker try a message again (after a profile or a file was mended)."""
    desk_of(request).again(store, id, overrule=overrule)
    return RedirectResponse("/operate", status_code=303)


@router.post("/operate/messages/{id}/close")
def close(request: Request, store: StoreWriting, id: int, reason: Reason = "") -> Response:
    """Leave a message at that, with a reason."""
    desk_of(request).close(store, id, reason)
    return RedirectResponse("/operate", status_code=303)


@router.post("/operate/messages/{id}/edit")
def edit(
    request: Request,
    store: StoreWriting,
    id: int,
    edits: Edits,
    reason: Reason = "",
) -> Response:
    """Change values by their positions and take the edited message in."""
    new = desk_of(request).edit(store, id, edits, reason)
    return RedirectResponse(f"/operate/messages/{new}", status_code=303)


@router.post("/operate/messages/{id}/unmerge")
def unmerge(page: SignedPage, request: Request, store: StoreWriting, id: int, reason: Reason = "") -> Response:
    """Take back what a merge message has joined."""
    parted = desk_of(request).unmerge(store, id, page.who.actor.name if page.who else "", reason)
    return RedirectResponse(f"/operate/messages/{id}?parted={len(parted)}", status_code=303)


@router.post("/operate/messages/{id}/move")
def move(
    request: Request,
    store: StoreWriting,
    id: int,
    edits: Edits,
    reason: Reason = "",
) -> Response:
    """Withdraw what came under the wrong person, and take the message in under the right numbers; a number left empty is taken out."""
    changes = [(place, new.strip()) for place, new in edits]
    named = any(new for _, new in changes)  # without any number nobody is named, which the desk refuses
    numbers = [(place if new else place.removesuffix(".1"), new) for place, new in changes] if named else []
    withdrawn, new = desk_of(request).move(store, id, numbers, reason)
    return RedirectResponse(f"/operate/messages/{new}?withdrawn={withdrawn}", status_code=303)


@router.post("/operate/messages/{id}/part")
def part(request: Request, store: StoreWriting, id: int, reason: Reason = "") -> Response:
    """Withdraw several persons' results that came into one file, and let each one's part come into their own."""
    withdrawn = desk_of(request).part(store, id, reason)
    return RedirectResponse(f"/operate/messages/{id}?withdrawn={withdrawn}", status_code=303)


@router.post("/operate/replay")
def replay(
    page: SignedPage,
    request: Request,
    store: StoreReading,
    since: Annotated[str, Form()],
    until: Annotated[str, Form()],
    link: Annotated[str, Form()] = "",
    patient: Annotated[str, Form()] = "",
    overrule: Overrule = False,
    run: Annotated[bool, Form()] = False,
) -> Response:
    """Say which messages of a line, a time or a person it is, and what was corrected here since; then (``run``) let them have their effect
    anew."""
    assert page.who is not None
    desk = desk_of(request)
    about = desk.to_replay(store, link.strip(), _when(since, "since", store), _when(until, "until", store), patient.strip())
    if not run:
        asked = {"since": since.strip(), "until": until.strip(), "link": link.strip(), "patient": patient.strip()}
        corrected = desk.corrections(store, about.ids)
        return page.show("operate_replay.html", asked=asked, count=len(about.ids), left=about.left, corrected=corrected, most=MOST)
    queued, left = desk.replay(request.app.state.database, page.who.actor, about, overrule=overrule)
    return page.show("operate_replayed.html", count=queued, left=left, overruled=overrule)


@router.post("/operate/send-now")
def send_now(request: Request, store: StoreWriting, link: Annotated[str, Form()]) -> Response:
    """Try everything at once that waits for a hospital whose line is up again."""
    count = desk_of(request).send_now(store, link.strip())
    return RedirectResponse(f"/operate?now={count}", status_code=303)


@router.get("/operate/sent/{id}")
def sent(page: SignedPage, request: Request, store: StoreReading, id: int) -> Response:
    """One message to a hospital, masked."""
    return page.show("operate_sent.html", one=desk_of(request).sent(store, id), states=STATES, delivery=delivery_of(page))


@router.post("/operate/sent/{id}/again")
def send_again(request: Request, store: StoreWriting, id: int) -> Response:
    """Send a message once more, under the same control id."""
    desk_of(request).send_again(store, id)
    return RedirectResponse("/operate", status_code=303)


@router.post("/operate/sent/{id}/close")
def send_never(request: Request, store: StoreWriting, id: int, reason: Reason = "") -> Response:
    """Never send a message, with a reason."""
    desk_of(request).send_never(store, id, reason)
    return RedirectResponse("/operate", status_code=303)


def queues(store: Store) -> list[tuple[str, str, int, datetime]]:
    """Outgoing work that is not for hospitals and not done: kind, state, how many, since when."""
    rows = store.connection.execute(
        select(OUTBOX.c.kind, OUTBOX.c.state, func.count(), func.min(OUTBOX.c.created))
        .where(OUTBOX.c.state.in_(("due", "dead")), ~OUTBOX.c.kind.startswith("hl7:"))
        .group_by(OUTBOX.c.kind, OUTBOX.c.state)
    )
    return [(kind, state, count, moment(oldest).astimezone(store.zone)) for kind, state, count, oldest in rows]


def why_of(page: Page) -> Any:
    """What a reason code of the hospital line means, in the reader's language; empty where its own text says it all."""
    return lambda code: "" if page.language == "en" else words.reasons().get(code, "")


def delivery_of(page: Page) -> Any:
    """Why a delivery failed, in the reader's language; empty where what was said is the hospital's own answer."""
    return lambda said: words.delivery_words(said, page.language)


def refusal_of(page: Page) -> Any:
    """Why a line was turned away, in the reader's language; empty where its own text says it all."""
    return lambda why: words.refusal_words(why, page.language)


def remark_of(page: Page) -> Any:
    """What is remarked on a message, in the reader's language; empty where its own text says it all."""
    return lambda said: remark_words(said, page.language)


def _when(text: str, what: str, store: Store) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid("a moment is written 2026-11-28 08:00", path=what, reason="moment") from None
    return at if at.tzinfo else at.replace(tzinfo=store.zone)


def span_of(page: Page) -> Any:
    """How long something has lasted, in words."""

    def span(length: timedelta | None) -> str:
        if length is None:
            return "–"
        minutes = max(0, int(length.total_seconds() // 60))
        if minutes < 60:
            return page.say("{n} 分钟", n=minutes)
        if minutes < 48 * 60:
            return page.say("{n} 小时", n=minutes // 60)
        return page.say("{n} 天", n=minutes // 1440)

    return span
