"""Before messages have their effect anew: what somebody here has corrected by hand since they came, by record and element."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from healthsvc.healthfile.service import follow
from healthsvc.store import Store
from healthsvc.store.inbox_rows import raws_of
from healthsvc.store.lookup import holding
from healthsvc.store.stored import moment
from integrations.ahead import numbers_in_message, profile_of
from integrations.effects.corrected import TOLD, corrected
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX

_PORTION: Final = 200
"""Messages that are looked up by one statement."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """One record that a message is about and that somebody has corrected since."""

    message: int
    """The first of the messages."""
    subject: str
    """``Patient/x``, ``Observation/y``."""
    elements: tuple[str, ...]
    at: datetime
    """When last."""


def corrections(store: Store, shelf: Shelf, ids: Sequence[int]) -> list[Corrected]:
    """What was corrected since these messages came: of the persons whom they name, and of what they wrote.

    Args:
        store: an open transaction.
        shelf: the profiles in force, by which the messages are read.
        ids: numbers of the inbox, in their order.
    """
    since: dict[str, tuple[int, int]] = {}
    for id, received, subject in _subjects(store, shelf, ids):
        if subject not in since or received < since[subject][1]:
            since[subject] = id, received
    found = []
    for subject, (id, received) in since.items():
        type, _, key = subject.partition("/")
        stored = store.get(type, key) if type in TOLD else None
        ours = corrected(store, stored, received) if stored is not None and not stored.deleted else {}
        if ours:
            at = moment(max(one.at for one in ours.values())).astimezone(store.zone)
            found.append(Corrected(id, subject, tuple(sorted(ours)), at))
    return sorted(found, key=lambda one: (one.message, one.subject))


def _subjects(store: Store, shelf: Shelf, ids: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """Message, when it came, and a record that it is about."""
    people: dict[frozenset[tuple[str, str]], tuple[str, ...]] = {}
    columns = (INBOX.c.id, INBOX.c.link, INBOX.c.received, INBOX.c.made)
    for start in range(0, len(ids), _PORTION):
        which = select(*columns).where(INBOX.c.id.in_(ids[start : start + _PORTION]))
        rows: dict[int, Any] = {row.id: row for row in store.connection.execute(which)}
        for row in rows.values():
            yield from ((row.id, row.received, one) for one in (row.made or "").split())
        for id, raw in raws_of(store.connection, store.sealer, list(rows)):
            numbers = frozenset(numbers_in_message(raw, profile_of(rows[id], shelf)))
            if numbers not in people:
                people[numbers] = tuple(_files(store, numbers))
            yield from ((id, rows[id].received, one) for one in people[numbers])


def _files(store: Store, numbers: Iterable[tuple[str, str]]) -> Iterator[str]:
    for file in holding(store, "Patient", numbers):
        yield f"Patient/{follow(store, file['id'])['id']}"
