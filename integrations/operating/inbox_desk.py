"""Messages that have come in and need somebody: try again, edit, close, take a merge back. All of it is audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update

from healthsvc.errors import Conflict, Invalid, NotFound, Refusal
from healthsvc.healthfile import merging
from healthsvc.healthfile.resources import links
from healthsvc.store import Store
from healthsvc.store.inbox_rows import opened
from healthsvc.store.retiring import copies
from healthsvc.store.stored import micros, moment
from integrations.ahead import profile_of
from integrations.arrival import State, receive
from integrations.hl7v2.charset import decode
from integrations.hl7v2.editing import edit as edit_text
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.masking import masked
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX, put
from integrations.operating.relinking import relink
from integrations.reading import read

TROUBLE: Final = (State.DEAD.value, State.REVIEW.value, State.QUARANTINE.value)
REASON_LONGEST: Final = 200
OVERRULED: Final = "against what was corrected here since"
"""In the audit, where an operator lets a hospital's older word count."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message as an operator sees it."""

    id: int
    link: str
    event: str
    control_id: str
    received: datetime
    peer: str
    code: str
    state: str
    reason: str
    place: str
    remark: str
    attempts: int
    made: tuple[str, ...]
    segments: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    """Segment name and its fields as (position, masked)."""
    size: int
    open: bool
    """Whether it can be tried again, edited or closed."""
    merge: bool
    """Whether it has joined two files, which can be taken back."""
    reused: bool
    """Whether its sender had used this control id before for other content."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that needs somebody, as one line of a list."""

    id: int
    link: str
    control_id: str
    event: str
    received: datetime
    state: str
    reason: str
    place: str
    remark: str

    @property
    def open(self) -> bool:
        """Whether it waits for somebody."""
        return self.state in TROUBLE


def letters(store: Store, most: int, link: str = "", state: str = "", number: str = "") -> list[Letter]:
    """Messages that need somebody (failed, in review, quarantined), are in one state or carry a control id; newest first."""
    columns: list[Any] = [INBOX.c[name] for name in ("id", "link", "control_id", "event", "received", "state", "reason", "place", "remark")]
    known = state in {one.value for one in State}
    wanted = INBOX.c.control_id == number if number else INBOX.c.state.in_([state] if known else TROUBLE)
    if link:
        wanted &= INBOX.c.link == link
    rows = store.connection.execute(select(*columns).where(wanted).order_by(INBOX.c.id.desc()).limit(most))
    return [
        Letter(r.id, r.link, r.control_id, r.event, moment(r.received).astimezone(store.zone), r.state, *(r[at] or "" for at in (6, 7, 8)))
        for r in rows
    ]


def view(store: Store, shelf: Shelf, id: int) -> MessageView:
    """One message, masked; that it was looked at is noted in the audit."""
    row = _row(store, id)
    store.audit("hl7-view", f"inbox/{id}")
    raw = _raw(store, row)
    made = tuple((row.made or "").split())
    texts = [raw] if raw else copies(store, id)
    return MessageView(
        id=id,
        link=row.link,
        event=row.event,
        control_id=row.control_id,
        received=moment(row.received).astimezone(store.zone),
        peer=row.peer,
        code=row.code,
        state=row.state,
        reason=row.reason or "",
        place=row.place or "",
        remark=row.remark or "",
        attempts=row.attempts,
        made=tuple(one for one in made if not one.startswith("Patient/")),
        segments=tuple(segment for one in texts for segment in _masked(one, row, shelf)),
        size=sum(map(len, texts)),
        open=row.state in TROUBLE and row.raw is not None,
        merge=bool(_joined(store, made)),
        reused=row.reused,
    )


def again(store: Store, shelf: Shelf, id: int, *, overrule: bool = False) -> None:
    """Put a message back into the queue, after a profile or a file was mended.

    What somebody here has corrected since it came stays, unless its word is to count all the same (``overrule``).

    Raises:
        NotFound: there is no such message, or it needs no retry. Conflict: no profile fits its sender.
    """
    row = _row(store, id)
    if row.state in TROUBLE and row.raw is not None:
        relink(store, shelf, row)
    if not queue_again(store, INBOX.c.id == id, TROUBLE, overrule=overrule):
        raise NotFound("there is no such message to try again")
    store.audit("hl7-retry", f"inbox/{id}", purpose=OVERRULED if overrule else None)


def close(store: Store, id: int, reason: str) -> None:
    """Leave a message at that: nothing more is to be done about it. The message itself is kept.

    Raises:
        Invalid: no reason is given. NotFound: there is no such message, or it waits for nobody.
    """
    told = reason_of(reason)
    values = {"state": State.CLOSED.value, "finished": micros(store.at)}
    done = store.connection.execute(update(INBOX).where(INBOX.c.id == id, INBOX.c.state.in_(TROUBLE)).values(**values))
    if done.rowcount == 0:
        raise NotFound("there is no such message to close")
    store.audit("hl7-close", f"inbox/{id}", purpose=told)


