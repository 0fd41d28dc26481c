"""All rooms that admit writes, low to high. The composition root and the tests open the store with these."""

from importlib import import_module
from importlib.util import find_spec

from healthsvc.store import Room

_NAMES = (
    "healthfile",
    "greenchannel",
    "circle",
    "visit",
    "checkup",
    "referral",
    "infusion",
    "homebed",
    "contract",
    "emergency",
    "dayplan",
)


def _rooms() -> tuple[Room, ...]:
    found = []
    for name in _NAMES:
        if find_spec(f"healthsvc.{name}.room") is not None:
            found.append(import_module(f"healthsvc.{name}.room").ROOM)
    return tuple(found)


ROOMS = _rooms()
