"""What a transaction knows already: it reads each resource once, however many rules ask for it.

Only what nobody else can change before the transaction ends is kept: on SQLite a writing transaction has the database to itself; on
PostgreSQL what it has read to change is locked. A savepoint that is rolled back gives up its locks, so everything is forgotten then.
"""

from collections.abc import Callable, Sequence
from typing import Final

from healthsvc.store.stored import Stored

MOST = 1000
"""Resources that are kept; a bundle or a list of thousands goes on without."""
UNSEEN: Final = (Stored(0, "", "", 0, 0, True, b""), b"")
"""Nothing is known of it (None: it is known that it was never written)."""


class Sight:
    """Whom the actor could see when the transaction came to them: so they can end what lets them see (the visit of the day) and still
    write all that belongs to its end. A scope is no matter of persons, so who comes with scopes is asked anew each time."""

    def __init__(self) -> None:
        self._people: set[str] = set()

    def covers(self, people: Sequence[str], ask: Callable[[], bool]) -> bool:
        """Whether they are all known to be seen, or are seen now, and from then on until the end."""
        if people and self._people.issuperset(people):
            return True
        seen = ask()
        if seen:
            self._people.update(people)
        return seen


class Seen:
    """Current versions by type and id, with their content hash."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._kept: dict[tuple[str, str], tuple[Stored, bytes] | None] = {}

    def get(self, type: str, id: str) -> tuple[Stored, bytes] | None:
        """What is known; :data:`UNSEEN` where nothing is."""
        return self._kept.get((type, id), UNSEEN)

    def learn(self, type: str, id: str, found: tuple[Stored, bytes] | None, *, held: bool) -> tuple[Stored, bytes] | None:
        """Remember what has been read, if nobody else can change it; gives it back."""
        if self._alone or (held and found is not None):
            self._put(type, id, found)
        return found

    def keep(self, stored: Stored, hash: bytes) -> None:
        """Remember what has been written."""
        self._put(stored.type, stored.id, (stored, hash))

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _put(self, type: str, id: str, found: tuple[Stored, bytes] | None) -> None:
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[type, id] = found
