"""Calls handed to the notifier: from the outbox while the database can be written, from the journal while it cannot."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from healthsvc.emergency import service
from healthsvc.emergency.journal import Journal
from healthsvc.emergency.resources import Reachable
from healthsvc.emergency.rules import Act, Alarm, Line, Status
from healthsvc.errors import NotFound, Unavailable
from healthsvc.infusion.watch import REMINDER
from healthsvc.store import Actor, Database, Store
from healthsvc.store.outbox import OUTBOX, payload_of
from healthsvc.store.stored import micros
from integrations.alarms.reminders import reminder
from integrations.notify import Notice, Notifier, NotReached

log = structlog.get_logger()

TRIES = 3
"""How often one call is tried before the callee counts as not reached."""
PAUSE = timedelta(seconds=5)
BATCH = 50
Prepare = Callable[[Store, dict[str, Any]], Notice | None]
GivenUp = Callable[[Store, dict[str, Any], str], None]


class Delivery:
    """Sends calls. What has been sent is remembered here too, for as long as the database cannot be told."""

    def __init__(self, database: Database, journal: Journal, notifier: Notifier, actor: Actor, now: Callable[[], datetime]) -> None:
        self._database = database
        self._journal = journal
        self._notifier = notifier
        self._actor = actor
        self._now = now
        self._sent: set[int] = set()
        self._later: dict[int, datetime] = {}
        self._direct: dict[tuple[str, str, int], tuple[int, datetime]] = {}

    def due(self, kind: str) -> list[Any]:
        """Rows of the outbox whose time has come."""
        at = self._now()
        with self._database.reading(self._actor, at=at) as store:
            wanted = (OUTBOX.c.state == "due") & (OUTBOX.c.kind == kind) & (OUTBOX.c.due <= micros(at))
            rows = store.connection.execute(select(OUTBOX).where(wanted).order_by(OUTBOX.c.id).limit(BATCH))
            return [row for row in rows if self._later.get(row.id, at) <= at]

    def run(self) -> int:
        """Send the calls that are due in the outbox, and the reminders to staff; gives how many calls were sent."""
        for row in self.due(REMINDER):
            self._deliver(row, reminder, lambda _store, _payload, _why: None)
        return sum(self._deliver(row, _still_wanted, _not_reached) for row in self.due(service.CALL))

    def mark(self, row: int, state: str, error: str | None = None) -> bool:
        """Tell the outbox what became of a row; False where it cannot be told now (the row comes again)."""
        try:
            with self._database.writing(self._actor, at=self._now()) as store:
                self.mark_in(store, row, state, error)
        except Unavailable:
            self._later[row] = self._now() + PAUSE
            return False
        self._sent.discard(row)
        self._later.pop(row, None)
        return True

    @staticmethod
    def mark_in(store: Store, row: int, state: str, error: str | None = None) -> None:
        """The same inside an open transaction."""
        store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row).values(state=state, error=error))

    def directly(self, alarm: Alarm, line: Line, whom: Reachable | None, name: str) -> None:
        """Send one call of the journal now; one that does not get through is tried again by :meth:`again`."""
        if whom is not None:
            self._direct[alarm.id, line.who, line.round] = (0, self._now())
            self._try(alarm, line.who, line.round, whom, name)

    def again(self, alarm: Alarm, callees: list[Reachable], name: str) -> None:
        """Try again what did not get through, while the alarm rings."""
        for id, who, round_ in list(self._direct):
            if id == alarm.id and self._direct[id, who, round_][1] <= self._now():
                whom = next((one for one in callees if one.callee.key == who), None)
                if whom is None or alarm.status is not Status.RINGING:
                    del self._direct[id, who, round_]
                else:
                    self._try(alarm, who, round_, whom, name)

    def _try(self, alarm: Alarm, who: str, round_: int, whom: Reachable, name: str) -> None:
        key = (alarm.id, who, round_)
        tries = self._direct[key][0] + 1
        try:
            self._notifier.send(notice_of(alarm, who, round_, whom, name))
        except NotReached as missed:
            log.warning("a call did not get through", why=missed.why, attempt=tries)
            if missed.again and tries < TRIES:
                self._direct[key] = (tries, self._now() + PAUSE)
                return
            self._journal.add(alarm.id, [Line(Act.NOT_REACHED, self._now(), who, round_, missed.why)])
        del self._direct[key]

    def _deliver(self, row: Any, prepare: Prepare, given_up: GivenUp) -> int:
        """Send one call; the transaction is not held open while the notifier works."""
        if row.id in self._sent:
            self.mark(row.id, "done")
            return 0
        payload = payload_of(self._database.sealer, row)
        with self._database.reading(self._actor, at=self._now()) as store:
            notice = prepare(store, payload)
        if notice is None:
            self.mark(row.id, "done", "no longer needed, or nowhere to send it")
            return 0
        try:
            self._notifier.send(notice)
        except NotReached as missed:
            self._missed(row, payload, missed, given_up)
            return 0
        self._sent.add(row.id)
        self.mark(row.id, "done")
        return 1

    def _missed(self, row: Any, payload: dict[str, Any], missed: NotReached, given_up: GivenUp) -> None:
        log.warning("a call did not get through", notice=row.id, why=missed.why, attempt=row.attempts + 1)
        self._later[row.id] = self._now() + PAUSE
        with suppress(Unavailable), self._database.writing(self._actor, at=self._now()) as store:
            if missed.again and row.attempts + 1 < TRIES:
                later = micros(store.at + PAUSE)
                changed = {"attempts": row.attempts + 1, "due": later, "error": missed.why}
                store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**changed))
                return
            self.mark_in(store, row.id, "dead", missed.why)
            given_up(store, payload, missed.why)


def _not_reached(store: Store, payload: dict[str, Any], why: str) -> None:
    service.not_reached(store, payload["alarm"], payload["who"], payload["round"], store.at, why)


def _still_wanted(store: Store, payload: dict[str, Any]) -> Notice | None:
    """The notice for a call; None where the alarm is no longer ringing or the contact is no longer on file."""
    try:
        alarm = service.read(store, payload["alarm"])
    except NotFound:
        return None
    whom = next((one for one in service.reachable(store, alarm) if one.callee.key == payload["who"]), None)
    if alarm.status is not Status.RINGING or whom is None:
        return None
    return notice_of(alarm, payload["who"], payload["round"], whom, service.name_of(store, alarm.patient))


def notice_of(alarm: Alarm, who: str, round_: int, whom: Reachable, name: str) -> Notice:
    """What somebody is told: who calls for help, and nothing of what they suffer from."""
    drill = "【演练】" if alarm.kind == "drill" else ""
    if alarm.source.startswith("Practitioner/"):  # nobody pressed a button: a visit at home asks for somebody
        text = f"{drill}{name}家中上门服务需要立即支援,请立即联系或前往。 A visit at {name}'s home needs help; please call or go at once."
    else:
        text = f"{drill}{name}在家发出求助,请立即联系或前往。 {name} has called for help at home; please call or go at once."
    return Notice(f"{alarm.id}-{who}-{round_}", whom.phone, whom.callee.role, text)
