"""Messages of a line, a time or a person have their effect anew, in their old order; what an operator has decided since stands."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from healthsvc.errors import Invalid
from healthsvc.healthfile.merging import is_parted
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Actor, Database, Store
from healthsvc.store.inbox_rows import raw_of
from healthsvc.store.stored import micros
from integrations.ahead import lane_keys, profile_of
from integrations.arrival import State
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX
from integrations.lanes import keys
from integrations.operating.inbox_desk import OVERRULED, TROUBLE, queue_again
from integrations.operating.relinking import relinked

_REPLAYED: Final = (*TROUBLE, State.DONE.value, State.IGNORED.value, State.CLOSED.value)
MOST_REPLAYED: Final = 20_000
"""Most messages that one replay looks at; a longer time is replayed in parts."""


_PORTION: Final = 200
"""Messages that are queued in one transaction: so long waits whoever else wants to write."""


class Chosen(NamedTuple):
    """What a replay is about."""

    ids: tuple[int, ...]
    """Numbers of the messages, in their old order."""
    left: tuple[int, ...]
    """Numbers of the merges that are left as they are, since somebody has taken them back."""
    link: str
    patient: str


class Replayed(NamedTuple):
    """What a replay came to."""

    queued: int
    """Messages that are queued again."""
    left: tuple[int, ...] = ()
    """As :attr:`Chosen.left`."""


def chosen(store: Store, shelf: Shelf, *, link: str = "", since: datetime, until: datetime, patient: str = "") -> Chosen:
    """Which messages a replay is about; reads only, since those of one person are found by reading each message.

    A merge that was taken back since is left out and named; who finds that the two are one after all joins the files by hand.

    Raises:
        Invalid: the time ends before it begins (``span-backward``), or is longer than one replay can take.
    """
    if until <= since:
        raise Invalid("the end of the time lies before its beginning; put since before until", path="until", reason="span-backward")
    wanted = (INBOX.c.received >= micros(since)) & (INBOX.c.received < micros(until)) & INBOX.c.state.in_(_REPLAYED)
    if link:
        wanted &= INBOX.c.link == link
    columns = (INBOX.c.id, INBOX.c.link, INBOX.c.state, INBOX.c.made)
    which = select(*columns).where(wanted, INBOX.c.raw.is_not(None)).order_by(INBOX.c.id).limit(MOST_REPLAYED + 1)
    rows: Sequence[Any] = store.connection.execute(which).all()
    if len(rows) > MOST_REPLAYED:
        raise Invalid(f"more than {MOST_REPLAYED} messages; replay a shorter time or one line", path="since", reason="too-many")
    if patient:
        mine = _keys_of(store, patient)
        rows = [
            row for row in rows if not mine.isdisjoint(lane_keys(raw_of(store.connection, store.sealer, row.id), profile_of(row, shelf)))
        ]
    left = tuple(row.id for row in rows if row.state == State.DONE.value and _was_taken_back(store, row.made or ""))
    return Chosen(tuple(row.id for row in rows if row.id not in left), left, link, patient)


def replay(
    database: Database, actor: Actor, shelf: Shelf, about: Chosen, now: Callable[[], datetime], *, overrule: bool = False
) -> Replayed:
    """Queue these messages again, in their old order, some at a time; gives how many.

    Telling the same again changes nothing, so what was right stays; what was lost or mended comes in. What somebody here has corrected
    since a message came stays, too (``operating/correcting.py`` names it beforehand), unless its word is to count all the same
    (``overrule``, audited). A message that has been replaced or forgotten meanwhile stays so.
    """
    queued = 0
    for start in range(0, max(len(about.ids), 1), _PORTION):
        with database.writing(actor, at=now()) as store:
            if not start:
                named = f", {len(about.left)} merges left as taken back" if about.left else ""
                told = f"inbox of {about.link or 'all lines'}, {len(about.ids)} messages{named}"
                store.audit("hl7-replay", told, patient=about.patient or None, purpose=OVERRULED if overrule else None)
            columns = (INBOX.c.id, INBOX.c.link, INBOX.c.state)
            which = INBOX.c.id.in_(about.ids[start : start + _PORTION]) & INBOX.c.state.in_(_REPLAYED) & INBOX.c.raw.is_not(None)
            rows = store.connection.execute(select(*columns).where(which).order_by(INBOX.c.id)).all()
            queued += queue_again(store, INBOX.c.id.in_(relinked(store, shelf, rows, TROUBLE)), _REPLAYED, overrule=overrule)
    return Replayed(queued, about.left)


def _was_taken_back(store: Store, made: str) -> bool:
    """Whether a message has joined two files that somebody has parted since (it wrote both, and they are apart)."""
    files = [one.partition("/")[2] for one in made.split() if one.startswith("Patient/")]
    return any(is_parted(store, one, other) for at, one in enumerate(files) for other in files[at + 1 :])


def _keys_of(store: Store, patient: str) -> frozenset[str]:
    survivor = follow(store, patient)["id"]
    numbers = [
        (str(number.get("system", "")), str(number.get("value", "")))
        for one in (survivor, *replaced(store, survivor))
        for number in (store.find("Patient", one) or {}).get("identifier", [])
    ]
    return keys("", numbers)
