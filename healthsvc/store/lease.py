"""A lease: of many processes one may act. And a firing: of one due time one run."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, text

from healthsvc.store.lease_tables import FiringRow, LeaseRow
from healthsvc.store.stored import micros, moment


class Firing(NamedTuple):
    """One firing of one job, UTC."""

    job: str
    due: datetime
    started: datetime
    outcome: str
    """``done``, ``started`` or ``failed`` with the name of the error."""


_LEASE = LeaseRow.__table__  # type: ignore[attr-defined]
_FIRING = FiringRow.__table__  # type: ignore[attr-defined]
_TAKE = text(
    "INSERT INTO lease (name, holder, token, until) VALUES (:name, :holder, 1, :until) "
    "ON CONFLICT (name) DO UPDATE SET holder = :holder, until = :until, "
    "token = CASE WHEN lease.holder = :holder THEN lease.token ELSE lease.token + 1 END "
    "WHERE lease.holder = :holder OR lease.until < :now OR lease.until > :beyond"
)
_FIRE = text(
    "INSERT INTO firing (job, scheduled_for, started, outcome) VALUES (:job, :due, :now, 'started') "
    "ON CONFLICT (job, scheduled_for) DO UPDATE SET started = :now, outcome = 'started' WHERE firing.outcome LIKE 'failed%'"
)
_FAIL = text(
    "INSERT INTO firing (job, scheduled_for, started, outcome) VALUES (:job, :due, :now, :outcome) "
    "ON CONFLICT (job, scheduled_for) DO UPDATE SET started = :now, outcome = :outcome WHERE firing.outcome <> 'done'"
)
DONE, FAILED = "done", "failed"


def clock_of(connection: Connection, at: datetime) -> datetime:
    """The clock by which leases are judged: the server's where there is one, as machines' clocks differ; else ``at``."""
    if connection.dialect.name != "postgresql":
        return at
    told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return told.astimezone(at.tzinfo)


def holds(connection: Connection, name: str, holder: str, token: int) -> bool:
    """Whether a lease is still held under a fencing token."""
    held = (_LEASE.c.name == name) & (_LEASE.c.holder == holder) & (_LEASE.c.token == token)
    return connection.execute(select(_LEASE.c.token).where(held)).scalar() is not None


def take(connection: Connection, name: str, holder: str, at: datetime, length: timedelta) -> int | None:
    """Take or keep a lease; gives its fencing token, or None where another holds it.

    One that ends further ahead than two lengths was written by a clock that has been set back since: nobody keeps that alive.
    """
    until = {"until": micros(at + length), "beyond": micros(at + 2 * length)}
    connection.execute(_TAKE, {"name": name, "holder": holder, "now": micros(at), **until})
    row = connection.execute(select(_LEASE.c.holder, _LEASE.c.token).where(_LEASE.c.name == name)).one()
    return int(row.token) if row.holder == holder else None


def give_back(connection: Connection, name: str, holder: str) -> None:
    """Let go of a lease before its end, so that the next holder need not wait."""
    connection.execute(text("UPDATE lease SET until = 0 WHERE name = :name AND holder = :holder"), {"name": name, "holder": holder})


def forget_ended(connection: Connection, unused: Callable[[str], bool], at: datetime) -> None:
    """Remove leases that have ended and that nobody takes any more: monitoring would say for ever that nobody does that work."""
    ended = _LEASE.c.until < micros(at)
    for name in connection.execute(select(_LEASE.c.name).where(ended)).scalars().all():
        if unused(name):
            connection.execute(delete(_LEASE).where(ended, _LEASE.c.name == name))


def fire(connection: Connection, job: str, due: datetime, at: datetime) -> bool:
    """Claim one firing of a job; False where it was claimed before. One that failed may be claimed again."""
    return connection.execute(_FIRE, {"job": job, "due": micros(due), "now": micros(at)}).rowcount == 1


def finish(connection: Connection, job: str, due: datetime, outcome: str) -> None:
    """Record how a firing ended."""
    connection.execute(
        text("UPDATE firing SET outcome = :outcome WHERE job = :job AND scheduled_for = :due"),
        {"outcome": outcome, "job": job, "due": micros(due)},
    )


def fail(connection: Connection, job: str, due: datetime, at: datetime, reason: str) -> None:
    """Record that a firing failed, in a transaction of its own; ``reason`` is the name of an error, never its text."""
    connection.execute(_FAIL, {"job": job, "due": micros(due), "now": micros(at), "outcome": f"{FAILED} {reason}"})


def firings(connection: Connection, since: datetime) -> list[Firing]:
    """The newest firing of each job, and the newest that was done of each, of those that began since."""
    rows = connection.execute(select(_FIRING).where(_FIRING.c.started >= micros(since)).order_by(_FIRING.c.started))
    newest: dict[tuple[str, bool], Firing] = {}
    for row in rows:
        newest[row.job, row.outcome == DONE] = Firing(row.job, moment(row.scheduled_for), moment(row.started), row.outcome)
    return list(newest.values())


def forget(connection: Connection, before: datetime) -> int:
    """Remove firings that were due before a moment, but for each job's newest that was done: it says what is due next. Gives how many."""
    later = _FIRING.alias()
    newest = select(func.max(later.c.scheduled_for)).where(later.c.job == _FIRING.c.job, later.c.outcome == DONE).scalar_subquery()
    old = (_FIRING.c.scheduled_for < micros(before)) & (_FIRING.c.scheduled_for != func.coalesce(newest, 0))
    return int(connection.execute(delete(_FIRING).where(old)).rowcount)


def last_fired(connection: Connection, job: str, at: datetime) -> int | None:
    """When a job last had a firing up to now that was done, microseconds since 1970 UTC; one of a clock that ran ahead does not count."""
    known = select(_FIRING.c.scheduled_for).where(_FIRING.c.job == job, _FIRING.c.outcome == DONE, _FIRING.c.scheduled_for <= micros(at))
    return connection.execute(known.order_by(_FIRING.c.scheduled_for.desc()).limit(1)).scalar()
