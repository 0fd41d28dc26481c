"""Of people what a list of visits shows: name, address, where. A file is large; here only these members of it are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from healthsvc.fhir.json import Resource, reread
from healthsvc.fhir.systems import extension
from healthsvc.healthfile.positions import GEOLOCATION, to_coordinate
from healthsvc.store import Store
from healthsvc.store.search import matches_all
from healthsvc.store.stored import Stored

_AREA: Final = extension("residence-area")
_AT_ONCE: Final = 100
"""People that one statement asks for."""


@dataclass(frozen=True, slots=True)
class Face:
    """A person in a list; degrees are WGS-84."""

    name: str
    address: str
    area: str = ""
    lon: float | None = None
    lat: float | None = None


NOBODY: Final = Face("", "")


class _Name(msgspec.Struct, frozen=True):
    text: str = ""
    family: str = ""
    given: tuple[str | None, ...] = ()


class _Extension(msgspec.Struct, frozen=True):
    url: str = ""
    valueCodeableConcept: dict[str, object] | None = None  # noqa: N815 - FHIR's name


class _Address(msgspec.Struct, frozen=True):
    use: str = "home"
    text: str = ""
    extension: tuple[msgspec.Raw, ...] = ()


class _Patient(msgspec.Struct, frozen=True):
    name: tuple[_Name, ...] = ()
    address: tuple[_Address, ...] = ()
    extension: tuple[_Extension, ...] = ()


_DECODER: Final = msgspec.json.Decoder(_Patient)


def faces(store: Store, ids: Iterable[str], purpose: str = "board") -> Mapping[str, Face]:
    """People by Patient id, those whose file is there; every look is noted."""
    wanted = sorted(set(ids))
    found: dict[str, Face] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        for stored in matches_all(store, "Patient", {"_id": wanted[start : start + _AT_ONCE]}, store.restrict):
            store.audit("read", f"Patient/{stored.id}", patient=stored.id, purpose=purpose)
            found[stored.id] = _face(stored)
    return found


def _face(stored: Stored) -> Face:
    patient = _DECODER.decode(stored.body)
    name = next(iter(patient.name), _Name())
    address = next((one for one in patient.address if one.use == "home"), _Address())
    area = next((one.valueCodeableConcept for one in patient.extension if one.url == _AREA), None) or {}
    places: Iterable[Resource] = (reread(bytes(one)) for one in address.extension)
    at = next((to_coordinate(one) for one in places if one.get("url") == GEOLOCATION), None)
    written = name.text or f"{name.family}{''.join(one or '' for one in name.given)}"
    return Face(written, address.text, str(area.get("text", "")), at.lon if at else None, at.lat if at else None)
