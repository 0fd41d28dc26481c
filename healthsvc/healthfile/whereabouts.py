"""人员定位 Where a member of the staff is, nobody is told: no page asks a telephone for its position, and no record may carry one.

The planner works with stations, planned times and homes; the emergency desk with who is on duty and with nobody at hand. So a position of
a person of the staff (Personal Information Protection Law art. 6: no more than the purpose needs) is refused at every door, instead of
being kept during a visit and removed afterwards.
"""

from collections.abc import Iterator
from typing import Any, Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.elements import codes
from healthsvc.fhir.json import Resource, dumps
from healthsvc.healthfile.positions import GEOLOCATION
from healthsvc.store import Room, Store

_ALWAYS: Final = frozenset({"Practitioner", "PractitionerRole", "Encounter", "Provenance"})
"""Types of which a position would be one of the staff."""
_UNLESS_A_PATIENTS: Final = {"Observation": "subject", "Device": "patient"}
_MARK: Final = f'"{GEOLOCATION}"'.encode()
_VEHICLE: Final = ("http://terminology.hl7.org/CodeSystem/location-physical-type", "ve")


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Refuse a record that says where a member of the staff, or their vehicle, is."""
    if new is not None and tells_whereabouts(new):
        raise RuleViolation(
            "positions of the staff are not kept here, nor those of their vehicles; leave the position out",
            reason="staff-position",
            path=str(new.get("resourceType")),
        )


def tells_whereabouts(resource: Resource) -> bool:
    """Whether a record carries a position that is not a home's or a station's."""
    type = resource.get("resourceType")
    if type == "Location":
        system, code = _VEHICLE
        return "position" in resource and code in codes(resource.get("physicalType"), system)
    if type in _UNLESS_A_PATIENTS:
        whose = resource.get(_UNLESS_A_PATIENTS[type], {}).get("reference", "")
        return not str(whose).startswith("Patient/") and _has_position(resource)
    return type in _ALWAYS and _has_position(resource)


def _has_position(resource: Resource) -> bool:
    """Whether the extension stands anywhere in it; nearly always its url does not, which the text tells at once."""
    return _MARK in dumps(resource) and any(_positions(resource))


def _positions(part: Any) -> Iterator[bool]:
    if isinstance(part, dict):
        if part.get("url") == GEOLOCATION:
            yield True
        for one in part.values():
            if isinstance(one, (dict, list)):
                yield from _positions(one)
    elif isinstance(part, list):
        for one in part:
            yield from _positions(one)


ROOM: Final = Room("whereabouts", _ALWAYS | _UNLESS_A_PATIENTS.keys() | {"Location"}, admit)
