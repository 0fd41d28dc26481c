"""Of many processes one does a thing: whoever holds its lease, looked at again when half of it has passed."""

from collections.abc import Callable
from datetime import datetime, timedelta

from healthsvc import clock
from healthsvc.store import Actor, Database, lease


class Lead:
    """One process's claim to do a thing alone."""

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
        with self._database.writing(self._actor, at=now) as store:
            taken = lease.take(store.connection, self._name, self._holder, now, self._length) is not None
        self._until = now + self._length / 2 if taken else None
        return taken

    def give_back(self) -> None:
        """Let the next one begin at once."""
        if self._until is not None:
            self._until = None
            with self._database.writing(self._actor, at=self._now()) as store:
                lease.give_back(store.connection, self._name, self._holder)
