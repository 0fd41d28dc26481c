"""What the messages that wait are about: each is read once, many in one statement, and forgotten when it waits no more."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from healthsvc.errors import Refusal, Unavailable
from healthsvc.store.inbox_rows import raws_of
from healthsvc.store.sealing.sealer import Sealer
from integrations.hl7v2.person import Number, numbers_in, numbers_of
from integrations.hospitals.profile import Profile
from integrations.hospitals.shelf import Shelf
from integrations.lanes import keys
from integrations.reading import read

TOGETHER: Final = 16
"""Messages whose bytes are held at once: one may be some MB."""


class About(NamedTuple):
    """Whom a message is about."""

    keys: frozenset[str]
    """Of its lane, as :class:`integrations.lanes.Waiting` has them."""
    numbers: tuple[Number, ...]
    """Of everybody whom it names."""


class Ahead:
    """What one worker knows of the messages that wait."""

    def __init__(self, sealer: Sealer, shelf: Shelf) -> None:
        self._sealer, self._shelf = sealer, shelf
        self._known: dict[int, About] = {}
        self._edition = shelf.edition

    def look(self, connection: Connection, rows: Sequence[Any]) -> list[Any]:
        """Get to know these rows of the inbox, and forget all others; gives those that are there.

        One that another worker has settled in this very moment may have been forgotten with its text.

        Raises:
            Unavailable: the profile of a link or the key of a sealed message is missing.
        """
        if self._edition is not self._shelf.edition:  # other profiles hold: a number may be another kind of number now
            self._edition, self._known = self._shelf.edition, {}
        self._known = {row.id: self._known[row.id] for row in rows if row.id in self._known}
        fresh = [row for row in rows if row.id not in self._known]
        for start in range(0, len(fresh), TOGETHER):
            portion = {row.id: row for row in fresh[start : start + TOGETHER]}
            for id, raw in raws_of(connection, self._sealer, list(portion)):
                self._known[id] = _about(raw, profile_of(portion[id], self._shelf))
        return [row for row in rows if row.id in self._known]

    def __getitem__(self, id: int) -> About:
        """What is known of a message that was looked at."""
        return self._known[id]


def _about(raw: bytes, profile: Profile) -> About:
    numbers = tuple(_numbers(raw, profile))
    return About(keys(profile.name, ((one.system, one.value) for one in numbers)), numbers)


def lane_keys(raw: bytes, profile: Profile) -> frozenset[str]:
    """What a message is about: every number in PID-3, PID-2, PID-19 and MRG."""
    return _about(raw, profile).keys


def numbers_in_message(raw: bytes, profile: Profile) -> list[tuple[str, str]]:
    """System and value of every number by which a message names people; none where it cannot be read."""
    return [(one.system, one.value) for one in _numbers(raw, profile)]


def _numbers(raw: bytes, profile: Profile) -> Iterator[Number]:
    try:
        message, header = read(raw, profile)
    except Refusal:
        return
    for pid in message.all("PID"):
        yield from numbers_of(pid, header, profile)
    for mrg in message.all("MRG"):
        yield from numbers_in(mrg[1], "MRG-1", header, profile)
        yield from numbers_in(mrg[4], "MRG-4", header, profile)


def profile_of(row: Any, shelf: Shelf) -> Profile:
    """The profile under which a message came in; the default where that one is no longer there."""
    found = next((profile for profile in shelf.site if profile.name == row.link), None) or shelf.default
    if found is None:
        raise Unavailable(f"the link profile {row.link!r} of a waiting message is missing; put it back into DATA/hospitals/")
    return found
