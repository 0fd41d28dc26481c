"""运行维护 lines, queues, dead letters and reviews, for an operator: counts, codes and places, never a person's particulars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import func, select, update

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import NotFound
from healthsvc.store import Store
from healthsvc.store.inbox_tables import InboxRow
from healthsvc.store.stored import micros, moment
from healthsvc.store.tables import OutboxRow
from healthsvc.web.render import SignedPage

router = APIRouter(dependencies=[needs("operate")])
_INBOX = InboxRow.__table__  # type: ignore[attr-defined]
_OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]
_MOST: Final = 200
_TROUBLE: Final = ("dead", "review", "quarantine")
_RETRIED: Final = ("dead", "review", "quarantine")
STATES: Final = {
    "pending": ("待处理", "amber"), "done": ("已处理", "green"), "ignored": ("无需处理", ""), "review": ("待核对", "amber"),
    "dead": ("失败", "red"), "quarantine": ("隔离", "red"), "forgotten": ("已抹除", ""), "replaced": ("已被替代", ""),
}  # fmt: skip


class LineStatus(Protocol):
    """An open hospital line, as the part that listens tells it (``app.state.lines`` is a callable that gives them)."""

    @property
    def peer(self) -> str:
        """Who is connected."""

    @property
    def messages(self) -> int:
        """How many messages have come over it."""

    @property
    def faults(self) -> int:
        """How often it broke the framing."""


Lines = Callable[[], Sequence[LineStatus]]


@dataclass(frozen=True, slots=True)
class Link:
    """One sender and what has become of its messages."""

    name: str
    counts: dict[str, int]
    last: datetime

    @property
    def total(self) -> int:
        """All messages."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that needs somebody."""

    id: int
    link: str
    control_id: str
    event: str
    received: datetime
    state: str
    reason: str
    place: str
    remark: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Outgoing work of one kind."""

    kind: str
    state: str
    count: int
    oldest: datetime


@router.get("/operate")
def operate(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """Everything an operator looks at in the morning."""
    lines: Lines | None = getattr(request.app.state, "lines", None)
    return page.show(
        "operate.html", lines=None if lines is None else lines(), links=links(store), letters=letters(store), queues=queues(store),
        states=STATES, retried=_RETRIED, most=_MOST,
    )  # fmt: skip


@router.post("/operate/{id}/again")
def again(store: StoreWriting, id: int) -> Response:
    """Let the worker try a message again (after a profile or a file was mended)."""
    retry(store, id)
    return RedirectResponse("/operate", status_code=303)


def links(store: Store) -> list[Link]:
    """Senders with their counts by state, newest message first."""
    rows = store.connection.execute(
        select(_INBOX.c.link, _INBOX.c.state, func.count(), func.max(_INBOX.c.received)).group_by(_INBOX.c.link, _INBOX.c.state)
    )
    found: dict[str, tuple[dict[str, int], int]] = {}
    for name, state, count, last in rows:
        counts, newest = found.get(name, ({}, 0))
        found[name] = ({**counts, state: count}, max(newest, last))
    made = [Link(name or "（未识别）", counts, moment(last).astimezone(store.zone)) for name, (counts, last) in found.items()]
    return sorted(made, key=lambda link: link.last, reverse=True)


def letters(store: Store) -> list[Letter]:
    """Messages that failed, wait for a review or are quarantined, newest first."""
    columns: list[Any] = [
        _INBOX.c[name] for name in ("id", "link", "control_id", "event", "received", "state", "reason", "place", "remark")
    ]
    rows = store.connection.execute(select(*columns).where(_INBOX.c.state.in_(_TROUBLE)).order_by(_INBOX.c.id.desc()).limit(_MOST))
    return [
        Letter(
            r.id,
            r.link,
            r.control_id,
            r.event,
            moment(r.received).astimezone(store.zone),
            r.state,
            r.reason or "",
            r.place or "",
            r.remark or "",
        )
        for r in rows
    ]


def queues(store: Store) -> list[Queue]:
    """Outgoing work that is not done, by kind and state."""
    rows = store.connection.execute(
        select(_OUTBOX.c.kind, _OUTBOX.c.state, func.count(), func.min(_OUTBOX.c.created))
        .where(_OUTBOX.c.state != "done")
        .group_by(_OUTBOX.c.kind, _OUTBOX.c.state)
    )
    return [Queue(kind, state, count, moment(oldest).astimezone(store.zone)) for kind, state, count, oldest in rows]


def retry(store: Store, id: int) -> None:
    """Put a message back into the queue.

    Raises:
        NotFound: there is no such message, or it needs no retry.
    """
    changed = store.connection.execute(
        update(_INBOX)
        .where(_INBOX.c.id == id, _INBOX.c.state.in_(_RETRIED), _INBOX.c.raw.is_not(None))
        .values(state="pending", attempts=0, due=micros(store.at), finished=None, reason=None, place=None, remark=None)
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such message to try again")
    store.audit("retry", f"inbox/{id}")
