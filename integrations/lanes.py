"""Which waiting messages may go on: one person's messages in order, different people's side by side. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from healthsvc.fhir.systems import CITIZEN_ID, UNVERIFIED_CITIZEN_ID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the queue."""

    id: int
    keys: frozenset[str]
    """What it is about: hashes of every number it names, of its visit and of its report. Two messages that share one keep their order."""
    due: int = 0
    """Not before this moment, microseconds since 1970 UTC."""


_EIGHTEEN: Final = 18
Number = tuple[str, str]
"""System and value."""


def key_of(system: str, value: str) -> str:
    """The key of a number: hashed, so that no number stands in a log or a dump of the queue."""
    value = value.strip().upper()
    if system in (CITIZEN_ID, UNVERIFIED_CITIZEN_ID):  # of 15 digits or of 18 it is the same person's
        system, value = CITIZEN_ID, value if len(value) != _EIGHTEEN else value[:6] + value[8:17]
    return hashlib.blake2b(f"{system}\x1f{value}".encode(), digest_size=12).hexdigest()


def keys(link: str, numbers: Iterable[Number]) -> frozenset[str]:
    """The keys of a message; messages of a link that name nobody (lists of staff, of charges) are a lane of their own."""
    return frozenset(key_of(system, value) for system, value in numbers) or frozenset({key_of("link", link)})


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
