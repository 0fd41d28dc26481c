"""Which waiting messages may go on: one person's messages in order, different people's side by side. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the queue."""

    id: int
    keys: frozenset[str]
    """What it is about: hashes of every number it names, of its visit and of its report. Two messages that share one keep their order."""
    due: int = 0
    """Not before this moment, microseconds since 1970 UTC."""


def keys(link: str, numbers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The keys of a message: hashed, so that no number stands in a log or a dump of the queue."""
    return frozenset(hashlib.blake2b(f"{link}\x1f{system}\x1f{value}".encode(), digest_size=12).hexdigest() for system, value in numbers)


def runnable(queue: Sequence[Waiting], now: int) -> list[Waiting]:
    """The messages that may be processed now, in their order of arrival.

    A message waits for every earlier one that shares a key with it and is itself held back; one that is not yet due holds back only
    those. A message without keys waits for nobody.
    """
    held: set[str] = set()
    found = []
    for waiting in queue:
        if waiting.due > now or not held.isdisjoint(waiting.keys):
            held |= waiting.keys
        else:
            found.append(waiting)
    return found
