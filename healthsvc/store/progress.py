"""How far long work has come, as anybody may ask who may see it: state, done of how many, since when, by whom; cancelled, forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import loads
from healthsvc.store.bell import WORK
from healthsvc.store.room import Actor
from healthsvc.store.stored import micros, moment
from healthsvc.store.work_tables import WorkRow

if TYPE_CHECKING:
    from healthsvc.store.store import Store

ROWS = WorkRow.__table__  # type: ignore[attr-defined]
_SHOWN = [column for column in ROWS.c if column.name != "paper"]
_NEWEST = 50


class State(StrEnum):
    """How it stands with a piece of work."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({State.WAITING, State.RUNNING})
"""What has not ended."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of long work."""

    id: str
    kind: str
    asked: Mapping[str, Any]
    actor: Actor
    about: str
    state: State
    done: int
    total: int
    step: str
    """What is done before anything can be counted, by the code of its kind; "" where it is counted."""
    created: datetime
    begun: datetime | None
    finished: datetime | None
    result: Mapping[str, Any] | None
    error: str | None

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in OPEN

    @property
    def by(self) -> str:
        """Whoever asked, by name."""
        return self.actor.name or self.actor.id

    def as_json(self) -> dict[str, Any]:
        """For whoever waits for it; moments with their zone, what is not there yet left out."""
        told: dict[str, Any] = {"id": self.id, "kind": self.kind, "state": self.state.value, "done": self.done, "total": self.total}
        told |= {"by": self.by, "created": self.created.isoformat()}
        moments = {"begun": self.begun, "finished": self.finished}
        told |= {name: at.isoformat() for name, at in moments.items() if at is not None}
        rest = {"about": self.about or None, "step": self.step or None, "result": self.result, "error": self.error}
        return told | {name: value for name, value in rest.items() if value is not None}


def find(store: "Store", id: str) -> Work | None:
    """How it stands with a piece of work."""
    row = store.connection.execute(select(*_SHOWN).where(ROWS.c.id == id)).first()
    return None if row is None else of_row(row)


def mine(store: "Store", most: int = _NEWEST) -> list[Work]:
    """What the actor has asked for, newest first."""
    return _listed(store, ROWS.c.owner == store.actor.id, most)


def of_everybody(store: "Store", most: int = _NEWEST) -> list[Work]:
    """What anybody has asked for, newest first."""
    return _listed(store, ROWS.c.id.is_not(None), most)


def underway(store: "Store", kind: str, about: str) -> Work | None:
    """The newest piece of a kind that has not ended and is about this, whoever asked: a board shows it, nobody asks for it twice."""
    waits = ROWS.c.state.in_([one.value for one in OPEN])
    found = _listed(store, (ROWS.c.kind == kind) & (ROWS.c.about == about) & waits, 1)
    return found[0] if found else None


def cancel(store: "Store", id: str) -> None:
    """End a piece of work before it has had its effect; whoever is at it stops, and what it does meanwhile counts for nothing.

    Raises:
        RuleViolation: it has ended already.
    """
    waits = ROWS.c.state.in_([one.value for one in OPEN])
    ended = {"state": State.CANCELLED.value, "holder": "", "finished": micros(store.at), "paper": None}
    if store.connection.execute(update(ROWS).where(ROWS.c.id == id, waits).values(**ended)).rowcount != 1:
        raise RuleViolation("this work has ended already; what came of it can be seen", reason="work-ended")
    store.rings.add(WORK)


def forget(store: "Store") -> int:
    """Remove what has ended longer ago than the policy keeps it (``rest.work_keep_days``); gives how many."""
    days = int(store.policy.value("rest.work_keep_days", store.today))
    old = (ROWS.c.finished < micros(store.at - timedelta(days=days))) & ROWS.c.state.not_in([one.value for one in OPEN])
    return int(store.connection.execute(delete(ROWS).where(old)).rowcount)


def of_row(row: Any) -> Work:
    """A row as a value."""
    result = None if row.result is None else loads(row.result.encode())
    begun, finished = (None if one is None else moment(one) for one in (row.begun, row.finished))
    actor = Actor.of_json(loads(row.actor.encode()))
    state = State(row.state)
    far = (row.done, row.total, row.step if state is State.RUNNING else "")
    what = (row.id, row.kind, loads(row.asked.encode()), actor, row.about)
    return Work(*what, state, *far, moment(row.created), begun, finished, result, row.error)


def _listed(store: "Store", which: Any, most: int) -> list[Work]:
    rows = store.connection.execute(select(*_SHOWN).where(which).order_by(ROWS.c.created.desc()).limit(most))
    return [of_row(row) for row in rows]
