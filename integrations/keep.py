"""What of a group of arrivals is new, what is known and gets its old answer, and which numbers are used again for other content."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from healthsvc.store import inbox_rows
from healthsvc.store.anteroom import MOST, Anteroom, carry
from healthsvc.store.inbox_tables import InboxRow
from healthsvc.store.sealing.sealer import Sealer
from integrations import metrics
from integrations.arrival import Arrival, State
from integrations.hl7v2.ack import AckCode
from integrations.owing import owe_again, owe_settled
from integrations.sequences import note

INBOX = InboxRow.__table__  # type: ignore[attr-defined]
_There = dict[inbox_rows.Key, dict[bytes, Arrival | inbox_rows.Known]]
_Keyed = tuple[inbox_rows.Key, Arrival]
_UNSETTLED = frozenset({State.QUARANTINE.value, State.DEAD.value})


def put(connection: Connection, sealer: Sealer, arrivals: Sequence[Arrival]) -> None:
    """Store arrivals inside an open writing transaction; those that are known already get their stored answer instead."""
    carry(connection)  # what has come before stands before
    keyed = [(arrival.key, arrival) for arrival in arrivals]
    fresh = _new(connection, sealer, keyed, _in_inbox(connection, dict(keyed)))
    # another process may have taken the same message in this very moment; then it is there, which is all that matters
    inbox_rows.append(connection, [_row(arrival, sealer) for _, arrival in fresh])
    owe_settled(connection, sealer, (arrival for _, arrival in fresh))
    note(connection, (arrival for _, arrival in fresh))


def put_in_anteroom(connection: Connection, sealer: Sealer, anteroom: Anteroom, arrivals: Sequence[Arrival]) -> int:
    """As :func:`put`, by the way that keeps a line waiting for as little as can be; what is out of the ordinary goes the other way.

    Gives the turn that the anteroom must be told of once this is committed.
    """
    turn = anteroom.look(connection)
    fresh = [(arrival.key, arrival) for arrival in arrivals]
    asked = dict(fresh)
    there = _in_inbox(connection, asked)
    if there or len(asked) < len(fresh) or not anteroom.knows_none_of(asked):
        for key in asked:
            if waiting := anteroom.under(key):
                there.setdefault(key, {}).update(waiting)
        fresh = _new(connection, sealer, fresh, there)
    if all(arrival.plain and not arrival.reused for _, arrival in fresh):
        anteroom.append(connection, [arrived(arrival, sealer) for _, arrival in fresh])
        if len(anteroom) >= MOST:
            anteroom.carry(connection)
    else:
        anteroom.carry(connection)
        inbox_rows.append(connection, [_row(arrival, sealer) for _, arrival in fresh])
        owe_settled(connection, sealer, (arrival for _, arrival in fresh))
    note(connection, (arrival for _, arrival in fresh))
    return turn


def _in_inbox(connection: Connection, asked: Iterable[inbox_rows.Key]) -> _There:
    there: _There = {}
    for row in inbox_rows.known(connection, list(asked)):
        there.setdefault(row[1:4], {})[row.hash] = row
    return there


def _new(connection: Connection, sealer: Sealer, keyed: Sequence[_Keyed], there: _There) -> list[_Keyed]:
    """Those of the arrivals that are not there yet; the others get their old answer."""
    fresh: list[_Keyed] = []
    for key, arrival in keyed:
        others = there.get(key)
        if others is None:
            there[key] = {arrival.hash: arrival}
            fresh.append((key, arrival))
            continue
        before = others.get(arrival.hash)
        if before is None:
            _mark_reused(arrival, others.values())
            others[arrival.hash] = arrival
            fresh.append((key, arrival))
        elif isinstance(before, Arrival):
            arrival.answer, arrival.code = before.answer, before.code
            metrics.DUPLICATES.labels(arrival.link).inc()
        else:
            _again(connection, sealer, arrival, before)
    return fresh


def _mark_reused(arrival: Arrival, others: Iterable[Arrival | inbox_rows.Known]) -> None:
    """Note that the sender has used this number for other content before."""
    arrival.reused = bool(arrival.control_id) and any(AckCode(other.code).positive for other in others)
    if arrival.reused:
        metrics.REUSED.labels(arrival.link).inc()


def _again(connection: Connection, sealer: Sealer, arrival: Arrival, before: inbox_rows.Known) -> None:
    """The same message again: replay the answer, unless it was refused then and can be taken now (the link was mended meanwhile)."""
    metrics.DUPLICATES.labels(arrival.link).inc()
    if not AckCode(before.code).positive and arrival.code.positive:
        if before.state not in _UNSETTLED:  # an operator has put it right meanwhile: from now on it is accepted
            inbox_rows.change(connection, before.id, {"answer": arrival.answer, "code": arrival.code.value})
            return
        changed = {"state": arrival.state.value, "answer": arrival.answer, "code": arrival.code.value, "event": arrival.event}
        settled = {
            "reason": arrival.reason,
            "place": arrival.place,
            "remark": arrival.remark,
            "finished": None,
            "raw": _sealed(arrival, sealer),
        }
        inbox_rows.change(connection, before.id, changed | settled)
        return
    arrival.answer, arrival.code = before.answer, AckCode(before.code)
    if arrival.code is AckCode.CA:
        owe_again(connection, arrival.link, arrival.hash, arrival.received)


def _row(arrival: Arrival, sealer: Sealer) -> tuple[Any, ...]:
    """The values of a row, in the order of ``inbox_rows.COLUMNS``."""
    return (
        *arrived(arrival, sealer),
        arrival.state.value,
        0,  # at once, whatever the clock will say when it is looked at
        arrival.reused,
        None if arrival.state is State.PENDING else arrival.received,
        arrival.reason,
        arrival.place,
        arrival.remark,
    )


def arrived(arrival: Arrival, sealer: Sealer) -> tuple[Any, ...]:
    """The values of a row in the anteroom, in the order of its ``COLUMNS``."""
    return (
        arrival.link,
        arrival.sender,
        arrival.control_id,
        arrival.hash,
        arrival.event,
        arrival.listen,
        arrival.peer,
        arrival.received,
        _sealed(arrival, sealer),
        arrival.answer,
        arrival.code.value,
    )


def _sealed(arrival: Arrival, sealer: Sealer) -> bytes:
    return sealer.close(arrival.raw, inbox_rows.inbox_place(arrival.hash))
