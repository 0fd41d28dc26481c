"""What a link profile says of a message beyond how it is read: its answer, what becomes of a person whom nobody here knows, a drip."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final

from healthsvc import clock
from healthsvc.errors import Refusal
from integrations.arrival import receive
from integrations.hl7v2.compare import Change
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, family_of
from integrations.hl7v2.header import Header
from integrations.hl7v2.values import coded
from integrations.hospitals.profile import Match, Profile
from integrations.hospitals.shelf import Shelf
from integrations.reading import read

_LISTEN: Final = "127.0.0.1:2575"
_PEER: Final = "127.0.0.1"
_NOBODYS: Final = frozenset({Family.MASTER, Family.QUERY, Family.OTHER_QUERY, Family.ANSWER})
"""Of no person whom it would open a file for."""
_NONE: Final = "-"


class Handling:
    """Tells it for the messages of a comparison; a profile is set up once."""

    def __init__(self) -> None:
        self._shelves: dict[int, tuple[Profile, Shelf]] = {}

    def __call__(self, raw: bytes, profile: Profile) -> dict[str, str]:
        """What becomes of one message, by what it is; only codes and words of the profile."""
        shelf = self._shelf(profile)
        arrival = receive(raw, shelf, listen=_LISTEN, peer=_PEER, at=clock.utc_now(), number="0")
        found = {"answer": _answered(arrival.answer)}
        try:
            message, header = read(raw, profile)
        except Refusal:
            return found
        family = family_of(header, profile.events)
        if arrival.code.positive and family is not None:
            found |= dict(_of_care(message, header, family, profile))
        return found

    def _shelf(self, profile: Profile) -> Shelf:
        if id(profile) not in self._shelves:
            self._shelves[id(profile)] = profile, Shelf((), replace(profile, match=Match()))
        return self._shelves[id(profile)][1]


def settings(before: Profile, after: Profile) -> Iterator[Change]:
    """Each setting of two profiles that differs; of tables and lists only that they do."""
    for field in fields(Profile):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            plain = all(one is None or isinstance(one, (str, int)) for one in (old, new))
            yield Change(field.name, _plain(old), _plain(new)) if plain else Change(field.name)


def _of_care(message: Message, header: Header, family: Family, profile: Profile) -> Iterator[tuple[str, str]]:
    if family not in _NOBODYS and "PID" in message:
        yield "a person who is not on file", profile.unknown_person.value
    routes = [coded(segment[1], profile.nothing) for segment in message.all("RXR")]
    words = {word.casefold() for one in routes for word in (one.code, one.text)} - {""}
    if family is Family.ORDER and words:
        yield "a drip for somebody at home", "proposed" if words & profile.infusion_routes else "not proposed"


def _answered(answer: bytes) -> str:
    """``ACK AA``, ``RSP^K23 AA``; no answer at all where MSH-15 wants none."""
    if not answer:
        return _NONE
    told = Message(answer.decode("latin-1"))
    return f"{told.first[9].raw} {told['MSA'][1].raw}"


def _plain(value: Any) -> str:
    return _NONE if value in (None, "") else str(value)
