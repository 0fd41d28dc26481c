"""Which messages one of many workers may process: on PostgreSQL, where they work side by side.

A worker takes some rows that no other holds (FOR UPDATE SKIP LOCKED). For each it then locks everything by which the message's person may
be named: the numbers it carries and, where they lead to a file, every number on that file and the file itself, so that two hospitals'
numbers of one person, or two numbers that a merge has joined, are one lane. With these locks in hand it looks whether an earlier message
of the lane still waits. All locks are the transaction's: they end with its commit, and with the connection of a worker that died.

Order is the order of ids, and a sender that waits for its answer gets ids in the order of its messages: an id is given before the commit,
and the answer goes out after it.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import links
from healthsvc.store import Store
from healthsvc.store.lookup import holding
from integrations.arrival import State
from integrations.effects.person import identifiers
from integrations.hl7v2.person import Number
from integrations.lanes import Waiting, key_of

AT_ONCE: Final = 16
"""Rows that one transaction takes; what it has no time for is free again with its commit."""
LOOK_AT: Final = 200
"""Most rows among which it looks for them."""
_CLAIM: Final = "SELECT id FROM inbox WHERE id = ANY(%s) AND state = %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
_LOCK: Final = "SELECT coalesce(bool_and(pg_try_advisory_xact_lock(k)), true) FROM unnest(%s::bigint[]) AS k"
_AS_THEY_WERE: Final = (
    "SELECT count(*) FROM resource r JOIN unnest(%s::text[], %s::int[]) AS known (id, version) "
    "ON r.id = known.id AND r.version = known.version WHERE r.type = %s"
)
_EARLIER: Final = "SELECT 1 FROM inbox WHERE id = ANY(%s) AND state = %s LIMIT 1"
_ROUNDS: Final = 5
"""A file whose numbers change each time it is looked at is left for the next round."""


class Queue:
    """What waited when a round began: for each key the messages that carry it, in their order."""

    def __init__(self, waiting: Sequence[Waiting]) -> None:
        self._carrying: dict[str, list[int]] = {}
        for one in waiting:
            for key in one.keys:
                self._carrying.setdefault(key, []).append(one.id)

    def before(self, id: int, lane: Iterable[str]) -> list[int]:
        """The messages of a lane before one."""
        return sorted({other for key in lane for other in self._carrying.get(key, ()) if other < id})


def take(connection: Connection, rows: Iterable[Any], most: int) -> set[int]:
    """Take the first of these messages that nobody else holds, for this transaction; gives their ids.

    Args:
        most: for how many there is time: whatever else is taken has its row written for nothing, and nobody else may have it.
    """
    asked = ([row.id for row in islice(rows, LOOK_AT)], State.PENDING.value, max(1, min(most, AT_ONCE)))
    found = connection.exec_driver_sql(_CLAIM, asked)
    return {int(row[0]) for row in found}


class Turn(Enum):
    """Whose turn it is."""

    OURS = auto()
    HELD = auto()
    """Another worker is at this person's messages right now: look again soon."""
    BEHIND = auto()
    """An earlier message of this person waits."""


def turn(store: Store, id: int, keys: Iterable[str], numbers: Sequence[Number], queue: Queue) -> Turn:
    """Whether a taken message may be processed now; if so its lane is ours until the transaction ends."""
    lane, held = set(keys), set[str]()
    for _ in range(_ROUNDS):
        if not _lock(store.connection, lane - held):
            return Turn.HELD
        held = set(lane)
        files = _named(store, numbers)
        lane |= _keys(files)
        if lane == held:
            break
        if not _lock(store.connection, lane - held):
            return Turn.HELD
        held = set(lane)
        if _as_they_were(store, files):  # nobody has changed them between our look and our lock
            break
    else:
        return Turn.HELD
    earlier = queue.before(id, lane)
    if earlier and store.connection.exec_driver_sql(_EARLIER, (earlier, State.PENDING.value)).fetchone() is not None:
        return Turn.BEHIND
    return Turn.OURS


def _lock(connection: Connection, lane: Iterable[str]) -> bool:
    wanted = sorted(int.from_bytes(bytes.fromhex(key)[:8], "big", signed=True) for key in lane)
    return bool(connection.exec_driver_sql(_LOCK, (wanted,)).scalar_one())


def _named(store: Store, numbers: Sequence[Number]) -> list[Resource]:
    """Every file that these numbers lead to, and all that it was joined with."""
    files: dict[str, Resource] = {}
    found = holding(store, "Patient", ((one.system, one.value) for one in identifiers(store, tuple(numbers))))
    while found:
        file = found.pop()
        if str(file["id"]) not in files:
            files[str(file["id"])] = file
            joined = (store.find("Patient", id) for kind in ("replaces", "replaced-by") for id in links(file, kind))
            found += [one for one in joined if one is not None]
    return list(files.values())


def _keys(files: Sequence[Resource]) -> set[str]:
    """The keys of files, and of every number on them."""
    lane = {key_of("Patient", str(file["id"])) for file in files}
    for file in files:
        lane |= {key_of(one["system"], one["value"]) for one in file.get("identifier", ()) if one.get("system") and one.get("value")}
    return lane


def _as_they_were(store: Store, files: Sequence[Resource]) -> bool:
    """Whether each of these files is still the version that was read."""
    known = [str(file["id"]) for file in files], [int(file["meta"]["versionId"]) for file in files]
    found = store.connection.exec_driver_sql(_AS_THEY_WERE, (*known, store.terms.find("Patient")))
    return int(found.scalar_one()) == len(files)
