"""Who lives inside the circle 覆盖: every home to its quickest station, counted by community and by risk group, and the gaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from healthsvc.circle.rules import CirclePolicy, Doubt, Membership, Verdict, decide
from healthsvc.circle.rules import mode as read_mode
from healthsvc.circle.travel import TravelTimes, straight

_WHOLE = ""
_CHUNK = 5_000
"""Homes asked at once."""


@dataclass(frozen=True, slots=True)
class Station:
    """A service point in WGS-84 degrees."""

    id: str
    name: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Home:
    """A person's home in WGS-84 degrees, the community 社区 it counts for and the groups the person belongs to."""

    id: str
    lon: float
    lat: float
    community: str = ""
    groups: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one home."""

    home: Home
    station: Station | None
    membership: Membership
    snap_metres: float


@dataclass(frozen=True, slots=True)
class Count:
    """How many people of a community or group live where. Measured and estimated are never added up."""

    key: str
    people: int = 0
    inside: int = 0
    outside: int = 0
    estimated_inside: int = 0
    estimated_outside: int = 0
    ask: int = 0
    doubtful: int = 0
    """Those among the above whose answer a person should look at."""

    @property
    def share_inside(self) -> float | None:
        """Measured inside, as a share of all people; None of nobody."""
        return self.inside / self.people if self.people else None


@dataclass(frozen=True, slots=True)
class Gap:
    """A community with people who are not (known to be) inside, and how far the quickest way of those outside is."""

    community: str
    people: int
    not_inside: int
    median_seconds: float | None
    """Of those outside whose way is known."""
    homes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The circle of a district on one network, for one mode."""

    mode: str
    limit_seconds: float
    answers: tuple[Answer, ...]
    total: Count
    by_community: tuple[Count, ...]
    by_group: tuple[Count, ...]
    gaps: tuple[Gap, ...]
    """Most people first."""
    unlocated: int
    """People whose home has no position: they are in no other figure."""
    provenance: dict[str, Any]


def measure(
    times: TravelTimes, homes: Sequence[Home], stations: Sequence[Station], mode: str, policy: CirclePolicy, unlocated: int = 0
) -> Coverage:
    """Measure from the stations to every home and decide.

    Raises:
        Invalid: there is no station, or no such mode.
    """
    how = read_mode(mode)
    answers: list[Answer] = []
    provenance: dict[str, Any] = {}
    where = [(station.lon, station.lat) for station in stations]
    for first in range(0, max(1, len(homes)), _CHUNK):
        some = homes[first : first + _CHUNK]
        found = times.matrix(where, [(home.lon, home.lat) for home in some], how)
        provenance = {**found.provenance, **({"estimate": provenance["estimate"]} if "estimate" in provenance else {})}
        crow = straight(np.array(where).reshape(-1, 2), np.array([(h.lon, h.lat) for h in some]).reshape(-1, 2))
        for j, home in enumerate(some):
            ways = [found.travel(i, j) for i in range(len(stations))]
            made = decide(ways, crow[:, j].tolist(), policy.limit_seconds, policy.speed(how), found.destinations.doubts(j))
            made = _station_doubts(made, found.origins.doubts(made.station)) if made.station is not None else made
            station = None if made.station is None else stations[made.station]
            answers.append(Answer(home, station, made, float(found.destinations.metres[j])))
    return summarise(answers, str(how), policy.limit_seconds, unlocated, provenance)


def summarise(answers: Sequence[Answer], mode: str, limit_seconds: float, unlocated: int, provenance: dict[str, Any]) -> Coverage:
    """Count answers by community and by group, and list the gaps."""
    communities = sorted({answer.home.community for answer in answers})
    groups = sorted({group for answer in answers for group in answer.home.groups})
    by_community = tuple(count(key, (a for a in answers if a.home.community == key)) for key in communities)
    by_group = tuple(count(key, (a for a in answers if key in a.home.groups)) for key in groups)
    gaps = [_gap(each.key, [a for a in answers if a.home.community == each.key]) for each in by_community if each.inside < each.people]
    gaps.sort(key=lambda gap: (-gap.not_inside, gap.community))
    return Coverage(mode, limit_seconds, tuple(answers), count(_WHOLE, answers), by_community, by_group, tuple(gaps), unlocated, provenance)


def count(key: str, answers: Iterable[Answer]) -> Count:
    """Count verdicts."""
    tally = dict.fromkeys(Verdict, 0)
    people = doubtful = 0
    for answer in answers:
        people += 1
        tally[answer.membership.verdict] += 1
        doubtful += answer.membership.asks_a_person
    return Count(
        key,
        people,
        tally[Verdict.INSIDE],
        tally[Verdict.OUTSIDE],
        tally[Verdict.ESTIMATED_INSIDE],
        tally[Verdict.ESTIMATED_OUTSIDE],
        tally[Verdict.ASK],
        doubtful,
    )


def _gap(community: str, answers: Sequence[Answer]) -> Gap:
    beyond = [answer for answer in answers if answer.membership.verdict is not Verdict.INSIDE]
    known = [a.membership.travel.seconds for a in beyond if a.membership.verdict in {Verdict.OUTSIDE, Verdict.ESTIMATED_OUTSIDE}]
    beyond.sort(key=lambda answer: (-answer.membership.travel.seconds, answer.home.id))
    median = float(np.median(known)) if known and np.isfinite(np.median(known)) else None
    return Gap(community, len(answers), len(beyond), median, tuple(answer.home.id for answer in beyond))


def _station_doubts(made: Membership, doubts: tuple[Doubt, ...]) -> Membership:
    """What is doubtful about the station's own position is doubtful about the answer."""
    fresh = tuple(doubt for doubt in doubts if doubt not in made.doubts)
    return Membership(made.station, made.travel, made.verdict, (*made.doubts, *fresh)) if fresh else made
