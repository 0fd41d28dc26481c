"""How each line stands, in and out: last message, silence, queue, the oldest that waits, what needs somebody. Names no person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select

from healthsvc.store import Store, journals_read
from healthsvc.store.inbox_tables import ArrivedRow
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import micros, moment
from integrations.answers import KIND, TAKEN
from integrations.arrival import State
from integrations.hl7v2.sequence import Gap
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX
from integrations.sequences import missing

log = structlog.get_logger()
_UNDONE = (State.PENDING.value, State.DEAD.value, State.REVIEW.value, State.QUARANTINE.value)
ARRIVED = ArrivedRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class LinePolicy:
    """Filled from ``policy/hospital.toml``."""

    silence_minutes: int
    missing_days: int


@dataclass(frozen=True, slots=True)
class LineStanding:
    """One link."""

    name: str
    title: str
    total: int
    """Messages that have come in."""
    last: datetime | None
    """When the last one came."""
    limit: timedelta
    """After how long it counts as silent."""
    silent: bool
    counts: dict[str, int]
    """pending, dead, review, quarantine."""
    oldest: datetime | None
    """Since when the oldest waiting message has waited."""
    out_waiting: int = 0
    out_stuck: int = 0
    """Refused, given up or withheld."""
    out_oldest: datetime | None = None
    out_last: str = ""
    """What the hospital said last where something waits: no answer, AE ..."""

    version: int = 0
    """Of the profile in force; 0: none is."""
    missing: tuple[Gap, ...] = ()
    """Sequence numbers (MSH-13) that did not come, where the sender numbers its messages."""

    def silence(self, at: datetime) -> timedelta | None:
        """How long nothing has come."""
        return None if self.last is None else at - self.last

    @property
    def trouble(self) -> int:
        """How many messages need somebody, in and out."""
        return sum(count for state, count in self.counts.items() if state != State.PENDING.value) + self.out_stuck


def standings(store: Store, shelf: Shelf) -> list[LineStanding]:
    """Every link of the site and every sender that has ever come, those in trouble first."""
    profiles = {profile.name: profile for profile in shelf.all}
    counted = select(INBOX.c.link, func.count().label("total"), func.max(INBOX.c.id).label("last")).group_by(INBOX.c.link)
    came = {row.link: row for row in store.connection.execute(counted)}
    latest = select(INBOX.c.id, INBOX.c.received).where(INBOX.c.id.in_([row.last for row in came.values()]))
    times: dict[int, int] = {row.id: row.received for row in store.connection.execute(latest)}
    undone = _undone(store)
    out = _out(store)
    policy = store.policy.fill(LinePolicy, "hospital", store.today)
    usual = policy.silence_minutes
    gaps = missing(store, micros(store.at - timedelta(days=policy.missing_days)))
    made = []
    for name in sorted({*came, *out, *(one.name for one in shelf.site)}):
        profile = profiles.get(name)
        last = moment(times[came[name].last]).astimezone(store.zone) if name in came else None
        minutes = profile.silence_minutes if profile is not None and profile.silence_minutes is not None else usual
        limit = timedelta(minutes=minutes)
        counts, oldest = undone.get(name, ({}, None))
        waiting, stuck, out_oldest, said = out.get(name, (0, 0, None, ""))
        expected = profile is not None and profile in shelf.site and minutes > 0
        made.append(
            LineStanding(
                name,
                profile.title if profile else "",
                int(came[name].total) if name in came else 0,
                last,
                limit,
                expected and last is not None and store.at - last > limit,
                counts,
                moment(oldest).astimezone(store.zone) if oldest is not None else None,
                waiting,
                stuck,
                moment(out_oldest).astimezone(store.zone) if out_oldest is not None else None,
                said,
                profile.version if profile else 0,
                gaps.get(name, ()),
            )
        )
    return sorted(made, key=lambda one: (not one.silent, not one.trouble, one.name))


def warn_of_silence(store: Store, shelf: Shelf) -> int:
    """Say in the log which lines are silent (a timer asks every minute); gives how many. The page and the metrics say it too."""
    silent = [one for one in standings(store, shelf) if one.silent]
    for one in silent:
        gone = one.silence(store.at)
        log.warning("hospital line is silent", link=one.name, minutes=int(gone.total_seconds() // 60) if gone else None)
    return len(silent)


def _undone(store: Store) -> dict[str, tuple[dict[str, int], int | None]]:
    rows = store.connection.execute(
        select(INBOX.c.link, INBOX.c.state, func.count(), func.min(INBOX.c.received))
        .where(INBOX.c.state.in_(_UNDONE))
        .group_by(INBOX.c.link, INBOX.c.state)
    )
    found: dict[str, tuple[dict[str, int], int | None]] = {}
    for link, state, count, oldest in rows:
        counts, waiting = found.get(link, ({}, None))
        found[link] = ({**counts, state: count}, oldest if state == State.PENDING.value else waiting)
    anteroom = select(ARRIVED.c.link, func.count(), func.min(ARRIVED.c.received)).group_by(ARRIVED.c.link)
    before = [(row[0], int(row[1]), int(row[2])) for row in store.connection.execute(anteroom)]
    before += [(link, count, came) for link, (count, came) in journals_read.waiting(store.connection).items()]
    for link, count, came in before:
        counts, oldest = found.get(link, ({}, None))
        found[link] = ({**counts, State.PENDING.value: counts.get(State.PENDING.value, 0) + count}, min(came, oldest or came))
    return found


def _out(store: Store) -> dict[str, tuple[int, int, int | None, str]]:
    rows = store.connection.execute(
        select(OUTBOX.c.kind, OUTBOX.c.state, func.count(), func.min(OUTBOX.c.created), func.max(OUTBOX.c.error))
        .where(OUTBOX.c.state.in_(("due", TAKEN, "dead", "refused", "withheld")), OUTBOX.c.kind.startswith(KIND))
        .group_by(OUTBOX.c.kind, OUTBOX.c.state)
        .order_by(OUTBOX.c.state.desc())  # what is due has the last word
    )
    found: dict[str, tuple[int, int, int | None, str]] = {}
    for kind, state, count, oldest, said in rows:
        waiting, stuck, since, error = found.get(kind.removeprefix(KIND), (0, 0, None, ""))
        due = state in ("due", TAKEN)
        found[kind.removeprefix(KIND)] = (
            waiting + count * due,
            stuck + count * (not due),
            (oldest if since is None else min(oldest, since)) if due else since,
            (said or error) if due else error,
        )
    return found
