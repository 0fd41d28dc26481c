"""What was made of each version of a resource is remembered: a version never changes, so it is read and understood once."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson

from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.past import Version, bodies, versions
from healthsvc.store.stored import micros

if TYPE_CHECKING:
    from healthsvc.store import Database

Made = TypeVar("Made")
SETTLING = 2_000_000
"""Microseconds after which a version is remembered: before that another may still carry the same moment."""
MOST = 400_000
"""Versions that are remembered of one kind; beyond it the memory begins anew (about 300 bytes each)."""
ANSWERS = 8
"""Whole answers that are remembered of one database."""
_numbers = count(1)


class Memory(Generic[Made]):
    """What one function made of the versions of one type in one database."""

    def __init__(self, read: Callable[[Resource], Made | None]) -> None:
        self._read = read
        self._known: dict[Version, Made | None] = {}
        self._last: tuple[list[Version], list[Made], int] = ([], [], 0)

    def recall(self, store: Store, type: str, *, before: int | None = None, coded: tuple[str, str] | None = None) -> tuple[list[Made], int]:
        """What the versions in force give, now or just before a moment, and a number: the same number, the same content.

        Those of which nothing is made are left out.
        """
        wanted = versions(store, type, before=before, coded=coded)
        last, known = self._last, self._known
        if wanted == last[0]:
            return last[1], last[2]
        unknown = [one for one in wanted if one not in known]
        fresh: dict[Version, Made | None] = {}
        if unknown:
            latest = -1 if store.writable else micros(store.at) - SETTLING
            if len(known) + len(unknown) > MOST:
                known = self._known = {}
                unknown = wanted
            for version, body in bodies(store, unknown):
                made = self._read(orjson.loads(body)) if body else None
                (known if version[1] < latest else fresh)[version] = made
        found = [made for one in wanted if (made := known[one] if one in known else fresh.get(one)) is not None]
        number = next(_numbers)
        if not fresh:
            self._last = (wanted, found, number)
        return found, number


_MEMORIES: "weakref.WeakKeyDictionary[Database, dict[Hashable, Memory[Any]]]" = weakref.WeakKeyDictionary()
_ANSWERS: "weakref.WeakKeyDictionary[Database, OrderedDict[Hashable, Any]]" = weakref.WeakKeyDictionary()


def memory(store: Store, key: Hashable, read: Callable[[Resource], Made | None]) -> Memory[Made]:
    """The memory of a database for one way of reading; ``key`` names the way and whatever else it depends on (a policy)."""
    found: Memory[Made] = _MEMORIES.setdefault(store.database, {}).setdefault(key, Memory(read))
    return found


def answer(store: Store, key: Hashable, make: Callable[[], Made]) -> Made:
    """A whole answer; ``key`` carries all that it depends on, the numbers of what was recalled among it."""
    kept = _ANSWERS.setdefault(store.database, OrderedDict())
    if key in kept:
        found: Made = kept[key]
        return found
    made = make()
    kept[key] = made
    while len(kept) > ANSWERS:
        kept.popitem(last=False)
    return made
