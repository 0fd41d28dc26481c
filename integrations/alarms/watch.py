"""The watch: every second it takes in alarms that rooms have left, calls who is due, and sends what is to be sent. Nothing is lost:
what could not be sent stays in the outbox and is tried again; who cannot be reached is written off and the next one is called."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from healthsvc import clock
from healthsvc.emergency import service
from healthsvc.emergency.resources import EMERGENCY
from healthsvc.emergency.rules import Status
from healthsvc.errors import NotFound, Refusal
from healthsvc.fhir.json import loads
from healthsvc.infusion.reaction import ALARM
from healthsvc.infusion.watch import REMINDER
from healthsvc.store import Actor, Database, Store, lease
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import micros
from integrations.alarms.reminders import reminder
from integrations.notify import Notice, Notifier, NotReached

log = structlog.get_logger()

WATCH = Actor("system/watch", "emergency watch", frozenset({"system"}), "timer")
TURN_SECONDS = 1.0
LEASE = "emergency-watch"
LEASE_LENGTH = timedelta(seconds=15)
TRIES = 3
"""How often one call is tried before the callee counts as not reached."""
PAUSE = timedelta(seconds=5)
BATCH = 50


class Watch:
    """Runs in a thread of its own; :meth:`turn` is one look at everything."""

    def __init__(self, database: Database, notifier: Notifier, now: Callable[[], datetime] = clock.utc_now) -> None:
        self._database = database
        self._notifier = notifier
        self._now = now
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._held_until: datetime | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emergency-watch", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the turn that runs, then end; another process may watch at once."""
        self._stop.set()
        self._thread.join(timeout=30)
        if self._held_until is not None:
            with self._database.writing(WATCH, at=self._now()) as store:
                lease.give_back(store.connection, LEASE, self._holder)

    def turn(self) -> int:
        """One look; gives how many notices were sent."""
        self._take_in()
        with self._database.reading(WATCH, at=self._now()) as store:
            ringing = bool(store.select("Task", code=f"{EMERGENCY}|alarm", status="requested"))
        if ringing:
            with self._database.writing(WATCH, at=self._now()) as store:
                service.advance_all(store, store.at)
        for row in self._due(REMINDER):
            self._remind(row)
        return sum(self._deliver(row) for row in self._due(service.CALL))

    def _run(self) -> None:
        while not self._stop.wait(TURN_SECONDS):
            try:
                if self._leads():
                    self.turn()
            except Exception:
                # whatever it was, the next second is another chance; an emergency line must not die
                log.exception("the emergency watch stumbled")

    def _leads(self) -> bool:
        """Of many processes one watches: whoever holds the lease, renewed when a third of it is left."""
        at = self._now()
        if self._held_until is None or self._held_until - at < LEASE_LENGTH / 3:
            with self._database.writing(WATCH, at=at) as store:
                held = lease.take(store.connection, LEASE, self._holder, at, LEASE_LENGTH) is not None
            self._held_until = at + LEASE_LENGTH if held else None
        return self._held_until is not None

    def _due(self, kind: str) -> list[Any]:
        with self._database.reading(WATCH, at=self._now()) as store:
            wanted = (OUTBOX.c.state == "due") & (OUTBOX.c.kind == kind) & (OUTBOX.c.due <= micros(self._now()))
            return list(store.connection.execute(select(OUTBOX).where(wanted).order_by(OUTBOX.c.id).limit(BATCH)))

    def _take_in(self) -> None:
        """Alarms that the infusion room has left."""
        for row in self._due(ALARM):
            payload = loads(row.payload)
            with self._database.writing(WATCH, at=self._now()) as store:
                try:
                    at = min(datetime.fromisoformat(payload["at"]), store.at)
                    service.raise_alarm(store, payload["patient"], payload["kind"], f"Practitioner/{payload['by']}", at)
                except Refusal as refusal:
                    log.error("an alarm could not be taken in", reason=refusal.reason or refusal.issue_code)
                    self._mark(store, row.id, "dead", refusal.reason or refusal.issue_code)
                else:
                    self._mark(store, row.id, "done")

    def _deliver(self, row: Any) -> int:
        """Send one call; the transaction is not held open while the notifier works."""
        payload = loads(row.payload)
        with self._database.reading(WATCH, at=self._now()) as store:
            notice = _notice(store, payload, row.id)
        if notice is None:
            with self._database.writing(WATCH, at=self._now()) as store:
                self._mark(store, row.id, "done", "no longer needed")
            return 0
        try:
            self._notifier.send(notice)
        except NotReached as missed:
            self._missed(row, payload, missed)
            return 0
        with self._database.writing(WATCH, at=self._now()) as store:
            self._mark(store, row.id, "done")
        return 1

    def _remind(self, row: Any) -> None:
        """Tell one member of the staff; what does not get through is tried again, then given up (the page shows what is late anyway)."""
        with self._database.reading(WATCH, at=self._now()) as store:
            notice = reminder(store, loads(row.payload))
        state, error = "done", None if notice else "no telephone or address in the staff directory"
        if notice is not None:
            try:
                self._notifier.send(notice)
            except NotReached as missed:
                state, error = "due" if missed.again and row.attempts + 1 < TRIES else "dead", missed.why
        with self._database.writing(WATCH, at=self._now()) as store:
            again = {"attempts": row.attempts + 1, "due": micros(store.at + PAUSE)} if state == "due" else {}
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(state=state, error=error, **again))

    def _missed(self, row: Any, payload: dict[str, Any], missed: NotReached) -> None:
        log.warning("a call did not get through", notice=row.id, why=missed.why, attempt=row.attempts + 1)
        with self._database.writing(WATCH, at=self._now()) as store:
            if missed.again and row.attempts + 1 < TRIES:
                later = micros(store.at + PAUSE)
                store.connection.execute(
                    update(OUTBOX).where(OUTBOX.c.id == row.id).values(attempts=row.attempts + 1, due=later, error=missed.why)
                )
                return
            self._mark(store, row.id, "dead", missed.why)
            service.not_reached(store, payload["alarm"], payload["who"], payload["round"], store.at, missed.why)

    @staticmethod
    def _mark(store: Store, row: int, state: str, error: str | None = None) -> None:
        store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row).values(state=state, error=error))


def _notice(store: Store, payload: dict[str, Any], row: int) -> Notice | None:
    """The notice for a call; None where the alarm is no longer ringing or the contact is no longer on file."""
    try:
        alarm = service.read(store, payload["alarm"])
    except NotFound:
        return None
    whom = next((one for one in service.reachable(store, alarm.patient) if one.callee.key == payload["who"]), None)
    if alarm.status is not Status.RINGING or whom is None:
        return None
    name = service.name_of(store, alarm.patient)
    text = f"{name}在家按下求助键,请立即联系或前往。 {name} has called for help at home; please call or go at once."
    return Notice(f"{alarm.id}-{payload['who']}-{payload['round']}", whom.phone, whom.callee.role, text)
