"""Messages to hospitals that could not be delivered: look at them masked, try again, or close them with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update

from healthsvc.errors import NotFound, Refusal
from healthsvc.store import Store
from healthsvc.store.bell import OUTBOX as OUTBOX_RINGS
from healthsvc.store.outbox import OUTBOX, payload_of
from healthsvc.store.stored import micros, moment
from integrations.answers import KIND, NOW, TAKEN
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.masking import masked
from integrations.operating.inbox_desk import reason_of

STUCK: Final = ("dead", "refused", "withheld")
_OPEN: Final = (*STUCK, "due", TAKEN)


@dataclass(frozen=True, slots=True)
class SentView:
    """One message to a hospital as an operator sees it."""

    id: int
    link: str
    event: str
    topic: str
    created: datetime
    due: datetime
    state: str
    error: str
    attempts: int
    segments: tuple[tuple[str, tuple[tuple[int, str], ...]], ...] = ()
    open: bool = False
    behind: int | None = None
    """An earlier message of the same person that has to go out before."""


def stuck(store: Store, most: int, link: str = "") -> list[SentView]:
    """What was refused, withheld or given up, and what holds up the person's next ones: tried in vain or not answered. Newest first."""
    in_vain = OUTBOX.c.state.in_((*STUCK, TAKEN)) | ((OUTBOX.c.state == "due") & (OUTBOX.c.attempts > 0))
    wanted = in_vain & (OUTBOX.c.kind == f"{KIND}{link}" if link else OUTBOX.c.kind.startswith(KIND))
    rows = store.connection.execute(select(OUTBOX).where(wanted).order_by(OUTBOX.c.id.desc()).limit(most))
    return [_view(store, row) for row in rows]


def view(store: Store, id: int) -> SentView:
    """One message, masked; that it was looked at is noted in the audit."""
    row = _row(store, id)
    store.audit("hl7-view", f"outbox/{id}", patient=row.key)
    return _view(store, row, whole=True)


def again(store: Store, id: int) -> None:
    """Send a message once more, with the same control id, and at once even where its hospital has not answered lately."""
    values = {"state": "due", "attempts": 0, "due": micros(store.at), "error": None}
    _change(store, id, _OPEN, values, "there is no such message to send again")
    _wake(store, _row(store, id).kind.removeprefix(KIND))
    store.audit("hl7-retry", f"outbox/{id}")


def send_now(store: Store, link: str) -> int:
    """Try everything at once that waits for a hospital, whatever pause is under way: its line is up again. Gives how many wait.

    Their attempts count on, and each person's go out in their order. What was refused, withheld or given up is not among them.
    """
    waiting = (OUTBOX.c.kind == f"{KIND}{link}") & (OUTBOX.c.state == "due")
    count = int(store.connection.execute(update(OUTBOX).where(waiting).values(due=micros(store.at))).rowcount)
    if count:
        _wake(store, link)
        store.audit("hl7-retry", f"outbox of {link}, {count} messages")
    return count


def _wake(store: Store, link: str) -> None:
    key = f"{NOW}{link}"
    store.release(key)
    store.claim(key, str(micros(store.at)))
    store.rings.add(OUTBOX_RINGS)


def close(store: Store, id: int, reason: str) -> None:
    """Never send a message; it is kept, and the person's later ones go on."""
    told = reason_of(reason)
    _change(store, id, _OPEN, {"state": "closed"}, "there is no such message to close")
    store.audit("hl7-close", f"outbox/{id}", purpose=told)


def _change(store: Store, id: int, states: tuple[str, ...], values: dict[str, Any], otherwise: str) -> None:
    where = (OUTBOX.c.id == id, OUTBOX.c.state.in_(states), OUTBOX.c.kind.startswith(KIND))
    if store.connection.execute(update(OUTBOX).where(*where).values(**values)).rowcount == 0:
        raise NotFound(otherwise)


def _row(store: Store, id: int) -> Any:
    row = store.connection.execute(select(OUTBOX).where(OUTBOX.c.id == id, OUTBOX.c.kind.startswith(KIND))).first()
    if row is None:
        raise NotFound("there is no such message")
    return row


def _view(store: Store, row: Any, *, whole: bool = False) -> SentView:
    payload = payload_of(store.sealer, row)
    segments: tuple[tuple[str, tuple[tuple[int, str], ...]], ...] = ()
    if whole and payload.get("message"):
        try:
            segments = tuple((name, tuple(fields)) for name, fields in masked(Message(payload["message"])))
        except Refusal:
            segments = ()
    return SentView(
        id=row.id,
        link=row.kind.removeprefix(KIND),
        event=payload.get("event", ""),
        topic=payload.get("topic", ""),
        created=moment(row.created).astimezone(store.zone),
        due=moment(row.due).astimezone(store.zone),
        state=row.state,
        error=row.error or "",
        attempts=row.attempts,
        segments=segments,
        open=row.state in _OPEN,
        behind=_before(store, row) if whole and row.state in ("due", TAKEN) else None,
    )


def _before(store: Store, row: Any) -> int | None:
    wanted = (OUTBOX.c.kind == row.kind, OUTBOX.c.key == row.key, OUTBOX.c.state.in_(("due", TAKEN)), OUTBOX.c.id < row.id)
    first = store.connection.execute(select(func.min(OUTBOX.c.id)).where(*wanted)).scalar()
    return None if first is None else int(first)
