"""The watch: several times a second it takes in what the journal and the rooms have left, calls who is due, and sends what is to be sent.

Nothing is lost: what could not be sent is tried again; who cannot be reached is written off and the next one is called. While the
database cannot be written the chain goes on in the journal, and is written into the database when that comes back.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from healthsvc import clock
from healthsvc.emergency import rules, service
from healthsvc.emergency.desk import FOLDER, overlay
from healthsvc.emergency.journal import Journal
from healthsvc.emergency.rules import Act, Status
from healthsvc.errors import Conflict, NotFound, Refusal, Unavailable
from healthsvc.infusion.reaction import ALARM
from healthsvc.store import Actor, Database, lease
from healthsvc.store.outbox import payload_of
from integrations.alarms.delivery import Delivery
from integrations.leading import REFUSED_SECONDS, Rounds
from integrations.notify import Notifier

log = structlog.get_logger()

WATCH = Actor("system/watch", "emergency watch", frozenset({"system"}), "timer")
TURN_SECONDS = 0.2
RESTED_SECONDS = 0.5
"""Whoever has just written a call into the journal is about to write it into the database; only then the watch does it."""
LEASE = "emergency-watch"
LEASE_LENGTH = timedelta(seconds=15)


class Watch:
    """Runs in a thread of its own; :meth:`turn` is one look at everything."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        data: Path,
        now: Callable[[], datetime] = clock.utc_now,
        rested: float = RESTED_SECONDS,
    ) -> None:
        self._database = database
        self._now = now
        self._rested = rested
        self._journal = Journal(data / FOLDER, database.sealer)
        self._delivery = Delivery(database, self._journal, notifier, WATCH, now)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._held_until: datetime | None = None
        self._asks_again = 0.0
        self._alone = ExitStack()
        self._puzzled: set[str] = set()
        self._rounds = Rounds("emergency-watch", self._look, TURN_SECONDS)

    def start(self) -> None:
        """Begin; returns at once."""
        self._rounds.start()

    def stop(self) -> None:
        """Finish the turn that runs, then end; another process may watch at once."""
        self._rounds.stop()
        self._alone.close()
        if self._held_until is not None:
            with self._database.writing(WATCH, at=self._now()) as store:
                lease.give_back(store.connection, LEASE, self._holder)

    def turn(self) -> int:
        """One look; gives how many notices were sent from the outbox."""
        for alarm in self._journal.waiting(self._rested):
            self._take_up(alarm)
        self._take_in()
        with self._database.reading(WATCH, at=self._now()) as store:
            due = [one.id for one in service.ringing(store) if service.something_due(store, one, store.at)]
        if due:
            try:
                with self._database.writing(WATCH, at=self._now()) as store:
                    service.advance_all(store, store.at)
            except Unavailable:
                for alarm in due:
                    self._go_on(alarm)
        return self._delivery.run()

    def _look(self) -> None:
        if self._leads():
            self.turn()

    def _leads(self) -> bool:
        """Of many processes one watches: whoever holds the lease; while the database cannot be written, whoever holds the journal."""
        at = self._now()
        if time.monotonic() < self._asks_again:
            return False
        if self._held_until is None or self._held_until - at < LEASE_LENGTH / 3:
            try:
                with self._database.writing(WATCH, at=at) as store:
                    told = lease.clock_of(store.connection, at)
                    held = lease.take(store.connection, LEASE, self._holder, told, LEASE_LENGTH) is not None
            except Unavailable:
                self._held_until = None
                self._alone.close()
                return self._alone.enter_context(self._journal.watched())
            self._alone.close()
            self._held_until = at + LEASE_LENGTH if held else None
            if not held:
                self._asks_again = time.monotonic() + REFUSED_SECONDS
        return self._held_until is not None

    def _take_up(self, alarm: str) -> None:
        """Write into the database what the journal holds of an alarm; where that cannot be, go on from the journal."""
        kept = self._journal.kept(alarm)
        if kept is None:
            return
        try:
            with self._database.writing(WATCH, at=self._now()) as store:
                service.absorb(store, kept)
        except (Unavailable, Conflict):
            self._go_on(alarm)
        except NotFound:
            log.error("a call from a device that nobody has registered; see /emergency", alarm=alarm)
            self._journal.set_aside(alarm)
        else:
            self._journal.take_out(kept)

    def _go_on(self, alarm_id: str) -> None:
        """What is due on an alarm, done and written down without the database."""
        with self._database.reading(WATCH, at=self._now()) as store:
            alarm = overlay(store, self._journal, alarm_id)
            if alarm is None:
                if alarm_id not in self._puzzled:
                    self._puzzled.add(alarm_id)
                    log.error("nobody knows yet whose alarm this is", alarm=alarm_id)
                return
            callees, name = service.reachable(store, alarm), service.name_of(store, alarm.patient)
            lines = rules.escalate(alarm, [one.callee for one in callees], service.policy_of(store), max(store.at, alarm.log[-1].at))
        self._journal.add(alarm_id, lines)
        for line in lines:
            alarm = rules.add(alarm, line)
        for line in lines:
            if line.act is Act.CALL:
                whom = next((one for one in callees if one.callee.key == line.who), None)
                self._delivery.directly(alarm, line, whom, name)
        if alarm.status is Status.RINGING:
            self._delivery.again(alarm, callees, name)

    def _take_in(self) -> None:
        """Alarms that the infusion room has left."""
        for row in self._delivery.due(ALARM):
            payload = payload_of(self._database.sealer, row)
            try:
                with self._database.writing(WATCH, at=self._now()) as store:
                    at = min(datetime.fromisoformat(payload["at"]), store.at)
                    service.raise_alarm(store, payload["patient"], payload["kind"], f"Practitioner/{payload['by']}", at)
                    self._delivery.mark_in(store, row.id, "done")
            except Unavailable:
                return
            except Refusal as refusal:
                log.error("an alarm could not be taken in", reason=refusal.reason or refusal.issue_code)
                self._delivery.mark(row.id, "dead", refusal.reason or refusal.issue_code)
