"""Scopes as SMART writes them, version 1 (``patient/*.read``) and 2 (``user/Observation.rs?category=laboratory``): pure rules."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

_CLINICAL: Final = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]+|\*)\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?")
_V1: Final = {"read": "rs", "write": "cud", "*": "cruds"}
OTHERS: Final = frozenset({"openid", "fhirUser", "launch/patient", "offline_access", "online_access"})
"""Scopes that are no right to resources; what else is asked for is left out of the grant, as RFC 6749 3.3 allows."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One right: in whose compass, on which type, which of c r u d s, and with which search it is narrowed."""

    compass: str
    """``patient``, ``user`` or ``system``."""
    type: str
    """A resource type, or ``*``."""
    letters: frozenset[str]
    query: tuple[tuple[str, str], ...] = ()

    def covers(self, type: str, letter: str) -> bool:
        """Whether it gives this right on this type."""
        return self.type in ("*", type) and letter in self.letters


def read(text: str) -> Scope | None:
    """A scope of rights to resources; None where the text is none."""
    found = _CLINICAL.fullmatch(text)
    if found is None or not found[3]:
        return None
    compass, type, letters, query = found.groups()
    if query is not None and type == "*":
        return None  # a search needs a type whose parameters it names
    return Scope(compass, type, frozenset(_V1.get(letters, letters)), tuple(parse_qsl(query or "", keep_blank_values=True)))


@dataclass(frozen=True, slots=True)
class Granted:
    """All rights of one token."""

    scopes: tuple[Scope, ...]

    def permits(self, type: str, letter: str) -> bool:
        """Whether one of them gives this right on this type."""
        return any(one.covers(type, letter) for one in self.scopes)

    def reading(self, type: str) -> tuple[Scope, ...]:
        """Those under which resources of a type may be looked at or changed."""
        return tuple(one for one in self.scopes if one.type in ("*", type))


@lru_cache(maxsize=512)
def granted(scopes: frozenset[str]) -> Granted:
    """The rights that stand in the scopes of a token."""
    found = (read(one) for one in sorted(scopes))
    return Granted(tuple(one for one in found if one is not None))


def agree(asked: Iterable[str], allowed: Iterable[str], compasses: Iterable[str]) -> frozenset[str]:
    """What of the asked scopes is granted.

    Args:
        asked: as the client asks.
        allowed: what the client is registered for; ``user/*.cruds`` there covers every narrower scope.
        compasses: those that this kind of grant can give (``patient`` needs a chosen person, ``system`` a program by itself).
    """
    registered, kinds = frozenset(allowed), frozenset(compasses)
    wide = granted(registered).scopes
    kept = set()
    for one in asked:
        scope = read(one)
        if scope is None:
            if one in OTHERS and one in registered:
                kept.add(one)
        elif scope.compass in kinds and all(_covered(scope, letter, wide) for letter in scope.letters):
            kept.add(one)
    return frozenset(kept)


def _covered(scope: Scope, letter: str, wide: Iterable[Scope]) -> bool:
    """Whether the client is registered for as much: same compass (a user's rights cover a patient's), type, letter and search."""
    for one in wide:
        compass = one.compass == scope.compass or (one.compass == "user" and scope.compass == "patient")
        if compass and one.type in ("*", scope.type) and letter in one.letters and (not one.query or one.query == scope.query):
            return True
    return False