def edit(store: Store, shelf: Shelf, id: int, changes: Sequence[tuple[str, str]], reason: str) -> int:
    """Change values of a message by their positions and take the edited one in; the original is kept as replaced. Gives the new number.

    Raises:
        Invalid: no reason, no change, or a position that is none. Conflict: the edited message would not be taken either.
    """
    told, row = reason_of(reason), _row(store, id)
    if row.state not in TROUBLE or row.raw is None:
        raise NotFound("there is no such message to edit")
    if not changes:
        raise Invalid("name at least one position and its value", path="position", reason="position")
    return take_edited(store, shelf, row, changes, told, action="hl7-edit")


def take_edited(store: Store, shelf: Shelf, row: Any, changes: Sequence[tuple[str, str]], told: str, *, action: str) -> int:
    """Take a row's message in with other values and keep the row as replaced, under an act of the audit; gives the new number."""
    id = row.id
    profile = profile_of(row, shelf)
    before = _raw(store, row)
    decoded = decode(before, profile.charset or None, profile.charset_unlabelled or None)
    raw = decoded.encode(edit_text(Message(decoded.text, decoded.codec), changes))
    if raw == before:
        raise Invalid("the message already has these values", path="position", reason="unchanged")
    arrival = receive(raw, shelf, listen=row.listen, peer=row.peer, at=store.at.astimezone(store.zone), number=f"E{id}")
    if arrival.state is not State.PENDING:
        raise Conflict(f"the edited message would not be taken: {arrival.remark or arrival.reason}", path=arrival.place or "MSH")
    arrival.remark = f"edited from message {id}: {', '.join(position for position, _ in changes)}"
    put(store.connection, store.sealer, [arrival])
    wanted = (INBOX.c.link == arrival.link) & (INBOX.c.control_id == arrival.control_id) & (INBOX.c.hash == arrival.hash)
    new = int(store.connection.execute(select(INBOX.c.id).where(wanted)).scalar_one())
    values = {"state": State.REPLACED.value, "finished": micros(store.at), "remark": f"replaced by message {new}"}
    store.connection.execute(update(INBOX).where(INBOX.c.id == id).values(**values))
    store.audit(action, f"inbox/{id}", purpose=told)
    return new


def unmerge(store: Store, id: int, by: str, reason: str) -> tuple[str, ...]:
    """Take back what a merge message has joined; gives the Patient ids that are in force again.

    Raises:
        Invalid: no reason. NotFound: the message has joined nothing that is still joined.
    """
    told, row = reason_of(reason), _row(store, id)
    joined = _joined(store, (row.made or "").split())
    if not joined:
        raise NotFound("this message has joined no files, or that was taken back already", reason="merge-none")
    for patient in joined:
        merging.unmerge(store, patient, by=by, reason=told)
        store.audit("hl7-unmerge", f"inbox/{id}", patient=patient, purpose=told)
    return joined


def reason_of(text: str) -> str:
    """The reason that somebody gives, in one line; it goes into the audit, so it must not name the person."""
    told = " ".join(text.split())[:REASON_LONGEST]
    if not told:
        raise Invalid("say why, without naming the person", path="reason", reason="reason-missing")
    return told


def queue_again(store: Store, which: Any, states: Sequence[str], *, overrule: bool = False) -> int:
    """Let messages in one of these states be processed anew; gives how many. ``overrule``: also against what was corrected here since."""
    values = {
        "state": State.PENDING.value,
        "attempts": 0,
        "due": micros(store.at),
        "finished": None,
        "reason": None,
        "place": None,
        "remark": None,
        "overrules": overrule or None,
    }
    where = (which, INBOX.c.state.in_(states), INBOX.c.raw.is_not(None))
    return int(store.connection.execute(update(INBOX).where(*where).values(**values)).rowcount)


def _joined(store: Store, made: Sequence[str]) -> tuple[str, ...]:
    files = [one.partition("/")[2] for one in made if one.startswith("Patient/")]
    return tuple(one for one in files if (file := store.find("Patient", one)) is not None and links(file, "replaced-by"))


def _masked(raw: bytes, row: Any, shelf: Shelf) -> tuple[tuple[str, tuple[tuple[int, str], ...]], ...]:
    if not raw:
        return ()
    try:
        message, _ = read(raw, profile_of(row, shelf))
    except Refusal:
        try:  # quarantined for its characters: its build can be shown all the same
            message = Message(raw.decode("latin-1"))
        except Refusal:
            return ()
    return tuple((name, tuple(fields)) for name, fields in masked(message))


def _raw(store: Store, row: Any) -> bytes:
    """The bytes of a message; empty where it has been forgotten, or is kept with what it made alone."""
    return b"" if row.raw is None else opened(store.sealer, row.raw, row.hash)


def _row(store: Store, id: int) -> Any:
    row = store.connection.execute(select(INBOX).where(INBOX.c.id == id)).first()
    if row is None:
        raise NotFound("there is no such message")
    return row
