"""A thread that goes round and round; and of many processes one that does a thing: whoever holds its lease."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.store import Actor, Database, lease

log = structlog.get_logger()
REFUSED_SECONDS: Final = 0.5
"""Whom another holds the lease before asks for it no sooner again, however often the bell rings: asking is a transaction."""
SAID_AGAIN_SECONDS: Final = 60.0
"""How often it is said that the same still goes wrong."""


class Lead:
    """One process's claim to do a thing alone, looked at again when half of it has passed."""

    def __init__(
        self, database: Database, name: str, holder: str, actor: Actor, length: timedelta, now: Callable[[], datetime] = clock.utc_now
    ) -> None:
        self._database, self._name, self._holder, self._actor, self._length, self._now = database, name, holder, actor, length, now
        self._until: datetime | None = None

    def held(self) -> bool:
        """Whether this process may act now."""
        now = self._now()
        # a clock that was set back must not make us believe in a lease that others have seen end
        if self._until is not None and now < self._until <= now + self._length / 2:
            return True
        self._until = None
        with self._database.writing(self._actor, at=now) as store:
            at = lease.clock_of(store.connection, now)
            taken = lease.take(store.connection, self._name, self._holder, at, self._length) is not None
        self._until = now + self._length / 2 if taken else None
        return taken

    def give_back(self) -> None:
        """Let the next one begin at once."""
        if self._until is not None:
            self._until = None
            with self._database.writing(self._actor, at=self._now()) as store:
                lease.give_back(store.connection, self._name, self._holder)


class Rounds:
    """A thread that looks again and again: at once where it found something, else after a pause, or as soon as the bell rings.

    Whatever a round throws is told in the log (its kind only: its text may name a person), and the next round is another chance.
    """

    def __init__(
        self,
        name: str,
        round: Callable[[], object],
        pause: float,
        *,
        lead: Lead | None = None,
        database: Database | None = None,
        topic: str = "",
    ) -> None:
        """Not begun yet.

        Args:
            round: one look; gives something true where there may be more at once.
            pause: seconds between two looks where nothing rings.
            lead: only its holder looks; None: every process does.
            database: whose bell is heard, for what ``topic``.
        """
        self.name = name
        self.stopping = threading.Event()
        self._round, self._pause, self._lead = round, pause, lead
        self._asks_again = 0.0
        self._bell = database.bell if database is not None else None
        self.woken = self._bell.subscribe(topic) if self._bell is not None and topic else threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round that runs, then end; another process may lead at once."""
        self.stopping.set()
        self.woken.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._lead is not None:
            self._give_back(self._lead)

    def leads(self) -> bool:
        """Whether this process may go on."""
        if self._lead is None:
            return True
        if time.monotonic() < self._asks_again:
            return False
        held = self._lead.held()
        if not held:
            self._asks_again = time.monotonic() + REFUSED_SECONDS
        return held

    def _run(self) -> None:
        said, again = "", 0.0
        while not self.stopping.is_set():
            self.woken.clear()
            try:
                busy = self.leads() and bool(self._round())
            except Refusal as refusal:
                if refusal.text != said or time.monotonic() > again:  # a database that is away for an hour is not told four times a second
                    log.error("a round could not be made", part=self.name, reason=refusal.text)
                    said, again = refusal.text, time.monotonic() + SAID_AGAIN_SECONDS
                busy = False
            except Exception as error:  # noqa: BLE001 - the thread must go on; what was not done is still there
                log.error("a round stumbled", part=self.name, error=type(error).__name__)
                busy = False
            else:
                said = ""
            if not busy:
                self.woken.wait(self._pause if self._bell is None else self._bell.patience(self._pause))

    def _give_back(self, lead: Lead) -> None:
        try:
            lead.give_back()
        except Refusal as refusal:  # it ends by itself
            log.warning("a lease could not be given back", part=self.name, reason=refusal.text)
