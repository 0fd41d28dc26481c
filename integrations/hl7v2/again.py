"""What a segment meant last time: a feed repeats the PID and PV1 of a person in message after message, and reading them is pure."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from integrations.hospitals.profile import Profile

T = TypeVar("T")
MOST = 4096
"""Readings that are kept of one kind: more people than one hospital has on its wards."""
LONGEST = 4096
"""Characters of the segments of one reading; what is longer is seldom repeated and would only fill the memory."""


class Again(Generic[T]):
    """Readings of one kind; the one that was not asked for longest goes first. For use by several threads.

    A reading depends on the link's profile too. It is known by being the very same object (a profile that was read anew is another one),
    and the reading holds it, so that no other profile can come to stand at its address.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Profile, T]] = OrderedDict()

    def read(self, profile: Profile, texts: tuple[str, ...], also: Hashable, read: Callable[[], T]) -> T:
        """What these segments say under this profile; ``also``: whatever else the reading depends on."""
        key = (id(profile), texts, also)
        found = self._kept.get(key)
        if found is not None and found[0] is profile:
            with suppress(KeyError):  # another thread has dropped it just now
                self._kept.move_to_end(key)
            return found[1]
        value = read()
        if sum(map(len, texts)) <= LONGEST:
            self._kept[key] = (profile, value)
            if len(self._kept) > MOST:
                with suppress(KeyError):  # another thread was quicker
                    self._kept.popitem(last=False)
        return value
