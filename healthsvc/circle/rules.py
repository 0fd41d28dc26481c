"""The rule of the ten-minute circle: what a travel time is worth, and whether a home lies inside.

Whoever lives inside is decided from the unrounded travel time to the address. An estimate keeps its mark, and where the road data show no
way at all, a person has to look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from healthsvc.errors import Invalid


class Mode(StrEnum):
    """How staff and residents move."""

    WALK = "walk"
    EBIKE = "ebike"
    DRIVE = "drive"


class Basis(StrEnum):
    """What a travel time rests on."""

    ROAD = "road"
    """Found on the road network."""
    ESTIMATE = "estimate"
    """Computed from the distance as the crow flies: shown with its mark, always."""
    NO_PATH = "no_path"
    """The road data know no way: a person has to look."""


@dataclass(frozen=True, slots=True)
class Travel:
    """One way: unrounded seconds and metres (infinite where there is no path), and what they rest on.

    A ``road`` way with infinite seconds exists, but is longer than the limit that the question set.
    """

    seconds: float
    metres: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class CirclePolicy:
    """Policy parameters of the circle; see healthsvc/policy/circle.toml for their sources."""

    limit_minutes: float
    mode: str
    walk_kmh: float
    ebike_kmh: float
    push_kmh: float
    drive_kmh: dict[str, float]
    drive_maxspeed_share: float
    estimate_walk: tuple[float, float, float]
    """Fixed seconds, detour factor, speed in km/h."""
    estimate_ebike: tuple[float, float, float]
    estimate_drive: tuple[float, float, float]
    snap_flag_metres: float
    snap_limit_metres: float
    part_min_share: float
    part_min_metres: float
    reach_width_metres: float
    siting_seconds: float
    siting_candidates: int
    declared: str
    """``standard``: FHIR's own word that a position is WGS-84 suffices; ``always``: in mainland China the origin must be written."""
    datum_tolerance_metres: float

    @property
    def limit_seconds(self) -> float:
        """The circle's limit in seconds."""
        return self.limit_minutes * 60.0

    def speed(self, how: Mode) -> float:
        """The speed in km/h that an answer states: the rider's own, or for driving that of an ordinary street."""
        if how is Mode.DRIVE:
            return self.drive_kmh["residential"]
        return self.walk_kmh if how is Mode.WALK else self.ebike_kmh

    def estimate(self, how: Mode) -> tuple[float, float, float]:
        """Fixed seconds, detour factor and speed (km/h) of the estimate."""
        return {Mode.WALK: self.estimate_walk, Mode.EBIKE: self.estimate_ebike, Mode.DRIVE: self.estimate_drive}[how]


def mode(name: str) -> Mode:
    """Read a mode's name.

    Raises:
        Invalid: there is no such mode.
    """
    try:
        return Mode(name)
    except ValueError:
        raise Invalid(f"travel mode {name!r} is not known; it is one of {', '.join(Mode)}", path="mode", reason="mode-unknown") from None


def estimate(metres_straight: float, fixed_seconds: float, detour: float, kmh: float) -> Travel:
    """Estimate a way from the distance as the crow flies, in metres: a fixed time, then the detour at an even speed."""
    metres = detour * metres_straight
    return Travel(fixed_seconds + metres * 3.6 / kmh, metres, Basis.ESTIMATE)


class Verdict(StrEnum):
    """Where a home lies. The estimated ones are words of their own so that no page can show them as measured."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    ESTIMATED_INSIDE = "estimated-inside"
    ESTIMATED_OUTSIDE = "estimated-outside"
    ASK = "ask"


class Doubt(StrEnum):
    """Why a person should look at an answer."""

    ESTIMATED = "estimated"
    NO_PATH = "no-path"
    """No station can be reached on the roads that we know."""
    NO_PATH_TO_NEARER = "no-path-to-nearer"
    """A station near as the crow flies has no path: a bridge or lane may be missing in the data."""
    SNAPPED_FAR = "snapped-far"
    """The address is far from every usable road."""
    OUTSIDE_DATA = "outside-data"
    """The address lies outside the road data."""


@dataclass(frozen=True, slots=True)
class Membership:
    """The answer for one home: the station that decides, the way to it, the verdict and the doubts."""

    station: int | None
    """Index of the station among those asked; None where there is no path from any."""
    travel: Travel
    verdict: Verdict
    doubts: tuple[Doubt, ...] = ()

    @property
    def asks_a_person(self) -> bool:
        """Whether a person has to look before the answer is used."""
        return self.verdict is Verdict.ASK or any(doubt is not Doubt.ESTIMATED for doubt in self.doubts)


def decide(
    ways: Sequence[Travel], straight: Sequence[float], limit_seconds: float, quick: float, flags: Sequence[Doubt] = ()
) -> Membership:
    """Decide whether a home lies in the circle of its quickest station. A way by road that suffices goes before any estimate.

    Args:
        ways: the way from each station to the home.
        straight: metres as the crow flies from each station.
        limit_seconds: the circle's limit; a way of exactly this length is inside.
        quick: the mode's speed in km/h, with which a straight line tells whether a station without a path could be near enough.
        flags: what is already doubtful about the address (snapped far, outside the data).
    """
    if not ways:
        raise Invalid("no station to measure from; register at least one station with a position", reason="no-station")
    best = min(range(len(ways)), key=lambda i: _rank(ways[i], limit_seconds))
    way = ways[best]
    doubts = list(flags)
    if way.basis is Basis.NO_PATH:
        return Membership(None, way, Verdict.ASK, (*doubts, Doubt.NO_PATH))
    inside = way.seconds <= limit_seconds
    if way.basis is Basis.ESTIMATE:
        doubts.append(Doubt.ESTIMATED)
        return Membership(best, way, Verdict.ESTIMATED_INSIDE if inside else Verdict.ESTIMATED_OUTSIDE, tuple(doubts))
    reachable_metres = limit_seconds * quick / 3.6
    if not inside and any(w.basis is Basis.NO_PATH and metres <= reachable_metres for w, metres in zip(ways, straight, strict=True)):
        doubts.append(Doubt.NO_PATH_TO_NEARER)
    return Membership(best if math.isfinite(way.seconds) else None, way, Verdict.INSIDE if inside else Verdict.OUTSIDE, tuple(doubts))


def _rank(way: Travel, limit_seconds: float) -> tuple[bool, float, bool]:
    """Ways by road within the limit first, then the quickest; an unknown way last."""
    measured_inside = way.basis is Basis.ROAD and way.seconds <= limit_seconds
    return not measured_inside, way.seconds, way.basis is Basis.NO_PATH
