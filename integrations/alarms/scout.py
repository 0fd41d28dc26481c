"""The scout looks for the nearest free doctor of a grave alarm; beside the watch, so that loading roads never holds a call up."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from healthsvc import clock
from healthsvc.circle.providers import travel_times
from healthsvc.emergency import service
from healthsvc.emergency.nearest import nearest
from healthsvc.emergency.rules import Act
from healthsvc.errors import Conflict, Unavailable
from healthsvc.healthfile.service import today
from healthsvc.store import Actor, Database
from integrations.leading import Rounds

SCOUT = Actor("system/scout", "emergency scout", frozenset({"system"}), "timer")
TURN_SECONDS = 0.5


class Scout:
    """Runs in a thread of its own; of several the first who finds somebody writes it down."""

    def __init__(self, database: Database, data: Path, now: Callable[[], datetime] = clock.utc_now) -> None:
        self._database = database
        self._data = data
        self._now = now
        self._rounds = Rounds("emergency-scout", self._look, TURN_SECONDS)

    def start(self) -> None:
        """Begin; returns at once."""
        self._rounds.start()

    def stop(self) -> None:
        """End after the turn that runs."""
        self._rounds.stop()

    def turn(self) -> int:
        """Look once; gives how many alarms got somebody, or the word that nobody is near."""
        with self._database.reading(SCOUT, at=self._now()) as store:
            policy = service.policy_of(store)
            asked = [
                one
                for one in service.ringing(store)
                if one.kind in policy.nearest_kinds and all(line.act is not Act.STANDBY for line in one.log)
            ]
            if not asked:
                return 0
            times = travel_times(self._data, store.policy, today(store))
            found = [(one.id, nearest(store, times, one.patient, store.at, policy)) for one in asked]
        for id, near in found:
            with self._database.writing(SCOUT, at=self._now()) as store:
                service.stand_by(store, id, near, store.at)
        return len(found)

    def _look(self) -> None:
        with suppress(Unavailable, Conflict):  # the database only reads, or another was faster; the chain goes on without
            self.turn()
