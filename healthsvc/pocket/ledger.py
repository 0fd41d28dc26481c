"""随身记录簿 what has come from phones: each record once, whatever was sent how often; and what was put aside or left to the desk."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update

from healthsvc.errors import Conflict, NotFound
from healthsvc.pocket.rules import Clash, Verb
from healthsvc.store import Store
from healthsvc.store.pocket_tables import PocketRecordRow
from healthsvc.store.sealing import Seal
from healthsvc.store.stored import micros, moment

_RECORD = PocketRecordRow.__table__  # type: ignore[attr-defined]
_PASSING: Final = frozenset({"sent", "offset_now"})
"""What differs each time that the same record is sent."""
_MANY: Final = 200


@dataclass(frozen=True, slots=True)
class Aside:
    """A record that was put aside or waits at the desk."""

    key: str
    login: str
    task: str
    patient: str
    outcome: Verb
    clashes: tuple[str, ...]
    made: datetime
    received: datetime
    handled: datetime | None
    handler: str
    note: str


def digest_of(sent: Mapping[str, Any]) -> bytes:
    """What a record says, without the moment of sending."""
    said = {name: value for name, value in sent.items() if name not in _PASSING}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False, default=str).encode()).digest()


def first_answer(store: Store, key: str, login: str, digest: bytes) -> dict[str, Any] | None:
    """What was answered when this record came for the first time; None: it has not had an effect yet.

    Raises:
        Conflict: the same key came with something else, or from another account.
    """
    row = store.connection.execute(select(_RECORD).where(_RECORD.c.key == key)).first()
    if row is None:
        return None
    if row.digest != digest or row.login != login:
        raise Conflict("this key has been used for another record; make a new one", reason="pocket-key-used")
    return dict(json.loads(row.answer))


def take_in(
    store: Store,
    seal: Seal,
    sent: Mapping[str, Any],
    *,
    login: str,
    patient: str,
    outcome: Verb,
    clashes: tuple[str, ...],
    made: datetime,
    answer: Mapping[str, Any],
) -> None:
    """Note a record with its answer, in the transaction of its effect; what is not stored elsewhere is kept here, sealed."""
    key = str(sent["key"])
    whole = outcome is Verb.STORE and Clash.FORM not in clashes  # what another form does not ask is readable here
    body = None if whole else seal.close(json.dumps(sent, ensure_ascii=False, default=str).encode(), _bound(key))
    store.connection.execute(
        insert(_RECORD).values(
            key=key, digest=digest_of(sent), login=login, task=sent["task"], patient=patient, outcome=outcome.value,
            clashes=" ".join(clashes), answer=json.dumps(answer), body=body, made=micros(made), received=micros(store.at),
        )
    )  # fmt: skip


def aside(store: Store, *, waiting: bool) -> list[Aside]:
    """Records at the desk that nobody has looked at yet, or everything that was put aside; of people whom the reader may see."""
    wanted = select(_RECORD).where(_RECORD.c.outcome.in_([Verb.DESK, Verb.KEEP]) if not waiting else _RECORD.c.outcome == Verb.DESK)
    if waiting:
        wanted = wanted.where(_RECORD.c.handled.is_(None))
    rows = store.connection.execute(wanted.order_by(_RECORD.c.received.desc()).limit(_MANY))
    return [_aside(row) for row in rows if store.find("Patient", row.patient) is not None]


def read_aside(store: Store, seal: Seal, key: str) -> tuple[Aside, dict[str, Any]]:
    """One of them with what was written.

    Raises:
        NotFound: there is none, or the reader may not see the person.
    """
    row = store.connection.execute(select(_RECORD).where(_RECORD.c.key == key)).first()
    if row is None or row.body is None or store.find("Patient", row.patient) is None:
        raise NotFound("there is no such record")
    return _aside(row), dict(json.loads(seal.open(row.body, _bound(key))))


def handle(store: Store, key: str, note: str) -> None:
    """Somebody at the desk has looked at a record and says what came of it; it stays readable."""
    if not note.strip():
        raise Conflict("say in a few words what came of it", reason="pocket-note-missing")
    changed = store.connection.execute(
        update(_RECORD)
        .where(_RECORD.c.key == key, _RECORD.c.outcome == Verb.DESK, _RECORD.c.handled.is_(None))
        .values(handled=micros(store.at), handler=store.actor.id, note=note.strip())
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such record at the desk, or somebody has dealt with it")
    store.audit("pocket-handled", f"pocket/{key}")


def _aside(row: Any) -> Aside:
    return Aside(
        row.key,
        row.login,
        row.task,
        row.patient,
        Verb(row.outcome),
        tuple(row.clashes.split()),
        moment(row.made),
        moment(row.received),
        moment(row.handled) if row.handled is not None else None,
        row.handler or "",
        row.note or "",
    )


def _bound(key: str) -> str:
    return f"pocket_record.body.{key}"
