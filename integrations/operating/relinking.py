"""Whose line a message belongs to that is tried again: one that no profile fitted, or the built-in one alone, may have its own by now."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import select, update

from healthsvc.errors import Conflict, Refusal
from healthsvc.store import Store
from healthsvc.store.inbox_rows import raw_of
from integrations.hl7v2.charset import header_line
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hospitals.profile import DEFAULT
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX

_OPEN = ("", DEFAULT)
"""Links of messages that came before their hospital had a profile."""


def relinked(store: Store, shelf: Shelf, rows: Iterable[Any], trouble: Collection[str]) -> list[int]:
    """Give those of these messages that failed to the profile that fits them now; gives the ids of all of them that have one.

    What had its effect under the built-in profile stays with it: under another one its people would have other numbers.

    Args:
        store: an open writing transaction.
        shelf: the profiles in force.
        rows: of the inbox, with id, link and state.
        trouble: the states of what failed.
    """
    known: list[int] = []
    for row in rows:
        moves = row.link == "" or (row.link == DEFAULT and row.state in trouble)
        if not moves or _relink(store, shelf, row.id):
            known.append(row.id)
    return known


def relink(store: Store, shelf: Shelf, row: Any) -> None:
    """The same of one message that an operator tries again.

    Raises:
        Conflict: still no profile fits it, or the same message has come again since and is there already.
    """
    if row.link in _OPEN and not _relink(store, shelf, row.id):
        text = (
            "no link profile fits MSH-3 to MSH-6 of this message on the address where it came in, or it has come again since; add one to "
        )
        raise Conflict(f"{text}DATA/hospitals/, or close it", path="MSH-3", reason="unknown-sender")


def _relink(store: Store, shelf: Shelf, id: int) -> bool:
    connection = store.connection
    row = connection.execute(
        select(INBOX.c.link, INBOX.c.listen, INBOX.c.peer, INBOX.c.sender, INBOX.c.control_id, INBOX.c.hash).where(INBOX.c.id == id)
    ).one()
    try:
        header = read_header(Message(header_line(raw_of(connection, store.sealer, id))))
    except Refusal:
        return bool(row.link)
    profile = shelf.choose(header, row.listen, row.peer)
    if profile is None or profile.name == row.link:
        return bool(row.link)
    same = (INBOX.c.link == profile.name) & (INBOX.c.sender == row.sender)
    same &= (INBOX.c.control_id == row.control_id) & (INBOX.c.hash == row.hash)
    if connection.execute(select(INBOX.c.id).where(same)).first() is not None:
        return False
    connection.execute(update(INBOX).where(INBOX.c.id == id).values(link=profile.name))
    return True
