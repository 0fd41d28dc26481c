"""Results of several persons that came into one person's file: before such messages were taken apart, all of it went to the first PID.

Found by what the inbox holds: a message of results or orders that names several persons, whose Provenance is of the whole message and not
of a person's part. Put right by withdrawing what it wrote, so that nobody reads another's result, and letting it have its effect anew:
each one's part then goes into their own file. What belongs to somebody who is none of ours stays withdrawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from healthsvc.errors import NotFound, Refusal
from healthsvc.store import Store
from healthsvc.store.inbox_rows import opened
from healthsvc.store.stored import moment
from integrations.ahead import profile_of
from integrations.arrival import State
from integrations.hl7v2.persons import apart
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX
from integrations.operating.inbox_desk import queue_again, reason_of
from integrations.operating.refiling import targets, withdraw_all
from integrations.reading import read

PORTION: Final = 500


@dataclass(frozen=True, slots=True)
class Misfiled:
    """One message whose results stand in one file though they are about several persons."""

    id: int
    link: str
    event: str
    control_id: str
    received: datetime
    persons: int
    wrote: int
    """Resources that it wrote."""


def find(store: Store, shelf: Shelf) -> Iterator[Misfiled]:
    """Every such message, oldest first; reads the whole inbox, some hundred messages at a time."""
    last = 0
    while True:
        wanted = (INBOX.c.id > last, INBOX.c.state == State.DONE.value, INBOX.c.raw.is_not(None))
        rows = store.connection.execute(select(INBOX).where(*wanted).order_by(INBOX.c.id).limit(PORTION)).all()
        for row in rows:
            found = _misfiled(store, shelf, row)
            if found is not None:
                yield found
        if len(rows) < PORTION:
            return
        last = rows[-1].id


def is_misfiled(store: Store, shelf: Shelf, id: int) -> bool:
    """Whether a message has put several persons' results into one file."""
    row = store.connection.execute(select(INBOX).where(INBOX.c.id == id, INBOX.c.state == State.DONE.value)).first()
    return row is not None and row.raw is not None and _misfiled(store, shelf, row) is not None


def mend(store: Store, shelf: Shelf, id: int, reason: str) -> int:
    """Withdraw what a message wrote into one file, and queue it so that each one's part goes into their own; gives how many were withdrawn.

    Raises:
        Invalid: no reason. NotFound: it is no such message, or was mended already.
    """
    told = reason_of(reason)
    row = store.connection.execute(select(INBOX).where(INBOX.c.id == id, INBOX.c.state == State.DONE.value)).first()
    if row is None or row.raw is None or _misfiled(store, shelf, row) is None:
        raise NotFound("this message has not put several persons' results into one file, or that was put right already")
    provenance = store.read("Provenance", _provenance(id))
    withdrawn = withdraw_all(store, targets(provenance))
    store.delete("Binary", f"hl7-message-{id}")  # it shows everybody's results to whoever may see the one file
    store.delete("Provenance", provenance["id"])
    queue_again(store, INBOX.c.id == id, (State.DONE.value,), overrule=True)  # what was withdrawn just now is no correction
    store.audit("hl7-misfiled", f"inbox/{id}", purpose=told)
    return withdrawn


def _misfiled(store: Store, shelf: Shelf, row: Any) -> Misfiled | None:
    raw = opened(store.sealer, row.raw, row.hash)
    if raw.count(b"PID") < 2:
        return None
    profile = profile_of(row, shelf)
    try:
        message, header = read(raw, profile)
        persons = len(apart(message, header, profile))
    except Refusal:
        return None
    provenance = store.find("Provenance", _provenance(row.id)) if persons > 1 else None
    if provenance is None:
        return None
    wrote = len(targets(provenance))
    return Misfiled(row.id, row.link, row.event, row.control_id, moment(row.received).astimezone(store.zone), persons, wrote)


def _provenance(id: int) -> str:
    return f"hl7-provenance-{id}"
