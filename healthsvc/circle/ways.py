"""Who may use a way: OpenStreetMap tags read as rights of way on foot, by e-bike and by car.

Rights are bits per direction, so that a network keeps them apart from speeds (which are policy). Private ground is not used: an address
there is reached from the nearest public road, and the snap distance says how far that is.
"""

from collections.abc import Mapping

WALK, WALK_BACK, RIDE, RIDE_BACK, PUSH, PUSH_BACK, DRIVE, DRIVE_BACK = (1 << i for i in range(8))

CLASSES = (
    *("motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary"),
    *("tertiary_link", "unclassified", "residential", "living_street", "service", "road", "track", "path", "footway", "pedestrian"),
    *("cycleway", "steps", "bridleway", "corridor", "platform", "elevator"),
)
"""The highway classes that a network keeps; the place in this tuple is the class code."""

_ALLOWED = frozenset(
    {"yes", "designated", "permissive", "official", "destination", "public", "customers", "delivery", "permit", "dismount", "use_sidepath"}
)
_NO_FOOT = frozenset({"motorway", "motorway_link"})
_NO_BIKE = frozenset({"motorway", "motorway_link", "steps"})
_PUSHED = frozenset({"footway", "pedestrian", "corridor", "platform", "elevator", "bridleway"})
_DRIVEN = frozenset(CLASSES[:15])


def rights(tags: Mapping[str, str]) -> int:
    """The bits of who may use a way; 0 where nobody may, or it is no way that we know (proposed, under construction, a race track).

    On foot one-way signs do not count. An e-bike obeys them unless ``oneway:bicycle=no`` or an ``opposite`` cycle lane says otherwise, and
    is pushed at walking pace on footways, in pedestrian streets and where ``bicycle=dismount``.
    """
    kind = tags.get("highway", "")
    if kind not in CLASSES or tags.get("area") == "yes":
        return 0
    motorroad = tags.get("motorroad") == "yes"
    forward, back = _directions(tags, kind)
    bits = 0
    if _may(tags, ("foot", "access"), kind not in _NO_FOOT and not motorroad):
        bits |= WALK | WALK_BACK
        if tags.get("bicycle") == "dismount" or (kind in _PUSHED and "bicycle" not in tags):
            bits |= PUSH | PUSH_BACK
    if not bits & PUSH and _may(tags, ("bicycle", "vehicle", "access"), kind not in _NO_BIKE and kind not in _PUSHED and not motorroad):
        against = tags.get("oneway:bicycle") == "no" or any(
            tags.get(key, "").startswith("opposite") for key in ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both")
        )
        bits |= (RIDE if forward or against else 0) | (RIDE_BACK if back or against else 0)
    if _may(tags, ("motorcar", "motor_vehicle", "vehicle", "access"), kind in _DRIVEN):
        bits |= (DRIVE if forward else 0) | (DRIVE_BACK if back else 0)
    return bits


def passing(tags: Mapping[str, str]) -> bool:
    """Whether one only passes here: nobody's door opens onto a bridge, into a tunnel or onto a motorway, however near it is."""
    bridged = tags.get("bridge", "no") != "no" or tags.get("tunnel", "no") not in {"no", "building_passage"}
    return bridged or tags.get("highway") in {"motorway", "motorway_link", "trunk_link", "elevator"}


def maxspeed(tags: Mapping[str, str]) -> int:
    """The signed speed limit in km/h (1 to 250), 0 where there is none that we can read."""
    number, _, unit = tags.get("maxspeed", "").strip().partition(" ")
    if not number.isascii() or not number.isdigit():
        return 0
    kmh = int(number) * 1.609344 if unit.strip() == "mph" else int(number)
    return min(250, round(kmh))


def blocked(tags: Mapping[str, str]) -> int:
    """The bits that a barrier on a node takes away: bollards stop cars, and any barrier stops whom its own tags forbid."""
    kind = tags.get("barrier")
    if kind is None:
        return 0
    only_cars = kind in {
        "bollard",
        "block",
        "cycle_barrier",
        "kissing_gate",
        "stile",
        "turnstile",
        "chain",
        "jersey_barrier",
        "planter",
        "debris",
    }
    taken = 0
    if not _may(tags, ("foot", "access"), True):
        taken |= WALK | WALK_BACK | PUSH | PUSH_BACK
    if not _may(tags, ("bicycle", "vehicle", "access"), kind not in {"kissing_gate", "stile", "turnstile"}):
        taken |= RIDE | RIDE_BACK
    if not _may(tags, ("motorcar", "motor_vehicle", "vehicle", "access"), not only_cars):
        taken |= DRIVE | DRIVE_BACK
    return taken


def _may(tags: Mapping[str, str], keys: tuple[str, ...], otherwise: bool) -> bool:
    """The most particular tag decides; ``access=yes`` alone opens nothing that the class itself forbids."""
    for key in keys:
        value = tags.get(key)
        if value is not None:
            allowed = any(part.strip() in _ALLOWED for part in value.split(";"))
            return allowed and (otherwise or key not in {"access", "vehicle"})
    return otherwise


def _directions(tags: Mapping[str, str], kind: str) -> tuple[bool, bool]:
    """Whether wheels may go along the way's drawing, and against it."""
    sign = tags.get("oneway")
    if sign in {"yes", "1", "true"}:
        return True, False
    if sign in {"-1", "reverse"}:
        return False, True
    implied = tags.get("junction") in {"roundabout", "circular"} or kind == "motorway"
    return True, sign == "no" or not implied
